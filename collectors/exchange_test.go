package collectors

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/site"
)

const autodiscoverPath = "/autodiscover/autodiscover.xml"

// newExchange is a site with Exchange whose places all lead to the two ports.
func newExchange(t *testing.T, plain, secure http.HandlerFunc) *pages {
	t.Helper()
	p := newPages(t, site.Internal, plain, secure)
	p.target.Domains.SMTP = "fabrikam.com"
	return p
}

// atAutodiscover answers for autodiscover.fabrikam.com, and the SMTP domain's own web server is another one.
func atAutodiscover(then http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.Host, "autodiscover.") {
			body("<html>welcome</html>")(w, r)
			return
		}
		then(w, r)
	}
}

var wantsNTLM = status(401, wants, "Negotiate", wants, "NTLM")

const pox = `<Autodiscover><Response><Account><Protocol><Type>EXCH</Type><ASUrl>%s</ASUrl></Protocol></Account></Response></Autodiscover>`

func TestExchangeReasons(t *testing.T) {
	toTLS := status(302, "Location", "https://mail.fabrikam.com"+autodiscoverPath)
	byHost := func(hosts map[string]http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if h := hosts[r.Host]; h != nil {
				h(w, r)
				return
			}
			http.NotFound(w, r)
		}
	}
	for _, c := range []struct {
		name          string
		plain, secure http.HandlerFunc
		want          string
		found         int
	}{
		{"healthy", nil, atAutodiscover(wantsNTLM), "", 1},
		{"asks for Basic", nil, atAutodiscover(status(401, wants, "Basic")), "exchange_no_ntlm", 0},
		{"forbidden", nil, atAutodiscover(status(403)), "exchange_forbidden", 0},
		{"not found", nil, atAutodiscover(status(404)), "exchange_not_found", 0},
		{"server error", nil, atAutodiscover(status(500)), "exchange_server_error", 0},
		{"gone", nil, atAutodiscover(status(410)), "exchange_status", 0},
		{"a page", nil, atAutodiscover(body("<html/>")), "exchange_page", 0},
		{"anonymous", nil, atAutodiscover(body(fmt.Sprintf(pox, ""))), "exchange_anonymous", 1},
		{"redirect by HTTPS", nil, atAutodiscover(status(302, "Location", "https://mail.fabrikam.com/")), "exchange_redirect", 0},
		{"closed", nil, nil, "exchange_unreachable", 0},
		{"redirect of plain HTTP", toTLS, byHost(map[string]http.HandlerFunc{"mail.fabrikam.com": wantsNTLM}), "", 1},
		{"redirect of plain HTTP to nothing", toTLS, byHost(nil), "exchange_not_found", 0},
		{"redirect of plain HTTP elsewhere", status(302, "Location", "https://evil.example/"), byHost(nil),
			"exchange_not_found,exchange_redirect_foreign", 0},
		{"redirect of plain HTTP to another port", status(302, "Location", "https://mail.fabrikam.com:8443/"), byHost(nil),
			"exchange_not_found,exchange_redirect_foreign", 0},
		{"redirect of plain HTTP to itself", status(302, "Location", "http://autodiscover.fabrikam.com/"), byHost(nil), "exchange_not_found", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newExchange(t, c.plain, c.secure)
			reasons, env, seen := p.probe(t, Exchange())
			if got := strings.Join(reasons, ","); got != c.want {
				t.Errorf("reasons %q, want %q\n%s", got, c.want, p.explain(Exchange(), seen))
			}
			text := strings.Join(samples(env), "\n")
			if want := fmt.Sprintf("cx700_exchange_found[] %d", c.found); !strings.Contains(text, want) {
				t.Errorf("%s is missing in\n%s", want, text)
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			for _, r := range p.asked {
				if r.Header.Get("Authorization") != "" || r.Method != http.MethodGet || strings.Contains(r.Host, "evil") {
					t.Errorf("asked %s %s of %s", r.Method, r.URL, r.Host)
				}
			}
		})
	}
}

