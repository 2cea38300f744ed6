package schedule

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/cx700/cx700_exporter/collectors"
	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/reach"
	"github.com/cx700/cx700_exporter/internal/signin"
	"github.com/cx700/cx700_exporter/internal/site"
	"github.com/cx700/cx700_exporter/internal/state"
)

// clockAndVantage are collectors whose outcome a test sets.
type clockAndVantage struct {
	mu           sync.Mutex
	clock        error
	lost, counts bool // counts: fail once only
	hangs        chan struct{}
}

func (c *clockAndVantage) set(clock error, lost bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clock, c.lost = clock, lost
}

func (c *clockAndVantage) collectors() []*collectors.Collector {
	ntp := fake("ntp", func(context.Context, *collectors.Env) error {
		c.mu.Lock()
		hangs := c.hangs
		c.mu.Unlock()
		if hangs != nil {
			<-hangs
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		err := c.clock
		if c.counts {
			c.clock, c.counts = nil, false
		}
		return err
	})
	ntp.Steps = []phone.Step{phone.StepTime}
	lost := &collectors.Reason{Name: "vantage_lost", Effect: collectors.Blinds, Means: "lost", Screen: "nothing", Mend: "plug it in", AtPhone: "nothing"}
	vantage := fake("vantage", good)
	vantage.Interval = 10 * time.Second
	vantage.Probe = func(_ context.Context, _ *collectors.Env, seen *facts.Seen) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		seen.Vantage = &facts.Vantage{}
		if c.lost {
			return &collectors.Failure{Reason: lost, Err: errors.New("nothing answers")}
		}
		return nil
	}
	return []*collectors.Collector{ntp, vantage}
}

// watched is a healthy site in fake time whose clock and vantage a test breaks.
func watched(t *testing.T, memory *state.File) (*harness, *world, *clockAndVantage) {
	t.Helper()
	w, c := &world{probes: map[string]int{}}, &clockAndVantage{}
	root := certificate(t, "CA", nil, year(2050), x509.SHA1WithRSA)
	w.show(certificate(t, "sip.fabrikam.com", root, year(2050), x509.SHA1WithRSA))
	w.publish(root)
	plan, err := NewPlan(&site.Config{Sites: []*site.Site{office("oslo", site.Internal)}}, append(w.collectors(), c.collectors()...),
		[]site.NetworkName{site.Internal})
	if err != nil {
		t.Fatal(err)
	}
	h := newHarness(t, 4)
	if memory != nil {
		h.Scheduler = New(h.Scheduler.log, prometheus.NewRegistry(), 4, reach.NewShared(h.Scheduler.log, memory))
	}
	h.Swap(plan)
	h.run(t)
	return h, w, c
}

// standing is how the newest enrolled phone stands.
func (h *harness) standing() *Standing {
	var out *Standing
	h.Standings(time.Now(), func(s *Standing) bool {
		if s.Verdict.Kind == phone.Enrolled && s.Verdict.Firmware == "3.5.6907.35" {
			out = s
		}
		return true
	})
	return out
}

// ticks of it: all, bad, unknown.
func (h *harness) tickCounts() [3]float64 {
	var out [3]float64
	for name, value := range h.series() {
		for i, d := range []string{descTicks.Name, descBadTicks.Name, descUnknownTicks.Name} {
			if strings.HasPrefix(name, d+"{") && strings.Contains(name, "3.5.6907.35,internal,enrolled") {
				out[i] = value
			}
		}
	}
	return out
}

// TestADayOfHealth has no event, no state but ready, and one tick each half minute.
func TestADayOfHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, _ := watched(t, nil)
		pass(24*time.Hour + time.Second)
		if got := h.tickCounts(); got != [3]float64{2880, 0, 0} {
			t.Errorf("ticks: %v", got)
		}
		s := h.standing()
		if s.State != signin.Ready || s.Last != nil || s.Since.After(time.Now().Add(-23*time.Hour)) {
			t.Errorf("%+v", s.Track)
		}
		for i, piece := range s.Day[1:] {
			if piece != signin.Ready {
				t.Errorf("piece %d of the day is %q", i, piece)
			}
		}
		if n := strings.Count(h.log.String(), "phones can sign in"); n != 1 || h.logged("level=WARN")+h.logged("level=ERROR") > 0 {
			t.Errorf("%d lines:\n%s", n, h.log)
		}
	})
}

