package facts

import (
	"crypto/x509"
	"net/netip"
	"slices"
	"time"

	"github.com/cx700/cx700_exporter/internal/phone"
)

// Pool is what the registrars that phones find answered to TLS handshakes.
type Pool struct {
	// Names is the walk by which they were found.
	Names *Names
	// Routes has an entry for each firmware in use.
	Routes []Route
	// Servers are the addresses behind all routes, each address and port once.
	Servers []PoolServer
	// LeftOut is how many addresses were beyond the bound and not asked.
	LeftOut int
}

// Route lists the registrars in the order in which a firmware finds them, also those that it passes over.
type Route struct {
	Firmware  string
	Endpoints []phone.Endpoint
}

// RouteOf finds a firmware's way among routes; nil where it is not there.
func RouteOf(routes []Route, firmware string) []phone.Endpoint {
	i := slices.IndexFunc(routes, func(r Route) bool { return r.Firmware == firmware })
	if i < 0 {
		return nil
	}
	return routes[i].Endpoints
}

// PoolServer is one address of a registrar.
type PoolServer struct {
	Address netip.AddrPort
	// Hosts are the names that led to it.
	Hosts []string
	// Phone is what came of the phone's offer, Modern of one of today.
	Phone, Modern Handshake
}

// Handshake is what came of one offer of TLS. What the server served is kept whatever is thought of it.
type Handshake struct {
	Problem HandshakeProblem
	// Detail says more about Problem.
	Detail string
	// Version and Suite are what the server chose; empty where it chose none.
	Version, Suite string
	// Served are the server's certificates, its own first, as it sent them.
	Served []*x509.Certificate
	Took   time.Duration
}

// SSL30 is the Version of a server that answers in SSL 3.0, which we cannot speak.
const SSL30 = "SSL 3.0"

// HandshakeProblem is what kept a handshake from its end.
type HandshakeProblem string

// The problems of a handshake.
const (
	// HandshakeUnreachable: nothing listens on the address, or there is no route to it.
	HandshakeUnreachable HandshakeProblem = "unreachable"
	// HandshakeSilent: the server accepts the connection and says nothing, or not enough in time.
	HandshakeSilent HandshakeProblem = "silent"
	// HandshakeClosed: the server closes the connection without an alert.
	HandshakeClosed HandshakeProblem = "closed"
	// HandshakeRefused: the server sends an alert, or chooses what was not offered.
	HandshakeRefused HandshakeProblem = "refused"
	// HandshakeNoTLS: what answers speaks no TLS.
	HandshakeNoTLS HandshakeProblem = "no_tls"
	// HandshakeBadCertificate: a certificate that was served cannot be read, or its key cannot be used here.
	HandshakeBadCertificate HandshakeProblem = "bad_certificate"
	// HandshakeMalformed: TLS that breaks its own rules, or is larger than any handshake.
	HandshakeMalformed HandshakeProblem = "malformed"
)
