//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cx700/cx700_exporter/internal/bed"
)

// logonsToCA are the sites of the certsrv tests: one for each way to log on to the CA's web page, and one that
// does not.
var logonsToCA = []string{"password", "keytab", "ntlm", "nobody"}

// certsrvSites writes a site file in which each site logs on to the CA in another way; the CA is the one that Active
// Directory names. The site ntlm has no way to a KDC.
func certsrvSites(t *testing.T, r *rig) string {
	t.Helper()
	dir := t.TempDir()
	secret, keytab := filepath.Join(dir, "secret"), filepath.Join(dir, "keytab")
	must(t, os.WriteFile(secret, []byte(bed.ProbePassword), 0o600))
	must(t, r.ExportKeytab(t.Context(), bed.Probe, keytab))
	text := fmt.Sprintf(`credentials:
  reader: {username: probe@contoso.com, password_file: %[1]s, allowed_hosts: [dc01.contoso.com]}
  password: {username: probe@contoso.com, password_file: %[1]s, allowed_hosts: [ca01.contoso.com, dc01.contoso.com]}
  keytab: {username: probe@contoso.com, keytab_file: %[2]s, allowed_hosts: [ca01.contoso.com, dc01.contoso.com]}
  ntlm: {username: 'CONTOSO\probe', password_file: %[1]s, allowed_hosts: [ca01.contoso.com, dc01.contoso.com]}
collectors: {certsrv: {interval: 1s}, directory: {interval: 1s}}
sites:
`, secret, keytab)
	for _, name := range logonsToCA {
		certsrv := fmt.Sprintf("certsrv: {credential: %s}", name)
		switch name {
		case "ntlm":
			certsrv = `certsrv: {credential: ntlm, ntlm_over_http: true}, connect_to: ["192.168.7.10:88:127.0.0.1:9"]`
		case "nobody":
			certsrv = "certsrv: {}"
		}
		text += fmt.Sprintf("  - name: %s\n    sip_domain: fabrikam.com\n    dhcp: {domain: contoso.com, dns_servers: [192.168.7.5]}\n", name)
		text += fmt.Sprintf("    networks: {internal: {directory: {credential: reader, bind: ldaps, roots: [%s]}, %s}}\n", r.RootFile(), certsrv)
	}
	return siteFile(t, text)
}

// certsrvOutcomes probes each site once, in a process of its own, and returns the last line of each. The chain is to
// be shown by those who log on, and only where all is well.
func certsrvOutcomes(t *testing.T, r *rig, file string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, name := range logonsToCA {
		_, text := r.ran(t, "probe", "certsrv", "--site="+name, "--config.file="+file)
		outcome := lastLine(text)
		out[name] = outcome
		if strings.Contains(text, bed.ProbePassword) {
			t.Errorf("%s: the password is in\n%s", name, text)
		}
		wanted := outcome == goodOutcome && name != "nobody" || outcome == anonymousOutcome
		if fetched := strings.Contains(text, "SHA-256"); fetched != wanted {
			t.Errorf("%s: a chain was fetched: %v, want %v\n%s", name, fetched, wanted, text)
		}
	}
	return out
}

var sumForm = regexp.MustCompile(`(?m)^(good|noted|degraded|unknown|blocked): .*, in [0-9.]+.?s$`)

// lastLine is the sum of a probe, without its duration: what phones make of certificates may stand behind it. The log
// beside it is left out.
func lastLine(text string) string {
	last := ""
	for line := range strings.Lines(strings.TrimSpace(text)) {
		if !strings.HasPrefix(line, "time=") {
			last = line
		}
	}
	if sums := sumForm.FindAllString(text, -1); sums != nil {
		last = sums[len(sums)-1]
	}
	sum, _, _ := strings.Cut(strings.TrimSpace(last), ", in ")
	return sum
}

const (
	goodOutcome      = "good: nothing wrong was found"
	anonymousOutcome = "noted: certsrv_anonymous"
)

