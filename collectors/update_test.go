package collectors

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"github.com/cx700/cx700_exporter/internal/certtest"
	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/reach"
	"github.com/cx700/cx700_exporter/internal/site"
	"github.com/cx700/cx700_exporter/internal/state"
)

const (
	testFrontEnd = "fe01.contoso.com"
	testProxy    = "ocsrp.fabrikam.com"
	testVersion  = "3.5.6907.35"
)

// pages are the ports 80 and 443 of a server for updates, which answers to every name, and what was asked.
type pages struct {
	target *Target
	shared *reach.Shared
	log    strings.Builder

	mu    sync.Mutex
	asked []*http.Request
}

// newPages serves on loopback; a nil handler leaves the port closed.
func newPages(t *testing.T, network site.NetworkName, plain, secure http.HandlerFunc) *pages {
	t.Helper()
	p := newPagesAt(t, network, dns.RcodeSuccess, "127.0.0.1:9", "127.0.0.1:9")
	var diverted []site.ConnectTo
	for port, handler := range map[string]http.HandlerFunc{"80": plain, "443": secure} {
		if handler == nil {
			continue
		}
		server := httptest.NewUnstartedServer(p.recording(handler))
		server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
		if port == "443" {
			server.TLS = oldTLS(t)
			server.StartTLS()
		} else {
			server.Start()
		}
		t.Cleanup(server.Close)
		diverted = append(diverted, leadTo(t, port, server.Listener.Addr().String()))
	}
	p.target.Way.ConnectTo = append(diverted, p.target.Way.ConnectTo...)
	return p
}

// oldTLS is a server as old as the phones: TLS 1.0 with RSA key exchange, and nothing else.
func oldTLS(t *testing.T) *tls.Config {
	t.Helper()
	served := proxyCertificate(t, time.Hour, testProxy, "autodiscover.fabrikam.com", "mail.fabrikam.com", "pool02.contoso.com")
	return &tls.Config{
		MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA},
		Certificates: []tls.Certificate{{PrivateKey: proxyKey(), Certificate: [][]byte{served.Raw}}},
	}
}

var proxyKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// proxyCertificate is one of the phones' time, for hosts, that ends after a while.
func proxyCertificate(t *testing.T, after time.Duration, hosts ...string) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: hosts, SignatureAlgorithm: x509.SHA1WithRSA,
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(after),
	}
	c, err := certtest.Create(template, template, proxyKey().Public(), proxyKey())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (p *pages) recording(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.asked = append(p.asked, r)
		p.mu.Unlock()
		next(w, r)
	}
}

func leadTo(t *testing.T, port, address string) site.ConnectTo {
	t.Helper()
	host, to, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return site.ConnectTo{Host: "192.0.2.7", Port: port, ToHost: host, ToPort: to}
}

// newPagesAt leads both ports to addresses.
func newPagesAt(t *testing.T, network site.NetworkName, rcode int, plain, secure string) *pages {
	t.Helper()
	resolver := testResolver(t, rcode)
	memory, err := state.Open("")
	if err != nil {
		t.Fatal(err)
	}
	p := &pages{target: &Target{
		Collector: "update", Network: network, Name: "updates@192.0.2.5", Timeout: 2 * time.Second, Interval: time.Minute,
		Domains:   phone.Domains{DHCP: "contoso.com", SIP: "fabrikam.com", ReverseProxy: testProxy},
		FrontEnds: []string{testFrontEnd}, Update: &site.Update{}, Exchange: &site.Exchange{},
		Firmware: phone.KnownFirmware(), MaxBytesPerSecond: 1 << 30,
		Way: reach.Way{
			Resolvers: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.5:53")},
			ConnectTo: []site.ConnectTo{
				{Host: "192.0.2.5", ToHost: resolver.Addr().String(), ToPort: fmt.Sprint(resolver.Port())},
				leadTo(t, "80", plain), leadTo(t, "443", secure), {ToHost: "127.0.0.1", ToPort: "9"},
			},
		},
	}}
	p.shared = reach.NewShared(slog.New(slog.NewTextHandler(&p.log, nil)), memory)
	t.Cleanup(p.shared.Close)
	return p
}

// probe probes once with a collector and returns the names of the reasons, sorted.
func (p *pages) probe(t *testing.T, c *Collector) (reasons []string, env *Env, seen *facts.Seen) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), p.target.Timeout)
	defer cancel()
	p.target.Collector = c.Name
	env, seen = &Env{Target: p.target, Shared: p.shared, Due: time.Now(), Scheduled: true}, &facts.Seen{}
	for _, f := range Failures(c.Probe(ctx, env, seen)) {
		reasons = append(reasons, f.Reason.Name)
		if !slices.ContainsFunc(c.Reasons, func(r *Reason) bool { return r.Name == f.Reason.Name }) {
			t.Errorf("%s is not among the collector's reasons: %v", f.Reason.Name, f.Err)
		}
	}
	slices.Sort(reasons)
	return reasons, env, seen
}

