package collectors

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/reach"
	"github.com/cx700/cx700_exporter/internal/site"
	"github.com/cx700/cx700_exporter/internal/state"
)

var sipNow = time.Date(2009, 6, 4, 6, 22, 3, 0, time.UTC)

// takesUp is the healthy answer.
func takesUp() facts.SIPAnswer {
	return facts.SIPAnswer{Status: 401, Phrase: "Unauthorized", At: sipNow, Date: sipNow, Server: "RTC/3.5", Challenges: []phone.SIPChallenge{
		{Scheme: "NTLM", TargetName: "pool01.contoso.com", Version: 4}, {Scheme: "Kerberos", TargetName: "sip/pool01.contoso.com", Version: 4}}}
}

// changed is the healthy answer, changed.
func changed(change func(*facts.SIPAnswer)) facts.SIPAnswer {
	a := takesUp()
	change(&a)
	return a
}

func sipStatus(status int, diagnostics ...int) facts.SIPAnswer {
	a := facts.SIPAnswer{Status: status, At: sipNow}
	for _, id := range diagnostics {
		a.Diagnostics = append(a.Diagnostics, phone.SIPDiagnostic{ID: id, Reason: "as seen"})
	}
	return a
}

func sipBroken(p facts.SIPProblem) facts.SIPAnswer {
	return facts.SIPAnswer{Problem: p, Detail: "as seen"}
}

// sipSeen is what was seen where each address gives one answer to every firmware; all others have no TLS.
func sipSeen(t *Target, names *facts.Names, servers map[string]func(firmware string) facts.SIPAnswer) *facts.SIP {
	s := &facts.SIP{Names: names}
	for _, fw := range t.Firmware {
		s.Routes = append(s.Routes, facts.Route{Firmware: fw.Version, Endpoints: t.Domains.Endpoints(fw.Registrar, nameView{names}.find)})
	}
	asked, leftOut := poolServers(s.Routes)
	s.LeftOut = leftOut
	for _, a := range asked {
		server := facts.SIPServer{Address: a.Address, Hosts: a.Hosts}
		answer := servers[a.Address.String()]
		if answer == nil {
			server.Answers = []facts.SIPAnswer{sipBroken(facts.SIPNoConnection)}
		}
		for _, fw := range t.Firmware {
			if answer != nil {
				one := answer(fw.Version)
				one.Firmware, one.Address = fw.Version, a.Address
				server.Answers = append(server.Answers, one)
			}
		}
		s.Servers = append(s.Servers, server)
	}
	return s
}

type sipCase struct {
	name    string
	zone    zone
	servers map[string]func(string) facts.SIPAnswer
	want    []string
}

