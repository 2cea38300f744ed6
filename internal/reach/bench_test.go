package reach

import (
	"context"
	"testing"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/labtest"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// BenchmarkProbeDNS asks the lab's resolver, in another process: one SRV question over UDP, and every
// name of a phone at each of the site's resolvers. CPU of the probe only; time with the server's.
func BenchmarkProbeDNS(b *testing.B) {
	place := labtest.Start(b)
	network := place.Networks[0]
	way := Way{Resolvers: network.Resolvers, ConnectTo: network.ConnectTo}
	b.Run("question", func(b *testing.B) {
		ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
		defer cancel()
		b.ReportAllocs()
		for b.Loop() {
			l := way.ask(ctx, way.Resolvers[0], "_sipinternaltls._tcp."+place.Domains.SIP, phone.SRV)
			if l.Outcome != facts.Answered {
				b.Fatal(l.Outcome, l.Detail)
			}
		}
	})
	b.Run("walk", func(b *testing.B) {
		b.ReportAllocs()
		questions := 0
		for b.Loop() {
			questions = 0
			for _, w := range way.walk(b.Context(), place.Domains).Walks {
				questions += len(w.Lookups)
			}
		}
		b.ReportMetric(float64(questions), "questions/op")
	})
}
