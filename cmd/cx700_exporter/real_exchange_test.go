//go:build linux

package main

import (
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cx700/cx700_exporter/internal/bed"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// siteBoth has an account that may go to every place of Autodiscover.
const siteBoth = "both"

// exchangeSites writes a site file with sites that have an account for Autodiscover, and one that has none.
func exchangeSites(t *testing.T, r *rig) string {
	t.Helper()
	dir := t.TempDir()
	for name, secret := range map[string]string{"secret": bed.ProbePassword, "wrong": "Wrong-Passw0rd"} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(secret), 0o600))
	}
	text := `credentials:
  account: {username: 'CONTOSO\probe', password_file: secret, allowed_hosts: [autodiscover.fabrikam.com]}
  both: {username: 'CONTOSO\probe', password_file: secret, allowed_hosts: [fabrikam.com, autodiscover.fabrikam.com]}
  wrong: {username: 'CONTOSO\probe', password_file: wrong, allowed_hosts: [autodiscover.fabrikam.com]}
  elsewhere: {username: 'CONTOSO\probe', password_file: secret, allowed_hosts: [pool01.contoso.com]}
sites:
`
	for _, name := range []string{siteNobody, siteAccount, siteBoth, siteWrong, siteElsewhere} {
		exchange := ""
		if name != siteNobody {
			exchange = "exchange: {credential: " + name + ", roots: [" + r.RootFile() + "], mailbox: probe@fabrikam.com}"
		}
		text += `  - name: ` + name + `
    sip_domain: fabrikam.com
    dhcp: {domain: contoso.com, dns_servers: [192.168.7.5]}
    networks:
      internal: {` + exchange + `}
      external: {` + strings.TrimPrefix(exchange+", ", ", ") + `resolvers: [203.0.113.5]}
`
	}
	file := filepath.Join(dir, "cx700.yml")
	must(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

// exchangeOutcomes probes once each and returns what is not good: "network site" and the last line.
func exchangeOutcomes(t *testing.T, r *rig, file string, sites ...string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, network := range []string{"internal", "external"} {
		for _, name := range sites {
			_, text := r.ran(t, "probe", "exchange", "--site="+name, "--network="+network, "--config.file="+file)
			if outcome := lastLine(text); outcome != goodOutcome {
				out[network+" "+name] = outcome
			}
			if strings.Contains(text, bed.ProbePassword) {
				t.Errorf("the password is in\n%s", text)
			}
			for line := range strings.Lines(text) {
				if len([]rune(strings.TrimRight(line, "\n"))) > 100 && !strings.Contains(line, ": ") {
					t.Errorf("more than 100 columns: %s", line)
				}
			}
		}
	}
	return out
}

// TestRealExchange looks for Exchange at a real Apache with NTLM over TLS 1.0, healthy and with each break alone.
func TestRealExchange(t *testing.T) {
	r := newRig(t)
	file := exchangeSites(t, r)
	both := func(outcome string) map[string]string {
		return map[string]string{"internal nobody": outcome, "internal account": outcome}
	}
	account := func(outcome string) map[string]string { return map[string]string{"internal account": outcome} }
	for _, c := range []struct {
		name string
		set  bed.Exchange
		want map[string]string
	}{
		{"healthy", bed.Exchange{}, map[string]string{}},
		{"EwsUrl beside ASUrl", bed.Exchange{Settings: bed.EWSURLToo}, map[string]string{}},
		{"403", bed.Exchange{Status: 403}, both("degraded: exchange_forbidden")},
		{"404", bed.Exchange{Status: 404}, both("degraded: exchange_not_found")},
		{"500", bed.Exchange{Status: 500}, both("degraded: exchange_server_error")},
		{"Basic only", bed.Exchange{Access: bed.BasicOnly}, both("degraded: exchange_no_ntlm")},
		{"anonymous", bed.Exchange{Access: bed.Anonymous}, both("noted: exchange_anonymous")},
		{"wrong name", bed.Exchange{WrongName: true}, map[string]string{
			"internal account": "unknown: exchange_untrusted"}},
		{"hardened", bed.Exchange{TLS12: true}, both("degraded: exchange_hardened")},
		{"no web services", bed.Exchange{Settings: bed.NoWebServices}, account("degraded: ews_missing")},
		{"web services elsewhere", bed.Exchange{Settings: bed.ForeignWebServices}, account("unknown: ews_foreign")},
		{"web services not published", bed.Exchange{EWSStatus: 404}, account("degraded: ews_failed")},
		{"no mailbox", bed.Exchange{Settings: bed.NoMailbox}, account("unknown: autodiscover_refuses")},
		{"redirect elsewhere", bed.Exchange{PlainRedirect: "mail.evil.example"}, both("unknown: exchange_not_found, exchange_redirect_foreign")},
	} {
		t.Run(c.name, func(t *testing.T) {
			must(t, r.SetExchange(t.Context(), bed.Mail, c.set))
			if diff := cmp.Diff(c.want, exchangeOutcomes(t, r, file, siteNobody, siteAccount)); diff != "" {
				t.Errorf("what is not good (-want +got):\n%s", diff)
			}
			must(t, r.RestoreExchange(t.Context()))
		})
	}
	t.Run("names", func(t *testing.T) { testExchangeNames(t, r, file) })
	t.Run("certificates", func(t *testing.T) { testExchangeCertificates(t, r) })
	t.Run("killed outside", func(t *testing.T) {
		must(t, r.Kill(bed.MailOutside))
		want := map[string]string{"external nobody": "degraded: exchange_unreachable", "external account": "degraded: exchange_unreachable"}
		if diff := cmp.Diff(want, exchangeOutcomes(t, r, file, siteNobody, siteAccount)); diff != "" {
			t.Errorf("what is not good (-want +got):\n%s", diff)
		}
		must(t, r.RestoreExchange(t.Context()))
	})
	t.Run("accounts", func(t *testing.T) {
		want := map[string]string{
			"internal wrong": "unknown: credential_refused", "external wrong": "unknown: credential_refused",
			"internal elsewhere": "unknown: credential_unusable", "external elsewhere": "unknown: credential_unusable",
		}
		if diff := cmp.Diff(want, exchangeOutcomes(t, r, file, siteAccount, siteWrong, siteElsewhere)); diff != "" {
			t.Errorf("what is not good (-want +got):\n%s", diff)
		}
	})
	for _, host := range []bed.Host{bed.Mail, bed.MailOutside} {
		for _, line := range requestsTo(t, r, host) {
			if strings.HasSuffix(line, " Basic") {
				t.Errorf("%s was asked: %s", host, line)
			}
		}
	}
}

// testExchangeNames takes the A record away, leaves only the SRV record of Outlook, and leads by plain HTTP.
func testExchangeNames(t *testing.T, r *rig, file string) {
	edit := func(old, now string) {
		t.Helper()
		must(t, r.EditZone(t.Context(), bed.DNSInside, "fabrikam.com", strings.NewReplacer(old, now).Replace))
	}
	check := func(what, want string) {
		t.Helper()
		got := exchangeOutcomes(t, r, file, siteNobody)
		if got["internal nobody"] != want {
			t.Errorf("%s: %q, want %q", what, got["internal nobody"], want)
		}
	}
	edit("\nautodiscover\t", "\nmail\t")
	check("no A record", "degraded: autodiscover_unresolved")
	edit("\nmail\t", "\n_autodiscover._tcp IN SRV 0 0 443 mail\nmail\t")
	check("an SRV record only", "degraded: autodiscover_srv_only")
	must(t, r.RestoreZones(t.Context()))
	edit("\nautodiscover\t", "\nmail IN A 192.168.7.82\nautodiscover\t")
	must(t, r.SetExchange(t.Context(), bed.Mail, bed.Exchange{PlainRedirect: "mail.fabrikam.com"}))
	check("a redirect to a name that the certificate lacks, which is told of each phone", "")
	must(t, r.RestoreExchange(t.Context()))
	must(t, r.RestoreZones(t.Context()))
	edit("\nautodiscover\t", "\n@\t")
	check("at the SMTP domain itself", "")
	must(t, r.RestoreZones(t.Context()))
	edit("\nautodiscover\t", "\n@ IN A 203.0.113.6\nautodiscover\t")
	check("beside the web server of the SMTP domain, which forbids", "")
	must(t, r.RestoreZones(t.Context()))
	// By its certificate it is no server of the SMTP domain, so that the account that may go to both goes to one.
	edit("\nautodiscover\t", "\n@ IN A 192.168.7.82\nautodiscover\t")
	for _, site := range []string{siteAccount, siteBoth} {
		_, text := r.ran(t, "probe", "exchange", "--site="+site, "--network=internal", "--config.file="+file)
		if got := lastLine(text); got != goodOutcome || !strings.Contains(text, "POST https://autodiscover.fabrikam.com/") || !strings.Contains(text, "web services by EXCH ASUrl") {
			t.Errorf("%s, beside a web server of the SMTP domain that asks for NTLM too: %s in\n%s", site, got, text)
		}
	}
	must(t, r.RestoreZones(t.Context()))
	check("healed", "")
}

// testExchangeCertificates lets Exchange show chains that phones do not trust, each healed by the next, and holds to it
// what is told of enrolled phones. Without an account nothing is said of new ones.
func testExchangeCertificates(t *testing.T, r *rig) {
	dir := t.TempDir()
	root, err := os.ReadFile(r.RootFile())
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "root.pem"), root, 0o600))
	file := filepath.Join(dir, "cx700.yml")
	must(t, os.WriteFile(file, []byte(`sites:
  - name: guide
    sip_domain: fabrikam.com
    dhcp: {domain: contoso.com, dns_servers: [192.168.7.5]}
    enrolled_roots: [root.pem]
collectors: {exchange: {interval: 1s}, pool: {interval: 1s}}
`), 0o600))
	c := &company{t: t, key: rsaKey(t, 2048)}
	other := c.issue("Other Root", nil, authority)
	const host = "autodiscover.fabrikam.com"
	e := r.serve(t, file)
	all := func(reason string) []string {
		var out []string
		for _, fw := range phone.KnownFirmware() {
			out = append(out, fw.Version+" internal enrolled exchange "+reason)
		}
		return out
	}
	for _, tt := range []struct {
		name string
		set  bed.Exchange
		want []string
	}{
		{"of another CA", bed.Exchange{Chain: c.served(c.issue(host, other, names(host)))}, all("exchange_unknown_root")},
		{"healed", bed.Exchange{}, nil},
		{"for another host", bed.Exchange{WrongName: true}, all("exchange_name_mismatch")},
		{"signed by itself", bed.Exchange{Chain: c.served(c.issue(host, nil, names(host)))}, all("exchange_self_signed")},
		{"healed again", bed.Exchange{}, nil},
	} {
		must(t, r.SetExchange(t.Context(), bed.Mail, tt.set))
		within(t, tt.name, 15*time.Second, func() error {
			if got := refused(e.get(t, "/metrics")); !slices.Equal(got, tt.want) {
				return fmt.Errorf("what enrolled phones refuse (-want +got):\n%s", cmp.Diff(tt.want, got))
			}
			return nil
		})
	}
	if code := e.stop(t); code != exitGood {
		t.Errorf("SIGTERM: exit code %d", code)
	}

	// Phones that hold both roots take what is of another CA than the pool.
	must(t, os.WriteFile(filepath.Join(dir, "other.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: other.Raw}), 0o600))
	text, err := os.ReadFile(file)
	must(t, err)
	must(t, os.WriteFile(file, []byte(strings.Replace(string(text), "[root.pem]", "[root.pem, other.pem]", 1)), 0o600))
	must(t, r.SetExchange(t.Context(), bed.Mail, bed.Exchange{Chain: c.served(c.issue(host, other, names(host)))}))
	_, told := r.ran(t, "check", "--network=internal", "--config.file="+file)
	for _, want := range []string{"exchange_other_root", "the pool's is CN=ContosoCA, Exchange's is CN=Other Root"} {
		if !strings.Contains(strings.Join(strings.Fields(told), " "), want) {
			t.Errorf("no %q in\n%s", want, told)
		}
	}
	must(t, r.RestoreExchange(t.Context()))
}
