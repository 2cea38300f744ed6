package signin

import (
	"slices"

	"github.com/cx700/cx700_exporter/internal/phone"
)

// judgeController says whether a new phone finds a domain controller, to log on and to read Active Directory.
func (c *Case) judgeController() Outcome {
	if !c.needsRoot() {
		return Outcome{State: NotNeeded}
	}
	return folding(phone.StepController)(c)
}

// judgeRoot says whether a new phone gets a root, from Active Directory or, where none is published there, from
// the CA's web page (guide pages 7 and 8).
func (c *Case) judgeRoot() Outcome {
	if !c.needsRoot() {
		return Outcome{State: NotNeeded}
	}
	out := folding(phone.StepRoot)(c)
	switch {
	case out.State == NotWatched:
	case c.adNotWatched():
		out.State = NotWatched
		out.add(reasonADNotWatched)
	case !c.ad.known:
		out.State = Unknown
		out.add(reasonADUnknown)
	case out.State != Blocked: // AD publishes a root
	case c.ad.roots != nil: // only the CA's web page hands one out
		out.State = Degraded
	case c.ad.unseen:
		out.State = Unknown
		out.add(reasonCertsrvUnseen)
	}
	return out
}

// add puts a reason of which there is nothing more to say to the findings.
func (o *Outcome) add(r *phone.Reason) {
	o.Findings = append(o.Findings, Finding{Reason: r})
	o.settle()
}

// adNotWatched tells that nobody looks at what Active Directory publishes, for want of an account.
func (c *Case) adNotWatched() bool {
	blind := slices.ContainsFunc(c.seen.Findings[phone.StepRoot], func(f Finding) bool { return f.Reason.Effect == phone.Blinds })
	return !c.ad.known && c.ad.denied && !blind
}

// needsRoot tells whether a phone has to fetch a root before it can trust its registrar: enrolled phones hold theirs,
// outside there is no Active Directory, and where a built-in authority anchors the pool none is needed.
func (c *Case) needsRoot() bool {
	if c.profile.Kind != phone.New || c.profile.External {
		return false
	}
	out := c.judgeTrust()
	return out.State != OK || slices.ContainsFunc(out.Servers, func(a Attempt) bool {
		return a.State == OK && !builtIn(a.Trust.Anchor())
	})
}
