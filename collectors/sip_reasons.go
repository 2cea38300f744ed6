package collectors

const (
	screenPermission = "Cannot sign in. You do not have the necessary permissions. Contact your system administrator"
	screenSIP        = "Cannot sign in because the server is temporarily unavailable, or it tries again and again"
)

// sipFault makes a reason that concerns one registrar. It degrades only, since another may answer better; where none
// does, sip_unavailable says so.
func sipFault(name, means, screen, mend string) *Reason {
	return &Reason{Name: name, Effect: Degrades, Means: means, Screen: screen, Mend: mend, AtPhone: atPhonePool}
}

// The ways in which registrars do not take up a sign-in.
var (
	reasonSIPUnavailable = summingUp(noPool("sip_unavailable",
		"no registrar in the sign-in order of a firmware takes up a sign-in, although TLS works",
		"mend what the other reasons name; the first server in the order first"))
	reasonSIPVersionBlocked = sipFault("sip_version_blocked",
		"the client version filter of the registrar declines the release of the phone", screenPermission,
		"allow OCPhone from that release on in the Client Version Filter of the pool, and of the Access Edge; or update the phones")
	reasonSIPFilterTrouble = sipFault("sip_filter_trouble",
		"the client version filter of the registrar declines without looking at the release: it is overloaded, or cannot read the User-Agent",
		screenPermission, "see the Client Version Filter of the pool; where only the exporter is declined, correct user_agent in firmware_profiles")
	reasonSIPForbidden = sipFault("sip_forbidden",
		"the registrar forbids the sign-in (403) before it knows who it is", screenPermission,
		"see what was seen: ms-diagnostics names the rule; outside, see that remote user access is on at the Access Edge")
	reasonSIPNoRoute = sipFault("sip_domain_not_served",
		"the registrar does not serve the SIP domain, or does not know it", screenSIP,
		"add the SIP domain to those that the forest supports (Office Communications Server snap-in, forest properties) and to the pool")
	reasonSIPTimeSkew = sipFault("sip_time_skew",
		"the registrar finds the clock too far off (ms-diagnostics 1013)", "Cannot sign in; the clock of the phone may be wrong",
		"see what the ntp collector says, and set the clock of the server right: w32tm /resync")
	reasonSIPNoLogon = sipFault("sip_no_windows_logon",
		"the registrar offers neither NTLM nor Kerberos, by which phones log on", screenSIP,
		"set Authentication protocol to Both NTLM and Kerberos in the pool's front end properties")
	reasonSIPEvent = sipFault("sip_bad_event",
		"the registrar does not know what phones ask (489): it is no registrar of Office Communications Server", screenSIP,
		"see to what the SRV record and sip.<SIP domain> lead; OCS' Access Edge or pool must answer there")
	reasonSIPOverloaded = sipFault("sip_overloaded",
		"the registrar cannot serve just now (503): it is overloaded, or its next hop is down", screenSIP,
		"see the services of the front ends and their back-end database (Get-Service RTC*, event log Office Communications Server)")
	reasonSIPNextHop = sipFault("sip_next_hop",
		"the registrar cannot reach the next hop: its name is not resolved, or its certificate not trusted (504)", screenSIP,
		"on the Access Edge, see the internal next hop's name, its DNS record and its certificate; ms-diagnostics says which")
	reasonSIPServerError = sipFault("sip_server_error",
		"the registrar answers with an error of its own (5xx)", screenSIP,
		"see the event log Office Communications Server on the front end")
	reasonSIPStatus = sipFault("sip_status",
		"the registrar answers with a status that phones cannot use", screenSIP, "see what was seen")
	reasonSIPSilent = sipFault("sip_silent",
		"the registrar ends the TLS handshake and then says nothing", screenSIP,
		"restart the Front End service (outside the Access Edge) and see its event log")
	reasonSIPClosed = sipFault("sip_closed",
		"the registrar ends the TLS handshake and closes the connection when it is asked", screenSIP,
		"see the event log of the Front End service; see that no proxy of another kind listens there")
	reasonSIPMalformed = sipFault("sip_malformed",
		"what answers at the registrar's port speaks no SIP", screenSIP,
		"find what listens there (netstat -ano): a web server, or a proxy that inspects TLS")
	reasonSIPRedirectCircle = sipFault("sip_redirect_circle",
		"registrars lead on and on (301 or 302), more than three times", screenSIP,
		"see the home pool of the users, and the Director's routes")
	reasonSIPRedirectLost = sipFault("sip_redirect_lost",
		"the registrar leads to another one with which no connection comes about, or that has no address", screenSIP,
		"inside, create the A record of the pool that is named where it has none, else see that its front ends run and a firewall lets "+
			"phones through to them; outside, an Access Edge must not redirect")
)

