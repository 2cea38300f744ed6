package web

import (
	"cmp"
	_ "embed"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cx700/cx700_exporter/collectors"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/schedule"
	"github.com/cx700/cx700_exporter/internal/signin"
)

//go:embed overview.html
var overviewHTML string

var overviewPage = pageOf(overviewHTML)

const (
	// sitesPerPage keeps a page small enough for a phone on a bad line.
	sitesPerPage = 50
	// mostCauses is how many reasons the first page explains, mostLoose how many targets it lists; the pages of the
	// sites have the rest.
	mostCauses, mostLoose = 12, 20
	// mostSites is how many are named with a reason, mostLines how many kinds of phones are told apart at a site.
	mostSites, mostLines = 6, 3
	// mostSeen bounds, in letters, what servers said.
	mostSeen = 120
)

type overview struct {
	frame
	// State, Headline and More sum all up for a reader in a hurry.
	State, Headline, More string
	// Shard says which of several exporters this is; empty where it is the only one.
	Shard       string
	Rows        []siteRow
	Page, Pages int
	// Self is how the exporter itself is placed: its network and clock, and its accounts.
	Self []selfRow
	// Causes are the reasons behind the verdicts, Beside those of what phones need besides the sign-in.
	Causes, Beside         []cause
	MoreCauses, MoreBeside int
	// Loose are targets that fail and on which no verdict rests.
	Loose     []targetRow
	MoreLoose int
}

// siteRow is a site in the table of the first page.
type siteRow struct {
	Name, URL string
	Phones    int
	// Lines are the worst ones; More are on the site's page.
	Lines []siteLine
	More  int
}

// Span is how many lines of the table it takes.
func (r siteRow) Span() int {
	if r.More > 0 {
		return len(r.Lines) + 1
	}
	return len(r.Lines)
}

// siteLine is how some phones at a site stand.
type siteLine struct {
	Network, Phones string
	Mark            mark
	Step, Reason    string
	Since, Ago      string

	urgency int
}

type selfRow struct {
	What, Text string
	Mark       mark
}

// cause is a reason with the sites at which it was found.
type cause struct {
	Reason *phone.Reason
	Step   string
	Mark   mark
	Where  string
	Seen   string

	sites []string
	worst int
}

// Previous is the page before, 0 on the first.
func (d *overview) Previous() int { return d.Page - 1 }

// Next is the page after, 0 on the last.
func (d *overview) Next() int {
	if d.Page >= d.Pages {
		return 0
	}
	return d.Page + 1
}

// overview shows every site, the worst first: who cannot sign in, since when, what stops them and what mends it.
func (o Options) overview(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	places := o.places(now)
	d := &overview{frame: o.frame("", "", now)}
	d.sumUp(places)
	d.tellShard(o.Scheduler.Plan())
	d.Causes, d.MoreCauses = cut(causes(places, standingCauses), mostCauses)
	d.Beside, d.MoreBeside = cut(causes(places, besideCauses), mostCauses)
	d.Self = o.self(now)
	d.Loose, d.MoreLoose = cut(o.loose(now), mostLoose)
	slices.SortStableFunc(places, func(a, b *place) int {
		return cmp.Or(cmp.Compare(b.urgency(), a.urgency()), cmp.Compare(b.Phones, a.Phones))
	})
	d.Pages = max(1, (len(places)+sitesPerPage-1)/sitesPerPage)
	asked, _ := strconv.Atoi(r.URL.Query().Get("page")) // what is no number is the first
	d.Page = min(max(asked, 1), d.Pages)
	for _, p := range places[(d.Page-1)*sitesPerPage : min(d.Page*sitesPerPage, len(places))] {
		d.Rows = append(d.Rows, rowOf(p, now))
	}
	show(w, http.StatusOK, overviewPage, d)
}

func cut[T any](all []T, most int) (some []T, more int) {
	some = all[:min(len(all), most)]
	return some, len(all) - len(some)
}