func sipCases(other *x509.Certificate) []sipCase {
	all := func(a facts.SIPAnswer) map[string]func(string) facts.SIPAnswer {
		return map[string]func(string) facts.SIPAnswer{poolAt: func(string) facts.SIPAnswer { return a }}
	}
	oldBlocked := map[string]func(string) facts.SIPAnswer{poolAt: func(firmware string) facts.SIPAnswer {
		if firmware == "1.0.199.123" {
			return sipStatus(403, 17002)
		}
		return takesUp()
	}}
	two := contoso().but(zone{poolA: addresses("192.168.7.20", "192.168.7.21")})
	second := all(takesUp())
	second["192.168.7.21:5061"] = func(string) facts.SIPAnswer { return sipStatus(503) }
	lost := changed(func(a *facts.SIPAnswer) {
		a.Status, a.Contacts, a.NotFollowed = 301, []string{"pool02.contoso.com"}, "pool02.contoso.com has no address"
	})
	calls := func(name string, served *x509.Certificate) facts.SIPAnswer {
		return changed(func(a *facts.SIPAnswer) {
			a.Challenges[1].TargetName, a.Served = "sip/"+name, []*x509.Certificate{served}
		})
	}
	cases := []sipCase{
		{"healthy", contoso(), all(takesUp()), nil},
		{"by 407", contoso(), all(changed(func(a *facts.SIPAnswer) { a.Status = 407 })), nil},
		{"only Kerberos", contoso(), all(changed(func(a *facts.SIPAnswer) { a.Challenges = a.Challenges[1:] })), nil},
		{"one firmware is blocked", contoso(), oldBlocked, []string{"sip_unavailable", "sip_version_blocked"}},
		{"one address of two is overloaded", two, second, []string{"sip_overloaded"}},
		{"led to another pool", contoso(), all(changed(func(a *facts.SIPAnswer) {
			next := takesUp()
			a.Status, a.Next = 301, &next
		})), nil},
		{"led to another pool that is overloaded", contoso(), all(changed(func(a *facts.SIPAnswer) {
			next := sipStatus(503)
			a.Status, a.Next = 302, &next
		})), []string{"sip_overloaded", "sip_unavailable"}},
		{"led nowhere", contoso(), all(lost), []string{"sip_redirect_lost", "sip_unavailable"}},
		{"led to a pool that is dead", contoso(), all(changed(func(a *facts.SIPAnswer) {
			a.Status, a.Next = 302, &facts.SIPAnswer{Problem: facts.SIPNoConnection, Host: "pool02.contoso.com"}
		})), []string{"sip_redirect_lost", "sip_unavailable"}},
		{"led to a pool that is dead, or to another company", contoso(), all(changed(func(a *facts.SIPAnswer) {
			a.Status, a.Next = 302, &facts.SIPAnswer{Problem: facts.SIPNoConnection, Host: "pool02.contoso.com", Foreign: true}
		})), []string{"sip_redirect_foreign"}},
		{"led to a pool of which not all are asked", contoso(), all(changed(func(a *facts.SIPAnswer) {
			a.Status, a.Next = 302, &facts.SIPAnswer{Problem: facts.SIPNoConnection, Host: "pool02.contoso.com", LeftOut: 2}
		})), []string{"sip_left_out", "sip_not_all_asked"}},
		{"led to a name that no resolver answers", contoso(), all(changed(func(a *facts.SIPAnswer) {
			a.Status, a.Contacts, a.NotFollowed, a.LeftOut = 301, []string{"pool02.contoso.com"}, "no resolver answers pool02.contoso.com", 1
		})), []string{"sip_not_all_asked"}},
		{"led to a pool with another name", contoso(), all(changed(func(a *facts.SIPAnswer) {
			next := takesUp()
			next.Host, next.Served = "pool02.contoso.com", []*x509.Certificate{other}
			a.Status, a.Next = 302, &next
		})), []string{"sip_targetname_differs"}},
		{"the certificate has none of its names", contoso(), all(changed(func(a *facts.SIPAnswer) { a.Served = []*x509.Certificate{other} })), nil},
		{"it calls itself as its certificate does", contoso(), all(calls("OTHER.contoso.com", other)), nil},
		{"it calls itself as nobody else does", contoso(), all(calls("fe07.contoso.com", other)), []string{"sip_targetname_differs"}},
		{"led on and on", contoso(), all(changed(func(a *facts.SIPAnswer) { a.Status, a.NotFollowed = 302, "more than 3 redirects" })),
			[]string{"sip_redirect_circle", "sip_unavailable"}},
		{"led to another company", contoso(), all(changed(func(a *facts.SIPAnswer) {
			a.Status, a.NotFollowed, a.Foreign = 302, "elsewhere", true
		})), []string{"sip_redirect_foreign"}},
		{"let in with a warning", contoso(), all(changed(func(a *facts.SIPAnswer) {
			a.Diagnostics = []phone.SIPDiagnostic{{ID: 17004}}
		})), []string{"sip_version_warned"}},
		{"without a clock", contoso(), all(changed(func(a *facts.SIPAnswer) { a.Date = time.Time{} })), nil},
		{"made-up user", contoso(), all(sipStatus(404, 4005)), []string{"sip_user_unknown"}},
		{"no such user, by the proxy", contoso(), all(sipStatus(404, 1003)), []string{"sip_user_unknown"}},
		{"made-up user outside", contoso(), all(sipStatus(403, 4003)), []string{"sip_user_unknown"}},
		{"made-up user of another account", contoso(), all(sipStatus(403, 4004)), []string{"sip_user_unknown"}},
		{"made-up user elsewhere", contoso(), all(sipStatus(480, 4006)), []string{"sip_user_unknown"}},
		{"made-up user disabled", contoso(), all(sipStatus(403, 4141)), []string{"sip_user_unknown"}},
		{"our identifier", contoso(), all(sipStatus(400, 4011)), []string{"sip_request_declined"}},
		{"what we support", contoso(), all(sipStatus(421, 2057)), []string{"sip_request_declined"}},
		{"our event", contoso(), all(sipStatus(489, 4055)), []string{"sip_request_declined"}},
		{"what we accept", contoso(), all(sipStatus(406)), []string{"sip_request_declined"}},
		{"no TLS", contoso(), nil, []string{"sip_no_connection"}},
		{"no registrar", contoso().without(sipSRV, sipA), nil, []string{"sip_no_connection"}},
		{"names unanswered", contoso().everything(outcome(facts.Timeout), contosoTarget("sip", site.Internal)), nil, []string{"sip_names_unanswered"}},
		{"more addresses than are asked", crowd(32), nil, []string{"sip_left_out", "sip_no_connection"}},
	}
	for want, answer := range map[string]facts.SIPAnswer{
		"sip_forbidden": sipStatus(403), "sip_version_blocked": sipStatus(403, 17003), "sip_filter_trouble": sipStatus(403, 17001),
		"sip_domain_not_served": sipStatus(404, 1005), "sip_time_skew": sipStatus(401, 1013), "sip_no_windows_logon": sipStatus(401),
		"sip_bad_event": sipStatus(489), "sip_overloaded": sipStatus(503), "sip_next_hop": sipStatus(504, 1010), "sip_server_error": sipStatus(500),
		"sip_status": sipStatus(420), "sip_silent": sipBroken(facts.SIPSilent), "sip_closed": sipBroken(facts.SIPClosed), "sip_malformed": sipBroken(facts.SIPMalformed),
	} {
		cases = append(cases, sipCase{want, contoso(), all(answer), []string{want, "sip_unavailable"}})
	}
	// It takes the registration, so it lets phones in; what it is, is another question.
	return append(cases, sipCase{"without a logon", contoso(), all(sipStatus(200)), []string{"sip_anonymous"}})
}

