//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cx700/cx700_exporter/internal/bed"
)

// leaseFile writes the site file of the DHCP tests: "guide" says what the guide does, "search" a search list too, "all"
// everything that DHCP may hand out. "both" has two servers, "broadcast" and "offer" ask on an interface.
func leaseFile(t *testing.T) string {
	t.Helper()
	text := "collectors: {dhcp: {interval: 5s, timeout: 5s}}\nsites:\n"
	for _, s := range []struct{ name, dhcp, asks string }{
		{"guide", "", "servers: [192.168.7.2]"},
		{"search", ", search: [contoso.com, dev.contoso.com]", "servers: [192.168.7.2]"},
		{"all", ", wins_servers: [192.168.7.10], ntp_servers: [192.168.7.20], sip_servers: [pool01.contoso.com], vendor_classes: [CPE-OCPHONE, MS-UC-Client]",
			"servers: [192.168.7.2]"},
		{"both", "", "servers: [192.168.7.2, 192.168.7.3]"},
		{"broadcast", "", "interface: eth0"},
		{"offer", "", "servers: [192.168.7.2], interface: eth0, discover: true"},
		{"nowhere", "", "interface: none0"},
	} {
		text += fmt.Sprintf("  - name: %s\n    sip_domain: fabrikam.com\n    dhcp: {domain: contoso.com, dns_servers: [192.168.7.5, 192.168.7.6]%s}\n"+
			"    networks: {internal: {dhcp: {%s}}}\n", s.name, s.dhcp, s.asks)
	}
	file := siteFile(t, text)
	// For the program without root's rights.
	folder := filepath.Dir(file)
	must(t, errors.Join(os.Chmod(file, 0o644), os.Chmod(folder, 0o755), os.Chmod(filepath.Dir(folder), 0o755)))
	return file
}

// leaseFault is what DHCP servers do, and what the program says of it at each site.
type leaseFault struct {
	name string
	// first and second are handed out; a nil second does not run.
	first  bed.Lease
	second *bed.Lease
	// breaks does more damage; nil for none.
	breaks func(*bed.Bed) error
	want   map[string]string
}

// changed is the guide's lease with something else in it.
func changed(change func(*bed.Lease)) bed.Lease {
	l := bed.HealthyLease()
	change(&l)
	return l
}