// sumUp writes the headline.
func (d *overview) sumUp(places []*place) {
	count := map[int]int{}
	phones, unsaid := 0, 0
	for _, p := range places {
		u := p.urgency()
		count[u]++
		if u == stoppedForAll {
			phones += p.Phones
			if p.Phones == 0 {
				unsaid++
			}
		}
	}
	of := func(n int, state string) string {
		return strings.TrimSpace(fmt.Sprintf("%d of %s %s", n, plural(len(places), "site"), state))
	}
	switch all, fresh := count[stoppedForAll], count[stoppedForNew]; {
	case all > 0:
		d.State, d.Headline, d.Title = "blocked", of(all, "blocked"), fmt.Sprintf("%d blocked", all)
		if phones > 0 {
			d.Headline += fmt.Sprintf(", up to %s", plural(phones, "phone"))
		}
		if phones > 0 && unsaid > 0 {
			d.Headline += fmt.Sprintf(" and those of %s without a number", plural(unsaid, "site"))
		}
		if fresh > 0 {
			d.More = fmt.Sprintf("new phones only at %d more", fresh)
		}
	case fresh > 0:
		d.State, d.Headline, d.Title = "blocked", of(fresh, "blocked for new phones"), fmt.Sprintf("%d blocked for new", fresh)
		d.More = "enrolled phones can sign in"
	case count[unclear] > 0:
		d.State, d.Headline, d.Title = "unknown", of(count[unclear], "unknown"), fmt.Sprintf("%d unknown", count[unclear])
		d.More = "it cannot be told whether phones can sign in"
	case count[waiting] > 0:
		d.State, d.Headline, d.Title = "unknown", "Starting: "+of(count[waiting], notYet), "starting"
	case count[notAll] > 0:
		d.State, d.Headline, d.Title = "degraded", of(count[notAll], "degraded"), fmt.Sprintf("%d degraded", count[notAll])
		d.More = "phones can sign in, but not everything is good"
	case count[ready] > 0:
		d.State, d.Headline, d.Title = "good", "Ready: phones can sign in at "+of(count[ready], ""), "ready"
	default:
		d.State, d.Headline, d.Title = "none", "No verdict: what phones depend on is not watched", "no verdict"
	}
}

// tellShard says which shard this is and how many sites are watched elsewhere.
func (d *overview) tellShard(plan *schedule.Plan) {
	if plan.Shard.Alone() {
		return
	}
	here, elsewhere := len(plan.Sites), len(plan.Elsewhere)
	d.Shard = fmt.Sprintf("This is shard %s: of %s it watches %d, other shards watch %d.", plan.Shard, plural(here+elsewhere, "site"), here, elsewhere)
	if here == 0 {
		d.State, d.Headline, d.Title = "none", "No sites: this shard has none to watch", "no sites"
	}
}

func rowOf(p *place, now time.Time) siteRow {
	row := siteRow{Name: p.Name, URL: siteURL(p.Name), Phones: p.Phones}
	for _, s := range p.Sides {
		if len(s.Standings) == 0 {
			row.Lines = append(row.Lines, siteLine{Network: s.Network, Mark: markOf(notYet), urgency: waiting})
			continue
		}
		for i, g := range s.verdicts() {
			v := g.first().Verdict
			if v.State == signin.NoVerdict && i > 0 { // the page of the site says why
				continue
			}
			line := siteLine{Network: s.Network, Phones: g.Phones, Mark: readinessMark(v.State), urgency: urgency(v)}
			if v.At != nil {
				line.Step = string(v.At.Step.Name)
			}
			if v.Why.Reason != nil {
				line.Reason = v.Why.Reason.Name
			}
			if v.State != signin.NoVerdict {
				line.Since, line.Ago = moment(g.since(), now), ago(now.Sub(g.since()))
			}
			row.Lines = append(row.Lines, line)
		}
	}
	slices.SortStableFunc(row.Lines, func(a, b siteLine) int { return b.urgency - a.urgency })
	row.Lines, row.More = cut(row.Lines, mostLines)
	if row.Lines == nil {
		row.Lines = []siteLine{{Mark: markOf("not_watched"), Reason: "no network of it is watched from here"}}
	}
	return row
}

