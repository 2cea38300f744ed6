package web

import (
	"cmp"
	_ "embed"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cx700/cx700_exporter/collectors"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/schedule"
	"github.com/cx700/cx700_exporter/internal/signin"
)

//go:embed site.html
var siteHTML string

var (
	sitePage     = pageOf(siteHTML)
	notFoundPage = pageOf(`{{template "not found" .}}`)
)

// fromSite leads from the page of a site to the first page.
const fromSite = "../"

type siteData struct {
	frame
	Name, URL string
	Mark      mark // of the worst verdict
	Phones    int
	SIP, DHCP string
	Sides     []sideData
	// Certificates are those on the time line.
	Certificates     []certificateRow
	MoreCertificates int
	Line             timeLine
	// CanProbe tells that whoever reads may have the site probed; Asked is what came of it.
	CanProbe bool
	Asked    string
	// NotProven is what no verdict says anything about.
	NotProven string
}

// sideData is a site as seen from one network.
type sideData struct {
	Network      string
	Verdicts     []verdictRow
	Walk, Beside []stepBox
	Findings     []findingRow
	Days         []dayRow
	Troubles     []troubleRow
	Targets      []targetRow
	NotWatched   []unwatchedRow
}

// verdictRow is how some phones stand.
type verdictRow struct {
	Mark         mark
	Phones, Step string
	Reason       *phone.Reason
	Since, Ago   string
	// Until is when the first certificate ends by which they get through, Ends whose it is.
	Until, Ends string
}

// stepBox is a step of the walk with its outcomes, those of like phones together.
type stepBox struct {
	Name, Asks string
	// Class is that of the gravest outcome.
	Class    string
	Outcomes []stepOutcome
}

type stepOutcome struct {
	Mark mark
	// Phones is empty where it is the same for all.
	Phones, Reason string
}

// findingRow is a reason found at some step, with all that was seen of it.
type findingRow struct {
	Reason       *phone.Reason
	Mark         mark
	Step, Phones string
	Seen         string
}

type troubleRow struct {
	Mark         mark
	Phones, Step string
	Reason       *phone.Reason
	Seen         string
	Begin, End   string
	Lasted       string
	Changed      []signin.Change
}

type unwatchedRow struct{ Name, Text string }

// targetRow is one probe with its last result.
type targetRow struct {
	Step, Network, Collector, Target, Sites string
	ProbeURL                                string
	Mark                                    mark
	Reasons                                 []targetReason
	// For is how long the outcome has been the same, Ago when it was looked at last.
	For, Ago string

	worst collectors.Effect
}

type targetReason struct{ Name, Means, Seen string }

// site shows one site: the phones' walk, what was found, what changed, and all that stands behind it.
func (o Options) site(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	p := o.place(r.PathValue("name"), now)
	if p == nil {
		o.notHere(w, r.PathValue("name"), now)
		return
	}
	worst := urgencyMark(p.urgency())
	d := &siteData{
		frame: o.frame(p.Name+" "+worst.Text, fromSite, now), Mark: worst, Name: p.Name, URL: siteURL(p.Name), Phones: p.Phones, NotProven: signin.NotProven,
		CanProbe: o.mayProbe(r),
	}
	if d.Asked = asked(r); d.Asked != "" { // the plain page soon shows what came of it
		d.Refresh = fmt.Sprintf("%d; url=%s%s", refreshAsked, fromSite, siteURL(p.Name))
	}
	for _, s := range p.Sides {
		d.SIP, d.DHCP = s.Judged.Pool.Target.Domains.SIP, s.Judged.Pool.Target.Domains.DHCP
		d.Sides = append(d.Sides, o.sideOf(p.Name, s, now))
	}
	d.Line = newTimeLine(now)
	d.Certificates, d.MoreCertificates = cut(o.certificates(p, &d.Line), mostCertificates)
	show(w, http.StatusOK, sitePage, d)
}

// notHere is the page of a site that another shard watches, or nobody.
func (o Options) notHere(w http.ResponseWriter, name string, now time.Time) {
	d := struct {
		frame
		Name, Elsewhere string
	}{o.frame("no such site", fromSite, now), name, elsewhere(o.Scheduler.Plan(), name)}
	status := http.StatusNotFound
	d.Refresh = ""
	if d.Elsewhere != "" {
		status, d.Title = http.StatusOK, name+" elsewhere"
	}
	show(w, status, notFoundPage, d)
}

// elsewhere says which shard watches a site; empty where none does.
func elsewhere(plan *schedule.Plan, name string) string {
	shard, other := plan.Elsewhere[name]
	if !other {
		return ""
	}
	return fmt.Sprintf("Shard %d watches this site; here is shard %s", shard, plan.Shard)
}

