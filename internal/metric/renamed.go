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
	for i, f := range out {
		out[i].Metrics = slices.Clone(f.Metrics)
		for k, m := range f.Metrics {
			if n := slices.IndexFunc(m.Label, is); n >= 0 {
				labels := slices.Clone(m.Label)
				labels[n] = pair
				out[i].Metrics[k] = &dto.Metric{Label: labels, Gauge: m.Gauge, Counter: m.Counter}
			}
		}
	}
	return out
}
