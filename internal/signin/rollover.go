package signin

import (
	"slices"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// Strands tells whether a roll-over of the root that is under way strands a kind of phone. It is seen in the verdict on
// enrolled phones.
func (v *Verdict) Strands(kind phone.Kind) bool {
	by := map[phone.Kind]*phone.Reason{phone.New: reasonStrandsNew, phone.Enrolled: reasonStrandsEnrolled}[kind]
	return slices.ContainsFunc(v.compared.Findings, func(f Finding) bool { return f.Reason == by })
}

// comparedBy is what holds the roots of enrolled phones against those that AD publishes: the step trust or, where no
// phone comes so far, the certificates that registrars serve to a client of today. A pool that was hardened is anchored
// in the same root as before, and new phones must find it the day the pool is mended.
func (c *Cache) comparedBy(trust *Judged, seen *facts.Seen, p phone.Profile, at time.Time) Outcome {
	_, stale := seen.Stale[phone.StepTrust]
	if p.Kind != phone.Enrolled || stale || seen.Pool == nil || len(trust.Servers) > 0 {
		return trust.Outcome
	}
	j := c.truster(seen, p, at)
	return fold(follow(seen, p, func(a *Attempt, s *facts.PoolServer) bool {
		if s == nil || s.Modern.Problem != "" {
			return false
		}
		a.Trust = c.trust(p.Firmware, s.Modern.Served, a.Host, &j.store, at)
		j.compare(a, s.Modern.Served)
		return true
	}))
}
