package metric

import (
	"cmp"
	"iter"
	"math"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Gatherer serves the newest sets of its sources together with the families of an ordinary registry
// (Go runtime, process, histograms). Sources must not share label sets, and no family may be both in a
// set and in the registry; the catalogue test holds it to that.
type Gatherer struct {
	// Sources gives the sets to serve now, in a steady order.
	Sources func(yield func(*Set))
	// Registry holds the series that are kept in the ordinary way.
	Registry prometheus.Gatherer
}

var _ prometheus.TransactionalGatherer = (*Gatherer)(nil)

// Gather implements prometheus.TransactionalGatherer. All series are made at once; ServeHTTP needs far less memory.
func (g *Gatherer) Gather() (families []*dto.MetricFamily, done func(), err error) {
	all, err := g.families()
	for _, f := range all {
		for whole := range f.pieces(&room{}, math.MaxInt) {
			families = append(families, whole)
		}
	}
	return families, func() {}, err
}

// served is a family of the registry, or one of sets.
type served struct {
	name       string
	registered *dto.MetricFamily
	desc       *Desc
	parts      []part
}

// part is what a set has of a family.
type part struct {
	set      *Set
	from, to int // in its series
}

// families are all of them, in the order of their names.
func (g *Gatherer) families() ([]served, error) {
	parts := map[*Desc][]part{}
	g.Sources(func(s *Set) {
		from := 0
		for _, f := range s.families {
			parts[f.desc] = append(parts[f.desc], part{s, from, f.end})
			from = f.end
		}
	})
	var out []served
	for desc, of := range parts {
		out = append(out, served{name: desc.Name, desc: desc, parts: of})
	}
	registered, err := g.Registry.Gather()
	for _, f := range registered {
		out = append(out, served{name: f.GetName(), registered: f})
	}
	slices.SortFunc(out, func(a, b served) int { return cmp.Compare(a.name, b.name) })
	return out, err
}

// pieces yields the family in pieces of at most so many series, each in the room, where it is until the next. One of the
// registry is whole.
func (f *served) pieces(r *room, most int) iter.Seq[*dto.MetricFamily] {
	return func(yield func(*dto.MetricFamily) bool) {
		if f.registered != nil {
			yield(f.registered)
			return
		}
		r.begin(f.desc)
		for _, p := range f.parts {
			for _, s := range p.set.series[p.from:p.to] {
				if len(r.metrics) == most {
					if !yield(r.end()) {
						return
					}
					r.begin(f.desc)
				}
				r.add(p.set, s)
			}
		}
		yield(r.end())
	}
}
