package alerts

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cx700/cx700_exporter/internal/catalogue"
)

// reasonsAsked finds matchers of reasons in expressions.
var reasonsAsked = regexp.MustCompile(`reason=~?"([^"]*)"`)

// TestAlerts holds every alert to what people need of it.
func TestAlerts(t *testing.T) {
	var names []string
	for _, a := range All() {
		if slices.Contains(names, a.Name) {
			t.Errorf("%s is there twice", a.Name)
		}
		names = append(names, a.Name)
		for what, text := range map[string]string{
			"summary": a.Summary, "description": a.Description, "expression": a.Expr, "dashboard": a.Dashboard, "meaning": a.Means, "first step": a.First,
		} {
			if strings.TrimSpace(text) == "" {
				t.Errorf("%s has no %s", a.Name, what)
			}
		}
		if a.Severity != Page && a.Severity != Warning && a.Severity != None {
			t.Errorf("%s: severity %q", a.Name, a.Severity)
		}
		if !strings.HasPrefix(a.Name, "Cx700") {
			t.Errorf("%s: write Cx700 before it", a.Name)
		}
	}
	if len(names) == 0 {
		t.Error("there is no alert")
	}
}

// TestReasonsAskedFor holds the reasons that expressions name to the catalogue.
func TestReasonsAskedFor(t *testing.T) {
	asked := 0
	for _, a := range All() {
		for _, m := range reasonsAsked.FindAllStringSubmatch(a.Expr, -1) {
			for name := range strings.SplitSeq(m[1], "|") {
				asked++
				if !slices.ContainsFunc(catalogue.Causes(), func(c catalogue.Cause) bool { return c.Name == name }) {
					t.Errorf("%s asks for the reason %s, which nobody finds", a.Name, name)
				}
			}
		}
	}
	if asked == 0 {
		t.Error("no reason is asked for")
	}
}