func TestSIPJudgement(t *testing.T) {
	produced := map[string]bool{}
	for _, tt := range sipCases(proxyCertificate(t, 24*time.Hour, "other.contoso.com")) {
		t.Run(tt.name, func(t *testing.T) {
			target := contosoTarget("sip", site.Internal)
			s := sipSeen(target, walked(target, tt.zone), tt.servers)
			compareReasons(t, tt.want, judgeSIP(target, s), produced)
			var out strings.Builder
			explainSIP(&out, target, &facts.Seen{SIP: s})
			for line := range strings.Lines(out.String()) {
				if len(line) > 101 {
					t.Errorf("more than 100 columns: %s", line)
				}
			}
		})
	}
	everyReasonProduced(t, SIP(), produced)
}

// sipRegistrar answers phones by host and firmware, over TLS 1.0, and keeps who asked.
type sipRegistrar struct {
	t      *testing.T
	answer func(request string) string

	mu    sync.Mutex
	asked []string
}

func (r *sipRegistrar) start() netip.AddrPort {
	l, err := tls.Listen("tcp4", "127.0.0.1:0", oldTLS(r.t))
	if err != nil {
		r.t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { r.serve(conn) })
		}
	})
	r.t.Cleanup(func() {
		_ = l.Close()
		wg.Wait()
	})
	return l.Addr().(*net.TCPAddr).AddrPort()
}

func (r *sipRegistrar) serve(conn net.Conn) {
	defer conn.Close()
	reader := bufio.NewReader(conn)
	request := ""
	for !strings.HasSuffix(request, "\r\n\r\n") {
		line, err := reader.ReadString('\n')
		if err != nil {
			return
		}
		request += line
	}
	r.mu.Lock()
	r.asked = append(r.asked, request)
	r.mu.Unlock()
	_, _ = io.WriteString(conn, r.answer(request))
}

