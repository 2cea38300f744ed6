package signin

import (
	"fmt"
	"slices"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// mostClock is from which offset on a registrar's clock is off; Kerberos' usual limit.
const mostClock = 5 * time.Minute

var reasonSIPClockOff = &phone.Reason{
	Name: "sip_clock_off", Effect: phone.Degrades,
	Means:  "the registrar's clock, as its Date says, is off by more than five minutes: Kerberos and certificates fail",
	Screen: screenValidate + ", or it asks for the password again and again",
	Mend:   "w32tm /resync on the front end, and see where it gets its time from", AtPhone: waits,
}

// judgeSignIn says whether a phone is asked for its logon: what the collector found, whether the phone trusts the
// registrars to which others lead on (SIGNIN section 1), and the registrars' clocks.
func (c *Case) judgeSignIn() Outcome {
	out := folding(phone.StepSignIn)(c)
	if c.seen.SIP == nil || out.State == NotWatched {
		return out
	}
	out.addClocks(c.seen)
	if led, leads := c.judgeRedirects(); leads {
		out = both(out, led)
	}
	return out
}

// judgeRedirects judges the certificates along the redirects; leads is false where none leads on.
func (c *Case) judgeRedirects() (out Outcome, leads bool) {
	if c.seen.Pool == nil || !slices.ContainsFunc(c.seen.SIP.Servers, leadOn) {
		return out, false
	}
	j := c.truster()
	all := c.follow(func(a *Attempt, _ *facts.PoolServer) bool {
		server := c.seen.SIP.At(a.Address)
		if server == nil {
			return false
		}
		answer := server.AnswerTo(c.profile.Firmware.Version)
		if answer == nil || !asksForLogon(answer.Last()) {
			return false // the collector says why
		}
		for hop := answer.Next; hop != nil && a.State == OK; hop = hop.Next {
			leads = true
			on := j.visit(hop.Host, hop.Address, a.order, hop.Served)
			a.State, a.Trust, a.Findings = on.State, on.Trust, append(a.Findings, on.Findings...)
		}
		return true
	})
	if !leads {
		return out, false
	}
	return fold(all), true
}

// leadOn tells that some answer of a registrar leads to another.
func leadOn(s facts.SIPServer) bool {
	return slices.ContainsFunc(s.Answers, func(a facts.SIPAnswer) bool { return a.Next != nil })
}

// asksForLogon tells that a registrar takes up a sign-in; one that takes 200 lets everybody in.
func asksForLogon(a *facts.SIPAnswer) bool { return slices.Contains([]int{200, 401, 407}, a.Status) }

// addClocks finds registrars whose clock is off, by our own and by every time server that phones have: where one of
// those agrees with the registrar, it is another's clock that is off.
func (o *Outcome) addClocks(seen *facts.Seen) {
	for i := range seen.SIP.Servers {
		for k := range seen.SIP.Servers[i].Answers {
			a := seen.SIP.Servers[i].Answers[k].Last()
			off := a.Date.Sub(a.At)
			if a.Date.IsZero() || off.Abs() <= mostClock || agrees(seen.Time, off) {
				continue
			}
			o.State = graver(o.State, Degraded)
			o.Findings = append(o.Findings, Finding{Reason: reasonSIPClockOff,
				Seen: fmt.Sprintf("%s: off by %s", a.Address, off.Round(time.Minute))})
		}
	}
	o.settle()
}

// agrees tells whether some time server is off from our clock by as much.
func agrees(t *facts.Time, off time.Duration) bool {
	return t != nil && slices.ContainsFunc(t.Servers, func(s facts.TimeServer) bool {
		return s.GivesTime() && (off-s.Offset).Abs() <= mostClock
	})
}
