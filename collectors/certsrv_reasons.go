package collectors

import (
	"github.com/cx700/cx700_exporter/internal/facts"
)

const (
	screenSecondWay  = "nothing while AD publishes the root; else Cannot validate server certificate, on new or reset phones"
	atPhoneSecondWay = "wait; a new phone tries again by itself. Enrolled phones hold their roots and are not affected"
)

// secondWay makes a reason for which phones cannot get the root from the CA's web page. It degrades only:
// Active Directory, the first way, may still serve.
func secondWay(name, means, mend string) *Reason {
	return &Reason{
		Name: name, Effect: Degrades, Means: means, Screen: screenSecondWay, Mend: mend,
		AtPhone: atPhoneSecondWay,
	}
}

// The ways in which phones fail to get the root from the CA's web page.
var (
	reasonCertsrvUnresolved = secondWay("certsrv_unresolved",
		"the name of a CA has no address, or what Active Directory holds in dNSHostName is no host name",
		"create the CA's A record (ipconfig /registerdns on it), or correct dNSHostName of its pKIEnrollmentService with ADSI Edit")
	reasonCertsrvUnreachable = secondWay("certsrv_unreachable",
		"nothing listens on port 80 of a CA, or there is no route to it",
		"start IIS on the CA (iisreset /start; net start W3SVC), and see that its site has a binding for http on port 80")
	reasonCertsrvSilent = secondWay("certsrv_silent",
		"the CA's web page does not answer",
		"look at IIS on the CA (appcmd list apppool, appcmd list requests) and at the firewall for TCP 80 from the phones")
	reasonCertsrvMalformed = secondWay("certsrv_malformed",
		"what answers on port 80 of a CA speaks no HTTP, or closes the connection",
		"find what answers there: netstat -ano on the CA; a binding for https on port 80 answers so too")
	reasonCertsrvNoWindowsLogon = secondWay("certsrv_no_windows_logon",
		"the CA's web page wants a logon, but offers neither Negotiate nor NTLM, the ones that phones know",
		`enable Windows Authentication for /CertSrv in IIS, with the provider Negotiate: `+
			`appcmd set config "Default Web Site/CertSrv" /section:windowsAuthentication /enabled:true /commit:apphost`)
	reasonCertsrvForbidden = secondWay("certsrv_forbidden",
		"the CA's web page is forbidden (403)",
		"publish the root in AD, so that phones do not need this page (certutil -f -dspublish root.cer RootCA); else see "+
			"IIS' sub-status: 403.4 https is required, 403.6 IP restrictions, 403.14 no rights on %windir%\\system32\\certsrv")
	reasonCertsrvNotFound = secondWay("certsrv_not_found",
		"the CA's web server has no certsrv (404)",
		"install the role service Certification Authority Web Enrollment (Install-AdcsWebEnrollment; certutil -vroot "+
			"makes its virtual directory anew), and allow Active Server Pages in ISAPI and CGI Restrictions (404.2)")
	reasonCertsrvHTTPSOnly = secondWay("certsrv_https_only",
		"the CA's web page leads to https; phones ask by plain HTTP, and it is not known that they follow",
		"publish the root in AD, so that phones do not need this page (certutil -f -dspublish root.cer RootCA)")
	reasonCertsrvServerError = secondWay("certsrv_server_error",
		"the CA's web server answers with an error of its own (5xx)",
		"start Active Directory Certificate Services (net start certsvc) and the application pool of /CertSrv; "+
			"see IIS' log and the application event log on the CA")
	reasonCertsrvStatus = secondWay("certsrv_status",
		"the CA's web page answers with a status that is neither a chain nor a wish for a logon",
		"see what was seen; take redirects and filters off /CertSrv in IIS")
	reasonCertsrvNoCertificate = secondWay("certsrv_no_certificate",
		"the CA's web page answers 200, but what it hands out holds no certificate",
		"open the page in a browser and see what it says; start Active Directory Certificate Services (net start certsvc), "+
			"and certutil -ping on the CA")
	reasonCertsrvAnonymous = noting("certsrv_anonymous",
		"the CA's web page hands out its chain to everybody, without a logon: phones get it, and anybody may use the page",
		"nothing", "take Anonymous Authentication off /CertSrv in IIS, if nobody needs it, and leave Windows Authentication on")
)