// place finds a site; nil when there is none of that name.
func (o Options) place(name string, now time.Time) *place {
	all := o.places(now)
	if i := slices.IndexFunc(all, func(p *place) bool { return p.Name == name }); i >= 0 {
		return all[i]
	}
	return nil
}

func (o Options) sideOf(name string, s *side, now time.Time) sideData {
	d := sideData{Network: s.Network, Targets: o.targets(name, s, now), NotWatched: o.unwatched(name, s)}
	if len(s.Standings) == 0 {
		d.Verdicts = []verdictRow{{Mark: markOf(notYet)}}
		return d
	}
	for _, g := range s.verdicts() {
		d.Verdicts = append(d.Verdicts, verdictOf(g, now))
	}
	first := s.Standings[0].Verdict
	for i := range first.Walk {
		d.Walk = append(d.Walk, s.box(func(v *signin.Verdict) *signin.Judged { return &v.Walk[i] }))
	}
	for i := range first.Beside {
		d.Beside = append(d.Beside, s.box(func(v *signin.Verdict) *signin.Judged { return &v.Beside[i] }))
	}
	d.Findings = s.findings()
	d.Days = s.days(now)
	d.Troubles = s.troubles(now)
	return d
}

func verdictOf(g group, now time.Time) verdictRow {
	v := g.first().Verdict
	row := verdictRow{Mark: readinessMark(v.State), Phones: g.Phones, Reason: v.Why.Reason}
	if v.At != nil {
		row.Step = string(v.At.Step.Name)
	}
	if v.State != signin.NoVerdict {
		row.Since, row.Ago = moment(g.since(), now), ago(now.Sub(g.since()))
	}
	if v.State != signin.Ready && v.State != signin.NotAll {
		return row
	}
	first := v
	for _, st := range g.Of {
		if signin.EndsBefore(st.Verdict.Ends, first.Ends) {
			first = st.Verdict
		}
	}
	if first.Ends != nil {
		row.Until, row.Ends = first.Ends.NotAfter.UTC().Format(time.DateOnly), first.EndsName()
	}
	return row
}

// box brings together how a step ends for the phones.
func (s *side) box(of func(*signin.Verdict) *signin.Judged) stepBox {
	step := of(s.Standings[0].Verdict).Step
	worst := 0
	out := stepBox{Name: strings.ReplaceAll(string(step.Name), "_", " "), Asks: step.Asks}
	reason := func(j *signin.Judged) string {
		if r := j.Reason(); r != nil {
			return r.Name
		}
		return ""
	}
	all := s.groups(func(st *schedule.Standing) string {
		j := of(st.Verdict)
		return string(j.State) + " " + reason(j)
	})
	for _, g := range all {
		j := of(g.first().Verdict)
		o := stepOutcome{Mark: markOf(string(j.State)), Reason: reason(j)}
		if len(all) > 1 {
			o.Phones = g.Phones
		}
		if g := gravity(j.State); g >= worst {
			worst, out.Class = g, o.Mark.Class
		}
		out.Outcomes = append(out.Outcomes, o)
	}
	return out
}

// findings lists the reasons found at the steps, the gravest first. What only sums others up, and what is said of what
// nobody watches, is left out.
func (s *side) findings() []findingRow {
	var order []*finding
	by := map[string]*finding{}
	for _, st := range s.Standings {
		for _, j := range st.Verdict.Steps() {
			for _, f := range j.Findings {
				if f.Reason.Umbrella && len(j.Findings) > 1 || j.State == signin.NotWatched {
					continue
				}
				word, grave := weight(&j, f.Reason)
				key := f.Reason.Name + " " + word
				if by[key] == nil {
					by[key] = &finding{reason: f.Reason, word: word, grave: grave, by: map[*schedule.Standing]bool{}}
					order = append(order, by[key])
				}
				by[key].add(st, string(j.Step.Name), f.Seen)
			}
		}
	}
	slices.SortStableFunc(order, func(a, b *finding) int { return b.grave - a.grave })
	var out []findingRow
	for _, f := range order {
		row := findingRow{Reason: f.reason, Mark: markOf(f.word), Step: strings.Join(f.steps, ", "), Seen: strings.Join(f.seen, "; ")}
		for _, g := range s.groups(func(st *schedule.Standing) string { return fmt.Sprint(f.by[st]) }) {
			if f.by[g.first()] {
				row.Phones = g.Phones
			}
		}
		out = append(out, row)
	}
	return out
}

// finding is a reason with where and for which phones it was found.
type finding struct {
	reason      *phone.Reason
	word        string
	grave       int
	steps, seen []string
	by          map[*schedule.Standing]bool
}

