package collectors

import (
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
