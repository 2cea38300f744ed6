package signin

import (
	"crypto/x509"
	"net/netip"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// truster judges the servers that one kind of phone meets.
type truster struct {
	*Case
	// unanchored is set once a server is trusted without knowing the phone's roots.
	unanchored bool
}

func (c *Case) truster() *truster { return &truster{Case: c} }

// judgeServed judges the chain that was served to a phone that came for the attempt's host.
func (j *truster) judgeServed(a *Attempt, served []*x509.Certificate) {
	t := j.cache.trust(j.profile.Firmware, served, a.Host, &j.store, j.at)
	a.Trust = t
	if r := j.unwatched(t); r != nil {
		a.found(NotWatched, r, "")
		return
	}
	for _, f := range t.Faults {
		state := Unknown
		if t.Refused() {
			state = Blocked
		}
		a.found(state, trustReasons[f.Reason], describe(f))
	}
	for _, f := range t.Doubts {
		a.note(trustReasons[f.Reason], describe(f))
	}
	switch {
	case !t.Trusted(), t.Anchor() != nil:
	case j.profile.Kind != phone.New:
		j.unanchored = true
	case j.ad.unseen:
		a.found(Unknown, reasonCertsrvUnseen, "")
	case !j.ad.known:
		a.found(Unknown, reasonADUnknown, "")
	}
}

// unwatched is why nothing can be said of a new phone whose roots nobody sees; nil where something can.
func (j *truster) unwatched(t *phone.Trust) *phone.Reason {
	switch {
	case j.profile.Kind != phone.New, t.Anchor() != nil: // built in, or published
		return nil
	case j.profile.External:
		return reasonEnrolInside
	case j.ad.denied && (!j.ad.known || j.ad.unseen):
		return reasonADNotWatched
	default:
		return nil
	}
}

// shownToPhones are the certificates that a server shows a phone: those that its own offer got, ours where that came to
// no connection; none where it is cut off.
func shownToPhones(phone *facts.Handshake, ours []*x509.Certificate) []*x509.Certificate {
	switch {
	case phone == nil, phone.Problem == facts.HandshakeUnreachable:
		return ours
	case phone.Problem != "":
		return nil
	default:
		return phone.Served
	}
}

// visit judges the chain of a server that is no registrar; order is the one in which phones come there.
func (j *truster) visit(host string, address netip.AddrPort, order int, served []*x509.Certificate) Attempt {
	a := Attempt{Host: host, Address: address, State: OK, order: order}
	j.judgeServed(&a, served)
	return a
}
