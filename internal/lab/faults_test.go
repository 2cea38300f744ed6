package lab

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"github.com/cx700/cx700_exporter/internal/phone"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// questions are those in which the faults show.
func questions() [][2]string {
	return [][2]string{
		{"A", sipName}, {"A", autodiscoverName}, {"A", reverseProxyName}, {"A", updateName}, {"A", poolName}, {"A", frontEndName}, {"A", ntpName}, {"A", windowsTimeName},
		{"SRV", sipInternalSRV}, {"SRV", sipExternalSRV}, {"SRV", ntpSRV},
		{"A", dhcpDomain}, {"A", controllerName}, {"SRV", controllerSRV}, {"A", caName},
		{"A", "made-up.contoso.com."}, {"SRV", "made-up.contoso.com."}, {"A", "made-up.fabrikam.com."},
	}
}

// look asks everything of a site at the same time. The keys are the server, the type and the name.
func look(t *testing.T, l *Lab, o *office) map[string]string {
	t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	seen := map[string]string{}
	note := func(key string, get func() string) {
		wg.Go(func() {
			value := get()
			mu.Lock()
			defer mu.Unlock()
			seen[key] = value
		})
	}
	for i, server := range [resolvers]string{inside1: "inside1", inside2: "inside2", outside: "outside"} {
		for _, q := range questions() {
			note(server+" "+q[0]+" "+q[1], func() string { return ask(t, o.resolvers[i], "udp", q[1], q[0]) })
		}
	}
	for i, server := range [clocks]string{insideClock: "clock inside", secondClock: "clock second", outsideClock: "clock outside"} {
		note(server, func() string { return askTime(t, o.clocks[i]) })
	}
	for i, server := range [dhcpServers]string{firstDHCP: "dhcp first", secondDHCP: "dhcp second"} {
		note(server+" nobody", func() string { return askDHCP(t, o.dhcp[i], "") })
		for _, class := range phone.VendorClasses() {
			note(server+" "+class, func() string { return askDHCP(t, o.dhcp[i], class) })
		}
	}
	if o.index == 0 { // all sites share them
		for i, network := range [vantages]string{vantageInside: "inside", vantageOutside: "outside"} {
			note("reference "+network+" resolver", func() string { return ask(t, l.references[i].resolver, "udp", referenceName, "A") })
			for c, clock := range l.references[i].clocks {
				note(fmt.Sprintf("reference %s clock %d", network, c), func() string { return askTime(t, clock) })
			}
		}
	}
	note("wins", func() string { return askWINS(t, o.wins) })
	for what, search := range searches() {
		note("dc "+what, func() string { return askDirectory(t, o, search) })
	}
	note("certsrv", func() string { return askCertsrv(t, o.certsrv) })
	for server, w := range map[string]*webServer{"pool01": o.frontEnds[firstFrontEnd], "fe02": o.frontEnds[secondFrontEnd]} {
		note("update "+server, func() string { return askUpdate(t, w, "http", "/RequestHandler/ucdevice.upx") })
		note("image "+server, func() string { return askImage(t, w, "http", "/DeviceUpdateFiles_Int/"+imagePath) })
	}
	note("update outside", func() string { return askUpdate(t, o.proxy, "https", "/RequestHandlerExt/ucdevice.upx") })
	note("proxy takes TLS 1.0", func() string { return fmt.Sprint(speaksOldTLS(t, o.proxy)) })
	note("image outside", func() string { return askImage(t, o.proxy, "https", "/DeviceUpdateFiles_Ext/"+imagePath) })
	for server, s := range map[string]*tcpServer{"pool01": o.pool[firstFrontEnd], "fe02": o.pool[secondFrontEnd], "edge": o.edge} {
		note("pool "+server+" phone", func() string { return askPool(t, s, tls.VersionTLS10) })
		note("pool "+server+" modern", func() string { return askPool(t, s, tls.VersionTLS12) })
		for _, fw := range phone.KnownFirmware() {
			note("sip "+server+" "+fw.Version, func() string { return askSIP(t, s, fw) })
		}
	}
	for i, server := range [mailServers]string{mailInside: "mail inside", mailOutside: "mail outside"} {
		note(server, func() string { return askMail(t, o.mail[i]) })
	}
	wg.Wait()
	seen["site file"] = said(o)
	return seen
}

// said is what a site's part of the site file says and does not when all is well.
func said(o *office) string {
	var now, well strings.Builder
	o.writeTo(&now, o.state.Load().settings, "root.pem", false)
	o.writeTo(&well, healthySettings(o.index), "root.pem", false)
	var out []string
	for line := range strings.Lines(now.String()) {
		if !strings.Contains(well.String(), line) {
			out = append(out, strings.TrimSpace(line))
		}
	}
	return strings.Join(out, "; ")
}

