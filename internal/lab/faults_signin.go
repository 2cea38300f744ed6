package lab

// sipFaults are those of the registrar beyond its TLS.
func sipFaults() []fault {
	sip := func(name, text string, mode sipMode, reasons ...string) fault {
		return fault{Fault{Name: name, Network: "internal", Collector: "sip", Reasons: reasons, Text: text}, func(s *state) {
			s.pool[firstFrontEnd].sip = mode
		}}
	}
	return []fault{
		sip("sip_old_blocked", "the client version filter declines 1.0.199.123", sipBlocksOldest, "sip_version_blocked", "sip_unavailable"),
		sip("sip_403", "the registrar forbids everybody", sipForbids, "sip_forbidden", "sip_unavailable"),
		sip("sip_503", "the registrar is overloaded", sipOverloaded, "sip_overloaded", "sip_unavailable"),
		sip("sip_404", "the registrar knows no such user", sipKnowsNobody, "sip_user_unknown"),
		sip("sip_time_skew", "the registrar finds the clock off", sipFindsTimeSkew, "sip_time_skew", "sip_unavailable"),
		sip("sip_redirects", "the registrar leads to itself", sipLeadsOn, "sip_redirect_circle", "sip_unavailable"),
		sip("sip_basic", "the registrar offers no Windows logon", sipOffersBasic, "sip_no_windows_logon", "sip_unavailable"),
		sip("sip_silent", "the registrar says nothing after the handshake", sipSilent, "sip_silent", "sip_unavailable"),
		sip("sip_garbage", "what answers at the registrar speaks HTTP", sipBabbles, "sip_malformed", "sip_unavailable"),
	}
}

func exchangeFaults() []fault {
	mail := func(name, text string, apply func(*mailState), reasons ...string) fault {
		return fault{Fault{Name: name, Network: "internal", Collector: "exchange", Reasons: reasons, Text: text}, func(s *state) {
			apply(&s.mail[mailInside])
		}}
	}
	does := func(mode mailMode) func(*mailState) { return func(s *mailState) { s.mode = mode } }
	return []fault{
		mail("exchange_404", "Autodiscover is not there", does(mailMissing), "exchange_not_found"),
		mail("exchange_500", "Autodiscover answers 500", does(mailFails), "exchange_server_error"),
		mail("exchange_basic", "Autodiscover offers no NTLM", does(mailOffersBasic), "exchange_no_ntlm"),
		mail("exchange_anonymous", "Autodiscover asks for no logon", does(mailOpen), "exchange_anonymous"),
		mail("exchange_html", "a page is given for Autodiscover", does(mailPage), "exchange_page"),
		mail("exchange_wrong_name", "Exchange's certificate is for another name", func(s *mailState) { s.leaf = leafWrongName }, "exchange_certificate"),
		mail("exchange_hardened", "Exchange takes nothing older than TLS 1.2", func(s *mailState) { s.hardened = true }, "exchange_hardened"),
		{Fault{Name: "exchange_down", Network: "internal", Collector: "exchange", Reasons: []string{"exchange_unreachable"},
			Text: "nothing listens where autodiscover leads to"}, moved(autodiscoverName)},
		{Fault{Name: "exchange_srv_only", Network: "internal", Collector: "exchange", Reasons: []string{"autodiscover_srv_only"},
			Also: map[string][]string{"dns": {"autodiscover_missing"}}, Text: "Exchange has an SRV record only"}, func(s *state) {
			drops(autodiscoverName)(s)
			for _, i := range []int{inside1, inside2} {
				s.resolvers[i].records[autodiscoverSRV] = append(s.resolvers[i].records[autodiscoverSRV], srv(autodiscoverSRV, tlsPort, "mail.fabrikam.com."))
			}
		}},
	}
}
