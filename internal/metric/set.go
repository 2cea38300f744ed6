package metric

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"
)

// Set is a finished group of series, family after family in the order of their names. It is not changed once it is made,
// and small: series are held as a number and a list of texts, both of which they share with others of the set.
type Set struct {
	families []family
	series   []series
	lists    []uint32 // list after list: where in texts the values of labels are, in the order of the labels' names
	texts    []string // each once
}

// family is where the series of a Desc end; they begin with the end of the family before.
type family struct {
	desc *Desc
	end  int
}

type series struct {
	value float64
	list  uint32 // where it begins in lists
}

// NewSet finishes samples. A sample with the wrong number of labels or with the labels of an earlier
// one is left out and told in the error, so that one bad series never spoils a scrape; bytes that are
// no UTF-8 are replaced.
func NewSet(samples []Sample) (*Set, error) {
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

// Samples yields the series.
func (s *Set) Samples() iter.Seq[Sample] {
	return func(yield func(Sample) bool) {
		from := 0
		for _, f := range s.families {
			for _, one := range s.series[from:f.end] {
				labels := make([]string, len(f.desc.Labels))
				for k, i := range f.desc.sorted {
					labels[i] = s.texts[s.lists[int(one.list)+k]]
				}
				if !yield(Sample{f.desc, one.value, labels}) {
					return
				}
			}
			from = f.end
		}
	}
}

// Renamed returns the set with another value of a label in the stead of one.
func (s *Set) Renamed(label, before, after string) (*Set, error) {
	samples := slices.Collect(s.Samples())
	for _, one := range samples {
		if i := slices.Index(one.Desc.Labels, label); i >= 0 && one.Labels[i] == before {
			one.Labels[i] = after
		}
	}
	return NewSet(samples)
}
