//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cx700/cx700_exporter/internal/lab"
)

// liar is a site of the lab with one server that lies.
type liar struct {
	name string
	// at are the addresses of the site at which the server stands.
	at     []string
	server string
	// collector and reasons are what must be found there, besides others perhaps.
	collector string
	reasons   []string
	// edit changes the text of the site; nil leaves it.
	edit func(string) string
}

// The addresses of the lab's servers inside.
var (
	atResolvers   = []string{"10.70.0.5:53", "10.70.0.6:53"}
	atDHCP        = []string{"10.70.0.2:67", "10.70.0.3:67"}
	atWINS        = []string{"10.70.0.10:137"}
	atClocks      = []string{"10.70.0.20:123", "10.70.0.21:123"}
	atController  = []string{"10.70.0.10:389"}
	atKDC         = []string{"10.70.0.10:88"}
	atCertsrv     = []string{"10.70.0.15:80"}
	atFrontEnds   = []string{"10.70.0.81:80", "10.70.0.83:80"}
	atPool        = []string{"10.70.0.81:5061", "10.70.0.83:5061"}
	atExchange    = []string{"10.70.0.82:443"}
	directoryLine = regexp.MustCompile(`(?m)^ *directory: .*\n`)
)

const (
	trap    = "192.168.66.6"
	toTrap  = "http://" + trap + "/"
	trapTLS = "https://" + trap + "/autodiscover/autodiscover.xml"
	meta    = "http://169.254.169.254/latest/meta-data/"
)

// liars starts the servers that lie. frontEnd is where the lab's own front end is.
func (s *stage) liars(frontEnd string) []liar {
	var out []liar
	add := func(name string, at []string, server, collector string, reasons ...string) *liar {
		out = append(out, liar{name: name, at: at, server: server, collector: collector, reasons: reasons})
		return &out[len(out)-1]
	}
	s.lyingNames(add)
	s.lyingPackets(add)
	s.lyingDirectories(add)
	s.lyingWeb(add, frontEnd)
	s.lyingRegistrars(add)
	return out
}

type addLiar func(name string, at []string, server, collector string, reasons ...string) *liar

func (s *stage) lyingNames(add addLiar) {
	nothing := func([]byte, func([]byte)) {}
	for _, l := range []struct {
		name   string
		udp    reply
		tcp    talk
		reason string
	}{
		{"silent", nothing, nil, "resolver_timeout"},
		{"cname-loop", dnsReply(false, "@ 60 IN CNAME loop.example.", "loop.example. 60 IN CNAME @"), nil, "registrar_not_found"},
		{"other-question", echoes(1, func(p []byte) []byte { p[2] |= 0x80; p[13] ^= 1; return p }), nil, "resolver_malformed"},
		{"flood-of-others", echoes(500, func(p []byte) []byte { p[0] ^= 0xff; p[2] |= 0x80; return p }), nil, "resolver_timeout"},
		{"pointer-to-itself", pointsToItself, nil, "resolver_malformed"},
		{"64k-by-udp", echoes(1, func(p []byte) []byte { p[2] |= 0x80; return largest(p) }), nil, "registrar_not_found"},
		{"64k-by-tcp", dnsReply(true), dnsOverTCP, "srv_missing"},
		{"echoes", echoes(1, func(p []byte) []byte { return p }), nil, "resolver_malformed"},
		{"tcp-silent", dnsReply(true), silent, "resolver_truncated"},
		{"tcp-drips", dnsReply(true), drips("\xff\xff", 0), "resolver_truncated"},
		{"tcp-breaks", dnsReply(true), breaks("\xff\xffhalf"), "resolver_truncated"},
		{"tcp-floods", dnsReply(true), floods("\xff\xff", "x"), "resolver_truncated"},
	} {
		add("dns-"+l.name, atResolvers, s.udp(l.udp, l.tcp), "dns", l.reason)
	}
}

