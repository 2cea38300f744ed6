package collectors

import (
	"errors"
	"testing"
	"time"

	"github.com/beevik/ntp"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/labtest"
	"github.com/cx700/cx700_exporter/internal/site"
)

// BenchmarkProbeNTP asks the lab's clock, in another process: one server, the same with nothing but the library, and a
// whole probe with the walk through the names by which the servers are found. Allocations and cpu-ns/op are the
// probe's, the time has the server's in it.
func BenchmarkProbeNTP(b *testing.B) {
	env := labEnv(b, NTP(), labtest.Start(b))
	names, err := env.Names(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	servers := timeServers(env.Target, names)
	socket, err := env.Target.Way.Divert(servers[0].Address.String(), servers[0].Hosts...)
	if err != nil {
		b.Fatal(err)
	}
	for _, measured := range []struct {
		name string
		ask  func() error
	}{
		{"server", func() error {
			s := servers[0]
			if askTime(b.Context(), env, &s); s.Err != "" {
				return errors.New(s.Err)
			}
			return nil
		}},
		{"bare", func() error {
			_, err := ntp.Query(socket)
			return err
		}},
		{"probe", func() error {
			env := &Env{Target: env.Target, Shared: env.Shared, Due: time.Now()}
			return probeNTP(b.Context(), env, &facts.Seen{})
		}},
	} {
		b.Run(measured.name, func(b *testing.B) {
			b.ReportAllocs()
			done := labtest.CPU(b)
			for b.Loop() {
				if err := measured.ask(); err != nil {
					b.Fatal(err)
				}
			}
			done()
		})
	}
}

// labEnv is the environment of a collector's first target in the lab.
func labEnv(b *testing.B, c *Collector, place *site.Site) *Env {
	b.Helper()
	env := testEnv(b)
	env.Target = &c.Targets(place, place.Networks[0])[0]
	env.Target.Interval, env.Target.Timeout = c.Interval, c.Timeout
	return env
}
