package lab

import (
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Where Exchange's Client Access Server has its services, whose paths IIS takes in any case.
const (
	autodiscoverPath = "/autodiscover/autodiscover.xml"
	ewsPath          = "/ews/exchange.asmx"
)

// The account of the exporter at Exchange, whose password is no secret either, and its mailbox.
const (
	mailAccountName = "cx700-mailbox"
	mailPassword    = "Contoso-mail-2007"
	mailbox         = mailAccountName + "@fabrikam.com"
)

// mailAccount is the one of a site.
func mailAccount(site int) account {
	return account{fmt.Sprintf("%s-%03d%s", mailAccountName, site+1, accountDomain), mailPassword}
}

type mailMode int

const (
	mailWantsLogon mailMode = iota
	mailOffersBasic
	mailMissing
	mailFails
	mailOpen
	mailPage
)

// mailSettings is what Autodiscover tells who has logged on.
type mailSettings int

const (
	tellsWebServices mailSettings = iota
	tellsNoWebServices
	tellsForeignWebServices
	knowsNoMailbox
)

// mailState is how Exchange's Client Access Server answers.
type mailState struct {
	mode     mailMode
	settings mailSettings
	ntlm     ntlmMode
	account  account
	// ewsMissing has the web services not where Autodiscover says that they are.
	ewsMissing bool
	trouble    webTrouble
	webTLS
}

// answer answers for Autodiscover and for the web services.
func (s mailState) answer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server", "Microsoft-IIS/7.0")
	if s.trouble.answers(w, r) {
		return
	}
	switch path := strings.ToLower(r.URL.Path); {
	case path == ewsPath && !s.ewsMissing:
		if s.account.logsOn(w, r, s.ntlm) {
			writePage(w, http.StatusOK, "text/html", "<html><title>You have created a service.</title></html>\r\n")
		}
	case path == autodiscoverPath && s.mode != mailMissing:
		s.answerAutodiscover(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (s mailState) answerAutodiscover(w http.ResponseWriter, r *http.Request) {
	const unauthorised = "<html><title>401 Unauthorized</title></html>\r\n"
	switch s.mode {
	case mailOffersBasic:
		w.Header().Set("WWW-Authenticate", `Basic realm="mail"`)
		writePage(w, http.StatusUnauthorized, "text/html", unauthorised)
	case mailFails:
		writePage(w, http.StatusInternalServerError, "text/html", unauthorised)
	case mailOpen:
		writePage(w, http.StatusOK, "text/xml", `<Autodiscover><Response><Error><ErrorCode>600</ErrorCode></Error></Response></Autodiscover>`)
	case mailPage:
		writePage(w, http.StatusOK, "text/html", unauthorised)
	default:
		if s.account.logsOn(w, r, s.ntlm) {
			writePage(w, http.StatusOK, "text/xml", s.settings.answer())
		}
	}
}

// answer is the older form of Autodiscover's, POX (CONTRACT.md section 7).
func (s mailSettings) answer() string {
	const host = "https://autodiscover.fabrikam.com"
	services := "<ASUrl>" + host + "/EWS/Exchange.asmx</ASUrl>"
	switch s {
	case tellsNoWebServices:
		services = ""
	case tellsForeignWebServices:
		services = "<ASUrl>https://mail.example.com/EWS/Exchange.asmx</ASUrl>"
	case knowsNoMailbox:
		return `<?xml version="1.0"?><Autodiscover><Response><Error><ErrorCode>500</ErrorCode>` +
			`<Message>The e-mail address cannot be found.</Message></Error></Response></Autodiscover>`
	}
	return `<?xml version="1.0"?><Autodiscover><Response><Account><AccountType>email</AccountType><Action>settings</Action>` +
		`<Protocol><Type>EXCH</Type>` + services + `</Protocol><Protocol><Type>EXPR</Type>` + services + `</Protocol></Account></Response></Autodiscover>`
}

func writePage(w http.ResponseWriter, status int, contentType, body string) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	// A client that is gone is no concern of the lab's.
	_, _ = io.WriteString(w, body)
}