// What is shown of registrars and stops nobody.
var (
	reasonSIPAnonymous = noting("sip_anonymous",
		"the registrar takes a registration without a logon: it is none of Office Communications Server",
		"nothing by itself", "see to what the SRV record and sip.<SIP domain> lead")
	reasonSIPVersionWarned = noting("sip_version_warned",
		"the client version filter lets a release of the phone in, but sends its user to a page (ms-diagnostics 17004)",
		"nothing, or a notice", "see the Client Version Filter of the pool; it is about to be made to decline, perhaps")
	reasonSIPTargetName = noting("sip_targetname_differs",
		"the registrar names itself for the logon, in targetname, as neither its certificate nor the names that lead to it do: "+
			"right behind a load balancer, else another server than meant may answer",
		"nothing, or it asks for the password again and again",
		"see that the name is of a front end of that pool; where it is not, see to what the SRV record and sip.<SIP domain> lead")
	reasonSIPLeftOut = noting("sip_left_out",
		"the sign-in order, or a redirect, leads to more registrars than are asked", "nothing",
		"take addresses out of DNS that serve no phones, such as those of retired front ends")
)

// The ways in which it cannot be told whether registrars take up a sign-in.
var (
	reasonSIPNoConnection = poolUnknown("sip_no_connection",
		"no registrar could be asked, since no TLS as phones have it comes about", "see what the pool collector says")
	reasonSIPNamesUnanswered = poolUnknown("sip_names_unanswered",
		"no registrar that was found takes up a sign-in, and no resolver answers other names of the sign-in order",
		"see what the dns collector says of the resolvers")
	reasonSIPNotAllAsked = poolUnknown("sip_not_all_asked",
		"no registrar that was asked takes up a sign-in, and there are more than are asked",
		"mend what the other reasons name, or take addresses out of DNS")
	reasonSIPUserUnknown = poolUnknown("sip_user_unknown",
		"the registrar declines the user that the exporter made up, before any logon: there is none (404), or he is not let in from outside (403 "+
			"with 4003 in ms-diagnostics); whether it takes up sign-ins is not seen",
		"nothing at the server; write the name of a user that exists, such as a test account, into sip.user of the site file")
	reasonSIPRequestDeclined = poolUnknown("sip_request_declined",
		"the registrar finds fault with the exporter's request itself, which is no phone's: whether it takes up sign-ins is not seen",
		"report what was seen to the exporter's developers")
	reasonSIPRedirectForeign = poolUnknown("sip_redirect_foreign",
		"the registrar leads to another one in none of the site's domains, or on a port of its own; phones may follow, the exporter does not",
		"where it is meant, name its domain in the site file; else see the home pool of the users, and the Director's routes")
)

func sipReasons() []*Reason {
	return []*Reason{
		reasonSIPUnavailable, reasonSIPVersionBlocked, reasonSIPFilterTrouble, reasonSIPForbidden, reasonSIPNoRoute, reasonSIPTimeSkew,
		reasonSIPNoLogon, reasonSIPEvent, reasonSIPOverloaded, reasonSIPNextHop, reasonSIPServerError, reasonSIPStatus,
		reasonSIPSilent, reasonSIPClosed, reasonSIPMalformed, reasonSIPRedirectCircle, reasonSIPRedirectLost, reasonSIPAnonymous, reasonSIPTargetName,
		reasonSIPVersionWarned, reasonSIPLeftOut, reasonSIPNoConnection, reasonSIPNamesUnanswered, reasonSIPNotAllAsked, reasonSIPUserUnknown,
		reasonSIPRequestDeclined, reasonSIPRedirectForeign,
	}
}
