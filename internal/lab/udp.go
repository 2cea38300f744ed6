package lab

import (
	"errors"
	"net"
	"net/netip"
	"sync"
)

// udpServer answers packets on a free port of loopback, one by one.
type udpServer struct {
	address netip.AddrPort
	conn    *net.UDPConn
	wg      sync.WaitGroup
}

// startUDP starts one; reply makes the answer to a packet, nil for none.
func startUDP(reply func(packet []byte) []byte) (*udpServer, error) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	s := &udpServer{address: conn.LocalAddr().(*net.UDPAddr).AddrPort(), conn: conn}
	s.wg.Go(func() { s.serve(reply) })
	return s, nil
}

func (s *udpServer) close() error {
	err := s.conn.Close()
	s.wg.Wait()
	return err
}

func (s *udpServer) serve(reply func([]byte) []byte) {
	packet := make([]byte, udpSize)
	for {
		n, from, err := s.conn.ReadFromUDPAddrPort(packet)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // on Windows a datagram that does not fit is an error; it is no request
			continue
		}
		if answer := reply(packet[:n]); answer != nil {
			// A client that is gone is no concern of the lab's.
			_, _ = s.conn.WriteToUDPAddrPort(answer, from)
		}
	}
}
