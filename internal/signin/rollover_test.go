package signin

import (
	"crypto/x509"
	"math/big"
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
			if trust := v.Of(phone.StepTrust); trust.State != NotReached && len(trust.addresses) > 0 {
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

// TestAhead: a root that is published beside the pool's warns as long as enrolled phones do not hold it and the pool is
// anchored in what they hold.
func TestAhead(t *testing.T) {
	young := root(t, "Young Root")
	for _, tt := range []struct {
		name string
		set  func(*company)
		want bool
	}{
		{"only the pool's root", func(*company) {}, false},
		{"another beside it", func(c *company) { c.publish(c.root, young) }, true},
		{"another in its place", func(c *company) { c.publish(young) }, true},
		{"one that phones hold", func(c *company) { c.publish(c.root, young); c.held = held(c.root, young) }, false},
		{"one whose fingerprint is named", func(c *company) {
			c.publish(c.root, young)
			c.held = append(held(c.root), phone.Root{SHA256: phone.Fingerprint(young)})
		}, false},
		{"gone and published again", func(c *company) { c.publish(c.root, c.root) }, false},
		{"one that is built in", func(c *company) { c.publish(c.root, phone.BuiltIn()[0]) }, false},
		{"one that has ended", func(c *company) { c.publish(c.root, issue(t, "Ended Root", nil, ended)) }, false},
		{"one that was renewed with its key", func(c *company) {
			c.publish(issue(t, "Company Root", nil, func(c *x509.Certificate) { c.SerialNumber = big.NewInt(2) }))
		}, false},
		{"nobody says what phones hold", func(c *company) { c.publish(c.root, young); c.held = nil }, false},
		{"the pool has moved", func(c *company) { c.publish(c.root, young); c.serve(issue(t, sipHost, young)) }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCompany(t)
			c.held = held(c.root)
			tt.set(c)
			if got := c.judge(phone.Enrolled).Ahead(); got != tt.want {
				t.Errorf("ahead: %t", got)
			}
			if c.judge(phone.New).Ahead() {
				t.Error("ahead, seen from a new phone")
			}
		})
	}
}

func (c *company) publish(roots ...*x509.Certificate) { c.seen.Directory = directoryOf(roots) }
