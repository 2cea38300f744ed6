package web

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cx700/cx700_exporter/collectors"
	"github.com/cx700/cx700_exporter/internal/schedule"
)

//go:embed status.html
var statusHTML string

var statusPage = template.Must(template.New("status").Parse(statusHTML))

type statusData struct {
	Version, Problem string
	Lab              bool
	Sites, Targets   int
	Waiting          int
	Failing          int
	Degraded         int
	Rows             []statusRow
}

type statusRow struct {
	State, Network, Collector, Target string
	Sites                             string
	Age                               time.Duration
	ProbeURL                          string
	Findings                          []finding
	worst                             collectors.Effect
}

type finding struct{ Reason, Means, Seen, Mend string }

// status shows every target, the worst first, with what was found and what mends it.
func (o Options) status(w http.ResponseWriter, _ *http.Request) {
	data := statusData{Version: o.Version, Lab: o.Lab != nil, Problem: o.Problem()}
	plan := o.Scheduler.Plan()
	sites := map[string]bool{}
	for _, p := range plan.Jobs {
		for _, s := range p.Sites {
			sites[s] = true
		}
	}
	data.Sites, data.Targets = len(sites), len(plan.Jobs)
	now := time.Now()
	o.Scheduler.Reports(func(r *schedule.Report) bool {
		data.Rows = append(data.Rows, rowOf(r, now))
		switch {
		case !r.Success():
			data.Failing++
		case r.Worst() == collectors.Degrades:
			data.Degraded++
		}
		return true
	})
	data.Waiting = data.Targets - len(data.Rows)
	slices.SortStableFunc(data.Rows, func(a, b statusRow) int { return int(b.worst) - int(a.worst) })
	var page bytes.Buffer
	if err := statusPage.Execute(&page, data); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	_, _ = w.Write(page.Bytes()) // who went away needs no page
}

func rowOf(r *schedule.Report, now time.Time) statusRow {
	t := &r.Planned.Target
	row := statusRow{
		State: "good", Network: string(t.Network), Collector: t.Collector, Target: t.Name,
		Sites: someOf(r.Planned.Sites), Age: now.Sub(r.Ended).Round(time.Second), worst: r.Worst(),
	}
	if len(r.Failures) > 0 {
		row.State = r.Worst().String()
	}
	row.ProbeURL = "probe?" + url.Values{
		"site": {r.Planned.Sites[0]}, "network": {row.Network}, "collector": {row.Collector},
	}.Encode()
	for _, f := range r.Failures {
		row.Findings = append(row.Findings, finding{f.Reason.Name, f.Reason.Means, f.Err.Error(), f.Reason.Mend})
	}
	return row
}

// someOf names a few sites and counts the rest.
func someOf(sites []string) string {
	const few = 3
	if len(sites) <= few {
		return strings.Join(sites, ", ")
	}
	return strings.Join(sites[:few], ", ") + ", …"
}
