package signin

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// Readiness is whether a kind of phone can sign in.
type Readiness string

// The states of readiness. A verdict that is not given has none of them.
const (
	// Ready: it gets through, and everything in its order is good.
	Ready Readiness = "ready"
	// NotAll is degraded: it gets through, but not everything in its order is good.
	NotAll Readiness = "degraded"
	// Stopped is blocked: nothing in its order gets through.
	Stopped Readiness = "blocked"
	// Unclear is unknown: something that was asked gave no answer by which to judge.
	Unclear Readiness = "unknown"
	// NoVerdict: what it depends on is not watched.
	NoVerdict Readiness = "not_watched"
)

// Readinesses lists those that a verdict may have, the best first.
func Readinesses() []Readiness { return []Readiness{Ready, NotAll, Unclear, Stopped} }

// Worst is the worse of two, of which one may be no verdict, or none yet.
func Worst(a, b Readiness) Readiness {
	if order := append([]Readiness{NoVerdict}, Readinesses()...); slices.Index(order, a) >= slices.Index(order, b) {
		return a
	}
	return b
}

// NotProven is what a verdict says nothing about, however good it is.
const NotProven = "the user's password, what the registrar says after the logon, and the call itself"

// Judged is the outcome of a step.
type Judged struct {
	Step *Step
	Outcome
}

// Verdict is how far one kind of phone gets.
type Verdict struct {
	Profile phone.Profile
	State   Readiness
	// Walk holds every step of the sign-in, Beside what a phone needs besides.
	Walk, Beside []Judged
	// At is the first step that makes the state what it is; nil when it is ready, or the exporter's own network is
	// gone. Why says what was found there; it is empty when ready.
	At  *Judged
	Why Finding
	// ValidUntil is when the first certificate ends on which the sign-in depends, and Ends its name.
	ValidUntil time.Time
	Ends       string
	// compared is where the roots of enrolled phones were held against those that AD publishes.
	compared Outcome
	ahead    bool
}

// Judge gives the verdict on one kind of phone. Chains that were judged before are looked up in the cache.
func Judge(cache *Cache, seen *facts.Seen, p phone.Profile, at time.Time) *Verdict {
	c := newCase(cache, seen, p, at)
	v := &Verdict{Profile: p, Walk: c.outcomes(walk), Beside: c.outcomes(beside)}
	v.settle(p.Kind == phone.New && (p.External || c.adNotWatched()))
	v.compared = c.comparedBy(v.Of(phone.StepTrust))
	v.ahead = c.isAhead(&v.compared)
	lost := slices.IndexFunc(seen.LostVantage, func(f Finding) bool { return f.Reason.Effect == phone.Blinds })
	if lost >= 0 && v.State != NoVerdict {
		v.lose(seen.LostVantage[lost])
	}
	return v
}

// lose takes back what is said against servers, when our own network or clock is at fault.
func (v *Verdict) lose(why Finding) {
	v.State, v.At, v.Why = Unclear, nil, why
	for _, steps := range [][]Judged{v.Walk, v.Beside} {
		for i := range steps {
			if s := &steps[i]; s.State == Blocked || s.State == Degraded {
				s.State = Unknown
			}
		}
	}
}

func (c *Case) outcomes(steps []Step) []Judged {
	out := make([]Judged, 0, len(steps))
	for i := range steps {
		s := &steps[i]
		j := Judged{Step: s, Outcome: Outcome{State: NotReached}}
		before := slices.IndexFunc(out, func(o Judged) bool {
			return slices.Contains(s.Needs, o.Step.Name) && (o.State == Blocked || o.State == NotReached)
		})
		if before < 0 {
			j.Outcome = s.Judge(c)
		}
		if at, stale := c.seen.Stale[s.Name]; stale && j.State != NotNeeded && j.State != NotReached {
			j.Outcome = Outcome{State: Unknown, Findings: []Finding{{Reason: reasonTooOld, Seen: "last looked at " + at.UTC().Format(time.RFC3339)}}}
		}
		out = append(out, j)
	}
	return out
}

// settle sums the steps up. What is not watched is left out. A phone that may get its roots where nobody looks has
// no verdict, unless it is seen to trust its registrar without them.
func (v *Verdict) settle(rootsUnwatched bool) {
	worst := OK
	for i := range v.Walk {
		j := &v.Walk[i]
		if j.Step.Name == phone.StepTrust && rootsUnwatched && !j.Through() {
			worst, v.At = NotWatched, j
			break
		}
		if j.State != NotWatched && graver(worst, j.State) != worst {
			worst, v.At = j.State, j
		}
	}
	v.State = map[State]Readiness{OK: Ready, Degraded: NotAll, Blocked: Stopped, Unknown: Unclear, NotWatched: NoVerdict}[worst]
	if v.At != nil {
		if f := v.At.Why(); f != nil {
			v.Why = *f
		}
	}
	for i := range v.Walk {
		if o := &v.Walk[i]; !o.ValidUntil.IsZero() && (v.ValidUntil.IsZero() || o.ValidUntil.Before(v.ValidUntil)) {
			v.ValidUntil, v.Ends = o.ValidUntil, o.Ends
		}
	}
}

// Addresses lists the registrars that the phone trusts, and those that it refuses.
func (v *Verdict) Addresses() (trusted, refused []string) {
	is := map[netip.AddrPort]bool{}
	for i := range v.Walk {
		v.Walk[i].noteAddresses(is)
	}
	return inOrder(is)
}

// Steps lists all steps, those of the walk first.
func (v *Verdict) Steps() []Judged { return slices.Concat(v.Walk, v.Beside) }

// Of finds a step; nil when there is none of that name.
func (v *Verdict) Of(name phone.Step) *Judged {
	for _, steps := range [][]Judged{v.Walk, v.Beside} {
		if i := slices.IndexFunc(steps, func(j Judged) bool { return j.Step.Name == name }); i >= 0 {
			return &steps[i]
		}
	}
	return nil
}

// NotWatched lists the steps that nobody looks at.
func (v *Verdict) NotWatched() []phone.Step {
	var out []phone.Step
	for _, j := range v.Steps() {
		if j.State == NotWatched {
			out = append(out, j.Step.Name)
		}
	}
	return out
}

// UpdateReady tells whether the phone would find new firmware wherever it is sent for it; known is false where that
// was not asked, or the answer does not tell.
func (v *Verdict) UpdateReady() (ready, known bool) {
	worst := NotWatched
	for _, j := range v.Beside {
		if j.Step.Name == phone.StepUpdate || j.Step.Name == phone.StepFirmware {
			worst = graver(worst, j.State)
		}
	}
	return worst == OK, worst == OK || worst == Degraded || worst == Blocked
}

// Text says in one line what the state is founded on: the step, if any, and the reason; empty when ready.
func (v *Verdict) Text() string {
	var out []string
	if v.At != nil {
		out = append(out, string(v.At.Step.Name))
	}
	if v.Why.Reason != nil {
		out = append(out, v.Why.Reason.Name)
	}
	return strings.Join(out, " ")
}
