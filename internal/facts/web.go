package facts

import (
	"crypto/x509"
	"net/netip"
	"time"

	"github.com/cx700/cx700_exporter/internal/phone"
)

// WebProblem is what kept us from an HTTP answer.
type WebProblem string

// The problems of a web server.
const (
	// WebUnreachable: nothing listens on the address, or there is no route to it.
	WebUnreachable WebProblem = "unreachable"
	// WebSilent: no answer, or no whole one, in time.
	WebSilent WebProblem = "silent"
	// WebTLSFailed: the TLS handshake failed.
	WebTLSFailed WebProblem = "tls_failed"
	// WebUntrusted: the certificate leads to no root that we trust, or has another name.
	WebUntrusted WebProblem = "tls_untrusted"
	// WebNoLogon: our own logon came to nothing.
	WebNoLogon WebProblem = "no_logon"
	// WebOwnLimit: the time was too short for the rate to which we hold ourselves.
	WebOwnLimit WebProblem = "own_limit"
	// WebBadRequest: we could not make the request.
	WebBadRequest WebProblem = "bad_request"
	// WebMalformed: what answers speaks no HTTP, or closes the connection.
	WebMalformed WebProblem = "malformed"
)

// WebAnswer is the answer of a web server to one request, less its body.
type WebAnswer struct {
	Address netip.AddrPort
	// Status is the one of HTTP; 0 when Problem says why there is none.
	Status  int
	Problem WebProblem
	// Failure is the problem as a phone's HTTP client would name it.
	Failure phone.NetFailure
	// Detail says more about Problem, or what is wrong with the body.
	Detail string
	// Schemes of logon that are offered (RFC 9110 section 11.6.1), as the server spells them.
	Schemes []string
	// Location is where a redirect leads to; it is not followed.
	Location string
	// TLS is the version and the cipher suite in which it was given, empty for plain HTTP.
	TLS string
	// Served are the server's certificates, its own first; nil for plain HTTP.
	Served []*x509.Certificate
	Took   time.Duration
}

// Logon is what came of our own logon to a web server.
type Logon struct {
	// Scheme is Kerberos or NTLM, as far as one was begun.
	Scheme string
	// At is when the account was used; zero when it was not. What came of it is held for an hour.
	At time.Time
	// Problem is empty when we could log on; Detail says more.
	Problem ControllerProblem
	Detail  string
}
