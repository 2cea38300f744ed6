package lab

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// webServer is a web server, with or without TLS.
type webServer struct {
	address netip.AddrPort
	server  *http.Server
	wg      sync.WaitGroup
}

// startWeb serves over TLS when there is a config.
func startWeb(config *tls.Config, handler http.HandlerFunc) (*webServer, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &webServer{
		address: l.Addr().(*net.TCPAddr).AddrPort(),
		server: &http.Server{ReadHeaderTimeout: time.Minute, ConnContext: withChallenge,
			ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}, // handshakes fail by faults
	}
	w.server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A fault is to show with the next request, so no connection outlives one, but for a logon.
		w.Header().Set("Connection", "close")
		handler(w, r)
	})
	if config != nil {
		l = tls.NewListener(l, config)
	}
	// It ends by close; an earlier end shows as a server that does not answer.
	w.wg.Go(func() { _ = w.server.Serve(l) })
	return w, nil
}

func (w *webServer) close() error {
	err := w.server.Close()
	w.wg.Wait()
	return err
}

// webTLS is how a web server speaks TLS: as a registrar does, if at all.
type webTLS struct {
	leaf poolLeaf
	// deaf ends every handshake, hardened those that are older than TLS 1.2.
	deaf, hardened bool
}

func (s webTLS) secure(leaves *[poolLeaves]tls.Certificate) (*tls.Config, error) {
	if s.deaf {
		return nil, errors.New("the lab's fault")
	}
	as := poolState{leaf: s.leaf}
	if s.hardened {
		as.mode = poolHardened
	}
	return as.secure(leaves), nil
}
