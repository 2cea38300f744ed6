package lab

import "time"

// sipFaults are those of the registrar beyond its TLS.
func sipFaults() []fault {
	faulty := func(name, text string, apply func(*state), reasons ...string) fault {
		return fault{Fault{Name: name, Network: "internal", Collector: "sip", Reasons: reasons, Text: text}, apply}
	}
	sip := func(name, text string, with sipState, reasons ...string) fault {
		return faulty(name, text, func(s *state) { s.pool[firstFrontEnd].sip = with }, reasons...)
	}
	says := func(status string, headers ...string) sipState { return sipState{status: status, headers: headers} }
	const logon = "401 Unauthorized"
	skewed := append(windowsLogon("pool01.contoso.com"), diagnosed(1013, "Significant time skew detected during authentication"))
	return []fault{
		sip("sip_old_blocked", "the client version filter declines 1.0.199.123", sipState{mode: sipBlocksOldest}, "sip_version_blocked", "sip_unavailable"),
		sip("sip_filter", "the client version filter cannot read the User-Agent", says("403 Forbidden", diagnosed(17001, "Unknown client")),
			"sip_filter_trouble", "sip_unavailable"),
		sip("sip_403", "the registrar forbids everybody", says("403 Forbidden"), "sip_forbidden", "sip_unavailable"),
		sip("sip_404", "the registrar knows no such user", says("404 Not Found", diagnosed(4005, "Destination URI either not enabled for SIP or does not exist")),
			"sip_user_unknown"),
		sip("sip_domain", "the registrar does not serve the SIP domain", says("404 Not Found", diagnosed(1005, "Cannot route to destination domain")),
			"sip_domain_not_served", "sip_unavailable"),
		sip("sip_420", "the registrar finds the request bad", says("420 Bad Extension"), "sip_status", "sip_unavailable"),
		sip("sip_489", "what answers is no registrar of OCS", says("489 Bad Event"), "sip_bad_event", "sip_unavailable"),
		sip("sip_500", "the registrar answers 500", says("500 Internal Server Error"), "sip_server_error", "sip_unavailable"),
		sip("sip_503", "the registrar is overloaded", says("503 Service Unavailable"), "sip_overloaded", "sip_unavailable"),
		sip("sip_504", "the registrar does not reach the next hop", says("504 Server time-out", diagnosed(1010, "Certificate trust with next-hop server")),
			"sip_next_hop", "sip_unavailable"),
		sip("sip_anonymous", "the registrar wants no logon", says("200 OK"), "sip_anonymous"),
		sip("sip_time_skew", "the registrar finds the clock off", says(logon, skewed...), "sip_time_skew", "sip_unavailable"),
		sip("sip_warned", "the client version filter lets phones in, and users see a page",
			says(logon, append(windowsLogon("pool01.contoso.com"), diagnosed(17004, "Client version allowed with URL"))...), "sip_version_warned"),
		sip("sip_4055", "the registrar finds fault with the request itself", says("489 Bad Event", diagnosed(4055, "Event is not registration")),
			"sip_request_declined"),
		sip("sip_remote", "the registrar does not let the made-up user in from outside",
			says("403 Forbidden", diagnosed(4003, "From URI not enabled for remote access")), "sip_user_unknown"),
		sip("sip_late", "the registrar's clock is an hour slow", sipState{late: time.Hour}),
		sip("sip_other_name", "the registrar calls itself by a strange name", says(logon, windowsLogon("fe07.contoso.com")...), "sip_targetname_differs"),
		sip("sip_redirects", "the registrar leads to itself", says("301 Moved Permanently", "Contact: <sip:sip.fabrikam.com:5061;transport=tls>"),
			"sip_redirect_circle", "sip_unavailable"),
		sip("sip_leads_away", "the registrar leads to another company", says("302 Moved Temporarily", "Contact: <sip:sip.example.com:5061;transport=tls>"),
			"sip_redirect_foreign"),
		sip("sip_leads_nowhere", "the registrar leads to a pool that has no address", says("302 Moved Temporarily", "Contact: <sip:gone.contoso.com:5061;transport=tls>"),
			"sip_redirect_lost", "sip_unavailable"),
		sip("sip_leads_on", "the registrar leads to one whose certificate has another name",
			says("301 Moved Permanently", "Contact: <sip:fe02.contoso.com:5061;transport=tls>")),
		sip("sip_basic", "the registrar offers no Windows logon", says(logon, `WWW-Authenticate: Basic realm="x"`), "sip_no_windows_logon", "sip_unavailable"),
		sip("sip_silent", "the registrar says nothing after the handshake", sipState{mode: sipSilent}, "sip_silent", "sip_unavailable"),
		sip("sip_closes", "the registrar closes the connection when it is asked", sipState{mode: sipCloses}, "sip_closed", "sip_unavailable"),
		sip("sip_garbage", "what answers at the registrar speaks HTTP", sipState{mode: sipBabbles}, "sip_malformed", "sip_unavailable"),
		with(faulty("sip_crowd", "the registrar forbids; sip leads to many dead addresses too", func(s *state) {
			s.pool[firstFrontEnd].sip = says("403 Forbidden")
			crowded(sipName)(s)
		}, "sip_forbidden", "sip_left_out", "sip_not_all_asked"), map[string][]string{"pool": {"pool_left_out", "pool_unreachable"}}),
	}
}

