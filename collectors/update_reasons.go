package collectors

import (
	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

const (
	screenUpdate  = "nothing while it works; Last Update Status in About, and the firmware stays as it is"
	atPhoneUpdate = "wait; it asks again each day, at sign-in and after a power-cycle"
)

// noUpdate makes a reason for which phones get no update. It degrades only: nobody is kept from signing in.
func noUpdate(name, means, mend string) *Reason {
	return &Reason{
		Name: name, Effect: Degrades, Means: means, Screen: screenUpdate, Mend: mend, AtPhone: atPhoneUpdate, HardReset: phone.ResetUpdate,
	}
}

const mendWMI = " with WMI on each front end (wbemtest, root\\cimv2, class MSFT_SIPUpdatesServerSetting)"

// The ways in which phones get no answer from the update service.
var (
	reasonUpdateUnresolved = noUpdate("update_unresolved",
		"a name of the update service has no address",
		"create the A record ucupdates-r2 in the DHCP domain for the pool's web server, or the one of the front end or the reverse proxy")
	reasonUpdateUnreachable = noUpdate("update_unreachable",
		"nothing listens on the update service's port (80 inside, 443 outside), or there is no route to it",
		"start IIS on the front end (iisreset /start) and see its bindings; outside, see the listener of the TMG or ISA rule")
	reasonUpdateSilent = noUpdate("update_silent",
		"the update service does not answer in time",
		"look at IIS on the front end (appcmd list requests), and at the firewall for TCP 80 inside or 443 outside")
	reasonUpdateMalformed = noUpdate("update_malformed",
		"what answers on the update service's port speaks no HTTP, or closes the connection",
		"find what answers there: netstat -ano on the front end; outside, see to which port the publishing rule bridges")
	reasonUpdateTLSFailed = noUpdate("update_tls_failed",
		"no TLS connection to the reverse proxy comes about, although TLS 1.0 with RSA key exchange is offered beside the new",
		"see that the listener of the TMG or ISA rule has a certificate, and its SSL settings; what phones can do is told by the pool's own checks")
	reasonUpdateHardened = noUpdate("update_hardened",
		"server hardened, phones cut off: the reverse proxy takes TLS of today, but not TLS 1.0 by RSA key exchange, all that phones have",
		"allow TLS 1.0 with AES-CBC-SHA or 3DES again on the listener of the TMG or ISA rule (Schannel's registry keys), or on the device "+
			"before it; the certificate needs an RSA key")
	reasonUpdateNotFound = noUpdate("update_not_found",
		"the server has no update service at that path (404)",
		"see that /RequestHandler (inside) and /RequestHandlerExt (outside) exist in IIS on the front end (iisweb /query; LcsCmd /web), "+
			"and that the TMG or ISA publishing rule has the path /RequestHandlerExt/*")
	reasonUpdateForbidden = noUpdate("update_forbidden",
		"the update service is forbidden (403)",
		"take IP restrictions and Require SSL off the virtual directory in IIS; outside, add /RequestHandlerExt/* to the paths of the "+
			"TMG or ISA publishing rule and let All Users through it")
	reasonUpdateServerError = noUpdate("update_server_error",
		"the server answers with an error of its own (5xx)",
		"see the application event log on the front end, recycle the application pool of /RequestHandler, and see that ASP.NET 2.0 is "+
			"allowed; outside, that the TMG or ISA rule reaches the front end (its log)")
	reasonUpdateRedirect = noUpdate("update_redirect",
		"the update service leads elsewhere (3xx); it is not known that phones follow",
		"take HTTP Redirect and URL Rewrite off the virtual directory in IIS, and redirects off the publishing rule")
	reasonUpdateStatus = noUpdate("update_status",
		"the update service answers with a status that phones cannot use",
		"see what was seen; see IIS' log on the front end")
	reasonUpdateUnparsable = noUpdate("update_unparsable",
		"the update service answers 200, but what it says is no answer of it: a page, or damaged XML",
		"open the address in a browser and see what it says; a sign-in page of a proxy comes from a publishing rule that authenticates by form")
	reasonUpdateLogonWanted = noUpdate("update_logon_wanted",
		"the update service wants a logon inside (401), where phones on which nobody is signed in ask too",
		"enable Anonymous Authentication on /RequestHandler and /DeviceUpdateFiles_Int in IIS")
	reasonUpdateNoNTLM = noUpdate("update_no_ntlm",
		"the update service wants a logon outside (401), but does not offer NTLM, by which phones log on",
		"enable Windows Authentication with the provider NTLM on /RequestHandlerExt in IIS, and let the TMG or ISA rule pass it on "+
			"(No delegation, but client may authenticate directly)")
	reasonUpdateHTTPSOnly = noUpdate("update_https_only",
		"the update service answers on 443, but port 80 gives nothing or leads there; OCS 2007 R2 phones were recorded on port 80",
		"give IIS' site a binding for http on port 80, and take Require SSL and redirects off /RequestHandler")
	reasonUpdateCertificate = noUpdate("update_certificate",
		"all firmware in use refuses the certificate of the reverse proxy, whatever roots phones hold: its name, its dates, or how it is signed",
		"give the listener of the TMG or ISA rule a certificate with the name in ExternalBaseURL, from a CA that phones trust")
	reasonBaseURLBlank = noUpdate("base_url_blank",
		"an update is offered without BaseURL: phones inside do not know where to fetch it",
		"set InternalUpdatesDownloadURL and InternalUpdatesStoreURL"+mendWMI)
	reasonExternalBaseURLBlank = noUpdate("external_base_url_blank",
		"an update is offered without ExternalBaseURL; no update begins then, not inside either",
		"set ExternalUpdatesDownloadURL (https://<reverse proxy>/RequestHandlerExt/ucdevice.upx) and ExternalUpdatesStoreURL "+
			"(https://<reverse proxy>/DeviceUpdateFiles_Ext)"+mendWMI)
)

// What is shown of the update service and stops nobody.
var (
	reasonUpdateAnonymous = noting("update_anonymous",
		"the update service answers everybody on the Internet, without a logon; that is for OCS 2007 phones only, for a while",
		"nothing", "take Anonymous Authentication off /RequestHandlerExt and /DeviceUpdateFiles_Ext in IIS once no 1.0.199 phone needs it")
	reasonFrontEndsDiffer = noting("front_ends_differ",
		"the servers for updates answer differently; they do not copy updates to one another",
		"it updates only sometimes, with the server that it happens to ask",
		"upload and approve the same updates on every front end, and give each the same values of MSFT_SIPUpdatesServerSetting")
	reasonUpdateClockOff = noting("update_clock_off",
		"the clock of the update server is off by minutes, whatever its zone",
		"nothing by itself; Kerberos and certificates fail where a front end's clock is wrong",
		"w32tm /resync on the front end, and see where it gets its time from")
	reasonLadderUnreachable = noting("ladder_unreachable",
		"a version is offered that a firmware in use cannot install in one step",
		"nothing: it stays at its version",
		"approve 1.0.522.101 for phones with 1.0.199.123 first, and 3.5.6907 once they have it; take firmware that is not in use out of the site file")
)

var reasonUpdateNotUnderstood = noting("update_not_understood",
	"the answer of the update service tells of updates, but not all of what belongs to them is found in it",
	"nothing by itself: the whole form of the answer is not known, and this look may be too narrow",
	"open the address in a browser, and report the answer to the exporter's developers; where the elements are really missing, fill them in"+mendWMI)

var reasonUpdatePostRefused = noting("update_post_refused",
	"the update service answers a GET, but the exporter's POST as a phone comes to nothing: what phones are offered is not seen",
	"nothing by itself: the template of the request is not verified", "see what was seen; correct update.post.template, or take post out of the site file")

var reasonUpdateLeftOut = noting("update_left_out",
	"a name of the update service leads to more addresses than are asked", "nothing",
	"take addresses out of DNS that serve no phones, such as those of retired front ends")

// The ways in which only our own look is stopped.
var (
	reasonUpdateTemplate = resetting(phone.ResetUpdate, blinding("update_template_unusable",
		"the exporter cannot make its POST: the template is gone or cannot be read, so that it is not seen what phones are offered",
		"see what was seen; correct update.post.template in the site file"))
	reasonUpdateNamesUnanswered = resetting(phone.ResetUpdate, blinding("update_names_unanswered",
		"no resolver answers a name of the update service, so it is not known whether it is there",
		"see what the dns collector says of the resolvers"))
	reasonUpdateUntrusted = resetting(phone.ResetUpdate, blinding("update_untrusted",
		"the certificate of the update server leads to no trusted root, or has another name: no password is sent",
		"name the root of the server's certificate in update.roots"))
	reasonUpdateLogonFailed = resetting(phone.ResetUpdate, blinding("update_logon_failed",
		"the exporter's logon to the update server came to no end; where the account was used, it is tried again after an hour",
		"see what was seen"))
)

// updateProblems has a reason for each way to get no HTTP answer.
var updateProblems = map[facts.WebProblem]*Reason{
	facts.WebUnreachable: reasonUpdateUnreachable,
	facts.WebSilent:      reasonUpdateSilent,
	facts.WebTLSFailed:   reasonUpdateTLSFailed,
	facts.WebUntrusted:   reasonUpdateTLSFailed,
	facts.WebMalformed:   reasonUpdateMalformed,
	facts.WebNoLogon:     reasonUpdateLogonFailed,
	facts.WebBadRequest:  reasonUpdateMalformed,
}

var updateStatuses = statusReasons{
	forbidden: reasonUpdateForbidden, notFound: reasonUpdateNotFound, redirect: reasonUpdateRedirect,
	serverError: reasonUpdateServerError, other: reasonUpdateStatus,
}

// updateLogonProblems are those of logonReasons that a logon by NTLM can meet, those included for which a
// domain controller refused the account before.
var updateLogonProblems = [...]facts.ControllerProblem{
	facts.AccountDisabled, facts.AccountExpired, facts.AccountLocked, facts.AccountRevoked, facts.CredentialRefused,
	facts.CredentialUnusable, facts.PasswordExpired,
}

func updateReasons() []*Reason {
	out := []*Reason{
		reasonUpdateUnresolved, reasonUpdateUnreachable, reasonUpdateSilent, reasonUpdateMalformed, reasonUpdateTLSFailed, reasonUpdateHardened,
		reasonUpdateNotFound, reasonUpdateForbidden, reasonUpdateServerError, reasonUpdateRedirect, reasonUpdateStatus,
		reasonUpdateUnparsable, reasonUpdateLogonWanted, reasonUpdateNoNTLM, reasonUpdateHTTPSOnly,
		reasonBaseURLBlank, reasonExternalBaseURLBlank, reasonUpdateAnonymous, reasonFrontEndsDiffer,
		reasonUpdateClockOff, reasonLadderUnreachable, reasonUpdateNotUnderstood, reasonUpdatePostRefused, reasonUpdateLeftOut,
		reasonUpdateTemplate, reasonUpdateNamesUnanswered,
	}
	return append(out, webLogonReasons()...)
}

// webLogonReasons are those of a logon by NTLM over TLS.
func webLogonReasons() []*Reason {
	out := []*Reason{reasonUpdateUntrusted, reasonUpdateLogonFailed}
	for _, kind := range updateLogonProblems {
		out = append(out, logonReasons[kind])
	}
	return out
}
