package phone

import (
	"cmp"
	"net/netip"
	"slices"
)

// Candidate is one entry of a registrar order: an SRV record, or a host with a port.
type Candidate struct {
	Name string
	Type RecordType
	// Port of an A candidate; an SRV record brings its own.
	Port uint16
}

// Candidates lists where a phone looks for its registrar, in order (guide pages 4, 18 and 19).
func (d Domains) Candidates(order RegistrarOrder) []Candidate {
	srv := func(service string) Candidate { return Candidate{Name: service + d.SIP, Type: SRV} }
	host := func(label string, port uint16) Candidate {
		return Candidate{Name: label + "." + d.SIP, Type: A, Port: port}
	}
	switch order {
	case TraceOrder:
		return []Candidate{
			srv(srvInternalTLS), srv(srvInternalTCP), srv(srvExternalTLS), srv(srvExternalTCP),
			host("sip", 5061), host("sip", 443),
		}
	case LyncOrder:
		return []Candidate{
			srv(srvInternalTLS), srv(srvInternalTCP), srv(srvExternalTLS), srv(srvExternalTCP),
		}
	default:
		return []Candidate{
			srv(srvInternalTLS), srv(srvExternalTLS), srv(srvInternalTCP),
			host("sipinternal", 5061), host("sipinternal", 443),
			host("sip", 5061), host("sip", 443),
			host("sipexternal", 5061), host("sipexternal", 443),
		}
	}
}

// Endpoint is a registrar that the phone's lookups led to.
type Endpoint struct {
	// From is the entry of the order that led here, Asked the exact name that answered: From.Name, or
	// that with a DNS suffix.
	From  Candidate
	Asked string
	// Host and Port are what the phone connects to; Host is the name it expects in the certificate.
	Host      string
	Port      uint16
	Addresses []netip.Addr
	// OutsideSIPDomain marks an SRV target that does not lie in the SIP domain.
	OutsideSIPDomain bool
}

// Suffixed tells that only a concatenated name such as sip.fabrikam.com.contoso.com answered, which
// nobody creates on purpose.
func (e Endpoint) Suffixed() bool { return e.Asked != e.From.Name }

// Usable tells whether a phone would connect to the endpoint.
func (e Endpoint) Usable(strictSRV bool) bool {
	return len(e.Addresses) > 0 && (!strictSRV || !e.OutsideSIPDomain)
}

// Endpoints follows an order through what DNS answers and returns every registrar it leads to, also
// those the phone would pass over: SRV targets without an address, or outside the SIP domain.
func (d Domains) Endpoints(order RegistrarOrder, find Find) []Endpoint {
	var out []Endpoint
	for _, c := range d.Candidates(order) {
		asked, records := d.Resolve(find, c.Name, c.Type)
		if c.Type == A {
			if len(records.Addresses) > 0 {
				out = append(out, Endpoint{From: c, Asked: asked, Host: c.Name, Port: c.Port, Addresses: records.Addresses})
			}
			continue
		}
		for _, s := range ByPriority(records.Services) {
			out = append(out, Endpoint{
				From: c, Asked: asked, Host: s.Target, Port: s.Port,
				Addresses:        find(s.Target, A).Addresses,
				OutsideSIPDomain: !Within(s.Target, d.SIP),
			})
		}
	}
	return out
}

// FirstUsable returns the registrar that the phone would connect to first.
func FirstUsable(endpoints []Endpoint, strictSRV bool) (Endpoint, bool) {
	i := slices.IndexFunc(endpoints, func(e Endpoint) bool { return e.Usable(strictSRV) })
	if i < 0 {
		return Endpoint{}, false
	}
	return endpoints[i], true
}

// ByPriority orders SRV records as RFC 2782 asks: lowest priority first. Within one priority the
// heavier and then the alphabetically first target leads, so that the order is steady.
func ByPriority(services []Service) []Service {
	out := slices.Clone(services)
	slices.SortFunc(out, func(a, b Service) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(b.Weight, a.Weight),
			cmp.Compare(a.Target, b.Target), cmp.Compare(a.Port, b.Port))
	})
	return out
}