func (s *stage) lyingPackets(add addLiar) {
	nothing := func([]byte, func([]byte)) {}
	garbage := func([]byte) []byte { return []byte(strings.Repeat("\xff", 100)) }
	for name, l := range map[string]struct {
		do     reply
		reason string
	}{
		"silent":        {nothing, "time_silent"},
		"kiss-deny":     {ntpAnswer(0, "DENY", true), "time_kiss"},
		"kiss-rate":     {ntpAnswer(0, "RATE", true), "time_kiss"},
		"short":         {echoes(1, func(p []byte) []byte { return p[:20] }), "time_malformed"},
		"64k":           {echoes(1, largest), "time_malformed"},
		"of-others":     {ntpAnswer(2, "", false), "time_malformed"},
		"floods":        {echoes(500, garbage), "time_malformed"},
		"own-questions": {echoes(1, func(p []byte) []byte { return p }), "time_malformed"},
	} {
		add("ntp-"+name, atClocks, s.udp(l.do, nil), "ntp", "time_unavailable", l.reason)
	}
	ack := func(options string) func([]byte) []byte {
		return func(p []byte) []byte {
			p[0] = 2 // BOOTREPLY
			return append(p[:240], "\x35\x01\x05"+options...)
		}
	}
	for name, l := range map[string]struct {
		do     reply
		reason string
	}{
		"silent":            {nothing, "dhcp_server_silent"},
		"floods":            {echoes(500, garbage), "dhcp_server_malformed"},
		"cut-option":        {echoes(1, ack("\x0f\xffcontoso")), "dhcp_server_malformed"},
		"64k":               {echoes(1, func(p []byte) []byte { return largest(ack("")(p)) }), "dhcp_dns_missing"},
		"circle-in-search":  {echoes(1, ack("\x77\x04\x01a\xc0\x00\xff")), "dhcp_dns_missing"},
		"flood-of-others":   {echoes(500, func(p []byte) []byte { p[4] ^= 0xff; return ack("\xff")(p) }), "dhcp_server_silent"},
		"question-repeated": {echoes(1, func(p []byte) []byte { return p }), "dhcp_server_malformed"},
	} {
		add("dhcp-"+name, atDHCP, s.udp(l.do, nil), "dhcp", l.reason)
	}
	for name, l := range map[string]struct {
		do     reply
		reason string
	}{
		"silent":          {nothing, "wins_silent"},
		"floods":          {echoes(500, garbage), "wins_malformed"},
		"echoes":          {echoes(1, func(p []byte) []byte { return p }), "wins_malformed"},
		"garbage":         {echoes(1, func(p []byte) []byte { return append(p[:2], "no NetBIOS at all"...) }), "wins_malformed"},
		"64k":             {echoes(1, func(p []byte) []byte { p[2] |= 0x80; p[6] = 0xff; return largest(p) }), "wins_malformed"},
		"flood-of-others": {echoes(500, func(p []byte) []byte { p[0] ^= 0xff; p[2] |= 0x80; return p }), "wins_silent"},
	} {
		add("wins-"+name, atWINS, s.udp(l.do, nil), "wins", l.reason)
	}
}

