//go:build linux

package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cx700/cx700_exporter/internal/bed"
)

// binds are the sites of the directory tests: one for each way to log on, and one without an account.
var binds = []string{"ldaps", "starttls", "kerberos", "keytab", "nobody"}

// directorySites writes a site file in which each site reads Active Directory in another way. It also writes the
// secrets.
func directorySites(t *testing.T, r *rig, extra string) (file string, secrets map[string]string) {
	t.Helper()
	dir := t.TempDir()
	secrets = map[string]string{}
	text := "credentials:\n"
	for _, bind := range binds[:4] {
		secrets[bind] = filepath.Join(dir, bind)
		key := "password_file"
		if bind == "keytab" {
			key = "keytab_file"
		}
		text += fmt.Sprintf("  %s: {username: probe@contoso.com, %s: %s, allowed_hosts: [\"*.contoso.com\"]}\n", bind, key, secrets[bind])
	}
	text += "sites:\n"
	for _, bind := range binds {
		text += fmt.Sprintf("  - name: %s\n    sip_domain: fabrikam.com\n    dhcp: {domain: contoso.com, dns_servers: [192.168.7.5]}\n", bind)
		access := fmt.Sprintf("credential: %s, bind: %s, roots: [%s]", bind, strings.Replace(bind, "keytab", "kerberos", 1), r.RootFile())
		if bind != "nobody" {
			text += fmt.Sprintf("    networks: {internal: {directory: {%s}}}\n", access)
		}
	}
	text += "collectors: {directory: {interval: 2s}, dns: {interval: 2s}, ntp: {interval: 2s}}\n"
	file = filepath.Join(dir, "cx700.yml")
	must(t, os.WriteFile(file, []byte(text+extra), 0o600))
	writeSecrets(t, r, secrets, bed.ProbePassword)
	return file, secrets
}

// writeSecrets gives every credential a secret file that has changed.
func writeSecrets(t *testing.T, r *rig, secrets map[string]string, password string) {
	t.Helper()
	for bind, file := range secrets {
		if bind == "keytab" {
			must(t, errors.Join(os.RemoveAll(file), r.ExportKeytab(t.Context(), bed.Probe, file)))
			continue
		}
		must(t, os.WriteFile(file, []byte(password+"\n"), 0o600))
	}
}

var siteTarget = regexp.MustCompile(`(?m)^cx700_site_target_info\{collector="directory",network="internal",site="(\w+)",target="([^"]*)"\} 1$`)

// directoryReasons returns the reasons of the directory collector by site.
func directoryReasons(scrape string) map[string][]string {
	out := map[string][]string{}
	for _, m := range siteTarget.FindAllStringSubmatch(scrape, -1) {
		site, target := m[1], m[2]
		failing := regexp.MustCompile(`(?m)^cx700_probe_failing\{collector="directory",network="internal",reason="(\w+)",target="` +
			regexp.QuoteMeta(target) + `"\}`)
		for _, f := range failing.FindAllStringSubmatch(scrape, -1) {
			out[site] = append(out[site], f[1])
		}
		slices.Sort(out[site])
	}
	return out
}

// directoryBreak is something that is done to Active Directory, and what each way to read it finds.
type directoryBreak struct {
	name   string
	breaks func(context.Context, *rig) error
	heal   func(context.Context, *rig) error
	// all is what every site with an account finds; sites says what single ones find instead.
	all   []string
	sites map[string][]string
	// account tells that the account is refused, with one of these reasons; it gets a new password when it is
	// healed, since it is stopped.
	account []string
	// shows is looked for in /metrics while it is broken.
	shows []string
	long  bool
}

func healthyDirectory() map[string][]string {
	return map[string][]string{"nobody": {"roots_not_watched"}}
}