// TestALostPacketIsNoEvent: what fails once, and is good again when it is looked at again, moves nothing.
func TestALostPacketIsNoEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, c := watched(t, nil)
		pass(time.Minute)
		before := h.log.String()
		c.mu.Lock()
		c.clock, c.counts = broken(), true
		c.mu.Unlock()
		for range 120 {
			pass(time.Second)
			if s := h.standing(); s.State != signin.Ready {
				t.Fatalf("%s %s", s.State, s.Verdict.Text())
			}
		}
		if got := h.tickCounts(); got[1]+got[2] > 0 || h.log.String() != before {
			t.Errorf("ticks: %v, log:\n%s", got, h.log)
		}
	})
}

// TestAnOutage is told once, with what changed, counted, kept, and seen in the day.
func TestAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, w, c := watched(t, nil)
		pass(time.Hour + time.Second)
		other := certificate(t, "Other CA", nil, year(2050), x509.SHA1WithRSA)
		w.show(certificate(t, "sip.fabrikam.com", other, year(2040), x509.SHA1WithRSA))
		c.set(broken(), false)
		pass(10 * time.Minute)
		s := h.standing()
		if s.State != signin.Stopped || s.Verdict.At.Step.Name != phone.StepTime || s.Verdict.Why.Reason != reasonBroken {
			t.Fatalf("%s: %s", s.State, s.Verdict.Text())
		}
		if s.Last == nil || !s.Last.End.IsZero() || len(s.Last.Changed) != 1 || s.Last.Changed[0].Name != "certificate at "+address {
			t.Errorf("%+v", s.Last)
		}
		for _, want := range []string{"phones cannot sign in", "step=trust", "reason=unknown_root", "certificate at " + address, "until 2040"} {
			if !strings.Contains(h.log.String(), want) {
				t.Errorf("no %q in the log:\n%s", want, h.log)
			}
		}
		if n := h.logged("phones cannot sign in"); n != 1 {
			t.Errorf("told %d times:\n%s", n, h.log)
		}
		c.set(nil, false)
		pass(2 * time.Minute)
		s = h.standing() // it does not trust the other CA
		if s.State != signin.Stopped || s.Verdict.At.Step.Name != phone.StepTrust || s.Last.Step != phone.StepTrust {
			t.Errorf("after the clock: %s: %s", s.State, s.Verdict.Text())
		}
		w.mu.Lock()
		w.pool = nil
		w.mu.Unlock()
		root := certificate(t, "CA", nil, year(2050), x509.SHA1WithRSA)
		w.show(certificate(t, "sip.fabrikam.com", root, year(2050), x509.SHA1WithRSA))
		w.publish(root)
		pass(5 * time.Minute)
		s = h.standing()
		if s.State != signin.Ready || s.Last == nil || s.Last.End.IsZero() || s.Last.End.Sub(s.Last.Begin) < 10*time.Minute {
			t.Errorf("healed: %s %s, last %+v", s.State, s.Verdict.Text(), s.Last)
		}
		if !slices.Contains(s.Day[:], signin.Stopped) || s.Day[stripPieces-1] == "" {
			t.Errorf("day: %v", s.Day)
		}
		if got := h.tickCounts(); got[1] < 22 || got[1] > 26 || got[2] > 0 {
			t.Errorf("ticks: %v, want about 24 of 12 minutes bad", got)
		}
	})
}

// TestABlockIsKept while what comes after it is no block, and what changed is told of a phone that is only degraded.
func TestABlockIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, c := watched(t, nil)
		pass(time.Hour)
		c.set(broken(), false)
		pass(5 * time.Minute)
		c.set(nil, true)
		pass(5 * time.Minute)
		c.set(nil, false)
		pass(5 * time.Minute)
		s := h.standing()
		if s.State != signin.Ready || s.Last.State != signin.Stopped || s.Last.Step != phone.StepTime {
			t.Errorf("%s, last %+v", s.State, s.Last)
		}
		if lasted := s.Last.End.Sub(s.Last.Begin); lasted < 4*time.Minute || lasted > 6*time.Minute {
			t.Errorf("the block lasted %s", lasted)
		}
	})
}

// TestChangesOfOneLine are one value, whatever the format of the log.
func TestChangesOfOneLine(t *testing.T) {
	var log strings.Builder
	l := &changeLine{verdict: &signin.Verdict{State: signin.NotAll}, before: signin.Ready,
		changed: []signin.Change{{Name: "one", Before: "1", Now: "2"}, {Name: "two", Now: "2"}}}
	l.write(slog.New(slog.NewTextHandler(&log, nil)), site.Internal)
	if !strings.Contains(log.String(), `changed="one: 1 -> 2; two: not there -> 2"`) || strings.Count(log.String(), "changed=") != 1 {
		t.Error(log.String())
	}
}

