package collectors

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/metric"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/reach"
	"github.com/cx700/cx700_exporter/internal/site"
)

var (
	descDHCPServers = metric.NewGauge("cx700_dhcp_servers",
		"How many DHCP servers answered; absent when they could not be asked.",
		`cx700_dhcp_servers == 0`, "network", "target")
	descDHCPOption = metric.NewGauge("cx700_dhcp_option_ok",
		"Whether every DHCP server hands out an option as the site file says (1) or not (0), option 043 to each vendor class; "+
			"absent where it says nothing.",
		`cx700_dhcp_option_ok == 0`, "network", "target", "option")
	descDHCPSearch = metric.NewGauge("cx700_dhcp_search_info",
		"The form in which a DHCP server sends option 119: text as the guide has it, rfc3397, or malformed.",
		`cx700_dhcp_search_info{form!="text"}`, "network", "target", "server", "form")
	descDHCPLease = metric.NewGauge("cx700_dhcp_lease_seconds",
		"For how long a DHCP server offers an address; absent where it does not tell, as most do not when asked by INFORM.",
		`cx700_dhcp_lease_seconds < 3600`, "network", "target", "server")
)

// DHCP watches what is handed to phones before they ask anybody else.
func DHCP() *Collector {
	return &Collector{
		Name: "dhcp", Asks: "Does DHCP hand to phones what the site file says?", Guide: "2, 3, 22, 24, 41",
		Steps:    []phone.Step{phone.StepLease},
		Interval: time.Minute, Timeout: 10 * time.Second,
		Reasons: dhcpReasons(),
		Metrics: []*metric.Desc{descDHCPServers, descDHCPOption, descDHCPSearch, descDHCPLease},
		Targets: dhcpTargets,
		Probe:   probeDHCP,
		Explain: explainDHCP,
	}
}

// dhcpTargets gives a target where the site file says whom to ask. It holds nothing by which sites with equal
// servers and options would differ.
func dhcpTargets(s *site.Site, n site.Network) []Target {
	if n.Name != site.Internal || !n.DHCP.Watched() {
		return nil
	}
	whom := n.DHCP.Interface
	if n.DHCP.Servers != nil {
		whom = serverNames(n.DHCP.Servers, dhcpPort)
	}
	return []Target{{
		Collector: "dhcp", Network: n.Name, Name: s.Domains.DHCP + "@" + whom,
		Way:     reach.Way{ConnectTo: n.ConnectTo},
		Domains: phone.Domains{DHCP: s.Domains.DHCP, Search: s.Domains.Search},
		DHCP:    n.DHCP, Lease: &s.Lease,
	}}
}

// dhcpBudget is how long a look at DHCP may take: two packets, and the wait for all that hear them.
const dhcpBudget = 5 * time.Second

func probeDHCP(ctx context.Context, env *Env, seen *facts.Seen) error {
	lease, err := env.Shared.Leases.Read(ctx, env.Target.Way, env.Target.DHCP, env.Due, min(dhcpBudget, env.Target.Timeout*8/10))
	if err != nil {
		return err
	}
	seen.Lease = lease
	emitDHCP(env, lease)
	return join(judgeDHCP(env.Target, lease))
}

func emitDHCP(env *Env, lease *facts.Lease) {
	servers := dhcpServers(lease)
	if len(servers) > 0 || !slices.ContainsFunc(lease.Answers, notAsked) {
		env.Emit(descDHCPServers, float64(len(servers)))
	}
	if len(servers) == 0 {
		return
	}
	for _, o := range handedOut() {
		if want := o.want(env.Target); want != nil {
			all := o.handings(servers)
			wrong := slices.ContainsFunc(all, func(h handing) bool { return !o.fits(h, want) })
			if len(all) > 0 {
				env.Emit(descDHCPOption, oneIf(!wrong), o.label())
			}
		}
	}
	for _, s := range servers {
		emitDHCPServer(env, s)
	}
}

func emitDHCPServer(env *Env, s dhcpServer) {
	var forms []phone.SearchForm
	lease, told := time.Duration(0), false
	for _, a := range s.toPhones() {
		if form, _ := a.Options.Search(); form != "" && !slices.Contains(forms, form) {
			forms = append(forms, form)
			env.Emit(descDHCPSearch, 1, s.name, string(form))
		}
	}
	for _, a := range s.answers {
		if d, ok := a.Options.LeaseTime(); ok {
			lease, told = max(lease, d), true
		}
	}
	if told {
		env.Emit(descDHCPLease, lease.Seconds(), s.name)
	}
}

