package phone

import (
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
)

const (
	// autodiscoverPath is the same at every place (MS-OXDSCLI section 3.1.5.1).
	autodiscoverPath = "/autodiscover/autodiscover.xml"
	srvAutodiscover  = "_autodiscover._tcp."

	// MaxAutodiscoverAnswer bounds how many bytes of an answer are read.
	MaxAutodiscoverAnswer = 256 << 10
	maxProtocols          = 16
)

// AutodiscoverPlace is one place where a phone looks for Exchange.
type AutodiscoverPlace struct {
	Host string
	// Secure is HTTPS. By plain HTTP only a redirect to HTTPS is of use.
	Secure bool
}

// URL is what is asked for there.
func (p AutodiscoverPlace) URL() string {
	if p.Secure {
		return "https://" + p.Host + autodiscoverPath
	}
	return "http://" + p.Host + autodiscoverPath
}

// AutodiscoverPlaces lists where a phone looks for Exchange, by A records only: no SRV record, no service
// connection point (guide page 5). The guide's list is lost but for its last entry, the redirect; the two
// before it, and their order, are inferred from MS-OXDSCLI (CONTRACT section 7). None without an SMTP domain.
func (d Domains) AutodiscoverPlaces() []AutodiscoverPlace {
	if d.SMTP == "" {
		return nil
	}
	return []AutodiscoverPlace{{d.SMTP, true}, {autodiscover + d.SMTP, true}, {autodiscover + d.SMTP, false}}
}

// AutodiscoverHost is the name that an administrator creates for phones.
func (d Domains) AutodiscoverHost() string { return autodiscover + d.SMTP }

// AutodiscoverService is the SRV record by which Outlook finds Exchange and phones do not (guide page 5).
func (d Domains) AutodiscoverService() string { return srvAutodiscover + d.SMTP }

// Autodiscover is the answer of the Autodiscover service, in its older form, POX (CONTRACT section 7).
type Autodiscover struct {
	Protocols []ExchangeProtocol
	// RedirectAddr and RedirectURL send the client to another mailbox or server.
	RedirectAddr, RedirectURL string
	// ErrorCode and Message tell that the service refuses; code 600 is its answer to a request that is none.
	ErrorCode, Message string
}

// ExchangeProtocol is how Exchange is reached from one side.
type ExchangeProtocol struct {
	// Type is EXCH inside and EXPR outside.
	Type string
	// ASURL is where Exchange 2007 has its web services, EWSURL the later element for the same.
	ASURL, EWSURL string
}

// EWSURL is where the answer has Exchange's web services for one side, else for the other: from EwsUrl, else
// from ASUrl; which of the two a phone reads is not known. Element names the place; both are empty where the
// answer has none.
func (a *Autodiscover) EWSURL(inside bool) (url, element string) {
	first, second := "EXCH", "EXPR"
	if !inside {
		first, second = second, first
	}
	for _, t := range []string{first, second} {
		for _, p := range a.Protocols {
			switch {
			case !strings.EqualFold(p.Type, t):
			case p.EWSURL != "":
				return p.EWSURL, t + " EwsUrl"
			case p.ASURL != "":
				return p.ASURL, t + " ASUrl"
			}
		}
	}
	return "", ""
}

// ParseAutodiscover reads an answer leniently, whatever its namespaces: Microsoft's own samples differ in them.
func ParseAutodiscover(content []byte) (*Autodiscover, error) {
	if len(content) > MaxAutodiscoverAnswer {
		return nil, fmt.Errorf("more than %d KiB", MaxAutodiscoverAnswer>>10)
	}
	top, err := elements(content)
	if err != nil {
		return nil, err
	}
	out := &Autodiscover{}
	if !out.read(top) {
		return nil, errors.New("XML, but no answer of Autodiscover: neither Protocol nor Error nor a redirect is in it")
	}
	return out, nil
}

// read takes what an element and those in it say, and returns whether they say anything.
func (a *Autodiscover) read(e *element) (known bool) {
	switch e.name {
	case "protocol":
		if len(a.Protocols) < maxProtocols {
			a.Protocols = append(a.Protocols, ExchangeProtocol{
				Type: e.textOf("type"), ASURL: e.textOf("asurl"), EWSURL: e.textOf("ewsurl"),
			})
		}
		return true
	case "error":
		a.ErrorCode, a.Message = e.textOf("errorcode"), e.textOf("message")
		return true
	case "redirectaddr":
		a.RedirectAddr = e.value()
		known = true
	case "redirecturl":
		a.RedirectURL = e.value()
		known = true
	}
	for _, inner := range e.elements {
		known = a.read(inner) || known
	}
	return known
}

// textOf is the text of the first element of that name directly in this one.
func (e *element) textOf(name string) string {
	for _, inner := range e.elements {
		if inner.name == name {
			return inner.value()
		}
	}
	return ""
}

// AutodiscoverRequest asks for the settings of a mailbox (MS-OXDSCLI section 4.1).
func AutodiscoverRequest(mailbox string) []byte {
	var escaped strings.Builder
	_ = xml.EscapeText(&escaped, []byte(mailbox)) // a Builder takes everything
	return []byte(`<?xml version="1.0" encoding="utf-8"?>` +
		`<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"><Request>` +
		`<EMailAddress>` + escaped.String() + `</EMailAddress><AcceptableResponseSchema>` +
		`http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a` +
		`</AcceptableResponseSchema></Request></Autodiscover>`)
}
