package alerts

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/cx700/cx700_exporter/internal/catalogue"
	"github.com/cx700/cx700_exporter/internal/metric"
)

// inTemplate finds the queries in annotations, with %q where a label's value comes in.
var inTemplate = regexp.MustCompile("printf `([^`]*)`")

// series finds what a selector asks for; nil where the catalogue has no such series.
func series(name string) *metric.Desc {
	for _, d := range catalogue.Metrics() {
		if d.Name == name || d.Type == dto.MetricType_HISTOGRAM && d.Name+"_bucket" == name {
			return d
		}
	}
	return nil
}

// expressions lists every expression of the rules and of their annotations, by the rule's name.
func expressions() map[string][]string {
	out := map[string][]string{}
	for _, p := range parts(DefaultURLs()) {
		for _, g := range p.groups {
			for _, r := range g.Rules {
				name := r.Alert + r.Record
				out[name] = append(out[name], r.Expr)
				for _, text := range r.Annotations {
					for _, m := range inTemplate.FindAllStringSubmatch(text, -1) {
						out[name] = append(out[name], strings.ReplaceAll(m[1], "%q", `"x"`))
					}
				}
			}
		}
	}
	return out
}

// TestSelectors holds every expression to series that exist, or are recorded here, and to labels that they have.
func TestSelectors(t *testing.T) {
	promql := parser.NewParser(parser.Options{})
	all := expressions()
	asked := 0
	for rule, exprs := range all {
		for _, text := range exprs {
			expr, err := promql.ParseExpr(text)
			if err != nil {
				t.Errorf("%s: %v\n%s", rule, err, text)
				continue
			}
			known := []string{}
			for _, matchers := range parser.ExtractSelectors(expr) {
				asked++
				known = append(known, checkSelector(t, rule, all, matchers)...)
			}
			checkGrouping(t, rule, expr, known)
		}
	}
	if asked == 0 {
		t.Error("no rule asks for anything")
	}
}

// checkSelector checks one selector and returns the labels that its series have.
func checkSelector(t *testing.T, rule string, all map[string][]string, matchers []*labels.Matcher) []string {
	t.Helper()
	name := ""
	for _, m := range matchers {
		if m.Name == model.MetricNameLabel {
			name = m.Value
		}
	}
	has := []string{"job", "instance"} // Prometheus' own
	switch d := series(name); {
	case d != nil:
		has = append(has, append(slices.Clone(d.Labels), "le")...)
	case name == "up":
	case name == "ALERTS": // Prometheus' own
		has = append(has, "alertname", "alertstate", "site", "network", "step", "target")
	case all[name] != nil: // recorded; the level in its name says by which labels
		level, _, _ := strings.Cut(name, ":")
		has = append(has, strings.Split(level, "_")...)
	default:
		t.Errorf("%s asks for %s, which nobody gives", rule, name)
	}
	for _, m := range matchers {
		if m.Name != model.MetricNameLabel && !slices.Contains(has, m.Name) {
			t.Errorf("%s asks for the label %s of %s, which has %v", rule, m.Name, name, has)
		}
	}
	return has
}

// checkGrouping checks the labels by which an expression groups and joins.
func checkGrouping(t *testing.T, rule string, expr parser.Expr, known []string) {
	t.Helper()
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		var by []string
		switch n := n.(type) {
		case *parser.AggregateExpr:
			by = n.Grouping
		case *parser.BinaryExpr:
			if n.VectorMatching != nil {
				by = append(slices.Clone(n.VectorMatching.MatchingLabels), n.VectorMatching.Include...)
			}
		}
		for _, l := range by {
			if !slices.Contains(known, l) {
				t.Errorf("%s groups or joins by %s, which none of its series has", rule, l)
			}
		}
		return nil
	})
}