// effects is what each fault changes: by the beginning of a key, what a client then sees. A plus stands
// for the healthy answer.
func effects() map[string]map[string]string {
	both := func(question, now string) map[string]string {
		return map[string]string{"inside1 " + question: now, "inside2 " + question: now}
	}
	return map[string]map[string]string{
		"srv_dropped":   both("SRV "+sipInternalSRV, "NXDOMAIN"),
		"sip_a_dropped": both("A "+sipName, "NXDOMAIN"),
		"registrar_gone": {
			"inside1 A " + sipName: "NXDOMAIN", "inside1 SRV " + sipInternalSRV: "NXDOMAIN",
			"inside2 A " + sipName: "NXDOMAIN", "inside2 SRV " + sipInternalSRV: "NXDOMAIN",
		},
		"srv_target_gone":       both("A "+poolName, "NXDOMAIN"),
		"ntp_srv_dropped":       both("SRV "+ntpSRV, "NXDOMAIN"),
		"autodiscover_dropped":  both("A "+autodiscoverName, "NXDOMAIN"),
		"ucupdates_dropped":     both("A "+updateName, "NXDOMAIN"),
		"external_srv_dropped":  {"outside SRV " + sipExternalSRV: "NXDOMAIN"},
		"reverse_proxy_dropped": {"outside A " + reverseProxyName: "NXDOMAIN"},
		"wildcard_sip": {
			"inside1 A made-up.fabrikam.com.": "192.0.2.99", "inside2 A made-up.fabrikam.com.": "192.0.2.99",
			"inside1 SRV " + sipExternalSRV: "NODATA", "inside2 SRV " + sipExternalSRV: "NODATA",
			"inside1 A " + reverseProxyName: "192.0.2.99", "inside2 A " + reverseProxyName: "192.0.2.99",
		},
		"wildcard": {
			"inside1 A made-up.contoso.com.": "192.0.2.99", "inside1 SRV made-up.contoso.com.": "NODATA",
			"inside2 A made-up.contoso.com.": "192.0.2.99", "inside2 SRV made-up.contoso.com.": "NODATA",
		},
		"dns_servfail":        both("", "SERVFAIL"),
		"dns_refused":         both("", "REFUSED"),
		"dns_silent":          both("", "silence"),
		"dns_garbage":         both("", "garbage"),
		"dns_truncated":       both("", "no TCP"),
		"dns_one_silent":      {"inside2 ": "silence"},
		"dns_lying":           {"inside2 A " + sipName: "192.0.2.66", "inside2 A " + poolName: "192.0.2.66"},
		"dns_long_answer":     both("", "+ over TCP"),
		"ntp_off":             {"clock inside": "stratum 3, off by 7m0s"},
		"ntp_unsynchronised":  {"clock inside": "leap 3, stratum 16"},
		"ntp_silent":          {"clock inside": "silence"},
		"ntp_kiss":            {"clock inside": "kiss RATE"},
		"ntp_garbage":         {"clock inside": "garbage"},
		"external_ntp_silent": {"clock outside": "silence"},

		"dhcp_silent":         {"dhcp ": "silence"},
		"dhcp_one_silent":     {"dhcp second": "silence"},
		"dhcp_garbage":        {"dhcp ": "garbage"},
		"dhcp_no_dns":         handed("6 0a4600050a460006 ", ""),
		"dhcp_other_dns":      handed("6 0a4600050a460006 ", "6 c0000235 "),
		"dhcp_no_domain":      handed(fmt.Sprintf("15 %x ", "contoso.com"), ""),
		"dhcp_netbios_domain": handed(fmt.Sprintf("15 %x ", "contoso.com"), fmt.Sprintf("15 %x ", "CONTOSO")),
		"dhcp_other_domain":   handed(fmt.Sprintf("15 %x ", "contoso.com"), fmt.Sprintf("15 %x ", "corp.contoso.com")),
		"dhcp_search_text":    handed("120 ", fmt.Sprintf("119 %x 120 ", "contoso.com;fabrikam.com")),
		"dhcp_search_rfc3397": handed("120 ", fmt.Sprintf("119 %x 120 ", "\x07contoso\x03com\x00\x08fabrikam\xc0\x08")),
		"dhcp_search_circle":  handed("120 ", fmt.Sprintf("119 %x 120 ", "\x01a\xc0\x04\x01b\xc0\x00")),
		"dhcp_no_wins":        handed("44 0a46000a ", ""),
		"dhcp_no_lync":        {"dhcp ": "6 0a4600050a460006 15 636f6e746f736f2e636f6d 44 0a46000a 46 08 51 00007080 "},
		"dhcp_servers_differ": only("dhcp second", handed(fmt.Sprintf("15 %x ", "contoso.com"), fmt.Sprintf("15 %x ", "fabrikam.com"))),

		"vantage_lost":             {"reference inside": "silence"},
		"vantage_clock_off":        {"reference inside clock": "stratum 3, off by 7m0s"},
		"vantage_reference_silent": {"reference inside resolver": "silence"},
		"vantage_reference_off":    {"reference inside clock 0": "stratum 3, off by 7m0s"},
		"external_vantage_lost":    {"reference outside": "silence"},
		"external_vantage_off":     {"reference outside clock": "stratum 3, off by 7m0s"},

		"wins_silent":  {"wins": "silence"},
		"wins_garbage": {"wins": "garbage"},
		"wins_refused": {"wins": "REFUSED"},
		"wins_forgets": {"wins": "NXDOMAIN"},
		"wins_stale":   {"wins": "e0000a46000ae000c0000242"},

		"ad_ca_empty":   {"dc certificates": "AIA empty, Certification Authorities empty, Public Key Services empty"},
		"ad_ca_garbage": {"dc certificates": "AIA unparsable, Certification Authorities unparsable, Public Key Services unparsable"},
		"ad_ca_hidden":  {"dc certificates": "AIA hidden, Certification Authorities hidden, Public Key Services hidden"},
		"ad_ca_wrong": {"dc certificates": "AIA Another ContosoCA, Certification Authorities Another ContosoCA, " +
			"Public Key Services Another ContosoCA"},
		"ad_ca_gone":          {"dc certificates": "nothing"},
		"ad_no_enrolment":     {"dc enrolment": "nothing"},
		"dc_down":             merged(both("A "+dhcpDomain, "192.0.2.13"), both("A "+controllerName, "192.0.2.13"), map[string]string{"dc ": "closed"}),
		"dc_silent":           {"dc ": "silence"},
		"ad_ca_many":          {"dc certificates": certificatesAnd(len(phone.Authorities()))},
		"dc_garbage":          {"dc ": "garbage"},
		"dc_srv_dropped":      both("SRV "+controllerSRV, "NXDOMAIN"),
		"ad_domain_a_dropped": both("A "+dhcpDomain, "NODATA"),
		"ad_bind_refused":     {"dc ": "data 52e"},
		"ad_account_disabled": {"dc ": "data 533"},
		"ad_referral":         {"dc ": "referral"},
		"ad_endless":          {"dc ": "endless"},

		"certsrv_404":       {"certsrv": "404"},
		"certsrv_html":      {"certsrv": "200 text/html"},
		"certsrv_down":      both("A "+caName, "192.0.2.13"),
		"certsrv_anonymous": {"certsrv": "200 application/x-pkcs7-certificates"},
		"certsrv_https":     {"certsrv": "302 https://ca01.contoso.com/certsrv/certnew.p7b?ReqID=CACert&Renewal=-1&Enc=b64"},
		"ca_name_dropped":   both("A "+caName, "NXDOMAIN"),

		"sip_old_blocked":     {"sip pool01 1.0.199.123": "SIP/2.0 403 Forbidden, ms-diagnostics: 17002"},
		"sip_403":             {"sip pool01": "SIP/2.0 403 Forbidden"},
		"sip_503":             {"sip pool01": "SIP/2.0 503 Service Unavailable"},
		"sip_404":             {"sip pool01": "SIP/2.0 404 Not Found, ms-diagnostics: 4005"},
		"sip_time_skew":       {"sip pool01": "+, ms-diagnostics: 1013"},
		"sip_redirects":       {"sip pool01": "SIP/2.0 301 Moved Permanently, Contact: <sip:sip.fabrikam.com:5061"},
		"sip_basic":           {"sip pool01": "+, WWW-Authenticate: Basic realm=\"x\""},
		"sip_silent":          {"sip pool01": "silence"},
		"sip_garbage":         {"sip pool01": "HTTP/1.1 400 Bad Request"},
		"exchange_404":        {"mail inside": "404 Not Found text/plain; charset=utf-8 by autodiscover.fabrikam.com"},
		"exchange_500":        {"mail inside": "500 Internal Server Error text/html by autodiscover.fabrikam.com"},
		"exchange_basic":      {"mail inside": "401 Unauthorized text/html Basic realm=\"mail\" by autodiscover.fabrikam.com"},
		"exchange_anonymous":  {"mail inside": "200 OK text/xml error 600 by autodiscover.fabrikam.com"},
		"exchange_html":       {"mail inside": "200 OK text/html by autodiscover.fabrikam.com"},
		"exchange_wrong_name": {"mail inside": "401 Unauthorized text/html Negotiate NTLM by pool99.contoso.com" + mailFor(servicesHere, "200 OK")},
		"exchange_other_ca": {
			"mail inside": "401 Unauthorized text/html Negotiate NTLM by autodiscover.fabrikam.com of Another ContosoCA" + mailFor(servicesHere, "200 OK")},
		"update_other_ca_outside": {
			"update outside": "crypto/rsa: verification error", "image outside": "crypto/rsa: verification error"},
		"pool_wildcard": {"pool pool01": "*.fabrikam.com until 2049"}, "pool_sha2": {"pool pool01": "pool01.contoso.com until 2049 by SHA256-RSA"},
		"rollover_ahead": {"dc certificates": "AIA ContosoCA, Certification Authorities Another ContosoCA, Certification Authorities ContosoCA, " +
			"Public Key Services ContosoCA"},
		"rollover": {"pool pool01": "pool01.contoso.com until 2049 of Another ContosoCA", "dc certificates": "AIA Another ContosoCA, " +
			"Certification Authorities Another ContosoCA, Public Key Services Another ContosoCA"},
		"exchange_hardened": {"mail inside": "no TLS 1.0, 401 Unauthorized text/html Negotiate NTLM by autodiscover.fabrikam.com" + mailFor(servicesHere, "200 OK")},
		"exchange_down":     both("A "+autodiscoverName, "192.0.2.13"),
		"exchange_srv_only": both("A "+autodiscoverName, "NXDOMAIN"),
		"pool_hardened":     {"pool pool01 phone": "remote error: tls: protocol version not supported"},
		"pool_phone_only":   {"pool pool01 modern": "remote error: tls: protocol version not supported"},
		"pool_down":         both("A "+sipName, "192.0.2.13"),
		"pool_hangs":        {"pool pool01": "silence", "sip pool01": "no TLS"},
		"pool_plain_text":   {"pool pool01": "tls: first record does not look like a TLS handshake", "sip pool01": "no TLS"},
		"pool_closes":       {"pool pool01": "EOF", "sip pool01": "no TLS"},
		"pool_expired":      {"pool pool01": "pool01.contoso.com until 2009"},
		"pool_member_expired": merged(both("A "+sipName, "10.70.0.81 10.70.0.83"),
			map[string]string{"pool fe02": "pool01.contoso.com until 2009"}),
		"pool_ends_soon":      {"pool pool01": "pool01.contoso.com until " + time.Now().Add(endsIn).Format("2006") + " of ContosoIssuingCA"},
		"pool_wrong_name":     {"pool pool01": "pool99.contoso.com until 2049"},
		"pool_members_differ": both("A "+sipName, "10.70.0.81 10.70.0.83"),
		"edge_hardened":       {"pool edge phone": "remote error: tls: protocol version not supported"},

		"update_500":               frontEndsSay("update ", "500"),
		"update_blank_urls":        frontEndsSay("update ", "200 text/xml: 1 file, base none, external none"),
		"update_other_version":     merged(frontEndsSay("update ", "200 text/xml: "+offered(otherVersion)), frontEndsSay("image ", "404")),
		"update_front_end_differs": {"update fe02": "200 text/xml: " + offered(otherVersion), "image fe02": "404"},
		"update_entity_bomb":       frontEndsSay("update ", "200 text/xml: entities"),
		"update_redirect_circle":   frontEndsSay("update ", "302 /RequestHandler/ucdevice.upx"),
		"update_html":              frontEndsSay("update ", "200 text/html"),
		"update_down": merged(both("A "+poolName, "192.0.2.13"), both("A "+frontEndName, "192.0.2.13"),
			both("A "+updateName, "192.0.2.13")),
		"update_anonymous_outside":  {"update outside": "200 text/xml: " + offered(offeredVersion), "image outside": "200, 65536 of 65536 bytes"},
		"update_403_outside":        {"update outside": "403", "image outside": "403"},
		"update_404_outside":        {"update outside": "404", "image outside": "404"},
		"update_half_published":     {"image outside": "403"},
		"firmware_missing":          frontEndsSay("image ", "404"),
		"firmware_cut":              frontEndsSay("image ", "200, 21845 of 21845 bytes"),
		"firmware_cut_wrong_length": frontEndsSay("image ", "200, 21845 of 65536 bytes"),
		"firmware_replaced":         frontEndsSay("image ", "200, other bytes"),
		"firmware_slow":             frontEndsSay("image ", "200, slow"),
	}
}

