package schedule

import (
	"container/heap"
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cx700/cx700_exporter/collectors"
	"github.com/cx700/cx700_exporter/internal/metric"
	"github.com/cx700/cx700_exporter/internal/reach"
	"github.com/cx700/cx700_exporter/internal/signin"
)

const (
	// DefaultConcurrency is how many probes run at the same time. They mostly wait for the network: where
	// hundreds of sites are silent, each holds a probe for as long as its timeout, and the others must not wait.
	DefaultConcurrency = 1024
	// confirmations is how many more probes must agree before a change of outcome counts, each started
	// confirmDelay after the one before it ended; those that log on wait for their next interval.
	confirmations = 2
	mostTries     = 9
	confirmDelay  = time.Second
)

// Scheduler runs the probes of a plan. Make it with New, give it a plan with Swap, and Run it.
type Scheduler struct {
	log    *slog.Logger
	shared *reach.Shared
	slots  chan struct{}
	wake   chan struct{}

	duration, queue *prometheus.HistogramVec
	born            time.Time

	cache   *signin.Cache
	tracks  tracks
	pending pending

	ready atomic.Bool // once it was

	swapping sync.Mutex // plans are put in place one after the other

	mu   sync.Mutex
	due  dueHeap
	plan atomic.Pointer[running]
}

// running is a plan with its jobs, as readers see it.
type running struct {
	plan *Plan
	jobs []*job // one for each of plan.Jobs
	// judged are the judgements, and those that a job's reports change.
	judged []*judgement
	byJob  map[*job][]*judgement
}

// job is a planned probe with its state. Between being taken from the heap and being put back it
// belongs to its probe, which holds busy.
type job struct {
	planned atomic.Pointer[Planned] // equal targets keep their job; the sites behind it may change
	key     string
	last    atomic.Pointer[Report]
	counted atomic.Pointer[Report] // the last one whose outcome is confirmed
	busy    sync.Mutex
	forest  atomic.Pointer[string] // of a directory, once a controller was read

	next  time.Time // when it is due
	grid  time.Time // a moment from which all but the first probes are whole intervals away
	index int       // in the heap, -1 outside
	stop  func()    // ends its probe, nil while none runs
	gone  bool      // by another plan, or with the scheduler

	settled        string // the confirmed outcome
	reported       bool
	pending        string // an outcome that is to be confirmed
	agreed, tries  int    // probes in a row with the pending outcome, and since the settled one
	rounds, failed uint64
}

// New returns a scheduler without a plan, whose probes share what is given; Run closes it at its end. It
// registers the histograms of probes' duration and queue.
func New(log *slog.Logger, registry prometheus.Registerer, concurrency int, shared *reach.Shared) *Scheduler {
	s := &Scheduler{
		log: log, shared: shared,
		slots: make(chan struct{}, concurrency), wake: make(chan struct{}, 1),
		duration: histogram(descDuration), queue: histogram(descQueue), born: time.Now(),
		cache: &signin.Cache{}, tracks: tracks{memory: shared.State}, pending: pending{wake: make(chan struct{}, 1)},
	}
	registry.MustRegister(s.duration, s.queue)
	s.plan.Store(&running{plan: &Plan{}})
	return s
}

func histogram(d *metric.Desc) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: d.Name, Help: d.Help, Buckets: []float64{.001, .005, .025, .1, .5, 2.5, 10},
		NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100,
	}, d.Labels)
}

// Plan returns the plan that is running.
func (s *Scheduler) Plan() *Plan { return s.plan.Load().plan }

// Shared is what all probes share.
func (s *Scheduler) Shared() *reach.Shared { return s.shared }

// Reports yields the last report of each job that has one, in the order of the plan, with the sites
// that depend on its target by that plan.
func (s *Scheduler) Reports(yield func(*Report) bool) {
	r := s.plan.Load()
	for i, j := range r.jobs {
		last := j.last.Load()
		if last == nil {
			continue
		}
		report := *last
		report.Planned = r.plan.Jobs[i]
		if !yield(&report) {
			return
		}
	}
}

// Last returns the last report of a planned probe, nil when there is none.
func (s *Scheduler) Last(p *Planned) *Report {
	for _, j := range s.plan.Load().jobs {
		if j.planned.Load() == p {
			return j.last.Load()
		}
	}
	return nil
}

// Sets yields the series of the plan, of every last report and of every judgement, and the texts of the reasons that
// they name, for a metric.Gatherer.
func (s *Scheduler) Sets(yield func(*metric.Set)) {
	r := s.plan.Load()
	if r.plan.Set != nil { // before there is a plan
		yield(r.plan.Set)
	}
	told := func(set *metric.Set, err error) {
		if err != nil {
			s.log.Error("series left out", "err", err)
		}
		yield(set)
	}
	for i, j := range r.jobs {
		if report := j.last.Load(); report != nil {
			told(report.under(r.plan.Jobs[i].Target.Name))
		}
	}
	for _, g := range r.judged {
		if set := g.set.Load(); set != nil {
			yield(set)
		}
	}
	told(r.reasons())
}

