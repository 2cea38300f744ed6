package reach

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/netip"

	"github.com/cx700/cx700_exporter/internal/facts"
)

// maxShown bounds how many certificates are kept of a server for as long as its connection is held.
const maxShown = 16

func shown(address netip.AddrPort, served []*x509.Certificate) *facts.Shown {
	if len(served) == 0 {
		return nil
	}
	return &facts.Shown{Address: address, Served: served[:min(len(served), maxShown)]}
}

// verified is verifiedTLS that keeps what the controller shows.
func (c *controller) verified(address netip.AddrPort, roots []*x509.Certificate) *tls.Config {
	config := verifiedTLS(c.host, roots)
	verify := config.VerifyConnection
	config.VerifyConnection = func(state tls.ConnectionState) error {
		c.shown = shown(address, state.PeerCertificates)
		if verify == nil {
			return nil // crypto/tls has verified it
		}
		return verify(state)
	}
	return config
}

// noteUnverified keeps what crypto/tls refused by itself, before it asked.
func (c *controller) noteUnverified(address netip.AddrPort, err error) {
	var refused *tls.CertificateVerificationError
	if errors.As(err, &refused) {
		c.shown = shown(address, refused.UnverifiedCertificates)
	}
}

// ShownByHTTPS is what a host shows a phone over TLS on the port of HTTPS; nil when that is nothing.
func (w Way) ShownByHTTPS(ctx context.Context, host string, at netip.Addr) *facts.Shown {
	address := netip.AddrPortFrom(at, httpsPort)
	return shown(address, w.handshake(ctx, address, []string{host}, phoneOffer()).Served)
}
