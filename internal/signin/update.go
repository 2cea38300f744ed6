package signin

import (
	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// updateReasons are those of the step update, by those of the step trust.
var updateReasons = service{
	name: "update", atPhone: "wait; it asks again each day, at sign-in and after a power-cycle", reset: phone.ResetUpdate,
	reissue: "issue the certificate of the listener of the TMG or ISA rule anew (inside, that of IIS on the front end), ",
	screen:  screenUpdate,
}.reasons()

// screenUpdate is what About shows where a phone asks for updates in vain: WinInet's numbers for what is wrong with a
// certificate are standard, and inferred to appear there (CONTRACT section 1.7).
func screenUpdate(why phone.TrustReason) string {
	failure := phone.NoFailure
	switch why {
	case phone.TrustReason(phone.LinkExpired), phone.TrustReason(phone.LinkNotYetValid):
		failure = phone.DateInvalid
	case phone.NameOfOther, phone.NameByWildcard, phone.NameInShadow, phone.DoubtWildcard:
		failure = phone.NameInvalid
	case phone.TrustReason(phone.UnknownRoot), phone.TrustReason(phone.IncompleteChain), phone.TrustReason(phone.SelfSignedLeaf),
		phone.TrustReason(phone.RootInAIA), phone.RootNotSeen:
		failure = phone.UnknownCA
	}
	if failure == phone.NoFailure {
		return "another Last Update Status in About than (0x00/0), and the firmware stays as it is"
	}
	return "Last Update Status " + phone.UpdateStatus(failure, 0) + " in About, and the firmware stays as it is"
}

// judgeUpdate says whether a phone trusts the service that it asks for updates: outside the reverse proxy, inside a
// front end that answers by HTTPS only. By plain HTTP there is nothing to trust.
func (c *Case) judgeUpdate() Outcome {
	seen := c.seen
	if seen.Update == nil {
		return Outcome{State: NotWatched}
	}
	j := c.truster()
	var all, spare []Attempt
	order := 0
	for i := range seen.Update.Servers {
		s := &seen.Update.Servers[i]
		if i > 0 && s.Host != seen.Update.Servers[i-1].Host {
			order++
		}
		a, met := j.updateServer(s, order)
		switch {
		case !met:
		case s.Spare:
			spare = append(spare, a)
		default:
			all = append(all, a)
		}
	}
	if len(all) == 0 { // what phones can do without counts only where there is nothing else
		all = spare
	}
	if len(all) == 0 {
		return Outcome{State: Unknown} // the phone does not come so far
	}
	out := fold(all)
	out.Unanchored = j.unanchored
	out.byReasons(updateReasons)
	return out
}

// updateServer judges one address; met is false where phones get nothing from it whatever its certificate is.
func (j *truster) updateServer(s *facts.UpdateServer, order int) (a Attempt, met bool) {
	switch secure := s.Secure; {
	case !j.profile.External && s.Plain != nil && s.Plain.Response != nil:
		return Attempt{Host: s.Host, Address: s.Plain.Address, State: OK, order: order}, true
	case secure == nil, len(secure.Served) == 0, !j.profile.External && secure.Response == nil, secure.Status == 0:
		return Attempt{}, false
	default:
		served := shownToPhones(s.Phone, secure.Served)
		if len(served) == 0 {
			return Attempt{}, false
		}
		return j.visit(s.Host, secure.Address, order, served), true
	}
}
