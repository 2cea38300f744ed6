package schedule

import (
	"container/heap"
	"context"
	"crypto/x509"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cx700/cx700_exporter/collectors"
	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/labtest"
	"github.com/cx700/cx700_exporter/internal/site"
)

// BenchmarkIdleJob tells how much memory a job holds between its probes: one with a report of as many
// series as the dns collector gives.
func BenchmarkIdleJob(b *testing.B) {
	const jobs, series = 10_000, 20
	c := fake("dns", func(_ context.Context, env *collectors.Env) error {
		for i := range series {
			env.Emit(descFake, 1, fmt.Sprint(i))
		}
		return nil
	})
	plan := planOf(b, []*collectors.Collector{c}, manyDomains(jobs)...)
	for b.Loop() {
		h := newHarness(b, 1)
		before := labtest.HeapInUse()
		h.Swap(plan)
		for _, j := range h.plan.Load().jobs {
			heap.Remove(&h.due, j.index)
			j.busy.Lock()
			h.probe(j)
		}
		b.ReportMetric(float64(labtest.HeapInUse()-before)/jobs, "B/job")
		runtime.KeepAlive(h)
		h.Shared().Close()
	}
}

// BenchmarkJudge tells what it costs to judge a site anew where nothing has changed, and where a certificate has, which
// gives all its series anew.
func BenchmarkJudge(b *testing.B) {
	w := &world{probes: map[string]int{}}
	root := certificate(b, "CA", nil, year(2050), x509.SHA1WithRSA)
	w.publish(root)
	w.show(certificate(b, "sip.fabrikam.com", root, year(2040), x509.SHA1WithRSA))
	h := newHarness(b, 1)
	defer h.Shared().Close()
	h.Swap(w.plan(b, office("oslo", site.Internal)))
	for _, j := range h.plan.Load().jobs {
		heap.Remove(&h.due, j.index)
		j.busy.Lock()
		h.probe(j)
	}
	g := h.plan.Load().judged[0]
	pool := g.jobs[g.Pool]
	w.show(certificate(b, "sip.fabrikam.com", root, year(2045), x509.SHA1WithRSA))
	other := *pool.counted.Load()
	other.Seen = &facts.Seen{Pool: w.pool}
	reports := []*Report{pool.counted.Load(), &other}
	for _, of := range []struct {
		name    string
		reports int
	}{{"as before", 1}, {"changed", 2}} {
		b.Run(of.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				pool.counted.Store(reports[i%of.reports])
				h.judge(g, time.Now())
			}
			if len(g.verdicts) != 6 || g.set.Load() == nil {
				b.Fatal(len(g.verdicts), g.set.Load())
			}
		})
	}
}

// BenchmarkResultVisible tells how long it takes from the end of a probe until a scrape has its series.
func BenchmarkResultVisible(b *testing.B) {
	var ended atomic.Int64
	var rounds atomic.Int64
	c := fake("dns", func(_ context.Context, env *collectors.Env) error {
		env.Emit(descFake, float64(rounds.Add(1)), "round")
		ended.Store(time.Now().UnixNano())
		return nil
	})
	h := newHarness(b, 1)
	h.Swap(planOf(b, []*collectors.Collector{c}, "contoso.com"))
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() { h.Run(ctx); close(done) }()
	j := h.plan.Load().jobs[0]
	var sum int64
	for b.Loop() {
		next := float64(rounds.Load() + 1)
		for h.series()["cx700_fake{round,internal,contoso.com}"] < next {
			h.hasten(j) // does nothing while it runs
			runtime.Gosched()
		}
		sum += time.Now().UnixNano() - ended.Load()
	}
	b.ReportMetric(float64(sum)/float64(b.N), "ns-to-scrape")
	cancel()
	<-done
}
