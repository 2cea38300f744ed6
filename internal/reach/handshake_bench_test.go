package reach

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/labtest"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// BenchmarkHandshakes offers TLS to the lab's pool as phones do, with the facts of what is served, and what a phone thinks of a
// chain that was not judged before; as phones do with nothing but crypto/tls; and as of today.
func BenchmarkHandshakes(b *testing.B) {
	network := labtest.Start(b).Networks[0]
	way, pool := Way{ConnectTo: network.ConnectTo}, diversion(network, "5061", 0)
	address := netip.MustParseAddrPort(net.JoinHostPort(pool.Host, pool.Port))
	measure(b, "phone", func(ctx context.Context) error {
		h := way.handshake(ctx, address, []string{poolHost}, phoneOffer())
		for _, c := range h.Served {
			facts.CertificateOf(c)
		}
		return failing(h.Problem == "", h.Detail)
	})
	published, err := ReadRoots(network.Directory.RootFiles)
	if err != nil {
		b.Fatal(err)
	}
	roots := phone.Roots{Anchors: append(phone.BuiltIn(), published...)}
	measure(b, "phone with verdict", func(ctx context.Context) error {
		h := way.handshake(ctx, address, []string{poolHost}, phoneOffer())
		for _, c := range h.Served {
			facts.CertificateOf(c)
		}
		trust := phone.KnownFirmware()[0].Trust(phone.Server{Served: h.Served, Host: poolHost}, roots, time.Now())
		return failing(h.Problem == "" && trust.Trusted(), h.Detail)
	})
	measure(b, "bare", func(context.Context) error {
		conn, err := tls.Dial("tcp", net.JoinHostPort(pool.ToHost, pool.ToPort), phoneOffer())
		if err != nil {
			return err
		}
		return conn.Close()
	})
	measure(b, "modern", func(ctx context.Context) error {
		h := way.handshake(ctx, address, []string{poolHost}, modernOffer(poolHost))
		return failing(h.Problem == "", h.Detail)
	})
}
