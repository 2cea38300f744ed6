//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cx700/cx700_exporter/internal/bed"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// TestRealSIP lets a real Kamailio behind TLS 1.0 answer in each way, and then heal, at the pool and at the Access Edge.
func TestRealSIP(t *testing.T) {
	r := newRig(t)
	file := siteFile(t, `sites:
  - name: guide
    sip_domain: fabrikam.com
    dhcp: {domain: contoso.com, dns_servers: [192.168.7.5]}
    networks: {internal: {}, external: {resolvers: [203.0.113.5]}}
`)
	outcome := func(network string) string {
		_, text := r.ran(t, "probe", "sip", "--site=guide", "--network="+network, "--config.file="+file)
		return lastLine(text)
	}
	expect := func(t *testing.T, when, network, want string) {
		t.Helper()
		within(t, when, slack, func() error { // its workers take a moment to start
			if got := outcome(network); got != want {
				return fmt.Errorf("%s, want %s", got, want)
			}
			return nil
		})
	}
	for _, c := range []struct {
		name string
		set  bed.SIP
		want string
	}{
		{"healthy", bed.SIP{}, goodOutcome},
		{"407", bed.SIP{Proxy: true}, goodOutcome},
		{"100 first", bed.SIP{Trying: true}, goodOutcome},
		{"403", bed.SIP{Status: 403}, "blocked: sip_forbidden, sip_unavailable"},
		{"release blocked", bed.SIP{Status: 403, Diagnostic: 17002, Agent: "CPE/1.0.199.123"}, "blocked: sip_unavailable, sip_version_blocked"},
		{"release declined", bed.SIP{Status: 403, Diagnostic: 17003}, "blocked: sip_unavailable, sip_version_blocked"},
		{"filter overloaded", bed.SIP{Status: 403, Diagnostic: 17000}, "blocked: sip_filter_trouble, sip_unavailable"},
		{"filter does not understand", bed.SIP{Status: 403, Diagnostic: 17001}, "blocked: sip_filter_trouble, sip_unavailable"},
		{"no such user", bed.SIP{Status: 404, Diagnostic: 4005}, "unknown: sip_user_unknown"},
		{"domain not served", bed.SIP{Status: 404, Diagnostic: 1005}, "blocked: sip_domain_not_served, sip_unavailable"},
		{"time skew", bed.SIP{Status: 401, Diagnostic: 1013}, "blocked: sip_time_skew, sip_unavailable"},
		{"user not let in from outside", bed.SIP{Status: 403, Diagnostic: 4003}, "unknown: sip_user_unknown"},
		{"release warned", bed.SIP{Diagnostic: 17004}, "noted: sip_version_warned"},
		{"no Windows logon", bed.SIP{BasicOnly: true}, "blocked: sip_no_windows_logon, sip_unavailable"},
		{"led to itself", bed.SIP{Status: 301, Contact: "sip.fabrikam.com:5061"}, "blocked: sip_redirect_circle, sip_unavailable"},
		{"led elsewhere", bed.SIP{Status: 302, Contact: "pool.evil.example:5061"}, "unknown: sip_redirect_foreign"},
		{"489", bed.SIP{Status: 489}, "blocked: sip_bad_event, sip_unavailable"},
		{"503", bed.SIP{Status: 503}, "blocked: sip_overloaded, sip_unavailable"},
		{"504", bed.SIP{Status: 504, Diagnostic: 1010}, "blocked: sip_next_hop, sip_unavailable"},
		{"500", bed.SIP{Status: 500}, "blocked: sip_server_error, sip_unavailable"},
		{"420", bed.SIP{Status: 420}, "blocked: sip_status, sip_unavailable"},
		{"200 without a logon", bed.SIP{Status: 200}, "noted: sip_anonymous"},
		{"finds fault with the request", bed.SIP{Status: 400, Diagnostic: 4010}, "unknown: sip_request_declined"},
		{"silent", bed.SIP{Silent: true}, "blocked: sip_silent, sip_unavailable"},
		{"closes", bed.SIP{Down: true}, "blocked: sip_closed, sip_unavailable"},
	} {
		for host, network := range map[bed.Host]string{bed.Pool: "internal", bed.Edge: "external"} {
			if host == bed.Edge && c.set.Contact != "" {
				continue // outside, sip.fabrikam.com listens on 443 only
			}
			t.Run(c.name+" "+network, func(t *testing.T) {
				must(t, r.SetSIP(t.Context(), host, c.set))
				expect(t, "broken", network, c.want)
				must(t, r.SetSIP(t.Context(), host, bed.SIP{}))
				expect(t, "healed", network, goodOutcome)
			})
		}
	}
	checks := func(t *testing.T, want string) {
		t.Helper()
		within(t, want, slack, func() error {
			_, text := r.ran(t, "check", "--network=internal", "--config.file="+file)
			if !strings.Contains(text, want) {
				return fmt.Errorf("no %q in\n%s", want, text)
			}
			return nil
		})
	}
	for _, c := range []struct{ name, network, want string }{
		{"names itself strangely", "internal", "noted: sip_targetname_differs"},
		{"hands on a name", "external", goodOutcome},
	} {
		t.Run(c.name, func(t *testing.T) {
			host := map[string]bed.Host{"internal": bed.Pool, "external": bed.Edge}[c.network]
			must(t, r.SetSIP(t.Context(), host, bed.SIP{TargetName: "fe07.contoso.com"}))
			expect(t, "broken", c.network, c.want)
			must(t, r.SetSIP(t.Context(), host, bed.SIP{}))
			expect(t, "healed", c.network, goodOutcome)
		})
	}
	t.Run("what it tells", func(t *testing.T) {
		_, text := r.ran(t, "probe", "sip", "--site=guide", "--network=internal", "--config.file="+file)
		for _, want := range []string{"Server: RTC/3.5\n", "off by 0s\n", `NTLM version 4 for "pool01.contoso.com", realm "SIP Communications Service"`} {
			if !strings.Contains(text, want) {
				t.Errorf("no %q in\n%s", want, text)
			}
		}
	})
	t.Run("speaks HTTP", func(t *testing.T) {
		must(t, r.SetRegistrar(t.Context(), bed.Pool, bed.SpeaksHTTP))
		expect(t, "broken", "internal", "blocked: sip_malformed, sip_unavailable")
		must(t, r.SetRegistrar(t.Context(), bed.Pool, ""))
		expect(t, "healed", "internal", goodOutcome)
	})
	t.Run("leads on", func(t *testing.T) { testSIPLeadsOn(t, r, file, expect) })
	t.Run("leads to some", func(t *testing.T) { testSIPLeadsToSome(t, r, outcome, expect) })
	t.Run("nothing is bound", func(t *testing.T) {
		must(t, r.SetSIP(t.Context(), bed.Pool, bed.SIP{Registers: true}))
		expect(t, "taken up", "internal", "noted: sip_anonymous")
		bound, err := r.Bound(bed.Pool)
		must(t, err)
		if len(bound) == 0 || slices.ContainsFunc(bound, func(s string) bool { return !strings.HasPrefix(s, "no sip:"+phone.SIPProbe+"@") }) {
			t.Errorf("who registered: %q", bound)
		}
		must(t, r.SetSIP(t.Context(), bed.Pool, bed.SIP{}))
		expect(t, "healed", "internal", goodOutcome)
	})
	t.Run("one release", func(t *testing.T) {
		must(t, r.SetSIP(t.Context(), bed.Pool, bed.SIP{Status: 403, Diagnostic: 17002, Agent: "CPE/1.0.199.123"}))
		checks(t, "BLOCKED: enrolled 1.0.199.123, at signin: sip_version_blocked")
		must(t, r.SetSIP(t.Context(), bed.Pool, bed.SIP{}))
		expect(t, "healed", "internal", goodOutcome)
	})
	t.Run("clock", func(t *testing.T) {
		must(t, r.SetSIP(t.Context(), bed.Pool, bed.SIP{Clock: 420}))
		checks(t, "at signin: sip_clock_off")
		must(t, r.SetSIP(t.Context(), bed.Pool, bed.SIP{}))
	})
	t.Run("led to a pool with another name", func(t *testing.T) {
		must(t, r.EditZone(t.Context(), bed.DNSInside, "fabrikam.com", func(text string) string {
			return text + "pool02 IN A 203.0.113.81\n" // the Access Edge, which is reached from inside as well
		}))
		must(t, r.SetSIP(t.Context(), bed.Pool, bed.SIP{Status: 301, Contact: "pool02.fabrikam.com:443"}))
		checks(t, "BLOCKED: enrolled phones, at signin: name_mismatch")
		must(t, r.SetSIP(t.Context(), bed.Pool, bed.SIP{}))
		must(t, r.RestoreZones(t.Context()))
		expect(t, "healed", "internal", goodOutcome)
	})
}

