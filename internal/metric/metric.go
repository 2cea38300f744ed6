// Package metric describes the exporter's series (name, unit, labels, help and an example query) and
// serves them to Prometheus from finished, immutable sets: no lock is held while a probe runs or while
// a scrape is written.
package metric

import (
	"cmp"
	"slices"

	dto "github.com/prometheus/client_model/go"
)

// Desc describes one metric family.
type Desc struct {
	Name string
	Help string
	// Labels in the order in which samples give their values.
	Labels []string
	// Example is a PromQL query that a reader can start from.
	Example string
	Type    dto.MetricType

	sorted []int // indexes of Labels in the order of their names
}

// NewGauge describes a gauge.
func NewGauge(name, help, example string, labels ...string) *Desc {
	return newDesc(dto.MetricType_GAUGE, name, help, example, labels)
}

// NewCounter describes a counter; its name ends in _total.
func NewCounter(name, help, example string, labels ...string) *Desc {
	return newDesc(dto.MetricType_COUNTER, name, help, example, labels)
}

// NewHistogram describes a histogram. No Set holds its series: client_golang keeps them, in a registry.
func NewHistogram(name, help, example string, labels ...string) *Desc {
	return newDesc(dto.MetricType_HISTOGRAM, name, help, example, labels)
}

func newDesc(t dto.MetricType, name, help, example string, labels []string) *Desc {
	d := &Desc{Name: name, Help: help, Labels: labels, Example: example, Type: t}
	for i := range labels {
		d.sorted = append(d.sorted, i)
	}
	slices.SortFunc(d.sorted, func(a, b int) int { return cmp.Compare(labels[a], labels[b]) })
	return d
}

// Sample is one series and its value.
type Sample struct {
	Desc   *Desc
	Value  float64
	Labels []string // values, in the order of Desc.Labels
}
