package lab

import (
	"context"
	"net"
	"net/netip"
	"sync"
)

// tcpServer serves each connection with a function, until the client hangs up or the server closes.
type tcpServer struct {
	address  netip.AddrPort
	listener net.Listener
	hangUp   context.CancelFunc
	wg       sync.WaitGroup
}

func startTCP(serve func(net.Conn)) (*tcpServer, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	ctx, hangUp := context.WithCancel(context.Background())
	s := &tcpServer{address: l.Addr().(*net.TCPAddr).AddrPort(), listener: l, hangUp: hangUp}
	s.wg.Go(func() { s.accept(ctx, serve) })
	return s, nil
}

func (s *tcpServer) accept(ctx context.Context, serve func(net.Conn)) {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			// It ends by close; an earlier end shows as a server that does not answer.
			return
		}
		s.wg.Go(func() {
			defer conn.Close()
			defer context.AfterFunc(ctx, func() { conn.Close() })()
			serve(conn)
		})
	}
}

func (s *tcpServer) close() error {
	err := s.listener.Close()
	s.hangUp()
	s.wg.Wait()
	return err
}
