package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"

	"github.com/cx700/cx700_exporter/alerts"
	"github.com/cx700/cx700_exporter/dashboards"
	"github.com/cx700/cx700_exporter/internal/metric"
)

// query is an expression of a dashboard, and where it stands.
type query struct{ where, expr string }

var labelValues = regexp.MustCompile(`^label_values\((.+), \w+\)$`)

// queriesOf lists the expressions of a dashboard, those of its variables and annotations included.
func queriesOf(t *testing.T, d *dashboards.Dashboard) []query {
	t.Helper()
	var out []query
	for _, v := range d.Templating.List {
		if v.Type == "query" {
			m := labelValues.FindStringSubmatch(v.Query)
			if m == nil {
				t.Fatalf("%s / $%s: not understood: %s", d.UID, v.Name, v.Query)
			}
			out = append(out, query{d.UID + " / $" + v.Name, m[1]})
		}
	}
	for _, a := range d.Annotations.List {
		out = append(out, query{d.UID + " / annotation " + a.Name, a.Expr})
	}
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			out = append(out, query{d.UID + " / " + p.Title + " / " + target.RefID, target.Expr})
		}
	}
	return out
}

// filled puts values in the places of a dashboard's variables, as Grafana does for one that looks at everything.
func filled(expr, site, window string) string {
	seconds := "0"
	if length, err := time.ParseDuration(window); err == nil {
		seconds = fmt.Sprintf("%g", length.Seconds())
	}
	return strings.NewReplacer("$__range_s", seconds,
		`site="$site"`, `site="`+site+`"`, "$site", ".*", "$network", ".*", "$firmware", ".*", "$job", ".*", "$instance", ".*",
		"$__rate_interval", "8s", "$__interval_ms", "2000", "$__interval", "2s", "$__range", window).Replace(expr)
}

// unused are the series that no dashboard shows, and why.
func unused() map[string]string {
	return map[string]string{
		"cx700_config_fault_info": "it is there while a site file is refused only, and the first page and the log name the fault",
		"cx700_shard_info":        "it is there where sites are shared only, and Cx700SitesUnwatched names the shards",
		"cx700_config_sites":      "Cx700SitesUnwatched compares it with the sites that are watched",
	}
}

// unusedRecords are the recorded series for which neither a panel nor a rule asks, and why.
func unusedRecords() map[string]string {
	return map[string]string{
		"site_network_step_reason:cx700_signin_lost_phone_minutes:sum1d": "for reports of a day, where Prometheus keeps no month",
	}
}

// rule is what is read here of a rule.
type rule struct {
	Record string `yaml:"record"`
	Expr   string `yaml:"expr"`
}

// allRules are those that the program prints.
func allRules(t *testing.T) []rule {
	t.Helper()
	whole, err := alerts.Whole(alerts.DefaultURLs())
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Rules []rule `yaml:"rules"`
		} `yaml:"groups"`
	}
	if err := yaml.Unmarshal(whole, &file); err != nil {
		t.Fatal(err)
	}
	var out []rule
	for _, g := range file.Groups {
		out = append(out, g.Rules...)
	}
	return out
}

// recorded lists the recorded series, as if the catalogue had them; the level in a name says by which labels.
func recorded(t *testing.T) map[string]*metric.Desc {
	t.Helper()
	out := map[string]*metric.Desc{}
	for _, r := range allRules(t) {
		if r.Record != "" {
			level, _, _ := strings.Cut(r.Record, ":")
			out[r.Record] = &metric.Desc{Name: r.Record, Labels: strings.Split(level, "_")}
		}
	}
	return out
}

// TestRecordsAreUsed demands of every recorded series that a panel or another rule asks for it.
func TestRecordsAreUsed(t *testing.T) {
	left := recorded(t)
	if len(left) == 0 {
		t.Fatal("nothing is recorded")
	}
	promql := parser.NewParser(parser.Options{})
	uses := func(by, text string) {
		expr, err := promql.ParseExpr(text)
		if err != nil {
			t.Fatalf("%s: %v", by, err)
		}
		parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
			if s, ok := n.(*parser.VectorSelector); ok && s.Name != by {
				delete(left, s.Name)
			}
			return nil
		})
	}
	for _, r := range allRules(t) {
		uses(r.Record, r.Expr)
	}
	for _, d := range dashboards.All() {
		for _, q := range queriesOf(t, d) {
			uses(q.where, filled(q.expr, "x", "1h"))
		}
	}
	for name := range left {
		if unusedRecords()[name] == "" {
			t.Errorf("%s is recorded and nothing asks for it: show it, or say in unusedRecords why not", name)
		}
	}
	for name := range unusedRecords() {
		if left[name] == nil {
			t.Errorf("%s is asked for or not recorded: take it out of unusedRecords", name)
		}
	}
}

