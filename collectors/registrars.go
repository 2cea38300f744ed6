package collectors

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/site"
)

// serverState is why phones do not get through at a server, and what was seen; the reason is nil when they do. One
// that blinds leaves it open.
type serverState struct {
	reason *Reason
	text   string
	// closed: nothing listens there.
	closed bool
	// aside: phones do not get through, and another collector says so.
	aside bool
}

// registrarReasons are those for which a firmware gets through nowhere in its order.
type registrarReasons struct {
	unavailable, noRegistrar, outside *Reason
	// With these it is not known.
	namesUnanswered, notAllAsked, otherPort *Reason
}

// registrarJudge walks the routes of firmwares to their registrars.
type registrarJudge struct {
	target  *Target
	view    nameView
	servers map[netip.AddrPort]serverState
	found   findings
	reasons registrarReasons
	// spoken: what answers is a registrar for certain, on whatever port.
	spoken bool
}

// route walks a firmware's order to its end.
func (j *registrarJudge) route(fw phone.Firmware, endpoints []phone.Endpoint) {
	usable := slices.DeleteFunc(slices.Clone(endpoints), func(e phone.Endpoint) bool { return !e.Usable(fw.StrictSRV) })
	through := false
	for _, e := range usable {
		if !j.spare(e, through) {
			j.complain(e, endpoints)
		}
		through = through || slices.ContainsFunc(e.Addresses, func(a netip.Addr) bool {
			return j.good(a, e.Port) && (j.spoken || !j.otherPort(e, a, endpoints))
		})
	}
	if through {
		return
	}
	if r, text := j.nowhere(fw, endpoints, usable); r != nil {
		j.found.add(r, "firmware "+fw.Version+text)
	}
}

// nowhere says what it means for a firmware that it gets through at no server.
func (j *registrarJudge) nowhere(fw phone.Firmware, endpoints, usable []phone.Endpoint) (r *Reason, text string) {
	if name := j.unsettled(fw, endpoints); name != "" {
		return j.reasons.namesUnanswered, ": " + name
	}
	for _, e := range usable {
		for _, a := range e.Addresses {
			if r, text := j.doubtful(e, a, endpoints); r != nil {
				return r, text
			}
		}
	}
	outside := slices.IndexFunc(endpoints, func(e phone.Endpoint) bool { return e.Usable(false) })
	switch {
	case len(usable) > 0:
		return j.reasons.unavailable, ""
	case outside >= 0:
		return j.reasons.outside, ": " + endpoints[outside].Host
	default:
		return j.reasons.noRegistrar, ""
	}
}

// doubtful says why a phone might get through at an address after all. Something that ends a handshake on the other
// port is the pool's web server where a registrar answers on the right one, however badly.
func (j *registrarJudge) doubtful(e phone.Endpoint, a netip.Addr, endpoints []phone.Endpoint) (r *Reason, text string) {
	s, asked := j.servers[netip.AddrPortFrom(a, e.Port)]
	listens := func(o phone.Endpoint) bool {
		state, known := j.servers[netip.AddrPortFrom(a, o.Port)]
		return o.Port != e.Port && slices.Contains(o.Addresses, a) && known && !state.closed
	}
	switch {
	case !asked:
		return j.reasons.notAllAsked, ""
	case s.reason != nil && s.reason.Effect == Blinds && !s.aside:
		return s.reason, ": " + s.text
	case s.reason == nil && !slices.ContainsFunc(endpoints, listens):
		return j.reasons.otherPort, fmt.Sprintf(": %s:%d", a, e.Port)
	default:
		return nil, ""
	}
}

// unsettled returns a name of a firmware's order, or of an SRV target, that no resolver answered.
func (j *registrarJudge) unsettled(fw phone.Firmware, endpoints []phone.Endpoint) string {
	for _, c := range j.target.Domains.Candidates(fw.Registrar) {
		if !j.view.settled(c.Name, c.Type) {
			return c.Name
		}
	}
	for _, e := range endpoints {
		if e.From.Type == phone.SRV && !j.view.settled(e.Host, phone.A) {
			return e.Host
		}
	}
	return ""
}

// complain adds what is wrong with the addresses of an endpoint.
func (j *registrarJudge) complain(e phone.Endpoint, endpoints []phone.Endpoint) {
	for _, a := range e.Addresses {
		s, asked := j.servers[netip.AddrPortFrom(a, e.Port)]
		if asked && s.reason != nil && s.reason.Effect != Blinds && !j.otherPort(e, a, endpoints) {
			j.found.add(s.reason, s.text)
		}
	}
}

func (j *registrarJudge) good(a netip.Addr, port uint16) bool {
	s, asked := j.servers[netip.AddrPortFrom(a, port)]
	return asked && s.reason == nil
}

// spare tells that an endpoint may fail: it is a guess for which nobody creates a record on purpose (the guide's
// table of records, pages 24 and 25, asks for the SRV record and for sip only), and comes after a server that works.
// Inside, sipexternal often leads to an edge that cannot be reached from there.
func (j *registrarJudge) spare(e phone.Endpoint, through bool) bool {
	return through && e.From.Type == phone.A && e.Host != "sip."+j.target.Domains.SIP
}

// otherPort tells that a guess has a port at which nobody need listen, since the order has the same address with the
// port that it should have: the one of an SRV record, else 5061 of a pool inside and 443 of an Access Edge outside.
// Phones guess both behind each name (guide page 4). What works there is no registrar for certain: a pool has its web
// server on 443, and an Access Edge its federation on 5061.
func (j *registrarJudge) otherPort(e phone.Endpoint, a netip.Addr, endpoints []phone.Endpoint) bool {
	port := uint16(5061)
	if j.target.Network == site.External {
		port = 443
	}
	return e.From.Type == phone.A && slices.ContainsFunc(endpoints, func(o phone.Endpoint) bool {
		return o.Port != e.Port && (o.Port == port || o.From.Type == phone.SRV) && slices.Contains(o.Addresses, a)
	})
}
