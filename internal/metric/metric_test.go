package metric

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

var (
	descGauge   = NewGauge("cx700_b", "A gauge.", "cx700_b", "target", "network")
	descCounter = NewCounter("cx700_a_total", "A counter.", "cx700_a_total", "target")
	descBare    = NewGauge("cx700_c", "A gauge without labels.", "cx700_c")
)

func sample(d *Desc, value float64, labels ...string) Sample {
	return Sample{Desc: d, Value: value, Labels: labels}
}

// one is a series as a reader sees it.
type one struct {
	Name   string
	Labels []string // name=value
	Value  float64
}

func flat(set *Set) []one {
	families, _, _ := (&Gatherer{Sources: func(yield func(*Set)) { yield(set) }, Registry: prometheus.NewRegistry()}).Gather()
	var out []one
	for _, f := range families {
		for _, m := range f.Metric {
			out = append(out, oneOf(f.GetName(), m))
		}
	}
	return out
}

func oneOf(name string, m *dto.Metric) one {
	s := one{Name: name, Value: m.GetGauge().GetValue() + m.GetCounter().GetValue() + m.GetUntyped().GetValue()}
	for _, l := range m.Label {
		s.Labels = append(s.Labels, l.GetName()+"="+l.GetValue())
	}
	return s
}

func TestNewSet(t *testing.T) {
	for _, tt := range []struct {
		name    string
		samples []Sample
		want    []one
		err     []string
	}{
		{"nothing", nil, nil, nil},
		{
			"families by name, samples as given, labels by name",
			[]Sample{sample(descGauge, 1, "z", "internal"), sample(descCounter, 2, "x"), sample(descGauge, 3, "a", "internal"), sample(descBare, 4)},
			[]one{
				{"cx700_a_total", []string{"target=x"}, 2}, {"cx700_b", []string{"network=internal", "target=z"}, 1},
				{"cx700_b", []string{"network=internal", "target=a"}, 3}, {"cx700_c", nil, 4},
			},
			nil,
		},
		{
			"the second of two equal ones is left out",
			[]Sample{sample(descCounter, 1, "x"), sample(descCounter, 2, "x"), sample(descCounter, 3, "y"), sample(descBare, 4), sample(descBare, 5)},
			[]one{{"cx700_a_total", []string{"target=x"}, 1}, {"cx700_a_total", []string{"target=y"}, 3}, {"cx700_c", nil, 4}},
			[]string{`cx700_a_total: two samples with the labels ["x"]`, `cx700_c: two samples`},
		},
		{
			"too few and too many labels",
			[]Sample{sample(descGauge, 1, "x"), sample(descCounter, 2, "x", "y"), sample(descBare, 3)},
			[]one{{"cx700_c", nil, 3}},
			[]string{"cx700_b: 1 label values, want 2", "cx700_a_total: 2 label values, want 1"},
		},
		{
			"what is no UTF-8 is replaced",
			[]Sample{sample(descCounter, 1, "M\xfcller"), sample(descCounter, 2, "Müller")},
			[]one{{"cx700_a_total", []string{"target=M\uFFFDller"}, 1}, {"cx700_a_total", []string{"target=Müller"}, 2}},
			nil,
		},
		{
			"equal once it is replaced",
			[]Sample{sample(descCounter, 1, "M\xfcller"), sample(descCounter, 2, "M\xfdller")},
			[]one{{"cx700_a_total", []string{"target=M\uFFFDller"}, 1}},
			[]string{"cx700_a_total: two samples"},
		},
		{
			"different, whatever their bytes join to",
			[]Sample{sample(descGauge, 1, "a\xff", "b"), sample(descGauge, 2, "a", "\xffb")},
			[]one{{"cx700_b", []string{"network=b", "target=a\uFFFD"}, 1}, {"cx700_b", []string{"network=\uFFFDb", "target=a"}, 2}},
			nil,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			set, err := NewSet(tt.samples)
			if diff := cmp.Diff(tt.want, flat(set)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if (err != nil) != (tt.err != nil) {
				t.Fatalf("error %v, want %q", err, tt.err)
			}
			for _, text := range tt.err {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("no %q in: %v", text, err)
				}
			}
		})
	}
}

// TestSetKeepsNothingOfTheSamples changes them once the set is made.
func TestSetKeepsNothingOfTheSamples(t *testing.T) {
	samples := []Sample{sample(descCounter, 1, "x")}
	set, err := NewSet(samples)
	if err != nil {
		t.Fatal(err)
	}
	samples[0].Value, samples[0].Labels[0] = 2, "y"
	if diff := cmp.Diff([]one{{"cx700_a_total", []string{"target=x"}, 1}}, flat(set)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRenamed(t *testing.T) {
	d := NewGauge("cx700_a", "A.", "cx700_a", "target", "item")
	other := NewGauge("cx700_b", "B.", "cx700_b", "item")
	set := mustSet(t, sample(d, 3, "pool", "pool"), sample(d, 4, "else", "x"), sample(other, 5, "pool"))
	before := flat(set)
	renamed, err := set.Renamed("target", "pool", "pool~1")
	if err != nil {
		t.Fatal(err)
	}
	want := []one{
		{"cx700_a", []string{"item=pool", "target=pool~1"}, 3}, {"cx700_a", []string{"item=x", "target=else"}, 4},
		{"cx700_b", []string{"item=pool"}, 5},
	}
	if diff := cmp.Diff(want, flat(renamed)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, flat(set)); diff != "" {
		t.Errorf("the set itself was changed (-before +after):\n%s", diff)
	}
}

// TestSamples gives back what a set was made of.
func TestSamples(t *testing.T) {
	samples := []Sample{sample(descCounter, 2, "x"), sample(descGauge, 1, "z", "internal"), sample(descGauge, 3, "a", "internal"), sample(descBare, 4)}
	got := slices.Collect(mustSet(t, samples...).Samples())
	same := cmp.Comparer(func(a, b *Desc) bool { return a == b })
	if diff := cmp.Diff(samples, got, same, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