func (s *stage) lyingDirectories(add addLiar) {
	say := func(text func(id byte) string) talk {
		return ldapThen(func(conn net.Conn, id byte) { _, _ = conn.Write([]byte(text(id))) })
	}
	forEver := func(text func(id byte) string) talk {
		return ldapThen(func(conn net.Conn, id byte) {
			floods("", text(id))(&heardBefore{Conn: conn, first: bytes.NewReader([]byte("x"))})
		})
	}
	anonymous := func(text string) string { return directoryLine.ReplaceAllString(text, "") }
	const gigabyte = "\x30\x84\x40\x00\x00\x00"
	for name, l := range map[string]struct {
		do     talk
		reason string
	}{
		"silent":             {silent, "dc_silent"},
		"drips":              {drips("\x30\x84\x00\x10\x00\x00\x02\x01\x01\x64\x84\x00\x0f\xff\x00\x04\x84\x00\x0f\xf0\x00", 'a'), "dc_silent"},
		"floods":             {floods("", "\x00"), "dc_silent"}, // messages, but none is an answer
		"breaks":             {breaks("\x30\x84\x00\x00\x10\x00\x02\x01"), "dc_malformed"},
		"gigabyte":           {floods(gigabyte, "x"), "dc_malformed"},
		"nested":             {floods("", nested(1)), "dc_malformed"},
		"malformed":          {breaks("\x30\x05\x02\x01\x01\x64\x7f"), "dc_malformed"},
		"then-silent":        {ldapThen(func(conn net.Conn, _ byte) { silent(conn) }), "dc_silent"},
		"endless-results":    {forEver(func(id byte) string { return ldapEntry(id, "CN=A", "cn", "A") }), "search_too_large"},
		"endless-references": {forEver(func(id byte) string { return ldapReferral(id, "ldap://"+trap+"/CN=A") }), "search_too_large"},
		"referral":           {say(func(id byte) string { return ldapResult(id, 10) }), "search_failed"},
		"of-others":          {say(func(id byte) string { return ldapEntry(id+1, "CN=A", "cn", "A") }), "dc_silent"},
		"unknown-operation":  {say(func(id byte) string { return ldapMessage(id, ber(0x7f, "x")) }), "dc_silent"},
	} {
		add("ldap-"+name, atController, s.tcp(l.do), "directory", l.reason).edit = anonymous
	}
	for name, l := range map[string]talk{
		"silent":    silent,
		"drips":     drips("\x00\x00\xff\x00", 0x6b),
		"floods":    floods("\x00\x02\x00\x00", "x"),
		"breaks":    breaks("\x00\x00\x10\x00half"),
		"gigabyte":  floods("\x40\x00\x00\x00", "x"),
		"nested":    breaks("\x00\x00\x80\x00" + nested(0x4000)),
		"malformed": breaks("\x00\x00\x00\x06\x6b\x84\xff\xff\xff\xff"),
	} {
		account := "kdc-" + name
		add(account, atKDC, s.tcp(l), "directory", "kerberos_unavailable").edit = func(text string) string {
			return directoryLine.ReplaceAllString(text, "        directory: {credential: "+account+", bind: kerberos}\n")
		}
	}
}

