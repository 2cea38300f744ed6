package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"

	"github.com/miekg/dns"
)

// udpSize is far more than a question takes: on Windows a server ends at a datagram that does not fit.
const udpSize = 4096

// resolver is one DNS server, over UDP and TCP on the same port.
type resolver struct {
	address netip.AddrPort
	servers []*dns.Server // those that run
	wg      sync.WaitGroup
}

func startResolver(current func() *resolverState) (*resolver, error) {
	packets, streams, err := listenBoth()
	if err != nil {
		return nil, err
	}
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) { current().answer(w, q) })
	r := &resolver{address: packets.LocalAddr().(*net.UDPAddr).AddrPort()}
	servers := []*dns.Server{
		{PacketConn: packets, UDPSize: udpSize, Handler: handler},
		{Listener: streams, Handler: handler},
	}
	for i, s := range servers {
		if err := r.serve(s); err != nil {
			for _, rest := range servers[i:] {
				err = errors.Join(err, closeSocket(rest))
			}
			return nil, errors.Join(err, r.close())
		}
	}
	return r, nil
}

// serve runs one of the resolver's servers, and returns once it listens or has failed.
func (r *resolver) serve(s *dns.Server) error {
	started := make(chan error, 2)
	s.NotifyStartedFunc = func() { started <- nil }
	// It ends by Shutdown; an earlier end shows as a resolver that does not answer.
	r.wg.Go(func() { started <- s.ActivateAndServe() })
	if err := <-started; err != nil {
		return err
	}
	r.servers = append(r.servers, s)
	return nil
}

func closeSocket(s *dns.Server) error {
	if s.Listener != nil {
		return s.Listener.Close()
	}
	return s.PacketConn.Close()
}

// listenBoth opens a free port of loopback for UDP and TCP.
func listenBoth() (net.PacketConn, net.Listener, error) {
	const tries = 20
	var errs []error
	for range tries {
		packets, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			return nil, nil, err
		}
		streams, err := net.Listen("tcp4", packets.LocalAddr().String())
		if err == nil {
			return packets, streams, nil
		}
		errs = append(errs, err, packets.Close())
	}
	return nil, nil, fmt.Errorf("no port that is free for UDP and TCP: %w", errors.Join(errs...))
}

func (r *resolver) close() error {
	var errs []error
	for _, s := range r.servers {
		errs = append(errs, s.Shutdown())
	}
	r.wg.Wait()
	return errors.Join(errs...)
}

// answer answers one request, or does what the resolver's mode is instead.
func (s *resolverState) answer(w dns.ResponseWriter, q *dns.Msg) {
	_, overTCP := w.RemoteAddr().(*net.TCPAddr)
	reply := new(dns.Msg).SetReply(q)
	reply.RecursionAvailable, reply.Compress = true, true
	switch s.mode {
	case silent:
		return
	case garbage:
		// A header that promises a question and an answer, and neither.
		_, _ = w.Write(append(binary.BigEndian.AppendUint16(nil, q.Id), 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0, 0xff))
		return
	case servfail:
		reply.Rcode = dns.RcodeServerFailure
	case refuses:
		reply.Rcode = dns.RcodeRefused
	case truncatesForGood:
		if overTCP {
			w.Close()
			return
		}
		reply.Truncated = true
	case truncatesUDP:
		reply.Truncated = !overTCP
		s.fill(reply)
	default:
		s.fill(reply)
	}
	if len(q.Question) > 0 && strings.EqualFold(q.Question[0].Name, s.broken) {
		reply.Answer, reply.Ns, reply.Rcode = nil, nil, dns.RcodeServerFailure
	}
	if reply.Truncated {
		reply.Answer, reply.Ns = nil, nil
	}
	// A client that is gone is no concern of the lab's.
	_ = w.WriteMsg(reply)
}

// fill answers a question: with the records, or with the zone's SOA when there are none (RFC 2308).
func (s *resolverState) fill(reply *dns.Msg) {
	if len(reply.Question) == 0 { // a bare header, whatever it promised
		reply.Rcode = dns.RcodeFormatError
		return
	}
	q := reply.Question[0]
	name := strings.ToLower(q.Name)
	records, exists := s.records[name]
	exists = exists || s.above(name)
	if !exists && s.wildcard != "" && dns.IsSubDomain(s.wildcard, name) {
		records, exists = []dns.RR{a(q.Name, netip.AddrFrom4([4]byte{192, 0, 2, 99}))}, true
	}
	if !exists {
		reply.Rcode = dns.RcodeNameError
	}
	for _, rr := range records {
		if rr.Header().Rrtype == q.Qtype {
			reply.Answer = append(reply.Answer, rr)
		}
	}
	if len(reply.Answer) == 0 {
		reply.Ns = s.authority(name)
	}
}

// above tells whether a name lies above one that has records, so that it exists itself (RFC 8020).
func (s *resolverState) above(name string) bool {
	for below := range s.records {
		if dns.IsSubDomain(name, below) {
			return true
		}
	}
	return false
}

// authority returns the SOA record of the zone in which a name lies.
func (s *resolverState) authority(name string) []dns.RR {
	for {
		for _, rr := range s.records[name] {
			if rr.Header().Rrtype == dns.TypeSOA {
				return []dns.RR{rr}
			}
		}
		if name == root {
			return nil
		}
		name = name[strings.IndexByte(name, '.')+1:]
		if name == "" {
			name = root
		}
	}
}
