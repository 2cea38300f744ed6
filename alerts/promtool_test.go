package alerts

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// tool finds a program of Prometheus; without it the test is skipped, or fails with STRICT=1.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
		return path
	case os.Getenv("STRICT") == "1":
		t.Fatalf("%s is missing; scripts/real-servers.sh installs it", name)
	default:
		t.Skipf("%s is missing; scripts/real-servers.sh installs it", name)
	}
	return ""
}

func promtool(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), tool(t, "promtool"), args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func found(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || files == nil {
		t.Fatalf("no files %s: %v", pattern, err)
	}
	return files
}

// TestCheckRules has Prometheus check the rule files, and the one in which they are all together.
func TestCheckRules(t *testing.T) {
	whole, err := Whole(DefaultURLs())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "all.yml")
	if err := os.WriteFile(file, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, append([]string{"check", "rules", file}, found(t, "*.rules.yml")...)...)
}

// TestRules lets the rules run on made-up series.
func TestRules(t *testing.T) {
	promtool(t, append([]string{"test", "rules"}, found(t, "testdata/*.test.yml")...)...)
}

// ruleTest is a file of tests, as far as it is looked at here.
type ruleTest struct {
	Tests []struct {
		Name        string `yaml:"name"`
		Expressions []struct {
			Expr    string `yaml:"expr"`
			Samples []any  `yaml:"exp_samples"`
		} `yaml:"promql_expr_test"`
		Alerts []struct {
			Name     string `yaml:"alertname"`
			Expected []any  `yaml:"exp_alerts"`
		} `yaml:"alert_rule_test"`
	} `yaml:"tests"`
}

// TestEveryRuleIsTested demands of every alert a case in which it fires and another that asks for it and gets nothing, and of
// every recorded series one in which it has a value.
func TestEveryRuleIsTested(t *testing.T) {
	fires, quiet, recorded := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, file := range found(t, "testdata/*.test.yml") {
		var tests ruleTest
		content, err := os.ReadFile(file)
		if err == nil {
			err = yaml.Unmarshal(content, &tests)
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, test := range tests.Tests {
			alert, _, _ := strings.Cut(test.Name, ":")
			some, asked := false, false
			for _, e := range test.Expressions {
				if strings.Contains(e.Expr, `alertname="`+alert+`"`) {
					asked = true
					some = some || len(e.Samples) > 0
					fires[alert] = fires[alert] || len(e.Samples) > 0 && strings.Contains(e.Expr, `alertstate="firing"`)
				} else if len(e.Samples) > 0 {
					name, _, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(e.Expr, "round("), ", 0.0001)"), "{")
					recorded[name] = true
				}
			}
			for _, a := range test.Alerts {
				if a.Name == alert {
					asked = true
					some = some || len(a.Expected) > 0
					fires[alert] = fires[alert] || len(a.Expected) > 0
				}
			}
			quiet[alert] = quiet[alert] || asked && !some
		}
	}
	for _, a := range All() {
		if !fires[a.Name] || !quiet[a.Name] {
			t.Errorf("%s: give it a test in which it fires (there is one: %t) and one in which it is quiet (%t)", a.Name, fires[a.Name], quiet[a.Name])
		}
	}
	for _, r := range slices.Concat(objectives(), lookedAt(), objectivesOfMonth()) {
		if !recorded[r.name] {
			t.Errorf("%s: give it a test in which it has a value", r.name)
		}
	}
}
