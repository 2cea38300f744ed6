package schedule

import (
	"cmp"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/signin"
	"github.com/cx700/cx700_exporter/internal/site"
	"github.com/cx700/cx700_exporter/internal/state"
)

// The strip of a day shows its states in pieces.
const (
	stripPiece  = 15 * time.Minute
	stripPieces = int(24 * time.Hour / stripPiece)
)

// Strip holds the worst state of each piece of the last day, the oldest first; empty where there was no verdict.
type Strip [stripPieces]signin.Readiness

// Trouble is a time in which a kind of phone was not ready; it goes on while End is zero.
type Trouble struct {
	Begin, End time.Time
	State      signin.Readiness
	// Step is empty where no step is at fault.
	Step phone.Step
	Why  signin.Finding
	// Changed is what was another than when the phone was last ready.
	Changed []signin.Change
}

// Track is what is remembered of a verdict.
type Track struct {
	State signin.Readiness
	Since time.Time
	// Last is the latest trouble; nil while there was none. A block is kept for a day where what came after it is no
	// block.
	Last *Trouble
	// Day ends with the piece of now.
	Day Strip
}

// trackKey names a verdict for as long as its site is watched.
type trackKey struct {
	site     string
	network  site.NetworkName
	firmware string
	kind     phone.Kind
}

func trackOf(name string, n site.NetworkName, v *signin.Verdict) trackKey {
	return trackKey{name, n, v.Firmware, v.Kind}
}

// traits are what may be behind a verdict that became another. They are worked out when they are asked for, which is
// seldom.
type traits func() []signin.Trait

type track struct {
	state              signin.Readiness
	since              time.Time
	good, bad, unknown uint64
	ready              traits // at readyAt, when it was last ready
	readyAt            time.Time
	last               *Trouble
	day                day
	piece              int64 // the number of the last piece of day
}

// tracks are those of all verdicts. They outlive a reload.
type tracks struct {
	memory *state.File
	mu     sync.Mutex
	all    map[trackKey]*track
}

// follow takes note of new verdicts, and writes down those that became another.
func (ts *tracks) follow(log *slog.Logger, g *Judged, all []*signin.Verdict, now traits, at time.Time) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	lines := map[string]*changeLine{}
	var order []*changeLine
	for _, v := range all {
		for _, name := range g.Sites {
			t := ts.of(trackOf(name, g.Network, v))
			before := t.state
			if changes := t.follow(v, now, at); before != v.State && v.State != signin.NoVerdict {
				key := string(before) + " " + string(v.State) + " " + v.Text()
				if lines[key] == nil {
					lines[key] = &changeLine{verdict: v, before: before, changed: changes}
					order = append(order, lines[key])
				}
				lines[key].add(name, v)
			}
		}
	}
	for _, l := range order {
		l.write(log, g.Network)
	}
}

func (ts *tracks) of(k trackKey) *track {
	if ts.all == nil {
		ts.all = map[trackKey]*track{}
	}
	t := ts.all[k]
	if t == nil {
		t = recall(ts.memory, k)
		ts.all[k] = t
	}
	return t
}

// follow takes a verdict over and tells what is another than when the phone was last ready.
func (t *track) follow(v *signin.Verdict, now traits, at time.Time) []signin.Change {
	if v.State != t.state {
		t.state, t.since = v.State, at
	}
	t.advance(at)
	t.day.worse(v.State)
	begin := at
	goes := t.last != nil && t.last.End.IsZero()
	switch {
	case goes && t.last.State == v.State:
		begin = t.last.Begin
	case goes:
		ended := *t.last
		ended.End = at
		t.last = &ended
	}
	switch v.State {
	case signin.Ready:
		t.ready, t.readyAt = now, at
		return nil
	case signin.NoVerdict:
		return nil
	}
	trouble := &Trouble{Begin: begin, State: v.State, Why: v.Why, Changed: signin.Changes(t.ready(), now())}
	if v.At != nil {
		trouble.Step = v.At.Step.Name
	}
	if v.State == signin.Stopped || !t.lately(signin.Stopped, at) {
		t.last = trouble
	}
	return trouble.Changed
}

