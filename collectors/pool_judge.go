package collectors

import (
	"crypto/x509"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/reach"
	"github.com/cx700/cx700_exporter/internal/site"
)

// judgePool says in which ways phones get no TLS, or not everywhere.
func judgePool(t *Target, p *facts.Pool, now time.Time) []*Failure {
	j := &poolJudge{target: t, view: nameView{p.Names}, servers: map[netip.AddrPort]poolState{}, found: findings{}}
	for i := range p.Servers {
		s := &p.Servers[i]
		reason, text := poolServerReason(s, now)
		j.servers[s.Address] = poolState{reason, fmt.Sprintf("%s (%s): %s", s.Address, strings.Join(s.Hosts, ", "), text)}
	}
	for i, fw := range t.Firmware {
		j.route(fw, p.Routes[i].Endpoints)
	}
	judgePoolDifferences(p.Servers, j.found)
	if p.LeftOut > 0 {
		j.found.add(reasonPoolLeftOut, fmt.Sprintf("%d of %d addresses are not asked", p.LeftOut, len(p.Servers)+p.LeftOut))
	}
	return j.found.failures(poolReasons())
}

// poolState is why phones do not get through at a server, and what was seen; the reason is nil when they do.
type poolState struct {
	reason *Reason
	text   string
}

// poolJudge walks the routes.
type poolJudge struct {
	target  *Target
	view    nameView
	servers map[netip.AddrPort]poolState
	found   findings
}

