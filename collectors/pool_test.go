package collectors

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/site"
)

// poolNow is the time of the tests below, and poolKey the key of their certificates.
var poolNow = time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)

// leaves are a pool's certificates: valid, expired, not yet valid, and another valid one.
type leaves struct{ valid, expired, early, other *x509.Certificate }

func testLeaves(t testing.TB) leaves {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	serial := int64(0)
	leaf := func(from, to time.Time) *x509.Certificate {
		serial++
		template := &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "sip.contoso.com"},
			DNSNames: []string{"sip.contoso.com"}, NotBefore: from, NotAfter: to,
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	const day = 24 * time.Hour
	return leaves{
		valid: leaf(poolNow.Add(-day), poolNow), expired: leaf(poolNow.Add(-2*day), poolNow.Add(-time.Second)),
		early: leaf(poolNow.Add(time.Second), poolNow.Add(day)), other: leaf(poolNow.Add(-day), poolNow.Add(day)),
	}
}

// shakes is a handshake that ended well.
func shakes(version string, leaf *x509.Certificate) facts.Handshake {
	return facts.Handshake{Version: version, Suite: "TLS_RSA_WITH_AES_128_CBC_SHA", Served: []*x509.Certificate{leaf}, Took: time.Millisecond}
}

func breaks(p facts.HandshakeProblem) facts.Handshake {
	return facts.Handshake{Problem: p, Detail: "as seen", Took: time.Millisecond}
}

// both is what a server does to a phone and to a client of today.
type both struct{ phone, modern facts.Handshake }

func bothBreak(p facts.HandshakeProblem) both { return both{breaks(p), breaks(p)} }

// poolSeen is a pool at which each server does what is said of its address; all others cannot be reached.
func poolSeen(t *Target, names *facts.Names, servers map[string]both) *facts.Pool {
	p := &facts.Pool{Names: names}
	for _, fw := range t.Firmware {
		p.Routes = append(p.Routes, facts.Route{Firmware: fw.Version, Endpoints: t.Domains.Endpoints(fw.Registrar, nameView{names}.find)})
	}
	p.Servers, p.LeftOut = poolServers(p.Routes)
	for i := range p.Servers {
		s := &p.Servers[i]
		b, known := servers[s.Address.String()]
		if !known {
			b = bothBreak(facts.HandshakeUnreachable)
		}
		s.Phone, s.Modern = b.phone, b.modern
	}
	return p
}

type poolCase struct {
	name    string
	network site.NetworkName
	zone    zone
	servers map[string]both
	want    []string
}

const (
	poolAt = "192.168.7.20:5061"
)