func (p *pages) explain(c *Collector, seen *facts.Seen) string {
	var out strings.Builder
	c.Explain(&out, p.target, seen)
	return out.String()
}

// samples writes the series of an environment.
func samples(env *Env) []string {
	var out []string
	for _, s := range env.Samples() {
		out = append(out, fmt.Sprintf("%s%q %g", s.Desc.Name, s.Labels[2:], s.Value))
	}
	return out
}

var fixedTime = time.Date(2009, time.June, 4, 6, 22, 3, 0, time.UTC)

const noFiles = `<Response><NumOfFiles>0</NumOfFiles><ServerVersion>3.5.6907.0</ServerVersion><ServiceVersion>3.5.6907.0</ServiceVersion></Response>`

// offer is an answer with one update; base URLs may be blank.
func offer(base, external string) string {
	return `<Response><NumOfFiles>1</NumOfFiles><CurrentTime>` + time.Now().UTC().Format("2006-01-02T15:04:05") + `</CurrentTime>` +
		`<ServerVersion>3.5.6907.0</ServerVersion><ServiceVersion>3.5.6907.0</ServiceVersion><File><FileName>CPE.nbt</FileName>` +
		`<SignatureFileName>CPE.cat</SignatureFileName><DescriptFile>CPE_desc.xml</DescriptFile>` +
		`<BaseURL>` + base + `</BaseURL><ExternalBaseURL>` + external + `</ExternalBaseURL></File></Response>`
}

var (
	testBase    = "http://" + testFrontEnd + phone.FilesPath + phone.CX700().StorePath(testVersion)
	testBaseExt = "https://" + testProxy + phone.FilesPathExt + phone.CX700().StorePath(testVersion)
)

func TestUpdateReasonsInside(t *testing.T) {
	good := body(noFiles)
	for _, c := range []struct {
		name          string
		plain, secure http.HandlerFunc
		want          string
	}{
		{"no update", good, nil, ""},
		{"both ports", good, good, ""},
		{"forbidden", status(403), nil, "update_forbidden"},
		{"not found", status(404), nil, "update_not_found"},
		{"server error", status(500), nil, "update_server_error"},
		{"server error, 443 good", status(500), good, "update_server_error"},
		{"redirect in a circle", status(302, "Location", phone.UpdatePath), nil, "update_redirect"},
		{"redirect to https", status(301, "Location", "https://fe01.contoso.com/"), nil, "update_https_only"},
		{"443 only", nil, good, "update_https_only"},
		{"443 only by policy", status(403), good, "update_https_only"},
		{"gone", status(410), nil, "update_status"},
		{"a page", body("<html><body>sign in</body></html>"), nil, "update_unparsable"},
		{"an entity bomb", body(`<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`), nil, "update_unparsable"},
		{"wants a logon", status(401, wants, "NTLM"), nil, "update_logon_wanted"},
		{"wants a logon on both ports", status(401, wants, "NTLM"), status(401, wants, "NTLM"), "update_logon_wanted"},
		{"closed", nil, nil, "update_unreachable"},
		{"an offer", body(offer(testBase, testBaseExt)), nil, "ladder_unreachable"},
		{"both blank", body(offer("", "")), nil, "base_url_blank,external_base_url_blank"},
		{"inside blank", body(offer("", strings.Replace(testBaseExt, testVersion, "1.0.522.101", 1))), nil, "base_url_blank"},
		{"a wrong clock", body(`<r><NumOfFiles>0</NumOfFiles><CurrentTime>2001-01-01T00:00:00</CurrentTime></r>`), nil, "update_clock_off"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPages(t, site.Internal, c.plain, c.secure)
			reasons, env, seen := p.probe(t, Update())
			if got := strings.Join(reasons, ","); got != c.want {
				t.Errorf("reasons %q, want %q\n%s", got, c.want, p.explain(Update(), seen))
			}
			text := strings.Join(samples(env), "\n")
			ok := 1
			for _, r := range Update().Reasons {
				if slices.Contains(reasons, r.Name) && r.Effect == Degrades && !strings.Contains(r.Name, "blank") {
					ok = 0
				}
			}
			if want := fmt.Sprintf(`cx700_update_ok["fe01.contoso.com" "192.0.2.7:80"] %d`, ok); !strings.Contains(text, want) {
				t.Errorf("%s is missing in\n%s", want, text)
			}
			p.checkAsked(t)
		})
	}
}

