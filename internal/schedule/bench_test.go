package schedule

import (
	"container/heap"
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/cx700/cx700_exporter/collectors"
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
		before := heapInUse()
		h.Swap(plan)
		for _, j := range h.plan.Load().jobs {
			heap.Remove(&h.due, j.index)
			j.busy.Lock()
			h.probe(j)
		}
		b.ReportMetric(float64(heapInUse()-before)/jobs, "B/job")
		runtime.KeepAlive(h)
		h.Shared().Close()
	}
}

// heapInUse is how many bytes are still needed.
func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
