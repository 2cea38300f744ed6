package main

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cx700/cx700_exporter/collectors"
	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/lab"
	"github.com/cx700/cx700_exporter/internal/schedule"
	"github.com/cx700/cx700_exporter/internal/signin"
	"github.com/cx700/cx700_exporter/internal/site"
)

// TestSitesShareTargets counts the probes of a company with many sites that have all but their DHCP server from the
// headquarters, in five minutes of fake time: what they share is probed as for one site, and all of them are counted with
// every tick.
func TestSitesShareTargets(t *testing.T) {
	const shops, minutes = 50, 5
	company, err := lab.Start(1)
	if err != nil {
		t.Fatal(err)
	}
	r := probeLab(t, company, nil)
	company.Shops = shops
	content := company.SiteFile()
	if err := company.Close(); err != nil {
		t.Error(err)
	}
	cfg, err := site.Parse("lab.yml", content)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	probes := map[string]int{}
	counting := replaying(r)
	for _, c := range counting {
		replay := c.Probe
		c.Probe = func(ctx context.Context, env *collectors.Env, seen *facts.Seen) error {
			mu.Lock()
			defer mu.Unlock()
			probes[env.Target.Collector+" "+string(env.Target.Network)]++
			return replay(ctx, env, seen)
		}
	}
	at := time.Now()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(at)) // the bubble begins with the year 2000
		s, stop := scheduled(t, cfg, counting, slog.New(slog.DiscardHandler))
		defer stop()
		time.Sleep(minutes * time.Minute)
		synctest.Wait()
		ready := 0
		s.Standings(time.Now(), func(st *schedule.Standing) bool {
			if st.State == signin.Ready {
				ready++
			}
			return true
		})
		if want := (shops + 1) * 9; ready != want { // six kinds of phone inside, the enrolled outside
			t.Errorf("%d verdicts are ready, want %d", ready, want)
		}
		if ticks, bad := countTicks(t, s); bad > 0 || ticks != float64(ready*minutes*2) {
			t.Errorf("%g ticks, %g of them bad or unknown; want %d", ticks, bad, ready*minutes*2)
		}
	})
	for _, c := range counting {
		for _, network := range []string{"internal", "external"} {
			targets := 1
			if c.Name == "dhcp" {
				targets += shops
			}
			rounds := int(minutes*time.Minute/c.Interval) + 1
			if n := probes[c.Name+" "+network]; n > targets*rounds {
				t.Errorf("%s %s was probed %d times, want at most %d", c.Name, network, n, targets*rounds)
			}
		}
	}
	if n := probes["dhcp internal"]; n < shops+1 {
		t.Errorf("dhcp was probed %d times at %d sites", n, shops+1)
	}
}