// The ways in which only our own look at the CA's web page is stopped.
var (
	reasonCertsrvNotWatched = noting("certsrv_not_watched",
		"it is not known which CAs there are: the domain controllers show an anonymous client nothing",
		onlyOurProbe, "give the site networks.internal.directory a credential, or name the CAs in networks.internal.certsrv.hosts")
	reasonCertsrvNTLMOnly = noting("certsrv_ntlm_only",
		"the CA's web page offers NTLM only, by which the exporter does not log on: the chain is not fetched",
		onlyOurProbe, "add the provider Negotiate to Windows Authentication of /CertSrv in IIS, so that Kerberos can be used")
	reasonCertsrvHostUnknown = blinding("certsrv_host_unknown",
		"it is not known which CAs there are: no domain controller could be read",
		"see what the directory collector says, or name the CAs in networks.internal.certsrv.hosts")
	reasonCertsrvNamesUnanswered = &Reason{
		Name: "certsrv_names_unanswered", Effect: Blinds,
		Means:   "no resolver answers the name of a CA, so it is not known whether its web page is there",
		Screen:  screenSecondWay,
		Mend:    "see what the dns collector says of the resolvers",
		AtPhone: "nothing",
	}
	reasonCertsrvLogonRefused = blinding("certsrv_logon_refused",
		"the CA's web page does not take the exporter's Kerberos ticket (401); it is tried again an hour after the logon",
		"see that the SPN HTTP/<CA> is registered for the account that runs /CertSrv's application pool only (setspn -Q HTTP/<CA>), "+
			"and that the exporter's account has the right Access this computer from the network")
	reasonCertsrvLogonFailed = blinding("certsrv_logon_failed",
		"the exporter's logon to the CA's web page came to no end; where the account was used, it is tried again after an hour",
		"see what was seen")
)

// certsrvLogonProblems are those of logonReasons that a logon to a web page can meet: none has to do with
// LDAP, but for an account that a domain controller refused.
var certsrvLogonProblems = [...]facts.ControllerProblem{
	facts.AccountDisabled, facts.AccountExpired, facts.AccountLocked, facts.AccountRevoked, facts.CredentialRefused,
	facts.CredentialUnusable, facts.KerberosClock, facts.KerberosPrincipal, facts.KerberosUnavailable, facts.PasswordExpired,
}

// certsrvStatuses has no word of its own for a redirect that does not lead to https.
var certsrvStatuses = statusReasons{
	forbidden: reasonCertsrvForbidden, notFound: reasonCertsrvNotFound, redirect: reasonCertsrvStatus,
	serverError: reasonCertsrvServerError, other: reasonCertsrvStatus,
}

func certsrvReasons() []*Reason {
	out := []*Reason{
		reasonCertsrvUnresolved, reasonCertsrvUnreachable, reasonCertsrvSilent, reasonCertsrvMalformed,
		reasonCertsrvNoWindowsLogon, reasonCertsrvForbidden, reasonCertsrvNotFound, reasonCertsrvHTTPSOnly,
		reasonCertsrvServerError, reasonCertsrvStatus, reasonCertsrvNoCertificate, reasonCertsrvAnonymous,
		reasonCertsrvNTLMOnly, reasonCertsrvNotWatched, reasonCertsrvHostUnknown, reasonCertsrvNamesUnanswered,
		reasonCertsrvLogonRefused, reasonCertsrvLogonFailed,
	}
	for _, kind := range certsrvLogonProblems {
		out = append(out, logonReasons[kind])
	}
	return out
}