func (f *finding) add(st *schedule.Standing, step, seen string) {
	f.by[st] = true
	if !slices.Contains(f.steps, step) {
		f.steps = append(f.steps, step)
	}
	if seen != "" && !slices.Contains(f.seen, seen) {
		f.seen = append(f.seen, seen)
	}
}

// weight is how much a reason counts at a step: what is bad of one server of several only degrades.
func weight(j *signin.Judged, r *phone.Reason) (word string, grave int) {
	if r.Effect < phone.Degrades {
		return r.Effect.String(), 0
	}
	return string(j.State), gravity(j.State)
}

// gravity orders the states of a step; 0 for those that say nothing of the phone's way.
func gravity(s signin.State) int {
	return 1 + slices.Index([]signin.State{signin.OK, signin.Degraded, signin.Unknown, signin.Blocked}, s)
}

// troubles are the last ones of the phones, those with the same together.
func (s *side) troubles(now time.Time) []troubleRow {
	var out []troubleRow
	for _, g := range s.groups(func(st *schedule.Standing) string {
		if st.Last == nil {
			return ""
		}
		return fmt.Sprint(st.Last.Begin.Unix(), st.Last.State, st.Last.Step, st.Last.Why.Reason)
	}) {
		t := g.first().Last
		if t == nil {
			continue
		}
		row := troubleRow{
			Mark: readinessMark(t.State), Phones: g.Phones, Step: string(t.Step), Reason: t.Why.Reason, Seen: t.Why.Seen,
			Begin: moment(t.Begin, now), Changed: t.Changed, Lasted: ago(now.Sub(t.Begin)),
		}
		if !t.End.IsZero() {
			row.End, row.Lasted = moment(t.End, now), ago(t.End.Sub(t.Begin))
		}
		out = append(out, row)
	}
	return out
}

// targets lists the probes behind a side, by the steps on which they bear.
func (o Options) targets(name string, s *side, now time.Time) []targetRow {
	var out []targetRow
	for _, p := range o.Scheduler.Plan().Find(name, s.Network, "") {
		out = append(out, targetOf(p, o.Scheduler.Last(p), now))
	}
	order := slices.Concat(signin.Walk(), signin.Beside())
	place := func(r targetRow) int {
		first, _, _ := strings.Cut(r.Step, ",")
		if i := slices.IndexFunc(order, func(s signin.Step) bool { return string(s.Name) == first }); i >= 0 {
			return i
		}
		return len(order)
	}
	slices.SortStableFunc(out, func(a, b targetRow) int { return place(a) - place(b) })
	return out
}

func targetOf(p *schedule.Planned, r *schedule.Report, now time.Time) targetRow {
	t := &p.Target
	row := targetRow{
		Network: string(t.Network), Collector: t.Collector, Target: t.Name, Sites: few(p.Sites, mostSites), Mark: markOf(notYet),
		ProbeURL: "probe?" + url.Values{
			"site": {p.Sites[0]}, "network": {string(t.Network)}, "collector": {t.Collector},
		}.Encode(),
	}
	var steps []string
	for _, s := range p.Collector.Steps {
		steps = append(steps, string(s))
	}
	row.Step = cmp.Or(strings.Join(steps, ", "), "own place")
	if r == nil {
		return row
	}
	row.worst, row.Mark = r.Worst(), effectMark(r.Worst(), len(r.Failures))
	row.For, row.Ago = ago(now.Sub(r.Since)), ago(now.Sub(r.Ended))
	for _, f := range r.Failures {
		row.Reasons = append(row.Reasons, targetReason{f.Reason.Name, f.Reason.Means, f.Err.Error()})
	}
	return row
}

// unwatched lists what nobody looks at: collectors that the site file does not set up, what they may not do, and the
// steps for which that leaves nothing.
func (o Options) unwatched(name string, s *side) []unwatchedRow {
	var out []unwatchedRow
	var steps []phone.Step
	for _, st := range s.Standings {
		for _, j := range st.Verdict.Steps() {
			if j.State != signin.NotWatched {
				continue
			}
			if !slices.Contains(steps, j.Step.Name) {
				steps = append(steps, j.Step.Name)
			}
			for _, f := range j.Findings {
				row := unwatchedRow{f.Reason.Name, fmt.Sprintf("%s. Mend: %s", f.Reason.Means, f.Reason.Mend)}
				if !slices.Contains(out, row) {
					out = append(out, row)
				}
			}
		}
	}
	plan := o.Scheduler.Plan()
	for _, c := range collectors.All() {
		bears := s.Network == "internal" || slices.ContainsFunc(c.Steps, func(step phone.Step) bool { return slices.Contains(steps, step) })
		if bears && plan.Find(name, s.Network, c.Name) == nil && (len(c.Steps) > 0 || s.Network == "internal") {
			out = append(out, unwatchedRow{c.Name, c.Asks})
		}
	}
	return out
}
