package alerts

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"
)

// URLs are where runbooks and dashboards are.
type URLs struct {
	// Runbooks is what stands before NAME.md, Dashboards what stands before a dashboard's UID; both end in a slash.
	Runbooks, Dashboards string
}

// DefaultURLs are those of the rules in this folder: the module's own home, and Grafana's default address.
func DefaultURLs() URLs {
	return URLs{Runbooks: "https://github.com/cx700/cx700_exporter/blob/main/alerts/runbooks/", Dashboards: "http://localhost:3000/d/"}
}

// File is a rule file of Prometheus.
type File struct {
	// Key names it on the command line, Name is the file's.
	Key, Name string
	Content   []byte
}

type ruleFile struct {
	Groups []group `yaml:"groups"`
}

type group struct {
	Name     string         `yaml:"name"`
	Interval model.Duration `yaml:"interval,omitempty"`
	Rules    []rule         `yaml:"rules"`
}

type rule struct {
	Record        string            `yaml:"record,omitempty"`
	Alert         string            `yaml:"alert,omitempty"`
	Expr          string            `yaml:"expr"`
	For           model.Duration    `yaml:"for,omitempty"`
	KeepFiringFor model.Duration    `yaml:"keep_firing_for,omitempty"`
	Labels        map[string]string `yaml:"labels,omitempty"`
	Annotations   map[string]string `yaml:"annotations,omitempty"`
}

// part is the groups of one file.
type part struct {
	key, file, about string
	groups           []group
}

const fromTable = "Generated from the table in this folder: go test ./alerts -update writes it anew."

func parts(urls URLs) []part {
	const minute = model.Duration(time.Minute)
	return []part{
		{"alerts", "cx700.rules.yml", "The alerts of cx700_exporter. Severities: page wakes somebody, warning waits for the working day, none is sent to nobody.", []group{
			{Name: "cx700_pages", Rules: rulesOf(pages(), urls)},
			{Name: "cx700_warnings", Rules: rulesOf(slices.Concat(warnings(), certificateWarnings(), accountWarnings(), updateWarnings()), urls)},
			{Name: "cx700_exporter", Rules: rulesOf(own(), urls)},
		}},
		{"slo", "cx700-slo.rules.yml", "The objective of sign-in readiness: what is recorded for it, and its alerts. The intervals of groups are part " +
			"of the arithmetic: minutes are counted one by one.", []group{
			{Name: "cx700_slo", Interval: minute, Rules: append(recordsOf(objectives()), rulesOf(burns(), urls)...)},
			{Name: "cx700_slo_5m", Interval: 5 * minute, Rules: recordsOf(lookedAt())},
		}},
		{"slo-30d", "cx700-slo-30d.rules.yml", "The objective over 30 days. Prometheus keeps 15 by default: give it --storage.tsdb.retention.time=35d, " +
			"or leave this file out.", []group{
			{Name: "cx700_slo_30d", Interval: 5 * minute, Rules: recordsOf(objectivesOfMonth())},
		}},
	}
}

// Files writes the rule files.
func Files(urls URLs) ([]File, error) {
	var out []File
	for _, p := range parts(urls) {
		content, err := write(ruleFile{p.groups}, p.about, fromTable)
		if err != nil {
			return nil, err
		}
		out = append(out, File{p.key, p.file, content})
	}
	return out, nil
}

// Whole writes all groups into one file that Prometheus loads as it is.
func Whole(urls URLs) ([]byte, error) {
	var all ruleFile
	var about []string
	for _, p := range parts(urls) {
		all.Groups = append(all.Groups, p.groups...)
		about = append(about, p.about)
	}
	return write(all, about...)
}

func write(f ruleFile, about ...string) ([]byte, error) {
	var b bytes.Buffer
	for _, line := range about {
		b.WriteString("# " + line + "\n")
	}
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(f); err != nil {
		return nil, err
	}
	return b.Bytes(), e.Close()
}

func rulesOf(all []Alert, urls URLs) []rule {
	var out []rule
	for _, a := range all {
		annotations := map[string]string{
			"summary": a.Summary, "description": strings.TrimSpace(a.Description),
			"runbook_url": urls.Runbooks + a.Name + ".md", "dashboard_url": urls.Dashboards + a.Dashboard,
		}
		if a.Dashboard == dashSite {
			annotations["dashboard_url"] += atSite()
		}
		maps.Copy(annotations, a.More)
		out = append(out, rule{
			Alert: a.Name, Expr: a.Expr, For: model.Duration(a.For), KeepFiringFor: model.Duration(a.KeepFiring),
			Labels: map[string]string{"severity": string(a.Severity)}, Annotations: annotations,
		})
	}
	return out
}

func recordsOf(all []record) []rule {
	var out []rule
	for _, r := range all {
		out = append(out, rule{Record: r.name, Expr: r.expr})
	}
	return out
}
