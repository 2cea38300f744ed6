package dashboards

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var write = flag.Bool("update", false, "write the JSON files anew")

// TestFiles holds the files to the package, byte for byte, and leaves none over.
func TestFiles(t *testing.T) {
	left := map[string]bool{}
	files, err := filepath.Glob("*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		left[file] = true
	}
	for _, d := range All() {
		file := d.UID + ".json"
		delete(left, file)
		want, err := d.JSON()
		if err != nil {
			t.Fatal(err)
		}
		if *write {
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(file)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what this package gives (%v); run: go test ./dashboards -update", file, err)
		}
	}
	for file := range left {
		t.Errorf("%s is no dashboard of this package", file)
	}
}

// TestPanels holds panels to places of their own, and to saying what they show.
func TestPanels(t *testing.T) {
	uids := map[string]bool{}
	for _, d := range All() {
		if uids[d.UID] || len(d.UID) > 40 { // Grafana's limit
			t.Errorf("%s: the uid is taken or too long", d.UID)
		}
		uids[d.UID] = true
		if d.Title == "" || d.Description == "" {
			t.Errorf("%s: no title or description", d.UID)
		}
		ids, taken := map[int]bool{}, map[[2]int]string{}
		for _, p := range d.Panels {
			name := d.UID + ": " + p.Title
			if p.Title == "" || ids[p.ID] {
				t.Errorf("%s: no title, or id %d is taken", name, p.ID)
			}
			ids[p.ID] = true
			for x := p.Grid.X; x < p.Grid.X+p.Grid.W; x++ {
				for y := p.Grid.Y; y < p.Grid.Y+p.Grid.H; y++ {
					if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
						t.Fatalf("%s: at %d,%d, where %q is, or outside", name, x, y, other)
					}
					taken[[2]int{x, y}] = p.Title
				}
			}
			if p.Type != "row" {
				described(t, name, p)
			}
		}
	}
}

// TestOnlyExporters holds what asks for series that every program has to the jobs and instances of exporters.
func TestOnlyExporters(t *testing.T) {
	foreign := regexp.MustCompile(`\b(?:up|(?:scrape|process|go)_\w+)\b(\{[^}]*\})?`)
	n := 0
	for _, d := range All() {
		for _, v := range d.Templating.List {
			if (v.Name == "job" || v.Name == "instance") && (v.AllValue != "" || !strings.HasPrefix(v.Query, "label_values(cx700_")) {
				t.Errorf("%s: $%s is of more than exporters: %s, all are %q", d.UID, v.Name, v.Query, v.AllValue)
			}
		}
		for _, p := range d.Panels {
			for _, target := range p.Targets {
				for _, m := range foreign.FindAllStringSubmatch(strings.ReplaceAll(target.Expr, neverUp, ""), -1) {
					n++
					if m[1] != "{"+ownJob+"}" {
						t.Errorf("%s: %s: %s is not asked of exporters only", d.UID, p.Title, m[0])
					}
				}
			}
		}
	}
	if n == 0 {
		t.Error("nothing was looked at")
	}
}

func described(t *testing.T, name string, p *Panel) {
	t.Helper()
	if !strings.HasSuffix(p.Description, ".") {
		t.Errorf("%s: describe it in sentences, not %q", name, p.Description)
	}
	if len(p.Targets) == 0 || p.Source == nil || p.Source.UID != "${datasource}" {
		t.Errorf("%s: no query, or not of the chosen data source", name)
	}
	switch p.Type {
	case "stat", "timeseries", "bargauge", "state-timeline":
		if p.Fields.Defaults["unit"] == nil && p.Fields.Defaults["mappings"] == nil {
			t.Errorf("%s: neither a unit nor what values mean", name)
		}
	case "heatmap", "table":
	default:
		t.Errorf("%s: the kind %s is not among those that are looked at", name, p.Type)
	}
	if p.Type == "stat" && p.Fields.Defaults["noValue"] == nil {
		t.Errorf("%s: say what it means that there is no value", name)
	}
	for _, target := range p.Targets {
		if strings.Contains(target.Expr, "[$__interval]") {
			t.Errorf("%s: a rate needs $__rate_interval: %s", name, target.Expr)
		}
		if target.Format != "table" && len(p.Targets) > 1 && target.Legend == "" {
			t.Errorf("%s: no legend for %s", name, target.Expr)
		}
	}
}