// lately tells whether the last trouble was of that state, and ended within a day.
func (t *track) lately(state signin.Readiness, now time.Time) bool {
	return t.last != nil && t.last.State == state && !t.last.End.IsZero() && now.Sub(t.last.End) < 24*time.Hour
}

// advance moves the strip on to now.
func (t *track) advance(now time.Time) {
	piece := now.Unix() / int64(stripPiece/time.Second)
	passed := min(piece-t.piece, int64(stripPieces))
	for range passed {
		copy(t.day[:], t.day[1:])
		t.day[stripPieces-1] = noLetter
	}
	t.piece = piece
}

// count counts each verdict once.
func (ts *tracks) count(g *Judged, all []*signin.Verdict) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for _, v := range all {
		for _, name := range g.Sites {
			t := ts.of(trackOf(name, g.Network, v))
			switch v.State {
			case signin.Ready, signin.NotAll:
				t.good++
			case signin.Stopped:
				t.bad++
			case signin.Unclear:
				t.unknown++
			}
		}
	}
}

func (ts *tracks) counts(k trackKey) (good, bad, unknown uint64) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t := ts.of(k)
	return t.good, t.bad, t.unknown
}

// show gives a copy of a track as of now.
func (ts *tracks) show(k trackKey, now time.Time) Track {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t := ts.of(k)
	t.advance(now)
	return Track{State: t.state, Since: t.since, Last: t.last, Day: t.day.strip()}
}

// forget drops the tracks of sites and networks that a plan has no more.
func (ts *tracks) forget(p *Plan) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	type place struct {
		site    string
		network site.NetworkName
	}
	kept := map[place][]phone.Firmware{}
	for _, g := range p.Judged {
		for _, name := range g.Sites {
			kept[place{name, g.Network}] = g.Pool.Target.Firmware
		}
	}
	for k := range ts.all {
		if !slices.ContainsFunc(kept[place{k.site, k.network}], func(f phone.Firmware) bool { return f.Version == k.firmware }) {
			delete(ts.all, k)
		}
	}
}

// changeLine is what the log says of verdicts that became another in the same way.
type changeLine struct {
	verdict       *signin.Verdict
	before        signin.Readiness
	changed       []signin.Change
	sites, phones []string
}

func (l *changeLine) add(name string, v *signin.Verdict) {
	if !slices.Contains(l.sites, name) {
		l.sites = append(l.sites, name)
	}
	if p := v.Firmware + " " + string(v.Kind); !slices.Contains(l.phones, p) {
		l.phones = append(l.phones, p)
	}
}

// mostSites is how many sites a line names.
const mostSites = 10

func (l *changeLine) write(log *slog.Logger, network site.NetworkName) {
	sites := strings.Join(l.sites[:min(len(l.sites), mostSites)], ", ")
	args := []any{"network", network, "phones", strings.Join(l.phones, ", "), "sites", sites}
	if more := len(l.sites) - mostSites; more > 0 {
		args = append(args, "more_sites", more)
	}
	if l.before != "" {
		args = append(args, "before", string(l.before))
	}
	v := l.verdict
	if v.State == signin.Ready {
		log.Info("phones can sign in", args...)
		return
	}
	args = append(args, "state", string(v.State))
	if v.At != nil {
		args = append(args, "step", string(v.At.Step.Name))
	}
	if v.Why.Reason != nil {
		args = append(args, "reason", v.Why.Reason.Name, "seen", v.Why.Seen, "mend", v.Why.Reason.Mend)
	}
	var changed []string
	for _, c := range l.changed {
		changed = append(changed, fmt.Sprintf("%s: %s -> %s", c.Name, cmp.Or(c.Before, "not there"), c.Now))
	}
	if changed != nil {
		args = append(args, "changed", strings.Join(changed, "; "))
	}
	switch v.State {
	case signin.NotAll:
		log.Warn("phones can sign in, but not everything is good", args...)
	case signin.Stopped:
		log.Error("phones cannot sign in", args...)
	default:
		log.Warn("it cannot be told whether phones can sign in", args...)
	}
}