// TestExchangeByTheSMTPDomain: where the SMTP domain's own server is Exchange, phones need no other.
func TestExchangeByTheSMTPDomain(t *testing.T) {
	target := &Target{Network: site.Internal, Domains: phone.Domains{SMTP: "fabrikam.com"}}
	names := func(host string, o facts.Outcome) *facts.Names {
		return &facts.Names{Walks: []facts.Walk{{Lookups: []facts.Lookup{{Name: host, Type: phone.A, Outcome: o}}}}}
	}
	good := facts.AutodiscoverAnswer{WebAnswer: facts.WebAnswer{Status: 401, Schemes: []string{"NTLM"}}}
	e := &facts.Exchange{Places: []facts.AutodiscoverPlace{
		{Host: "fabrikam.com", Secure: true, ExchangeServer: facts.ExchangeServer{Names: names("fabrikam.com", facts.Answered), Answers: []facts.AutodiscoverAnswer{good}}},
		{Host: "autodiscover.fabrikam.com", Secure: true, ExchangeServer: facts.ExchangeServer{Names: names("autodiscover.fabrikam.com", facts.NXDomain)}},
	}}
	if fs := judgeExchange(target, e); len(fs) > 0 {
		t.Errorf("got %v", fs)
	}
	e.Places[0].Answers[0].Status = 404
	for outcome, want := range map[facts.Outcome]string{facts.NXDomain: "autodiscover_unresolved", facts.Answered: "autodiscover_srv_only", facts.Timeout: "autodiscover_unresolved"} {
		l := facts.Lookup{Name: target.Domains.AutodiscoverService(), Type: phone.SRV, Outcome: outcome}
		if outcome == facts.Answered {
			l.Services = []phone.Service{{Target: "mail.fabrikam.com", Port: 443}}
		}
		e.Service = &facts.Names{Walks: []facts.Walk{{Lookups: []facts.Lookup{l}}}}
		if fs := judgeExchange(target, e); len(fs) != 1 || fs[0].Reason.Name != want {
			t.Errorf("SRV %s: %v, want %s", outcome, fs, want)
		}
	}
}

func TestExchangeWithoutAnAnswer(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for _, c := range []struct {
		name  string
		serve func(net.Conn)
		rcode int
		want  string
	}{
		{"silent", waitForEnd, dns.RcodeSuccess, "exchange_silent"},
		{"no TLS", says("HTTP/1.1 400 Bad Request\r\n\r\n", nil), dns.RcodeSuccess, "exchange_tls_failed"},
		{"no names", waitForEnd, dns.RcodeNameError, "autodiscover_unresolved"},
		{"resolver fails", waitForEnd, dns.RcodeServerFailure, "exchange_names_unanswered"},
	} {
		t.Run(c.name, func(t *testing.T) {
			address := rawPage(t, c.serve).Addr().String()
			p := newPagesAt(t, site.Internal, c.rcode, address, address)
			p.target.Domains.SMTP, p.target.Timeout = "fabrikam.com", 700*time.Millisecond
			reasons, _, seen := p.probe(t, Exchange())
			if got := strings.Join(slices.Compact(reasons), ","); got != c.want {
				t.Errorf("reasons %q, want %q\n%s", got, c.want, p.explain(Exchange(), seen))
			}
		})
	}
}

// TestExchangeHardened: a server that takes only TLS of today is none for phones.
func TestExchangeHardened(t *testing.T) {
	p := newExchange(t, nil, nil)
	server := httptest.NewUnstartedServer(wantsNTLM)
	server.TLS = oldTLS(t)
	server.TLS.MinVersion, server.TLS.MaxVersion, server.TLS.CipherSuites = tls.VersionTLS12, tls.VersionTLS13, nil
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	server.StartTLS()
	t.Cleanup(server.Close)
	p.target.Way.ConnectTo = append([]site.ConnectTo{leadTo(t, "443", server.Listener.Addr().String())}, p.target.Way.ConnectTo...)
	reasons, _, seen := p.probe(t, Exchange())
	if got := strings.Join(reasons, ","); got != "exchange_hardened" {
		t.Errorf("reasons %s\n%s", got, p.explain(Exchange(), seen))
	}
}