// checkAsked holds that all requests are the phone's, without a logon, and each once.
func (p *pages) checkAsked(t *testing.T) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	seen := map[bool]int{}
	for _, r := range p.asked {
		seen[r.TLS != nil]++
		if r.Method != http.MethodGet || r.URL.Path != phone.UpdatePath && r.URL.Path != phone.UpdatePathExt ||
			r.Header.Get("Authorization") != "" || !strings.HasPrefix(r.Header.Get("User-Agent"), "cx700_exporter/") {
			t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
		}
	}
	if seen[true] > 1 || seen[false] > 1 {
		t.Errorf("requests by TLS or not: %v, want one each", seen)
	}
}

func TestUpdateReasonsOutside(t *testing.T) {
	for _, c := range []struct {
		name   string
		secure http.HandlerFunc
		want   string
		status string
	}{
		{"asks for a logon", status(401, wants, "Negotiate", wants, "NTLM"), "", "(0x00/0x191)"},
		{"asks for Basic", status(401, wants, "Basic"), "update_no_ntlm", "(0x00/0x191)"},
		{"anonymous", body(noFiles), "update_anonymous", "(0x00/0)"},
		{"forbidden", status(403), "update_forbidden", "(0x00/0x193)"},
		{"not found", status(404), "update_not_found", "(0x00/0x194)"},
		{"server error", status(502), "update_server_error", "(0x00/0x1f6)"},
		{"redirect", status(302, "Location", "https://elsewhere.example/"), "update_redirect", "(0x00/0x12e)"},
		{"a page", body("<html/>"), "update_unparsable", "(0x00/0)"},
		{"closed", nil, "update_unreachable", "(0x2efd/0x0)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPages(t, site.External, body("not to be asked"), c.secure)
			reasons, _, seen := p.probe(t, Update())
			if got := strings.Join(reasons, ","); got != c.want {
				t.Errorf("reasons %q, want %q", got, c.want)
			}
			if text := p.explain(Update(), seen); !strings.Contains(text, "Last Update Status: "+c.status) {
				t.Errorf("status %s is missing in\n%s", c.status, text)
			}
			p.checkAsked(t)
		})
	}
}

func TestUpdateWithoutAnAnswer(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for _, c := range []struct {
		name     string
		network  site.NetworkName
		serve    func(net.Conn)
		rcode    int
		want     string
		status   string
		unserved bool
	}{
		{name: "silent inside", network: site.Internal, serve: waitForEnd, want: "update_silent", status: "(0x2ee2/0x0)"},
		{name: "silent outside", network: site.External, serve: waitForEnd, want: "update_silent", status: "(0x2ee2/0x0)"},
		{name: "ends at once inside", network: site.Internal, serve: says("", nil), want: "update_malformed", status: "(0x2efe/0x0)"},
		{name: "speaks SSH inside", network: site.Internal, serve: says("SSH-2.0-x\r\n", nil), want: "update_malformed", status: "(0x2efe/0x0)"},
		{name: "ends in the middle", network: site.Internal, serve: says("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n<R", nil),
			want: "update_malformed", status: "(0x2efe/0x0)"},
		{name: "no TLS outside", network: site.External, serve: says("HTTP/1.1 400 Bad Request\r\n\r\n", nil),
			want: "update_tls_failed", status: "(0x2f7d/0x0)"},
		{name: "ends at once outside", network: site.External, serve: func(net.Conn) {}, want: "update_tls_failed", status: "(0x2f7d/0x0)"},
		{name: "name gone", network: site.External, serve: waitForEnd, rcode: dns.RcodeNameError, want: "update_unresolved", status: "(0x2ee7/0x0)"},
		{name: "resolver fails", network: site.Internal, serve: waitForEnd, rcode: dns.RcodeServerFailure,
			want: "update_names_unanswered", status: "(0x2ee7/0x0)", unserved: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			address := rawPage(t, c.serve).Addr().String()
			p := newPagesAt(t, c.network, c.rcode, address, address)
			p.target.Timeout = 700 * time.Millisecond
			reasons, env, seen := p.probe(t, Update())
			if got := strings.Join(slices.Compact(reasons), ","); got != c.want {
				t.Errorf("reasons %q, want %q\n%s", got, c.want, p.explain(Update(), seen))
			}
			if text := p.explain(Update(), seen); !strings.Contains(text, c.status) {
				t.Errorf("status %s is missing in\n%s", c.status, text)
			}
			if none := len(samples(env)) == 0; none != c.unserved {
				t.Errorf("series %v", samples(env))
			}
		})
	}
}

