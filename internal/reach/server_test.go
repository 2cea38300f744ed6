package reach

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// reply is what a resolver of the tests does with a question. It may write nothing.
type reply func(w dns.ResponseWriter, q *dns.Msg)

// resolver is a DNS server on loopback that remembers what it was asked.
type resolver struct {
	netip.AddrPort
	mu    sync.Mutex
	asked []string // type and name, of each packet
}

// startResolver serves UDP, and TCP unless that reply is nil, until the test ends.
func startResolver(t testing.TB, udp, tcp reply) *resolver {
	t.Helper()
	packets, listener := samePort(t)
	r := &resolver{AddrPort: packets.LocalAddr().(*net.UDPAddr).AddrPort()}
	r.serve(t, &dns.Server{PacketConn: packets, Handler: r.noting(udp)})
	if tcp == nil {
		listener.Close()
	} else {
		r.serve(t, &dns.Server{Listener: listener, Handler: r.noting(tcp)})
	}
	return r
}

// samePort listens on a port that is free for UDP and for TCP.
func samePort(t testing.TB) (net.PacketConn, net.Listener) {
	t.Helper()
	var config net.ListenConfig
	for range 20 {
		packets, err := config.ListenPacket(t.Context(), "udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listener, err := config.Listen(t.Context(), "tcp4", packets.LocalAddr().String())
		if err == nil {
			return packets, listener
		}
		packets.Close()
	}
	t.Fatal("no port is free for UDP and TCP")
	return nil, nil
}

func (r *resolver) serve(t testing.TB, s *dns.Server) {
	t.Helper()
	ready, ended := make(chan struct{}), make(chan error, 1)
	s.NotifyStartedFunc = func() { close(ready) }
	go func() { ended <- s.ActivateAndServe() }()
	<-ready
	t.Cleanup(func() {
		if err := s.ShutdownContext(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func (r *resolver) noting(next reply) dns.Handler {
	return dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		r.mu.Lock()
		r.asked = append(r.asked, dns.TypeToString[q.Question[0].Qtype]+" "+strings.TrimSuffix(q.Question[0].Name, "."))
		r.mu.Unlock()
		next(w, q)
	})
}

// questions returns what was asked so far.
func (r *resolver) questions() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.asked)
}

func mute(dns.ResponseWriter, *dns.Msg) {}

// records answers each name with the records that are written for it, other names of the zone files with
// no record, and all else with NXDOMAIN.
func records(lines ...string) reply {
	zone := map[string][]dns.RR{}
	for _, line := range lines {
		rr, err := dns.NewRR(line)
		if err != nil {
			panic(err) // a fault of the test
		}
		zone[rr.Header().Name] = append(zone[rr.Header().Name], rr)
	}
	return func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		here, ok := zone[strings.ToLower(q.Question[0].Name)]
		if !ok {
			m.Rcode = dns.RcodeNameError
		}
		for _, rr := range here {
			if rr.Header().Rrtype == q.Question[0].Qtype {
				m.Answer = append(m.Answer, rr)
			}
		}
		_ = w.WriteMsg(m)
	}
}

func code(rcode int) reply {
	return func(w dns.ResponseWriter, q *dns.Msg) { _ = w.WriteMsg(new(dns.Msg).SetRcode(q, rcode)) }
}

// truncatedInside ends in the middle of its answer's record.
func truncatedInside(w dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg).SetReply(q)
	m.Truncated = true
	m.Answer = []dns.RR{&dns.TXT{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET}, Txt: []string{"more than fits"}}}
	packed, err := m.Pack()
	if err != nil {
		panic(err)
	}
	_, _ = w.Write(packed[:len(packed)-5])
}

func truncated(w dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg).SetReply(q)
	m.Truncated = true
	_ = w.WriteMsg(m)
}

// answering answers every question with the records given, whatever their names.
func answering(lines ...string) reply {
	return func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		for _, line := range lines {
			rr, err := dns.NewRR(line)
			if err != nil {
				panic(err) // a fault of the test
			}
			m.Answer = append(m.Answer, rr)
		}
		_ = w.WriteMsg(m)
	}
}

// cut sends only the beginning of an answer.
func cut(w dns.ResponseWriter, q *dns.Msg) {
	packed, err := new(dns.Msg).SetReply(q).Pack()
	if err == nil {
		_, _ = w.Write(packed[:15])
	}
}

// echo sends the question back.
func echo(w dns.ResponseWriter, q *dns.Msg) { _ = w.WriteMsg(q) }

// otherQuestion answers something that was not asked.
func otherQuestion(w dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg).SetReply(q)
	m.Question[0].Name = "somebody.else."
	_ = w.WriteMsg(m)
}

func manyAddresses(n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("sip.contoso.com. 60 IN A 10.0.%d.%d", i/256, i%256))
	}
	return out
}
