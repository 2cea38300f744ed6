package schedule

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/cx700/cx700_exporter/collectors"
	"github.com/cx700/cx700_exporter/internal/site"
)

// journal notes when each target was probed, since it was made.
type journal struct {
	mu    sync.Mutex
	begun time.Time
	at    map[string][]time.Duration
}

func newJournal() *journal { return &journal{begun: time.Now(), at: map[string][]time.Duration{}} }

func (j *journal) note(_ context.Context, env *collectors.Env) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	key := env.Target.Collector + " " + env.Target.Name
	j.at[key] = append(j.at[key], time.Since(j.begun))
	return nil
}

func TestFirstProbesAreSpread(t *testing.T) {
	const jobs = 1000
	for _, tt := range []struct{ interval, spread time.Duration }{
		{time.Minute, firstRound(jobs)},
		{200 * time.Millisecond, 200 * time.Millisecond},
	} {
		t.Run(tt.interval.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := newJournal()
				c := fake("dns", j.note)
				c.Interval = tt.interval
				startPlan(t, DefaultConcurrency, planOf(t, []*collectors.Collector{c}, manyDomains(jobs)...))
				pass(tt.spread)
				if len(j.at) != jobs {
					t.Fatalf("%d of %d were probed within %s", len(j.at), jobs, tt.spread)
				}
				const parts = 10
				var count [parts]int
				for _, at := range j.at {
					count[min(at[0]*parts/tt.spread, parts-1)]++
				}
				if low, high := slices.Min(count[:]), slices.Max(count[:]); low < jobs/parts/2 || high > jobs/parts*2 {
					t.Errorf("first probes in each tenth of %s: %v", tt.spread, count)
				}
			})
		})
	}
}

func TestTargetsOfOneRoundStartTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		all := []*collectors.Collector{fake("ntp", j.note), fake("dns", j.note)}
		startPlan(t, DefaultConcurrency, planOf(t, all, manyDomains(50)...))
		pass(time.Second)
		for _, d := range manyDomains(50) {
			if diff := cmp.Diff(j.at["ntp "+d], j.at["dns "+d]); diff != "" {
				t.Errorf("%s (-ntp +dns):\n%s", d, diff)
			}
		}
	})
}

// TestGridIsKept holds the scheduler to whole intervals between regular probes, however long they take,
// also when one takes longer than an interval.
func TestGridIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		takes := []time.Duration{3 * time.Second, 59 * time.Second, 0, 61 * time.Second, time.Second, 0}
		c := fake("dns", func(ctx context.Context, env *collectors.Env) error {
			take := takes[len(j.at["dns contoso.com"])]
			_ = j.note(ctx, env)
			<-time.After(take)
			return nil
		})
		startPlan(t, DefaultConcurrency, planOf(t, []*collectors.Collector{c}, "contoso.com"))
		pass(6*time.Minute + 30*time.Second)
		all := j.at["dns contoso.com"]
		if soon := all[1] - all[0]; soon < 30*time.Second || soon > 90*time.Second {
			t.Errorf("the first regular probe is %s after the first", soon)
		}
		var got []time.Duration
		for _, at := range all[1:] {
			got = append(got, at-all[1])
		}
		want := []time.Duration{0, time.Minute, 2 * time.Minute, 4 * time.Minute, 5 * time.Minute}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestWorkersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const workers, jobs = 3, 20
		var mu sync.Mutex
		now, most, all := 0, 0, 0
		c := fake("dns", func(context.Context, *collectors.Env) error {
			count := func(n int) {
				mu.Lock()
				defer mu.Unlock()
				now += n
				most, all = max(most, now), all+max(n, 0)
			}
			count(1)
			defer count(-1)
			<-time.After(time.Second)
			return nil
		})
		h := startPlan(t, workers, planOf(t, []*collectors.Collector{c}, manyDomains(jobs)...))
		pass(8 * time.Second)
		if most != workers || all != jobs || !h.Ready() {
			t.Errorf("%d at a time, %d in all, ready %t; want %d, %d and true", most, all, h.Ready(), workers, jobs)
		}
		waited := 0.0
		families, err := h.registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == descQueue.Name {
				waited = f.Metric[0].GetHistogram().GetSampleSum()
			}
		}
		// Each third waits a second longer than the one before: 3 x (1+2+3+4+5) + 2 x 6, less the phases.
		if waited < 50 || waited > 57 {
			t.Errorf("they waited %.1f s for a worker, want about 57 s", waited)
		}
	})
}

