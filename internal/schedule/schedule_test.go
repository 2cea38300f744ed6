package schedule

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/cx700/cx700_exporter/collectors"
	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/metric"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/reach"
	"github.com/cx700/cx700_exporter/internal/site"
	"github.com/cx700/cx700_exporter/internal/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	reasonBroken = &collectors.Reason{
		Name: "broken", Effect: collectors.Blocks, Means: "it is broken",
		Screen: "nothing", Mend: "mend it", AtPhone: "wait",
	}
	reasonSlow = &collectors.Reason{
		Name: "slow", Effect: collectors.Degrades, Means: "it is slow",
		Screen: "nothing", Mend: "speed it up", AtPhone: "nothing",
	}
	descFake = metric.NewGauge("cx700_fake", "A series of a fake collector.", "cx700_fake", "network", "target", "item")
)

type probeFunc func(context.Context, *collectors.Env) error

// fake returns a collector with one target for each site, named as the site's SIP domain.
func fake(name string, probe probeFunc) *collectors.Collector {
	return &collectors.Collector{
		Name: name, Asks: "Does it work?", Interval: time.Minute, Timeout: 10 * time.Second,
		Targets: func(s *site.Site, n site.Network) []collectors.Target {
			return []collectors.Target{{Collector: name, Network: n.Name, Name: s.Domains.SIP, Domains: s.Domains}}
		},
		Probe:   func(ctx context.Context, env *collectors.Env, _ *facts.Seen) error { return probe(ctx, env) },
		Explain: func(io.Writer, *collectors.Target, *facts.Seen) {},
	}
}

func good(context.Context, *collectors.Env) error { return nil }

func broken() error { return &collectors.Failure{Reason: reasonBroken, Err: fmt.Errorf("as seen")} }

// planOf plans the collectors for one site in each domain.
func planOf(t testing.TB, all []*collectors.Collector, domains ...string) *Plan {
	t.Helper()
	cfg := &site.Config{}
	for i, d := range domains {
		cfg.Sites = append(cfg.Sites, &site.Site{
			Name: fmt.Sprintf("site%d", i), Domains: phone.Domains{SIP: d},
			Networks: []site.Network{{Name: site.Internal}},
		})
	}
	plan, err := NewPlan(cfg, all, []site.NetworkName{site.Internal})
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func manyDomains(n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("d%d.example.com", i))
	}
	return out
}

// harness is a scheduler with what it logs and registers.
type harness struct {
	*Scheduler
	registry *prometheus.Registry
	log      *lockedBuffer
}

// lockedBuffer is a buffer that the scheduler writes and a test reads.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newHarness(t testing.TB, concurrency int) *harness {
	t.Helper()
	memory, err := state.Open("")
	if err != nil {
		t.Fatal(err)
	}
	h := &harness{registry: prometheus.NewRegistry(), log: &lockedBuffer{}}
	log := slog.New(slog.NewTextHandler(h.log, nil))
	h.Scheduler = New(log, h.registry, concurrency, reach.NewShared(log, memory))
	return h
}

// run runs the scheduler until the test ends.
func (h *harness) run(t testing.TB) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		h.Run(ctx)
		close(done)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}

// startPlan starts a scheduler with a plan, inside a bubble of fake time.
func startPlan(t testing.TB, concurrency int, plan *Plan) *harness {
	t.Helper()
	h := newHarness(t, concurrency)
	h.Swap(plan)
	h.run(t)
	return h
}

// pass lets fake time pass and everything that is due in it happen.
func pass(d time.Duration) {
	timer := time.NewTimer(d)
	<-timer.C
	synctest.Wait()
}

// series gives what is served now, as name{values of labels by their names' order}.
func (h *harness) series() map[string]float64 {
	out := map[string]float64{}
	h.Sets(func(set *metric.Set) {
		for one := range set.Samples() {
			var values []string
			for _, name := range slices.Sorted(slices.Values(one.Desc.Labels)) {
				values = append(values, one.Labels[slices.Index(one.Desc.Labels, name)])
			}
			out[one.Desc.Name+"{"+strings.Join(values, ",")+"}"] = one.Value
		}
	})
	return out
}

// logged counts the lines of the log that hold a text.
func (h *harness) logged(text string) int {
	count := 0
	for line := range strings.Lines(h.log.String()) {
		if strings.Contains(line, text) {
			count++
		}
	}
	return count
}