func exchangeFaults() []fault {
	mail := func(name, text string, apply func(*mailState), reasons ...string) fault {
		return fault{Fault{Name: name, Network: "internal", Collector: "exchange", Reasons: reasons, Text: text}, func(s *state) {
			apply(&s.mail[mailInside])
		}}
	}
	does := func(mode mailMode) func(*mailState) { return func(s *mailState) { s.mode = mode } }
	troubled := func(t webTrouble) func(*state) { return func(s *state) { s.mail[mailInside].trouble = t } }
	return append(webFaults("exchange", "exchange", "Autodiscover", troubled, "silent", "garbage", "403", "418", "302"),
		mail("exchange_deaf", "Exchange ends every handshake", func(s *mailState) { s.deaf = true }, "exchange_tls_failed"),
		mail("exchange_404", "Autodiscover is not there", does(mailMissing), "exchange_not_found"),
		mail("exchange_500", "Autodiscover answers 500", does(mailFails), "exchange_server_error"),
		mail("exchange_basic", "Autodiscover offers no NTLM", does(mailOffersBasic), "exchange_no_ntlm"),
		mail("exchange_anonymous", "Autodiscover asks for no logon", does(mailOpen), "exchange_anonymous"),
		mail("exchange_html", "a page is given for Autodiscover", does(mailPage), "exchange_page"),
		mail("exchange_wrong_name", "Exchange's certificate is for another name", func(s *mailState) { s.leaf = leafWrongName }, "exchange_untrusted"),
		mail("exchange_hardened", "Exchange takes nothing older than TLS 1.2", func(s *mailState) { s.hardened = true }, "exchange_hardened"),
		mail("exchange_no_mailbox", "Autodiscover knows no such mailbox", func(s *mailState) { s.settings = knowsNoMailbox }, "autodiscover_refuses"),
		mail("exchange_no_ews", "Autodiscover names no web services", func(s *mailState) { s.settings = tellsNoWebServices }, "ews_missing"),
		mail("exchange_ews_elsewhere", "Autodiscover names another company's web services",
			func(s *mailState) { s.settings = tellsForeignWebServices }, "ews_foreign"),
		mail("exchange_ews_404", "the web services are not where Autodiscover says", func(s *mailState) { s.ewsMissing = true }, "ews_failed"),
		mail("exchange_parted", "what is before Exchange parts the requests of a logon", func(s *mailState) { s.ntlm = ntlmParted }, "exchange_logon_failed"),
		fault{Fault{Name: "exchange_down", Network: "internal", Collector: "exchange", Reasons: []string{"exchange_unreachable"},
			Text: "nothing listens where autodiscover leads to"}, moved(autodiscoverName)},
		fault{Fault{Name: "exchange_leads_away", Network: "internal", Collector: "exchange", Reasons: []string{"exchange_redirect_foreign", "exchange_unreachable"},
			Also: map[string][]string{"certsrv": {"certsrv_https_only"}}, Text: "autodiscover is the CA's server, which leads to another company"},
			func(s *state) {
				drops(autodiscoverName)(s)
				joins(autodiscoverName, caName)(s)
				s.certsrv.trouble = redirects("https://mail.example.com/autodiscover/autodiscover.xml")
			}},
		fault{Fault{Name: "exchange_srv_only", Network: "internal", Collector: "exchange", Reasons: []string{"autodiscover_srv_only"},
			Also: map[string][]string{"dns": {"autodiscover_missing"}}, Text: "Exchange has an SRV record only"}, func(s *state) {
			drops(autodiscoverName)(s)
			for _, i := range []int{inside1, inside2} {
				s.resolvers[i].records[autodiscoverSRV] = append(s.resolvers[i].records[autodiscoverSRV], srv(autodiscoverSRV, tlsPort, "mail.fabrikam.com."))
			}
		}})
}
