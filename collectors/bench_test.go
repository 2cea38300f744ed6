package collectors

import (
	"testing"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/labtest"
	"github.com/cx700/cx700_exporter/internal/site"
)

// BenchmarkProbeNTP asks the lab's clock, in another process: one server, and a whole probe with the walk
// through the names by which the servers are found. CPU of the probe only; time with the server's.
func BenchmarkProbeNTP(b *testing.B) {
	env := labEnv(b, NTP(), labtest.Start(b))
	names, err := env.Names(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	servers := timeServers(env.Target, names)
	b.Run("server", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s := servers[0]
			if askTime(b.Context(), env, &s); s.Err != "" {
				b.Fatal(s.Err)
			}
		}
	})
	b.Run("probe", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			env := &Env{Target: env.Target, Shared: env.Shared, Due: time.Now()}
			if err := probeNTP(b.Context(), env, &facts.Seen{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// labEnv is the environment of a collector's first target in the lab.
func labEnv(b *testing.B, c *Collector, place *site.Site) *Env {
	b.Helper()
	env := testEnv(b)
	env.Target = &c.Targets(place, place.Networks[0])[0]
	env.Target.Interval, env.Target.Timeout = c.Interval, c.Timeout
	return env
}
