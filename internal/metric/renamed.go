package metric

import (
	"slices"

	dto "github.com/prometheus/client_model/go"
)

// Renamed returns the set with another value of a label in the stead of one; the values of series are shared.
func (s Set) Renamed(label, before, after string) Set {
	is := func(p *dto.LabelPair) bool { return p.GetName() == label && p.GetValue() == before }
	pair := &dto.LabelPair{Name: &label, Value: &after}
	out := slices.Clone(s)
	for i, f := range s {
		out[i].Metrics = make([]dto.Metric, len(f.Metrics))
		for k := range f.Metrics {
			m, renamed := &f.Metrics[k], &out[i].Metrics[k]
			renamed.Label, renamed.Gauge, renamed.Counter = m.Label, m.Gauge, m.Counter
			if n := slices.IndexFunc(m.Label, is); n >= 0 {
				renamed.Label = slices.Clone(m.Label)
				renamed.Label[n] = pair
			}
		}
	}
	return out
}
