package metric

import (
	"slices"

	dto "github.com/prometheus/client_model/go"
)

// room holds some series of a family in the structs of Prometheus' exposition code, which are ten times as large as a
// set's, and is used again for the next. A slice of it that must grow leaves behind what points into it, which stays.
type room struct {
	desc     *Desc
	metrics  []dto.Metric
	lists    []*dto.LabelPair // list after list
	labels   []label
	gauges   []gauge
	counters []counter

	set    *Set // of the last series
	list   []uint32
	family dto.MetricFamily
}

// label, gauge and counter are structs of the exposition code together with what they point to.
type (
	label struct {
		dto.LabelPair
		value string
	}
	gauge struct {
		dto.Gauge
		value float64
	}
	counter struct {
		dto.Counter
		value float64
	}
)

func (r *room) begin(d *Desc) {
	r.desc, r.set = d, nil
	r.metrics, r.lists, r.labels, r.gauges, r.counters = r.metrics[:0], r.lists[:0], r.labels[:0], r.gauges[:0], r.counters[:0]
}

// add takes a series of a set in. Labels that are those of the series before are shared with it.
func (r *room) add(set *Set, s series) {
	list, from, again := set.lists[s.list:][:len(r.desc.Labels)], len(r.lists), r.set == set
	for k, at := range list {
		if again && r.list[k] == at {
			r.lists = append(r.lists, r.lists[from-len(list)+k])
		} else {
			r.lists = append(r.lists, r.label(&r.desc.Labels[r.desc.sorted[k]], set.texts[at]))
		}
	}
	r.set, r.list = set, list
	r.metrics = slices.Grow(r.metrics, 1)[:len(r.metrics)+1]
	m := &r.metrics[len(r.metrics)-1]
	m.Label, m.Gauge, m.Counter = r.lists[from:len(r.lists):len(r.lists)], nil, nil
	if r.desc.Type == dto.MetricType_COUNTER {
		m.Counter = r.counter(s.value)
	} else {
		m.Gauge = r.gauge(s.value)
	}
}

// end gives what was taken in since begin. It is there until the next begin.
func (r *room) end() *dto.MetricFamily {
	f := &r.family
	f.Name, f.Help, f.Type, f.Metric = &r.desc.Name, &r.desc.Help, &r.desc.Type, f.Metric[:0]
	for i := range r.metrics {
		f.Metric = append(f.Metric, &r.metrics[i])
	}
	return f
}

func (r *room) label(name *string, value string) *dto.LabelPair {
	r.labels = append(r.labels, label{value: value})
	l := &r.labels[len(r.labels)-1]
	l.Name, l.Value = name, &l.value
	return &l.LabelPair
}

func (r *room) gauge(value float64) *dto.Gauge {
	r.gauges = append(r.gauges, gauge{value: value})
	g := &r.gauges[len(r.gauges)-1]
	g.Value = &g.value
	return &g.Gauge
}

func (r *room) counter(value float64) *dto.Counter {
	r.counters = append(r.counters, counter{value: value})
	c := &r.counters[len(r.counters)-1]
	c.Value = &c.value
	return &c.Counter
}
