package reach

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cx700/cx700_exporter/internal/site"
)

// overTLS are the looks by TLS that are no handshakes with registrars.
func overTLS() map[string]func(context.Context, Way) {
	return map[string]func(context.Context, Way){
		"web": func(ctx context.Context, w Way) {
			w.getAutodiscover(ctx, "https://"+poolHost+"/", netip.AddrPortFrom(poolAddress.Addr(), httpsPort))
		},
		"certsrv": func(ctx context.Context, w Way) { w.ShownByHTTPS(ctx, poolHost, poolAddress.Addr()) },
		"ldaps": func(ctx context.Context, w Way) {
			ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
			defer cancel()
			c := &controller{way: w, host: poolHost, port: 389, access: site.Directory{Bind: site.BindLDAPS}}
			if s, err := c.open(ctx, []netip.Addr{poolAddress.Addr()}); err == nil {
				s.close()
			}
		},
	}
}

// TestHostilePeersOverTLS holds every other look by TLS to its time limit too. That no goroutine is left is for
// TestMain to see.
func TestHostilePeersOverTLS(t *testing.T) {
	for _, tt := range hostilePeers() {
		for kind, look := range overTLS() {
			t.Run(kind+" "+tt.name, func(t *testing.T) {
				t.Parallel()
				ended := make(chan struct{}, 1)
				way := listen(t, func(conn net.Conn) {
					tt.serve(conn)
					ended <- struct{}{}
				})
				begin := time.Now()
				look(t.Context(), way)
				if took := time.Since(begin); took > handshakeTimeout+2*time.Second {
					t.Errorf("took %s", took)
				}
				limit := time.NewTimer(5 * time.Second)
				defer limit.Stop()
				select {
				case <-ended:
				case <-limit.C:
					t.Fatal("the connection is still open")
				}
			})
		}
	}
}

// TestControllerShows: what a controller shows over TLS is kept, also where it is not trusted.
func TestControllerShows(t *testing.T) {
	c := certified(t, 2048)
	config := &tls.Config{Certificates: []tls.Certificate{c}, MinVersion: tls.VersionTLS10}
	dir := t.TempDir()
	roots := filepath.Join(dir, "root.pem")
	if err := os.WriteFile(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certified(t, 1024).Certificate[0]}), 0o600); err != nil {
		t.Fatal(err)
	}
	secure := func(conn net.Conn) {
		s := tls.Server(conn, config)
		if s.HandshakeContext(t.Context()) == nil {
			s.Read(make([]byte, 1))
		}
	}
	starts := func(conn net.Conn) {
		buffer := make([]byte, 4096)
		conn.Read(buffer)
		conn.Write(entry(1, "configurationNamingContext", "CN=Configuration,DC=contoso,DC=com"))
		conn.Write(done(1, 0))
		conn.Read(buffer)
		conn.Write([]byte{0x30, 12, 2, 1, 2, 0x78, 7, 10, 1, 0, 4, 0, 4, 0}) // StartTLS is taken up (RFC 4511 section 4.14)
		secure(conn)
	}
	for _, tt := range []struct {
		name  string
		bind  site.BindKind
		roots []string
		serve func(net.Conn)
	}{
		{"ldaps, by the roots of today", site.BindLDAPS, nil, secure},
		{"ldaps, by other roots", site.BindLDAPS, []string{roots}, secure},
		{"StartTLS, by other roots", site.BindStartTLS, []string{roots}, starts},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), handshakeTimeout)
			defer cancel()
			of := &controller{way: listen(t, tt.serve), host: "dc01.contoso.com", port: 389, access: site.Directory{Bind: tt.bind, RootFiles: tt.roots}}
			_, err := of.open(ctx, []netip.Addr{netip.MustParseAddr("192.0.2.10")})
			if err == nil || of.shown == nil || string(of.shown.Served[0].Raw) != string(c.Certificate[0]) {
				t.Errorf("%v: %+v", err, of.shown)
			}
		})
	}
	if got := shown(netip.AddrPort{}, nil); got != nil {
		t.Errorf("nothing was served: %+v", got)
	}
	way := listen(t, versions(c, tls.VersionTLS10, tls.VersionTLS10, tls.TLS_RSA_WITH_AES_128_CBC_SHA))
	if got := way.ShownByHTTPS(t.Context(), "ca01.contoso.com", netip.MustParseAddr("192.0.2.15")); got == nil || got.Address.Port() != httpsPort {
		t.Errorf("by HTTPS: %+v", got)
	}
}
