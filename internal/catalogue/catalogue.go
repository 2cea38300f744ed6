// Package catalogue gathers what the program can say, so that rules, runbooks and commands are made of it: every series
// with its labels, and every reason with the place on the phone's walk where it is met.
package catalogue

import (
	"slices"

	"github.com/cx700/cx700_exporter/collectors"
	"github.com/cx700/cx700_exporter/internal/metric"
	"github.com/cx700/cx700_exporter/internal/schedule"
)

// The series about the site file.
var (
	ReloadOK = metric.NewGauge("cx700_config_last_reload_successful",
		"Whether the last attempt to read the site file succeeded (1) or not (0).",
		`cx700_config_last_reload_successful == 0`)
	ReloadTime = metric.NewGauge("cx700_config_last_reload_success_timestamp_seconds",
		"When the site file was last read with success.",
		`time() - cx700_config_last_reload_success_timestamp_seconds`)
	ReloadFault = metric.NewGauge("cx700_config_fault_info",
		"A place in the site file for which the last attempt to read it failed, the first ten of them: line 0 is the whole file. "+
			"Absent when it succeeded.",
		`max by (job, instance, line, key) (cx700_config_fault_info)`, "line", "key")
)

// Metrics lists every series, but for those about Go, the process and the build.
func Metrics() []*metric.Desc {
	out := slices.Concat(schedule.Metrics(), collectors.CredentialMetrics(), collectors.AuthorityMetrics(), []*metric.Desc{ReloadOK, ReloadTime, ReloadFault})
	for _, c := range collectors.All() {
		out = append(out, c.Metrics...)
	}
	return out
}