// TestAloneRunsOneAtATime: probes that move much data wait for one another without a worker, and their time
// begins with their turn.
func TestAloneRunsOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const jobs, takes = 5, 8 * time.Second
		j := newJournal()
		var now, most, late atomic.Int32
		alone := fake("firmware_download", func(ctx context.Context, _ *collectors.Env) error {
			most.Store(max(most.Load(), now.Add(1)))
			defer now.Add(-1)
			select {
			case <-time.After(takes):
			case <-ctx.Done():
				late.Add(1)
			}
			return nil
		})
		alone.Alone, alone.Interval = true, 24*time.Hour
		h := startPlan(t, 1, planOf(t, []*collectors.Collector{alone, fake("dns", j.note)}, manyDomains(jobs)...))
		pass(2 * time.Second)
		if len(j.at) != jobs || !h.Ready() {
			t.Errorf("%d of %d others were probed, ready %t", len(j.at), jobs, h.Ready())
		}
		pass(jobs * takes)
		reported := 0
		for range h.Reports {
			reported++
		}
		if most.Load() != 1 || late.Load() != 0 || reported != 2*jobs {
			t.Errorf("%d at a time, %d without time, %d reports; want 1, 0 and %d", most.Load(), late.Load(), reported, 2*jobs)
		}
		pass(24 * time.Hour)
		h.Swap(planOf(t, []*collectors.Collector{fake("dns", j.note)}, "contoso.com")) // ends those that wait
	})
}

func TestTimeoutIsThatOfTheTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := fake("dns", func(ctx context.Context, _ *collectors.Env) error {
			<-ctx.Done()
			return ctx.Err()
		})
		plan := planOf(t, []*collectors.Collector{c}, "contoso.com")
		h := startPlan(t, DefaultConcurrency, plan)
		pass(11 * time.Second)
		r := h.Last(plan.Jobs[0])
		if r == nil {
			t.Fatal("no report a second after the timeout")
		}
		if took := r.Ended.Sub(r.Started); took != c.Timeout || r.Failures[0].Reason.Name != "internal" {
			t.Errorf("took %s with %v, want %s with internal", took, r.Failures[0], c.Timeout)
		}
	})
}

func TestPanicIsOneReportAndTheOthersGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := []*collectors.Collector{
			fake("ntp", func(context.Context, *collectors.Env) error { panic("at the disco") }), fake("dns", good),
		}
		h := startPlan(t, DefaultConcurrency, planOf(t, all, "contoso.com"))
		pass(3*time.Minute + time.Second)
		got := h.series()
		want := map[string]float64{
			"cx700_probe_success{ntp,internal,contoso.com}":          0,
			"cx700_probes_total{ntp,internal,contoso.com}":           4,
			"cx700_probe_failures_total{ntp,internal,contoso.com}":   4,
			"cx700_probe_failing{ntp,internal,internal,contoso.com}": 1,
			"cx700_probe_success{dns,internal,contoso.com}":          1,
			"cx700_probes_total{dns,internal,contoso.com}":           4,
			"cx700_probe_failures_total{dns,internal,contoso.com}":   0,
		}
		for name, value := range want {
			if v, ok := got[name]; !ok || v != value {
				t.Errorf("%s is %v (there: %t), want %v", name, v, ok, value)
			}
		}
		if h.logged("at the disco") != 1 || !strings.Contains(h.log.String(), "scheduler_test.go") {
			t.Errorf("the log should tell the panic once, with its place:\n%s", h.log)
		}
	})
}