// ofOthers are the series in dashboards that are not of the catalogue: Prometheus' own about a scrape, and those of
// client_golang about Go and the process.
func ofOthers(name string) bool {
	return ofTheRuntime(name) || name == "up" || strings.HasPrefix(name, "scrape_")
}

// TestDashboardsAskForWhatThereIs holds every expression to PromQL, and to series and labels of the catalogue or recorded
// by the rules, and every series of the catalogue to a place on a dashboard.
func TestDashboardsAskForWhatThereIs(t *testing.T) {
	catalogue := described(t)
	left := maps.Clone(catalogue)
	maps.Copy(catalogue, recorded(t))
	promql := parser.NewParser(parser.Options{})
	for _, d := range dashboards.All() {
		for _, q := range queriesOf(t, d) {
			expr, err := promql.ParseExpr(filled(q.expr, "x", "1h"))
			if err != nil {
				t.Errorf("%s: %v\n%s", q.where, err, q.expr)
				continue
			}
			if strings.Contains(expr.String(), "$") {
				t.Errorf("%s: a variable is not known: %s", q.where, expr)
			}
			for _, name := range asked(t, q, expr, catalogue) {
				delete(left, name)
			}
		}
	}
	for name := range left {
		if unused()[name] == "" {
			t.Errorf("%s is on no dashboard: show it, or say in unused why not", name)
		}
	}
	for name := range unused() {
		if left[name] == nil {
			t.Errorf("%s is on a dashboard or not in the catalogue: take it out of unused", name)
		}
	}
}

// asked lists the series of the catalogue for which an expression asks.
func asked(t *testing.T, q query, expr parser.Expr, catalogue map[string]*metric.Desc) []string {
	t.Helper()
	var out []string
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		s, ok := n.(*parser.VectorSelector)
		if !ok || ofOthers(s.Name) {
			return nil
		}
		d := selectedBy(catalogue, s.Name)
		if d == nil {
			t.Errorf("%s: %s is not in the catalogue, nor recorded", q.where, s.Name)
			return nil
		}
		out = append(out, d.Name)
		for _, m := range s.LabelMatchers {
			if !slices.Contains(append(d.Labels, model.MetricNameLabel, "job", "instance"), m.Name) {
				t.Errorf("%s: %s has no label %s", q.where, d.Name, m.Name)
			}
		}
		return nil
	})
	return out
}

// TestDashboardsCommand reads what the command prints and writes.
func TestDashboardsCommand(t *testing.T) {
	code, list, stderr := ran(t, "dashboards")
	if code != exitGood || stderr != "" {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	fits(t, "dashboards", list)
	dir := filepath.Join(t.TempDir(), "new")
	if code, stdout, stderr := ran(t, "dashboards", "--output-dir="+dir); code != exitGood || stdout+stderr == "" {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
	for _, d := range dashboards.All() {
		if !strings.Contains(list, d.UID+" ") {
			t.Errorf("no %s in the list:\n%s", d.UID, list)
		}
		want, err := os.ReadFile("../../dashboards/" + d.UID + ".json")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{d.UID, strings.TrimPrefix(d.UID, "cx700-")} {
			if code, stdout, stderr := ran(t, "dashboards", name); code != exitGood || stderr != "" || stdout != string(want) {
				t.Errorf("%s: exit code %d: %s; or not what the file holds", name, code, stderr)
			}
		}
		if got, err := os.ReadFile(filepath.Join(dir, d.UID+".json")); err != nil || string(got) != string(want) {
			t.Errorf("%s was not written (%v), or not what the file holds", d.UID, err)
		}
	}
}