func (b directoryBreak) want() map[string][]string {
	out := healthyDirectory()
	for _, bind := range binds[:4] {
		if b.all != nil {
			out[bind] = b.all
		}
	}
	maps.Copy(out, b.sites)
	maps.DeleteFunc(out, func(_ string, reasons []string) bool { return reasons == nil })
	return out
}

// refused checks that every site with an account tells of its refusal. The sites' entries name one account,
// so which bind was refused first decides the reason.
func (b directoryBreak) refused(got map[string][]string) error {
	for _, bind := range binds[:4] {
		if len(got[bind]) != 1 || !slices.Contains(b.account, got[bind][0]) {
			return fmt.Errorf("%s: %v, want one of %v", bind, got[bind], b.account)
		}
	}
	return nil
}

func restoreDirectory(ctx context.Context, r *rig) error { return r.RestoreDirectory(ctx) }

func restoreAccounts(ctx context.Context, r *rig) error { return r.RestoreAccounts(ctx) }

func healDC(ctx context.Context, r *rig) error { return r.HealDC(ctx, bed.DC) }

// publishes replaces what the object in CN=Certification Authorities holds.
func publishes(values ...[]byte) func(context.Context, *rig) error {
	return func(ctx context.Context, r *rig) error {
		return r.SetCACertificates(ctx, bed.DC, bed.PublishedRoot, values...)
	}
}

var placeholder = []byte{0}

func publishBreaks() []directoryBreak {
	state := func(state string, n int) string {
		return fmt.Sprintf(`container="certification_authorities",dc="dc01.contoso.com",state="%s",target="contoso.com@192.168.7.5~`, state) +
			fmt.Sprintf("%s %d", `\w+"}`, n)
	}
	return []directoryBreak{
		{name: "emptied", breaks: publishes(placeholder), heal: restoreDirectory, all: []string{"root_empty"},
			shows: []string{state("empty", 1), state("populated", 0)}},
		{name: "garbage", breaks: publishes([]byte("not a certificate")), heal: restoreDirectory, all: []string{"root_unparsable"},
			shows: []string{state("unparsable", 1), state("populated", 0)}},
		{name: "hidden", breaks: func(ctx context.Context, r *rig) error { return r.HideCACertificates(ctx, bed.DC, bed.PublishedRoot) },
			heal: restoreDirectory, all: []string{"root_hidden"}, shows: []string{state("hidden", 1), state("empty", 0)}},
		{name: "two values", breaks: func(ctx context.Context, r *rig) error {
			root, err := r.Root()
			if err != nil {
				return err
			}
			return publishes(placeholder, root)(ctx, r)
		}, heal: restoreDirectory, all: []string{"ca_object_unusable"}, shows: []string{state("empty", 1), state("populated", 1)}},
		{name: "object gone", breaks: func(ctx context.Context, r *rig) error { return r.DeleteObject(ctx, bed.DC, bed.PublishedRoot) },
			heal: restoreDirectory, all: []string{"root_missing"}, shows: []string{state("populated", 0)}},
		{name: "another CA's certificate", breaks: func(ctx context.Context, r *rig) error {
			other, err := r.OtherRoot()
			if err != nil {
				return err
			}
			return publishes(other)(ctx, r)
		}, heal: restoreDirectory, shows: []string{
			state("populated", 1), `cx700_ad_root_changes_total{change="replaced",target="contoso.com@192.168.7.5~\w+"} [1-9]`,
		}},
		{name: "enrolment object gone", breaks: func(ctx context.Context, r *rig) error { return r.DeleteObject(ctx, bed.DC, bed.Enrollment) },
			heal: restoreDirectory, all: []string{"enrolment_missing"}},
		{name: "dNSHostName gone", breaks: func(ctx context.Context, r *rig) error { return r.DropEnrollmentHost(ctx, bed.DC) },
			heal: restoreDirectory, all: []string{"enrolment_host_missing"}},
	}
}