// found is a reason of one verdict.
type found struct {
	step  phone.Step
	state string
	// grave orders reasons, the largest first.
	grave int
	signin.Finding
}

func standingCauses(v *signin.Verdict) []found {
	if v.Why.Reason == nil || v.State == signin.NoVerdict {
		return nil
	}
	f := found{state: string(v.State), grave: urgency(v), Finding: v.Why}
	if v.At != nil {
		f.step = v.At.Step.Name
	}
	return []found{f}
}

func besideCauses(v *signin.Verdict) []found {
	var out []found
	for i := range v.Beside {
		j := &v.Beside[i]
		if f := j.Why(); f != nil && j.State != signin.NotWatched && j.State != signin.NotReached {
			out = append(out, found{j.Step.Name, string(j.State), gravity(j.State), *f})
		}
	}
	return out
}

// causes lists each reason once, those of the most urgent verdicts first and of these the ones at most sites.
func causes(places []*place, of func(*signin.Verdict) []found) []cause {
	var order []*cause
	by := map[string]*cause{}
	for _, p := range places {
		for _, s := range p.Sides {
			for _, st := range s.Standings {
				for _, f := range of(st.Verdict) {
					key := fmt.Sprint(f.state, " ", f.step, " ", f.Reason.Name)
					c := by[key]
					if c == nil {
						c = &cause{Reason: f.Reason, Step: string(f.step), Mark: markOf(f.state), Seen: shortened(f.Seen)}
						by[key], order = c, append(order, c)
					}
					c.worst = max(c.worst, f.grave)
					if len(c.sites) == 0 || c.sites[len(c.sites)-1] != p.Name {
						c.sites = append(c.sites, p.Name)
					}
				}
			}
		}
	}
	slices.SortStableFunc(order, func(a, b *cause) int {
		return cmp.Or(b.worst-a.worst, len(b.sites)-len(a.sites))
	})
	var out []cause
	for _, c := range order {
		c.Where = few(c.sites, mostSites)
		out = append(out, *c)
	}
	return out
}

func shortened(text string) string {
	if letters := []rune(text); len(letters) > mostSeen {
		return string(letters[:mostSeen]) + " …"
	}
	return text
}

// self tells how the exporter's own network and clock are, and which accounts it uses no more.
func (o Options) self(now time.Time) []selfRow {
	var out []selfRow
	o.Scheduler.Reports(func(r *schedule.Report) bool {
		if r.Planned.Collector.Name != "vantage" {
			return true
		}
		row := selfRow{What: "The exporter's own " + string(r.Planned.Target.Network) + " network and clock", Mark: effectMark(r.Worst(), len(r.Failures))}
		for i, f := range r.Failures {
			if i > 0 {
				row.Text += "; "
			}
			row.Text += fmt.Sprintf("%s: %s. Seen: %s. Mend: %s", f.Reason.Name, f.Reason.Means, f.Err, f.Reason.Mend)
		}
		out = append(out, row)
		return true
	})
	used := o.Scheduler.Plan().Credentials()
	for _, c := range o.Scheduler.Shared().Guard.States() {
		if c.Stop != nil && used[c.Name] {
			out = append(out, selfRow{What: "Account " + c.Name, Mark: mark{"unknown", "stopped"},
				Text: fmt.Sprintf("since %s: %s: %s", moment(c.Stop.Since, now), c.Stop.Reason, c.Stop.Detail)})
		}
	}
	return out
}

// loose lists the targets that fail and on which no verdict rests.
func (o Options) loose(now time.Time) []targetRow {
	judged := map[*schedule.Planned]bool{}
	for _, g := range o.Scheduler.Plan().Judged {
		for _, p := range g.Probes {
			judged[p] = true
		}
	}
	var out []targetRow
	o.Scheduler.Reports(func(r *schedule.Report) bool {
		if !judged[r.Planned] && r.Planned.Collector.Name != "vantage" && r.Worst() >= collectors.Degrades {
			out = append(out, targetOf(r.Planned, r, now))
		}
		return true
	})
	slices.SortStableFunc(out, func(a, b targetRow) int { return cmp.Compare(b.worst, a.worst) })
	return out
}
