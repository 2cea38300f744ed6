// Package signin says what the facts mean for a phone: which step of its way to being signed in it gets
// through, and what stops it. It asks nobody and looks at no clock. Its steps are judged each by itself; the
// verdict over all of them is made of their outcomes.
package signin

import (
	"cmp"
	"crypto/x509"
	"net/netip"
	"slices"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// State is how a step ends for a phone.
type State string

// The states of a step.
const (
	// OK: the phone gets through, and everything in its order is good.
	OK State = "ok"
	// Degraded: the phone gets through, but not everything in its order is good.
	Degraded State = "degraded"
	// Blocked: nothing in the phone's order gets through.
	Blocked State = "blocked"
	// Unknown: something that was asked gave no answer by which to judge.
	Unknown State = "unknown"
	// NotWatched: nobody was asked, or may be, so that there is no verdict.
	NotWatched State = "not_watched"
	// NotNeeded: this kind of phone does without the step.
	NotNeeded State = "not_needed"
	// NotReached: the phone is stopped before it.
	NotReached State = "not_reached"
)

// Finding is a reason and what was seen of it.
type Finding = facts.Finding

// Outcome is how a step ends for one kind of phone.
type Outcome struct {
	State State
	// Findings are the reasons for the state, and then what is noted besides.
	Findings []Finding
	// Ends is the certificate with whose end the step stops to work if nothing is done; nil where that is not known.
	Ends *x509.Certificate
	// Anchor is the root to which the certificates lead; nil where they lead to none.
	Anchor *x509.Certificate
	// Unanchored tells that it was judged without knowing the phone's roots.
	Unanchored bool
	// Refused is why the phone does not trust the service's certificates; nil where it does, or where that is not known.
	Refused *phone.Reason
	// Servers are the addresses that were judged one by one. Verdicts do without them.
	Servers []Attempt

	addresses []address // of the Servers whose chain was judged
}

// address is one of a server, and whether the phone trusts the chain that is served there.
type address struct {
	netip.AddrPort
	trusted bool
}

// same tells whether two outcomes are one; of their servers it looks at the addresses only.
func (o *Outcome) same(p *Outcome) bool {
	return o.State == p.State && o.Unanchored == p.Unanchored && o.Refused == p.Refused && o.Ends.Equal(p.Ends) && o.Anchor.Equal(p.Anchor) &&
		slices.Equal(o.Findings, p.Findings) && slices.Equal(o.addresses, p.addresses)
}

// Reason is why the state is not OK; nil when it is.
func (o *Outcome) Reason() *phone.Reason {
	if f := o.Why(); f != nil {
		return f.Reason
	}
	return nil
}

// Why is the finding that says most of why the state is not OK; nil when it is.
func (o *Outcome) Why() *Finding {
	if o.State == OK || len(o.Findings) == 0 {
		return nil
	}
	i := 0
	if o.Findings[0].Reason.Umbrella {
		i = max(0, slices.IndexFunc(o.Findings, func(f Finding) bool {
			return !f.Reason.Umbrella && f.Reason.Effect >= phone.Degrades
		}))
	}
	return &o.Findings[i]
}

// Through tells whether a phone gets through the step, as far as it was asked and needs it.
func (o *Outcome) Through() bool { return o.State == OK || o.State == Degraded }

// Step is one part of the phone's way.
type Step struct {
	Name phone.Step
	// Asks is what it is about, said of a phone.
	Asks string
	// Needs are the steps without which it is not reached.
	Needs []phone.Step
	Judge func(*Case) Outcome
}

// Steps lists the steps in which the registrars' addresses are judged one by one.
func Steps() []Step {
	return []Step{
		{Name: phone.StepTLS, Judge: (*Case).judgeTLS},
		{Name: phone.StepTrust, Judge: (*Case).judgeTrust},
	}
}

// Verdicts are the outcomes of steps for one kind of phone.
type Verdicts []Outcome

// Outcomes judges every step.
func Outcomes(steps []Step, seen *facts.Seen, p phone.Profile, at time.Time) Verdicts {
	var out Verdicts
	c := newCase(&Cache{}, seen, &p, at)
	for _, s := range steps {
		out = append(out, s.Judge(c))
	}
	return out
}

// judgedAddresses lists the addresses whose chain is trusted or refused; one of which that is not known is left out.
func judgedAddresses(all []Attempt) []address {
	var out []address
	for i := range all {
		if a := &all[i]; a.Trust != nil && (a.State == OK || a.State == Blocked) {
			out = append(out, address{a.Address, a.State == OK})
		}
	}
	return out
}

// settle orders the findings and drops those that come twice: first what made the state.
func (o *Outcome) settle() {
	if len(o.Findings) < 2 {
		return
	}
	var once []Finding
	for _, f := range o.Findings {
		if !slices.Contains(once, f) {
			once = append(once, f)
		}
	}
	weight := func(f Finding) int {
		if o.State == Unknown && f.Reason.Effect == phone.Blinds {
			return int(phone.Blocks) + 1
		}
		return int(f.Reason.Effect)
	}
	slices.SortStableFunc(once, func(a, b Finding) int { return cmp.Compare(weight(b), weight(a)) })
	o.Findings = once
}