// Ready tells whether every job has reported, or had once: a reload that adds targets makes nobody take the
// exporter out of service. Jobs that run alone may take hours and do not count. A shard without sites waits for nothing.
func (s *Scheduler) Ready() bool {
	r := s.plan.Load()
	waits := func(j *job) bool { return j.last.Load() == nil && !j.planned.Load().Collector.Alone }
	if planned := len(r.jobs)+len(r.plan.Elsewhere) > 0; planned && !slices.ContainsFunc(r.jobs, waits) {
		s.ready.Store(true)
	}
	return s.ready.Load()
}

// Swap puts a new plan in place: jobs that are equal in both go on with what they know, new ones are
// added, the others are cancelled. It returns when no probe of theirs runs any more.
func (s *Scheduler) Swap(plan *Plan) {
	s.Ready() // is remembered for after
	s.swapping.Lock()
	defer s.swapping.Unlock()
	old := map[string]*job{}
	for _, j := range s.plan.Load().jobs {
		old[j.key] = j
	}
	next := &running{plan: plan}
	jobs := map[*Planned]*job{}
	var added []*job
	now := time.Now()
	for _, p := range plan.Jobs {
		key := p.key
		j := old[key]
		if j == nil {
			h := hash(p)
			first := now.Add(firstTurn(p, h, len(plan.Jobs)))
			j = &job{key: key, next: first, grid: s.grid(p.Target.Interval, h, len(plan.Jobs), first)}
			added = append(added, j)
		}
		j.planned.Store(p)
		delete(old, key)
		next.jobs = append(next.jobs, j)
		jobs[p] = j
	}
	next.judged, next.byJob = judgements(plan, jobs)
	for _, g := range next.judged { // what is known already shows at once; it may hasten a job, which locks
		s.judge(g, now)
	}
	s.mu.Lock()
	for _, j := range added {
		heap.Push(&s.due, j)
	}
	for _, j := range old {
		j.cancel()
		if j.index >= 0 {
			heap.Remove(&s.due, j.index)
		}
	}
	before := s.plan.Swap(next)
	s.mu.Unlock()
	for _, g := range before.judged {
		g.retire()
	}
	s.tracks.forget(plan)
	s.rouse()
	for _, j := range old {
		j.wait()
	}
	s.forget(old, plan)
}

// forget removes the histograms of networks and collectors of which the plan has no target any more.
func (s *Scheduler) forget(old map[string]*job, plan *Plan) {
	labels := func(p *Planned) [2]string { return [...]string{string(p.Target.Network), p.Target.Collector} }
	gone := map[[2]string]bool{}
	for _, j := range old {
		gone[labels(j.planned.Load())] = true
	}
	for _, p := range plan.Jobs {
		delete(gone, labels(p))
	}
	for l := range gone {
		s.duration.DeleteLabelValues(l[0], l[1])
		s.queue.DeleteLabelValues(l[0], l[1])
	}
}

// cancel ends the job, under the scheduler's lock.
func (j *job) cancel() {
	j.gone = true
	if j.stop != nil {
		j.stop()
	}
}

// wait returns when no probe of the job runs.
func (j *job) wait() {
	j.busy.Lock()
	defer j.busy.Unlock()
}

func (s *Scheduler) rouse() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run probes until the context ends, and returns when no probe runs any more. It is called once.
func (s *Scheduler) Run(ctx context.Context) {
	var wg sync.WaitGroup
	defer s.shared.Close()
	defer wg.Wait()
	defer s.cancelAll()
	wg.Go(func() { s.ticks(ctx) })
	wg.Go(func() { s.judgePending(ctx) })
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		j, wait := s.take()
		if j == nil {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-s.wake:
			case <-ctx.Done():
				return
			}
			continue
		}
		if j.planned.Load().Collector.Alone { // it waits for its turn, and leaves the workers to the others
			wg.Go(func() { s.probe(j) })
			continue
		}
		select {
		case s.slots <- struct{}{}:
		case <-ctx.Done():
			j.busy.Unlock()
			return
		}
		wg.Go(func() {
			s.probe(j)
			<-s.slots
		})
	}
}

// TickEvery is how often verdicts are counted.
const TickEvery = 30 * time.Second

func (s *Scheduler) ticks(ctx context.Context) {
	ticker := time.NewTicker(TickEvery)
	defer ticker.Stop()
	defer s.remember()
	written := time.Now()
	for {
		select {
		case now := <-ticker.C:
			s.tick(now)
			if now.Sub(written) >= rememberEvery {
				s.remember()
				written = now
			}
		case <-ctx.Done():
			return
		}
	}
}

// hasten makes a job due now, unless it runs.
func (s *Scheduler) hasten(j *job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.advance(j, time.Now())
}

func (s *Scheduler) advance(j *job, now time.Time) {
	if j.index >= 0 && j.next.After(now) {
		j.next = now
		heap.Fix(&s.due, j.index)
		s.rouse()
	}
}

