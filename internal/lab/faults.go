package lab

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/miekg/dns"
)

// Fault is something that can go wrong in the lab, and what an exporter is expected to say of it.
type Fault struct {
	Name string
	// Network and Collector say where it shows.
	Network   string
	Collector string
	// Reasons are those that this collector finds; none when the fault hurts nobody.
	Reasons []string
	// Also holds the reasons that other collectors of that network find.
	Also map[string][]string
	Text string
}

type fault struct {
	Fault
	apply func(*state)
}

// Faults lists what can go wrong.
func Faults() []Fault {
	var out []Fault
	for _, f := range faultTable() {
		out = append(out, f.Fault)
	}
	return out
}

func faultTable() []fault {
	return slices.Concat(dhcpFaults(), nameFaults(), clockFaults(), winsFaults(), directoryFaults(), certsrvFaults(), poolFaults(), sipFaults(),
		exchangeFaults(), updateFaults(), firmwareFaults(), trustFaults(), vantageFaults(), siteFileFaults())
}

// with adds the reasons that other collectors find.
func with(f fault, also map[string][]string) fault {
	f.Also = also
	return f
}

func nameFaults() []fault {
	dnsInside := func(name, text string, apply func(*state), reasons ...string) fault {
		return fault{Fault{Name: name, Network: "internal", Collector: "dns", Reasons: reasons, Text: text}, apply}
	}
	dnsOutside := func(name, text string, apply func(*state), reasons ...string) fault {
		return fault{Fault{Name: name, Network: "external", Collector: "dns", Reasons: reasons, Text: text}, apply}
	}
	blind := func(f fault) fault {
		return with(f, map[string][]string{
			"ntp": {"time_names_unanswered"}, "directory": {"dc_names_unanswered"}, "certsrv": {"certsrv_host_unknown"},
			"pool": {"pool_names_unanswered"}, "sip": {"sip_names_unanswered"}, "exchange": {"exchange_names_unanswered"},
			"update": {"update_names_unanswered"}, "firmware": {"firmware_names_unanswered"}, "firmware_download": {"firmware_names_unanswered"},
		})
	}
	misdirected := func(f fault) fault { return with(f, map[string][]string{"pool": {"pool_unreachable"}}) }
	return []fault{
		dnsInside("srv_dropped", "SRV _sipinternaltls._tcp is gone", drops(sipInternalSRV), "srv_missing"),
		with(dnsInside("sip_a_dropped", "A sip is gone", drops(sipName), "sip_a_missing", "srv_outside_sip_domain"),
			map[string][]string{"pool": {"pool_outside_sip_domain"}, "sip": {"sip_no_connection"}}),
		with(dnsInside("registrar_gone", "no name leads to the pool any more", drops(sipInternalSRV, sipName),
			"registrar_not_found", "srv_missing", "sip_a_missing"), map[string][]string{"pool": {"pool_no_registrar"}, "sip": {"sip_no_connection"}}),
		with(dnsInside("srv_target_gone", "the SRV record points to a name without an address", drops(poolName), "srv_target_unresolved"),
			map[string][]string{"update": {"update_unresolved"}, "firmware": {"firmware_unresolved"}}),
		dnsInside("ntp_srv_dropped", "SRV _ntp._udp is gone; time.windows.com is left", drops(ntpSRV), "time_srv_missing"),
		with(dnsInside("autodiscover_dropped", "A autodiscover is gone", drops(autodiscoverName), "autodiscover_missing"),
			map[string][]string{"exchange": {"autodiscover_unresolved"}}),
		dnsInside("ucupdates_dropped", "A ucupdates-r2 is gone", drops(updateName), "update_name_missing"),
		misdirected(dnsInside("wildcard", "the DHCP domain has a wildcard record", wildcard(dhcpDomain), "wildcard_zone", "wildcard_misdirects")),
		misdirected(dnsInside("wildcard_sip", "the SIP domain has a wildcard record", wildcard(sipDomain), "wildcard_zone", "wildcard_misdirects")),
		with(dnsInside("registrar_wildcard", "only a wildcard record leads to a registrar", func(s *state) {
			drops(sipInternalSRV, sipName)(s)
			wildcard(sipDomain)(s)
		}, "registrar_by_wildcard", "srv_missing", "wildcard_zone", "wildcard_misdirects"),
			map[string][]string{"pool": {"pool_unavailable", "pool_unreachable"}, "sip": {"sip_no_connection"}}),
		blind(dnsInside("dns_servfail", "both resolvers answer SERVFAIL", resolversDo(servfail), "registrar_unresolved", "resolver_servfail")),
		blind(dnsInside("dns_refused", "both resolvers refuse", resolversDo(refuses), "registrar_unknown", "resolver_refused")),
		blind(dnsInside("dns_silent", "both resolvers are silent", resolversDo(silent), "registrar_unresolved", "resolver_timeout")),
		blind(dnsInside("dns_garbage", "both resolvers answer garbage", resolversDo(garbage), "registrar_unresolved", "resolver_malformed")),
		blind(dnsInside("dns_truncated", "answers need TCP, and TCP brings none", resolversDo(truncatesForGood),
			"registrar_unresolved", "resolver_truncated")),
		dnsInside("dns_one_silent", "the second resolver is silent", secondResolver(silent), "resolver_timeout"),
		dnsInside("dns_lying", "the second resolver leads to another pool", lies, "resolvers_disagree"),
		dnsInside("dns_long_answer", "answers need TCP, which works: nothing is wrong", resolversDo(truncatesUDP)),
		dnsOutside("external_srv_dropped", "SRV _sip._tls is gone outside", dropsOutside(sipExternalSRV), "srv_missing"),
		with(dnsOutside("reverse_proxy_dropped", "the reverse proxy's name is gone outside", dropsOutside(reverseProxyName),
			"reverse_proxy_missing"), map[string][]string{"update": {"update_unresolved"}}),
	}
}

