package main

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/cx700/cx700_exporter/alerts"
)

type rulesCmd struct {
	Part         string `arg:"" optional:"" enum:"all,alerts,slo,slo-30d" default:"all" help:"Which rules: ${enum}. Those of slo-30d need a Prometheus that keeps 30 days."`
	RunbookURL   string `name:"runbook-url" default:"${runbooks}" help:"What stands before NAME.md in the links to runbooks, such as http://cx700.contoso.com:10700/runbooks/"`
	DashboardURL string `name:"dashboard-url" default:"${dashboards}" help:"What stands before a dashboard's UID in the links to Grafana."`
}

// Validate implements kong's check of flags.
func (c *rulesCmd) Validate() error {
	for _, base := range []string{c.RunbookURL, c.DashboardURL} {
		if u, err := url.Parse(base); err != nil || u.Host == "" || strings.ContainsAny(base, "{}") {
			return fmt.Errorf("%q: write a URL, such as https://grafana.contoso.com/d/", base)
		}
	}
	return nil
}

// Run prints rules for Prometheus.
func (c *rulesCmd) Run(env *environment) error {
	slash := func(base string) string { return strings.TrimSuffix(base, "/") + "/" }
	urls := alerts.URLs{Runbooks: slash(c.RunbookURL), Dashboards: slash(c.DashboardURL)}
	content, err := alerts.Whole(urls)
	if c.Part != "all" {
		var files []alerts.File
		files, err = alerts.Files(urls)
		for _, f := range files {
			if f.Key == c.Part {
				content = f.Content
			}
		}
	}
	if err != nil {
		return err
	}
	_, err = env.stdout.Write(content)
	return err
}