func poolCases(c leaves) []poolCase {
	fine := both{shakes("TLS 1.0", c.valid), shakes("TLS 1.2", c.valid)}
	at := func(b both) map[string]both { return map[string]both{poolAt: b} }
	two := contoso().but(zone{poolA: addresses("192.168.7.20", "192.168.7.21")})
	outsideDomain := contoso().without(sipA).but(zone{sipSRV: services(5061, "pool01.fabrikam.com"), "A pool01.fabrikam.com": addresses("192.168.7.20")})
	edge := contoso().without(sipSRV).but(zone{"SRV _sip._tls.contoso.com": services(443, "sip.contoso.com")})
	cut := both{facts.Handshake{Problem: facts.HandshakeRefused, Detail: "alert", Version: "TLS 1.0", Served: []*x509.Certificate{c.valid}},
		shakes("TLS 1.3", c.valid)}
	cases := []poolCase{
		{"healthy; 443 of the pool is closed", site.Internal, contoso(), at(fine), nil},
		{"only the phone's TLS", site.Internal, contoso(), at(both{fine.phone, breaks(facts.HandshakeRefused)}), nil},
		{"hardened", site.Internal, contoso(), at(both{breaks(facts.HandshakeRefused), fine.modern}), []string{"pool_hardened", "pool_unavailable"}},
		{"hardened, the Windows way", site.Internal, contoso(), at(both{breaks(facts.HandshakeClosed), fine.modern}), []string{"pool_hardened", "pool_unavailable"}},
		{"one connection failed", site.Internal, contoso(), at(both{breaks(facts.HandshakeUnreachable), fine.modern}), []string{"pool_unavailable", "pool_unreachable"}},
		{"wants a certificate", site.Internal, contoso(), at(cut), []string{"pool_refused", "pool_unavailable"}},
		{"cannot be read", site.Internal, contoso(), at(bothBreak(facts.HandshakeBadCertificate)), []string{"pool_bad_certificate"}},
		{"no suite of ours", site.Internal, contoso(), at(bothBreak(facts.HandshakeRefused)), []string{"pool_no_common_suite"}},
		{"SSL 3.0", site.Internal, contoso(), at(both{facts.Handshake{Problem: facts.HandshakeRefused, Detail: "as seen", Version: facts.SSL30},
			breaks(facts.HandshakeRefused)}), []string{"pool_ssl30"}},
		{"expired", site.Internal, contoso(), at(both{shakes("TLS 1.0", c.expired), fine.modern}), []string{"pool_certificate_expired", "pool_unavailable"}},
		{"not yet valid", site.Internal, contoso(), at(both{shakes("TLS 1.0", c.early), fine.modern}),
			[]string{"pool_certificate_not_yet_valid", "pool_unavailable"}},
		{"no names", site.Internal, contoso().without(sipSRV, sipA), nil, []string{"pool_no_registrar"}},
		{"the only target is the root", site.Internal, contoso().without(sipA).but(zone{sipSRV: services(0, "")}), nil, []string{"pool_no_registrar"}},
		{"only outside the SIP domain", site.Internal, outsideDomain, at(fine), []string{"pool_outside_sip_domain"}},
		{"outside the SIP domain, and sip", site.Internal, outsideDomain.but(zone{sipA: addresses("192.168.7.20")}), at(fine), nil},
		{"names unanswered", site.Internal, contoso().everything(outcome(facts.Timeout), contosoTarget("pool", site.Internal)), nil, []string{"pool_names_unanswered"}},
		{"a target unanswered", site.Internal, contoso().without(sipA).but(zone{poolA: outcome(facts.ServFail)}), nil, []string{"pool_names_unanswered"}},
		{"a name unanswered, but another leads to the pool", site.Internal, contoso().but(zone{sipA: outcome(facts.Timeout)}), at(fine), nil},
		{"one address of two closed", site.Internal, two, at(fine), []string{"pool_unreachable"}},
		{"two certificates", site.Internal, two, map[string]both{poolAt: fine, "192.168.7.21:5061": {shakes("TLS 1.0", c.other), fine.modern}},
			[]string{"pool_certificates_differ"}},
		{"the same certificate twice", site.Internal, two, map[string]both{poolAt: fine, "192.168.7.21:5061": fine}, nil},
		{"sip leads elsewhere", site.Internal, contoso().but(zone{sipA: addresses("192.168.7.66")}), at(fine), []string{"pool_unreachable"}},
		{"a spare name leads elsewhere", site.Internal, contoso().but(zone{"A sipexternal.contoso.com": addresses("203.0.113.81")}), at(fine), nil},
		{"a guess before the pool leads elsewhere", site.Internal, contoso().without(sipSRV).but(zone{"A sipinternal.contoso.com": addresses("192.168.7.66")}),
			at(fine), []string{"pool_unreachable"}},
		{"only 443 of the pool works", site.Internal, contoso().without(sipSRV), map[string]both{"192.168.7.20:443": fine},
			[]string{"pool_unreachable", "pool_other_port"}},
		{"the pool is hardened, its web server is not", site.Internal, contoso(),
			map[string]both{poolAt: {breaks(facts.HandshakeRefused), fine.modern}, "192.168.7.20:443": fine}, []string{"pool_hardened", "pool_unavailable"}},
		{"the pool hangs, its web server does not", site.Internal, contoso(),
			map[string]both{poolAt: bothBreak(facts.HandshakeSilent), "192.168.7.20:443": fine}, []string{"pool_silent", "pool_unavailable"}},
		{"a pool on 443 by its SRV record", site.Internal, contoso().but(zone{sipSRV: services(443, "pool01.contoso.com")}),
			map[string]both{"192.168.7.20:443": fine}, nil},
		{"only federation of an edge works", site.External, edge, at(fine), []string{"pool_unreachable", "pool_other_port"}},
		{"an edge on 443", site.External, edge, map[string]both{"192.168.7.20:443": fine}, nil},
		{"an edge on 443 by guess", site.External, edge.without("SRV _sip._tls.contoso.com"), map[string]both{"192.168.7.20:443": fine}, nil},
		{"an edge on 5061 by its SRV record", site.External, edge.but(zone{"SRV _sip._tls.contoso.com": services(5061, "sip.contoso.com")}), at(fine), nil},
		{"an edge that is closed", site.External, edge, nil, []string{"pool_unavailable", "pool_unreachable"}},
	}
	for p, reason := range map[facts.HandshakeProblem]string{
		facts.HandshakeSilent: "pool_silent", facts.HandshakeClosed: "pool_closed",
		facts.HandshakeNoTLS: "pool_no_tls", facts.HandshakeMalformed: "pool_malformed", facts.HandshakeUnreachable: "pool_unreachable",
	} {
		cases = append(cases, poolCase{string(p), site.Internal, contoso(), at(bothBreak(p)), []string{reason, "pool_unavailable"}})
	}
	return cases
}

