package collectors

import (
	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

const screenExchange = "it signs in, but contacts, call logs and voice mail are missing: " +
	`"Connection to Microsoft Exchange is unavailable. Please contact your support team"`

// noExchange makes a reason for which phones get nothing from Exchange. It degrades only: nobody is kept from
// signing in.
func noExchange(name, means, mend string) *Reason {
	return &Reason{
		Name: name, Effect: Degrades, Means: means, Screen: screenExchange, Mend: mend,
		AtPhone: "wait, or sign out and in; it looks again then", HardReset: phone.ResetExchange,
	}
}

// The ways in which phones do not find Exchange, or get nothing from it.
var (
	reasonAutodiscoverUnresolved = noExchange("autodiscover_unresolved",
		"autodiscover.<SMTP domain> has no address and no other place of the phone's order answers",
		"create the A record autodiscover in the SMTP domain for the Client Access Server; write smtp_domain: none where there is no Exchange")
	reasonAutodiscoverSRVOnly = noExchange("autodiscover_srv_only",
		"Exchange is found by the SRV record _autodiscover._tcp only: Outlook takes that, phones do not",
		"create the A record autodiscover in the SMTP domain beside the SRV record, with the name in the server's certificate")
	reasonExchangeUnreachable = noExchange("exchange_unreachable",
		"nothing listens where Exchange is to answer, or there is no route to it",
		"start IIS on the Client Access Server (iisreset /start) and see its bindings; outside, see the listener of the TMG or ISA rule")
	reasonExchangeSilent = noExchange("exchange_silent",
		"Exchange does not answer in time",
		"look at IIS on the Client Access Server (appcmd list requests), and at the firewall for TCP 443")
	reasonExchangeMalformed = noExchange("exchange_malformed",
		"what answers where Exchange is to be speaks no HTTP, or closes the connection",
		"find what answers there: netstat -ano on the Client Access Server; outside, see to which port the publishing rule bridges")
	reasonExchangeTLSFailed = noExchange("exchange_tls_failed",
		"no TLS connection to Exchange comes about, although TLS 1.0 with RSA key exchange is offered beside the new",
		"see that IIS' binding for 443 has a certificate (Get-ExchangeCertificate), and its SSL settings")
	reasonExchangeHardened = noExchange("exchange_hardened",
		"server hardened, phones cut off: Exchange takes TLS of today, but not TLS 1.0 by RSA key exchange, all that phones have",
		"allow TLS 1.0 with AES-CBC-SHA or 3DES again in Schannel's registry keys on the Client Access Server, or on the device before it; "+
			"the certificate needs an RSA key")
	reasonExchangeNotFound = noExchange("exchange_not_found",
		"the server has no Autodiscover at that path (404)",
		"see Get-AutodiscoverVirtualDirectory and that /Autodiscover exists in IIS; outside, add /Autodiscover/* to the paths of the "+
			"TMG or ISA publishing rule")
	reasonExchangeForbidden = noExchange("exchange_forbidden",
		"Autodiscover is forbidden (403)",
		"see IP restrictions and client certificates of /Autodiscover in IIS; outside, add /Autodiscover/* and /EWS/* to the publishing rule")
	reasonExchangeServerError = noExchange("exchange_server_error",
		"the server answers with an error of its own (5xx)",
		"see the application event log on the Client Access Server, and recycle MSExchangeAutodiscoverAppPool; outside, that the TMG or "+
			"ISA rule reaches it")
	reasonExchangeRedirect = noExchange("exchange_redirect",
		"Autodiscover leads elsewhere (3xx) where that is not known to help phones: by HTTPS, or not to HTTPS",
		"take HTTP Redirect off /Autodiscover in IIS; a redirect helps phones only from http:// to https://")
	reasonExchangeRedirectForeign = resetting(phone.ResetExchange, blinding("exchange_redirect_foreign",
		"Autodiscover leads to a place that the exporter does not follow: another company's host, another port, or no URL",
		"see what was seen; where it is meant, phones must trust that server too"))
	reasonExchangeStatus = noExchange("exchange_status",
		"Autodiscover answers with a status that phones cannot use",
		"see what was seen; see IIS' log on the Client Access Server")
	reasonExchangePage = noExchange("exchange_page",
		"a page is given in the stead of Autodiscover",
		"open the address in a browser and see what it says; a sign-in page comes from a publishing rule that authenticates by form")
	reasonExchangeNoNTLM = noExchange("exchange_no_ntlm",
		"Exchange wants a logon (401), but does not offer NTLM, by which phones log on",
		"Set-AutodiscoverVirtualDirectory and Set-WebServicesVirtualDirectory with -WindowsAuthentication $true, and the provider NTLM in IIS")
	reasonEWSMissing = noExchange("ews_missing",
		"the answer of Autodiscover names no web services: neither EwsUrl nor ASUrl",
		"Set-WebServicesVirtualDirectory -InternalUrl and -ExternalUrl https://<server>/EWS/Exchange.asmx")
	reasonEWSFailed = noExchange("ews_failed",
		"Exchange's web services give nothing that phones can use at the URL that phones are told",
		"see what was seen; Get-WebServicesVirtualDirectory tells the URLs, Test-WebServicesConnectivity whether they work")
	reasonEWSForeign = resetting(phone.ResetExchange, blinding("ews_foreign",
		"Autodiscover names web services at a place that the exporter does not follow: another company's host, another port, or no URL",
		"correct InternalUrl and ExternalUrl with Set-WebServicesVirtualDirectory; a place that is meant goes into exchange.ews_url"))
)

var reasonExchangeAnonymous = noting("exchange_anonymous",
	"Autodiscover answers everybody, without a logon",
	"nothing", "take Anonymous Authentication off /Autodiscover in IIS")

// The ways in which only our own look is stopped.
var (
	reasonExchangeNamesUnanswered = resetting(phone.ResetExchange, blinding("exchange_names_unanswered",
		"no resolver answers a name of Exchange, so it is not known whether it is there",
		"see what the dns collector says of the resolvers"))
	reasonExchangeUntrusted = resetting(phone.ResetExchange, blinding("exchange_untrusted",
		"the certificate of Exchange leads to no trusted root, or has another name: no password is sent",
		"name the root of the server's certificate in exchange.roots"))
	reasonExchangeLogonFailed = resetting(phone.ResetExchange, blinding("exchange_logon_failed",
		"the exporter's logon to Exchange came to no end; where the account was used, it is tried again after an hour",
		"see what was seen"))
	reasonAutodiscoverRefuses = resetting(phone.ResetExchange, blinding("autodiscover_refuses",
		"Autodiscover answers our account with an error or with another mailbox: what phones are told is not seen",
		"write the address of the credential's own mailbox, which must exist on this Exchange, into exchange.mailbox"))
)

// exchangeProblems has a reason for each way to get no HTTP answer.
var exchangeProblems = map[facts.WebProblem]*Reason{
	facts.WebUnreachable: reasonExchangeUnreachable,
	facts.WebSilent:      reasonExchangeSilent,
	facts.WebTLSFailed:   reasonExchangeTLSFailed,
	facts.WebUntrusted:   reasonExchangeTLSFailed,
	facts.WebMalformed:   reasonExchangeMalformed,
	facts.WebBadRequest:  reasonExchangeMalformed,
}

var exchangeStatuses = statusReasons{
	forbidden: reasonExchangeForbidden, notFound: reasonExchangeNotFound, redirect: reasonExchangeRedirect,
	serverError: reasonExchangeServerError, other: reasonExchangeStatus,
}

func exchangeReasons() []*Reason {
	out := []*Reason{
		reasonAutodiscoverUnresolved, reasonAutodiscoverSRVOnly, reasonExchangeUnreachable, reasonExchangeSilent,
		reasonExchangeMalformed, reasonExchangeTLSFailed, reasonExchangeHardened, reasonExchangeNotFound, reasonExchangeForbidden,
		reasonExchangeServerError, reasonExchangeRedirect, reasonExchangeRedirectForeign, reasonExchangeStatus,
		reasonExchangePage, reasonExchangeNoNTLM, reasonEWSMissing, reasonEWSFailed,
		reasonEWSForeign, reasonExchangeAnonymous, reasonExchangeNamesUnanswered, reasonExchangeUntrusted,
		reasonExchangeLogonFailed, reasonAutodiscoverRefuses,
	}
	for _, kind := range updateLogonProblems {
		out = append(out, logonReasons[kind])
	}
	return out
}