// TestRealCertsrv fetches the chain from a real Apache with Kerberos and NTLM, healthy and with each break alone.
func TestRealCertsrv(t *testing.T) {
	r := newRig(t)
	file := certsrvSites(t, r)
	all := func(outcome string) map[string]string {
		out := map[string]string{}
		for _, name := range logonsToCA {
			out[name] = outcome
		}
		return out
	}
	// loggedOn is found by those who log on only.
	loggedOn := func(outcome string) map[string]string {
		out := all(outcome)
		out["nobody"] = goodOutcome
		return out
	}
	t.Run("one logon an hour", func(t *testing.T) { testOneLogonToCA(t, r, file) })
	for _, c := range []struct {
		name string
		set  bed.Certsrv
		want map[string]string
	}{
		{"healthy", bed.Certsrv{}, all(goodOutcome)},
		{"label PKCS7", bed.Certsrv{Body: bed.LabelPKCS7}, all(goodOutcome)},
		{"no armour", bed.Certsrv{Body: bed.NoArmour}, all(goodOutcome)},
		{"DER", bed.Certsrv{Body: bed.DER}, all(goodOutcome)},
		{"one certificate", bed.Certsrv{Body: bed.SingleCertificate}, all(goodOutcome)},
		{"HTML", bed.Certsrv{Body: bed.HTML}, loggedOn("degraded: certsrv_no_certificate")},
		{"403", bed.Certsrv{Body: bed.Forbidden}, loggedOn("degraded: certsrv_forbidden")},
		{"404", bed.Certsrv{Body: bed.NotFound}, loggedOn("degraded: certsrv_not_found")},
		{"500", bed.Certsrv{Body: bed.ServerError}, loggedOn("degraded: certsrv_server_error")},
		{"anonymous", bed.Certsrv{Access: bed.Anonymous}, all(anonymousOutcome)},
		{"Basic only", bed.Certsrv{Access: bed.BasicOnly}, all("degraded: certsrv_no_windows_logon")},
		{"https only", bed.Certsrv{Access: bed.RedirectToTLS}, all("degraded: certsrv_https_only")},
	} {
		t.Run(c.name, func(t *testing.T) {
			must(t, r.SetCertsrv(t.Context(), c.set))
			if diff := cmp.Diff(c.want, certsrvOutcomes(t, r, file)); diff != "" {
				t.Errorf("outcome by site (-want +got):\n%s", diff)
			}
		})
	}
	testCABroken(t, r, file, all)
}

// testCABroken breaks the server itself, and what leads to it.
func testCABroken(t *testing.T, r *rig, file string, all func(string) map[string]string) {
	t.Helper()
	for _, c := range []struct {
		name      string
		does, fix func(context.Context) error
		want      string
	}{
		{"refuses", func(context.Context) error { return r.Kill(bed.CA) },
			func(ctx context.Context) error { return r.Restart(ctx, bed.CA) }, "degraded: certsrv_unreachable"},
		{"hangs", func(context.Context) error { return r.Pause(bed.CA) },
			func(ctx context.Context) error { return r.SetCertsrv(ctx, bed.Certsrv{}) }, "degraded: certsrv_silent"},
		{"no CA is named", func(ctx context.Context) error { return r.DropEnrollmentHost(ctx, bed.DC) }, r.RestoreDirectory, goodOutcome},
		{"password changed", func(ctx context.Context) error { return r.SetPassword(ctx, "Another-Passw0rd") },
			r.RestoreAccounts, "unknown: certsrv_host_unknown"},
	} {
		t.Run(c.name, func(t *testing.T) {
			must(t, c.does(t.Context()))
			got := map[string]string{}
			for _, name := range logonsToCA {
				_, text := r.ran(t, "probe", "certsrv", "--site="+name, "--config.file="+file)
				got[name] = lastLine(text)
			}
			if diff := cmp.Diff(all(c.want), got); diff != "" {
				t.Errorf("outcome by site (-want +got):\n%s", diff)
			}
			must(t, c.fix(t.Context()))
		})
	}
}

// testOneLogonToCA counts the requests with a logon at the CA over many rounds of probes.
func testOneLogonToCA(t *testing.T, r *rig, file string) {
	must(t, r.SetCertsrv(t.Context(), bed.Certsrv{}))
	e := r.serve(t, file, "--log.level=debug")
	requests := func(scheme string) int {
		all, err := r.Requests()
		must(t, err)
		n := 0
		for _, line := range all {
			if strings.Contains(line, "certsrv") && strings.HasSuffix(line, " "+scheme) {
				n++
			}
		}
		return n
	}
	within(t, "every site has fetched the chain, and goes on asking", 20*time.Second, func() error {
		chains := len(series(t, e.get(t, "/metrics"), "cx700_certsrv_certificate_not_after_timestamp_seconds"))
		if asked := requests("-"); chains != len(logonsToCA)-1 || asked < 30 {
			return fmt.Errorf("%d chains, %d requests without a logon", chains, asked)
		}
		return nil
	})
	got := []int{requests("Negotiate"), requests("NTLM"), requests("Basic")}
	// NTLM takes two requests of a logon.
	if diff := cmp.Diff([]int{2, 2, 0}, got); diff != "" {
		t.Errorf("requests by Negotiate, NTLM and Basic (-want +got):\n%s", diff)
	}
	for where, text := range map[string]string{"log": e.log.String(), "/": e.get(t, "/"), "/metrics": e.get(t, "/metrics")} {
		if strings.Contains(text, bed.ProbePassword) {
			t.Errorf("%s holds the password", where)
		}
	}
	statuses := series(t, e.get(t, "/metrics"), "cx700_certsrv_http_status")
	for labels, value := range statuses {
		if value != 401 {
			t.Errorf("%s: %g", labels, value)
		}
	}
	if len(statuses) != len(logonsToCA) {
		t.Errorf("%d statuses", len(statuses))
	}
	if code := e.stop(t); code != exitGood {
		t.Errorf("SIGTERM: exit code %d", code)
	}
}
