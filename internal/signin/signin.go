// Package signin says what the facts mean for a phone: which step of its way to being signed in it gets
// through, and what stops it. It asks nobody and looks at no clock. Its steps are judged each by itself; the
// verdict over all of them is made of their outcomes.
package signin

import (
	"cmp"
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
	// ValidUntil is when the step stops to work if nothing is done, and Ends the certificate that ends then; zero
	// and empty where that is not known.
	ValidUntil time.Time
	Ends       string
	// AnchorEnds is when the root ends to which the certificates lead; zero where they lead to none.
	AnchorEnds time.Time
	// Unanchored tells that it was judged without knowing the phone's roots.
	Unanchored bool
	// Refused is why the phone does not trust the service's certificates; nil where it does, or where that is not known.
	Refused *phone.Reason
	// Servers are the addresses that were judged one by one.
	Servers []Attempt
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
	c := newCase(&Cache{}, seen, p, at)
	for _, s := range steps {
		out = append(out, s.Judge(c))
	}
	return out
}

// ValidUntil is the earliest end of any step's; zero where none is known.
func (v Verdicts) ValidUntil() time.Time {
	var out time.Time
	for _, o := range v {
		if !o.ValidUntil.IsZero() && (out.IsZero() || o.ValidUntil.Before(out)) {
			out = o.ValidUntil
		}
	}
	return out
}

// Addresses lists the registrars' addresses whose chain the phone trusts under some name by which it comes there,
// and those that it refuses. One of which that is not known is in neither.
func (v Verdicts) Addresses() (trusted, refused []string) {
	is := map[netip.AddrPort]bool{}
	for i := range v {
		v[i].noteAddresses(is)
	}
	return inOrder(is)
}

// noteAddresses tells of each address whether it is trusted.
func (o *Outcome) noteAddresses(is map[netip.AddrPort]bool) {
	for i := range o.Servers {
		if a := &o.Servers[i]; a.Trust != nil && (a.State == OK || a.State == Blocked) {
			is[a.Address] = is[a.Address] || a.State == OK
		}
	}
}

func inOrder(is map[netip.AddrPort]bool) (trusted, refused []string) {
	for address, trusts := range is {
		if trusts {
			trusted = append(trusted, address.String())
		} else {
			refused = append(refused, address.String())
		}
	}
	slices.Sort(trusted)
	slices.Sort(refused)
	return trusted, refused
}

// settle orders the findings and drops those that come twice: first what made the state.
func (o *Outcome) settle() {
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
