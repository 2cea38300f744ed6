package web

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
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
	Now              time.Time
	Lab              bool
	// State, Headline and Where sum all up for a reader in a hurry; Short is for the window's title.
	State, Headline, Where, Short string
	Sites, Targets, Waiting       int
	Bad, Good                     []statusRow
}

type statusRow struct {
	State, Network, Collector, Target string
	Sites                             string
	Age, For                          time.Duration
	ProbeURL                          string
	Findings                          []finding

	worst collectors.Effect
}

type finding struct {
	Reason *collectors.Reason
	Seen   string
}

// status shows every target, the worst first, with what was found and what mends it.
func (o Options) status(w http.ResponseWriter, _ *http.Request) {
	data := statusData{Version: o.Version, Lab: o.Lab != nil, Problem: o.Problem(), Now: time.Now()}
	sites := map[string]collectors.Effect{} // the worst of each
	for _, p := range o.Scheduler.Plan().Jobs {
		data.Targets++
		for _, s := range p.Sites {
			sites[s] = collectors.Notes
		}
	}
	data.Sites = len(sites)
	o.Scheduler.Reports(func(r *schedule.Report) bool {
		row := rowOf(r, data.Now)
		if len(row.Findings) > 0 {
			data.Bad = append(data.Bad, row)
		} else {
			data.Good = append(data.Good, row)
		}
		for _, s := range r.Planned.Sites {
			sites[s] = max(sites[s], row.worst)
		}
		return true
	})
	data.Waiting = data.Targets - len(data.Bad) - len(data.Good)
	slices.SortStableFunc(data.Bad, func(a, b statusRow) int {
		return cmp.Or(cmp.Compare(b.worst, a.worst), cmp.Compare(b.For, a.For))
	})
	data.sumUp(sites)
	var page bytes.Buffer
	if err := statusPage.Execute(&page, data); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	_, _ = w.Write(page.Bytes()) // who went away needs no page
}

// sumUp writes the headline, by the gravest effect and the sites where it was found.
func (d *statusData) sumUp(sites map[string]collectors.Effect) {
	worst := collectors.Notes
	var where []string
	for s, effect := range sites {
		if effect > worst {
			worst, where = effect, nil
		}
		if effect == worst {
			where = append(where, s)
		}
	}
	var means string
	switch worst {
	case collectors.Blocks:
		means = "phones would not get through"
	case collectors.BlocksNew:
		means = "new phones would not get through, enrolled ones would"
	case collectors.Blinds:
		means = "it could not be told whether phones get through"
	case collectors.Degrades:
		means = "phones get through, but not everything is as it should be"
	default:
		d.State, d.Headline, d.Short = "good", "Good: nothing that stops a phone was found", "good"
		if worst == collectors.NotWatched {
			d.Headline += "; not everything is watched"
		}
		if d.Waiting > 0 {
			d.State, d.Headline, d.Short = "unknown", "Starting: not every target has been probed yet", "starting"
		}
		return
	}
	d.State = worst.String()
	d.Headline = fmt.Sprintf("%s at %d of %d sites: %s", strings.ToUpper(d.State[:1])+d.State[1:], len(where), d.Sites, means)
	d.Short = fmt.Sprintf("%s at %d", d.State, len(where))
	slices.Sort(where)
	d.Where = someOf(where, 20)
}

func rowOf(r *schedule.Report, now time.Time) statusRow {
	t := &r.Planned.Target
	row := statusRow{
		State: r.Worst().String(), Network: string(t.Network), Collector: t.Collector, Target: t.Name,
		Sites: someOf(r.Planned.Sites, 3), worst: r.Worst(),
		Age: now.Sub(r.Ended).Round(time.Second), For: now.Sub(r.Since).Round(time.Second),
	}
	row.ProbeURL = "probe?" + url.Values{
		"site": {r.Planned.Sites[0]}, "network": {row.Network}, "collector": {row.Collector},
	}.Encode()
	for _, f := range r.Failures {
		row.Findings = append(row.Findings, finding{f.Reason, f.Err.Error()})
	}
	slices.SortStableFunc(row.Findings, func(a, b finding) int { return cmp.Compare(b.Reason.Effect, a.Reason.Effect) })
	return row
}

// someOf names a few sites and counts the rest.
func someOf(sites []string, few int) string {
	if len(sites) <= few {
		return strings.Join(sites, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(sites[:few], ", "), len(sites)-few)
}
