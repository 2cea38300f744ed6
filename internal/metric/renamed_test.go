package metric

import (
	"testing"
)

func TestRenamed(t *testing.T) {
	d := NewGauge("cx700_a", "A.", "cx700_a", "target", "item")
	other := NewGauge("cx700_b", "B.", "cx700_b", "item")
	set, err := NewSet([]Sample{{Desc: d, Value: 3, Labels: []string{"pool", "pool"}}, {Desc: d, Value: 4, Labels: []string{"else", "x"}},
		{Desc: other, Value: 5, Labels: []string{"pool"}}})
	if err != nil {
		t.Fatal(err)
	}
	texts := func(s Set) (out []string) {
		for _, f := range s {
			for i := range f.Metrics {
				m, text := &f.Metrics[i], f.Desc.Name
				for _, l := range m.Label {
					text += " " + l.GetName() + "=" + l.GetValue()
				}
				out = append(out, text)
			}
		}
		return out
	}
	before := texts(set)
	for i, want := range []string{"cx700_a item=pool target=pool~1", "cx700_a item=x target=else", "cx700_b item=pool"} {
		if got := texts(set.Renamed("target", "pool", "pool~1"))[i]; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if texts(set)[i] != before[i] {
			t.Errorf("the set itself was changed: %s", texts(set)[i])
		}
	}
}
