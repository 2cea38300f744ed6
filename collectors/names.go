package collectors

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// nameView reads a walk as a phone would experience it: it takes each answer from the first resolver
// that gives one, and turns to the next only when a resolver does not answer.
type nameView struct{ names *facts.Names }

// lookup returns the answer that counts for a phone; ok is false when no resolver settled it. The empty
// name is the root, to which an SRV record points where there is no such service (RFC 2782); nobody asks
// for its address.
func (v nameView) lookup(name string, t phone.RecordType) (l facts.Lookup, ok bool) {
	if name == "" {
		return facts.Lookup{Type: t, Outcome: facts.Empty}, true
	}
	for _, walk := range v.names.Walks {
		for _, l := range walk.Lookups {
			if l.Name == name && l.Type == t && l.Outcome.Settled() {
				return l, true
			}
		}
	}
	return facts.Lookup{}, false
}

// find is the view as phone.Find.
func (v nameView) find(name string, t phone.RecordType) phone.Records {
	l, _ := v.lookup(name, t)
	return l.Records
}

// settled tells whether some resolver said that the name has the record or has not.
func (v nameView) settled(name string, t phone.RecordType) bool {
	_, ok := v.lookup(name, t)
	return ok
}

// only tells whether the resolvers left a question unsettled in these ways and in no other.
func (v nameView) only(name string, t phone.RecordType, outcomes ...facts.Outcome) bool {
	some := false
	for _, walk := range v.names.Walks {
		for _, l := range walk.Lookups {
			if l.Name == name && l.Type == t {
				some = true
				if !slices.Contains(outcomes, l.Outcome) {
					return false
				}
			}
		}
	}
	return some
}

// wildcards are the zones in which a made-up name answered, and with what.
type wildcards struct {
	zones     []string
	addresses []netip.Addr
}

func (v nameView) wildcards() wildcards {
	var out wildcards
	for _, walk := range v.names.Walks {
		for _, l := range walk.Lookups {
			_, zone, _ := strings.Cut(l.Name, ".")
			if l.Random && l.Outcome == facts.Answered {
				out.addresses = append(out.addresses, l.Addresses...)
				if !slices.Contains(out.zones, zone) {
					out.zones = append(out.zones, zone)
				}
			}
		}
	}
	return out
}

// less takes out the addresses to which SRV records lead as well: a wildcard with the pool's own address
// leads nobody astray.
func (w wildcards) less(endpoints []phone.Endpoint) wildcards {
	w.addresses = slices.DeleteFunc(slices.Clone(w.addresses), func(a netip.Addr) bool {
		return slices.ContainsFunc(endpoints, func(e phone.Endpoint) bool {
			return e.From.Type == phone.SRV && slices.Contains(e.Addresses, a)
		})
	})
	return w
}

// answer tells whether a wildcard led to an endpoint: by a name with a suffix, or with the addresses that
// made-up names get.
func (w wildcards) answer(e phone.Endpoint) bool {
	inZone := slices.ContainsFunc(w.zones, func(z string) bool { return phone.Within(e.Asked, z) })
	asMadeUp := e.From.Type == phone.A && slices.ContainsFunc(e.Addresses, func(a netip.Addr) bool { return slices.Contains(w.addresses, a) })
	return inZone && (e.Suffixed() || asMadeUp)
}
