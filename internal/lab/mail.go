package lab

import (
	"io"
	"net/http"
	"strings"
)

type mailMode int

const (
	mailWantsLogon mailMode = iota
	mailOffersBasic
	mailMissing
	mailFails
	mailOpen
	mailPage
)

// mailState is how Exchange's Client Access Server answers for Autodiscover.
type mailState struct {
	mode    mailMode
	trouble webTrouble
	webTLS
}

// answer answers for Autodiscover, whose path IIS takes in any case.
func (s mailState) answer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server", "Microsoft-IIS/7.0")
	if s.trouble.answers(w, r) {
		return
	}
	if s.mode == mailMissing || !strings.EqualFold(r.URL.Path, "/autodiscover/autodiscover.xml") {
		http.NotFound(w, r)
		return
	}
	status, contentType, body := http.StatusUnauthorized, "text/html", "<html><title>401 Unauthorized</title></html>\r\n"
	switch s.mode {
	case mailWantsLogon:
		w.Header()["Www-Authenticate"] = []string{"Negotiate", "NTLM"}
	case mailOffersBasic:
		w.Header().Set("WWW-Authenticate", `Basic realm="mail"`)
	case mailFails:
		status = http.StatusInternalServerError
	case mailOpen:
		status, contentType, body = http.StatusOK, "text/xml", `<Autodiscover><Response><Error><ErrorCode>600</ErrorCode></Error></Response></Autodiscover>`
	case mailPage:
		status = http.StatusOK
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	// A client that is gone is no concern of the lab's.
	_, _ = io.WriteString(w, body)
}