// moreEffects is the rest of effects.
func moreEffects() map[string]map[string]string {
	both := func(question, now string) map[string]string {
		return map[string]string{"inside1 " + question: now, "inside2 " + question: now}
	}
	sip := func(now string) map[string]string { return map[string]string{"sip pool01": now} }
	pool := func(now string) map[string]string {
		return map[string]string{"pool pool01": now, "sip pool01": "no TLS"}
	}
	mail := func(now string) map[string]string { return map[string]string{"mail inside": now} }
	certsrv := func(now string) map[string]string { return map[string]string{"certsrv": now} }
	dc := func(now string) map[string]string { return map[string]string{"dc ": now} }
	update := func(now string) map[string]string { return frontEndsSay("update ", now) }
	image := func(now string) map[string]string { return frontEndsSay("image ", now) }
	outside := func(now string) map[string]string {
		return map[string]string{"update outside": now, "image outside": now}
	}
	file := func(now string) map[string]string { return map[string]string{"site file": now} }
	noSRV := both("SRV "+sipInternalSRV, "NXDOMAIN")
	crowd := ""
	for host := range 20 {
		crowd += fmt.Sprintf(" 192.0.2.%d", 100+host)
	}
	controllers := "0 0 389 dc01.contoso.com."
	for _, name := range gone(12) {
		controllers += " 0 0 389 " + name
	}
	const asked = "401 Unauthorized text/html Negotiate NTLM by autodiscover.fabrikam.com"
	const elsewhere, host = "302 Found text/plain; charset=utf-8/elsewhere", " by autodiscover.fabrikam.com"
	offer := func(base string) string { return "200 text/xml: 1 file, base " + base + ", external none" }
	return map[string]map[string]string{
		"dns_one_gone":   file("resolvers: [10.70.0.5, 10.70.0.6, 192.0.2.13]"),
		"dhcp_one_gone":  file("dhcp: {servers: [10.70.0.2, 10.70.0.3, 192.0.2.13]}"),
		"dhcp_nowhere":   file("dhcp: {interface: cx700-none}"),
		"dhcp_no_search": file("search: [contoso.com, fabrikam.com]"),
		"dhcp_other_search": merged(file("search: [contoso.com, fabrikam.com]"),
			handed("120 ", fmt.Sprintf("119 %x 120 ", "contoso.com;corp.contoso.com"))),
		"wins_one_gone": merged(file("wins_servers: [10.70.0.10, 192.0.2.13]"), handed("44 0a46000a ", "44 0a46000ac000020d ")),
		"wins_no_domain": merged(file(`logon: 'CONTOSO\user'; search: [com]`), handed("120 ", fmt.Sprintf("119 %x 120 ", "com")),
			map[string]string{"wins": "NXDOMAIN"}),
		"no_account":    file("directory: {}"),
		"update_parted": file(`update: {credential: headquarters-mailbox, roots: ["root.pem"]}`),
		"update_foreign": merged(file(`update: {credential: headquarters-mailbox, roots: ["root.pem"]}`),
			outside("crypto/rsa: verification error")),
		"registrar_wildcard": merged(both("A made-up.fabrikam.com.", "192.0.2.99"), both("A "+reverseProxyName, "192.0.2.99"), both("A "+sipName, "192.0.2.99"),
			both("SRV "+sipExternalSRV, "NODATA"), both("SRV "+sipInternalSRV, "NODATA")),
		"ntp_no_source": merged(both("SRV "+ntpSRV, "NXDOMAIN"), both("A "+windowsTimeName, "NXDOMAIN")),
		"ntp_down":      both("A "+ntpName, "192.0.2.13"),
		"ntp_one_off":   merged(both("A "+ntpName, "10.70.0.20 10.70.0.21"), map[string]string{"clock second": "stratum 3, off by 7m0s"}),

		"ad_account_expired": dc("data 701"), "ad_account_locked": dc("data 775"), "ad_password_expired": dc("data 532"),
		"ad_bind_busy":     dc("LDAP Result Code 51 \"Busy\": "),
		"ad_wants_signing": dc("LDAP Result Code 8 \"Strong Auth Required\": 00002028: LdapErr: DSID-0C0901FC"),
		"ad_denied":        dc("data 0"),
		"dc_deaf":          dc("LDAP Result Code 200 \"Network Error\": remote error: tls: internal error"),
		"dc_wrong_name": dc("LDAP Result Code 200 \"Network Error\": tls: failed to verify certificate: x509: certificate is valid for " +
			"ocsrp.fabrikam.com, not dc01.contoso.com"),
		"dc_name_dropped": both("A "+controllerName, "NXDOMAIN"),
		"dc_elsewhere":    both("SRV "+controllerSRV, "0 0 389 dc01.fabrikam.com."),
		"dc_stranger":     both("SRV "+controllerSRV, "0 0 389 dc01.contoso.com. 0 0 389 dc02.contoso.com."),
		"dc_many":         both("SRV "+controllerSRV, controllers),
		"ad_ca_one_empty": {"dc certificates": "AIA ContosoCA, Certification Authorities ContosoCA, Certification Authorities empty, Public Key Services ContosoCA"},
		"ad_aia_empty":    {"dc certificates": "AIA empty, Certification Authorities ContosoCA, Public Key Services ContosoCA"},
		"ad_replicating": merged(both("SRV "+controllerSRV, "0 0 389 dc01.contoso.com. 0 0 389 dc02.contoso.com."),
			map[string]string{"dc certificates": certificatesAnd(1)}),
		"ad_password_ends":      {"dc account": "ends soon"},
		"ad_enrolment_hostless": {"dc enrolment": "Enrollment Services hidden"},

		"certsrv_silent": certsrv("silence"), "certsrv_garbage": certsrv("garbage"), "certsrv_403": certsrv("403"), "certsrv_418": certsrv("418"),
		"certsrv_500": certsrv("500"), "certsrv_basic": certsrv("401 Basic realm=\"contoso\""), "ca_name_unanswered": both("A "+caName, "SERVFAIL"),

		"pool_client_certificate": pool("remote error: tls: handshake failure"), "pool_garbage": pool("local error: tls: unexpected message"),
		"pool_ssl30": pool("tls: server selected unsupported protocol version 300"), "pool_tls11": {"pool pool01": "remote error: tls: protocol version not supported"},
		"pool_bad_certificate": pool("tls: failed to parse certificate from server: x509: malformed certificate"),
		"pool_early":           {"pool pool01": "pool01.contoso.com from 2048"},
		"pool_web_only":        merged(noSRV, both("A "+sipName, "10.70.0.82")),
		"pool_crowd":           merged(noSRV, both("A "+sipName, crowd[1:])),

		"sip_filter": sip("SIP/2.0 403 Forbidden, ms-diagnostics: 17001"), "sip_domain": sip("SIP/2.0 404 Not Found, ms-diagnostics: 1005"),
		"sip_420": sip("SIP/2.0 420 Bad Extension"), "sip_489": sip("SIP/2.0 489 Bad Event"), "sip_500": sip("SIP/2.0 500 Internal Server Error"),
		"sip_504": sip("SIP/2.0 504 Server time-out, ms-diagnostics: 1010"), "sip_anonymous": sip("SIP/2.0 200 OK"),
		"sip_warned": sip("+, ms-diagnostics: 17004"), "sip_4055": sip("SIP/2.0 489 Bad Event, ms-diagnostics: 4055"),
		"sip_remote": sip("SIP/2.0 403 Forbidden, ms-diagnostics: 4003"),
		"sip_late":   sip("+, slow by 1h0m0s"), "sip_other_name": sip("+, by another name, by another name"),
		"sip_leads_away":    sip("SIP/2.0 302 Moved Temporarily, Contact: <sip:sip.example.com:5061"),
		"sip_leads_nowhere": sip("SIP/2.0 302 Moved Temporarily, Contact: <sip:gone.contoso.com:5061"),
		"sip_leads_on":      sip("SIP/2.0 301 Moved Permanently, Contact: <sip:fe02.contoso.com:5061"), "sip_closes": sip(""),
		"sip_crowd": merged(sip("SIP/2.0 403 Forbidden"), both("A "+sipName, "10.70.0.81"+crowd)),

		"exchange_leads_away": merged(both("A "+autodiscoverName, "10.70.0.15"), certsrv("302 https://mail.example.com/autodiscover/autodiscover.xml")),
		"exchange_silent":     mail("silence"), "exchange_garbage": mail("garbage"), "exchange_302": mail(elsewhere + host),
		"exchange_403": mail("403 Forbidden text/plain; charset=utf-8" + host), "exchange_418": mail("418 I'm a teapot text/plain; charset=utf-8" + host),
		"exchange_deaf":          mail("remote error: tls: internal error"),
		"exchange_no_mailbox":    mail(asked + mailFor(" error 500", "200 OK")),
		"exchange_no_ews":        mail(asked + mailFor("", "200 OK")),
		"exchange_ews_elsewhere": mail(asked + mailFor(" https://mail.example.com/EWS/Exchange.asmx", "200 OK")),
		"exchange_ews_404":       mail(asked + mailFor(servicesHere, "404 Not Found")),
		"exchange_parted":        mail(asked + ", then 401 Unauthorized, then 401 Unauthorized"),

		"update_silent": update("silence"), "update_garbage": update("garbage"), "update_418": update("418"), "update_401": update("401 NTLM"),
		"update_https": update("302 https://pool01.contoso.com/"), "update_late": update("+, slow by 20m0s"), "update_odd": update(offer("none")),
		"update_steep": merged(update("200 text/xml: "+offered("4.0.7577.1")), image("404")),
		"update_crowd": both("A "+frontEndName, "10.70.0.83"+crowd), "proxy_basic": outside("401 Basic realm=\"contoso\""),
		"proxy_deaf":       merged(outside("remote error: tls: internal error"), map[string]string{"proxy takes TLS 1.0": "false"}),
		"proxy_hardened":   {"proxy takes TLS 1.0": "false"},
		"proxy_wrong_name": outside("x509: certificate is valid for pool99.contoso.com, not ocsrp.fabrikam.com"),

		"firmware_silent": image("silence"), "firmware_garbage": image("garbage"), "firmware_302": image("302"), "firmware_401": image("401 Basic realm=\"contoso\""),
		"firmware_418": image("418"), "firmware_500": image("500"), "firmware_empty": image("200, 0 of 0 bytes"), "firmware_page": image("200 text/html"),
		"firmware_stalls": image("200, stalls"), "firmware_elsewhere": update(strings.Replace("200 text/xml: "+offered(offeredVersion),
			"http://pool01.contoso.com/DeviceUpdateFiles_Int/UCPhone/Polycom/CX700/A/ENU/"+offeredVersion+"/CPE", "http://updates.example.com/", 1)),
		"firmware_members_differ": merged(map[string]string{"image fe02": "200, 21845 of 21845 bytes"}, both("A "+poolName, "10.70.0.81 10.70.0.83")),
		"firmware_many": update("200 text/xml: 12 file, base http://pool01.contoso.com/DeviceUpdateFiles_Int/UCPhone/Polycom/CX700/A/ENU/1.0.522.110/CPE, " +
			"external https://ocsrp.fabrikam.com/"),
	}
}

