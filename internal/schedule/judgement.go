package schedule

import (
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cx700/cx700_exporter/collectors"
	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/metric"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/signin"
)

// judgement is what a plan judges, while it runs.
type judgement struct {
	*Judged
	jobs map[*Planned]*job

	pending bool // under the lock of those that are

	mu       sync.Mutex // so that the last reports are judged last
	retired  bool       // by another plan
	verdicts []*signin.Verdict
	set      atomic.Pointer[metric.Set]
	why      atomic.Pointer[[]*phone.Reason] // what the verdicts name
}

// judgements makes those of a plan; jobs are the plan's.
func judgements(p *Plan, jobs map[*Planned]*job) (all []*judgement, byJob map[*job][]*judgement) {
	byJob = map[*job][]*judgement{}
	for _, g := range p.Judged {
		j := &judgement{Judged: g, jobs: jobs}
		all = append(all, j)
		for _, need := range g.Probes {
			byJob[jobs[need]] = append(byJob[jobs[need]], j)
		}
	}
	return all, byJob
}

// judge gives the verdicts anew, from reports whose outcome is confirmed. It begins once every probe that it needs has
// reported.
func (s *Scheduler) judge(g *judgement, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.retired && s.judgeAnew(g, now) {
		s.publish(g)
	}
}

// retire returns when the judgement is not judged any more.
func (g *judgement) retire() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.retired = true
}

// judgeAnew tells whether some verdict is another than before.
func (s *Scheduler) judgeAnew(g *judgement, now time.Time) bool {
	defer func() { // as in guarded: one bad chain must not end all probes
		if p := recover(); p != nil {
			s.log.Error("not judged", "collector", "pool", "target", g.Pool.Target.Name, "err", fmt.Sprintf("panic: %v\n%s", p, debug.Stack()))
			g.verdicts = nil
			g.set.Store(nil)
			g.why.Store(nil)
		}
	}()
	seen, failed, complete := g.gather(g.confirmed, now)
	if !complete {
		return false
	}
	one := anyOf(seen)
	all := signin.Judge(s.cache, seen, g.profiles(s.shared, g.forest(one.Directory)), now, g.verdicts)
	if s.doubted(g, all, failed) {
		return false
	}
	before := g.verdicts
	g.verdicts = all
	s.tracks.follow(s.log, g.Judged, all, sync.OnceValue(func() []signin.Trait { return signin.Traits(one, g.Pool.Target.Domains) }), now)
	return !slices.Equal(all, before)
}

// confirmed is the last report of a probe whose outcome is confirmed, and when the last look ended.
func (g *judgement) confirmed(p *Planned) (r *Report, looked time.Time) {
	if r = g.jobs[p].counted.Load(); r != nil {
		looked = g.jobs[p].last.Load().Ended
	}
	return r, looked
}

// doubted tells whether a block waits for a look at our own network that is newer than the failures behind it: who has
// lost the network must not say that phones have.
func (s *Scheduler) doubted(g *judgement, all []*signin.Verdict, failed time.Time) bool {
	stopped := func(v *signin.Verdict) bool { return v.State == signin.Stopped }
	if !slices.ContainsFunc(all, stopped) || slices.ContainsFunc(g.verdicts, stopped) {
		return false
	}
	for _, p := range g.Probes {
		j := g.jobs[p]
		last := j.last.Load()
		if last == nil || last.Seen.Vantage == nil {
			continue
		}
		if last.Started.Before(failed) || last != j.counted.Load() {
			s.hasten(j)
			return true
		}
		return s.failedBefore(g, last.Since)
	}
	return false
}

// failedBefore tells whether something that blocks was seen before our own network was as it is now, and not since; it is
// looked at again.
func (s *Scheduler) failedBefore(g *judgement, since time.Time) bool {
	blocks := func(f *collectors.Failure) bool { return f.Reason.Effect >= collectors.BlocksNew }
	out := false
	for _, p := range g.Probes {
		j := g.jobs[p]
		counted := j.counted.Load()
		if counted == nil || !counted.Started.Before(since) || !slices.ContainsFunc(counted.Failures, blocks) {
			continue
		}
		out = true
		if counted == j.last.Load() && !p.Target.Credentialled() { // else the next probe is due soon, or costs a logon
			s.hasten(j)
		}
	}
	return out
}

// publish gives the series of the verdicts.
func (s *Scheduler) publish(g *judgement) {
	set, err := metric.NewSet(s.samples(g))
	if err != nil {
		s.log.Error("series left out", "collector", "pool", "target", g.Pool.Target.Name, "err", err)
	}
	g.set.Store(set)
	why := reasonsOf(g.verdicts)
	g.why.Store(&why)
}

// tick counts the state of every verdict once, by reports that are not too old.
func (s *Scheduler) tick(now time.Time) {
	for _, g := range s.plan.Load().judged {
		g.mu.Lock()
		s.judgeAnew(g, now)
		s.tracks.count(g.Judged, g.verdicts)
		s.publish(g)
		g.mu.Unlock()
	}
}

// forest is where the directory lies; the one of before while no controller can be read.
func (g *judgement) forest(d *facts.Directory) string {
	if d == nil || g.Directory == nil {
		return ""
	}
	j := g.jobs[g.Directory]
	if now := d.Forest(); now != "" {
		j.forest.Store(&now)
	}
	if known := j.forest.Load(); known != nil {
		return *known
	}
	return ""
}
