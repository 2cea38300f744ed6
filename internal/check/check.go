// Package check goes the phone's way once and writes it down step by step as it becomes known, then the verdict on each
// kind of phone.
package check

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/reach"
	"github.com/cx700/cx700_exporter/internal/schedule"
	"github.com/cx700/cx700_exporter/internal/signin"
	"github.com/cx700/cx700_exporter/internal/state"
)

// mostAtOnce bounds how many probes run at the same time.
const mostAtOnce = 64

// Walk is the way of the phones at one site on one network.
type Walk struct {
	Site   string
	Judged *schedule.Judged
}

// Walks lists those of a plan in the order of the site file, of one site if it is named.
func Walks(plan *schedule.Plan, siteName string) []Walk {
	var out []Walk
	for _, s := range plan.Sites {
		for _, g := range plan.Judged {
			if slices.Contains(g.Sites, s.Name) && (siteName == "" || siteName == s.Name) {
				out = append(out, Walk{s.Name, g})
			}
		}
	}
	return out
}

// Run makes every probe once and hands each walk's result on as it is known; step is called for each step before that.
// Probes that move whole images are left out. It ends early with the context.
func Run(ctx context.Context, shared *reach.Shared, walks []Walk, step func(*Result, Step), done func(*Result)) error {
	looks := begin(ctx, shared, walks)
	cache := &signin.Cache{}
	for _, w := range walks {
		r := &Result{Walk: w, Began: time.Now()}
		for _, s := range slices.Concat(signin.Walk(), signin.Beside()) {
			for _, p := range w.Judged.Probes {
				if slices.Contains(p.Collector.Steps, s.Name) {
					looks.wait(ctx, p)
				}
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			r.Verdicts, _ = w.Judged.Verdicts(cache, shared, looks.last, time.Now())
			step(r, stepOf(r, s, looks.took(w.Judged, s.Name)))
		}
		for _, p := range w.Judged.Probes {
			looks.wait(ctx, p)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r.Verdicts, _ = w.Judged.Verdicts(cache, shared, looks.last, time.Now())
		r.changes(shared.State, looks)
		r.Took = time.Since(r.Began)
		done(r)
	}
	return nil
}

// Result is the outcome of a walk.
type Result struct {
	Walk
	Verdicts []*signin.Verdict
	// Changed is what is another than when phones were last ready by the state file, and Ready when that was.
	Changed []signin.Change
	Ready   time.Time
	Began   time.Time
	Took    time.Duration
}

// changes compares with what the state file remembers of the last time when all was good.
func (r *Result) changes(memory *state.File, looks *looks) {
	ready, at := schedule.LastReady(memory, r.Site, r.Judged.Network)
	if at.IsZero() {
		return
	}
	r.Ready, r.Changed = at, signin.Changes(ready, r.Judged.Traits(looks.last))
}

// looks are probes under way, each made once for all walks that depend on it.
type looks struct {
	mu      sync.Mutex
	reports map[*schedule.Planned]*schedule.Report
	ended   map[*schedule.Planned]chan struct{}
}

func begin(ctx context.Context, shared *reach.Shared, walks []Walk) *looks {
	l := &looks{reports: map[*schedule.Planned]*schedule.Report{}, ended: map[*schedule.Planned]chan struct{}{}}
	slots := make(chan struct{}, mostAtOnce)
	due := time.Now()
	for _, w := range walks {
		for _, p := range w.Judged.Probes {
			if l.ended[p] != nil || p.Collector.Alone {
				continue
			}
			ended := make(chan struct{})
			l.ended[p] = ended
			go func() {
				defer close(ended)
				select {
				case slots <- struct{}{}:
					defer func() { <-slots }()
				case <-ctx.Done():
					return
				}
				report := schedule.Once(ctx, shared, p, due)
				l.mu.Lock()
				defer l.mu.Unlock()
				l.reports[p] = report
			}()
		}
	}
	return l
}

func (l *looks) wait(ctx context.Context, p *schedule.Planned) {
	if l.ended[p] == nil {
		return
	}
	select {
	case <-l.ended[p]:
	case <-ctx.Done():
	}
}

func (l *looks) last(p *schedule.Planned) *schedule.Report {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reports[p]
}

// took is how long the slowest look of a step took.
func (l *looks) took(g *schedule.Judged, name phone.Step) time.Duration {
	var out time.Duration
	for _, p := range g.Probes {
		if r := l.last(p); r != nil && slices.Contains(p.Collector.Steps, name) {
			out = max(out, r.Ended.Sub(r.Started))
		}
	}
	return out
}

// Step is a step of a walk, with its outcomes.
type Step struct {
	Name phone.Step
	Asks string
	// Outcomes are those of all kinds of phones, alike ones together.
	Outcomes []Group
	Took     time.Duration
}

// Group is an outcome and the phones that have it.
type Group struct {
	Phones string
	*signin.Outcome
}

func stepOf(r *Result, s signin.Step, took time.Duration) Step {
	out := Step{Name: s.Name, Asks: s.Asks, Took: took}
	var texts []string
	by := map[string][]*signin.Verdict{}
	for _, v := range r.Verdicts {
		text := string(v.Of(s.Name).State) + foundText(v.Of(s.Name))
		if by[text] == nil {
			texts = append(texts, text)
		}
		by[text] = append(by[text], v)
	}
	for _, text := range texts {
		out.Outcomes = append(out.Outcomes, Group{Phones(by[text], r.Verdicts), by[text][0].Of(s.Name).Outcome})
	}
	return out
}

func foundText(j *signin.Judged) string {
	var out strings.Builder
	for _, f := range j.Findings {
		out.WriteString(" " + f.Reason.Name)
	}
	return out.String()
}

// Phones names some of all kinds of phones in few words.
func Phones(some, all []*signin.Verdict) string {
	if len(some) == len(all) {
		return "all phones"
	}
	of := func(kind phone.Kind, list []*signin.Verdict) (versions []string) {
		for _, v := range list {
			if v.Kind == kind {
				versions = append(versions, v.Firmware)
			}
		}
		return versions
	}
	enrolled, fresh := of(phone.Enrolled, some), of(phone.New, some)
	if slices.Equal(enrolled, fresh) {
		return strings.Join(enrolled, ", ")
	}
	var out []string
	for _, kind := range phone.Kinds() {
		switch versions := of(kind, some); {
		case versions == nil:
		case len(versions) == len(of(kind, all)):
			out = append(out, string(kind)+" phones")
		default:
			out = append(out, string(kind)+" "+strings.Join(versions, ", "))
		}
	}
	return strings.Join(out, "; ")
}

// Writer writes walks as text, in at most 100 columns.
type Writer struct {
	W     io.Writer
	begun *Result
}

// Step writes one line a step, and what was found beneath it.
func (w *Writer) Step(r *Result, s Step) {
	if w.begun != r {
		if w.begun != nil {
			fmt.Fprintln(w.W)
		}
		w.begun = r
		d := r.Judged.Pool.Target.Domains
		schedule.Wrap(w.W, "", "  ", fmt.Sprintf("%s, %s network: SIP domain %s, DHCP domain %s", r.Site, r.Judged.Network, d.SIP, d.DHCP))
	}
	if s.Name == phone.StepExchange {
		fmt.Fprintln(w.W, "  beside the sign-in")
	}
	name, took := string(s.Name), ""
	if s.Took > 0 {
		took = fmt.Sprintf("%.2f s", s.Took.Seconds())
	}
	for _, g := range s.Outcomes {
		asks := s.Asks
		if len(s.Outcomes) > 1 {
			asks = g.Phones
		}
		line := fmt.Sprintf("  %-17s %s %-12s %-53s %9s", name, mark(g.State), stateText(g.State), asks, took)
		fmt.Fprintln(w.W, strings.TrimRight(line, " "))
		name, took = "", ""
		for _, text := range findingsText(g.Findings) {
			schedule.Wrap(w.W, strings.Repeat(" ", 22), strings.Repeat(" ", 24), text)
		}
	}
}

// findingsText has a line for each reason, less those that only sum others up.
func findingsText(all []signin.Finding) []string {
	var order []string
	seen := map[string][]string{}
	for _, f := range all {
		name := f.Reason.Name
		if f.Reason.Umbrella {
			continue
		}
		if !slices.Contains(order, name) {
			order = append(order, name)
		}
		if f.Seen != "" {
			seen[name] = append(seen[name], f.Seen)
		}
	}
	for i, name := range order {
		if seen[name] != nil {
			order[i] += ": " + strings.Join(seen[name], "; ")
		}
	}
	return order
}

func stateText(s signin.State) string { return strings.ReplaceAll(string(s), "_", " ") }

// mark tells states apart without colour.
func mark(s signin.State) string {
	return cmp.Or(map[signin.State]string{signin.OK: "+", signin.Degraded: "!", signin.Blocked: "X", signin.Unknown: "?"}[s], "-")
}

// Done writes the verdicts, alike ones together.
func (w *Writer) Done(r *Result) {
	fmt.Fprintln(w.W)
	var texts []string
	by := map[string][]*signin.Verdict{}
	for _, v := range r.Verdicts {
		text := fmt.Sprint(v.State, v.Text())
		if by[text] == nil {
			texts = append(texts, text)
		}
		by[text] = append(by[text], v)
	}
	for _, text := range texts {
		w.verdict(by[text], Phones(by[text], r.Verdicts))
	}
	w.beside(r)
	fmt.Fprintln(w.W)
	for _, c := range r.Changed {
		schedule.Wrap(w.W, "  changed since "+r.Ready.UTC().Format(time.RFC3339)+": ", "    ",
			fmt.Sprintf("%s: %s, was %s", c.Name, cmp.Or(c.Now, "gone"), cmp.Or(c.Before, "not there")))
	}
	if unwatched := r.unwatched(); unwatched != "" {
		schedule.Wrap(w.W, "  not watched: ", "    ", unwatched)
	}
	schedule.Wrap(w.W, "  not proven by this: ", "    ", signin.NotProven)
}

// verdict writes one that several kinds of phones have.
func (w *Writer) verdict(of []*signin.Verdict, phones string) {
	v := of[0]
	line := fmt.Sprintf("%s: %s", strings.ToUpper(stateText(signin.State(v.State))), phones)
	if v.At != nil {
		line += ", at " + string(v.At.Step.Name)
	}
	if v.Why.Reason != nil {
		line += fmt.Sprintf(": %s, %s", v.Why.Reason.Name, v.Why.Reason.Means)
	}
	if first := firstToEnd(of); v.State == signin.Ready && first.Ends != nil {
		line += fmt.Sprintf("; until %s, when %s ends", first.Ends.NotAfter.UTC().Format(time.DateOnly), first.EndsName())
	}
	schedule.Wrap(w.W, "", "  ", line)
	if v.Why.Reason != nil && v.State != signin.NoVerdict {
		schedule.ExplainMend(w.W, v.Why.Reason, cmp.Or(v.Why.Seen, "nothing more"))
	}
}

// beside writes what is wrong besides the sign-in.
func (w *Writer) beside(r *Result) {
	for i := range signin.Beside() {
		var told []string
		for _, v := range r.Verdicts {
			j := &v.Beside[i]
			f := j.Why()
			if f == nil || j.State == signin.NotWatched || slices.Contains(told, f.Reason.Name) {
				continue
			}
			told = append(told, f.Reason.Name)
			schedule.Wrap(w.W, "", "  ", fmt.Sprintf("%s %s: %s, %s", j.Step.Name, stateText(j.State), f.Reason.Name, f.Reason.Means))
			schedule.ExplainMend(w.W, f.Reason, cmp.Or(f.Seen, "nothing more"))
		}
	}
}

// firstToEnd is the verdict whose certificate ends first.
func firstToEnd(of []*signin.Verdict) *signin.Verdict {
	first := of[0]
	for _, v := range of[1:] {
		if signin.EndsBefore(v.Ends, first.Ends) {
			first = v
		}
	}
	return first
}

func (r *Result) unwatched() string {
	var out []string
	for _, v := range r.Verdicts {
		for _, s := range v.NotWatched() {
			if v.State != signin.NoVerdict && !slices.Contains(out, string(s)) {
				out = append(out, string(s))
			}
		}
	}
	return strings.Join(out, ", ")
}