func leaseFaults() []leaseFault {
	const good, unnamed, none = goodOutcome, "noted: dhcp_server_unexpected", "blocked: dhcp_dns_missing, dhcp_domain_missing"
	fine := bed.HealthyLease()
	all := changed(func(l *bed.Lease) {
		l.WINSServers, l.NTPServers, l.SIPServers = "192.168.7.10", "192.168.7.20", "00:06:70:6f:6f:6c:30:31:07:63:6f:6e:74:6f:73:6f:03:63:6f:6d:00"
		l.Vendor = map[string]string{"CPE-OCPHONE": "0a:02:00:2a", "MS-UC-Client": "01:0c:4d:53:2d:55:43:2d:43:6c:69:65:6e:74"}
	})
	dnsmasq := func(l bed.Lease) bed.Lease { l.Dnsmasq = true; return l }
	other := changed(func(l *bed.Lease) { l.Domain = "fabrikam.com" })
	const names, twoNames = "contoso.com", "contoso.com,dev.contoso.com"
	text := func(s string) bed.Lease { return changed(func(l *bed.Lease) { l.SearchText = s }) }
	rfc := func(s string) bed.Lease { return changed(func(l *bed.Lease) { l.SearchRFC = s }) }
	unsaid := "noted: dhcp_not_in_site_file, "
	return []leaseFault{
		{"healthy", fine, nil, nil, map[string]string{"guide": good, "broadcast": good, "offer": good, "search": "degraded: dhcp_search_missing",
			"all": "noted: dhcp_ntp_differs, dhcp_sip_differs, dhcp_vendor_missing, dhcp_wins_differs", "nowhere": "unknown: dhcp_not_asked",
			"both": "degraded: dhcp_server_unreachable"}},
		{"dnsmasq, healthy", dnsmasq(fine), nil, nil, map[string]string{"guide": good, "broadcast": good, "offer": good}},
		{"two servers", fine, &fine, nil, map[string]string{"guide": good, "both": good, "broadcast": good, "offer": unnamed}},
		{"two programs", fine, new(dnsmasq(fine)), nil, map[string]string{"both": good, "broadcast": good, "offer": unnamed}},
		{"two that differ", fine, &other, nil, map[string]string{"guide": good, "both": "degraded: dhcp_domain_differs, dhcp_servers_differ",
			"broadcast": "degraded: dhcp_domain_differs, dhcp_servers_differ"}},
		{"the second hands out nothing as the first", fine, &bed.Lease{Identifier: "192.168.7.2"}, nil, map[string]string{"guide": good,
			"both": "degraded: dhcp_servers_differ", "offer": "degraded: dhcp_servers_differ"}},
		{"nothing for phones", bed.Lease{ByClass: map[string]bed.Lease{"MS-UC-Client": fine}}, nil, nil, map[string]string{
			"guide": none, "broadcast": none, "offer": none}},
		{"nothing but for phones", bed.Lease{ByClass: map[string]bed.Lease{"CPE-OCPHONE": fine}}, nil, nil, map[string]string{
			"guide": good, "broadcast": good, "offer": good}},
		{"half of 119 for each class", changed(func(l *bed.Lease) {
			l.ByClass = map[string]bed.Lease{"CPE-OCPHONE": {SearchText: "contoso.com"}, "MS-UC-Client": {SearchText: "dev.contoso.com"}}
		}), nil, nil, map[string]string{"search": "degraded: dhcp_search_differs, dhcp_search_text"}},
		{"043 and 120 that nobody can read", changed(func(l *bed.Lease) {
			l.SIPServers, l.Vendor = "02", map[string]string{"CPE-OCPHONE": "0a:ff:00"}
		}), nil, nil, map[string]string{"guide": "noted: dhcp_sip_differs, dhcp_vendor_missing"}},
		{"all options", all, nil, nil, map[string]string{"all": good, "guide": "noted: dhcp_not_in_site_file"}},
		{"no 006", changed(func(l *bed.Lease) { l.DNSServers = "" }), nil, nil, map[string]string{"guide": "blocked: dhcp_dns_missing"}},
		{"another 006", changed(func(l *bed.Lease) { l.DNSServers = "192.168.7.5" }), nil, nil, map[string]string{"guide": "degraded: dhcp_dns_differs"}},
		{"no 015", changed(func(l *bed.Lease) { l.Domain = "" }), nil, nil, map[string]string{"guide": "degraded: dhcp_domain_missing"}},
		{"NetBIOS name in 015", changed(func(l *bed.Lease) { l.Domain = "CONTOSO" }), nil, nil, map[string]string{"guide": "degraded: dhcp_domain_netbios"}},
		{"another 015", other, nil, nil, map[string]string{"guide": "degraded: dhcp_domain_differs"}},
		{"119 as text", text("contoso.com;dev.contoso.com"), nil, nil, map[string]string{"search": "noted: dhcp_search_text", "guide": unsaid + "dhcp_search_text"}},
		{"119 by RFC 3397", rfc(twoNames), nil, nil, map[string]string{"search": "noted: dhcp_search_rfc3397", "guide": unsaid + "dhcp_search_rfc3397"}},
		{"119 by RFC 3397, dnsmasq", dnsmasq(rfc(twoNames)), nil, nil, map[string]string{"search": "noted: dhcp_search_rfc3397"}},
		{"another 119", rfc(names), nil, nil, map[string]string{"search": "degraded: dhcp_search_differs, dhcp_search_rfc3397"}},
		{"119 that is neither", text("contoso.com|dev.contoso.com"), nil, nil, map[string]string{"guide": "degraded: dhcp_search_malformed"}},
		{"silent", fine, nil, func(b *bed.Bed) error { return b.Pause(bed.DHCP) }, map[string]string{"guide": "unknown: dhcp_server_silent, dhcp_unanswered",
			"broadcast": "unknown: dhcp_unanswered", "offer": "blocked: dhcp_no_offer, dhcp_server_silent"}},
		{"one of two silent", fine, &fine, func(b *bed.Bed) error { return b.Pause(bed.DHCP) }, map[string]string{"both": "degraded: dhcp_server_silent",
			"offer": "degraded: dhcp_server_silent, dhcp_server_unexpected"}},
		{"killed", fine, nil, func(b *bed.Bed) error { return b.Kill(bed.DHCP) }, map[string]string{"guide": "unknown: dhcp_server_unreachable, dhcp_unanswered"}},
		{"no address left", changed(func(l *bed.Lease) { l.Exhausted = true }), nil, nil, map[string]string{"guide": good, "offer": "blocked: dhcp_no_offer"}},
	}
}