// testSIPLeadsToSome lets the pool lead to one of whose three addresses two are dead: DNS turns them round.
func testSIPLeadsToSome(t *testing.T, r *rig, outcome func(network string) string, expect func(t *testing.T, when, network, want string)) {
	must(t, r.EditZone(t.Context(), bed.DNSInside, "fabrikam.com", func(text string) string {
		return text + "pool02 IN A 192.168.7.2\npool02 IN A 192.168.7.3\npool02 IN A 192.168.7.83\n"
	}))
	must(t, r.SetSIP(t.Context(), bed.Pool, bed.SIP{Status: 301, Contact: "pool02.fabrikam.com:5061"}))
	expect(t, "the last is well", "internal", goodOutcome)
	for range 5 {
		if got := outcome("internal"); got != goodOutcome {
			t.Errorf("the last is well: now %s", got)
		}
	}
	must(t, r.SetRegistrar(t.Context(), bed.FrontEnd2, bed.Closed))
	expect(t, "none is well", "internal", "blocked: sip_redirect_lost, sip_unavailable")
	must(t, r.SetRegistrar(t.Context(), bed.FrontEnd2, ""))
	must(t, r.SetSIP(t.Context(), bed.Pool, bed.SIP{}))
	must(t, r.RestoreZones(t.Context()))
	expect(t, "healed", "internal", goodOutcome)
}