// TestSIPProbe asks as each firmware, follows a redirect within the site's domains, and leaves nothing behind.
func TestSIPProbe(t *testing.T) {
	r := &sipRegistrar{t: t}
	r.answer = func(request string) string {
		const tail = "CSeq: 1 REGISTER\r\nContent-Length: 0\r\n\r\n"
		switch {
		case strings.Contains(request, "CPE/1.0.199.123 "):
			return "SIP/2.0 403 Forbidden\r\nms-diagnostics: 17002;reason=\"Invalid client version\";source=\"fe01\"\r\n" + tail
		case strings.Contains(request, "CPE/1.0.522.101 "):
			return "SIP/2.0 301 Moved\r\nContact: <sip:pool02.contoso.com:5061;transport=tls>\r\n" + tail
		default:
			return "SIP/2.0 401 Unauthorized\r\nDate: " + time.Now().UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT") + "\r\nServer: RTC/3.5\r\n" +
				"WWW-Authenticate: NTLM realm=\"x\", targetname=\"sip.fabrikam.com\", version=4\r\n" + tail
		}
	}
	at := r.start()
	resolver := testResolver(t, dns.RcodeSuccess)
	memory, err := state.Open("")
	if err != nil {
		t.Fatal(err)
	}
	shared := reach.NewShared(slog.New(slog.DiscardHandler), memory)
	t.Cleanup(shared.Close)
	target := &Target{
		Collector: "sip", Network: site.Internal, Name: "x", Timeout: 10 * time.Second, SIPUser: phone.SIPProbe, Firmware: phone.KnownFirmware(),
		Domains: phone.Domains{SIP: "fabrikam.com", DHCP: "contoso.com"},
		Way: reach.Way{Resolvers: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.5:53")}, ConnectTo: []site.ConnectTo{
			{Host: "192.0.2.5", ToHost: resolver.Addr().String(), ToPort: fmt.Sprint(resolver.Port())},
			{Port: "5061", ToHost: at.Addr().String(), ToPort: fmt.Sprint(at.Port())}, {ToHost: "127.0.0.1", ToPort: "9"},
		}},
	}
	ctx, cancel := context.WithTimeout(t.Context(), target.Timeout)
	defer cancel()
	env, seen := &Env{Target: target, Shared: shared, Due: time.Now()}, &facts.Seen{}
	var reasons []string
	for _, f := range Failures(probeSIP(ctx, env, seen)) {
		reasons = append(reasons, f.Reason.Name)
	}
	var out strings.Builder
	explainSIP(&out, target, seen)
	// The second is led on and on; the first is blocked; the third gets through.
	if got := strings.Join(reasons, ","); got != "sip_unavailable,sip_version_blocked,sip_redirect_circle" {
		t.Errorf("reasons %s\n%s", got, out.String())
	}
	text := strings.Join(samples(env), "\n")
	for _, want := range []string{
		`cx700_sip_ok["192.0.2.7:5061" "1.0.199.123"] 0`, `cx700_sip_ok["192.0.2.7:5061" "3.5.6907.35"] 1`,
		`cx700_sip_status["192.0.2.7:5061"] 403`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing in\n%s", want, text)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, request := range r.asked {
		if !strings.HasPrefix(request, "REGISTER sip:fabrikam.com SIP/2.0\r\n") || !strings.Contains(request, "\r\nExpires: 0\r\n") || strings.Contains(request, "uthorization") {
			t.Errorf("asked\n%s", request)
		}
	}
	if len(r.asked) != 6 {
		t.Errorf("asked %d times, want one for each of three firmwares and three redirects", len(r.asked))
	}
}

func TestRedirectedOnlyWithinTheSite(t *testing.T) {
	env := &Env{Target: &Target{Domains: phone.Domains{SIP: "fabrikam.com", DHCP: "contoso.com"}}}
	for contact, want := range map[string]string{
		"evil.example:5061": "none of the site's domains", "192.0.2.1": "none of the site's domains",
		"contoso.com.evil.example": "none of the site's domains", "pool01.contoso.com:22": "another port", "pool01.contoso.com:x": "another port",
		"pool01.contoso.com": "no resolver answers", "POOL01.contoso.com.:443": "no resolver answers",
	} {
		_, foreign, unanswered, why := redirected(t.Context(), env, []string{contact})
		if !strings.Contains(why, want) || foreign != (want == "none of the site's domains" || want == "another port") || foreign == (unanswered == 1) {
			t.Errorf("%q: %q, foreign %t, %d unanswered, want %q", contact, why, foreign, unanswered, want)
		}
	}
	if to, foreign, _, why := redirected(t.Context(), env, nil); to != nil || foreign || why != "it does not say where to" {
		t.Errorf("nowhere: %v, foreign %t, %q", to, foreign, why)
	}
	if _, foreign, _, why := redirected(t.Context(), env, slices.Repeat([]string{"a.contoso.com"}, 20)); !foreign || !strings.HasPrefix(why, "4 more are not looked for;") {
		t.Errorf("to many: foreign %t, %q", foreign, why)
	}
}

