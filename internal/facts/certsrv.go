package facts

import (
	"net/netip"
	"time"
)

// Certsrv is what the web pages of the CAs showed.
type Certsrv struct {
	// Directory is what told the CAs; nil where the site file does.
	Directory *Directory
	Hosts     []CertsrvHost
}

// CertsrvHost is one CA's web page.
type CertsrvHost struct {
	Host string
	// Names holds the question for its address, at each resolver up to the first that answered; nil for a
	// host that is no name.
	Names *Names
	// Anonymous is what the page answers somebody who does not log on; nil when there was no address.
	Anonymous *CertsrvAnswer
	// Logon is what came of our own logon; nil when there was none to make.
	Logon *CertsrvLogon
}

// CertsrvProblem is what kept us from an HTTP answer.
type CertsrvProblem string

// The problems of a web page.
const (
	// CertsrvUnreachable: nothing listens on the address, or there is no route to it.
	CertsrvUnreachable CertsrvProblem = "unreachable"
	// CertsrvSilent: no answer, or no whole one, in time.
	CertsrvSilent CertsrvProblem = "silent"
	// CertsrvMalformed: what answers speaks no HTTP, or closes the connection.
	CertsrvMalformed CertsrvProblem = "malformed"
)

// CertsrvAnswer is the answer to one request for the chain.
type CertsrvAnswer struct {
	Address netip.AddrPort
	// Status is the one of HTTP; 0 when Problem says why there is none.
	Status  int
	Problem CertsrvProblem
	// Detail says more about Problem, or why the body of a status 200 holds no certificate.
	Detail string
	// Schemes of logon that are offered (RFC 9110 section 11.6.1), as the server spells them.
	Schemes []string
	// Location is where a redirect leads to; it is not followed.
	Location string
	// Certificates are those of the body of a status 200.
	Certificates []Certificate
	Took         time.Duration
}

// CertsrvLogon is what came of our own logon to a CA's web page.
type CertsrvLogon struct {
	// Scheme is Kerberos or NTLM, as far as one was begun.
	Scheme string
	// At is when the account was used; zero when it was not. What came of it is held for an hour.
	At time.Time
	// Problem is empty when we could log on; Detail says more.
	Problem ControllerProblem
	Detail  string
	// Answer is what the page gave then; nil when it was not asked.
	Answer *CertsrvAnswer
}
