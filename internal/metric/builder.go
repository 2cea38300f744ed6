package metric

import (
	"strings"

	dto "github.com/prometheus/client_model/go"
)

// builder makes the series of one set. They share what is equal among them, which is most: a target's name, a site, a
// gauge that is 0 or 1.
type builder struct {
	pairs   map[pairKey]*dto.LabelPair
	metrics []dto.Metric
	labels  []*dto.LabelPair
	seen    map[string]bool // the labels of the family's series
	key     []byte
}

type pairKey struct{ name, value string }

// pair is a label pair together with its value.
type pair struct {
	dto.LabelPair
	value string
}

func newBuilder(samples []Sample) *builder {
	labels := 0
	for _, s := range samples {
		labels += len(s.Labels)
	}
	return &builder{
		pairs:   map[pairKey]*dto.LabelPair{},
		metrics: make([]dto.Metric, len(samples)),
		labels:  make([]*dto.LabelPair, labels),
		seen:    map[string]bool{},
	}
}

// metric makes a series, unless it was made before.
func (b *builder) metric(s Sample) (m *dto.Metric, again bool) {
	n := len(s.Labels)
	labels := b.labels[:n:n]
	b.key = b.key[:0]
	for i, from := range s.Desc.sorted {
		labels[i] = b.pair(&s.Desc.Labels[from], s.Labels[from])
		b.key = append(append(b.key, labels[i].GetValue()...), '\xff') // no such byte is in valid UTF-8
	}
	if b.seen[string(b.key)] {
		return nil, true
	}
	b.seen[string(b.key)] = true
	m, b.metrics, b.labels = &b.metrics[0], b.metrics[1:], b.labels[n:]
	m.Label = labels
	if s.Desc.Type == dto.MetricType_COUNTER {
		value := s.Value // alone, lest it holds the sample
		m.Counter = &dto.Counter{Value: &value}
	} else {
		m.Gauge = gauge(s.Value)
	}
	return m, false
}

func (b *builder) pair(name *string, value string) *dto.LabelPair {
	k := pairKey{*name, value}
	known := b.pairs[k]
	if known == nil {
		p := &pair{value: strings.ToValidUTF8(value, "\uFFFD")}
		p.Name, p.Value = name, &p.value
		known = &p.LabelPair
		b.pairs[k] = known
	}
	return known
}

var gaugeNo, gaugeYes = newGauge(0), newGauge(1)

func newGauge(value float64) *dto.Gauge { return &dto.Gauge{Value: &value} }

func gauge(value float64) *dto.Gauge {
	switch value {
	case 0:
		return gaugeNo
	case 1:
		return gaugeYes
	default:
		return newGauge(value)
	}
}
