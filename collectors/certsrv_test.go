package collectors

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/reach"
	"github.com/cx700/cx700_exporter/internal/site"
	"github.com/cx700/cx700_exporter/internal/state"
)

const (
	testCA    = "ca01.contoso.com"
	testChain = "../internal/reach/testdata/chain/pkcs7_as_certificate_crlf.pem"
	// certsrvTestTimeout is for probes of silent servers.
	certsrvTestTimeout = 400 * time.Millisecond
)

// webCA is a CA's web page and a resolver that leads to it, on loopback.
type webCA struct {
	target *Target
	shared *reach.Shared
	log    strings.Builder
}

// newWebCA serves the page by raw, which gets each connection, and answers DNS with a response code.
func newWebCA(t *testing.T, page net.Listener, rcode int) *webCA {
	t.Helper()
	resolver := testResolver(t, rcode)
	webHost, webPort, err := net.SplitHostPort(page.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	memory, err := state.Open("")
	if err != nil {
		t.Fatal(err)
	}
	c := &webCA{target: &Target{
		Collector: "certsrv", Network: site.Internal, Name: "contoso.com@192.0.2.5", Timeout: certsrvTestTimeout,
		Domains: phone.Domains{Logon: "contoso.com", DHCP: "contoso.com", SIP: "fabrikam.com"},
		Certsrv: site.Certsrv{Hosts: []string{testCA}},
		Way: reach.Way{
			Resolvers: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.5:53")},
			ConnectTo: []site.ConnectTo{
				{Host: "192.0.2.5", ToHost: resolver.Addr().String(), ToPort: fmt.Sprint(resolver.Port())},
				{Host: "192.0.2.7", Port: "80", ToHost: webHost, ToPort: webPort},
				{ToHost: "127.0.0.1", ToPort: "9"},
			},
		},
	}}
	c.shared = reach.NewShared(slog.New(slog.NewTextHandler(&c.log, nil)), memory)
	t.Cleanup(c.shared.Close)
	return c
}

// testResolver answers every question for an A record with 192.0.2.7 and more addresses, or with a response code;
// -1 is silence.
func testResolver(t *testing.T, rcode int, more ...string) netip.AddrPort {
	t.Helper()
	packets, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &dns.Server{PacketConn: packets, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		if rcode < 0 {
			return
		}
		answer := new(dns.Msg).SetRcode(q, rcode)
		if rcode == dns.RcodeSuccess && q.Question[0].Qtype == dns.TypeA {
			for _, address := range append([]string{"192.0.2.7"}, more...) {
				answer.Answer = append(answer.Answer, &dns.A{A: net.ParseIP(address), Hdr: dns.RR_Header{
					Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}})
			}
		}
		if err := w.WriteMsg(answer); err != nil {
			t.Error(err)
		}
	})}
	ended := make(chan error, 1)
	started := make(chan struct{})
	server.NotifyStartedFunc = func() { close(started) }
	go func() { ended <- server.ActivateAndServe() }()
	<-started
	t.Cleanup(func() {
		if err := server.Shutdown(); err != nil {
			t.Error(err)
		}
		<-ended
	})
	return packets.LocalAddr().(*net.UDPAddr).AddrPort()
}

// probe probes once and returns the names of the reasons.
func (c *webCA) probe(t *testing.T) (reasons []string, env *Env, seen *facts.Seen) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), c.target.Timeout)
	defer cancel()
	env, seen = &Env{Target: c.target, Shared: c.shared, Due: time.Now()}, &facts.Seen{}
	for _, f := range Failures(probeCertsrv(ctx, env, seen)) {
		reasons = append(reasons, f.Reason.Name)
		if !slices.ContainsFunc(Certsrv().Reasons, func(r *Reason) bool { return r == f.Reason }) {
			t.Errorf("%s is not among the collector's reasons", f.Reason.Name)
		}
	}
	return reasons, env, seen
}

// series writes the samples without those of expiry dates, whose values the fixtures give.
func series(env *Env) []string {
	var out []string
	for _, s := range env.Samples() {
		text := fmt.Sprintf("%s%q %g", s.Desc.Name, s.Labels[1:], s.Value)
		if s.Desc == descCertsrvNotAfter {
			text = s.Desc.Name
		}
		out = append(out, text)
	}
	return out
}

func status(code int, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Add(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
	}
}

func body(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }
}

const wants = "WWW-Authenticate"