func (s *stage) lyingWeb(add addLiar, frontEnd string) {
	for name, l := range map[string]struct {
		do     talk
		reason string
	}{
		"silent":            {silent, "certsrv_silent"},
		"drips-headers":     {drips(okHeader+"X: ", 'a'), "certsrv_silent"},
		"floods-headers":    {floods(okHeader, "X: aaaaaaaaaaaaaaaaaaaa\r\n"), "certsrv_malformed"},
		"drips-body":        {drips(gigabyteBody, 'a'), "certsrv_silent"},
		"gigabyte":          {floods(gigabyteBody, "a"), "certsrv_no_certificate"},
		"endless-chunks":    {floods(okHeader+"Transfer-Encoding: chunked\r\n\r\n", "4\r\naaaa\r\n"), "certsrv_no_certificate"},
		"breaks":            {breaks(gigabyteBody + "half"), "certsrv_malformed"},
		"malformed-asn1":    {body("\x30\x84\xff\xff\xff\xff\x06\x09"), "certsrv_no_certificate"},
		"nested-asn1":       {body(nested(0x8000)), "certsrv_no_certificate"},
		"circle":            {redirects("/certsrv/certnew.p7b"), "certsrv_status"},
		"leads-to-metadata": {redirects(meta), "certsrv_status"},
	} {
		add("certsrv-"+name, atCertsrv, s.tcp(l.do), "certsrv", l.reason)
	}
	for name, l := range map[string]struct {
		do     talk
		reason string
	}{
		"silent":         {silent, "update_silent"},
		"drips":          {drips(gigabyteBody, ' '), "update_silent"},
		"gigabyte":       {floods(gigabyteBody, "<a>"), "update_unparsable"},
		"breaks":         {breaks(gigabyteBody + "<half"), "update_malformed"},
		"entity-bomb":    {body(entityBomb()), "update_unparsable"},
		"nested":         {body(strings.Repeat("<a>", 1<<20)), "update_unparsable"},
		"circle":         {redirects("/RequestHandler/ucdevice.upx"), "update_redirect"},
		"leads-to-trap":  {redirects(toTrap), "update_redirect"},
		"floods-headers": {floods(okHeader, "X: aaaaaaaaaaaaaaaaaaaa\r\n"), "update_malformed"},
	} {
		add("update-"+name, atFrontEnds, s.tcp(l.do), "update", l.reason)
	}
	const page = "/RequestHandler/"
	for name, l := range map[string]struct {
		do     talk
		reason string
	}{
		"silent":         {silent, "firmware_silent"},
		"drips":          {drips(okHeader+"X: ", 'a'), "firmware_silent"},
		"circle":         {redirects("/"), "firmware_redirect"},
		"leads-to-trap":  {redirects(toTrap), "firmware_redirect"},
		"floods-headers": {floods(okHeader, "X: aaaaaaaaaaaaaaaaaaaa\r\n"), "firmware_malformed"},
		"breaks":         {breaks("HTTP/1.1 2"), "firmware_malformed"},
	} {
		add("firmware-"+name, atFrontEnds, s.tcp(beside(frontEnd, page, l.do)), "firmware", l.reason)
	}
	for name, l := range map[string]struct {
		do     talk
		reason string
	}{
		"silent":        {silent, "exchange_silent"},
		"alert":         {breaks("\x15\x03\x01\x00\x02\x02\x28"), "exchange_tls_failed"},
		"then-silent":   {s.overTLS(silent), "exchange_silent"},
		"drips":         {s.overTLS(drips(gigabyteBody, ' ')), "exchange_silent"},
		"gigabyte":      {s.overTLS(floods(gigabyteBody, "<a>")), "exchange_page"},
		"entity-bomb":   {s.overTLS(body(entityBomb())), "exchange_page"},
		"circle":        {s.overTLS(redirects("/autodiscover/autodiscover.xml")), "exchange_redirect"},
		"leads-to-trap": {s.overTLS(redirects(trapTLS)), "exchange_redirect"},
		"breaks":        {s.overTLS(breaks(gigabyteBody + "<half")), "exchange_malformed"},
	} {
		add("exchange-"+name, atExchange, s.tcp(l.do), "exchange", l.reason)
	}
}

func (s *stage) lyingRegistrars(add addLiar) {
	const record = "\x16\x03\x01"
	for name, l := range map[string]struct {
		do     talk
		reason string
	}{
		"silent":           {silent, "pool_silent"},
		"alert":            {breaks("\x15\x03\x01\x00\x02\x02\x28"), "pool_no_common_suite"},
		"drips":            {drips(record+"\x40\x00\x02\x00\x3f\xfc", 3), "pool_silent"},
		"floods":           {floods("", "no TLS at all "), "pool_no_tls"},
		"breaks":           {breaks(record + "\x10\x00\x02\x00\x0f"), "pool_closed"},
		"gigabyte":         {floods(record+"\x00\x04\x02\xff\xff\xff", record+"\x40\x00"+strings.Repeat("\x00", 0x4000)), "pool_malformed"},
		"endless-warnings": {floods("", "\x15\x03\x01\x00\x02\x01\x5a"), "pool_malformed"},
	} {
		add("tls-"+name, atPool, s.tcp(l.do), "pool", l.reason)
	}
	for name, l := range map[string]struct {
		do     talk
		reason string
	}{
		"silent":        {silent, "sip_silent"},
		"drips":         {drips("SIP/2.0 200 OK\r\nX: ", 'a'), "sip_silent"},
		"floods":        {floods("", "no SIP at all\r\n"), "sip_malformed"},
		"endless-line":  {floods("SIP/2.0 200 ", "a"), "sip_malformed"},
		"only-trying":   {sipForEver, "sip_malformed"},
		"gigabyte":      {floods("SIP/2.0 200 OK\r\nContent-Length: 1073741824\r\n\r\n", "a"), "sip_malformed"},
		"breaks":        {breaks("SIP/2.0 200 OK\r\nVia: SIP/2.0/TLS "), "sip_closed"},
		"circle":        {sipAnswer("302 Moved Temporarily", "Contact: <sip:sip.fabrikam.com:5061;transport=tls>"), "sip_redirect_circle"},
		"leads-to-trap": {sipAnswer("302 Moved Temporarily", "Contact: <sip:"+trap+":5061;transport=tls>"), "sip_redirect_foreign"},
	} {
		add("sip-"+name, atPool, s.tcp(s.overTLS(l.do)), "sip", l.reason)
	}
}

