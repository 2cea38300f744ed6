package signin

import (
	"slices"

	"github.com/cx700/cx700_exporter/internal/phone"
)

// Walk lists the steps of a phone's way to being signed in, in its order.
func Walk() []Step { return slices.Clone(walk) }

// Beside lists what a phone needs besides being signed in: the verdict does not depend on it.
func Beside() []Step { return slices.Clone(beside) }

var (
	walk = []Step{
		{Name: phone.StepLease, Asks: "gets an address and the right options", Judge: folding(phone.StepLease)},
		{Name: phone.StepTime, Asks: "gets the right time", Judge: folding(phone.StepTime)},
		{Name: phone.StepRegistrar, Asks: "finds its registrar", Judge: folding(phone.StepRegistrar)},
		{Name: phone.StepTLS, Asks: "comes to an encrypted connection", Needs: []phone.Step{phone.StepRegistrar}, Judge: (*Case).judgeTLS},
		{Name: phone.StepController, Asks: "finds a domain controller", Judge: (*Case).judgeController},
		{Name: phone.StepRoot, Asks: "gets the root certificate", Needs: []phone.Step{phone.StepController}, Judge: (*Case).judgeRoot},
		{Name: phone.StepTrust, Asks: "trusts the registrar", Needs: []phone.Step{phone.StepTLS}, Judge: (*Case).judgeTrust},
		{Name: phone.StepSignIn, Asks: "is asked for its logon", Needs: []phone.Step{phone.StepTLS}, Judge: (*Case).judgeSignIn},
	}
	beside = []Step{
		{Name: phone.StepExchange, Asks: "reaches Exchange", Judge: trusting(folding(phone.StepExchange), (*Case).judgeExchange)},
		{Name: phone.StepUpdate, Asks: "is answered when it asks for new firmware", Judge: trusting(folding(phone.StepUpdate), (*Case).judgeUpdate)},
		{Name: phone.StepFirmware, Asks: "can fetch new firmware", Judge: folding(phone.StepFirmware)},
	}
)

// folding makes a judgement of what collectors have found for a step by themselves.
func folding(step phone.Step) func(*Case) Outcome {
	return func(c *Case) Outcome {
		all, watched := c.seen.Findings[step]
		if !watched {
			return Outcome{State: NotWatched}
		}
		return foldFindings(all, c.profile.Kind)
	}
}

// foldFindings says what findings mean for a kind of phone. What blocks for certain counts even where something is
// unknown besides.
func foldFindings(all []Finding, kind phone.Kind) Outcome {
	out, unwatched := Outcome{State: OK}, false
	for _, f := range all {
		if f.Reason.Effect == phone.BlocksNew && kind != phone.New {
			continue
		}
		unwatched = unwatched || f.Reason.Effect == phone.NotWatched
		out.State = graver(out.State, stateOf(f.Reason.Effect))
		out.Findings = append(out.Findings, f)
	}
	if unwatched && out.State == OK {
		out.State = NotWatched
	}
	out.settle()
	return out
}

func stateOf(e phone.Effect) State {
	switch e {
	case phone.Blocks, phone.BlocksNew:
		return Blocked
	case phone.Blinds:
		return Unknown
	case phone.Degrades:
		return Degraded
	default:
		return OK
	}
}

// graver is the state of two that counts for the whole.
func graver(a, b State) State {
	order := []State{NotWatched, NotNeeded, NotReached, OK, Degraded, Unknown, Blocked}
	if slices.Index(order, a) >= slices.Index(order, b) {
		return a
	}
	return b
}
