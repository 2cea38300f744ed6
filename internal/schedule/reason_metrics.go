package schedule

import (
	"maps"
	"slices"

	"github.com/cx700/cx700_exporter/internal/metric"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/signin"
)

var descReason = metric.NewGauge("cx700_reason_info",
	"What phones show for a reason, and what mends it; only while a probe or a verdict names the reason.",
	`cx700_probe_failing * on (reason) group_left (screen, mend) cx700_reason_info`, "reason", "screen", "mend")

// reasons gives the texts of all reasons that reports and verdicts name now, each once: a text would be far too long
// for the series of every site.
func (r *running) reasons() (*metric.Set, error) {
	named := map[string]*phone.Reason{}
	for _, j := range r.jobs {
		if report := j.last.Load(); report != nil {
			for _, f := range report.Failures {
				named[f.Reason.Name] = f.Reason
			}
		}
	}
	for _, g := range r.judged {
		if why := g.why.Load(); why != nil {
			for _, reason := range *why {
				named[reason.Name] = reason
			}
		}
	}
	var out []metric.Sample
	for _, name := range slices.Sorted(maps.Keys(named)) {
		out = append(out, metric.Sample{Desc: descReason, Value: 1, Labels: []string{name, named[name].Screen, named[name].Mend}})
	}
	return metric.NewSet(out)
}

// reasonsOf lists what verdicts name: why they are not ready, and which services are not trusted.
func reasonsOf(all []*signin.Verdict) []*phone.Reason {
	var out []*phone.Reason
	for _, v := range all {
		if v.State != signin.NoVerdict && v.Why.Reason != nil {
			out = append(out, v.Why.Reason)
		}
		for _, j := range v.Beside {
			if j.Refused != nil {
				out = append(out, j.Refused)
			}
		}
	}
	return out
}
