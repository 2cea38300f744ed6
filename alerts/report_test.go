package alerts

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

var promqlBlock = regexp.MustCompile("(?s)```promql\n(.*?)```")

// TestReport demands that every query of docs/report.md has an answer in testdata/report.test.yml, which TestRules runs.
func TestReport(t *testing.T) {
	content, err := os.ReadFile("testdata/report.test.yml")
	if err != nil {
		t.Fatal(err)
	}
	var tests ruleTest
	if err := yaml.Unmarshal(content, &tests); err != nil {
		t.Fatal(err)
	}
	answered := map[string]bool{}
	for _, test := range tests.Tests {
		for _, e := range test.Expressions {
			query := strings.TrimSuffix(strings.TrimPrefix(oneLine(e.Expr), "round( "), " , 0.0001)")
			answered[query] = len(e.Samples) > 0
		}
	}
	doc, err := os.ReadFile("../docs/report.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := promqlBlock.FindAllStringSubmatch(string(doc), -1)
	if len(blocks) == 0 {
		t.Fatal("docs/report.md has no queries")
	}
	for _, m := range blocks {
		query := oneLine(m[1])
		if !answered[query] {
			t.Errorf("testdata/report.test.yml has no answer to %s", query)
		}
		delete(answered, query)
	}
	for query := range answered {
		t.Errorf("docs/report.md does not have %s", query)
	}
}

func oneLine(query string) string { return strings.Join(strings.Fields(query), " ") }