var (
	connectLine = regexp.MustCompile(`(?m)^ +- "(\d+\.\d+\.\d+\.\d+:\d+):(127\.0\.0\.1:\d+)"\n`)
	updateLine  = regexp.MustCompile(`(?m)^ +- "10\.70\.0\.8[13]:80:.*\n`)
)

// of is the text of a liar's site, made of that of a healthy one; honest leaves the lie out, and still is another site's.
func (l liar) of(healthy string, number int, trapAt string, honest bool) string {
	text, _, _ := strings.Cut(healthy, "      external:\n")
	if l.edit != nil && !honest {
		text = l.edit(text)
	}
	if !slices.Equal(l.at, atFrontEnds) { // whose images everybody would have to wait for
		text = updateLine.ReplaceAllString(text, "")
	}
	if !honest {
		for _, at := range l.at {
			text = regexp.MustCompile(`(?m)^ +- "`+regexp.QuoteMeta(at)+`:.*\n`).ReplaceAllString(text, "")
			text = strings.Replace(text, "connect_to:\n", fmt.Sprintf("connect_to:\n          - %q\n", at+":"+l.server), 1)
		}
	}
	more := fmt.Sprintf("connect_to:\n          - %q\n          - %q\n          - %q\n", trap+"::"+trapAt, "169.254.169.254::"+trapAt,
		fmt.Sprintf("192.0.2.%d:1:127.0.0.1:9", number))
	return "  - name: " + l.name + "\n" + strings.Replace(text, "connect_to:\n", more, 1)
}

// hostileInterval is how often everything is probed, and so also how long a probe may take.
const hostileInterval = 12 * time.Second

// hostileFile writes the site files: one in which everybody is honest, and one with the liars.
func hostileFile(t *testing.T, company *lab.Lab, s *stage, liars []liar) (honest, lying string) {
	t.Helper()
	head, healthy, found := strings.Cut(string(company.SiteFile()), "  - name: headquarters\n")
	password := regexp.MustCompile(`password_file: ("[^"]+")`).FindStringSubmatch(head)
	if !found || password == nil {
		t.Fatalf("not understood:\n%s", company.SiteFile())
	}
	trapAt := s.tcp(func(net.Conn) { s.trapped.Add(1) })
	accounts := ""
	for _, l := range liars {
		accounts += fmt.Sprintf("  %s: {username: %s@contoso.com, password_file: %s, allowed_hosts: [\"*.contoso.com\"]}\n", l.name, l.name, password[1])
	}
	settings := "collectors:\n"
	for _, name := range []string{"dhcp", "ntp", "dns", "directory", "wins", "certsrv", "pool", "sip", "exchange", "update", "firmware"} {
		settings += fmt.Sprintf("  %s: {interval: %s, timeout: %s}\n", name, hostileInterval, hostileInterval)
	}
	head = settings + strings.Replace(head, "credentials:\n", "credentials:\n"+accounts, 1)
	files := [2]string{}
	for i := range files {
		text := head + "  - name: healthy\n" + healthy
		for n, l := range liars {
			text += l.of(healthy, n, trapAt, i == 0)
		}
		files[i] = text
	}
	return files[0], files[1]
}