// TestAskInTurn: as many addresses as registrars that are found otherwise, and those that are left out are counted.
func TestAskInTurn(t *testing.T) {
	leads := func(n int) (list []sipLead) {
		for i := range n {
			list = append(list, sipLead{netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 5061), "pool02.contoso.com"})
		}
		return list
	}
	for _, tt := range []struct {
		name                   string
		many, well, until      int // until is how many are asked in time
		problem                facts.SIPProblem
		wantAsked, wantLeftOut int
		wantProblem            facts.SIPProblem
	}{
		{"the first", 3, 0, 99, facts.SIPNoConnection, 1, 0, ""},
		{"the last", 3, 2, 99, facts.SIPNoConnection, 3, 0, ""},
		{"the last that may be asked", 20, 15, 99, facts.SIPNoConnection, 16, 0, ""},
		{"none", 3, -1, 99, facts.SIPNoConnection, 3, 0, facts.SIPNoConnection},
		{"one of those left out", 20, 17, 99, facts.SIPNoConnection, 16, 4, facts.SIPNoConnection},
		{"the time is up", 5, 4, 2, facts.SIPNoConnection, 2, 4, facts.SIPNoConnection},
		{"the time is up while one is asked", 5, 4, 1, facts.SIPSilent, 1, 5, facts.SIPSilent},
		{"silent", 5, 4, 99, facts.SIPSilent, 1, 0, facts.SIPSilent},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		asked, list := 0, leads(tt.many)
		got := askInTurn(ctx, list, func(to netip.AddrPort, _ string) facts.SIPAnswer {
			if asked++; asked == tt.until {
				cancel()
			}
			if tt.well >= 0 && to == list[tt.well].address {
				return takesUp()
			}
			return sipBroken(tt.problem)
		})
		if asked != tt.wantAsked || got.LeftOut != tt.wantLeftOut || got.Problem != tt.wantProblem {
			t.Errorf("%s: asked %d, left out %d, %q; want %d, %d, %q", tt.name, asked, got.LeftOut, got.Problem, tt.wantAsked, tt.wantLeftOut, tt.wantProblem)
		}
	}
}

// TestRedirectedInAFixedOrder: by preference, then in whatever order DNS gives them.
func TestRedirectedInAFixedOrder(t *testing.T) {
	resolver := testResolver(t, dns.RcodeSuccess, "192.0.2.3", "192.0.2.9", "192.0.2.1")
	env := &Env{Target: &Target{Domains: phone.Domains{SIP: "fabrikam.com", DHCP: "contoso.com"}, Way: reach.Way{
		Resolvers: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.5:53")},
		ConnectTo: []site.ConnectTo{{Host: "192.0.2.5", ToHost: resolver.Addr().String(), ToPort: fmt.Sprint(resolver.Port())}},
	}}}
	var got []string
	to, foreign, _, _ := redirected(t.Context(), env, []string{"pool.evil.example", "pool02.contoso.com", "a.contoso.com:443"})
	for _, lead := range to {
		got = append(got, lead.host+" "+lead.address.String())
	}
	want := []string{
		"pool02.contoso.com 192.0.2.1:5061", "pool02.contoso.com 192.0.2.3:5061", "pool02.contoso.com 192.0.2.7:5061", "pool02.contoso.com 192.0.2.9:5061",
		"a.contoso.com 192.0.2.1:443", "a.contoso.com 192.0.2.3:443", "a.contoso.com 192.0.2.7:443", "a.contoso.com 192.0.2.9:443",
	}
	if !slices.Equal(got, want) || !foreign {
		t.Errorf("got %q, foreign %t; want %q", got, foreign, want)
	}
}
