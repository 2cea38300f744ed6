package reach

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"testing"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/labtest"
)

// BenchmarkHandshakes offers TLS to the lab's pool as phones do, with the facts of what is served, and as of today; and
// as phones do with nothing but crypto/tls.
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