// TestHostilePeers watches, side by side, sites whose servers lie in every way that the issue names, each in one of them,
// and a healthy one. Every lie is told by its right name within the time of a probe, nobody is led where no probe may go,
// memory stays within bounds, and the healthy site knows nothing of it all.
func TestHostilePeers(t *testing.T) {
	t.Parallel()
	const mostMemory = 64 << 20
	company, err := lab.Start(1)
	must(t, err)
	defer company.Close()
	s := &stage{t: t, identity: selfSigned(t)}
	t.Cleanup(s.wg.Wait) // after the listeners are closed
	frontEnd := ""
	for _, m := range connectLine.FindAllStringSubmatch(string(company.SiteFile()), -1) {
		if m[1] == atFrontEnds[0] {
			frontEnd = m[2]
		}
	}
	liars := s.liars(frontEnd)
	honest, lying := hostileFile(t, company, s, liars)
	binary := build(t)
	start := func(name, content string) *program {
		path := filepath.Join(t.TempDir(), name+".yml")
		must(t, os.WriteFile(path, []byte(content), 0o600))
		p, _ := startProgram(t, binary, "serve", "--config.file="+path)
		return p
	}
	memory := func(scrape string) float64 { return series(t, scrape, "process_resident_memory_bytes")[""] }
	exporter := start("honest", honest)
	within(t, "the honest are probed", time.Minute, func() error {
		if ready := exporter.get(t, "/-/ready"); !strings.Contains(ready, "is ready") {
			return errors.New(ready)
		}
		return nil
	})
	idle := memory(exporter.metrics(t))
	exporter.stop()

	exporter = start("lying", lying)
	begun, most := time.Now(), 0.0
	var scrape string
	within(t, "all lies are told", 5*hostileInterval, func() error {
		time.Sleep(250 * time.Millisecond)
		scrape = exporter.metrics(t)
		most = max(most, memory(scrape))
		expectHealthy(t, scrape)
		if t.Failed() {
			return nil
		}
		return untold(t, scrape, liars)
	})
	t.Logf("%d liars after %s, %.0f MB more than idle", len(liars), time.Since(begun).Round(time.Second), (most-idle)/1e6)
	if most-idle > mostMemory {
		t.Errorf("%.0f MB, idle %.0f MB", most/1e6, idle/1e6)
	}
	if n := s.trapped.Load(); n > 0 {
		t.Errorf("%d connections to where nobody may be led", n)
	}
}

// expectHealthy looks for anything that is wrong with the healthy site.
func expectHealthy(t *testing.T, scrape string) {
	t.Helper()
	failing := series(t, scrape, "cx700_probe_failures_total") // confirmed, where the machine is busy
	for labels := range series(t, scrape, "cx700_site_target_info") {
		if labelValue(labels, "site") != "healthy" {
			continue
		}
		for f, n := range failing {
			if n > 0 && targetOf(f) == targetOf(labels) {
				t.Errorf("the healthy site: %s", f)
			}
		}
	}
}

func targetOf(labels string) string {
	return labelValue(labels, "collector") + labelValue(labels, "network") + labelValue(labels, "target")
}

// untold tells which lies are not told yet.
func untold(t *testing.T, scrape string, liars []liar) error {
	t.Helper()
	target, failing := map[string]string{}, map[string][]string{} // by site and collector; by target
	for labels := range series(t, scrape, "cx700_site_target_info") {
		if strings.Contains(labels, `network="internal"`) {
			target[labelValue(labels, "site")+" "+labelValue(labels, "collector")] = targetOf(labels)
		}
	}
	for labels := range series(t, scrape, "cx700_probe_failing") {
		failing[targetOf(labels)] = append(failing[targetOf(labels)], labelValue(labels, "reason"))
	}
	var errs []error
	for _, l := range liars {
		found := failing[target[l.name+" "+l.collector]]
		for _, r := range l.reasons {
			if !slices.Contains(found, r) {
				slices.Sort(found)
				errs = append(errs, fmt.Errorf("%s: no %s but %v", l.name, r, found))
			}
		}
	}
	return errors.Join(errs...)
}