func accountBreaks() []directoryBreak {
	account := func(name string, do func(*bed.Bed, context.Context) error, reason, byKerberos string, long bool) directoryBreak {
		return directoryBreak{name: name, breaks: func(ctx context.Context, r *rig) error {
			// The held connections of before are dropped, so that everybody must log on again.
			return errors.Join(do(r.Bed, ctx), r.Restart(ctx, bed.DC))
		}, heal: restoreAccounts, account: []string{reason, byKerberos}, long: long}
	}
	return []directoryBreak{
		account("account disabled", (*bed.Bed).DisableAccount, "account_disabled", "account_revoked", false),
		account("password changed", func(b *bed.Bed, ctx context.Context) error { return b.SetPassword(ctx, "Another-Passw0rd") },
			"credential_refused", "credential_refused", false),
		account("account locked", (*bed.Bed).LockAccount, "account_locked", "account_revoked", true),
		account("account expired", (*bed.Bed).ExpireAccount, "account_expired", "account_revoked", true),
		account("password expired", (*bed.Bed).ExpirePassword, "password_expired", "password_expired", true),
		account("password to be changed", (*bed.Bed).RequirePasswordChange, "password_expired", "password_expired", true),
	}
}

func controllerBreaks() []directoryBreak {
	second := func(do func(*bed.Bed) error) func(context.Context, *rig) error {
		return func(ctx context.Context, r *rig) error { return errors.Join(r.AddSecondDC(ctx), do(r.Bed)) }
	}
	noSecond := func(ctx context.Context, r *rig) error { return r.RemoveSecondDC(ctx) }
	nobodySees := func(reasons ...string) map[string][]string { return map[string][]string{"nobody": reasons} }
	const locator = "_ldap._tcp.dc._msdcs.contoso.com"
	return []directoryBreak{
		{name: "signing demanded", breaks: func(ctx context.Context, r *rig) error { return r.RequireStrongAuth(ctx, bed.DC) }, heal: healDC,
			sites: map[string][]string{"kerberos": {"strong_auth_required"}, "keytab": {"strong_auth_required"}}},
		{name: "RC4 only", breaks: func(ctx context.Context, r *rig) error { return r.UseRC4(ctx, bed.DC) }, heal: healDC,
			sites: map[string][]string{"kerberos": {"kerberos_rc4"}, "keytab": {"kerberos_rc4"}}},
		{name: "certificate by SHA-256", breaks: func(ctx context.Context, r *rig) error { return r.UseSHA256(ctx, bed.DC) }, heal: healDC, long: true},
		{name: "controllers differ", breaks: second(func(b *bed.Bed) error {
			return b.SetCACertificates(context.Background(), bed.DC2, bed.PublishedRoot, placeholder)
		}), heal: noSecond, all: []string{"ca_object_unusable", "replicating"}},
		{name: "second controller refuses", breaks: second(func(b *bed.Bed) error { return b.Kill(bed.DC2) }), heal: noSecond,
			all: []string{"dc_unreachable"}, sites: nobodySees("dc_unreachable", "roots_not_watched")},
		{name: "second controller hangs", breaks: second(func(b *bed.Bed) error { return b.Pause(bed.DC2) }), heal: noSecond,
			all: []string{"dc_silent"}, sites: nobodySees("dc_silent", "roots_not_watched")},
		{name: "the only controller refuses", breaks: func(ctx context.Context, r *rig) error {
			return errors.Join(r.AddSecondDC(ctx), r.DeleteADRecord(ctx, locator, "SRV", "0 100 389 dc01.contoso.com."), r.Kill(bed.DC2))
		}, heal: func(ctx context.Context, r *rig) error {
			return errors.Join(r.AddADRecord(ctx, locator, "SRV", "0 100 389 dc01.contoso.com."), r.RemoveSecondDC(ctx))
		}, all: []string{"dc_unreachable", "dcs_unavailable"}, sites: nobodySees("dc_unreachable", "dcs_unavailable")},
		{name: "controller known by another name", breaks: func(ctx context.Context, r *rig) error {
			return errors.Join(r.DeleteADRecord(ctx, locator, "SRV", ""), r.AddADRecord(ctx, "alias", "A", "192.168.7.10"),
				r.AddADRecord(ctx, locator, "SRV", "0 100 389 alias.contoso.com."))
		}, heal: func(ctx context.Context, r *rig) error {
			return errors.Join(r.DeleteADRecord(ctx, locator, "SRV", ""), r.AddADRecord(ctx, locator, "SRV", "0 100 389 dc01.contoso.com."))
		}, all: []string{"tls_untrusted"}, sites: map[string][]string{
			"kerberos": {"kerberos_principal_unknown"}, "keytab": {"kerberos_principal_unknown"}}},
		{name: "domain without an address", breaks: func(ctx context.Context, r *rig) error {
			return r.DeleteADRecord(ctx, "contoso.com", "A", "")
		}, heal: func(ctx context.Context, r *rig) error { return r.AddADRecord(ctx, "contoso.com", "A", "192.168.7.10") },
			all: []string{"domain_a_missing"}, sites: nobodySees("domain_a_missing", "roots_not_watched")},
		{name: "no controller in DNS", breaks: func(ctx context.Context, r *rig) error { return r.DeleteADRecord(ctx, locator, "SRV", "") },
			heal: func(ctx context.Context, r *rig) error {
				return r.AddADRecord(ctx, locator, "SRV", "0 100 389 dc01.contoso.com.")
			},
			all: []string{"dc_not_found"}, sites: nobodySees("dc_not_found")},
	}
}

