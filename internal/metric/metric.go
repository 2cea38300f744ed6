// Package metric describes the exporter's series (name, unit, labels, help and an example query) and
// serves them to Prometheus from finished, immutable sets: no lock is held while a probe runs or while
// a scrape is written.
package metric

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"

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

	sorted []int     // indexes of Labels in the order of their names
	names  []*string // of Labels; equal ones of any Desc have one pointer
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

var labelNames sync.Map // of *string, by the name

func newDesc(t dto.MetricType, name, help, example string, labels []string) *Desc {
	d := &Desc{Name: name, Help: help, Labels: labels, Example: example, Type: t}
	for i, name := range labels {
		d.sorted = append(d.sorted, i)
		held, _ := labelNames.LoadOrStore(name, &labels[i])
		d.names = append(d.names, held.(*string))
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

// Family is the samples of one Desc, as Prometheus' exposition code takes them.
type Family struct {
	Desc    *Desc
	Metrics []dto.Metric
}

// Set is a finished group of series, ordered by family name. It must not be changed.
type Set []Family

// NewSet finishes samples. A sample with the wrong number of labels or with the labels of an earlier
// one is left out and told in the error, so that one bad series never spoils a scrape; bytes that are
// no UTF-8 are replaced.
func NewSet(samples []Sample) (Set, error) {
	var errs []error
	b := builders.Get().(*builder)
	defer b.release()
	b.samples = append(b.samples, samples...)
	slices.SortStableFunc(b.samples, func(a, b Sample) int { return cmp.Compare(a.Desc.Name, b.Desc.Name) })
	for _, s := range b.samples {
		if len(s.Labels) != len(s.Desc.Labels) {
			errs = append(errs, fmt.Errorf("%s: %d label values, want %d", s.Desc.Name, len(s.Labels), len(s.Desc.Labels)))
		} else if b.add(s) {
			errs = append(errs, fmt.Errorf("%s: two samples with the labels %q", s.Desc.Name, s.Labels))
		}
	}
	return b.set(), errors.Join(errs...)
}