// notAsked tells that a question could not be put, for a cause on our side.
func notAsked(a facts.LeaseAnswer) bool {
	return a.Problem == facts.LeaseNotPermitted || a.Problem == facts.LeaseNotAsked
}

// dhcpServer is all that one server answered.
type dhcpServer struct {
	// name is the address that was asked; of one that only hears broadcasts, by which it answers.
	name    string
	answers []facts.LeaseAnswer
}

// dhcpServers lists those that answered. Servers that are asked are told apart by the address at which they are, whatever
// they say in option 054; by that an offer belongs to one that was asked.
func dhcpServers(lease *facts.Lease) []dhcpServer {
	var out []dhcpServer
	for _, a := range lease.Answers {
		if a.Problem != "" {
			continue
		}
		i := slices.IndexFunc(out, func(s dhcpServer) bool { return s.name == a.Server.String() })
		if i < 0 && a.Question == facts.Discover {
			i = slices.IndexFunc(out, func(s dhcpServer) bool { return s.identifier() == a.Server.String() })
		}
		if i < 0 {
			i = len(out)
			out = append(out, dhcpServer{name: a.Server.String()})
		}
		out[i].answers = append(out[i].answers, a)
	}
	return out
}

// identifier is option 054 of the first answer, else the name.
func (s dhcpServer) identifier() string {
	if list, err := s.answers[0].Options.Addresses(phone.OptionServerID); err == nil && len(list) == 1 {
		return list[0].String()
	}
	return s.name
}

// text is the name, with option 054 beside it where that is another address.
func (s dhcpServer) text() string {
	if id := s.identifier(); id != s.name {
		return s.name + " (054 " + id + ")"
	}
	return s.name
}

// to lists the answers to a vendor class. Where the server makes an offer that is what clients get, and INFORM may show
// other options than the pool has.
func (s dhcpServer) to(class string) []facts.LeaseAnswer {
	var offers, all []facts.LeaseAnswer
	for _, a := range s.answers {
		if a.Class != class {
			continue
		}
		if all = append(all, a); a.Question == facts.Discover {
			offers = append(offers, a)
		}
	}
	if offers != nil {
		return offers
	}
	return all
}

// toPhones lists what phones get.
func (s dhcpServer) toPhones() []facts.LeaseAnswer { return s.to(phone.ClassPhone) }

// handed is an option that is compared with the site file.
type handed struct {
	code byte
	// class is the vendor class for which it is meant; empty for one that all get.
	class string
	// want is what the site file says; nil where it says nothing, and empty where that it is not handed out.
	want func(*Target) []string
	// read gives what came in one answer; nil where it did not come, or with an error why it cannot be read.
	read func(phone.DHCPOptions) ([]string, error)
	// missing is for an option that no server has, differs for one of which some server has another value,
	// unsaid for one of which the site file says nothing; nil where that is nothing to tell.
	missing, differs, unsaid *Reason
}

// handedOut lists them by number. Options that a CX700 does without are compared only where the site file
// says that they are handed out (CONTRACT section 6.4).
func handedOut() []handed {
	out := []handed{
		{phone.OptionDNSServers, "", func(t *Target) []string { return addressesOf(t.Lease.DNSServers) },
			readAddresses(phone.OptionDNSServers), reasonDHCPDNSMissing, reasonDHCPDNSDiffers, nil},
		{phone.OptionDomain, "", func(t *Target) []string { return []string{t.Domains.DHCP} },
			readDomain, reasonDHCPDomainMissing, reasonDHCPDomainDiffers, nil},
		{phone.OptionNTPServers, "", func(t *Target) []string { return addressesOf(t.Lease.NTPServers) },
			readAddresses(phone.OptionNTPServers), reasonDHCPTimeDiffers, reasonDHCPTimeDiffers, nil},
	}
	for _, class := range phone.VendorClasses() {
		out = append(out, handed{phone.OptionVendor, class, wantVendor(class),
			readVendor, reasonDHCPVendorMissing, reasonDHCPVendorMissing, nil})
	}
	return append(out,
		handed{phone.OptionWINSServers, "", func(t *Target) []string { return addressesOf(t.Lease.WINSServers) },
			readAddresses(phone.OptionWINSServers), reasonDHCPWINSDiffers, reasonDHCPWINSDiffers, reasonDHCPUnsaid},
		handed{phone.OptionSearch, "", func(t *Target) []string { return t.Domains.Search },
			readSearch, reasonDHCPSearchMissing, reasonDHCPSearchDiffers, reasonDHCPUnsaid},
		handed{phone.OptionSIPServers, "", func(t *Target) []string { return t.Lease.SIPServers },
			readSIPServers, reasonDHCPSIPDiffers, reasonDHCPSIPDiffers, nil})
}