func TestCertsrvReasons(t *testing.T) {
	chain, err := os.ReadFile(testChain)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		page   http.HandlerFunc
		reason string
		ok     int
		status int
	}{
		{"asks for a logon", status(401, wants, "Negotiate", wants, "NTLM"), "", 1, 401},
		{"asks for NTLM only", status(401, wants, "NTLM"), "", 1, 401},
		{"asks for Basic only", status(401, wants, `Basic realm="ca01, NTLM"`), "certsrv_no_windows_logon", 0, 401},
		{"asks for nothing that has a name", status(401), "certsrv_no_windows_logon", 0, 401},
		{"forbidden", status(403), "certsrv_forbidden", 0, 403},
		{"not found", status(404), "certsrv_not_found", 0, 404},
		{"to https", status(302, "Location", "https://ca01.contoso.com/certsrv/"), "certsrv_https_only", 0, 302},
		{"to https, in capitals", status(301, "Location", "HTTPS://ca01.contoso.com/"), "certsrv_https_only", 0, 301},
		{"elsewhere", status(302, "Location", "/other"), "certsrv_status", 0, 302},
		{"to nowhere", status(302, "Location", "%zz"), "certsrv_status", 0, 302},
		{"gone", status(410), "certsrv_status", 0, 410},
		{"no content", status(204), "certsrv_status", 0, 204},
		{"server error", status(500), "certsrv_server_error", 0, 500},
		{"unavailable", status(503), "certsrv_server_error", 0, 503},
		{"a chain for everybody", body(string(chain)), "certsrv_anonymous", 1, 200},
		{"a page", body("<html>Please sign in</html>"), "certsrv_no_certificate", 0, 200},
		{"nothing", body(""), "certsrv_no_certificate", 0, 200},
		{"too much", body(strings.Repeat("A", 2<<20)), "certsrv_no_certificate", 0, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked := make(chan *http.Request, 8)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked <- r
				c.page(w, r)
			}))
			defer server.Close()
			reasons, env, seen := newWebCA(t, server.Listener, dns.RcodeSuccess).probe(t)
			if got := strings.Join(reasons, ","); got != c.reason {
				t.Errorf("reasons %q, want %q; seen %s", got, c.reason, explained(env.Target, seen))
			}
			want := []string{
				fmt.Sprintf(`cx700_certsrv_ok["ca01.contoso.com"] %d`, c.ok),
				fmt.Sprintf(`cx700_certsrv_http_status["ca01.contoso.com"] %d`, c.status),
			}
			if c.reason == "certsrv_anonymous" {
				want = append(want, descCertsrvNotAfter.Name, descCertsrvNotAfter.Name)
			}
			if diff := cmp.Diff(want, series(env)); diff != "" {
				t.Errorf("series (-want +got):\n%s", diff)
			}
			close(asked)
			checkRequests(t, asked)
		})
	}
}

// checkRequests holds that there was one request, as a phone makes it and without a logon.
func checkRequests(t *testing.T, asked <-chan *http.Request) {
	t.Helper()
	var got []string
	for r := range asked {
		got = append(got, fmt.Sprintf("%s http://%s%s %s", r.Method, r.Host, r.URL, r.Proto))
		if r.Header.Get("Authorization") != "" || r.Header.Get("Cookie") != "" {
			t.Errorf("headers %v, want neither a logon nor cookies", r.Header)
		}
		if agent := r.Header.Get("User-Agent"); !strings.HasPrefix(agent, "cx700_exporter/") {
			t.Errorf("User-Agent %q", agent)
		}
	}
	if diff := cmp.Diff([]string{"GET " + phone.CertsrvURL(testCA) + " HTTP/1.1"}, got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func explained(t *Target, seen *facts.Seen) string {
	var out strings.Builder
	explainCertsrv(&out, t, seen)
	return out.String()
}

// rawPage serves connections by hand.
func rawPage(t *testing.T, serve func(net.Conn)) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serve(conn)
			conn.Close()
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		<-done
	})
	return listener
}

// waitForEnd reads until the client closes the connection.
func waitForEnd(conn net.Conn) {
	for r := bufio.NewReader(conn); ; {
		if _, err := r.ReadByte(); err != nil {
			return
		}
	}
}

func says(text string, then func(net.Conn)) func(net.Conn) {
	return func(conn net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
			return
		}
		fmt.Fprint(conn, text)
		if then != nil {
			then(conn)
		}
	}
}