func TestRefusedCertificate(t *testing.T) {
	target := &Target{Firmware: phone.KnownFirmware()}
	for want, served := range map[string]*x509.Certificate{
		"":              proxyCertificate(t, time.Hour, "mail.fabrikam.com"),
		"link_expired":  proxyCertificate(t, -time.Hour, "mail.fabrikam.com"),
		"name_mismatch": proxyCertificate(t, time.Hour, "other.fabrikam.com"),
		"name_wildcard": proxyCertificate(t, time.Hour, "*.fabrikam.com"),
	} {
		got, byAll := refusedCertificate(target, "mail.fabrikam.com", []*x509.Certificate{served}, time.Now())
		if (got == "") != (want == "") || !strings.Contains(got, want) || byAll != (want != "") {
			t.Errorf("want %q, got %q by all %t", want, got, byAll)
		}
	}
	modern := proxyCertificate(t, time.Hour, "mail.fabrikam.com")
	modern.SignatureAlgorithm = x509.SHA256WithRSA
	got, byAll := refusedCertificate(target, "mail.fabrikam.com", []*x509.Certificate{modern}, time.Now())
	if !strings.Contains(got, "1.0.199.123: sha2_link") || byAll {
		t.Errorf("SHA-256: %q by all %t", got, byAll)
	}
}

// TestExchangeSettings judges what Autodiscover tells our account, and where it has the web services.
func TestExchangeSettings(t *testing.T) {
	credential := &site.Credential{Name: "probe"}
	for _, c := range []struct {
		name, answer, want string
	}{
		{"web services there", fmt.Sprintf(pox, "https://mail.fabrikam.com/EWS/Exchange.asmx"), ""},
		{"none", fmt.Sprintf(pox, ""), "ews_missing"},
		{"elsewhere", fmt.Sprintf(pox, "https://mail.evil.example/EWS/"), "ews_foreign"},
		{"not published", fmt.Sprintf(pox, "https://mail.fabrikam.com/missing"), "ews_failed"},
		{"an error", `<r><Error><ErrorCode>500</ErrorCode><Message>no such mailbox</Message></Error></r>`, "autodiscover_refuses"},
		{"another mailbox", `<r><RedirectAddr>a@b.example</RedirectAddr></r>`, "autodiscover_refuses"},
	} {
		t.Run(c.name, func(t *testing.T) {
			settings, err := phone.ParseAutodiscover([]byte(c.answer))
			if err != nil {
				t.Fatal(err)
			}
			p := newExchange(t, nil, atAutodiscoverOr(wantsNTLM))
			p.target.Exchange.Credential = credential
			e := &facts.Exchange{Logon: &facts.AutodiscoverLogon{Answer: &facts.AutodiscoverAnswer{
				WebAnswer: facts.WebAnswer{Status: 200}, Autodiscover: settings}}}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			e.Places = p.target.Way.AskAutodiscover(ctx, p.target.Domains.AutodiscoverPlaces())
			askWebServices(ctx, p.target, e)
			var got []string
			for _, f := range judgeExchange(p.target, e) {
				got = append(got, f.Reason.Name)
			}
			if text := strings.Join(got, ","); text != c.want {
				t.Errorf("reasons %q, want %q\n%s", text, c.want, p.explain(Exchange(), &facts.Seen{Exchange: e}))
			}
		})
	}
}

// atAutodiscoverOr answers for Autodiscover and the web services.
func atAutodiscoverOr(then http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/missing" {
			http.NotFound(w, r)
			return
		}
		then(w, r)
	}
}

func TestExchangeLogonReasons(t *testing.T) {
	target := &Target{Exchange: &site.Exchange{Credential: &site.Credential{Name: "probe"}}}
	for _, c := range []struct {
		logon facts.AutodiscoverLogon
		want  *Reason
	}{
		{facts.AutodiscoverLogon{Logon: facts.Logon{Problem: facts.CredentialRefused}}, logonReasons[facts.CredentialRefused]},
		{facts.AutodiscoverLogon{Logon: facts.Logon{Problem: facts.TLSUntrusted}}, reasonExchangeUntrusted},
		{facts.AutodiscoverLogon{Logon: facts.Logon{Problem: facts.BindFailed}}, reasonExchangeLogonFailed},
		{facts.AutodiscoverLogon{Answer: &facts.AutodiscoverAnswer{WebAnswer: facts.WebAnswer{Status: 500}}}, reasonExchangeServerError},
	} {
		found := findings{}
		judgeExchangeLogon(target, &facts.Exchange{Logon: &c.logon}, found)
		if found[c.want] == nil || len(found) != 1 {
			t.Errorf("%+v: %v", c.logon, found)
		}
	}
}