// label is the option's number as administrators write it, and for whom it is.
func (o handed) label() string { return strings.TrimSpace(fmt.Sprintf("%03d %s", o.code, o.class)) }

// handing is what one answer holds of an option.
type handing struct {
	server     string
	got        []string
	unreadable error
}

// handings lists what the servers hand out of an option, answer by answer: to phones, or to the class for which it is meant.
// Option 120 is for phones that ask as either (CONTRACT section 6.4), so that it may come to one of them only.
func (o handed) handings(servers []dhcpServer) []handing {
	var out []handing
	for _, s := range servers {
		own := o.of(s, cmp.Or(o.class, phone.ClassPhone))
		if o.code == phone.OptionSIPServers && !slices.ContainsFunc(own, handing.there) {
			if other := o.of(s, phone.ClassProvisioning); slices.ContainsFunc(other, handing.there) {
				own = other
			}
		}
		out = append(out, own...)
	}
	return out
}

func (o handed) of(s dhcpServer, class string) []handing {
	var out []handing
	for _, a := range s.to(class) {
		got, err := o.read(a.Options)
		out = append(out, handing{s.text(), got, err})
	}
	return out
}

func (h handing) there() bool { return h.got != nil || h.unreadable != nil }

// fits tells whether an answer holds what the site file says, which of option 043 is only whether it is there.
func (o handed) fits(h handing, want []string) bool {
	if h.unreadable != nil {
		return false
	}
	if o.class != "" {
		return (h.got != nil) == (len(want) > 0)
	}
	return sameSet(h.got, want)
}

func readAddresses(code byte) func(phone.DHCPOptions) ([]string, error) {
	return func(o phone.DHCPOptions) ([]string, error) {
		list, err := o.Addresses(code)
		return phone.AddressTexts(list), err
	}
}

func readDomain(o phone.DHCPOptions) ([]string, error) {
	if d := o.Domain(); d != "" {
		return []string{d}, nil
	}
	return nil, nil
}

// readSearch leaves it to judgeSearchForms to tell what cannot be read.
func readSearch(o phone.DHCPOptions) ([]string, error) {
	_, names := o.Search()
	return names, nil
}

func readSIPServers(o phone.DHCPOptions) ([]string, error) { return o.SIPServers() }

// wantVendor gives a word where the site file says that option 043 is handed out to a class: not what is in it.
func wantVendor(class string) func(*Target) []string {
	return func(t *Target) []string {
		switch {
		case t.Lease.VendorClasses == nil:
			return nil
		case slices.Contains(t.Lease.VendorClasses, class):
			return []string{"any"}
		default:
			return []string{}
		}
	}
}

func readVendor(o phone.DHCPOptions) ([]string, error) {
	if _, there := o[phone.OptionVendor]; !there {
		return nil, nil
	}
	_, err := o.Vendor()
	return []string{cmp.Or(vendorText(o), "empty")}, err
}

// addressesOf writes the IPv4 addresses out, which are those that DHCP can hand out.
func addressesOf(servers []netip.AddrPort) []string {
	var out []netip.Addr
	for _, s := range servers {
		if s.Addr().Is4() {
			out = append(out, s.Addr())
		}
	}
	return phone.AddressTexts(out)
}

func sameSet(a, b []string) bool {
	in := func(list []string) func(string) bool { return func(v string) bool { return !slices.Contains(list, v) } }
	return !slices.ContainsFunc(a, in(b)) && !slices.ContainsFunc(b, in(a))
}

// judgeDHCP says what of all that was handed out does not fit, or why nothing was.
func judgeDHCP(t *Target, lease *facts.Lease) []*Failure {
	found := findings{}
	servers := dhcpServers(lease)
	judgeDHCPSilence(lease, len(servers), found)
	judgeUnexpected(t, servers, found)
	if len(servers) > 0 {
		for _, o := range handedOut() {
			o.judge(t, servers, found)
		}
		judgeSearchForms(servers, found)
	}
	if found[reasonDHCPSearchMalformed] != nil { // it is there, only nobody can read it
		delete(found, reasonDHCPSearchMissing)
	}
	return found.failures(DHCP().Reasons)
}

