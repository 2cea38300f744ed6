package signin

import (
	"maps"
	"slices"
	"strings"

	"github.com/cx700/cx700_exporter/internal/phone"
)

// Services lists the steps in which the certificates of services besides the registrar are judged.
func Services() []Step {
	return []Step{
		{Name: phone.StepExchange, Judge: (*Case).judgeExchange},
		{Name: phone.StepUpdate, Judge: (*Case).judgeUpdate},
	}
}

// trusting adds what a phone makes of the certificates of a service to what its collectors have found. It blocks
// nobody.
func trusting(found, trust func(*Case) Outcome) func(*Case) Outcome {
	return func(c *Case) Outcome {
		out, of := found(c), trust(c)
		switch of.State {
		case NotWatched:
			return out
		case Unknown:
			// The collector says why there is nothing to trust, and the step root which roots are not known.
			if !slices.ContainsFunc(of.Findings, func(f Finding) bool { return f.Reason != reasonADUnknown && f.Reason != reasonCertsrvUnseen }) {
				return out
			}
		case Blocked:
			of.State, of.Refused = Degraded, of.Findings[0].Reason
		}
		joined := both(out, of)
		joined.Refused = of.Refused
		return joined
	}
}

// service is a server of phones that is no registrar, as far as its certificates are concerned.
type service struct {
	name string
	// reissue is how to give it another certificate, atPhone what to do at the phone then.
	reissue, atPhone string
	// reset is what a hard reset has to do with it, but where the phone may lack a root that is published.
	reset phone.HardReset
	// screen is what a phone shows that does not trust it.
	screen func(phone.TrustReason) string
}

// reason makes the service's own reason from the one for which a phone does not trust a registrar. It blocks nobody.
func (s service) reason(why phone.TrustReason) *phone.Reason {
	out := *trustReasons[why]
	out.Name = s.name + "_" + out.Name
	if out.HardReset != phone.ResetFetches {
		out.HardReset = s.reset
	}
	out.Mend = strings.Replace(out.Mend, mendReissue, s.reissue, 1)
	switch out.Effect {
	case phone.Blocks:
		out.Effect, out.Screen, out.AtPhone = phone.Degrades, s.screen(why), s.atPhone
	case phone.Blinds:
		out.Screen = "perhaps " + s.screen(why)
	default:
		out.Screen = "nothing, or " + s.screen(why)
	}
	return &out
}

// reasons gives the service's own in the place of each reason that concerns a chain.
func (s service) reasons() map[*phone.Reason]*phone.Reason {
	out := map[*phone.Reason]*phone.Reason{}
	for why, r := range trustReasons {
		if why != phone.OutsideSIPDomain { // a matter of SRV records, by which only registrars are found
			out[r] = s.reason(why)
		}
	}
	return out
}

// byReasons puts a service's own reasons into the findings.
func (o *Outcome) byReasons(own map[*phone.Reason]*phone.Reason) {
	for i := range o.Findings {
		if r := own[o.Findings[i].Reason]; r != nil {
			o.Findings[i].Reason = r
		}
	}
}

// both is how a phone fares that needs two servers: as with the worse one.
func both(a, b Outcome) Outcome {
	grave := func(s State) int { return slices.Index([]State{OK, Degraded, NotWatched, Unknown, Blocked}, s) }
	if grave(b.State) > grave(a.State) {
		a.State = b.State
	}
	if EndsBefore(b.Ends, a.Ends) {
		a.Ends, a.Anchor = b.Ends, b.Anchor
	}
	a.Servers, a.Findings = joined(a.Servers, b.Servers), joined(a.Findings, b.Findings)
	a.settle()
	return a
}

// joined are the elements of both, without a copy where one has none.
func joined[T any](a, b []T) []T {
	switch {
	case len(a) == 0:
		return b
	case len(b) == 0:
		return a
	default:
		return slices.Concat(a, b)
	}
}

// ownReasons lists the reasons of the steps beside the walk.
func ownReasons() []*phone.Reason {
	out := []*phone.Reason{reasonExchangeOtherRoot}
	for _, own := range []map[*phone.Reason]*phone.Reason{exchangeReasons, updateReasons} {
		out = append(out, slices.SortedFunc(maps.Values(own), func(a, b *phone.Reason) int { return strings.Compare(a.Name, b.Name) })...)
	}
	return out
}
