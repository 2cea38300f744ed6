package signin

import (
	"slices"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// judgeController says whether a new phone finds a domain controller, to log on and to read Active Directory.
func (c *Cache) judgeController(seen *facts.Seen, p phone.Profile, at time.Time) Outcome {
	if !c.needsRoot(seen, p, at) {
		return Outcome{State: NotNeeded}
	}
	return folding(phone.StepController)(seen, p, at)
}

// judgeRoot says whether a new phone gets a root, from Active Directory or, where none is published there, from
// the CA's web page (guide pages 7 and 8).
func (c *Cache) judgeRoot(seen *facts.Seen, p phone.Profile, at time.Time) Outcome {
	if !c.needsRoot(seen, p, at) {
		return Outcome{State: NotNeeded}
	}
	out := folding(phone.StepRoot)(seen, p, at)
	ad := publishedIn(seen)
	switch {
	case out.State == NotWatched:
	case adNotWatched(seen):
		out.State = NotWatched
		out.add(reasonADNotWatched)
	case !ad.known:
		out.State = Unknown
		out.add(reasonADUnknown)
	case out.State != Blocked: // AD publishes a root
	case ad.roots != nil: // only the CA's web page hands one out
		out.State = Degraded
	case ad.unseen:
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
func adNotWatched(seen *facts.Seen) bool {
	ad := publishedIn(seen)
	blind := slices.ContainsFunc(seen.Findings[phone.StepRoot], func(f Finding) bool { return f.Reason.Effect == phone.Blinds })
	return !ad.known && ad.denied && !blind
}

// needsRoot tells whether a phone has to fetch a root before it can trust its registrar: enrolled phones hold theirs,
// outside there is no Active Directory, and where a built-in authority anchors the pool none is needed.
func (c *Cache) needsRoot(seen *facts.Seen, p phone.Profile, at time.Time) bool {
	if p.Kind != phone.New || p.External {
		return false
	}
	out := c.judgeTrust(seen, p, at)
	return out.State != OK || slices.ContainsFunc(out.Servers, func(a Attempt) bool {
		return a.State == OK && !builtIn(a.Trust.Anchor())
	})
}
