package reach

import (
	"context"
	"crypto/rsa"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
)

// handshakeTimeout is for one handshake, with the connection that it needs.
const handshakeTimeout = 4 * time.Second

// Handshakes makes two offers of TLS to an address, side by side: the one of a phone, and one of today. hosts
// are the names that led there. What is served is kept and not judged, and nothing is sent over either
// connection.
func (w Way) Handshakes(ctx context.Context, address netip.AddrPort, hosts []string) (old, today facts.Handshake) {
	Parallel(2, func(i int) {
		if i == 0 {
			old = w.handshake(ctx, address, hosts, phoneOffer())
		} else {
			today = w.handshake(ctx, address, hosts, modernOffer(hosts[0]))
		}
	})
	return old, today
}

// phoneOffer is what a phone offers, as far as crypto/tls can: TLS 1.0 at most, RSA key exchange with RC4, 3DES
// or AES, no name of the server (CONTRACT section 4; suites INFERRED, AES by firmware unknown). SSL 3.0, RC4
// with MD5 and the suites for export are not in crypto/tls, and it sends extensions that no phone sends.
func phoneOffer() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10,
		CipherSuites: []uint16{
			tls.TLS_RSA_WITH_RC4_128_SHA, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA,
			tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_256_CBC_SHA,
		},
		InsecureSkipVerify: true, // what phones trust is judged from what was served
	}
}

// modernOffer is what clients of today offer: also AES by RSA key exchange, which Go no longer offers by itself, and
// without the key of ML-KEM, on which no server insists and which is half of what the offer costs.
func modernOffer(host string) *tls.Config {
	suites := []uint16{
		tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_256_CBC_SHA,
	}
	for _, s := range tls.CipherSuites() {
		suites = append(suites, s.ID)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, CipherSuites: suites, ServerName: host,
		CurvePreferences:   []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521},
		InsecureSkipVerify: true, // whatever is served is a fact
	}
}

func (w Way) handshake(ctx context.Context, address netip.AddrPort, hosts []string, offer *tls.Config) (out facts.Handshake) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	started := time.Now()
	defer func() { out.Took = time.Since(started) }()
	conn, err := w.Dial(ctx, "tcp", address.String(), hosts...)
	if err != nil {
		out.Problem, out.Detail = facts.HandshakeUnreachable, printable(err.Error())
		return out
	}
	// It is called as soon as the certificates are there, whatever becomes of the rest of the handshake.
	offer.VerifyConnection = func(s tls.ConnectionState) error {
		out.Version, out.Suite, out.Served = tls.VersionName(s.Version), tls.CipherSuiteName(s.CipherSuite), s.PeerCertificates
		return nil
	}
	heard := &overhearing{Conn: conn}
	secured := tls.Client(heard, offer)
	defer func() { _ = secured.Close() }() // a peer that is gone needs no goodbye
	if err := secured.HandshakeContext(ctx); err != nil {
		out.Problem, out.Detail = handshakeProblem(err), printable(err.Error())
		if out.Problem == facts.HandshakeBadCertificate {
			heard.recover(&out)
		}
		if strings.HasSuffix(out.Detail, choiceOfSSL30) {
			out.Version = facts.SSL30
		}
	}
	return out
}

// facts.SSL30 is the version of a server that has nothing newer; phones have it, and crypto/tls has not.
const (
	choiceOfSSL30 = "server selected unsupported protocol version 300"
)

// For these crypto/tls has no type of error. TestHandshakeProblems holds them to what it says.
var (
	otherChoice    = regexp.MustCompile(`server selected unsupported protocol version|server chose an unconfigured cipher suite`)
	badCertificate = regexp.MustCompile(`failed to parse certificate from server|certificate containing RSA key larger|` +
		`unsupported type of public key|incorrect key type|^crypto/rsa: `)
)

func handshakeProblem(err error) facts.HandshakeProblem {
	var header tls.RecordHeaderError
	var op *net.OpError
	var call syscall.Errno
	switch {
	case TimedOut(err):
		return facts.HandshakeSilent
	case errors.As(err, &header) && !tlsRecord(header.RecordHeader[0]):
		return facts.HandshakeNoTLS
	case errors.As(err, &op) && op.Op == "remote error": // an alert; its own type is not exported
		return facts.HandshakeRefused
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &call):
		return facts.HandshakeClosed
	case otherChoice.MatchString(err.Error()):
		return facts.HandshakeRefused
	case errors.Is(err, rsa.ErrMessageTooLong), badCertificate.MatchString(err.Error()):
		return facts.HandshakeBadCertificate
	default:
		return facts.HandshakeMalformed
	}
}

// tlsRecord tells the content types of TLS from other first bytes (RFC 2246 section 6.2.1).
func tlsRecord(contentType byte) bool {
	const changeCipherSpec, applicationData = 20, 23
	return contentType >= changeCipherSpec && contentType <= applicationData
}