// TestRealLease asks ISC dhcpd and dnsmasq what they hand out: healthy, with each break alone, healed.
func TestRealLease(t *testing.T) {
	r := newRig(t)
	file := leaseFile(t)
	outcome := func(site string) string {
		_, text := r.ran(t, "probe", "dhcp", "--site="+site, "--config.file="+file)
		for line := range strings.Lines(text) {
			if len([]rune(line)) > 101 {
				t.Errorf("more than 100 columns: %q", line)
			}
		}
		return lastLine(text)
	}
	for _, f := range leaseFaults() {
		t.Run(f.name, func(t *testing.T) {
			must(t, r.SetLease(t.Context(), bed.DHCP, f.first))
			if f.second != nil {
				must(t, r.SetLease(t.Context(), bed.DHCP2, *f.second))
				defer func() { must(t, r.Kill(bed.DHCP2)) }()
			}
			if f.breaks != nil {
				must(t, f.breaks(r.Bed))
			}
			got := map[string]string{}
			for site := range f.want {
				got[site] = outcome(site)
			}
			if diff := cmp.Diff(f.want, got); diff != "" {
				t.Errorf("outcome by site (-want +got):\n%s", diff)
			}
			must(t, r.SetLease(t.Context(), bed.DHCP, bed.HealthyLease()))
			if got := outcome("guide"); got != goodOutcome {
				t.Errorf("healed, but %s", got)
			}
		})
	}
	t.Run("no lease is taken", func(t *testing.T) {
		if got := outcome("offer"); got != goodOutcome {
			t.Error(got)
		}
		leases, err := r.Leases(bed.DHCP)
		must(t, err)
		if strings.Contains(leases, "binding state active") {
			t.Errorf("a lease was taken:\n%s", leases)
		}
	})
	t.Run("overloaded", func(t *testing.T) { testOverloaded(t, r, file) })
	t.Run("privileges", func(t *testing.T) { testLeasePrivileges(t, r, file) })
	t.Run("heals while it runs", func(t *testing.T) { testLeaseServes(t, r, file) })
}