// judgeDHCPSilence looks at the questions without an answer. A server may well answer phones and not INFORM, so
// that silence to it alone proves nothing; no offer to DISCOVER is what phones would meet.
func judgeDHCPSilence(lease *facts.Lease, servers int, found findings) {
	reasons := map[facts.LeaseProblem]*Reason{
		facts.LeaseNotPermitted: reasonDHCPNotPermitted, facts.LeaseNotAsked: reasonDHCPNotAsked,
		facts.LeaseSilent: reasonDHCPServerSilent, facts.LeaseUnreachable: reasonDHCPServerUnreachable, facts.LeaseMalformed: reasonDHCPServerMalformed,
	}
	for _, a := range lease.Answers {
		text := fmt.Sprintf("%s as %s: %s", a.Question, cmp.Or(a.Class, "any class"), a.Detail)
		switch {
		case a.Problem == "":
		case notAsked(a):
			found.add(reasons[a.Problem], fmt.Sprintf("%s: %s", a.Question, a.Detail))
		case a.Question == facts.Discover:
			found.add(reasonDHCPNoOffer, text)
		case a.Server.IsValid():
			found.add(reasons[a.Problem], a.Server.String()+": "+text)
		}
	}
	asked := slices.ContainsFunc(lease.Answers, func(a facts.LeaseAnswer) bool { return !notAsked(a) })
	if servers == 0 && asked && found[reasonDHCPNoOffer] == nil {
		found.add(reasonDHCPUnanswered, "no server answers INFORM")
	}
}

// judgeUnexpected tells of servers that answer a broadcast only, where the site file names others. One that is asked
// by name may give itself another.
func judgeUnexpected(t *Target, servers []dhcpServer, found findings) {
	known := addressesOf(t.DHCP.Servers)
	for _, s := range servers {
		asked := slices.ContainsFunc(s.answers, func(a facts.LeaseAnswer) bool { return a.Question == facts.Inform })
		if known != nil && !asked && !slices.Contains(known, s.name) {
			found.add(reasonDHCPServerUnexpected, s.text()+" makes offers; by the site file "+strings.Join(known, ", "))
		}
	}
}

// judge compares what the servers hand out with the site file and with each other.
func (o handed) judge(t *Target, servers []dhcpServer, found findings) {
	want := o.want(t)
	handings := o.handings(servers)
	var all []string
	lacking, differ := 0, false
	for _, h := range handings {
		text := fmt.Sprintf("option %s of %s: %s", o.label(), h.server, orNone(h.got))
		all = append(all, h.server+" "+orNone(h.got))
		differ = differ || !sameSet(h.got, handings[0].got)
		switch {
		case h.unreadable != nil && o.missing == o.differs: // else it is missing, where it is the only one
			found.add(o.differs, fmt.Sprintf("option %s of %s cannot be read: %v", o.label(), h.server, h.unreadable))
		case h.got == nil:
			lacking++
		case want == nil && o.unsaid != nil:
			found.add(o.unsaid, text)
		case want == nil || o.fits(h, want):
		case o.code == phone.OptionDomain && !strings.Contains(strings.Join(h.got, "."), "."):
			found.add(reasonDHCPDomainNetBIOS, text)
		default:
			found.add(o.differs, text+"; by the site file "+orNone(want))
		}
	}
	if len(want) > 0 && lacking > 0 && lacking == len(handings) {
		found.add(o.missing, fmt.Sprintf("option %s: none that can be read; by the site file %s", o.label(), orNone(want)))
	}
	if differ {
		found.add(reasonDHCPServersDiffer, fmt.Sprintf("option %s: %s", o.label(), strings.Join(all, "; ")))
	}
}

// orNone lists values that a server made up, fit for a terminal and a log.
func orNone(values []string) string {
	return cmp.Or(strings.Trim(fmt.Sprintf("%.200q", strings.Join(values, ", ")), `"`), "none")
}

// judgeSearchForms tells in which form option 119 comes.
func judgeSearchForms(servers []dhcpServer, found findings) {
	reasons := map[phone.SearchForm]*Reason{
		phone.SearchMalformed: reasonDHCPSearchMalformed, phone.SearchText: reasonDHCPSearchText, phone.SearchRFC: reasonDHCPSearchRFC,
	}
	for _, s := range servers {
		for _, a := range s.toPhones() {
			if form, _ := a.Options.Search(); form != "" {
				found.add(reasons[form], fmt.Sprintf("%s: %.120q", s.text(), a.Options[phone.OptionSearch]))
			}
		}
	}
}
