package schedule

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cx700/cx700_exporter/collectors"
	"github.com/cx700/cx700_exporter/internal/site"
)

// logOnWith makes the targets of a collector log on with a credential, read anew for each.
func logOnWith(c *collectors.Collector, read func() *site.Credential) {
	targets := c.Targets
	c.Targets = func(s *site.Site, n site.Network) []collectors.Target {
		out := targets(s, n)
		out[0].Directory = site.Directory{Bind: site.BindLDAPS, Credential: read()}
		return out
	}
}

// TestReloadedCredentialKeepsItsTarget reads one credential twice, as a reload does.
func TestReloadedCredentialKeepsItsTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hosts := []string{"*.contoso.com"}
		c := fake("directory", good)
		logOnWith(c, func() *site.Credential {
			return &site.Credential{Name: "reader", Username: "reader@contoso.com", PasswordFile: "secret", AllowedHosts: hosts}
		})
		h := startPlan(t, DefaultConcurrency, planOf(t, []*collectors.Collector{c}, "contoso.com"))
		pass(time.Second)
		h.Swap(planOf(t, []*collectors.Collector{c}, "contoso.com"))
		if h.Last(h.Plan().Jobs[0]) == nil {
			t.Error("the target was not kept, though its credential is the same")
		}
		hosts = []string{"dc01.contoso.com"}
		h.Swap(planOf(t, []*collectors.Collector{c}, "contoso.com"))
		if h.Last(h.Plan().Jobs[0]) != nil {
			t.Error("the target was kept, though its credential may be sent to other hosts")
		}
	})
}

// TestCredentialledProbesConfirmAtTheirInterval: confirming at once would put more load, and more logons
// where connections are not held, on controllers that are in trouble already.
func TestCredentialledProbesConfirmAtTheirInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var probes atomic.Int64
		c := fake("directory", func(context.Context, *collectors.Env) error {
			if probes.Add(1) > 1 {
				return broken()
			}
			return nil
		})
		logOnWith(c, func() *site.Credential { return &site.Credential{Name: "reader"} })
		h := startPlan(t, DefaultConcurrency, planOf(t, []*collectors.Collector{c}, "contoso.com"))
		pass(2*time.Minute + 59*time.Second)
		if probes.Load() != 3 || h.logged("target fails") != 0 {
			t.Errorf("%d probes in three minutes, %d lines, want 3 and none", probes.Load(), h.logged("target fails"))
		}
		pass(2 * time.Second)
		if probes.Load() != 4 || h.logged("target fails") != 1 {
			t.Errorf("%d probes, %d lines, want 4 and 1", probes.Load(), h.logged("target fails"))
		}
	})
}