// crowd is a pool of so many addresses.
func crowd(n int) zone {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("192.168.8.%d", i+1))
	}
	return contoso().without(sipSRV).but(zone{sipA: addresses(all...)})
}

func TestPoolJudgement(t *testing.T) {
	c := testLeaves(t)
	fine := both{shakes("TLS 1.0", c.valid), shakes("TLS 1.2", c.valid)}
	everywhere := map[string]both{}
	for i := range 32 {
		everywhere[fmt.Sprintf("192.168.8.%d:5061", i+1)] = fine
	}
	cases := append(poolCases(c),
		poolCase{"more addresses than are asked", site.Internal, crowd(32), everywhere, []string{"pool_left_out"}},
		poolCase{"none of those that are asked works", site.Internal, crowd(32), nil, []string{"pool_left_out", "pool_not_all_asked", "pool_unreachable"}})
	produced := map[string]bool{}
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			target := contosoTarget("pool", tt.network)
			p := poolSeen(target, walked(target, tt.zone), tt.servers)
			compareReasons(t, tt.want, judgePool(target, p, poolNow), produced)
			var out strings.Builder
			explainPool(&out, target, &facts.Seen{Pool: p})
			for i := range p.Servers {
				if !strings.Contains(out.String(), "server "+p.Servers[i].Address.String()) {
					t.Errorf("%s is not explained:\n%s", p.Servers[i].Address, out.String())
				}
			}
		})
	}
	for _, r := range Pool().Reasons {
		if !produced[r.Name] {
			t.Errorf("no case gives %s", r.Name)
		}
	}
}

// TestPoolServersAreTakenInTurn: what each firmware asks first is asked, however many addresses others lead to.
func TestPoolServersAreTakenInTurn(t *testing.T) {
	endpoint := func(host string, n int) phone.Endpoint {
		e := phone.Endpoint{Host: host, Port: 5061}
		for i := range n {
			e.Addresses = append(e.Addresses, netip.AddrFrom4([4]byte{192, 168, byte(len(host)), byte(i)}))
		}
		return e
	}
	servers, leftOut := poolServers([]facts.Route{
		{Endpoints: []phone.Endpoint{endpoint("sip", 40), endpoint("pool01", 2)}},
		{Endpoints: []phone.Endpoint{endpoint("edge", 1), endpoint("sip", 40)}},
	})
	if len(servers) != maxPoolServers || leftOut != 43-maxPoolServers {
		t.Errorf("%d servers, %d left out", len(servers), leftOut)
	}
	var first []string
	for _, s := range servers[:3] {
		first = append(first, s.Hosts...)
	}
	if !slices.Equal(first, []string{"sip", "edge", "pool01"}) {
		t.Errorf("first %v", first)
	}
}
