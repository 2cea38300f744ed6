package lab

import (
	"io"
	"net/http"
)

// certsrvPath and certsrvQuery are what a phone asks the CA's web pages for (guide, its trace of a sign-in).
const (
	certsrvPath  = "/certsrv/certnew.p7b"
	certsrvQuery = "ReqID=CACert&Renewal=-1&Enc=b64"
)

type certsrvMode int

const (
	certsrvWantsLogon certsrvMode = iota
	certsrvMissing
	certsrvPage
	certsrvOpen
	certsrvMovesToTLS
)

// certsrvState is how the CA's web server answers.
type certsrvState struct {
	mode    certsrvMode
	trouble webTrouble
}

// answer serves certificate enrolment pages that ask for a logon, as IIS does.
func (s certsrvState) answer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server", "Microsoft-IIS/6.0")
	if s.trouble.answers(w, r) {
		return
	}
	if s.mode == certsrvMovesToTLS {
		http.Redirect(w, r, "https://ca01.contoso.com"+r.URL.RequestURI(), http.StatusFound)
		return
	}
	if s.mode == certsrvMissing || r.URL.Path != certsrvPath || r.URL.RawQuery != certsrvQuery {
		http.NotFound(w, r)
		return
	}
	status, contentType, body := http.StatusOK, "text/html", "<html><title>Microsoft Certificate Services</title></html>\r\n"
	switch s.mode {
	case certsrvOpen:
		contentType, body = "application/x-pkcs7-certificates", caChain
	case certsrvWantsLogon:
		status, body = http.StatusUnauthorized, "<html><title>You are not authorized to view this page</title></html>\r\n"
		w.Header()["Www-Authenticate"] = []string{"Negotiate", "NTLM"}
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	// A client that is gone is no concern of the lab's.
	_, _ = io.WriteString(w, body)
}
