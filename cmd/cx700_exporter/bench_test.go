package main

import (
	"runtime"
	"testing"
	"time"

	"github.com/cx700/cx700_exporter/internal/lab"
	"github.com/cx700/cx700_exporter/internal/labtest"
	"github.com/cx700/cx700_exporter/internal/schedule"
	"github.com/cx700/cx700_exporter/internal/signin"
)

// BenchmarkVerdicts judges what was seen of the healthy lab: all kinds of phones of a site on one network, with the chains
// judged before, which is what each round of reports costs, and tells how much memory verdicts hold until the next.
func BenchmarkVerdicts(b *testing.B) {
	company, err := lab.Start(1)
	if err != nil {
		b.Fatal(err)
	}
	r := probeLab(b, company, nil)
	if err := company.Close(); err != nil {
		b.Error(err)
	}
	last := func(p *schedule.Planned) *schedule.Report { return r.reports[p] }
	for _, g := range r.plan.Judged {
		b.Run(string(g.Network), func(b *testing.B) {
			cache := &signin.Cache{}
			b.ReportAllocs()
			judge := func() []*signin.Verdict {
				all, complete := g.Verdicts(cache, r.shared, last, time.Now())
				if !complete || len(all) != 6 {
					b.Fatal(len(all), complete)
				}
				return all
			}
			for b.Loop() {
				judge()
			}
			var held [1000][]*signin.Verdict
			before := labtest.HeapInUse()
			for i := range held {
				held[i] = judge()
			}
			b.ReportMetric(float64(labtest.HeapInUse()-before)/float64(len(held)), "B-held")
			runtime.KeepAlive(&held)
		})
	}
}
