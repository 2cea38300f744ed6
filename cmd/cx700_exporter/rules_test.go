package main

import (
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/cx700/cx700_exporter/alerts"
	"github.com/cx700/cx700_exporter/dashboards"
)

// TestRulesCommand prints each part as it is in the repository, all of them as one file, and links where it is told to.
func TestRulesCommand(t *testing.T) {
	files, err := alerts.Files(alerts.DefaultURLs())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		want, err := os.ReadFile("../../alerts/" + f.Name)
		if err != nil {
			t.Fatal(err)
		}
		if code, out, errs := ran(t, "rules", f.Key); code != exitGood || out != string(want) {
			t.Errorf("rules %s: exit code %d, is not alerts/%s: %s", f.Key, code, f.Name, errs)
		}
	}
	code, out, errs := ran(t, "rules", "--runbook-url=http://here:10700/runbooks", "--dashboard-url=https://grafana/d/")
	var whole struct {
		Groups []struct {
			Rules []struct {
				Alert               string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal([]byte(out), &whole); code != exitGood || err != nil {
		t.Fatalf("exit code %d: %v %s", code, err, errs)
	}
	seen := 0
	for _, g := range whole.Groups {
		for _, r := range g.Rules {
			if r.Alert == "" {
				continue
			}
			seen++
			uid, _, _ := strings.Cut(strings.TrimPrefix(r.Annotations["dashboard_url"], "https://grafana/d/"), "{{") // chooses the site
			if r.Annotations["runbook_url"] != "http://here:10700/runbooks/"+r.Alert+".md" ||
				!slices.ContainsFunc(dashboards.All(), func(d *dashboards.Dashboard) bool { return d.UID == uid }) {
				t.Errorf("%s links to %v", r.Alert, r.Annotations)
			}
			if r.Labels["severity"] == "" || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("%s is incomplete: %v %v", r.Alert, r.Labels, r.Annotations)
			}
		}
	}
	if seen != len(alerts.All()) {
		t.Errorf("%d alerts were printed, there are %d", seen, len(alerts.All()))
	}
	for _, wrong := range [][]string{{"rules", "nothing"}, {"rules", "--runbook-url=x"}, {"rules", "--dashboard-url=http://{{x}}/"}} {
		if code, out, _ := ran(t, wrong...); code != exitUsage || out != "" {
			t.Errorf("%v: exit code %d\n%s", wrong, code, out)
		}
	}
}
