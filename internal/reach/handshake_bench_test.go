package reach

import (
	"crypto/tls"
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/cx700/cx700_exporter/internal/labtest"
	"github.com/cx700/cx700_exporter/internal/site"
)

// BenchmarkHandshakes offers TLS to the lab's pool, in another process: the pair of handshakes of a probe, and a bare
// one of crypto/tls as old as the phone's.
func BenchmarkHandshakes(b *testing.B) {
	place := labtest.Start(b)
	network := place.Networks[0]
	i := slices.IndexFunc(network.ConnectTo, func(c site.ConnectTo) bool { return c.Port == "5061" })
	way, pool := Way{ConnectTo: network.ConnectTo}, network.ConnectTo[i]
	address := netip.MustParseAddrPort(net.JoinHostPort(pool.Host, pool.Port))
	b.Run("pair", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			old, today := way.Handshakes(b.Context(), address, []string{poolHost})
			if old.Problem != "" || today.Problem != "" {
				b.Fatal(old.Detail, today.Detail)
			}
		}
	})
	b.Run("bare", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			conn, err := tls.Dial("tcp", net.JoinHostPort(pool.ToHost, pool.ToPort), phoneOffer())
			if err != nil {
				b.Fatal(err)
			}
			conn.Close()
		}
	})
}
