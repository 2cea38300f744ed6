package alerts

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
)

// TestDoc holds the table in docs/alerts.md to the alerts.
func TestDoc(t *testing.T) {
	const file, begin, end = "../docs/alerts.md", "<!-- alerts -->\n", "<!-- /alerts -->"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), begin)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("%s has no place for the table", file)
	}
	var b strings.Builder
	b.WriteString("\n| alert | severity | after | what has happened | quiet |\n|---|---|---|---|---|\n")
	for _, a := range All() {
		after := "at once"
		if a.For > 0 {
			after = model.Duration(a.For).String()
		}
		means, _, _ := strings.Cut(a.Means, ": ")
		means, _, _ = strings.Cut(means, ". ")
		fmt.Fprintf(&b, "| [%s](../alerts/runbooks/%s.md) | %s | %s | %s | %s |\n", a.Name, a.Name, a.Severity, after,
			strings.TrimSuffix(means, "."), a.Quiet)
	}
	golden(t, file, before+begin+b.String()+"\n"+end+after)
}