// handed is what both DHCP servers hand out to each vendor class, with something in it changed.
func handed(old, now string) map[string]string {
	whole := map[string]string{"nobody": "", phone.ClassPhone: "43 0a02002a ", phone.ClassProvisioning: fmt.Sprintf("43 %x ",
		"\x01\x0cMS-UC-Client\x02\x05https\x03\x12pool01.contoso.com\x04\x03443")}
	out := map[string]string{}
	for class, vendor := range whole {
		text := fmt.Sprintf("6 0a4600050a460006 15 %x 42 0a460014 %s44 0a46000a 46 08 51 00007080 120 %x ", "contoso.com", vendor,
			"\x00\x06pool01\x07contoso\x03com\x00")
		for _, server := range []string{"dhcp first ", "dhcp second "} {
			out[server+class] = strings.Replace(text, old, now, 1)
		}
	}
	return out
}

// servicesHere is where Exchange's web services are.
const servicesHere = " https://autodiscover.fabrikam.com/EWS/Exchange.asmx"

// mailFor is what Exchange tells who has logged on: what Autodiscover says, and what the web services do.
func mailFor(settings, services string) string {
	return ", then 200 OK" + settings + ", then " + services
}

// only keeps what one server says.
func only(prefix string, all map[string]string) map[string]string {
	maps.DeleteFunc(all, func(key, _ string) bool { return !strings.HasPrefix(key, prefix) })
	return all
}