func TestCertsrvWithoutAnAnswer(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for _, c := range []struct {
		name   string
		serve  func(net.Conn)
		closed bool
		rcode  int
		reason string
		series []string
	}{
		{name: "refuses", closed: true, reason: "certsrv_unreachable"},
		{name: "silent", serve: waitForEnd, reason: "certsrv_silent"},
		{name: "silent after the header", serve: says("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", waitForEnd), reason: "certsrv_silent"},
		{name: "ends at once", serve: func(net.Conn) {}, reason: "certsrv_malformed"},
		{name: "ends in the middle", serve: says("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nMII", nil), reason: "certsrv_malformed"},
		{name: "speaks SSH", serve: says("SSH-2.0-OpenSSH_9.2\r\n", nil), reason: "certsrv_malformed"},
		{name: "header without an end", serve: says("HTTP/1.1 200 OK\r\nX: "+strings.Repeat("a", 1<<20), nil), reason: "certsrv_malformed"},
		{name: "name gone", serve: waitForEnd, rcode: dns.RcodeNameError, reason: "certsrv_unresolved"},
		{name: "resolver fails", serve: waitForEnd, rcode: dns.RcodeServerFailure, reason: "certsrv_names_unanswered", series: []string{}},
		{name: "resolver silent", serve: waitForEnd, rcode: -1, reason: "certsrv_names_unanswered", series: []string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			listener := rawPage(t, c.serve)
			if c.closed {
				listener.Close()
			}
			reasons, env, seen := newWebCA(t, listener, c.rcode).probe(t)
			if diff := cmp.Diff([]string{c.reason}, reasons); diff != "" {
				t.Errorf("reasons (-want +got):\n%s\n%s", diff, explained(env.Target, seen))
			}
			want := c.series
			if want == nil {
				want = []string{`cx700_certsrv_ok["ca01.contoso.com"] 0`}
			}
			if diff := cmp.Diff(strings.Join(want, "\n"), strings.Join(series(env), "\n")); diff != "" {
				t.Errorf("series (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCertsrvGuardsTheCredential looks for the secret in everything that a probe leaves, and for what it
// says when the account may not be used.
func TestCertsrvGuardsTheCredential(t *testing.T) {
	const secret = "Planted-Secret-2"
	for _, c := range []struct {
		name    string
		page    http.HandlerFunc
		ntlm    bool
		allowed string
		reason  string
	}{
		{"not allowed", status(401, wants, "Negotiate"), false, "dc01.contoso.com", "credential_unusable"},
		{"no KDC", status(401, wants, "Negotiate"), false, testCA, "kerberos_unavailable"},
		{"NTLM only", status(401, wants, "NTLM"), false, testCA, "certsrv_ntlm_only"},
		{"NTLM without a challenge", status(401, wants, "NTLM"), true, testCA, "certsrv_logon_failed"},
		{"Basic", status(401, wants, "Basic"), true, testCA, "certsrv_no_windows_logon"},
		{"redirect", status(302, "Location", "/", wants, "Negotiate"), true, testCA, "certsrv_status"},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.Header.Get("Authorization"), "Basic") {
					t.Error("the password went out by Basic")
				}
				c.page(w, r)
			}))
			defer server.Close()
			ca := newWebCA(t, server.Listener, dns.RcodeSuccess)
			file := filepath.Join(t.TempDir(), "secret")
			if err := os.WriteFile(file, []byte(secret), 0o600); err != nil {
				t.Fatal(err)
			}
			ca.target.Timeout = 5 * time.Second
			ca.target.Certsrv.NTLMOverHTTP = c.ntlm
			ca.target.Certsrv.Credential = &site.Credential{
				Name: "probe", Username: "probe@contoso.com", PasswordFile: file, AllowedHosts: []string{c.allowed}}
			reasons, env, seen := ca.probe(t)
			if diff := cmp.Diff([]string{c.reason}, reasons); diff != "" {
				t.Errorf("reasons (-want +got):\n%s", diff)
			}
			everything := fmt.Sprintf("%s %+v %+v %v %s", explained(ca.target, seen), seen.Certsrv, env.Samples(), reasons, ca.log.String())
			if strings.Contains(everything, secret) {
				t.Errorf("the secret is in %s", everything)
			}
		})
	}
}