// TestLostVantage makes verdicts unknown and never blocked, whichever of the two failures is seen first.
func TestLostVantage(t *testing.T) {
	for wait := range 60 {
		synctest.Test(t, func(t *testing.T) {
			h, _, c := watched(t, nil)
			pass(2*time.Minute + time.Duration(wait)*time.Second)
			c.set(broken(), true)
			for range 120 {
				pass(time.Second)
				if s := h.standing(); s.State == signin.Stopped {
					t.Fatalf("%d: blocked %s", wait, s.Verdict.Text())
				}
			}
			if s := h.standing(); s.State != signin.Unclear || s.Verdict.Why.Reason.Name != "vantage_lost" || s.Verdict.At != nil {
				t.Errorf("%d: %s %s", wait, s.State, s.Verdict.Text())
			}
			c.set(broken(), false)
			pass(time.Minute)
			if s := h.standing(); s.State != signin.Stopped {
				t.Errorf("%d: the network is back: %s %s", wait, s.State, s.Verdict.Text())
			}
		})
	}
}

// TestReloadWhileBlocked takes a plan over just after a failure was seen, when a block waits for a newer look at our own
// network: that look is hastened, and nothing waits for ever.
func TestReloadWhileBlocked(t *testing.T) {
	for wait := range 10 {
		synctest.Test(t, func(t *testing.T) {
			h, _, c := watched(t, nil)
			pass(2 * time.Minute)
			c.set(broken(), false)
			pass(2 * time.Minute)
			hangs := make(chan struct{})
			c.mu.Lock()
			c.hangs = hangs
			c.mu.Unlock()
			pass(time.Minute + time.Duration(wait)*time.Second)
			close(hangs)
			synctest.Wait()
			h.Swap(h.Plan())
			pass(15 * time.Second)
			if s := h.standing(); s == nil || s.State != signin.Stopped {
				t.Errorf("%d: after the reload: %v", wait, s)
			}
		})
	}
}

// TestVantageIsBack: what failed while our own network was gone is looked at again before it counts.
func TestVantageIsBack(t *testing.T) {
	for wait := range 60 {
		synctest.Test(t, func(t *testing.T) {
			h, _, c := watched(t, nil)
			pass(2 * time.Minute)
			c.set(broken(), true)
			pass(3*time.Minute + time.Duration(wait)*time.Second)
			c.set(nil, false)
			for range 120 {
				pass(time.Second)
				if s := h.standing(); s.State == signin.Stopped {
					t.Fatalf("%d: blocked %s", wait, s.Verdict.Text())
				}
			}
			if s := h.standing(); s.State != signin.Ready {
				t.Errorf("%d: %s %s", wait, s.State, s.Verdict.Text())
			}
			if got := h.tickCounts(); got[1] > 0 {
				t.Errorf("%d: ticks: %v", wait, got)
			}
		})
	}
}

// TestOldResults are no ground for a verdict.
func TestOldResults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, c := watched(t, nil)
		pass(time.Minute)
		hangs := make(chan struct{})
		c.mu.Lock()
		c.hangs = hangs
		c.mu.Unlock()
		pass(6 * time.Minute)
		if s := h.standing(); s.State != signin.Unclear || s.Verdict.Why.Reason.Name != "results_too_old" {
			t.Errorf("%s %s", s.State, s.Verdict.Text())
		}
		close(hangs)
		pass(2 * time.Minute)
		if s := h.standing(); s.State != signin.Ready {
			t.Errorf("%s %s", s.State, s.Verdict.Text())
		}
	})
}

// TestDaysOutliveARestart, and what was last good does.
func TestDaysOutliveARestart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state.json")
	synctest.Test(t, func(t *testing.T) {
		memory, err := state.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		_, _, c := watched(t, memory)
		pass(time.Hour)
		c.set(broken(), false)
		pass(20 * time.Minute)
	})
	memory, err := state.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	ready, at := LastReady(memory, "oslo", site.Internal)
	if at.IsZero() || len(ready) != 4 {
		t.Errorf("ready %v at %s", ready, at)
	}
	k := trackKey{"oslo", site.Internal, "3.5.6907.35", phone.Enrolled}
	day := recall(memory, k).day.strip()
	count := map[signin.Readiness]int{}
	for _, piece := range day {
		count[piece]++
	}
	if diff := cmp.Diff(map[signin.Readiness]int{"": stripPieces - 6, signin.Ready: 4, signin.Stopped: 2}, count); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := slices.Sorted(maps.Keys(memoryPlaces(memory))); fmt.Sprint(got) != "[oslo internal]" {
		t.Errorf("places: %v", got)
	}
}

func memoryPlaces(memory *state.File) (out map[string]state.Place) {
	memory.View(func(d *state.Data) { out = maps.Clone(d.Places) })
	return out
}