// testOverloaded has servers hand out more than the field for options holds, so that they go on in file and sname: dhcpd
// with the rest of option 119, in offers only, and dnsmasq with 015.
func testOverloaded(t *testing.T, r *rig, file string) {
	many := strings.TrimSuffix(strings.Repeat("192.168.7.20, ", 63), ", ")
	const last = "the-last-of-all.contoso.com"
	const name = "a-rather-long-name-that-fills-the-packet-as-nobody-would-in-earnest.contoso.com"
	dhcpd := changed(func(l *bed.Lease) {
		l.NTPServers, l.WINSServers = many, many
		l.SearchText = strings.Repeat("contoso.com;dev.contoso.com;", 16) + last
		l.Vendor = map[string]string{"CPE-OCPHONE": "0a:f0" + strings.Repeat(":2a", 240), "MS-UC-Client": "01:f0" + strings.Repeat(":2a", 240)}
	})
	dnsmasq := changed(func(l *bed.Lease) {
		l.Dnsmasq = true
		l.DNSServers, l.NTPServers, l.WINSServers = many, many, many
		l.SearchRFC = "contoso.com," + "x" + name[:60] + ".com,y" + name[:60] + ".com,z" + name[:60] + ".com"
		l.Vendor = map[string]string{"CPE-OCPHONE": "0a:c8" + strings.Repeat(":2a", 200), "MS-UC-Client": "01:c8" + strings.Repeat(":2a", 200)}
	})
	for _, tt := range []struct {
		name       string
		lease      bed.Lease
		site, want string
		overloads  int
		holds      string
	}{
		{"dhcpd", dhcpd, "offer", "noted: dhcp_not_in_site_file, dhcp_search_text", 1, fmt.Sprintf("%x", last)},
		{"dnsmasq", dnsmasq, "search", "degraded: dhcp_dns_differs, dhcp_not_in_site_file, dhcp_search_differs, dhcp_search_rfc3397", 2, `015DNSdomainname"contoso.com"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			must(t, r.SetLease(t.Context(), bed.DHCP, tt.lease))
			_, text := r.ran(t, "probe", "dhcp", "--site="+tt.site, "--config.file="+file)
			if got := lastLine(text); got != tt.want || strings.Count(text, "052 option overload") != tt.overloads || !strings.Contains(strings.Join(strings.Fields(text), ""), tt.holds) {
				t.Errorf("want %s, and %q, in\n%s", tt.want, tt.holds, text)
			}
			must(t, r.SetLease(t.Context(), bed.DHCP, bed.HealthyLease()))
		})
	}
}

// testLeasePrivileges runs the program as nobody, with one capability and with none.
func testLeasePrivileges(t *testing.T, r *rig, file string) {
	for _, tt := range []struct{ capabilities, site, want string }{
		{"+net_bind_service", "guide", goodOutcome},
		{"+net_bind_service", "broadcast", goodOutcome},
		{"+net_bind_service", "offer", "not watched: dhcp_not_permitted"},
		{"+net_bind_service,+net_raw", "offer", goodOutcome},
		{"-all", "guide", "not watched: dhcp_not_permitted"},
	} {
		out, err := r.Command(t.Context(), bed.Monitor, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
			"--inh-caps="+tt.capabilities, "--ambient-caps="+tt.capabilities, r.binary, "probe", "dhcp", "--site="+tt.site, "--config.file="+file).CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		if got := lastLine(string(out)); got != tt.want {
			t.Errorf("%s with %s: %s, want %s\n%s", tt.site, tt.capabilities, got, tt.want, out)
		}
	}
}

// testLeaseServes breaks and heals under a running program.
func testLeaseServes(t *testing.T, r *rig, file string) {
	e := r.serve(t, file)
	is := func(want float64) func() error {
		return func() error {
			got := series(t, e.get(t, "/metrics"), "cx700_dhcp_option_ok")
			if v, ok := got[`network="internal",option="006",target="contoso.com@eth0"`]; !ok || v != want {
				return fmt.Errorf("want %g in %v", want, got)
			}
			return nil
		}
	}
	within(t, "option 006 is right", 15*time.Second, is(1))
	must(t, r.SetLease(t.Context(), bed.DHCP, changed(func(l *bed.Lease) { l.DNSServers = "" })))
	within(t, "option 006 is missing", 15*time.Second, is(0))
	must(t, r.SetLease(t.Context(), bed.DHCP, bed.HealthyLease()))
	within(t, "option 006 is right again", 15*time.Second, is(1))
	if code := e.stop(t); code != exitGood {
		t.Errorf("SIGTERM: exit code %d", code)
	}
}

// TestRealWINS asks Samba for the domain's controllers.
func TestRealWINS(t *testing.T) {
	r := newRig(t)
	text := "sites:\n"
	for name, logon := range map[string]string{"short": `CONTOSO\user`, "full": `contoso.com\user`, "stranger": `NOBODY\user`, "strangers": "nobody.example\\user"} {
		text += fmt.Sprintf("  - {name: %s, sip_domain: fabrikam.com, logon: '%s', dhcp: {domain: contoso.com, search: [com], "+
			"dns_servers: [192.168.7.5], wins_servers: [192.168.7.10]}}\n", name, logon)
	}
	text += `  - {name: nowhere, sip_domain: fabrikam.com, logon: 'CONTOSO\user', dhcp: {domain: contoso.com, search: [com], ` +
		"dns_servers: [192.168.7.5], wins_servers: [192.168.7.5]}}\n"
	file := siteFile(t, text)
	is := func(site, want string) func() error {
		return func() error {
			if _, text := r.ran(t, "probe", "wins", "--site="+site, "--config.file="+file); lastLine(text) != want {
				return fmt.Errorf("%s: want %s in\n%s", site, want, text)
			}
			return nil
		}
	}
	locates := func(before, now string) func(context.Context) error {
		const name = "_ldap._tcp.dc._msdcs.contoso.com"
		return func(ctx context.Context) error {
			return errors.Join(r.DeleteADRecord(ctx, name, "SRV", "0 100 389 "+before+".contoso.com."),
				r.AddADRecord(ctx, name, "SRV", "0 100 389 "+now+".contoso.com."))
		}
	}
	const registers = 30 * time.Second // which takes a controller a while
	for site, want := range map[string]string{"short": goodOutcome, "full": goodOutcome, "stranger": "degraded: wins_name_missing",
		"strangers": "noted: wins_name_guessed", "nowhere": "degraded: wins_unreachable"} {
		within(t, site, registers, is(site, want))
	}
	for _, f := range []struct {
		name         string
		does, undoes func(context.Context) error
		want         string
	}{
		{"another controller in DNS", locates("dc01", "pool01"), locates("pool01", "dc01"), "degraded: wins_differs"},
		{"silent", func(context.Context) error { return r.Pause(bed.DC) }, func(context.Context) error { return r.Resume(bed.DC) }, "degraded: wins_silent"},
	} {
		t.Run(f.name, func(t *testing.T) {
			must(t, f.does(t.Context()))
			within(t, "broken", slack, is("short", f.want))
			must(t, f.undoes(t.Context()))
			within(t, "healed", registers, is("short", goodOutcome))
		})
	}
}
