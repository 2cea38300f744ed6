package signin

import (
	"crypto/x509"
	"fmt"
	"net/netip"
	"slices"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// Attempt is what a phone meets at one address of one endpoint of its order.
type Attempt struct {
	Host    string
	Address netip.AddrPort
	// State is OK, Blocked, Unknown or NotWatched.
	State    State
	Findings []Finding
	// Trust is nil where no chain was judged.
	Trust *phone.Trust

	order int  // of the endpoint
	bySRV bool // is how the endpoint is found
	// spared tells that its failure is no flaw of the phone's order.
	spared bool
}

// judgement judges one address; ok is false where there is nothing to judge.
type judgement func(*Attempt, *facts.PoolServer) (ok bool)

// follow goes through the order in which a firmware finds its registrars and judges each address. What the
// phone passes over is left out, and so is what is no registrar: something on another port than it should be.
func (c *Case) follow(judge judgement) []Attempt {
	p, f := c.seen.Pool, c.profile.Firmware
	var out []Attempt
	route := facts.RouteOf(p.Routes, f.Version)
	for order := range route {
		e := &route[order]
		if !e.Usable(f.StrictSRV) {
			continue
		}
		for _, address := range e.Addresses {
			at := netip.AddrPortFrom(address, e.Port)
			server := serverAt(p, at)
			proper, doubled := properPort(route, e, address, c.profile.External)
			if doubled && (server == nil || server.Phone.Problem != "" || listens(serverAt(p, proper)) || speaksNoSIP(c.seen.SIP, at)) {
				continue
			}
			out = append(out, Attempt{Host: e.Host, Address: at, State: OK, order: order, bySRV: e.From.Type == phone.SRV})
			switch a := &out[len(out)-1]; {
			case doubled:
				a.found(Unknown, reasonOtherPort, "nothing listens on "+proper.String())
			case !judge(a, server):
				out = out[:len(out)-1]
			}
		}
	}
	return out
}

// properPort is where a registrar listens whose address the order has with two ports: that of an SRV record, else
// 5061 of a pool inside and 443 of an Access Edge outside. Phones guess both behind each name (guide page 4), and on
// the other one a pool has its web server. Doubled tells that the endpoint is such a guess.
func properPort(route []phone.Endpoint, e *phone.Endpoint, address netip.Addr, external bool) (at netip.AddrPort, doubled bool) {
	usual := uint16(5061)
	if external {
		usual = 443
	}
	i := slices.IndexFunc(route, func(o phone.Endpoint) bool {
		return o.Port != e.Port && (o.Port == usual || o.From.Type == phone.SRV) && slices.Contains(o.Addresses, address)
	})
	if e.From.Type != phone.A || e.Port == usual || i < 0 {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(address, route[i].Port), true
}

func listens(s *facts.PoolServer) bool {
	return s != nil && s.Phone.Problem != facts.HandshakeUnreachable
}

// speaksNoSIP tells that what answers there was asked as a registrar, and is none.
func speaksNoSIP(s *facts.SIP, at netip.AddrPort) bool {
	if s == nil {
		return false
	}
	malformed := func(a facts.SIPAnswer) bool { return a.Problem == facts.SIPMalformed }
	server := s.At(at)
	return server != nil && slices.ContainsFunc(server.Answers, malformed)
}

func serverAt(p *facts.Pool, address netip.AddrPort) *facts.PoolServer {
	i := slices.IndexFunc(p.Servers, func(s facts.PoolServer) bool { return s.Address == address })
	if i < 0 {
		return nil
	}
	return &p.Servers[i]
}

// found notes why the address is not good.
func (a *Attempt) found(state State, r *phone.Reason, detail string) {
	a.State = state
	a.note(r, detail)
}

func (a *Attempt) note(r *phone.Reason, detail string) {
	text := fmt.Sprintf("%s at %s", a.Host, a.Address)
	if detail != "" {
		text += ": " + detail
	}
	a.Findings = append(a.Findings, Finding{Reason: r, Seen: text})
}

// fold says how a phone fares that goes through the attempts in their order: it gets through at the first that
// is good.
func fold(all []Attempt) Outcome {
	out := Outcome{Servers: all}
	first := slices.IndexFunc(all, func(a Attempt) bool { return a.State == OK })
	if first < 0 {
		out.State = stopped(all)
		for i := range all {
			out.Findings = append(out.Findings, all[i].Findings...)
			if all[i].ended() { // it does not come to an end by ending
				out.endsWith(&all[i])
			}
		}
		out.settle()
		return out
	}
	out.State = OK
	for i := range all {
		a := &all[i]
		if !counts(a, &all[first], all) {
			continue
		}
		if a.State == Blocked {
			out.State = Degraded
		}
		out.Findings = append(out.Findings, a.Findings...)
		if a.State == OK && a.order == all[first].order {
			out.endsWith(a)
		}
	}
	out.settle()
	return out
}

// ended tells that a certificate has ended by which a phone came through.
func (a *Attempt) ended() bool {
	return a.State == Blocked && a.Trust != nil && a.Trust.Faults[0].Reason == phone.TrustReason(phone.LinkExpired)
}

// stopped is the state when no attempt gets through.
func stopped(all []Attempt) State {
	has := func(s State) bool { return slices.ContainsFunc(all, func(a Attempt) bool { return a.State == s }) }
	switch {
	case has(NotWatched):
		return NotWatched
	case has(Unknown), len(all) == 0:
		return Unknown
	default:
		return Blocked
	}
}

// counts tells whether an attempt belongs to what should be good, where first gets through. The guessed names of
// an order need not exist beyond that, and of a guessed host one port is enough: servers listen on 5061 inside
// and on 443 outside (CONTRACT section 6.1; guide pages 4 and 19).
func counts(a, first *Attempt, all []Attempt) bool {
	if a.bySRV || a.order == first.order {
		return true
	}
	otherPort := func(o Attempt) bool {
		return o.State == OK && o.Host == a.Host && o.Address.Port() != a.Address.Port()
	}
	return a.order < first.order && (!a.spared || !slices.ContainsFunc(all, otherPort))
}

// endsWith takes over when the certificates of a good address end, if that is earlier.
func (o *Outcome) endsWith(a *Attempt) {
	if a.Trust == nil {
		return
	}
	if _, certificate := a.Trust.Path.ValidUntil(); EndsBefore(certificate, o.Ends) {
		o.Ends, o.Anchor = certificate, a.Trust.Anchor()
	}
}

// EndsBefore tells whether a certificate ends before another. Either may be nil, of which no end is known.
func EndsBefore(a, b *x509.Certificate) bool {
	return a != nil && (b == nil || a.NotAfter.Before(b.NotAfter))
}