// TestCertificateComesBeforeTheStatus: what the About screen shows of a reverse proxy whose certificate is no good.
func TestCertificateComesBeforeTheStatus(t *testing.T) {
	target := &Target{Network: site.External}
	for want, served := range map[string]*x509.Certificate{
		"(0x2f05/0x0)": proxyCertificate(t, -time.Hour, testProxy),
		"(0x2f06/0x0)": proxyCertificate(t, time.Hour, "other.fabrikam.com"),
		"(0x00/0x191), if the phone trusts the certificate": proxyCertificate(t, time.Hour, testProxy),
	} {
		s := &facts.UpdateServer{Host: testProxy, Secure: &facts.UpdateAnswer{At: time.Now(), WebAnswer: facts.WebAnswer{
			Status: 401, Served: []*x509.Certificate{served}}}}
		if got := phoneStatus(target, s); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// twoMembers leads the front end's name to two servers, 192.0.2.7 and 192.0.2.8.
func twoMembers(t *testing.T, first, second http.HandlerFunc) *pages {
	t.Helper()
	p := newPages(t, site.Internal, first, nil)
	server := httptest.NewServer(second)
	t.Cleanup(server.Close)
	to := leadTo(t, "80", server.Listener.Addr().String())
	to.Host = "192.0.2.8"
	resolver := testResolver(t, dns.RcodeSuccess, "192.0.2.8")
	p.target.Way.ConnectTo = append([]site.ConnectTo{to,
		{Host: "192.0.2.5", ToHost: resolver.Addr().String(), ToPort: fmt.Sprint(resolver.Port())}}, p.target.Way.ConnectTo...)
	return p
}

// TestEveryMemberIsAsked: behind one name DNS has two servers, of which one is dead, different, or without the
// image, and a phone may meet either.
func TestEveryMemberIsAsked(t *testing.T) {
	good := store(body(noFiles), file)
	short := func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", fixedTime, strings.NewReader(strings.Repeat("x", imageSize-1)))
	}
	for _, c := range []struct {
		name                       string
		second                     http.HandlerFunc
		update, firmware, download string
	}{
		{"alike", good, "", "", ""},
		{"in trouble", status(500), "update_server_error", "firmware_server_error", ""},
		{"of another version", store(body(strings.ReplaceAll(noFiles, "3.5", "4.0")), file), "front_ends_differ", "", ""},
		{"without the image", store(body(noFiles), status(404)), "", "interim_image_missing", ""},
		{"with half an image", store(body(noFiles), short), "", "images_differ", "images_differ"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := twoMembers(t, good, c.second)
			for collector, want := range map[*Collector]string{Update(): c.update, Firmware(): c.firmware, FirmwareDownload(): c.download} {
				reasons, env, seen := p.probe(t, collector)
				if got := strings.Join(reasons, ","); got != want {
					t.Errorf("%s: reasons %q, want %q\n%s", collector.Name, got, want, p.explain(collector, seen))
				}
				text := strings.Join(samples(env), "\n")
				if n := strings.Count(text, "cx700_update_ok"); collector.Name == "update" && n != 2 {
					t.Errorf("%d servers have series, want 2:\n%s", n, text)
				}
				if n := strings.Count(text, "cx700_firmware_reachable"); collector.Name == "firmware" && n != 1 {
					t.Errorf("%d series of one file, want 1:\n%s", n, text)
				}
			}
		})
	}
}