// testSIPLeadsOn lets the pool lead on to its other front end, which answers well, ill, or not at all.
func testSIPLeadsOn(t *testing.T, r *rig, file string, expect func(t *testing.T, when, network, want string)) {
	to := bed.SIP{Status: 301, Contact: "fe02.contoso.com:5061"}
	for _, c := range []struct {
		name       string
		pool, next bed.SIP
		want       string
	}{
		{"by 301", to, bed.SIP{}, goodOutcome},
		{"by 302, to the usual port", bed.SIP{Status: 302, Contact: "fe02.contoso.com"}, bed.SIP{}, goodOutcome},
		{"one release only", bed.SIP{Status: 301, Contact: to.Contact, Agent: "CPE/1.0.199.123"}, bed.SIP{}, goodOutcome},
		{"to the first of two", bed.SIP{Status: 301, Contact: to.Contact + ",pool09.fabrikam.com"}, bed.SIP{}, goodOutcome},
		{"to the second of two", bed.SIP{Status: 301, Contact: "pool09.fabrikam.com," + to.Contact}, bed.SIP{}, goodOutcome},
		{"past one whose port is closed", bed.SIP{Status: 301, Contact: "dc01.contoso.com," + to.Contact}, bed.SIP{}, goodOutcome},
		{"to one that is overloaded", to, bed.SIP{Status: 503}, "blocked: sip_overloaded, sip_unavailable"},
		{"to one that names itself strangely", to, bed.SIP{TargetName: "fe07.contoso.com"}, "noted: sip_targetname_differs"},
		{"in a circle", to, bed.SIP{Status: 302, Contact: "pool01.contoso.com:5061"}, "blocked: sip_redirect_circle, sip_unavailable"},
		{"to no address", bed.SIP{Status: 302, Contact: "pool09.fabrikam.com"}, bed.SIP{}, "blocked: sip_redirect_lost, sip_unavailable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			must(t, r.SetSIP(t.Context(), bed.FrontEnd2, c.next))
			must(t, r.SetSIP(t.Context(), bed.Pool, c.pool))
			expect(t, "led", "internal", c.want)
			must(t, r.SetSIP(t.Context(), bed.FrontEnd2, bed.SIP{}))
			must(t, r.SetSIP(t.Context(), bed.Pool, bed.SIP{}))
			expect(t, "healed", "internal", goodOutcome)
		})
	}
	must(t, r.SetSIP(t.Context(), bed.Pool, to))
	expect(t, "led", "internal", goodOutcome)
	if code, text := r.ran(t, "check", "--network=internal", "--config.file="+file); code != exitGood {
		t.Errorf("led to a pool that is well: %d\n%s", code, text)
	}
	must(t, r.SetRegistrar(t.Context(), bed.FrontEnd2, bed.Closed))
	expect(t, "led where nothing listens", "internal", "blocked: sip_redirect_lost, sip_unavailable")
	must(t, r.SetRegistrar(t.Context(), bed.FrontEnd2, ""))
	must(t, r.SetSIP(t.Context(), bed.Pool, bed.SIP{}))
	expect(t, "healed", "internal", goodOutcome)
}
