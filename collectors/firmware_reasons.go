package collectors

import (
	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

const mendMIME = "in IIS, or add the MIME types .nbt application/octet-stream and .cat application/vnd.ms-pki.seccat (its 404.3)"

// The ways in which phones cannot fetch a file of an update.
var (
	reasonFirmwareUnresolved = noUpdate("firmware_unresolved",
		"the server of a file has no address: it stands in the base URL, or in the site file",
		"create its A record, or correct InternalUpdatesStoreURL and ExternalUpdatesStoreURL"+mendWMI)
	reasonFirmwareUnreachable = noUpdate("firmware_unreachable",
		"nothing listens where a file of an update is to be fetched, or there is no route to it",
		"start IIS on the front end (iisreset /start) and see its bindings; outside, see the listener of the TMG or ISA rule")
	reasonFirmwareSilent = noUpdate("firmware_silent",
		"the server of a file does not answer in time, or stops in the middle of it",
		"look at IIS on the front end (appcmd list requests) and at the share with the files; at the firewall for TCP 80 inside or 443 outside")
	reasonFirmwareMalformed = noUpdate("firmware_malformed",
		"what answers where a file of an update is to be fetched speaks no HTTP, or closes the connection",
		"find what answers there: netstat -ano on the front end; outside, see to which port the publishing rule bridges")
	reasonFirmwareTLSFailed = noUpdate("firmware_tls_failed",
		"no TLS connection to the server of a file comes about, although TLS 1.0 with RSA key exchange is offered beside the new",
		"see that the listener of the TMG or ISA rule has a certificate, and its SSL settings")
	reasonFirmwareNotFound = noUpdate("firmware_not_found",
		"a file of an update is not there (404)",
		"upload the update again (Software Update Service snap-in), see that the virtual directory DeviceUpdateFiles_Int or _Ext exists "+
			mendMIME)
	reasonFirmwareForbidden = noUpdate("firmware_forbidden",
		"a file of an update is forbidden (403)",
		"let the application pool's account read the share with the files; outside, add /DeviceUpdateFiles_Ext/* to the paths of the TMG "+
			"or ISA publishing rule")
	reasonFirmwareServerError = noUpdate("firmware_server_error",
		"the server of a file answers with an error of its own (5xx)",
		"see that IIS reaches the share with the files (its log, the application event log); outside, that the TMG or ISA rule reaches IIS")
	reasonFirmwareRedirect = noUpdate("firmware_redirect",
		"a file of an update leads elsewhere (3xx); it is not known that phones follow",
		"take HTTP Redirect and URL Rewrite off DeviceUpdateFiles_Int and _Ext in IIS")
	reasonFirmwareStatus = noUpdate("firmware_status",
		"a file of an update is answered with a status that phones cannot use",
		"see what was seen; see IIS' log on the front end")
	reasonFirmwarePage = noUpdate("firmware_page",
		"a page is given in the stead of a file of an update",
		"open the address in a browser and see what it says; a sign-in page of a proxy comes from a publishing rule that authenticates by form")
	reasonFirmwareEmpty = noUpdate("firmware_empty",
		"a file of an update has no bytes, or an image far too few: it has some 15 MiB",
		"upload the update again (Software Update Service snap-in)")
	reasonFirmwareLogonWanted = noUpdate("firmware_logon_wanted",
		"a file of an update wants a logon inside, or one outside that is not NTLM (401)",
		"enable Anonymous Authentication on DeviceUpdateFiles_Int, and Windows Authentication with NTLM on DeviceUpdateFiles_Ext in IIS")
	reasonBaseURLForeign = noUpdate("base_url_foreign",
		"the update service names files at a place that the exporter does not follow: another company's host, another port, or no URL",
		"correct InternalUpdatesStoreURL and ExternalUpdatesStoreURL"+mendWMI+"; a file that is meant goes into update.paths")
	reasonPublishingHalf = noUpdate("publishing_half",
		"only one of /RequestHandlerExt and /DeviceUpdateFiles_Ext is published: phones outside find an update and cannot fetch it, or never look",
		"give the TMG or ISA publishing rule both paths, /RequestHandlerExt/* and /DeviceUpdateFiles_Ext/*, with the same authentication")
)

// What is shown of the files and stops nobody.
var (
	reasonFirmwareAnonymous = noting("firmware_anonymous",
		"files of updates are given to everybody on the Internet, without a logon",
		"nothing", "take Anonymous Authentication off /DeviceUpdateFiles_Ext in IIS once no 1.0.199 phone needs it")
	reasonInterimMissing = noting("interim_image_missing",
		"the image that OCS 2007 R2 ships with for the step from 1.0.199.123 (OCInterim) is not there; outside, without any other file "+
			"that is known, it may be that no file is published",
		"nothing on phones with 1.0.522 or newer; older ones stay at their version",
		"nothing where no phone has 1.0.199.123; else copy OCInterim from the installation media into the store of updates")
)

var reasonFirmwareNamesUnanswered = resetting(phone.ResetUpdate, blinding("firmware_names_unanswered",
	"no resolver answers the name of a file's server, so it is not known whether the file is there",
	"see what the dns collector says of the resolvers"))

// firmwareProblems has a reason for each way to get no HTTP answer.
var firmwareProblems = map[facts.WebProblem]*Reason{
	facts.WebUnreachable: reasonFirmwareUnreachable,
	facts.WebSilent:      reasonFirmwareSilent,
	facts.WebTLSFailed:   reasonFirmwareTLSFailed,
	facts.WebUntrusted:   reasonFirmwareTLSFailed,
	facts.WebMalformed:   reasonFirmwareMalformed,
	facts.WebNoLogon:     reasonUpdateLogonFailed,
	facts.WebOwnLimit:    reasonDownloadLimited,
	facts.WebBadRequest:  reasonFirmwareMalformed,
}

var firmwareStatuses = statusReasons{
	forbidden: reasonFirmwareForbidden, notFound: reasonFirmwareNotFound, redirect: reasonFirmwareRedirect,
	serverError: reasonFirmwareServerError, other: reasonFirmwareStatus,
}

func firmwareReasons() []*Reason {
	out := []*Reason{
		reasonFirmwareUnresolved, reasonFirmwareUnreachable, reasonFirmwareSilent, reasonFirmwareMalformed, reasonFirmwareTLSFailed,
		reasonFirmwareNotFound, reasonFirmwareForbidden, reasonFirmwareServerError, reasonFirmwareRedirect, reasonFirmwareStatus,
		reasonFirmwarePage, reasonFirmwareEmpty, reasonFirmwareLogonWanted, reasonUpdateCertificate, reasonBaseURLForeign, reasonPublishingHalf,
		reasonDownloadCutOff, reasonImagesDiffer, reasonFirmwareAnonymous, reasonInterimMissing, reasonFirmwareLeftOut,
		reasonFirmwareNamesUnanswered,
	}
	return append(out, webLogonReasons()...)
}

// The ways in which an image that is there does not come through.
var (
	reasonDownloadCutOff = noUpdate("firmware_cut_off",
		"an image does not come as a whole: the connection ends early, or fewer bytes come than were told or were there before",
		"upload the update again (Software Update Service snap-in) and compare its size on each front end; see time limits and filters of the "+
			"TMG or ISA rule (Malware Inspection, HTTP filter: maximum payload); where it is meant to be smaller, take it out of the state file")
	reasonDownloadStalled = noUpdate("firmware_stalled",
		"an image begins to come and then stops, or takes longer than the probe may",
		"see the load of the server and of the line to it, and bandwidth limits in IIS and on the TMG or ISA rule")
	reasonDownloadSlow = noUpdate("firmware_slow",
		"an image comes slower than 32 KiB a second: it takes a phone more than eight minutes, which may be too long for it",
		"see the load of the server and of the line to it, and bandwidth limits in IIS and on the TMG or ISA rule")
	reasonImagesDiffer = noUpdate("images_differ",
		"the servers give different images under the same version, or a name leads to several servers whose files differ in size",
		"upload the same update on every front end; they do not copy updates to one another")
	reasonDownloadLimited = resetting(phone.ResetUpdate, blinding("download_limited",
		"an image does not come through in the probe's time at the rate to which the exporter holds itself, so it is not known whether it would",
		"raise max_bytes_per_second or timeout of firmware_download in the site file"))
	reasonFirmwareLeftOut = noting("firmware_left_out",
		"there are more files of updates than one probe looks at; of the others nothing is known",
		"nothing", "take old updates out of the approved ones, or entries out of update.paths and front_ends")
	reasonNoImage = noting("no_image",
		"there is no image that could be read: none is offered to a plain request, or none is there for us",
		"nothing by itself",
		"see what the firmware collector says; name the image of the approved version in update.paths, or turn update.post on")
)