func clockFaults() []fault {
	ntp := func(name, text string, apply func(*state), reasons ...string) fault {
		return fault{Fault{Name: name, Network: "internal", Collector: "ntp", Reasons: reasons, Text: text}, apply}
	}
	return []fault{
		with(ntp("ntp_no_source", "neither the SRV record nor time.windows.com is there", drops(ntpSRV, windowsTimeName), "time_source_missing"),
			map[string][]string{"dns": {"time_srv_missing"}}),
		ntp("ntp_down", "nothing listens where the SRV record leads", moved(ntpName), "time_unreachable"),
		ntp("ntp_one_off", "a second address of the time server is seven minutes ahead", func(s *state) {
			s.clocks[secondClock].offset = farOff
			for _, i := range []int{inside1, inside2} {
				first := s.resolvers[i].records[ntpName][0].(*dns.A).A
				s.resolvers[i].records[ntpName] = append(s.resolvers[i].records[ntpName], a(ntpName, netip.AddrFrom4([4]byte(first.To4())).Next()))
			}
		}, "time_server_off"),
		ntp("ntp_off", "the time server is seven minutes ahead", clockIs(insideClock, clockState{offset: farOff}), "time_off"),
		ntp("ntp_unsynchronised", "the time server has lost its source", clockIs(insideClock, clockState{mode: unsynchronised}),
			"time_unavailable", "time_unsynchronised"),
		ntp("ntp_silent", "the time server is silent", clockIs(insideClock, clockState{mode: mute}), "time_unavailable", "time_silent"),
		ntp("ntp_kiss", "the time server sends kiss-o'-death", clockIs(insideClock, clockState{mode: kisses}), "time_unavailable", "time_kiss"),
		ntp("ntp_garbage", "the time server answers garbage", clockIs(insideClock, clockState{mode: babbles}), "time_unavailable", "time_malformed"),
		{Fault{Name: "external_ntp_silent", Network: "external", Collector: "ntp", Text: "the time server outside is silent",
			Reasons: []string{"time_unavailable", "time_silent"}}, clockIs(outsideClock, clockState{mode: mute})},
	}
}

const farOff = 7 * time.Minute

func drops(names ...string) func(*state) {
	return func(s *state) {
		for _, n := range names {
			delete(s.resolvers[inside1].records, n)
			delete(s.resolvers[inside2].records, n)
		}
	}
}

func dropsOutside(name string) func(*state) {
	return func(s *state) { delete(s.resolvers[outside].records, name) }
}

func resolversDo(mode resolverMode) func(*state) {
	return func(s *state) { s.resolvers[inside1].mode, s.resolvers[inside2].mode = mode, mode }
}

func secondResolver(mode resolverMode) func(*state) {
	return func(s *state) { s.resolvers[inside2].mode = mode }
}

// failsFor lets both resolvers fail at a name.
func failsFor(name string) func(*state) {
	return func(s *state) { s.resolvers[inside1].broken, s.resolvers[inside2].broken = name, name }
}

func wildcard(zone string) func(*state) {
	return func(s *state) { s.resolvers[inside1].wildcard, s.resolvers[inside2].wildcard = zone, zone }
}

func lies(s *state) {
	wrong := netip.AddrFrom4([4]byte{192, 0, 2, 66})
	for _, name := range []string{sipName, poolName} {
		s.resolvers[inside2].records[name] = []dns.RR{a(name, wrong)}
	}
}

// moved leads names to an address where nothing listens, as if their server were down.
func moved(names ...string) func(*state) {
	nobody := netip.AddrFrom4([4]byte{192, 0, 2, 13})
	return func(s *state) {
		for _, n := range names {
			dropsAddress(n)(s)
			for _, i := range []int{inside1, inside2} {
				s.resolvers[i].records[n] = append(s.resolvers[i].records[n], a(n, nobody))
			}
		}
	}
}

// dropsAddress deletes the A records of a name and leaves the rest, as a zone's name needs it.
func dropsAddress(name string) func(*state) {
	return func(s *state) {
		for _, i := range []int{inside1, inside2} {
			s.resolvers[i].records[name] = slices.DeleteFunc(s.resolvers[i].records[name], func(rr dns.RR) bool {
				return rr.Header().Rrtype == dns.TypeA
			})
		}
	}
}

func clockIs(which int, c clockState) func(*state) {
	return func(s *state) { s.clocks[which] = c }
}

// PrintFaults writes the list of faults.
func PrintFaults(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range Faults() {
		fmt.Fprintf(table, "%s\t%s\t%s\n", f.Name, f.Network, f.Text)
		if f.Reasons == nil {
			fmt.Fprintln(table, "\t\tnothing")
		}
		const perLine = 3
		for some := range slices.Chunk(f.Reasons, perLine) {
			fmt.Fprintf(table, "\t\t%s: %s\n", f.Collector, strings.Join(some, ", "))
		}
	}
	return table.Flush()
}
