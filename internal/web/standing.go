package web

import (
	"slices"
	"time"

	"github.com/cx700/cx700_exporter/internal/check"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/schedule"
	"github.com/cx700/cx700_exporter/internal/signin"
)

// place is a site with all that is known of its phones.
type place struct {
	Name   string
	Phones int
	// Sides are its networks, inside before outside.
	Sides []*side
}

// side is one network of a site. It has no standings before the first verdict.
type side struct {
	Network   string
	Judged    *schedule.Judged
	Standings []*schedule.Standing
}

// places lists the sites in the order of the site file.
func (o Options) places(now time.Time) []*place {
	plan := o.Scheduler.Plan()
	var out []*place
	byName := map[string]*place{}
	for _, s := range plan.Sites {
		p := &place{Name: s.Name, Phones: s.Phones}
		out, byName[s.Name] = append(out, p), p
	}
	for _, inside := range []bool{true, false} {
		for _, g := range plan.Judged {
			for _, name := range g.Sites {
				if (g.Network == "internal") == inside {
					byName[name].Sides = append(byName[name].Sides, &side{Network: string(g.Network), Judged: g})
				}
			}
		}
	}
	o.Scheduler.Standings(now, func(st *schedule.Standing) bool {
		if p := byName[st.Site]; p != nil { // else the site file was read again meanwhile
			for _, s := range p.Sides {
				if s.Network == string(st.Network) {
					s.Standings = append(s.Standings, st)
				}
			}
		}
		return true
	})
	return out
}

// group is some kinds of phones at a side that have something in common.
type group struct {
	Of     []*schedule.Standing
	Phones string
}

func (g group) first() *schedule.Standing { return g.Of[0] }

// since is when the first of them came to its state.
func (g group) since() time.Time {
	return slices.MinFunc(g.Of, func(a, b *schedule.Standing) int { return a.Since.Compare(b.Since) }).Since
}

// groups brings together those with the same key, in the order of the firmwares.
func (s *side) groups(key func(*schedule.Standing) string) []group {
	var keys []string
	by := map[string][]*schedule.Standing{}
	var all []*signin.Verdict
	for _, st := range s.Standings {
		all = append(all, st.Verdict)
		k := key(st)
		if by[k] == nil {
			keys = append(keys, k)
		}
		by[k] = append(by[k], st)
	}
	var out []group
	for _, k := range keys {
		var some []*signin.Verdict
		for _, st := range by[k] {
			some = append(some, st.Verdict)
		}
		out = append(out, group{by[k], check.Phones(some, all)})
	}
	return out
}

// verdicts brings phones together that stand alike, the worst first.
func (s *side) verdicts() []group {
	out := s.groups(func(st *schedule.Standing) string { return string(st.Verdict.State) + " " + st.Verdict.Text() })
	slices.SortStableFunc(out, func(a, b group) int { return urgency(b.first().Verdict) - urgency(a.first().Verdict) })
	return out
}

// urgency orders verdicts: a site whose enrolled phones are out of work comes before one that can take no new ones.
func urgency(v *signin.Verdict) int {
	switch {
	case v.State == signin.Stopped && v.Kind == phone.Enrolled:
		return stoppedForAll
	case v.State == signin.Stopped:
		return stoppedForNew
	case v.State == signin.Unclear:
		return unclear
	case v.State == signin.NotAll:
		return notAll
	case v.State == signin.Ready:
		return ready
	default:
		return noVerdict
	}
}

// The degrees of urgency.
const (
	noVerdict = iota
	ready
	notAll
	waiting
	unclear
	stoppedForNew
	stoppedForAll
)

// urgency is that of the worst side; a side without standings has not been looked at.
func (p *place) urgency() int {
	worst := noVerdict
	for _, s := range p.Sides {
		if len(s.Standings) == 0 {
			worst = max(worst, waiting)
		}
		for _, st := range s.Standings {
			worst = max(worst, urgency(st.Verdict))
		}
	}
	return worst
}

// urgencyMark says in few words how a site stands.
func urgencyMark(urgency int) mark {
	return map[int]mark{
		noVerdict: {"none", "no verdict"}, ready: markOf("ready"), notAll: markOf("degraded"), waiting: markOf(notYet), unclear: markOf("unknown"),
		stoppedForNew: {"blocked", "blocked for new phones"}, stoppedForAll: markOf("blocked"),
	}[urgency]
}
