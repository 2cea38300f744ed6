package collectors

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/site"
)

// rfcSearch and textSearch are contoso.com and dk in both forms of option 119.
const (
	rfcSearch  = "\x07contoso\x03com\x00\x02dk\x00"
	textSearch = "contoso.com;dk"
)

// dhcpTarget is a site that says nothing of options a CX700 does without.
func dhcpTarget(change func(*Target)) *Target {
	t := &Target{Collector: "dhcp", Network: site.Internal, Name: "contoso.com@192.168.7.2", Domains: phone.Domains{DHCP: "contoso.com"}}
	t.Lease = &site.Lease{DNSServers: []netip.AddrPort{netip.MustParseAddrPort("192.168.7.5:53"), netip.MustParseAddrPort("[fd00::5]:53")}}
	if change != nil {
		change(t)
	}
	return t
}

// options are those of the guide's company, with some changed; an empty value takes one out.
func options(changes map[byte]string) phone.DHCPOptions {
	out := phone.DHCPOptions{phone.OptionDNSServers: {192, 168, 7, 5}, phone.OptionDomain: []byte("contoso.com")}
	for code, value := range changes {
		if out[code] = []byte(value); value == "" {
			delete(out, code)
		}
	}
	return out
}

func acknowledged(server string, changes map[byte]string) []facts.LeaseAnswer {
	var out []facts.LeaseAnswer
	for _, class := range phone.VendorClasses() {
		out = append(out, facts.LeaseAnswer{Question: facts.Inform, Class: class, Server: netip.MustParseAddr(server), Options: options(changes)})
	}
	return out
}

// toClass changes what is handed to one class.
func toClass(class string, answers []facts.LeaseAnswer, changes map[byte]string) []facts.LeaseAnswer {
	out := slices.Clone(answers)
	for i := range out {
		if out[i].Class == class {
			out[i].Options = options(changes)
		}
	}
	return out
}

// identified is what a server answers that calls itself by another address.
func identified(by string, answers []facts.LeaseAnswer) []facts.LeaseAnswer {
	out := slices.Clone(answers)
	for i := range out {
		out[i].Options = maps.Clone(out[i].Options)
		out[i].Options[phone.OptionServerID] = netip.MustParseAddr(by).AsSlice()
	}
	return out
}

func noLease(server string, q facts.LeaseQuestion, p facts.LeaseProblem) []facts.LeaseAnswer {
	a := facts.LeaseAnswer{Question: q, Class: phone.ClassPhone, Problem: p, Detail: "as seen"}
	if server != "" {
		a.Server = netip.MustParseAddr(server)
	}
	return []facts.LeaseAnswer{a}
}

type dhcpCase struct {
	name    string
	site    func(*Target)
	answers [][]facts.LeaseAnswer
	want    []string
}