// frontEndsSay is what both front ends say to one of the two questions.
func frontEndsSay(question, now string) map[string]string {
	return map[string]string{question + "pool01": now, question + "fe02": now}
}

// certificatesAnd is what the three containers hold with so many of the phones' own authorities: AIA and the one of
// NTAuth stay as they are.
func certificatesAnd(n int) string {
	published := []string{"AIA ContosoCA", "Public Key Services ContosoCA", "Certification Authorities ContosoCA"}
	for _, a := range phone.Authorities()[:n] {
		published = append(published, "Certification Authorities "+a.Certificate.Subject.CommonName)
	}
	slices.Sort(published)
	return strings.Join(published, ", ")
}

func merged[V any](all ...map[string]V) map[string]V {
	out := map[string]V{}
	for _, m := range all {
		maps.Copy(out, m)
	}
	return out
}

func expected(healthy, changes map[string]string) map[string]string {
	out := maps.Clone(healthy)
	for key, value := range healthy {
		for prefix, now := range changes {
			if more, plus := strings.CutPrefix(now, "+"); plus {
				now = value + more
			}
			if strings.HasPrefix(key, prefix) {
				out[key] = now
			}
		}
	}
	return out
}

func differences(got, want map[string]string) string {
	var out []string
	for key := range want {
		if got[key] != want[key] {
			out = append(out, fmt.Sprintf("%s: %q, want %q", key, got[key], want[key]))
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

func TestFaults(t *testing.T) {
	all := merged(effects(), moreEffects())
	if len(all) != len(Faults()) {
		t.Errorf("%d faults, %d tested", len(Faults()), len(all))
	}
	for _, f := range Faults() {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			l := started(t, 2)
			here, there := l.offices[0], l.offices[1]
			healthy, elsewhere := look(t, l, here), look(t, l, there)
			if err := l.Set("headquarters:" + f.Name); err != nil {
				t.Fatal(err)
			}
			if d := differences(look(t, l, here), expected(healthy, all[f.Name])); d != "" {
				t.Errorf("set:\n%s", d)
			}
			if d := differences(look(t, l, there), elsewhere); d != "" {
				t.Errorf("the other site:\n%s", d)
			}
			if err := l.Heal(f.Name); err != nil {
				t.Fatal(err)
			}
			if d := differences(look(t, l, here), healthy); d != "" {
				t.Errorf("healed:\n%s", d)
			}
		})
	}
}

func TestFaultsAddUp(t *testing.T) {
	l := started(t, 1)
	r := l.offices[0].resolvers[inside1]
	for _, f := range []string{"registrar_gone", "srv_dropped"} {
		if err := l.Set(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Heal("registrar_gone"); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, r, "udp", sipName, "A"); got != "10.70.0.81" {
		t.Errorf("A sip is healed, but %q", got)
	}
	if got := ask(t, r, "udp", sipInternalSRV, "SRV"); got != "NXDOMAIN" {
		t.Errorf("the SRV record is still dropped, but %q", got)
	}
}

func TestActive(t *testing.T) {
	l := started(t, 2)
	for _, spec := range []string{"ntp_off", "headquarters:dns_lying"} {
		if err := l.Set(spec); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"branch-002:ntp_off", "headquarters:dns_lying", "headquarters:ntp_off"}
	if got := l.Active(); !slices.Equal(got, want) {
		t.Errorf("active %v, want %v", got, want)
	}
	if err := l.HealAll(); err != nil {
		t.Fatal(err)
	}
	if got := l.Active(); len(got) > 0 {
		t.Errorf("after healing all: %v", got)
	}
}

func TestUnknownNames(t *testing.T) {
	l := started(t, 2)
	for spec, wants := range map[string][]string{
		"srv_droped":               {`"srv_droped"`, "did you mean srv_dropped?", "--list-faults", "GET /lab/faults"},
		"":                         {`no fault ""`, "GET /lab/faults"},
		"headquartrs:ntp_off":      {`"headquartrs"`, "did you mean headquarters?"},
		":ntp_off":                 {`no site ""`, "GET /lab lists"},
		"branch-002:ntp-offf":      {"did you mean ntp_off?"},
		"headquarters:ntp_off:":    {`"ntp_off:"`, "did you mean ntp_off?"},
		strings.Repeat("x", 1<<20): {"no fault", "GET /lab/faults"},
	} {
		for _, change := range []func(string) error{l.Set, l.Heal} {
			err := change(spec)
			if err == nil {
				t.Fatalf("%.20q is taken", spec)
			}
			for _, want := range wants {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%.20q: %.200q does not say %q", spec, err, want)
				}
			}
		}
	}
	if got := l.Active(); len(got) > 0 {
		t.Errorf("active: %v", got)
	}
}

func TestPrintFaults(t *testing.T) {
	var out bytes.Buffer
	if err := PrintFaults(&out); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if len([]rune(line)) > 101 {
			t.Errorf("more than 100 columns: %q", line)
		}
	}
	for _, f := range Faults() {
		if !strings.Contains(out.String(), f.Name) || f.Text == "" {
			t.Errorf("%s is not told", f.Name)
		}
	}
}

// Faults change while clients ask; the race detector watches.
func TestFaultsChangeWhileAsked(t *testing.T) {
	l := started(t, 2)
	var wg sync.WaitGroup
	for _, f := range []string{"srv_dropped", "dns_lying", "wildcard", "ntp_off", "branch-002:dns_servfail"} {
		wg.Go(func() {
			for range 50 {
				if err := l.Set(f); err != nil {
					t.Error(err)
				}
				l.Active()
				if err := l.Heal(f); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for _, o := range l.offices {
		wg.Go(func() {
			for range 5 {
				look(t, l, o)
			}
		})
	}
	wg.Wait()
	if got := l.Active(); len(got) > 0 {
		t.Errorf("active: %v", got)
	}
}