// TestConfirmation follows a target that blips once and then breaks for good.
func TestConfirmation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var isBroken atomic.Bool
		c := fake("dns", func(context.Context, *collectors.Env) error {
			if isBroken.Load() {
				return broken()
			}
			return nil
		})
		h := startPlan(t, DefaultConcurrency, planOf(t, []*collectors.Collector{c}, "contoso.com"))
		expect := func(when string, success, probes, failures float64, lines int) {
			t.Helper()
			s := h.series()
			got := []float64{
				s["cx700_probe_success{dns,internal,contoso.com}"], s["cx700_probes_total{dns,internal,contoso.com}"],
				s["cx700_probe_failures_total{dns,internal,contoso.com}"], float64(h.logged("target fails")),
			}
			if diff := cmp.Diff([]float64{success, probes, failures, float64(lines)}, got); diff != "" {
				t.Errorf("%s: success, probes, failures, lines in the log (-want +got):\n%s", when, diff)
			}
		}
		pass(100 * time.Millisecond)
		expect("at first", 1, 1, 0, 0)

		isBroken.Store(true)
		pass(time.Minute)
		expect("in a blip", 0, 1, 0, 0)
		isBroken.Store(false)
		pass(time.Second)
		expect("after a blip", 1, 2, 0, 0)

		isBroken.Store(true)
		pass(59 * time.Second)
		expect("broken once", 0, 2, 0, 0)
		pass(time.Second)
		expect("broken twice", 0, 2, 0, 0)
		pass(time.Second)
		expect("broken three times", 0, 3, 1, 1)
		pass(time.Minute)
		expect("broken a minute later", 0, 4, 2, 1)

		isBroken.Store(false)
		pass(time.Minute + 2*time.Second)
		expect("mended", 1, 5, 2, 1)
		if h.logged("target is good") != 2 {
			t.Errorf("the log should tell that it is good at first and in the end:\n%s", h.log)
		}
	})
}

func TestSince(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var isBroken atomic.Bool
		c := fake("dns", func(context.Context, *collectors.Env) error {
			if isBroken.Load() {
				return broken()
			}
			return nil
		})
		plan := planOf(t, []*collectors.Collector{c}, "contoso.com")
		h := startPlan(t, DefaultConcurrency, plan)
		pass(100 * time.Millisecond)
		isBroken.Store(true)
		pass(time.Minute)
		first := h.Last(plan.Jobs[0])
		if !first.Since.Equal(first.Started) {
			t.Errorf("broken since %s, want %s", first.Since, first.Started)
		}
		pass(5 * time.Minute)
		if last := h.Last(plan.Jobs[0]); !last.Since.Equal(first.Started) || !last.Started.After(first.Started) {
			t.Errorf("broken since %s, want still %s", last.Since, first.Started)
		}
	})
}

func TestLinesAreLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		said := false
		c := fake("directory", func(_ context.Context, env *collectors.Env) error {
			if !said {
				env.Say("a new root", "subject", "CN=ContosoCA")
			}
			said = true
			return nil
		})
		h := startPlan(t, DefaultConcurrency, planOf(t, []*collectors.Collector{c}, "contoso.com"))
		pass(5 * time.Minute)
		const want = `msg="a new root" network=internal collector=directory target=contoso.com subject="CN=ContosoCA"`
		if h.logged(want) != 1 {
			t.Errorf("want one line with %s in:\n%s", want, h.log)
		}
	})
}

// TestSwap keeps one target, removes one and adds one, in another collector each.
func TestSwap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		emits := func(_ context.Context, env *collectors.Env) error {
			env.Emit(descFake, 1, "item")
			return nil
		}
		dns, ntp, directory := fake("dns", emits), fake("ntp", emits), fake("directory", emits)
		before := planOf(t, []*collectors.Collector{dns, ntp}, "contoso.com")
		h := startPlan(t, DefaultConcurrency, before)
		pass(2*time.Minute + time.Second)
		kept := h.Last(before.Jobs[0])

		after := planOf(t, []*collectors.Collector{dns, directory}, "contoso.com")
		h.Swap(after)
		if h.Last(after.Jobs[0]) != kept || h.Last(before.Jobs[0]) != nil {
			t.Error("the equal target should be known by its new plan only, with its last report")
		}
		if h.Last(after.Jobs[1]) != nil || !h.Ready() {
			t.Error("the new target should not be probed yet, and the scheduler ready as it was")
		}
		pass(time.Minute)
		got := h.series()
		if v := got["cx700_probes_total{dns,internal,contoso.com}"]; v != 4 {
			t.Errorf("the kept target counts %v probes, want 4", v)
		}
		if v := got["cx700_probes_total{directory,internal,contoso.com}"]; v < 1 || !h.Ready() {
			t.Errorf("the new target counts %v probes, ready %t", v, h.Ready())
		}
		for name := range got {
			if strings.Contains(name, "ntp") {
				t.Errorf("stale: %s", name)
			}
		}
		if diff := cmp.Diff([]string{"directory", "dns"}, h.histograms(t)); diff != "" {
			t.Errorf("collectors with a histogram of durations (-want +got):\n%s", diff)
		}
		reports := 0
		for range h.Reports {
			reports++
		}
		if reports != 2 || h.Plan() != after {
			t.Errorf("%d reports of the plan, want 2 of the new one", reports)
		}
	})
}

