package lab

import "github.com/miekg/dns"

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
		pool("pool_expired", "the pool's certificate ended in 2009", serves(leafExpired), "pool_certificate_expired", "pool_unavailable"),
		pool("pool_wrong_name", "the pool's certificate is for another name", serves(leafWrongName)),
		pool("pool_members_differ", "sip leads to both front ends, which have different certificates", func(s *state) {
			for _, i := range []int{inside1, inside2} {
				s.resolvers[i].records[sipName] = append(s.resolvers[i].records[sipName], secondMember(s, i))
			}
		}, "pool_certificates_differ"),
		{Fault{Name: "edge_hardened", Network: "external", Collector: "pool", Reasons: []string{"pool_hardened", "pool_unavailable"},
			Also: map[string][]string{"sip": {"sip_no_connection"}},
			Text: "the Access Edge takes nothing older than TLS 1.2"}, func(s *state) { s.edge.mode = poolHardened }},
	}
}

// secondMember is A sip with the address of the second front end.
func secondMember(s *state, resolver int) dns.RR {
	rr := dns.Copy(s.resolvers[resolver].records[frontEndName][0])
	rr.Header().Name = sipName
	return rr
}
