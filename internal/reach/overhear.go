package reach

import (
	"crypto/tls"
	"crypto/x509"
	"net"

	"golang.org/x/crypto/cryptobyte"

	"github.com/cx700/cx700_exporter/internal/facts"
)

// maxOverheard is how much is kept of what a server says; its certificates come among the first.
const maxOverheard = 64 << 10

// overhearing keeps the beginning of what a server says. Up to TLS 1.2 its choice and its certificates are plain, and
// crypto/tls throws them away when one of them cannot be parsed.
type overhearing struct {
	net.Conn
	heard []byte
}

func (c *overhearing) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.heard = append(c.heard, b[:min(n, maxOverheard-len(c.heard))]...)
	return n, err
}

// recover takes over what can be read of a handshake that crypto/tls gave up: version, suite, and the certificates
// up to the first that does not parse (RFC 2246 sections 6.2.1, 7.4, 7.4.1.3 and 7.4.2).
func (c *overhearing) recover(out *facts.Handshake) {
	const handshakeRecord, serverHello, certificates, random = 22, 2, 11, 32
	var kind uint8
	var version, suite uint16
	var plain []byte
	for stream := cryptobyte.String(c.heard); ; {
		var fragment cryptobyte.String
		if !stream.ReadUint8(&kind) || kind != handshakeRecord || !stream.Skip(2) || !stream.ReadUint16LengthPrefixed(&fragment) {
			break
		}
		plain = append(plain, fragment...)
	}
	for stream := cryptobyte.String(plain); ; {
		var message, session, list cryptobyte.String
		if !stream.ReadUint8(&kind) || !stream.ReadUint24LengthPrefixed(&message) {
			return
		}
		switch {
		case kind == serverHello && message.ReadUint16(&version) && message.Skip(random) &&
			message.ReadUint8LengthPrefixed(&session) && message.ReadUint16(&suite):
			out.Version, out.Suite = tls.VersionName(version), tls.CipherSuiteName(suite)
		case kind == certificates && message.ReadUint24LengthPrefixed(&list):
			out.Served = parsed(list)
		}
	}
}

// parsed are the certificates of a list up to the first that is none.
func parsed(list cryptobyte.String) (out []*x509.Certificate) {
	var der cryptobyte.String
	for list.ReadUint24LengthPrefixed(&der) && len(out) < maxShown {
		c, err := ParseCertificate(der)
		if err != nil {
			break
		}
		out = append(out, c)
	}
	return out
}
