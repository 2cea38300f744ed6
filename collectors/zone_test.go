package collectors

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/site"
)

// zone is what a resolver answers, by record type and name: "A sip.contoso.com".
type zone map[string]facts.Lookup

func addresses(all ...string) facts.Lookup {
	l := facts.Lookup{Outcome: facts.Answered}
	for _, a := range all {
		l.Addresses = append(l.Addresses, netip.MustParseAddr(a))
	}
	return l
}

func services(port uint16, targets ...string) facts.Lookup {
	l := facts.Lookup{Outcome: facts.Answered}
	for _, target := range targets {
		l.Services = append(l.Services, phone.Service{Target: target, Port: port})
	}
	return l
}

func outcome(o facts.Outcome) facts.Lookup { return facts.Lookup{Outcome: o, Detail: "as seen"} }

// contoso is a zone in which nothing is missing inside.
func contoso() zone {
	return zone{
		"SRV _sipinternaltls._tcp.contoso.com": services(5061, "pool01.contoso.com"),
		"A pool01.contoso.com":                 addresses("192.168.7.20"),
		"A sip.contoso.com":                    addresses("192.168.7.20"),
		"SRV _ntp._udp.contoso.com":            services(123, "dc01.contoso.com"),
		"A dc01.contoso.com":                   addresses("192.168.7.5"),
		"A ucupdates-r2.corp.contoso.com":      addresses("192.168.7.20"),
		"A autodiscover.contoso.com":           addresses("192.168.7.30"),
	}
}

// contosoTarget is a target of phones at contoso.com in the network that is given.
func contosoTarget(collector string, network site.NetworkName) *Target {
	return &Target{
		Collector: collector, Network: network, Name: "contoso.com@192.168.7.5", MaxOffset: DefaultMaxOffset,
		Domains: phone.Domains{SIP: "contoso.com", SMTP: "contoso.com", DHCP: "corp.contoso.com"}, Firmware: phone.KnownFirmware(),
	}
}

// walked is a walk in which each zone is what one resolver answers. Questions that it does not hold get
// NXDOMAIN. Random names are marked as such.
func walked(t *Target, zones ...zone) *facts.Names {
	names := &facts.Names{}
	for i, z := range zones {
		full := zone{}
		for _, q := range t.Domains.Questions() {
			full[string(q.Type)+" "+q.Name] = outcome(facts.NXDomain)
		}
		maps.Copy(full, z)
		walk := facts.Walk{Resolver: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 168, 7, byte(5 + i)}), 53)}
		for _, key := range slices.Sorted(maps.Keys(full)) {
			l := full[key]
			kind, name, _ := strings.Cut(key, " ")
			l.Type, l.Name, l.Random = phone.RecordType(kind), name, strings.HasPrefix(name, "cx700-")
			walk.Lookups = append(walk.Lookups, l)
		}
		names.Walks = append(names.Walks, walk)
	}
	return names
}

// but returns a copy of the zone with some entries changed.
func (z zone) but(changes zone) zone {
	out := maps.Clone(z)
	maps.Copy(out, changes)
	return out
}

func (z zone) without(keys ...string) zone {
	out := maps.Clone(z)
	for _, key := range keys {
		delete(out, key)
	}
	return out
}

// everything gives one answer to all that is in the zone.
func (z zone) everything(l facts.Lookup, target *Target) zone {
	out := zone{}
	for key := range z {
		out[key] = l
	}
	for _, q := range target.Domains.Questions() {
		out[string(q.Type)+" "+q.Name] = l
	}
	return out
}

// compareReasons holds a judgement to the reasons wanted and notes those it gave.
func compareReasons(t *testing.T, want []string, got []*Failure, produced map[string]bool) {
	t.Helper()
	var names []string
	for _, f := range got {
		names = append(names, f.Reason.Name)
		produced[f.Reason.Name] = true
		if f.Err.Error() == "" {
			t.Errorf("%s does not tell what was seen", f.Reason.Name)
		}
	}
	slices.Sort(names)
	want = slices.Sorted(slices.Values(want))
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// everyReasonProduced holds the cases of a collector to its whole set of reasons.
func everyReasonProduced(t *testing.T, c *Collector, produced map[string]bool) {
	t.Helper()
	for _, r := range c.Reasons {
		if !produced[r.Name] {
			t.Errorf("no case gives %s", r.Name)
		}
		delete(produced, r.Name)
	}
	for name := range produced {
		t.Errorf("%s is not in the collector's list of reasons", name)
	}
}
