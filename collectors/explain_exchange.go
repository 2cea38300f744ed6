package collectors

import (
	"fmt"
	"io"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
)

// explainExchange writes place by place what answers there, what came of our own logon, and where the web
// services are.
func explainExchange(w io.Writer, t *Target, seen *facts.Seen) {
	e := seen.Exchange
	if e == nil {
		return
	}
	for i := range e.Places {
		explainExchangeServer(w, &e.Places[i].ExchangeServer)
	}
	if e.Followed != nil {
		fmt.Fprintln(w, "the redirect")
		explainExchangeServer(w, &e.Followed.ExchangeServer)
	}
	if e.Foreign != "" {
		fmt.Fprintf(w, "not followed: %s\n", e.Foreign)
	}
	if e.Service != nil {
		fmt.Fprintln(w, "what Outlook looks for, and phones do not")
		explainNames(w, e.Service)
	}
	if l := e.Logon; l != nil {
		fmt.Fprintf(w, "POST %s\n", l.URL)
		explainWebLogon(w, t.Exchange.Credential, l.Logon)
		if l.Answer != nil {
			explainExchangeAnswer(w, l.Answer)
		}
	} else if t.Exchange.Credential == nil {
		fmt.Fprintln(w, "no credential is configured: what a phone is told that is signed in is not seen")
	}
	if e.WebServices != nil {
		fmt.Fprintf(w, "web services by %s\n", e.WebServicesBy)
		explainExchangeServer(w, e.WebServices)
	}
}

func explainExchangeServer(w io.Writer, s *facts.ExchangeServer) {
	fmt.Fprintf(w, "GET %s\n", s.URL)
	explainNames(w, s.Names)
	for i := range s.Answers {
		explainExchangeAnswer(w, &s.Answers[i])
	}
}

func explainExchangeAnswer(w io.Writer, a *facts.AutodiscoverAnswer) {
	text := webText(a.WebAnswer)
	if a.TLS != "" {
		text += ", " + a.TLS
	}
	fmt.Fprintf(w, "  %s  [%s]\n", text, a.Took.Round(10*time.Microsecond))
	if a.Autodiscover != nil {
		fmt.Fprintf(w, "        %s\n", autodiscoverText(a.Autodiscover))
	}
	for _, c := range a.Served[:min(len(a.Served), maxChainListed)] {
		certificate := facts.CertificateOf(c)
		fmt.Fprintf(w, "        certificate %.80s\n          of %.80s, until %s\n", certificate.Subject, certificate.Issuer,
			certificate.NotAfter.UTC().Format(time.DateOnly))
	}
	if a.Phone != nil {
		fmt.Fprintf(w, "        as a phone offers TLS: %s\n", handshakeText(a.Phone))
	}
}
