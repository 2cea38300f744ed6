package schedule

import (
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
		if !h.Ready() {
			t.Error("the target was not kept, though its credential is the same")
		}
		hosts = []string{"dc01.contoso.com"}
		h.Swap(planOf(t, []*collectors.Collector{c}, "contoso.com"))
		if h.Ready() {
			t.Error("the target was kept, though its credential may be sent to other hosts")
		}
	})
}
