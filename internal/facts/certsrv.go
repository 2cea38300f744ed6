package facts

import "crypto/x509"

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
	// Secure is what the same host shows phones over TLS, which they do not ask for there; nil when it shows nothing.
	Secure *Shown
	// Logon is what came of our own logon; nil when there was none to make.
	Logon *CertsrvLogon
}

// CertsrvAnswer is the answer to one request for the chain.
type CertsrvAnswer struct {
	WebAnswer
	// Certificates are those of the body of a status 200; Detail says why there are none.
	Certificates []Certificate
	// Chain holds the same certificates, to verify with.
	Chain []*x509.Certificate
}

// CertsrvLogon is what came of our own logon to a CA's web page.
type CertsrvLogon struct {
	Logon
	// Answer is what the page gave then; nil when it was not asked.
	Answer *CertsrvAnswer
}