// TestRealDirectory reads a real Active Directory (Samba) in every way, healthy and with each break alone.
func TestRealDirectory(t *testing.T) {
	r := newRig(t)
	file, secrets := directorySites(t, r, "")
	statefile := filepath.Join(t.TempDir(), "state.json")
	e := r.serve(t, file, "--state.file="+statefile, "--log.level=debug")
	settles := func(t *testing.T, what string, want map[string][]string, limit time.Duration) {
		t.Helper()
		took := within(t, what, limit, func() error {
			if diff := cmp.Diff(want, directoryReasons(e.get(t, "/metrics"))); diff != "" {
				return fmt.Errorf("reasons by site (-want +got):\n%s", diff)
			}
			return nil
		})
		t.Logf("%s after %s", what, took.Round(10*time.Millisecond))
	}
	settles(t, "healthy", healthyDirectory(), 20*time.Second)
	t.Run("one logon is held", func(t *testing.T) { testLogonsHeld(t, r, e) })
	t.Run("a held logon ends with its secret", func(t *testing.T) {
		refused := healthyDirectory()
		refused["ldaps"] = []string{"credential_refused"}
		must(t, os.WriteFile(secrets["ldaps"], []byte("Mistyped-Passw0rd\n"), 0o600))
		settles(t, "refused where the file was changed", refused, slack)
		must(t, os.WriteFile(secrets["ldaps"], []byte(bed.ProbePassword+"\n"), 0o600))
		settles(t, "healed", healthyDirectory(), slack)
	})
	// Accounts come last: a new password gives the two controllers of the bed different versions of the keys.
	breaks := slices.Concat(publishBreaks(), controllerBreaks(), accountBreaks())
	for i, b := range breaks {
		if b.long && !long() {
			continue
		}
		t.Run(b.name, func(t *testing.T) {
			must(t, b.breaks(t.Context(), r))
			// One interval, the probe's own timeout of one interval, and a scrape.
			limit := 3*2*time.Second + slack
			if b.account != nil { // logons take turns, and rest longer and longer where a busy controller leaves them waiting
				limit = time.Minute + slack
			}
			if b.account != nil {
				within(t, "the account is refused", limit, func() error { return b.refused(directoryReasons(e.get(t, "/metrics"))) })
			} else {
				settles(t, "broken", b.want(), limit)
			}
			for _, s := range b.shows {
				shown := regexp.MustCompile(strings.NewReplacer("{", `\{`, "}", `\}`).Replace(s))
				within(t, s, limit, func() error {
					if scrape := e.get(t, "/metrics"); !shown.MatchString(scrape) {
						return errors.New(scrape)
					}
					return nil
				})
			}
			must(t, b.heal(t.Context(), r))
			if b.account != nil {
				testStaysStopped(t, e, b)
				password := fmt.Sprintf("Mended-Passw0rd-%d", i)
				must(t, r.SetPassword(t.Context(), password))
				writeSecrets(t, r, secrets, password)
			}
			settles(t, "healed", healthyDirectory(), limit)
		})
	}
	t.Run("no secret shows", func(t *testing.T) { testNoSecretShows(t, r, e, file, statefile) })
	if code := e.stop(t); code != exitGood {
		t.Errorf("SIGTERM: exit code %d", code)
	}
}