// route walks a firmware's order to its end.
func (j *poolJudge) route(fw phone.Firmware, endpoints []phone.Endpoint) {
	usable := slices.DeleteFunc(slices.Clone(endpoints), func(e phone.Endpoint) bool { return !e.Usable(fw.StrictSRV) })
	through := false
	for _, e := range usable {
		if !j.spare(e, through) {
			j.complain(e, endpoints)
		}
		through = through || slices.ContainsFunc(e.Addresses, func(a netip.Addr) bool {
			return j.good(a, e.Port) && !j.otherPort(e, a, endpoints)
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
func (j *poolJudge) nowhere(fw phone.Firmware, endpoints, usable []phone.Endpoint) (r *Reason, text string) {
	if name := j.unsettled(fw, endpoints); name != "" {
		return reasonPoolNamesUnanswered, ": " + name
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
		return reasonPoolUnavailable, ""
	case outside >= 0:
		return reasonPoolOutside, ": " + endpoints[outside].Host
	default:
		return reasonPoolNoRegistrar, ""
	}
}

// doubtful says why a phone might get through at an address after all. Something that ends a handshake on the other
// port is the pool's web server where a registrar answers on the right one, however badly.
func (j *poolJudge) doubtful(e phone.Endpoint, a netip.Addr, endpoints []phone.Endpoint) (r *Reason, text string) {
	s, asked := j.servers[netip.AddrPortFrom(a, e.Port)]
	listens := func(o phone.Endpoint) bool {
		state, known := j.servers[netip.AddrPortFrom(a, o.Port)]
		return o.Port != e.Port && slices.Contains(o.Addresses, a) && known && state.reason != reasonPoolUnreachable
	}
	switch {
	case !asked:
		return reasonPoolNotAllAsked, ""
	case s.reason != nil && s.reason.Effect == Blinds:
		return s.reason, ": " + s.text
	case s.reason == nil && !slices.ContainsFunc(endpoints, listens):
		return reasonPoolOtherPort, fmt.Sprintf(": %s:%d", a, e.Port)
	default:
		return nil, ""
	}
}

// unsettled returns a name of a firmware's order, or of an SRV target, that no resolver answered.
func (j *poolJudge) unsettled(fw phone.Firmware, endpoints []phone.Endpoint) string {
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
func (j *poolJudge) complain(e phone.Endpoint, endpoints []phone.Endpoint) {
	for _, a := range e.Addresses {
		s, asked := j.servers[netip.AddrPortFrom(a, e.Port)]
		if asked && s.reason != nil && s.reason.Effect != Blinds && !j.otherPort(e, a, endpoints) {
			j.found.add(s.reason, s.text)
		}
	}
}

func (j *poolJudge) good(a netip.Addr, port uint16) bool {
	s, asked := j.servers[netip.AddrPortFrom(a, port)]
	return asked && s.reason == nil
}

// spare tells that an endpoint may fail: it is a guess for which nobody creates a record on purpose (the guide's
// table of records, pages 24 and 25, asks for the SRV record and for sip only), and comes after a server that works.
// Inside, sipexternal often leads to an edge that cannot be reached from there.
func (j *poolJudge) spare(e phone.Endpoint, through bool) bool {
	return through && e.From.Type == phone.A && e.Host != "sip."+j.target.Domains.SIP
}

// otherPort tells that a guess has a port at which nobody need listen, since the order has the same address with the
// port that it should have: the one of an SRV record, else 5061 of a pool inside and 443 of an Access Edge outside.
// Phones guess both behind each name (guide page 4). What works there is no registrar for certain: a pool has its web
// server on 443, and an Access Edge its federation on 5061.
func (j *poolJudge) otherPort(e phone.Endpoint, a netip.Addr, endpoints []phone.Endpoint) bool {
	port := uint16(5061)
	if j.target.Network == site.External {
		port = 443
	}
	return e.From.Type == phone.A && slices.ContainsFunc(endpoints, func(o phone.Endpoint) bool {
		return o.Port != e.Port && (o.Port == port || o.From.Type == phone.SRV) && slices.Contains(o.Addresses, a)
	})
}

// poolServerReason says why a phone does not get through at a server: nil when it does, as far as it can be told
// before it looks at the chain. Without a choice of the server for phones, but with one for clients of today, it
// is their age that it does not like; Windows then closes the connection as well as sending an alert.
func poolServerReason(s *facts.PoolServer, now time.Time) (r *Reason, text string) {
	p := &s.Phone
	switch {
	case p.Problem == "":
		return certificateReason(p.Served[0], now)
	case p.Version == reach.SSL30:
		return reasonPoolSSL30, p.Detail
	case p.Version == "" && s.Modern.Problem == "" && p.Problem != facts.HandshakeUnreachable:
		return reasonPoolHardened, fmt.Sprintf("%s: %s; %s works", p.Problem, p.Detail, s.Modern.Version)
	default:
		return poolProblems[p.Problem], p.Detail
	}
}

func certificateReason(leaf *x509.Certificate, now time.Time) (r *Reason, text string) {
	switch {
	case now.After(leaf.NotAfter):
		return reasonPoolExpired, certificateText(leaf)
	case now.Before(leaf.NotBefore):
		return reasonPoolNotYetValid, certificateText(leaf)
	default:
		return nil, ""
	}
}

// certificateText names a certificate in few words.
func certificateText(c *x509.Certificate) string {
	f := facts.CertificateOf(c)
	return fmt.Sprintf("%s, %s to %s, SHA-256 %.16s", f.Subject, f.NotBefore.UTC().Format(time.DateOnly), f.NotAfter.UTC().Format(time.DateOnly), f.SHA256)
}

// servedBy returns the certificates of a server: those for phones, else those for clients of today.
func servedBy(s *facts.PoolServer) []*x509.Certificate {
	if s.Phone.Served != nil {
		return s.Phone.Served
	}
	return s.Modern.Served
}

// judgePoolDifferences compares the certificates behind each name and port.
func judgePoolDifferences(servers []facts.PoolServer, found findings) {
	first := map[string]*facts.PoolServer{}
	for i := range servers {
		s := &servers[i]
		for _, host := range s.Hosts {
			name := fmt.Sprintf("%s:%d", host, s.Address.Port())
			before := first[name]
			switch {
			case s.Phone.Served == nil:
			case before == nil:
				first[name] = s
			case !before.Phone.Served[0].Equal(s.Phone.Served[0]):
				found.add(reasonPoolDiffer, fmt.Sprintf("%s: %s at %s; %s at %s", name,
					certificateText(before.Phone.Served[0]), before.Address, certificateText(s.Phone.Served[0]), s.Address))
			}
		}
	}
}
