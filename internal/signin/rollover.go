package signin

import (
	"bytes"
	"slices"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// rollOver is what one does to phones.
type rollOver struct{ strandsNew, strandsEnrolled, ahead bool }

func (c *Case) rollOver(trust *Judged) rollOver {
	by := c.comparedBy(trust)
	has := func(r *phone.Reason) bool {
		return slices.ContainsFunc(by.Findings, func(f Finding) bool { return f.Reason == r })
	}
	return rollOver{has(reasonStrandsNew), has(reasonStrandsEnrolled), c.isAhead(&by)}
}

// Strands tells whether a roll-over of the root that is under way strands a kind of phone. It is seen in the verdict on
// enrolled phones.
func (v *Verdict) Strands(kind phone.Kind) bool {
	return kind == phone.New && v.rollOver.strandsNew || kind == phone.Enrolled && v.rollOver.strandsEnrolled
}

// Ahead tells that a roll-over of the root is to come: Active Directory publishes a root that enrolled phones do not hold,
// and the pool is still anchored in one that they do. The day the pool moves they are stranded.
func (v *Verdict) Ahead() bool { return v.rollOver.ahead }

// isAhead tells whether some root that is published is neither held nor built in, while the pool has not moved. A root
// that was renewed with its key is as good as the one before, one that has ended is of no matter.
func (c *Case) isAhead(compared *Outcome) bool {
	anchored := func(a Attempt) bool { return a.Trust != nil && a.Trust.Path.Anchored && !builtIn(a.Trust.Anchor()) }
	if c.profile.Kind != phone.Enrolled || c.profile.Held == nil || !c.ad.known || !slices.ContainsFunc(compared.Servers, anchored) {
		return false
	}
	roots := c.store.roots()
	return slices.ContainsFunc(c.ad.roots, func(r phone.Root) bool {
		held := slices.Contains(roots.Fingerprints, r.SHA256) || c.at.After(r.Certificate.NotAfter)
		for _, have := range roots.Anchors {
			held = held || bytes.Equal(have.RawSubject, r.Certificate.RawSubject) &&
				bytes.Equal(have.RawSubjectPublicKeyInfo, r.Certificate.RawSubjectPublicKeyInfo)
		}
		return !held
	})
}

// comparedBy is what holds the roots of enrolled phones against those that AD publishes: the step trust or, where no
// phone comes so far, the certificates that registrars serve to a client of today. A pool that was hardened is anchored
// in the same root as before, and new phones must find it the day the pool is mended.
func (c *Case) comparedBy(trust *Judged) Outcome {
	_, stale := c.seen.Stale[phone.StepTrust]
	if c.profile.Kind != phone.Enrolled || stale || c.seen.Pool == nil {
		return *trust.Outcome
	}
	if out := c.judgeTrust(); trust.State != NotReached && len(out.Servers) > 0 {
		return out
	}
	j := c.truster()
	return fold(c.follow(func(a *Attempt, s *facts.PoolServer) bool {
		if s == nil || s.Modern.Problem != "" {
			return false
		}
		a.Trust = c.cache.trust(c.profile.Firmware, s.Modern.Served, a.Host, &c.store, c.at)
		j.compare(a, s.Modern.Served)
		return true
	}))
}
