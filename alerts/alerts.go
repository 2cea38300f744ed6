// Package alerts holds the rules for Prometheus by which people are woken or told, the recording rules of the service
// level objective, and a runbook for each alert. They are one table of Go, made of the catalogue's own series and
// reasons; the YAML and the runbooks beside it are written from that table, and a test holds them to it.
//
//	go test ./alerts -update
package alerts

import (
	"slices"
	"time"
)

// Severity is what an alert asks of people.
type Severity string

// The severities.
const (
	// Page: somebody must look now, at any hour.
	Page Severity = "page"
	// Warning: somebody must look on the next working day.
	Warning Severity = "warning"
	// None: nobody is told. It keeps others silent at Alertmanager.
	None Severity = "none"
)

// The dashboards to which alerts lead, by their UID in Grafana.
const (
	dashSignIn       = "cx700-signin"
	dashSite         = "cx700-site"
	dashCertificates = "cx700-certificates"
	dashUpdate       = "cx700-update"
	dashExporter     = "cx700-exporter"
)

// Alert is one alert and what its runbook says.
type Alert struct {
	Name     string
	Severity Severity
	// Expr is the condition, in PromQL.
	Expr string
	// For is how long it must hold, KeepFiring how long the alert outlasts it.
	For, KeepFiring time.Duration
	// Summary and Description are templates of Prometheus.
	Summary, Description string
	// More are further annotations, templates too.
	More map[string]string
	// Dashboard is the UID of the one to open.
	Dashboard string
	// Means says for the runbook what has happened, First what to do first, Quiet when the alert keeps silent although
	// its condition holds; empty where it never does.
	Means, First, Quiet string
}

// All lists every alert: pages, warnings, those about the exporter itself.
func All() []Alert {
	return slices.Concat(pages(), burns(), warnings(), certificateWarnings(), accountWarnings(), updateWarnings(), own())
}