func dhcpCases() []dhcpCase {
	one, two := "192.168.7.2", "192.168.7.3"
	fine := acknowledged(one, nil)
	searches := func(t *Target) { t.Domains.Search = []string{"contoso.com", "dk"} }
	all := func(t *Target) {
		t.Lease.NTPServers = []netip.AddrPort{netip.MustParseAddrPort("192.168.7.20:123")}
		t.Lease.WINSServers = []netip.AddrPort{netip.MustParseAddrPort("192.168.7.10:137")}
		t.Lease.SIPServers, t.Lease.VendorClasses = []string{"pool01.contoso.com"}, phone.VendorClasses()
	}
	everything := map[byte]string{phone.OptionNTPServers: "\xc0\xa8\x07\x14", phone.OptionWINSServers: "\xc0\xa8\x07\x0a",
		phone.OptionSIPServers: "\x00\x06pool01\x07contoso\x03com\x00", phone.OptionVendor: "\x0a\x02\x00\x2a"}
	vlan := maps.Clone(everything)
	vlan[phone.OptionVendor] = "\x0a\x02\x00\x2b"
	named := func(t *Target) {
		t.DHCP.Servers = []netip.AddrPort{netip.AddrPortFrom(netip.MustParseAddr(one), dhcpPort)}
	}
	with := func(server string, changes map[byte]string) [][]facts.LeaseAnswer {
		return [][]facts.LeaseAnswer{acknowledged(server, changes)}
	}
	offer := func(server string, changes map[byte]string) []facts.LeaseAnswer {
		return []facts.LeaseAnswer{{Question: facts.Discover, Class: phone.ClassPhone, Server: netip.MustParseAddr(server), Options: options(changes)}}
	}
	nothing := map[byte]string{phone.OptionDNSServers: "", phone.OptionDomain: ""}
	return []dhcpCase{
		{"the guide's company", nil, with(one, nil), nil},
		{"two servers that agree", nil, [][]facts.LeaseAnswer{fine, acknowledged(two, nil)}, nil},
		{"all that a site file can say", all, with(one, everything), nil},
		{"domain in capitals with a zero", nil, with(one, map[byte]string{phone.OptionDomain: "CONTOSO.COM\x00"}), nil},
		{"no DNS server", nil, with(one, map[byte]string{phone.OptionDNSServers: ""}), []string{"dhcp_dns_missing"}},
		{"half a DNS server", nil, with(one, map[byte]string{phone.OptionDNSServers: "\xc0\xa8"}), []string{"dhcp_dns_missing"}},
		{"another DNS server", nil, with(one, map[byte]string{phone.OptionDNSServers: "\x0a\x00\x00\x05"}), []string{"dhcp_dns_differs"}},
		{"the site file names no DNS server", func(t *Target) { t.Lease.DNSServers = nil }, with(one, map[byte]string{phone.OptionDNSServers: ""}), nil},
		{"no domain", nil, with(one, map[byte]string{phone.OptionDomain: ""}), []string{"dhcp_domain_missing"}},
		{"a NetBIOS name", nil, with(one, map[byte]string{phone.OptionDomain: "CONTOSO"}), []string{"dhcp_domain_netbios"}},
		{"another domain", nil, with(one, map[byte]string{phone.OptionDomain: "fabrikam.com"}), []string{"dhcp_domain_differs"}},
		{"no search list", searches, with(one, nil), []string{"dhcp_search_missing"}},
		{"search list as text", searches, with(one, map[byte]string{phone.OptionSearch: textSearch}), []string{"dhcp_search_text"}},
		{"search list by RFC 3397", searches, with(one, map[byte]string{phone.OptionSearch: rfcSearch}), []string{"dhcp_search_rfc3397"}},
		{"search list that is neither", searches, with(one, map[byte]string{phone.OptionSearch: "\xc0\x00"}), []string{"dhcp_search_malformed"}},
		{"another search list", searches, with(one, map[byte]string{phone.OptionSearch: "contoso.com"}), []string{"dhcp_search_differs", "dhcp_search_text"}},
		{"a search list nobody told of", nil, with(one, map[byte]string{phone.OptionSearch: "dk"}), []string{"dhcp_not_in_site_file", "dhcp_search_text"}},
		{"a WINS server nobody told of", nil, with(one, map[byte]string{phone.OptionWINSServers: "\xc0\xa8\x07\x0a"}), []string{"dhcp_not_in_site_file"}},
		{"others nobody told of", nil, with(one, map[byte]string{phone.OptionNTPServers: "\xc0\xa8\x07\x14", phone.OptionVendor: "\x0a\x00"}), nil},
		{"a vendor option nobody can read", nil, with(one, map[byte]string{phone.OptionVendor: "\x0a\xff\x00"}), []string{"dhcp_vendor_missing"}},
		{"a vendor option nobody can read, for one class", func(t *Target) { t.Lease.VendorClasses = []string{phone.ClassProvisioning} },
			[][]facts.LeaseAnswer{toClass(phone.ClassProvisioning, fine, map[byte]string{phone.OptionVendor: "\x0a"})}, []string{"dhcp_vendor_missing"}},
		{"half a WINS server", nil, with(one, map[byte]string{phone.OptionWINSServers: "\xc0\xa8"}), []string{"dhcp_wins_differs"}},
		{"half a time server", nil, with(one, map[byte]string{phone.OptionNTPServers: "\xc0\xa8"}), []string{"dhcp_ntp_differs"}},
		{"a registrar nobody can read", nil, with(one, map[byte]string{phone.OptionSIPServers: "pool01"}), []string{"dhcp_sip_differs"}},
		{"none of what a CX700 does without", all, with(one, nil), []string{"dhcp_ntp_differs", "dhcp_sip_differs", "dhcp_vendor_missing", "dhcp_wins_differs"}},
		{"one vendor class only", func(t *Target) { t.Lease.VendorClasses = phone.VendorClasses() },
			[][]facts.LeaseAnswer{fine[:1], acknowledged(one, map[byte]string{phone.OptionVendor: "\x0a\x00"})[1:]}, []string{"dhcp_vendor_missing"}},
		{"a vendor class too many", func(t *Target) { t.Lease.VendorClasses = []string{phone.ClassPhone} },
			with(one, map[byte]string{phone.OptionVendor: "\x0a\x00"}), []string{"dhcp_vendor_missing"}},
		{"two with another VLAN for phones", all, [][]facts.LeaseAnswer{acknowledged(one, everything),
			slices.Concat(acknowledged(two, vlan)[:1], acknowledged(two, everything)[1:])}, []string{"dhcp_servers_differ"}},
		{"an unnamed server offers the same", named, [][]facts.LeaseAnswer{fine, offer(two, nil)}, []string{"dhcp_server_unexpected"}},
		{"an unnamed server offers something else", named, [][]facts.LeaseAnswer{fine, offer(two, map[byte]string{phone.OptionDomain: "fabrikam.com"})},
			[]string{"dhcp_domain_differs", "dhcp_server_unexpected", "dhcp_servers_differ"}},
		{"a named server has another address", named, [][]facts.LeaseAnswer{identified(two, fine), identified(two, offer(two, nil))}, nil},
		{"a named server calls itself by the other's", nil,
			[][]facts.LeaseAnswer{identified(one, acknowledged(one, nil)), identified(one, acknowledged(two, nothing))}, []string{"dhcp_servers_differ"}},
		{"two offer as the same server", nil, [][]facts.LeaseAnswer{fine, offer(one, nil), offer(one, map[byte]string{phone.OptionDomain: "fabrikam.com"})},
			[]string{"dhcp_domain_differs", "dhcp_servers_differ"}},
		{"nothing for phones", nil, [][]facts.LeaseAnswer{toClass(phone.ClassPhone, fine, nothing)}, []string{"dhcp_dns_missing", "dhcp_domain_missing"}},
		{"something for phones only", nil, [][]facts.LeaseAnswer{toClass(phone.ClassProvisioning, fine, nothing)}, nil},
		{"half a search list for each class", searches, [][]facts.LeaseAnswer{toClass(phone.ClassPhone,
			acknowledged(one, map[byte]string{phone.OptionSearch: "dk"}), map[byte]string{phone.OptionSearch: "contoso.com"})},
			[]string{"dhcp_search_differs", "dhcp_search_text"}},
		{"no offer of what INFORM shows", nil, [][]facts.LeaseAnswer{fine, offer(one, nothing)}, []string{"dhcp_dns_missing", "dhcp_domain_missing"}},
		{"registrars for those who sign in by PIN", func(t *Target) { t.Lease.SIPServers = []string{"pool01.contoso.com"} },
			[][]facts.LeaseAnswer{toClass(phone.ClassProvisioning, fine, map[byte]string{phone.OptionSIPServers: everything[phone.OptionSIPServers]})}, nil},
		{"no answer to phones", nil, [][]facts.LeaseAnswer{noLease(one, facts.Inform, facts.LeaseSilent), fine[1:]}, []string{"dhcp_server_silent"}},
		{"no server is named", nil, [][]facts.LeaseAnswer{fine, offer(two, nil)}, nil},
		{"two that differ", nil, [][]facts.LeaseAnswer{fine, acknowledged(two, map[byte]string{phone.OptionDomain: "fabrikam.com"})},
			[]string{"dhcp_domain_differs", "dhcp_servers_differ"}},
		{"only one of two has it", nil, [][]facts.LeaseAnswer{fine, acknowledged(two, map[byte]string{phone.OptionDNSServers: ""})}, []string{"dhcp_servers_differ"}},
		{"only one of two answers", nil, [][]facts.LeaseAnswer{fine, noLease(two, facts.Inform, facts.LeaseSilent)}, []string{"dhcp_server_silent"}},
		{"silent", nil, [][]facts.LeaseAnswer{noLease(one, facts.Inform, facts.LeaseSilent)}, []string{"dhcp_server_silent", "dhcp_unanswered"}},
		{"nothing listens", nil, [][]facts.LeaseAnswer{noLease(one, facts.Inform, facts.LeaseUnreachable)}, []string{"dhcp_server_unreachable", "dhcp_unanswered"}},
		{"no DHCP", nil, [][]facts.LeaseAnswer{noLease(one, facts.Inform, facts.LeaseMalformed)}, []string{"dhcp_server_malformed", "dhcp_unanswered"}},
		{"nobody answers a broadcast", nil, [][]facts.LeaseAnswer{noLease("", facts.Inform, facts.LeaseSilent)}, []string{"dhcp_unanswered"}},
		{"no privilege", nil, [][]facts.LeaseAnswer{noLease(one, facts.Inform, facts.LeaseNotPermitted)}, []string{"dhcp_not_permitted"}},
		{"no privilege for one of two", nil, [][]facts.LeaseAnswer{fine, noLease("", facts.Discover, facts.LeaseNotPermitted)}, []string{"dhcp_not_permitted"}},
		{"no privilege for DISCOVER, and silence to INFORM", nil,
			[][]facts.LeaseAnswer{noLease(one, facts.Inform, facts.LeaseSilent), noLease("", facts.Discover, facts.LeaseNotPermitted)},
			[]string{"dhcp_not_permitted", "dhcp_server_silent", "dhcp_unanswered"}},
		{"no such interface", nil, [][]facts.LeaseAnswer{noLease("", facts.Inform, facts.LeaseNotAsked)}, []string{"dhcp_not_asked"}},
		{"no offer", nil, [][]facts.LeaseAnswer{fine, noLease("", facts.Discover, facts.LeaseSilent)}, []string{"dhcp_no_offer"}},
		{"an offer, but no answer to INFORM", nil, [][]facts.LeaseAnswer{noLease(one, facts.Inform, facts.LeaseSilent), offer(one, nil)}, []string{"dhcp_server_silent"}},
		{"an option of the pool, which INFORM does not show", nil, [][]facts.LeaseAnswer{acknowledged(one, map[byte]string{phone.OptionDomain: ""}), offer(one, nil)}, nil},
	}
}

