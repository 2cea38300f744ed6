package signin

import (
	"fmt"
	"slices"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// judgeTLS says whether a phone comes to an encrypted connection with a registrar.
func (c *Case) judgeTLS() Outcome {
	if c.seen.Pool == nil {
		return Outcome{State: NotWatched}
	}
	all := c.follow(func(a *Attempt, s *facts.PoolServer) bool {
		judgeHandshake(a, s)
		return true
	})
	if len(all) == 0 {
		return c.nowhere()
	}
	return c.withUnanswered(fold(all))
}

func judgeHandshake(a *Attempt, s *facts.PoolServer) {
	if s == nil {
		a.found(Unknown, reasonNotAsked, "")
		return
	}
	h := &s.Phone
	switch {
	case h.Problem == "":
	case h.Problem == facts.HandshakeBadCertificate:
		a.found(Unknown, reasonTLSBadCertificate, h.Detail)
	case h.Problem != facts.HandshakeUnreachable && h.Version == "" && s.Modern.Problem == "":
		// It chose nothing for phones, and something for clients of today: their age is what it does not like.
		a.found(Blocked, reasonTLSHardened, fmt.Sprintf("%s: %s", h.Problem, h.Detail))
	case h.Version == facts.SSL30, h.Problem == facts.HandshakeRefused && h.Version == "":
		a.found(Unknown, reasonTLSNoCommon, h.Detail)
	default:
		a.spared = h.Problem == facts.HandshakeUnreachable || h.Problem == facts.HandshakeSilent
		a.found(Blocked, handshakeReasons[h.Problem], h.Detail)
	}
}

// nowhere is the outcome for a phone that has nobody to turn to.
func (c *Case) nowhere() Outcome {
	p := c.profile
	for _, r := range c.seen.Pool.Routes {
		for _, e := range r.Endpoints {
			if r.Firmware == p.Firmware.Version && len(e.Addresses) > 0 { // passed over, then
				out := Outcome{State: Blocked, Findings: []Finding{{Reason: trustReasons[phone.OutsideSIPDomain],
					Seen: fmt.Sprintf("%s by %s, SIP domain %s", e.Host, e.Asked, p.Domains.SIP)}}}
				return c.withUnanswered(out)
			}
		}
	}
	out := Outcome{State: Unknown, Findings: []Finding{{Reason: reasonNoRegistrar, Seen: "sign-in to " + p.Domains.SIP}}}
	return c.withUnanswered(out)
}

// withUnanswered takes a block back where a name of the order was not answered: it might lead further.
func (c *Case) withUnanswered(out Outcome) Outcome {
	names := c.seen.Pool.Names
	if out.State != Blocked && out.State != Unknown || names == nil {
		return out
	}
	for _, n := range c.profile.Domains.Candidates(c.profile.Firmware.Registrar) {
		if !settled(names, n) {
			out.State = Unknown
			out.Findings = append(out.Findings, Finding{Reason: reasonNameUnanswered, Seen: fmt.Sprintf("%s %s", n.Type, n.Name)})
		}
	}
	out.settle()
	return out
}

// settled tells whether some resolver said that a name has the record or has not.
func settled(names *facts.Names, c phone.Candidate) bool {
	return slices.ContainsFunc(names.Walks, func(w facts.Walk) bool {
		return slices.ContainsFunc(w.Lookups, func(l facts.Lookup) bool {
			return l.Name == c.Name && l.Type == c.Type && l.Outcome.Settled()
		})
	})
}