// Hasten makes what is planned for a site due now, and tells how many probes that are. Those that log on or run alone
// keep their turn: nobody can make the exporter log on, or read an image, more often by asking for it.
func (s *Scheduler) Hasten(siteName string) (due, kept int) {
	now := time.Now() // one for all, so that they share a walk through the names
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range s.plan.Load().jobs {
		p := j.planned.Load()
		switch {
		case !slices.Contains(p.Sites, siteName):
		case p.Target.Credentialled() || p.Collector.Alone:
			kept++
		default:
			due++
			s.advance(j, now)
		}
	}
	return due, kept
}

func (s *Scheduler) cancelAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range s.plan.Load().jobs {
		j.cancel()
	}
}

// take removes the next due job from the heap, or tells how long to wait for it.
func (s *Scheduler) take() (*job, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.due) == 0 {
		return nil, time.Hour
	}
	if wait := time.Until(s.due[0].next); wait > 0 {
		return nil, wait
	}
	j := heap.Pop(&s.due).(*job)
	j.busy.Lock() // at once: only its probe holds it, which ends with putting it back
	return j, 0
}

// begin gives a probe its context, which no idle job has; nil where the job is gone.
func (s *Scheduler) begin(j *job) (ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !j.gone {
		ctx, j.stop = context.WithCancel(context.Background())
	}
	return ctx
}

func (s *Scheduler) probe(j *job) {
	defer j.busy.Unlock()
	ctx := s.begin(j)
	if ctx == nil {
		return
	}
	planned := j.planned.Load()
	t := &planned.Target
	r := probe(ctx, planned, &collectors.Env{Target: t, Shared: s.shared, Due: j.next, Scheduled: true})
	if ctx.Err() != nil {
		return
	}
	s.duration.WithLabelValues(string(t.Network), t.Collector).Observe(r.Ended.Sub(r.Started).Seconds())
	s.queue.WithLabelValues(string(t.Network), t.Collector).Observe(r.Started.Sub(j.next).Seconds())
	for _, l := range r.lines {
		s.log.Warn(l.Message, append([]any{"network", t.Network, "collector", t.Collector, "target", t.Name}, l.Args...)...)
	}
	if last := j.last.Load(); last != nil && last.outcome() == r.outcome() {
		r.Since = last.Since
	}
	confirming := s.settle(j, r)
	if err := r.finish(j.rounds, j.failed); err != nil {
		s.log.Error("series left out", "collector", t.Collector, "target", t.Name, "err", err)
	}
	j.last.Store(r)
	if !confirming {
		j.counted.Store(r)
	}
	s.pending.add(s.plan.Load().byJob[j])
	s.putBack(j, t.Interval, r.Ended, confirming && !t.Credentialled())
}

// settle counts a round, once its outcome is the one known or has been confirmed. It tells whether the
// round goes on with another probe.
func (s *Scheduler) settle(j *job, r *Report) (confirming bool) {
	outcome := r.outcome()
	switch {
	case j.reported && outcome == j.settled:
	case j.reported && !j.confirmed(outcome):
		return true
	default:
		s.logChange(r)
		j.settled, j.reported = outcome, true
	}
	j.pending, j.agreed, j.tries = "", 0, 0
	j.rounds++
	if !r.Success() {
		j.failed++
	}
	return false
}

// confirmed tells whether enough probes in a row found the same outcome. One that is another each time is
// taken as it is in the end.
func (j *job) confirmed(outcome string) bool {
	if outcome != j.pending {
		j.pending, j.agreed = outcome, 0
	}
	j.agreed++
	j.tries++
	return j.agreed > confirmations || j.tries >= mostTries
}

func (s *Scheduler) logChange(r *Report) {
	t := &r.Planned.Target
	if len(r.Failures) == 0 {
		s.log.Info("target is good", "network", t.Network, "collector", t.Collector, "target", t.Name)
	}
	for _, f := range r.Failures {
		message := "target fails"
		if f.Reason.Effect == collectors.NotWatched {
			message = "target is not watched"
		}
		s.log.Warn(message, "network", t.Network, "collector", t.Collector, "target", t.Name,
			"reason", f.Reason.Name, "effect", f.Reason.Effect.String(), "err", f.Err)
	}
}

func (s *Scheduler) putBack(j *job, interval time.Duration, now time.Time, soon bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j.stop()
	j.stop = nil
	if j.gone {
		return // removed meanwhile
	}
	if soon {
		j.next = now.Add(confirmDelay)
	} else {
		j.next = j.grid.Add((now.Sub(j.grid)/interval + 1) * interval)
	}
	heap.Push(&s.due, j)
	s.rouse()
}

// dueHeap orders jobs by when they are due.
type dueHeap []*job

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(a, b int) bool { return h[a].next.Before(h[b].next) }

func (h dueHeap) Swap(a, b int) {
	h[a], h[b] = h[b], h[a]
	h[a].index, h[b].index = a, b
}

func (h *dueHeap) Push(x any) {
	j := x.(*job)
	j.index = len(*h)
	*h = append(*h, j)
}

func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	j := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	j.index = -1
	return j
}
