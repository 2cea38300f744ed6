package collectors

import (
	"crypto/x509"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
)

// judgePool says in which ways phones get no TLS, or not everywhere.
func judgePool(t *Target, p *facts.Pool, now time.Time) []*Failure {
	j := &registrarJudge{
		target: t, view: nameView{p.Names}, servers: map[netip.AddrPort]serverState{}, found: findings{},
		reasons: registrarReasons{
			unavailable: reasonPoolUnavailable, noRegistrar: reasonPoolNoRegistrar, outside: reasonPoolOutside,
			namesUnanswered: reasonPoolNamesUnanswered, notAllAsked: reasonPoolNotAllAsked, otherPort: reasonPoolOtherPort,
		},
	}
	for i := range p.Servers {
		s := &p.Servers[i]
		reason, text := poolServerReason(s, now)
		j.servers[s.Address] = serverState{
			reason: reason, text: fmt.Sprintf("%s (%s): %s", s.Address, strings.Join(s.Hosts, ", "), text),
			closed: reason == reasonPoolUnreachable,
		}
	}
	for _, fw := range t.Firmware {
		j.route(fw, facts.RouteOf(p.Routes, fw.Version))
	}
	judgePoolDifferences(p.Servers, j.found)
	if p.LeftOut > 0 {
		j.found.add(reasonPoolLeftOut, fmt.Sprintf("%d of %d addresses are not asked", p.LeftOut, len(p.Servers)+p.LeftOut))
	}
	return j.found.failures(poolReasons())
}

// poolServerReason says why a phone does not get through at a server: nil when it does, as far as it can be told
// before it looks at the chain. Without a choice of the server for phones, but with one for clients of today, it
// is their age that it does not like; Windows then closes the connection as well as sending an alert.
func poolServerReason(s *facts.PoolServer, now time.Time) (r *Reason, text string) {
	p := &s.Phone
	switch {
	case p.Problem == "":
		return certificateReason(p.Served[0], now)
	case p.Version == facts.SSL30:
		return reasonPoolSSL30, p.Detail
	case p.Problem == facts.HandshakeRefused && p.Version == "" && s.Modern.Problem == facts.HandshakeRefused && s.Modern.Version == "":
		return reasonPoolNoCommon, p.Detail
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
