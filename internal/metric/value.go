package metric

import dto "github.com/prometheus/client_model/go"

// values has room for those of a set that are not shared by all sets.
type values struct {
	gauges   []gaugeOf
	counters []counterOf
}

// gaugeOf and counterOf are those of Prometheus' exposition code together with their value.
type (
	gaugeOf struct {
		dto.Gauge
		value float64
	}
	counterOf struct {
		dto.Counter
		value float64
	}
)

var (
	no, yes     = 0.0, 1.0
	gaugeNo     = &dto.Gauge{Value: &no}
	gaugeYes    = &dto.Gauge{Value: &yes}
	counterNone = &dto.Counter{Value: &no}
)

func newValues(all []series) *values {
	gauges, counters := 0, 0
	for _, s := range all {
		switch {
		case s.value == 0:
		case s.desc.Type == dto.MetricType_COUNTER:
			counters++
		case s.value != 1:
			gauges++
		}
	}
	return &values{make([]gaugeOf, gauges), make([]counterOf, counters)}
}

func (v *values) gauge(value float64) *dto.Gauge {
	switch value {
	case 0:
		return gaugeNo
	case 1:
		return gaugeYes
	}
	g := &v.gauges[0]
	v.gauges = v.gauges[1:]
	g.value = value
	g.Value = &g.value
	return &g.Gauge
}

func (v *values) counter(value float64) *dto.Counter {
	if value == 0 {
		return counterNone
	}
	c := &v.counters[0]
	v.counters = v.counters[1:]
	c.value = value
	c.Value = &c.value
	return &c.Counter
}
