package signin

import (
	"crypto/x509"
	"testing"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// TestRollOverBehindHardening: that the pool's root is not published any more is seen even where no phone comes so far
// as to be shown a certificate.
func TestRollOverBehindHardening(t *testing.T) {
	for _, tt := range []struct {
		name      string
		modern    facts.HandshakeProblem
		published func(*company) *x509.Certificate
		strands   bool
	}{
		{"another root is published", "", func(c *company) *x509.Certificate { return c.other }, true},
		{"the pool's root is published", "", func(c *company) *x509.Certificate { return c.root }, false},
		{"no client is shown a certificate", facts.HandshakeSilent, func(c *company) *x509.Certificate { return c.other }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCompany(t)
			c.held = held(c.root)
			c.seen.Directory = directoryOf([]*x509.Certificate{tt.published(c)})
			for i := range c.seen.Pool.Servers {
				s := &c.seen.Pool.Servers[i]
				s.Phone = facts.Handshake{Problem: facts.HandshakeRefused}
				s.Modern.Problem = tt.modern
			}
			v := c.judge(phone.Enrolled)
			if trust := v.Of(phone.StepTrust); trust.State != NotReached && len(trust.Servers) > 0 {
				t.Fatalf("the phone comes to %s", trust.State)
			}
			if got := v.Strands(phone.New); got != tt.strands {
				t.Errorf("strands new phones: %t", got)
			}
			if got := v.Strands(phone.Enrolled); got {
				t.Errorf("strands enrolled phones: %t", got)
			}
		})
	}
}