// TestLogonPlaces: the SMTP domain's own web server may ask for a logon too.
func TestLogonPlaces(t *testing.T) {
	place := func(host string, statuses ...int) facts.AutodiscoverPlace {
		p := facts.AutodiscoverPlace{Host: host, Secure: true}
		for _, status := range statuses {
			p.Answers = append(p.Answers, facts.AutodiscoverAnswer{WebAnswer: facts.WebAnswer{Status: status, Schemes: []string{"NTLM"}}})
		}
		return p
	}
	const own, autodiscover, mail = "fabrikam.com", "autodiscover.fabrikam.com", "mail.fabrikam.com"
	for _, tt := range []struct {
		name    string
		allowed []string
		own     int
		want    []string
	}{
		{"one is allowed", []string{autodiscover}, 401, []string{autodiscover}},
		{"two are allowed", []string{own, autodiscover}, 401, []string{own, autodiscover}},
		{"only one asks for a logon", []string{own, autodiscover}, 404, []string{autodiscover}},
		{"the redirect", []string{autodiscover, mail}, 401, []string{autodiscover, mail}},
		{"none is allowed", []string{"pool01.contoso.com"}, 401, []string{own}},
	} {
		followed := place(mail, 401)
		e := &facts.Exchange{Places: []facts.AutodiscoverPlace{place(own, tt.own), place(autodiscover, 500, 401)}, Followed: &followed}
		var got []string
		for _, access := range logonPlaces(&Target{Exchange: &site.Exchange{Credential: &site.Credential{AllowedHosts: tt.allowed}}}, e) {
			got = append(got, access.Host)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	if got := logonPlaces(&Target{}, &facts.Exchange{Places: []facts.AutodiscoverPlace{place(own, 404)}}); got != nil {
		t.Errorf("nobody asks for a logon: %+v", got)
	}
}

// TestLogsOnElsewhere holds that no account is used again that may have been refused.
func TestLogsOnElsewhere(t *testing.T) {
	answer := func(status int, a *phone.Autodiscover) *facts.AutodiscoverAnswer {
		return &facts.AutodiscoverAnswer{WebAnswer: facts.WebAnswer{Status: status}, Autodiscover: a}
	}
	failed := func(p facts.ControllerProblem, at time.Time) facts.AutodiscoverLogon {
		return facts.AutodiscoverLogon{Logon: facts.Logon{Problem: p, At: at}}
	}
	for name, tt := range map[string]struct {
		logon facts.AutodiscoverLogon
		want  bool
	}{
		"settings":             {facts.AutodiscoverLogon{Answer: answer(200, &phone.Autodiscover{})}, false},
		"an error of Exchange": {facts.AutodiscoverLogon{Answer: answer(200, &phone.Autodiscover{ErrorCode: "500"})}, false},
		"a page":               {facts.AutodiscoverLogon{Answer: answer(200, nil)}, true},
		"not found":            {facts.AutodiscoverLogon{Answer: answer(404, nil)}, true},
		"untrusted":            {failed(facts.TLSUntrusted, time.Time{}), true},
		"untrusted, but sent":  {failed(facts.TLSUntrusted, time.Now()), false},
		"no challenge":         {failed(facts.BindFailed, time.Time{}), true},
		"no end":               {failed(facts.BindFailed, time.Now()), false},
		"refused":              {failed(facts.CredentialRefused, time.Now()), false},
		"refused before":       {failed(facts.CredentialRefused, time.Time{}), false},
		"no secret":            {failed(facts.CredentialUnusable, time.Time{}), false},
	} {
		if got := logsOnElsewhere(&tt.logon); got != tt.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestExchangeTargets(t *testing.T) {
	network := site.Network{Name: site.External, Resolvers: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.53:53")}}
	s := &site.Site{Domains: phone.Domains{SIP: "fabrikam.com", SMTP: "mail.example"}}
	var got []string
	for _, target := range exchangeTargets(s, network) {
		got = append(got, target.Name)
	}
	if diff := cmp.Diff([]string{"mail.example@192.0.2.53"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s.Domains.SMTP = ""
	if got := exchangeTargets(s, network); got != nil {
		t.Errorf("without Exchange: %v", got)
	}
}