// TestJobGoesOnUnderAnotherName adds a site whose target would go by the name of one that is there: that one gets
// another name, and goes on all the same.
func TestJobGoesOnUnderAnotherName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := fake("dns", func(_ context.Context, env *collectors.Env) error {
			env.Emit(descFake, 1, "item")
			return nil
		})
		c.Targets = func(s *site.Site, n site.Network) []collectors.Target {
			return []collectors.Target{{Collector: "dns", Network: n.Name, Name: "contoso.com", Domains: s.Domains}}
		}
		before := planOf(t, []*collectors.Collector{c}, "a.example")
		h := startPlan(t, DefaultConcurrency, before)
		pass(time.Second)
		first := h.Last(before.Jobs[0])
		both := planOf(t, []*collectors.Collector{c}, "a.example", "b.example")
		h.Swap(both)
		if h.Last(both.Jobs[0]) != first {
			t.Error("the target was not kept")
		}
		name := both.Jobs[0].Target.Name
		if name == "contoso.com" {
			t.Fatal("the targets go by one name")
		}
		got := h.series()
		if got["cx700_fake{item,internal,"+name+"}"] != 1 || got["cx700_probes_total{dns,internal,"+name+"}"] != 1 {
			t.Errorf("series: %v", got)
		}
	})
}

// histograms lists the collectors that have a histogram of durations.
func (h *harness) histograms(t *testing.T) []string {
	t.Helper()
	families, err := h.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range families {
		for _, m := range f.Metric {
			if f.GetName() == descDuration.Name {
				out = append(out, m.Label[0].GetValue())
			}
		}
	}
	return out
}

// TestSwapEndsWhatItRemoves removes a target whose probe runs and takes its time to stop.
func TestSwapEndsWhatItRemoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cancelled, release := make(chan struct{}), make(chan struct{})
		var ended atomic.Bool
		c := fake("dns", func(ctx context.Context, _ *collectors.Env) error {
			<-ctx.Done()
			close(cancelled)
			<-release
			ended.Store(true)
			return nil
		})
		h := startPlan(t, DefaultConcurrency, planOf(t, []*collectors.Collector{c}, "contoso.com"))
		pass(100 * time.Millisecond)
		endedFirst := make(chan bool)
		go func() {
			h.Swap(&Plan{})
			endedFirst <- ended.Load()
		}()
		<-cancelled
		close(release)
		if !<-endedFirst {
			t.Error("Swap returned before the probe it removed had ended")
		}
		if got := h.series(); len(got) > 0 || len(h.histograms(t)) > 0 {
			t.Errorf("left behind: %v", got)
		}
	})
}

func TestIdleJobsCostNoGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const jobs = 5000
		before := runtime.NumGoroutine()
		h := startPlan(t, DefaultConcurrency, planOf(t, []*collectors.Collector{fake("dns", good)}, manyDomains(jobs)...))
		pass(firstRound(jobs))
		if !h.Ready() {
			t.Fatal("not every target was probed")
		}
		if more := runtime.NumGoroutine() - before; more > 10 {
			t.Errorf("%d idle jobs hold %d goroutines", jobs, more)
		}
	})
}

func TestOnceLeavesTheScheduleAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		scheduled := []bool{}
		c := fake("dns", func(_ context.Context, env *collectors.Env) error {
			scheduled = append(scheduled, env.Scheduled)
			return broken()
		})
		plan := planOf(t, []*collectors.Collector{c}, "contoso.com")
		h := startPlan(t, DefaultConcurrency, plan)
		pass(time.Second)
		before := h.series()
		r := Once(t.Context(), h.Shared(), plan.Jobs[0], time.Now())
		if r.Success() || r.Set != nil {
			t.Errorf("success %t with %v, want a failed report without series", r.Success(), r.Set)
		}
		if diff := cmp.Diff(before, h.series()); diff != "" {
			t.Errorf("the series changed (-before +after):\n%s", diff)
		}
		if diff := cmp.Diff([]bool{true, false}, scheduled); diff != "" {
			t.Errorf("who was told to be of the schedule (-want +got):\n%s", diff)
		}
	})
}

// TestNotWatchedIsNeitherGoodNorBad, alone or beside something else, and is told once.
func TestNotWatchedIsNeitherGoodNorBad(t *testing.T) {
	unwatched := &collectors.Failure{Reason: &collectors.Reason{Name: "unwatched", Effect: collectors.NotWatched}, Err: errors.New("no privilege")}
	slow := &collectors.Failure{Reason: reasonSlow, Err: errors.New("as seen")}
	for _, tt := range []struct {
		name  string
		found error
		want  map[string]float64
	}{
		{"alone", unwatched, nil},
		{"degraded", errors.Join(unwatched, slow), nil},
		{"broken", errors.Join(unwatched, broken()), map[string]float64{"cx700_probe_success{dns,internal,contoso.com}": 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := fake("dns", func(context.Context, *collectors.Env) error { return tt.found })
				h := startPlan(t, DefaultConcurrency, planOf(t, []*collectors.Collector{c}, "contoso.com"))
				pass(5 * time.Minute)
				all := h.series()
				got := maps.Clone(all)
				maps.DeleteFunc(got, func(series string, _ float64) bool { return !strings.HasPrefix(series, "cx700_probe_success") })
				if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if all["cx700_probe_failing{dns,internal,unwatched,contoso.com}"] != 1 {
					t.Errorf("the reason is not shown: %v", all)
				}
				if n := h.logged("target is not watched"); n != 1 {
					t.Errorf("told %d times:\n%s", n, h.log)
				}
			})
		})
	}
}

// TestBadSeriesIsLeftOutAndTold emits one series twice.
func TestBadSeriesIsLeftOutAndTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := fake("dns", func(_ context.Context, env *collectors.Env) error {
			env.Emit(descFake, 1, "twice")
			env.Emit(descFake, 2, "twice")
			return nil
		})
		h := startPlan(t, DefaultConcurrency, planOf(t, []*collectors.Collector{c}, "contoso.com"))
		pass(time.Second)
		got := h.series()
		if got["cx700_fake{twice,internal,contoso.com}"] != 1 || got["cx700_probe_success{dns,internal,contoso.com}"] != 1 {
			t.Errorf("want the first of the two series and all others: %v", got)
		}
		if h.logged("series left out") != 1 {
			t.Errorf("the log does not tell:\n%s", h.log)
		}
	})
}

func TestExplainFitsATerminal(t *testing.T) {
	c := fake("dns", good)
	long := strings.Repeat("a long text about what was seen ", 10)
	r := &Report{
		Planned:  planOf(t, []*collectors.Collector{c}, "contoso.com").Jobs[0],
		Failures: []*collectors.Failure{{Reason: reasonSlow, Err: fmt.Errorf("%s", long)}, {Reason: reasonBroken, Err: fmt.Errorf("as seen")}},
	}
	var out strings.Builder
	r.Explain(&out)
	for line := range strings.Lines(out.String()) {
		if len(strings.TrimSuffix(line, "\n")) > columns {
			t.Errorf("over %d columns: %s", columns, line)
		}
	}
	for _, want := range []string{"slow (degraded): it is slow", "mend      speed it up", "reset     makes it worse", "blocked: broken, slow"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, &out)
		}
	}
	if n := strings.Count(out.String(), "  reset  "); n != 1 {
		t.Errorf("%d warnings of a hard reset, want one, for what stops a phone:\n%s", n, &out)
	}
}
