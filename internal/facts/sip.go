package facts

import (
	"crypto/x509"
	"net/netip"
	"time"

	"github.com/cx700/cx700_exporter/internal/phone"
)

// SIP is what registrars answered to a request to register that carries no credentials.
type SIP struct {
	// Names is the walk by which they were found.
	Names *Names
	// Routes has an entry for each firmware in use.
	Routes []Route
	// Servers are the addresses behind all routes, each address and port once.
	Servers []SIPServer
	// LeftOut is how many addresses were beyond the bound and not asked.
	LeftOut int
}

// SIPServer is one address of a registrar.
type SIPServer struct {
	Address netip.AddrPort
	// Hosts are the names that led to it.
	Hosts []string
	// Answers has one for each firmware in use.
	Answers []SIPAnswer
}

// At is the server at an address; nil where none was asked.
func (s *SIP) At(address netip.AddrPort) *SIPServer {
	for i := range s.Servers {
		if s.Servers[i].Address == address {
			return &s.Servers[i]
		}
	}
	return nil
}

// AnswerTo is what a registrar answers a firmware; nil where it was not asked. One without a connection answers all alike.
func (s *SIPServer) AnswerTo(firmware string) *SIPAnswer {
	for i := range s.Answers {
		if a := &s.Answers[i]; a.Firmware == firmware || a.Problem == SIPNoConnection {
			return a
		}
	}
	return nil
}

// SIPProblem is what kept us from an answer.
type SIPProblem string

// The problems of a registrar.
const (
	// SIPNoConnection: no TLS as phones have it comes about, or no connection at all.
	SIPNoConnection SIPProblem = "no_connection"
	// SIPSilent: the server says nothing, or not enough in time.
	SIPSilent SIPProblem = "silent"
	// SIPClosed: the server closes the connection.
	SIPClosed SIPProblem = "closed"
	// SIPMalformed: what it says is no SIP, or larger than any answer.
	SIPMalformed SIPProblem = "malformed"
)

// SIPAnswer is the answer to one firmware.
type SIPAnswer struct {
	Firmware string
	// Host is the name by which the server was found, Address where it was asked.
	Host    string
	Address netip.AddrPort
	Problem SIPProblem
	// Detail says more about Problem.
	Detail string
	// Status is the one of SIP; 0 when Problem says why there is none. Phrase is the text beside it.
	Status int
	Phrase string
	// Server is what the registrar calls itself.
	Server string
	// Date is its clock, zero where it does not tell; At is when the answer came.
	Date, At    time.Time
	Challenges  []phone.SIPChallenge
	Diagnostics []phone.SIPDiagnostic
	// Contacts are where a redirect leads to, host or host:port, what it prefers first.
	Contacts []string
	// Served are the server's certificates, its own first.
	Served []*x509.Certificate
	Took   time.Duration
	// Next is the answer of the server to which a redirect leads; nil where there is none that may be followed,
	// and NotFollowed tells why not.
	Next        *SIPAnswer
	NotFollowed string
	// Foreign tells that phones may follow all the same, or, of the last answer, may find another: it is we who ask there nobody.
	Foreign bool
	// LeftOut is how many other addresses of the same redirect were not asked, none before them having answered: they
	// were beyond the bound, or the time was up, or no resolver answered their name.
	LeftOut int
}

// Last is the answer at the end of the redirects.
func (a *SIPAnswer) Last() *SIPAnswer {
	for a.Next != nil {
		a = a.Next
	}
	return a
}
