package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cx700/cx700_exporter/collectors"
	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/lab"
	"github.com/cx700/cx700_exporter/internal/metric"
	"github.com/cx700/cx700_exporter/internal/reach"
	"github.com/cx700/cx700_exporter/internal/schedule"
	"github.com/cx700/cx700_exporter/internal/signin"
	"github.com/cx700/cx700_exporter/internal/site"
	"github.com/cx700/cx700_exporter/internal/state"
)

// replaying gives every collector that there is, which see again what they saw once at one site, instead of asking.
func replaying(r *round) []*collectors.Collector {
	recorded := map[string]*schedule.Report{}
	of := func(t *collectors.Target) string { return t.Collector + " " + string(t.Network) }
	for p, report := range r.reports {
		recorded[of(&p.Target)] = report
	}
	var out []*collectors.Collector
	for _, c := range collectors.All() {
		replayed := *c
		replayed.Probe = func(_ context.Context, env *collectors.Env, seen *facts.Seen) error {
			report := recorded[of(env.Target)]
			*seen = *report.Seen
			var errs []error
			for _, f := range report.Failures {
				errs = append(errs, f)
			}
			return errors.Join(errs...)
		}
		out = append(out, &replayed)
	}
	return out
}

// TestADayOfRecordedHealth replays what every collector saw of the healthy lab for a day of fake time, three hours of it
// without LONG=1: no state but ready, no event, one tick each half minute.
func TestADayOfRecordedHealth(t *testing.T) {
	company, err := lab.Start(1)
	if err != nil {
		t.Fatal(err)
	}
	content := company.SiteFile()
	r := probeLab(t, company, nil)
	if err := company.Close(); err != nil {
		t.Error(err)
	}
	cfg, err := site.Parse("lab.yml", content)
	if err != nil {
		t.Fatal(err)
	}
	at, minutes := time.Now(), 3*60
	if long() {
		minutes = 24 * 60
	}
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(at)) // the bubble begins with the year 2000
		log := &lockedBuffer{}
		s, stop := scheduled(t, cfg, replaying(r), slog.New(slog.NewTextHandler(log, nil)))
		defer stop()
		time.Sleep(time.Minute)
		synctest.Wait()
		before := log.String()
		for range minutes {
			time.Sleep(time.Minute)
			synctest.Wait()
			ready := 0
			s.Standings(time.Now(), func(st *schedule.Standing) bool {
				if st.State == signin.Ready {
					ready++
				} else if st.State != signin.NoVerdict {
					t.Errorf("%s %s %s: %s", st.Site, st.Verdict.Firmware, st.State, st.Verdict.Text())
				}
				return !t.Failed()
			})
			if want := 3*2 + 3; ready != want { // new phones have no verdict outside
				t.Fatalf("%d verdicts are ready, want %d", ready, want)
			}
		}
		if events := strings.TrimPrefix(log.String(), before); events != "" {
			t.Errorf("events:\n%s", events)
		}
		ticks, bad := countTicks(t, s)
		if want := float64(9 * 2 * (minutes + 1)); bad > 0 || ticks < want-9 || ticks > want {
			t.Errorf("%g ticks, %g of them bad or unknown; want %g", ticks, bad, want)
		}
	})
}

// scheduled runs probes of both networks of a site file, until it is stopped.
func scheduled(t *testing.T, cfg *site.Config, all []*collectors.Collector, log *slog.Logger) (s *schedule.Scheduler, stop func()) {
	t.Helper()
	plan, err := schedule.NewPlan(cfg, all, []site.NetworkName{site.Internal, site.External})
	if err != nil {
		t.Fatal(err)
	}
	memory, err := state.Open("")
	if err != nil {
		t.Fatal(err)
	}
	s = schedule.New(log, prometheus.NewRegistry(), schedule.DefaultConcurrency, reach.NewShared(log, memory))
	s.Swap(plan)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { s.Run(ctx); close(done) }()
	return s, func() {
		cancel()
		<-done
	}
}

// countTicks sums up the ticks of all verdicts, and those that were bad or unknown.
func countTicks(t *testing.T, s *schedule.Scheduler) (all, bad float64) {
	t.Helper()
	families, done, err := (&metric.Gatherer{Registry: prometheus.NewRegistry(), Sources: s.Sets}).Gather()
	defer done()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			switch f.GetName() {
			case "cx700_signin_ticks_total":
				all += m.GetCounter().GetValue()
			case "cx700_signin_bad_ticks_total", "cx700_signin_unknown_ticks_total":
				bad += m.GetCounter().GetValue()
			}
		}
	}
	return all, bad
}
