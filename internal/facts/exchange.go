package facts

import (
	"time"

	"github.com/cx700/cx700_exporter/internal/phone"
)

// Exchange is what was seen where phones look for Exchange.
type Exchange struct {
	// Places in the order in which a phone tries them.
	Places []AutodiscoverPlace
	// Followed is where the redirect of plain HTTP leads; nil where there is none that may be followed, and
	// Foreign tells why not.
	Followed *AutodiscoverPlace
	Foreign  string
	// Service is the question for the SRV record by which Outlook finds Exchange; nil when it was not asked.
	Service *Names
	// Logon is what came of our own logon; nil when there was none to make.
	Logon *AutodiscoverLogon
	// WebServices is Exchange's web services at the URL of the answer or of the site file; nil where neither
	// gives one that may be asked.
	WebServices *ExchangeServer
	// WebServicesBy tells where the URL is from; WebServicesForeign why it is not asked.
	WebServicesBy, WebServicesForeign string
}

// AutodiscoverPlace is one place and its servers.
type AutodiscoverPlace struct {
	Host string
	// Secure is HTTPS.
	Secure bool
	ExchangeServer
}

// ExchangeServer is one URL, asked at each address of its host.
type ExchangeServer struct {
	URL string
	// Names holds the question for the host's address.
	Names   *Names
	Answers []AutodiscoverAnswer
}

// AutodiscoverAnswer is the answer of one address.
type AutodiscoverAnswer struct {
	WebAnswer
	// Autodiscover is what a status 200 says; nil where it cannot be read, and Detail tells why.
	Autodiscover *phone.Autodiscover
	// At is when the answer came.
	At time.Time
	// Phone is what came of the phone's offer of TLS, which the answer above is not bound to; nil for plain HTTP, and
	// where nothing else answers.
	Phone *Handshake
}

// AutodiscoverLogon is what came of our own logon to Autodiscover.
type AutodiscoverLogon struct {
	Logon
	// URL is where we logged on, Answer what it gave; nil when it was not asked.
	URL    string
	Answer *AutodiscoverAnswer
}
