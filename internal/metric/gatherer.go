package metric

import (
	"cmp"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Gatherer serves the newest sets of its sources together with the families of an ordinary registry
// (Go runtime, process, histograms). Sources must not share label sets, and no family may be both in a
// set and in the registry; the catalogue test holds it to that.
type Gatherer struct {
	// Sources gives the sets to serve now, in a steady order.
	Sources func(yield func(Set))
	// Registry holds the series that are kept in the ordinary way.
	Registry prometheus.Gatherer

	scratch sync.Pool
}

var _ prometheus.TransactionalGatherer = (*Gatherer)(nil)

type scratch struct {
	byDesc   map[*Desc]*dto.MetricFamily
	families []*dto.MetricFamily
}

// Gather implements prometheus.TransactionalGatherer. The result is valid until done is called.
func (g *Gatherer) Gather() (families []*dto.MetricFamily, done func(), err error) {
	s, ok := g.scratch.Get().(*scratch)
	if !ok {
		s = &scratch{byDesc: map[*Desc]*dto.MetricFamily{}}
	}
	g.Sources(s.add)
	s.families = s.families[:0]
	for _, f := range s.byDesc {
		if len(f.Metric) > 0 {
			s.families = append(s.families, f)
		}
	}
	registered, err := g.Registry.Gather()
	s.families = append(s.families, registered...)
	slices.SortFunc(s.families, func(a, b *dto.MetricFamily) int { return cmp.Compare(a.GetName(), b.GetName()) })
	return s.families, func() { g.release(s) }, err
}

func (s *scratch) add(set Set) {
	for _, family := range set {
		f := s.byDesc[family.Desc]
		if f == nil {
			d := family.Desc
			f = &dto.MetricFamily{Name: &d.Name, Help: &d.Help, Type: &d.Type}
			s.byDesc[d] = f
		}
		for i := range family.Metrics {
			f.Metric = append(f.Metric, &family.Metrics[i])
		}
	}
}

// release empties the slices before they are kept, lest they hold the series of removed targets.
func (g *Gatherer) release(s *scratch) {
	for _, f := range s.byDesc {
		clear(f.Metric)
		f.Metric = f.Metric[:0]
	}
	clear(s.families)
	g.scratch.Put(s)
}
