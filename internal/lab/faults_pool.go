package lab

import (
	"net/netip"

	"github.com/miekg/dns"
)

func poolFaults() []fault {
	pool := func(name, text string, apply func(*state), reasons ...string) fault {
		return fault{Fault{Name: name, Network: "internal", Collector: "pool", Reasons: reasons, Text: text}, apply}
	}
	deaf := func(f fault) fault { return with(f, map[string][]string{"sip": {"sip_no_connection"}}) }
	does := func(mode poolMode) func(*state) {
		return func(s *state) { s.pool[firstFrontEnd].mode = mode }
	}
	serves := func(leaf poolLeaf) func(*state) {
		return func(s *state) { s.pool[firstFrontEnd].leaf = leaf }
	}
	return []fault{
		deaf(pool("pool_hardened", "the pool takes nothing older than TLS 1.2", does(poolHardened), "pool_hardened", "pool_unavailable")),
		pool("pool_phone_only", "the pool takes TLS 1.0 only: nothing is wrong for phones", does(poolPhoneOnly)),
		deaf(pool("pool_down", "nothing listens where sip leads to", moved(sipName), "pool_unreachable", "pool_unavailable")),
		deaf(pool("pool_hangs", "the pool accepts connections and says nothing", does(poolHangs), "pool_silent", "pool_unavailable")),
		deaf(pool("pool_plain_text", "what answers at the pool's port speaks no TLS", does(poolPlainText), "pool_no_tls", "pool_unavailable")),
		deaf(pool("pool_closes", "the pool closes every connection in the handshake", does(poolCloses), "pool_closed", "pool_unavailable")),
		deaf(pool("pool_client_certificate", "the pool wants a certificate of its clients", does(poolWantsCertificate), "pool_refused", "pool_unavailable")),
		deaf(pool("pool_garbage", "the pool breaks the rules of TLS", does(poolBabbles), "pool_malformed", "pool_unavailable")),
		deaf(pool("pool_ssl30", "the pool has nothing newer than SSL 3.0", does(poolOld), "pool_ssl30")),
		deaf(pool("pool_tls11", "the pool takes TLS 1.1 only", does(poolBetween), "pool_no_common_suite")),
		deaf(pool("pool_bad_certificate", "what the pool serves is no certificate", serves(leafUnreadable), "pool_bad_certificate")),
		pool("pool_early", "the pool's certificate has not begun", serves(leafEarly), "pool_certificate_not_yet_valid", "pool_unavailable"),
		with(pool("pool_web_only", "SRV is gone; sip leads to a web server", func(s *state) {
			drops(sipInternalSRV, sipName)(s)
			joins(sipName, autodiscoverName)(s)
		}, "pool_other_port", "pool_unreachable"),
			map[string][]string{"dns": {"srv_missing"}, "sip": {"sip_unavailable"}}),
		with(pool("pool_crowd", "SRV is gone; sip leads to many dead addresses", func(s *state) {
			drops(sipInternalSRV, sipName)(s)
			crowded(sipName)(s)
		}, "pool_left_out", "pool_not_all_asked", "pool_unreachable"),
			map[string][]string{"dns": {"srv_missing"}, "sip": {"sip_left_out", "sip_no_connection"}}),
		pool("pool_expired", "the pool's certificate ended in 2009", serves(leafExpired), "pool_certificate_expired", "pool_unavailable"),
		pool("pool_member_expired", "sip leads to fe02 too, whose certificate ended in 2009", func(s *state) {
			joins(sipName, frontEndName)(s)
			s.pool[secondFrontEnd].leaf = leafExpired
		}, "pool_certificate_expired", "pool_certificates_differ"),
		pool("pool_ends_soon", "the pool's certificate ends in ten days: nothing is wrong", serves(leafEndsSoon)),
		pool("pool_wrong_name", "the pool's certificate is for another name", serves(leafWrongName)),
		pool("pool_members_differ", "sip leads to both front ends, which have different certificates", joins(sipName, frontEndName), "pool_certificates_differ"),
		{Fault{Name: "edge_hardened", Network: "external", Collector: "pool", Reasons: []string{"pool_hardened", "pool_unavailable"},
			Also: map[string][]string{"sip": {"sip_no_connection"}},
			Text: "the Access Edge takes nothing older than TLS 1.2"}, func(s *state) { s.edge.mode = poolHardened }},
	}
}

// joins leads a name to the address of another as well.
func joins(name, other string) func(*state) {
	return func(s *state) {
		for _, i := range []int{inside1, inside2} {
			rr := dns.Copy(s.resolvers[i].records[other][0])
			rr.Header().Name = name
			s.resolvers[i].records[name] = append(s.resolvers[i].records[name], rr)
		}
	}
}

// crowded leads a name to many addresses where nothing listens, after those that it has.
func crowded(name string) func(*state) {
	return func(s *state) {
		for _, i := range []int{inside1, inside2} {
			for host := range byte(20) {
				s.resolvers[i].records[name] = append(s.resolvers[i].records[name], a(name, netip.AddrFrom4([4]byte{192, 0, 2, 100 + host})))
			}
		}
	}
}