func TestCertsrvHosts(t *testing.T) {
	read := facts.Controller{Host: "dc01.contoso.com", Services: []facts.EnrolmentService{
		{Host: testCA}, {Host: ""}, {Host: "ca02.contoso.com"}}}
	again := facts.Controller{Host: "dc02.contoso.com", Services: []facts.EnrolmentService{{Host: testCA}}}
	denied := facts.Controller{Host: "dc03.contoso.com", Denied: true}
	down := facts.Controller{Host: "dc04.contoso.com", Problem: facts.ControllerSilent}
	for _, c := range []struct {
		name        string
		bind        site.BindKind
		controllers []facts.Controller
		hosts       []string
		reasons     []string
	}{
		{"two controllers", site.BindLDAPS, []facts.Controller{read, again}, []string{testCA, "ca02.contoso.com"}, nil},
		{"no CA", site.BindLDAPS, []facts.Controller{{Host: "dc01.contoso.com"}, down}, nil, nil},
		{"no account", "", []facts.Controller{denied}, nil, []string{"certsrv_not_watched"}},
		{"an account that sees nothing", site.BindLDAPS, []facts.Controller{denied, down}, nil, []string{"certsrv_host_unknown"}},
		{"no controller", site.BindKerberos, nil, nil, []string{"certsrv_host_unknown"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			target := &Target{Directory: site.Directory{Bind: c.bind}}
			d := &facts.Directory{Controllers: c.controllers}
			hosts := caHosts(target, d)
			if diff := cmp.Diff(c.hosts, hosts); diff != "" {
				t.Errorf("hosts (-want +got):\n%s", diff)
			}
			if hosts != nil {
				return
			}
			var reasons []string
			for _, f := range judgeCertsrv(target, &facts.Certsrv{Directory: d}) {
				reasons = append(reasons, f.Reason.Name)
			}
			if diff := cmp.Diff(c.reasons, reasons); diff != "" {
				t.Errorf("reasons (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCertsrvAsksNoBadName(t *testing.T) {
	for _, host := range []string{"ca01.contoso.com/..", "ca01:8080", "a b", "käse", "-\n", "", strings.Repeat("a", 64)} {
		h := facts.CertsrvHost{Host: host}
		if err := askCA(t.Context(), &Env{Target: &Target{}}, &h, nil); err != nil {
			t.Error(err)
		}
		if r, _ := hostReason(&h); r != reasonCertsrvUnresolved || h.Names != nil {
			t.Errorf("%q: %v, want it not asked", host, r)
		}
	}
}

func TestCertsrvLogonReasons(t *testing.T) {
	used := facts.Logon{At: time.Date(2009, time.June, 4, 6, 22, 3, 0, time.UTC)}
	for _, c := range []struct {
		name  string
		logon facts.CertsrvLogon
		want  *Reason
	}{
		{"a chain", facts.CertsrvLogon{Logon: used, Answer: &facts.CertsrvAnswer{WebAnswer: facts.WebAnswer{Status: 200}, Certificates: []facts.Certificate{{}}}}, nil},
		{"refused", facts.CertsrvLogon{Logon: used, Answer: &facts.CertsrvAnswer{WebAnswer: facts.WebAnswer{Status: 401, Schemes: []string{"Negotiate"}}}}, reasonCertsrvLogonRefused},
		{"forbidden", facts.CertsrvLogon{Logon: used, Answer: &facts.CertsrvAnswer{WebAnswer: facts.WebAnswer{Status: 403}}}, reasonCertsrvForbidden},
		{"a page", facts.CertsrvLogon{Logon: used, Answer: &facts.CertsrvAnswer{WebAnswer: facts.WebAnswer{Status: 200, Detail: "HTML"}}}, reasonCertsrvNoCertificate},
		{"silent", facts.CertsrvLogon{Logon: used, Answer: &facts.CertsrvAnswer{WebAnswer: facts.WebAnswer{Problem: facts.WebSilent}}}, reasonCertsrvSilent},
		{"locked", facts.CertsrvLogon{Logon: facts.Logon{Problem: facts.AccountLocked}}, logonReasons[facts.AccountLocked]},
		{"no turn", facts.CertsrvLogon{Logon: facts.Logon{Problem: facts.ControllerSilent}}, reasonCertsrvLogonFailed},
		{"broken", facts.CertsrvLogon{Logon: facts.Logon{Problem: facts.BindFailed}}, reasonCertsrvLogonFailed},
	} {
		got, _ := logonReason(&c.logon)
		if got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
		if got != nil && !slices.Contains(Certsrv().Reasons, got) {
			t.Errorf("%s: %s is not among the collector's reasons", c.name, got.Name)
		}
	}
}

func TestCertsrvReasonsAreWhole(t *testing.T) {
	names := map[string]bool{}
	for _, r := range Certsrv().Reasons {
		if r == nil {
			t.Fatal("a reason that is none")
		}
		if names[r.Name] {
			t.Errorf("%s is there twice", r.Name)
		}
		names[r.Name] = true
		if r.Means == "" || r.Screen == "" || r.Mend == "" || r.AtPhone == "" || r.Effect >= BlocksNew {
			t.Errorf("%s: a text is missing, or it blocks although AD may serve: %+v", r.Name, r)
		}
	}
}

func TestExplainCertsrvStepByStep(t *testing.T) {
	chain, err := os.ReadFile(testChain)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(body(string(chain)))
	defer server.Close()
	_, env, seen := newWebCA(t, server.Listener, dns.RcodeSuccess).probe(t)
	text := explained(env.Target, seen)
	for _, want := range []string{
		"CAs of the site file", "CA " + testCA, "resolver 192.0.2.5:53", "192.0.2.7", "GET " + phone.CertsrvURL(testCA),
		"without a logon: status 200 at 192.0.2.7:80, certificates: 2", "CN=Contoso Root CA,DC=contoso,DC=com", "SHA-256 ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
}