func TestJudgeDHCP(t *testing.T) {
	produced := map[string]bool{}
	for _, tt := range dhcpCases() {
		t.Run(tt.name, func(t *testing.T) {
			compareReasons(t, tt.want, judgeDHCP(dhcpTarget(tt.site), &facts.Lease{Answers: slices.Concat(tt.answers...)}), produced)
		})
	}
	everyReasonProduced(t, DHCP(), produced)
}

// TestWhatServersMakeUpFitsATerminal, and a line of the log.
func TestWhatServersMakeUpFitsATerminal(t *testing.T) {
	made := map[byte]string{phone.OptionDomain: "\x1b[2J\xff" + strings.Repeat("x", 1200), phone.OptionSearch: "\x1b[2J" + strings.Repeat("y", 1200)}
	got := judgeDHCP(dhcpTarget(nil), &facts.Lease{Answers: acknowledged("192.168.7.2", made)})
	if len(got) != 2 {
		t.Errorf("%v", got)
	}
	for _, f := range got {
		if text := f.Err.Error(); strings.ContainsRune(text, 0x1b) || !utf8.ValidString(text) || len(text) > 400 {
			t.Errorf("%q", text)
		}
	}
}

func TestEmitDHCP(t *testing.T) {
	for _, tt := range []struct {
		name    string
		answers []facts.LeaseAnswer
		want    map[string]float64
	}{
		{"fine", acknowledged("192.168.7.2", map[byte]string{phone.OptionSearch: textSearch, phone.OptionLeaseTime: "\x00\x00\x0e\x10"}), map[string]float64{
			"cx700_dhcp_servers ": 1, "cx700_dhcp_option_ok 006": 1, "cx700_dhcp_option_ok 015": 1, "cx700_dhcp_option_ok 119": 1,
			"cx700_dhcp_search_info 192.168.7.2 text": 1, "cx700_dhcp_lease_seconds 192.168.7.2": 3600}},
		{"one of two lacks an option", append(acknowledged("192.168.7.2", map[byte]string{phone.OptionSearch: rfcSearch}),
			acknowledged("192.168.7.3", map[byte]string{phone.OptionDomain: "CONTOSO"})...), map[string]float64{
			"cx700_dhcp_servers ": 2, "cx700_dhcp_option_ok 006": 1, "cx700_dhcp_option_ok 015": 0, "cx700_dhcp_option_ok 119": 0,
			"cx700_dhcp_search_info 192.168.7.2 rfc3397": 1}},
		{"phones get half a DNS server", toClass(phone.ClassPhone, acknowledged("192.168.7.2", map[byte]string{phone.OptionSearch: textSearch}),
			map[byte]string{phone.OptionDNSServers: "\xc0\xa8"}), map[string]float64{
			"cx700_dhcp_servers ": 1, "cx700_dhcp_option_ok 006": 0, "cx700_dhcp_option_ok 015": 1, "cx700_dhcp_option_ok 119": 0}},
		{"silent", noLease("192.168.7.2", facts.Inform, facts.LeaseSilent), map[string]float64{"cx700_dhcp_servers ": 0}},
		{"not asked", noLease("192.168.7.2", facts.Inform, facts.LeaseNotPermitted), map[string]float64{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			env := testEnv(t)
			env.Target = dhcpTarget(func(t *Target) { t.Domains.Search = []string{"dk", "contoso.com"} })
			emitDHCP(env, &facts.Lease{Answers: tt.answers})
			got := map[string]float64{}
			for _, s := range env.Samples() {
				got[s.Desc.Name+" "+strings.Join(s.Labels[2:], " ")] = s.Value
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestDHCPIsWatchedWhereTheFileSaysSo, and sites with the same servers and options share their target.
func TestDHCPIsWatchedWhereTheFileSaysSo(t *testing.T) {
	s := &site.Site{Domains: phone.Domains{SIP: "fabrikam.com", DHCP: "contoso.com"}}
	n := site.Network{Name: site.Internal, Resolvers: []netip.AddrPort{netip.MustParseAddrPort("192.168.7.5:53")}}
	if got := DHCP().Targets(s, n); got != nil {
		t.Errorf("not asked for: %+v", got)
	}
	n.DHCP.Servers = []netip.AddrPort{netip.MustParseAddrPort("192.168.7.2:67"), netip.MustParseAddrPort("192.168.7.3:1067")}
	got := DHCP().Targets(s, n)
	other := *s
	other.Domains.SIP = "contoso.com"
	if same := DHCP().Targets(&other, n); len(got) != 1 || got[0].Name != "contoso.com@192.168.7.2+192.168.7.3:1067" || same[0].Key() != got[0].Key() {
		t.Errorf("%+v\n%+v", got, same)
	}
	n.DHCP = site.DHCP{Interface: "eth0"}
	if got := DHCP().Targets(s, n); len(got) != 1 || got[0].Name != "contoso.com@eth0" {
		t.Errorf("by broadcast: %+v", got)
	}
	n.Name = site.External
	if got := DHCP().Targets(s, n); got != nil {
		t.Errorf("outside: %+v", got)
	}
}

func TestExplainDHCP(t *testing.T) {
	answers := acknowledged("192.168.7.2", map[byte]string{
		phone.OptionSearch: rfcSearch, phone.OptionVendor: "\x0a\x02\x00\x2a", phone.OptionSIPServers: "\x02", phone.OptionLeaseTime: "\x00\x00\x0e\x10",
		phone.OptionNodeType: "\x08", phone.OptionWINSServers: strings.Repeat("\xc0\xa8\x07\x0a", 60), phone.OptionNTPServers: "\xc0"})[:1]
	answers = append(answers, noLease("", facts.Discover, facts.LeaseNotPermitted)...)
	answers = append(answers, facts.LeaseAnswer{Question: facts.Discover, Server: netip.MustParseAddr("192.168.7.3"),
		Offered: netip.MustParseAddr("192.168.7.101"), Options: options(map[byte]string{phone.OptionSearch: textSearch})})
	var out strings.Builder
	explainDHCP(&out, dhcpTarget(nil), &facts.Seen{Lease: &facts.Lease{Answers: answers}})
	for _, want := range []string{
		"server 192.168.7.2\n  INFORM as CPE-OCPHONE\n", "006 DNS servers       192.168.7.5\n        c0a80705\n", `015 DNS domain name   "contoso.com"`,
		"042 NTP servers       unreadable: not a whole number", `043 vendor specific   10="\x00*"`, "046 WINS node type    [8] (1 B, 2 P, 4 M, 8 H)",
		"051 lease             1h0m0s", "054 server identifier none", "119 DNS search list   rfc3397: contoso.com dk\n        07636f6e746f736f03636f6d0002646b00\n",
		"120 SIP servers       unreadable: neither", "all who hear a broadcast\n  DISCOVER as CPE-OCPHONE\n        not_permitted: as seen",
		"offers 192.168.7.101, which is left to expire", "text: contoso.com dk\n        636f6e746f736f2e636f6d3b646b\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, &out)
		}
	}
	for line := range strings.Lines(out.String()) {
		if len([]rune(line)) > 101 {
			t.Errorf("more than 100 columns: %q", line)
		}
	}
}