// TestUpdateHosts holds that the DHCP form of the name decides, that the SIP form and the pool are looked at,
// and that the site file comes first.
func TestUpdateHosts(t *testing.T) {
	target := &Target{Network: site.Internal, Domains: phone.Domains{DHCP: "contoso.com", SIP: "fabrikam.com", ReverseProxy: testProxy},
		Firmware: phone.KnownFirmware()}
	find := func(name string, rt phone.RecordType) phone.Records {
		switch {
		case name == "_sipinternaltls._tcp.fabrikam.com" && rt == phone.SRV:
			return phone.Records{Services: []phone.Service{{Target: "pool01.contoso.com", Port: 5061}}}
		case name == "pool01.contoso.com" && rt == phone.A:
			return phone.Records{Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.7")}}
		default:
			return phone.Records{}
		}
	}
	check := func(name string, want []reach.UpdateHost) {
		t.Helper()
		if diff := cmp.Diff(want, updateHosts(target, find)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	check("found", []reach.UpdateHost{{Name: "ucupdates-r2.contoso.com"}, {Name: "ucupdates-r2.fabrikam.com", Spare: true},
		{Name: "pool01.contoso.com", Spare: true}})
	target.Firmware = target.Firmware[:1]
	check("only firmware that never asks by name", []reach.UpdateHost{{Name: "ucupdates-r2.contoso.com", Spare: true},
		{Name: "ucupdates-r2.fabrikam.com", Spare: true}, {Name: "pool01.contoso.com", Spare: true}})
	target.FrontEnds = []string{testFrontEnd}
	check("of the site file", []reach.UpdateHost{{Name: testFrontEnd}})
	target.Network = site.External
	check("outside", []reach.UpdateHost{{Name: testProxy}})
}

func TestUpdateFindsServersByTheWalk(t *testing.T) {
	p := newPages(t, site.Internal, body(noFiles), nil)
	p.target.FrontEnds, p.target.Timeout = nil, 10*time.Second
	reasons, env, seen := p.probe(t, Update())
	if len(reasons) > 0 || seen.Update.Names == nil || len(seen.Update.Servers) < 2 {
		t.Errorf("reasons %v, seen %+v", reasons, seen.Update)
	}
	if text := strings.Join(samples(env), "\n"); strings.Count(text, "cx700_update_server_info") != 1 {
		t.Errorf("want one pair of versions of servers that say the same:\n%s", text)
	}
}

func TestFrontEndsDiffer(t *testing.T) {
	p := newPages(t, site.Internal, func(w http.ResponseWriter, r *http.Request) {
		if r.Host == testFrontEnd {
			fmt.Fprint(w, noFiles)
			return
		}
		fmt.Fprint(w, strings.ReplaceAll(noFiles, "3.5.6907.0", "3.5.6907.9"))
	}, nil)
	p.target.FrontEnds = append(p.target.FrontEnds, "fe02.contoso.com")
	reasons, env, _ := p.probe(t, Update())
	if diff := cmp.Diff([]string{"front_ends_differ"}, reasons); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
	if text := strings.Join(samples(env), "\n"); strings.Count(text, "cx700_update_server_info") != 2 {
		t.Errorf("want both pairs of versions:\n%s", text)
	}
}

// TestOnlyAnswersToTheSameAreCompared: what everybody is told, with what everybody is told, whoever has an account.
func TestOnlyAnswersToTheSameAreCompared(t *testing.T) {
	says := func(version string) facts.UpdateAnswer {
		return facts.UpdateAnswer{Response: &phone.UpdateResponse{ServerVersion: version}}
	}
	server := func(plain string, logon *facts.UpdateLogon) facts.UpdateServer {
		a := says(plain)
		return facts.UpdateServer{Host: "fe" + plain, Plain: &a, Logon: logon}
	}
	for _, tt := range []struct {
		name    string
		servers []facts.UpdateServer
		want    bool
	}{
		{"the same", []facts.UpdateServer{server("1", nil), server("1", nil)}, false},
		{"a logon at one of them", []facts.UpdateServer{server("1", &facts.UpdateLogon{}), server("2", nil)}, true},
		{"one server tells the account more", []facts.UpdateServer{server("1", &facts.UpdateLogon{Answers: []facts.UpdateAnswer{says("2")}})}, false},
	} {
		found := findings{}
		judgeDifferences(&Target{Network: site.Internal}, &facts.Update{Servers: tt.servers}, found)
		if got := found[reasonFrontEndsDiffer] != nil; got != tt.want {
			t.Errorf("%s: %t, want %t", tt.name, got, tt.want)
		}
	}
}

func TestPasswordInURLIsHidden(t *testing.T) {
	for url, want := range map[string]string{
		"http://svc:Passw0rd@pool01.contoso.com/a": "http://***@pool01.contoso.com/a",
		"http://svc:Pass@w0rd@pool01.contoso.com/": "http://***@pool01.contoso.com/",
		"http://pool01.contoso.com/a@b":            "http://pool01.contoso.com/a@b",
	} {
		if got := shown(url); got != want {
			t.Errorf("%s: %s", want, got)
		}
	}
}

// TestUpdatePost holds that a POST is made for each firmware, escaped, and that its answer counts for that
// firmware only.
func TestUpdatePost(t *testing.T) {
	template := filepath.Join(t.TempDir(), "ask.xml")
	if err := os.WriteFile(template, []byte("<m>{mac}</m><s>{serial}</s><f>{firmware}</f><v>{vendor} {model} {revision} {locale}</v>"), 0o600); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var bodies []string
	p := newPages(t, site.Internal, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			fmt.Fprint(w, noFiles)
			return
		}
		content := make([]byte, r.ContentLength)
		if _, err := r.Body.Read(content); err != nil && err.Error() != "EOF" {
			t.Error(err)
		}
		mu.Lock()
		bodies = append(bodies, string(content))
		mu.Unlock()
		if strings.Contains(string(content), "1.0.199.123") {
			fmt.Fprint(w, offer(testBase, testBaseExt))
			return
		}
		fmt.Fprint(w, noFiles)
	}, nil)
	p.target.Update.Post = site.UpdatePost{Template: template, MAC: "02-00-00-00-00-01", Serial: "<&>", Build: phone.CX700()}
	reasons, env, seen := p.probe(t, Update())
	if diff := cmp.Diff([]string{"ladder_unreachable"}, reasons); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
	slices.Sort(bodies)
	want := "<m>02-00-00-00-00-01</m><s>&lt;&amp;&gt;</s><f>1.0.199.123</f><v>Polycom CX700 A ENU</v>"
	if len(bodies) != 3 || bodies[0] != want {
		t.Errorf("bodies %q, want three, the first %q", bodies, want)
	}
	if text := strings.Join(samples(env), "\n"); !strings.Contains(text, `cx700_update_offered_info["3.5.6907.35"] 1`) {
		t.Errorf("the offer is missing in\n%s", text)
	}
	text := p.explain(Update(), seen)
	for _, want := range []string{"POST as firmware 1.0.199.123", "cannot install 3.5.6907.35, nothing above 1.0.522.*", "answers on port 80: yes, on 443: no"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	p.target.Update.Post.Template += ".gone"
	if _, _, seen := p.probe(t, Update()); seen.Update.Servers[0].Posts[0].Failure != phone.InvalidURL {
		t.Errorf("a template that is gone: %+v", seen.Update.Servers[0].Posts[0])
	}
}

func TestUpdateLogonReasons(t *testing.T) {
	target := &Target{Network: site.External, Update: &site.Update{Credential: &site.Credential{Name: "reader"}}}
	answer := func(a facts.WebAnswer, r *phone.UpdateResponse) []facts.UpdateAnswer {
		return []facts.UpdateAnswer{{WebAnswer: a, Response: r}}
	}
	for _, c := range []struct {
		name  string
		logon facts.UpdateLogon
		want  *Reason
	}{
		{"answered", facts.UpdateLogon{Answers: answer(facts.WebAnswer{Status: 200}, &phone.UpdateResponse{})}, nil},
		{"forbidden", facts.UpdateLogon{Answers: answer(facts.WebAnswer{Status: 403}, nil)}, reasonUpdateForbidden},
		{"a page", facts.UpdateLogon{Answers: answer(facts.WebAnswer{Status: 200}, nil)}, reasonUpdateUnparsable},
		{"silent", facts.UpdateLogon{Answers: answer(facts.WebAnswer{Problem: facts.WebSilent}, nil)}, reasonUpdateSilent},
		{"untrusted", facts.UpdateLogon{Logon: facts.Logon{Problem: facts.TLSUntrusted}}, reasonUpdateUntrusted},
		{"refused", facts.UpdateLogon{Logon: facts.Logon{Problem: facts.CredentialRefused}}, logonReasons[facts.CredentialRefused]},
		{"no turn", facts.UpdateLogon{Logon: facts.Logon{Problem: facts.ControllerSilent}}, reasonUpdateLogonFailed},
	} {
		got, _ := updateLogonReason(target, &facts.UpdateServer{Logon: &c.logon})
		if got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
	if got, _ := updateLogonReason(target, &facts.UpdateServer{}); got != nil {
		t.Errorf("no logon: %+v", got)
	}
}

// TestUpdateReasonsStopNobody: updates keep no phone from signing in.
func TestUpdateReasonsStopNobody(t *testing.T) {
	for _, c := range []*Collector{Update(), Firmware(), FirmwareDownload()} {
		for _, r := range c.Reasons {
			if r.Effect >= BlocksNew {
				t.Errorf("%s of %s blocks", r.Name, c.Name)
			}
		}
	}
}

func TestUpdateTargets(t *testing.T) {
	s := &site.Site{Domains: phone.Domains{SIP: "fabrikam.com", DHCP: "contoso.com"}}
	resolvers := []netip.AddrPort{netip.MustParseAddrPort("192.0.2.5:53")}
	for _, c := range []struct {
		network site.Network
		want    string
	}{
		{site.Network{Name: site.Internal, Resolvers: resolvers}, "fabrikam.com/contoso.com@192.0.2.5"},
		{site.Network{Name: site.Internal, Resolvers: resolvers, FrontEnds: []string{"a.b", "c.d"}}, "a.b+c.d@192.0.2.5"},
		{site.Network{Name: site.External, Resolvers: resolvers, ReverseProxy: testProxy}, testProxy + "@192.0.2.5"},
		{site.Network{Name: site.External, Resolvers: resolvers}, ""},
	} {
		var got string
		for _, target := range updateTargets("update", s, c.network) {
			got += target.Name
		}
		if got != c.want {
			t.Errorf("%+v: %q, want %q", c.network, got, c.want)
		}
	}
}

// TestSpareNamesTroubleNobody: a wildcard record and a pool without a web server are no faults while the name of the
// DHCP domain is there; without it they are all there is.
func TestSpareNamesTroubleNobody(t *testing.T) {
	names := func(host string, o facts.Outcome) *facts.Names {
		l := facts.Lookup{Name: host, Type: phone.A, Outcome: o}
		if o == facts.Answered {
			l.Addresses = []netip.Addr{netip.MustParseAddr("192.0.2.7")}
		}
		return &facts.Names{Walks: []facts.Walk{{Lookups: []facts.Lookup{l}}}}
	}
	server := func(host string, spare bool, o facts.Outcome, status int) facts.UpdateServer {
		s := facts.UpdateServer{Host: host, Spare: spare, Names: names(host, o)}
		if o == facts.Answered {
			s.Address = netip.MustParseAddr("192.0.2.7")
			s.Plain = &facts.UpdateAnswer{WebAnswer: facts.WebAnswer{Status: status}}
			if status == 200 {
				s.Plain.Response = &phone.UpdateResponse{}
			}
		}
		return s
	}
	for _, c := range []struct {
		name    string
		servers []facts.UpdateServer
		want    string
		series  int
	}{
		{"a wildcard beside the good name", []facts.UpdateServer{server("own", false, facts.Answered, 200), server("spare", true, facts.Answered, 404)}, "", 1},
		{"a second good name", []facts.UpdateServer{server("own", false, facts.Answered, 200), server("spare", true, facts.Answered, 200)}, "", 2},
		{"the name is bad", []facts.UpdateServer{server("own", false, facts.Answered, 500), server("spare", true, facts.Answered, 200)}, "update_server_error", 2},
		{"the name is gone, a spare one works", []facts.UpdateServer{server("own", false, facts.NXDomain, 0), server("spare", true, facts.Answered, 200),
			server("other", true, facts.Answered, 404)}, "update_unresolved", 2},
		{"only spare names, none works", []facts.UpdateServer{server("spare", true, facts.Answered, 404)}, "update_not_found", 1},
		{"a name unanswered", []facts.UpdateServer{server("own", false, facts.Timeout, 0), server("spare", true, facts.Answered, 404)}, "update_names_unanswered", 0},
	} {
		u := &facts.Update{Servers: c.servers}
		target := &Target{Network: site.Internal}
		var got []string
		for _, f := range judgeUpdate(target, u) {
			got = append(got, f.Reason.Name)
		}
		env := &Env{Target: target}
		emitUpdate(env, u)
		if text := strings.Join(got, ","); text != c.want {
			t.Errorf("%s: %s, want %s", c.name, text, c.want)
		}
		if n := strings.Count(strings.Join(samples(env), "\n"), "cx700_update_ok"); n != c.series {
			t.Errorf("%s: %d series, want %d: %v", c.name, n, c.series, samples(env))
		}
	}
}

// TestPostTrouble: what comes of a POST is told, and a template that is gone is our own fault.
func TestPostTrouble(t *testing.T) {
	template := filepath.Join(t.TempDir(), "ask.xml")
	if err := os.WriteFile(template, []byte("<m/>"), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{template: "update_post_refused", template + ".gone": "update_template_unusable"} {
		p := newPages(t, site.Internal, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				http.Error(w, "no", http.StatusInternalServerError)
				return
			}
			fmt.Fprint(w, noFiles)
		}, nil)
		p.target.Update.Post.Template = file
		if reasons, _, _ := p.probe(t, Update()); strings.Join(reasons, ",") != want {
			t.Errorf("%v, want %s", reasons, want)
		}
	}
}

// TestWhatMayDiffer: the order of the files and a server's own name in the URLs are no difference.
func TestWhatMayDiffer(t *testing.T) {
	file := func(host, version string) phone.UpdateFile {
		return phone.UpdateFile{BaseURL: "http://" + host + phone.FilesPath + phone.CX700().StorePath(version)}
	}
	says := func(files ...phone.UpdateFile) *phone.UpdateResponse { return &phone.UpdateResponse{Files: files} }
	for _, c := range []struct {
		name   string
		second *phone.UpdateResponse
		want   string
	}{
		{"the same", says(file("fe1", "1.0.522.101"), file("fe1", "3.5.6907.35")), ""},
		{"another order", says(file("fe1", "3.5.6907.35"), file("fe1", "1.0.522.101")), ""},
		{"its own name", says(file("fe2", "1.0.522.101"), file("fe2", "3.5.6907.35")), ""},
		{"another version", says(file("fe2", "1.0.522.103"), file("fe2", "3.5.6907.35")), "1.0.522.103"},
		{"one file less", says(file("fe2", "3.5.6907.35")), "files offered: 1"},
		{"a third one's name", says(file("fe3", "1.0.522.101"), file("fe3", "3.5.6907.35")), "fe3"},
	} {
		d := differences{first: map[string]serverSays{}, found: findings{}}
		d.compare("fe1", "everybody", []facts.UpdateAnswer{{Response: says(file("fe1", "1.0.522.101"), file("fe1", "3.5.6907.35"))}})
		d.compare("fe2", "everybody", []facts.UpdateAnswer{{Response: c.second}})
		got := strings.Join(d.found[reasonFrontEndsDiffer], "")
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	account := func(version string) facts.UpdateServer {
		return facts.UpdateServer{Host: "fe" + version, Logon: &facts.UpdateLogon{Answers: []facts.UpdateAnswer{{Response: &phone.UpdateResponse{ServerVersion: version}}}}}
	}
	found := findings{}
	judgeDifferences(&Target{}, &facts.Update{Servers: []facts.UpdateServer{account("1"), account("2")}}, found)
	if found[reasonFrontEndsDiffer] == nil {
		t.Error("what our account is told is not compared")
	}
}

func TestShownLocation(t *testing.T) {
	for location, want := range map[string]string{
		"https://bob:hunter2@proxy.example/login?tok=SECRET": "https://***@proxy.example/login...",
		"http://evil.example/cb#access_token=SECRET":         "http://evil.example/cb...",
		"http://a.example/" + strings.Repeat("x", 100):       "http://a.example/" + strings.Repeat("x", 63) + "...",
		"/RequestHandler/ucdevice.upx":                       "/RequestHandler/ucdevice.upx",
		"https://a.example/?":                                "https://a.example/",
	} {
		if got := shownLocation(location); got != want {
			t.Errorf("%s: %s", want, got)
		}
	}
}

// TestLadder holds which offers a firmware is said to be unable to take.
func TestLadder(t *testing.T) {
	old := phone.KnownFirmware()[0]
	file := func(version string) phone.UpdateFile {
		return phone.UpdateFile{BaseURL: "http://fe01.contoso.com" + phone.FilesPath + phone.CX700().StorePath(version)}
	}
	for name, c := range map[string]struct {
		files []phone.UpdateFile
		want  bool
	}{
		"nothing":         {nil, false},
		"too high":        {[]phone.UpdateFile{file("3.5.6907.35")}, true},
		"a step":          {[]phone.UpdateFile{file("1.0.522.101")}, false},
		"both":            {[]phone.UpdateFile{file("3.5.6907.35"), file("1.0.522.101")}, false},
		"its own too":     {[]phone.UpdateFile{file("3.5.6907.35"), file("1.0.199.123")}, true},
		"without version": {[]phone.UpdateFile{{BaseURL: "http://a/"}}, false},
		"for another phone": {[]phone.UpdateFile{{BaseURL: "http://fe01.contoso.com" + phone.FilesPath +
			phone.Build{Vendor: "LG-Nortel", Model: "IP8540", Revision: "A", Locale: "ENU"}.StorePath("3.5.6907.35")}}, false},
	} {
		found := findings{}
		judgeLadder("fe01", old, c.files, found)
		if got := found[reasonLadderUnreachable] != nil; got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// TestLadderByPost: what a POST as a firmware is offered counts for that, and not what a GET lists.
func TestLadderByPost(t *testing.T) {
	offers := func(firmware, version string) facts.UpdateAnswer {
		return facts.UpdateAnswer{Firmware: firmware, WebAnswer: facts.WebAnswer{Status: 200}, Response: &phone.UpdateResponse{Files: []phone.UpdateFile{{
			BaseURL: "http://fe01.contoso.com" + phone.FilesPath + phone.CX700().StorePath(version), BaseURLTold: true,
			ExternalBaseURL: testBaseExt, ExternalBaseURLTold: true}}}}
	}
	target := &Target{Network: site.Internal, Firmware: phone.KnownFirmware()[:1]}
	for _, c := range []struct {
		posts []facts.UpdateAnswer
		want  bool
	}{
		{nil, true},
		{[]facts.UpdateAnswer{offers("1.0.199.123", "1.0.522.101")}, false},
		{[]facts.UpdateAnswer{offers("1.0.199.123", "3.5.6907.35")}, true},
		{[]facts.UpdateAnswer{offers("1.0.522.101", "1.0.522.101")}, true},
	} {
		plain := offers("", "3.5.6907.35")
		found := findings{}
		s := &facts.UpdateServer{Host: "fe01", Plain: &plain, Posts: c.posts}
		for _, a := range updateAnswers(target, s) {
			judgeResponse(target, s, &a, found)
		}
		if got := found[reasonLadderUnreachable] != nil; got != c.want {
			t.Errorf("%+v: %t", c.posts, got)
		}
	}
}

// TestNotUnderstood: elements that are not found are no blank ones.
func TestNotUnderstood(t *testing.T) {
	for _, text := range []string{
		`<R><NumOfFiles>1</NumOfFiles><Firmware>new.nbt</Firmware></R>`,
		`<R><F><FileName>CPE.nbt</FileName><ExternalBaseURL>https://b/</ExternalBaseURL></F></R>`,
		`<R><F><FileName>CPE.nbt</FileName><BaseURL>http://a/</BaseURL></F></R>`,
	} {
		p := newPages(t, site.Internal, body(text), nil)
		reasons, env, _ := p.probe(t, Update())
		if got := strings.Join(reasons, ","); got != "update_not_understood" {
			t.Errorf("%s: reasons %s", text, got)
		}
		if strings.Contains(strings.Join(samples(env), "\n"), "cx700_update_base_url_populated") != strings.Contains(text, "BaseURL") {
			t.Errorf("%s: series %v", text, samples(env))
		}
	}
}