// testStaysStopped checks that a mended account is not tried by itself.
func testStaysStopped(t *testing.T, e *exporter, b directoryBreak) {
	t.Helper()
	scrape := e.get(t, "/metrics")
	for _, bind := range binds[:4] {
		if stopped := series(t, scrape, "cx700_credential_stopped")[fmt.Sprintf("credential=%q", bind)]; stopped != 1 {
			t.Errorf("%s: credential %s is not stopped", b.name, bind)
		}
	}
}

// testLogonsHeld counts logons at the server over many rounds of probes.
func testLogonsHeld(t *testing.T, r *rig, e *exporter) {
	count := func() int {
		logons, err := r.Logons(bed.DC)
		must(t, err)
		n := 0
		for _, l := range logons {
			if strings.Contains(strings.ToLower(l.Account), "probe") {
				n++
			}
		}
		return n
	}
	runs := func() float64 {
		total := 0.0
		for labels, n := range series(t, e.get(t, "/metrics"), "cx700_probes_total") {
			if strings.Contains(labels, `collector="directory"`) {
				total += n
			}
		}
		return total
	}
	begin := runs()
	const rounds = 25
	within(t, "five rounds of five sites", time.Minute, func() error {
		if n := runs() - begin; n < rounds {
			return fmt.Errorf("%v rounds", n)
		}
		return nil
	})
	// Two simple binds, and two with Kerberos, which logs on at the KDC and at LDAP.
	if logons := count(); logons != 6 {
		t.Errorf("%d logons of the probing account in %d rounds, want 6", logons, rounds)
	}
}

// testNoSecretShows greps everything that the program tells for the planted password.
func testNoSecretShows(t *testing.T, r *rig, e *exporter, file, statefile string) {
	stateText, err := os.ReadFile(statefile)
	must(t, err)
	told := map[string]string{"log": e.log.String(), "state file": string(stateText), "/": e.get(t, "/"), "/metrics": e.get(t, "/metrics")}
	for _, bind := range binds {
		told["/site/"+bind] = e.get(t, "/site/"+bind)
		told["/probe of "+bind] = e.get(t, "/probe?collector=directory&site="+bind)
		_, out := r.ran(t, "probe", "directory", "--site="+bind, "--config.file="+file, "--log.level=debug")
		told["probe of "+bind] = out
	}
	for where, text := range told {
		if len(text) < 50 {
			t.Errorf("%s tells nothing: %q", where, text)
		}
		base64 := base64.StdEncoding.EncodeToString([]byte(bed.ProbePassword))
		for _, secret := range []string{bed.ProbePassword, "Another-Passw0rd", "Mended-Passw0rd", base64[:len(base64)-4], fmt.Sprintf("%x", bed.ProbePassword)} {
			if strings.Contains(text, secret) {
				t.Errorf("%s holds the password:\n%s", where, text)
			}
		}
	}
}
