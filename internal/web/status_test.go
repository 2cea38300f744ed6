package web

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/cx700/cx700_exporter/collectors"
	"github.com/cx700/cx700_exporter/internal/certtest"
	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/schedule"
	"github.com/cx700/cx700_exporter/internal/signin"
)

func failure(effect collectors.Effect) error {
	return &collectors.Failure{Reason: &collectors.Reason{
		Name: "broken", Effect: effect, Means: "it is broken", Screen: "Cannot sign in", Mend: "mend it", AtPhone: "wait",
	}, Err: errors.New("as seen")}
}

// judged is a page whose sites have a verdict: each step has a collector of its own.
func (p *page) judged() {
	p.steps = map[string]phone.Step{
		"dns": phone.StepRegistrar, "ntp": phone.StepTime, "pool": phone.StepTLS, "sip": phone.StepSignIn, "exchange": phone.StepExchange,
	}
	p.served = issued(p.t, "sip.contoso.com", time.Now().AddDate(1, 0, 0))
}

// registrar is what a probe sees of one that speaks the phone's TLS and serves this.
func registrar(served []*x509.Certificate) *facts.Pool {
	const host = "sip.contoso.com"
	address := netip.MustParseAddrPort("10.0.0.81:5061")
	h := facts.Handshake{Version: "TLS 1.0", Suite: "TLS_RSA_WITH_AES_128_CBC_SHA", Served: served}
	out := &facts.Pool{Servers: []facts.PoolServer{{Address: address, Hosts: []string{host}, Phone: h, Modern: h}}}
	endpoint := phone.Endpoint{
		From: phone.Candidate{Name: host, Type: phone.A, Port: 5061}, Asked: host, Host: host, Port: 5061, Addresses: []netip.Addr{address.Addr()},
	}
	for _, f := range phone.KnownFirmware() {
		out.Routes = append(out.Routes, facts.Route{Firmware: f.Version, Endpoints: []phone.Endpoint{endpoint}})
	}
	return out
}

// directory is what a probe sees of controllers that publish a root.
func directory(root *x509.Certificate) *facts.Directory {
	of := facts.CertificateOf(root)
	return &facts.Directory{Controllers: []facts.Controller{{
		Host: "dc01.contoso.com", RootDSE: facts.RootDSE{ConfigurationNC: "CN=Configuration,DC=contoso,DC=com"},
		Authorities: []facts.AuthorityObject{{
			DN: "CN=Contoso CA", Container: facts.CertificationAuthorities,
			Values: []facts.PublishedValue{{State: facts.Populated, Certificate: &of, X509: root}},
		}},
	}}}
}

var oneKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// issued is a chain of a certificate for a host and its root.
func issued(t *testing.T, subject string, until time.Time) []*x509.Certificate {
	t.Helper()
	key, err := oneKey()
	if err != nil {
		t.Fatal(err)
	}
	root := &x509.Certificate{
		Subject: pkix.Name{CommonName: "Contoso CA"}, SerialNumber: big.NewInt(1), SignatureAlgorithm: x509.SHA1WithRSA,
		NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: time.Now().AddDate(20, 0, 0), IsCA: true, BasicConstraintsValid: true,
	}
	leaf := &x509.Certificate{
		Subject: pkix.Name{CommonName: subject}, SerialNumber: big.NewInt(2), SignatureAlgorithm: x509.SHA1WithRSA,
		NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: until, DNSNames: []string{"sip.contoso.com"},
	}
	var out []*x509.Certificate
	for _, c := range []*x509.Certificate{leaf, root} {
		made, err := certtest.Create(c, root, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, made)
	}
	return out
}

// tree is a parsed page.
type tree struct {
	t    *testing.T
	root *html.Node
}

// read asks for a page and parses it.
func (p *page) read(target string) tree {
	p.t.Helper()
	w := p.expect(http.StatusOK, http.MethodGet, target)
	root, err := html.Parse(w.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return tree{p.t, root}
}

// all lists the elements of a name and, unless it is empty, a class.
func (d tree) all(name, class string) []*html.Node {
	var out []*html.Node
	for n := range d.root.Descendants() {
		if n.Type == html.ElementNode && n.Data == name && (class == "" || slices.Contains(strings.Fields(attribute(n, "class")), class)) {
			out = append(out, n)
		}
	}
	return out
}

// texts are those of elements, with single spaces.
func (d tree) texts(name, class string) []string {
	var out []string
	for _, n := range d.all(name, class) {
		out = append(out, text(n))
	}
	return out
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func text(n *html.Node) string {
	var out strings.Builder
	for d := range n.Descendants() {
		switch {
		case d.Type == html.TextNode:
			out.WriteString(d.Data)
		case d.Data != "wbr":
			out.WriteString(" ")
		}
	}
	return strings.Join(strings.Fields(out.String()), " ")
}

// at has only the probes of one collector in one network find something.
func at(network, collector string, err error) func(*collectors.Target) error {
	return func(t *collectors.Target) error {
		if t.Collector == collector && string(t.Network) == network {
			return err
		}
		return nil
	}
}

func TestOverviewTellsTheGravest(t *testing.T) {
	for _, tt := range []struct {
		name     string
		found    func(*collectors.Target) error
		class    string
		headline string
		lines    []string // of the site
	}{
		{"ready", finds(nil), "good", "Ready: phones can sign in at 1 of 1 site", []string{
			"oslo 20 phones ready internal enrolled phones 00:00 UTC (0 s)", "ready external enrolled phones 00:00 UTC (0 s)"}},
		{"noted", at("internal", "ntp", failure(collectors.Notes)), "good", "Ready: phones can sign in at 1 of 1 site", nil},
		{"degraded", at("external", "ntp", failure(collectors.Degrades)), "degraded", "1 of 1 site degraded", []string{
			"oslo 20 phones degraded external enrolled phones time: broken 00:00 UTC (0 s)", "ready internal enrolled phones 00:00 UTC (0 s)"}},
		{"unknown", at("internal", "dns", failure(collectors.Blinds)), "unknown", "1 of 1 site unknown", []string{
			"oslo 20 phones unknown internal enrolled phones registrar: broken 00:00 UTC (0 s)", "ready external enrolled phones 00:00 UTC (0 s)"}},
		{"blocked", at("internal", "sip", failure(collectors.Blocks)), "blocked", "1 of 1 site blocked, up to 20 phones", []string{
			"oslo 20 phones blocked internal enrolled phones signin: broken 00:00 UTC (0 s)", "ready external enrolled phones 00:00 UTC (0 s)"}},
		{"beside", at("internal", "exchange", failure(collectors.Blocks)), "good", "Ready: phones can sign in at 1 of 1 site", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(p *page) {
				p.judged()
				p.found = tt.found
				p.start(nil)
				d := p.read("/")
				if got := d.texts("h1", "unknown"); !slices.Equal(got, []string{"Starting: 1 of 1 site not looked at yet"}) {
					t.Errorf("before the first probe: %q", got)
				}
				p.run()
				d = p.read("/")
				if got := d.texts("h1", tt.class); !slices.Equal(got, []string{tt.headline}) {
					t.Errorf("headline of class %s: %q, want %q", tt.class, got, tt.headline)
				}
				if got := d.texts("tr", "")[1:]; tt.lines != nil && !slices.Equal(got, tt.lines) {
					t.Errorf("lines %q, want %q", got, tt.lines)
				}
				wrong := tt.class != "good" || tt.name == "beside"
				if got := d.texts("article", ""); (len(got) == 1) != wrong || wrong && !strings.Contains(got[0], "Sites oslo Seen as seen Mend mend it") {
					t.Errorf("what is wrong: %q", got)
				}
			})
		})
	}
}

// TestOverviewTellsNewPhonesApart: who is enrolled can work.
func TestOverviewTellsNewPhonesApart(t *testing.T) {
	bubble(t, func(p *page) {
		p.judged()
		p.steps["directory"], p.published = phone.StepRoot, true
		p.found = at("internal", "sip", failure(collectors.BlocksNew))
		p.start(nil)
		p.run()
		d := p.read("/")
		if got := d.texts("h1", "blocked"); !slices.Equal(got, []string{"1 of 1 site blocked for new phones"}) {
			t.Errorf("headline %q", got)
		}
		if got := d.texts("tr", "")[1:]; len(got) != 3 || !strings.HasPrefix(got[0], "oslo 20 phones blocked internal new phones signin: broken") ||
			!strings.HasPrefix(got[1], "ready internal enrolled phones") {
			t.Errorf("lines %q", got)
		}
	})
}

// TestHeadlineCountsPhones as far as the site file says how many there are.
func TestHeadlineCountsPhones(t *testing.T) {
	stopped := func(kind phone.Kind, phones int) *place {
		v := &signin.Verdict{State: signin.Stopped, Kind: kind}
		return &place{Phones: phones, Sides: []*side{{Network: "internal", Standings: []*schedule.Standing{{Verdict: v}}}}}
	}
	for want, places := range map[string][]*place{
		"2 of 2 sites blocked, up to 50 phones; ":                                      {stopped(phone.Enrolled, 20), stopped(phone.Enrolled, 30)},
		"2 of 2 sites blocked; ":                                                       {stopped(phone.Enrolled, 0), stopped(phone.Enrolled, 0)},
		"2 of 2 sites blocked, up to 20 phones and those of 1 site without a number; ": {stopped(phone.Enrolled, 20), stopped(phone.Enrolled, 0)},
		"1 of 2 sites blocked, up to 1 phone; new phones only at 1 more":               {stopped(phone.Enrolled, 1), stopped(phone.New, 30)},
		"1 of 1 site blocked for new phones; enrolled phones can sign in":              {stopped(phone.New, 30)},
		"No verdict: what phones depend on is not watched; ":                           nil,
	} {
		var d overview
		d.sumUp(places)
		if got := d.Headline + "; " + d.More; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestOverviewPages: thousands of sites come in pages, the worst first.
func TestOverviewPages(t *testing.T) {
	bubble(t, func(p *page) {
		p.judged()
		p.names = nil
		for i := range 120 {
			p.names = append(p.names, fmt.Sprintf("site-%03d", i))
		}
		p.found = func(target *collectors.Target) error {
			if target.Collector == "ntp" && target.Network == "internal" && strings.HasSuffix(target.Name, "site-100") {
				return failure(collectors.Blocks)
			}
			return nil
		}
		p.start(nil)
		p.run()
		pass(time.Minute) // the first probes of so many are spread over longer
		for _, tt := range []struct {
			query       string
			sites       int
			first       string
			pages, link string
		}{
			{"", 50, "site-100 120 phones", "Page 1 of 3, the worst first page 2", "?page=2"},
			{"?page=2", 50, "site-069 89 phones", "Page 2 of 3, the worst first page 1 page 3", "?page=3"},
			{"?page=3", 20, "site-019 39 phones", "Page 3 of 3, the worst first page 2", "?page=2"},
			{"?page=9", 20, "site-019 39 phones", "Page 3 of 3, the worst first page 2", "?page=2"},
			{"?page=-1", 50, "site-100 120 phones", "Page 1 of 3, the worst first page 2", "?page=2"},
			{"?page=x", 50, "site-100 120 phones", "Page 1 of 3, the worst first page 2", "?page=2"},
		} {
			d := p.read("/" + tt.query)
			rows := d.texts("tbody", "")
			if len(rows) != tt.sites || !strings.HasPrefix(rows[0], tt.first) {
				t.Errorf("%q: %d sites, first %q", tt.query, len(rows), rows[0])
			}
			if got := d.texts("p", "pages"); !slices.Equal(got, []string{tt.pages}) {
				t.Errorf("%q: pages %q, want %q", tt.query, got, tt.pages)
			}
			links := slices.DeleteFunc(d.all("a", ""), func(n *html.Node) bool { return !strings.HasPrefix(attribute(n, "href"), "?") })
			if got := attribute(links[len(links)-1], "href"); got != tt.link {
				t.Errorf("%q: last link %q, want %q", tt.query, got, tt.link)
			}
			if got := d.texts("h1", "blocked"); !slices.Equal(got, []string{"1 of 120 sites blocked, up to 120 phones"}) {
				t.Errorf("%q: headline %q", tt.query, got)
			}
		}
	})
}

// TestOverviewIsSmall with fifty sites of which each fails in several ways of its own.
func TestOverviewIsSmall(t *testing.T) {
	const most = 60_000
	bubble(t, func(p *page) {
		p.judged()
		p.names = nil
		for i := range sitesPerPage {
			p.names = append(p.names, fmt.Sprintf("a-branch-with-the-longest-name-that-the-site-file-takes-in-all-%03d", i)[3:66])
		}
		p.found = func(target *collectors.Target) error { // another thing for each firmware, at each site
			var errs []error
			for i, f := range target.Firmware {
				effects := []collectors.Effect{collectors.Blocks, collectors.Blinds, collectors.Degrades}
				r := collectors.Reason{
					Name:   fmt.Sprintf("a_rather_long_reason_%s_%s", f.Version, target.Name[len(target.Name)-3:]),
					Effect: effects[(i+len(target.Collector))%len(effects)],
					Means:  strings.Repeat("what it means ", 8), Screen: "Cannot sign in", Mend: strings.Repeat("how to mend it ", 10), AtPhone: "wait",
				}
				errs = append(errs, &collectors.Failure{Reason: &r, Err: errors.New(strings.Repeat("as seen ", 200))})
			}
			return errors.Join(errs...)
		}
		p.start(nil)
		p.run()
		pass(time.Minute) // the first probes of so many are spread over longer
		w := p.expect(http.StatusOK, http.MethodGet, "/", "50 of 50 sites blocked", "all-049")
		if w.Body.Len() > most {
			t.Errorf("%d bytes, want at most %d", w.Body.Len(), most)
		}
		d := p.read("/")
		if got := d.texts("tbody", ""); len(got) != sitesPerPage || !strings.HasSuffix(got[0], "3 more on its page") {
			t.Errorf("%d sites, first %q", len(got), got[0])
		}
		t.Logf("%d bytes", w.Body.Len())
	})
}

// TestTargetsWithoutVerdict: what no verdict rests on does not go unseen.
func TestTargetsWithoutVerdict(t *testing.T) {
	bubble(t, func(p *page) {
		p.found = finds(failure(collectors.Blocks))
		p.start(nil)
		p.run()
		d := p.read("/")
		if got := d.texts("h1", "none"); !slices.Equal(got, []string{"No verdict: what phones depend on is not watched"}) {
			t.Errorf("headline %q", got)
		}
		if got := d.texts("li", ""); len(got) != 4 || got[0] != "blocked directory, internal, contoso.com of oslo, at oslo, for 0 s: broken, it is broken. Seen: as seen" {
			t.Errorf("targets %q", got)
		}
		p.change(func() { p.found = finds(nil) })
		pass(time.Minute + 10*time.Second)
		if got := p.read("/").texts("li", ""); got != nil {
			t.Errorf("targets %q, though nothing fails", got)
		}
	})
}

func TestSitePage(t *testing.T) {
	bubble(t, func(p *page) {
		p.judged()
		p.start(nil)
		d := p.read("/site/oslo")
		if got := d.texts("ul", "verdicts"); !slices.Equal(got, []string{"not looked at yet", "not looked at yet"}) {
			t.Errorf("before the first probe: %q", got)
		}
		p.run()
		p.change(func() {
			p.found = at("internal", "sip", failure(collectors.Blocks))
			p.served = issued(t, "sip.contoso.com", time.Now().AddDate(0, 0, 7))
		})
		pass(2 * time.Minute)
		d = p.read("/site/oslo")
		verdicts := d.texts("ul", "verdicts")
		if want := "blocked enrolled phones, at signin: broken, it is broken since 00:01 UTC (58 s)"; !strings.HasPrefix(verdicts[0], want) {
			t.Errorf("verdicts %q, want %q first", verdicts, want)
		}
		if want := "ready enrolled phones since 00:00 UTC (2 min) until 2000-01-08, when CN=sip.contoso.com ends"; !strings.HasPrefix(verdicts[1], want) {
			t.Errorf("verdicts %q, want %q outside", verdicts, want)
		}
		d.walk()
		article := strings.Join(d.texts("article", ""), "\n")
		for _, want := range []string{
			"blocked at signin: broken", "it is broken Seen as seen Phones show Cannot sign in Mend mend it At the phone wait. A hard reset makes it worse",
			"blocked enrolled phones, at signin: broken from 00:01 UTC until now",
		} {
			if !strings.Contains(article, want) {
				t.Errorf("no %q in:\n%s", want, article)
			}
		}
		if got := d.texts("figcaption", ""); !slices.Equal(got, []string{
			"enrolled phones: blocked 15 min, no verdict 23 h 45 min", "enrolled phones: ready 15 min, no verdict 23 h 45 min",
			"ends soon in 6 d 23 h: CN=sip.contoso.com 1999-01-01 to 2000-01-08, registrar 10.0.0.81:5061",
			"valid for 20 years: CN=Contoso CA 1999-01-01 to 2020-01-01, registrar 10.0.0.81:5061",
		}) {
			t.Errorf("days and certificates %q", got)
		}
		if got := d.texts("title", ""); !slices.Contains(got, "blocked from 00:00 to 00:15 UTC") {
			t.Errorf("titles %q", got)
		}
		if got := d.texts("tr", ""); !slices.Contains(got, "signin sip contoso.com of oslo blocked for 1 min broken 0 s ago") {
			t.Errorf("targets %q", got)
		}
		for _, want := range []string{"dhcp: Does DHCP", "vantage: Are the exporter's own", "ad_roots_not_watched: what Active Directory publishes is not watched"} {
			if !slices.ContainsFunc(d.texts("li", ""), func(got string) bool { return strings.HasPrefix(got, want) }) {
				t.Errorf("not watched: no %q in %q", want, d.texts("li", ""))
			}
		}
		if got := d.texts("p", "proof"); len(got) != 1 || !strings.Contains(got[0], "the user's password") {
			t.Errorf("not proven: %q", got)
		}
	})
}

// walk holds the walk to the phone's order, left to right, each step with its state in words and in shape.
func (d tree) walk() {
	d.t.Helper()
	var steps []string
	for n := range d.all("ol", "walk")[0].ChildNodes() {
		if n.Type == html.ElementNode {
			steps = append(steps, text(n))
		}
	}
	want := []string{
		"lease gets an address and the right options not watched", "time gets the right time ok", "registrar finds its registrar ok",
		"tls comes to an encrypted connection ok", "domain controller finds a domain controller not needed enrolled phones not watched new phones",
		"root gets the root certificate not needed enrolled phones not watched new phones",
		"trust trusts the registrar ok enrolled phones not watched new phones ad_roots_not_watched", "signin is asked for its logon blocked broken",
	}
	if !slices.Equal(steps, want) {
		d.t.Errorf("walk %q, want %q", steps, want)
	}
}

// TestTroubleIsKept after it has ended, with what was another than before.
func TestTroubleIsKept(t *testing.T) {
	bubble(t, func(p *page) {
		p.judged()
		good := p.served
		p.start(nil)
		p.run()
		p.change(func() { p.served = issued(t, "sip.contoso.com", time.Now().AddDate(0, 0, -1)) })
		pass(time.Minute)
		d := p.read("/site/oslo")
		if got := d.texts("ul", "verdicts")[0]; !strings.HasPrefix(got, "blocked enrolled phones, at trust: link_expired") {
			t.Errorf("verdict %q", got)
		}
		if got := d.texts("figcaption", ""); !slices.Contains(got, "ended 1 d ago: CN=sip.contoso.com 1999-01-01 to 1999-12-31, registrar 10.0.0.81:5061") {
			t.Errorf("certificates %q", got)
		}
		p.change(func() { p.served = good })
		pass(time.Minute)
		d = p.read("/site/oslo")
		if got := d.texts("ul", "verdicts")[0]; !strings.HasPrefix(got, "ready enrolled phones since 00:02 UTC") {
			t.Errorf("verdict %q", got)
		}
		got := d.texts("article", "")
		if len(got) != 2 {
			t.Fatalf("troubles %q, want one of each network", got)
		}
		for _, want := range []string{
			"blocked enrolled phones, at trust: link_expired from 00:01 UTC to 00:02 UTC, 1 min Seen: sip.contoso.com at 10.0.0.81:5061",
			"Other than when they were last ready What Was Is certificate at 10.0.0.81:5061 CN=sip.contoso.com until 2001-01-01",
		} {
			if !strings.Contains(got[0], want) {
				t.Errorf("no %q in %q", want, got[0])
			}
		}
	})
}

func TestNoSuchSite(t *testing.T) {
	bubble(t, func(p *page) {
		p.start(nil)
		p.expect(http.StatusNotFound, http.MethodGet, "/site/bergen", "No such site", `<a href=".././">`)
		p.expect(http.StatusNotFound, http.MethodGet, "/site/")
		p.expect(http.StatusNotFound, http.MethodGet, "/site/oslo/more")
		p.expect(http.StatusMethodNotAllowed, http.MethodPost, "/")
		p.expect(http.StatusMethodNotAllowed, http.MethodPost, "/site/oslo")
		p.expect(http.StatusMethodNotAllowed, http.MethodGet, "/site/oslo/probe")
	})
}

// TestPagesEscapeWhatOthersWrote: names of the site file, and words of servers that nobody vouches for.
func TestPagesEscapeWhatOthersWrote(t *testing.T) {
	const hostile = `"></title></style><script>alert(1)</script><b style=x onclick=y>&`
	bubble(t, func(p *page) {
		p.judged()
		p.names, p.problem = []string{"a/b:" + hostile}, "problem"+hostile
		p.served = issued(t, "leaf"+hostile, time.Now().AddDate(1, 0, 0))
		p.found = finds(&collectors.Failure{Reason: collectors.Internal(), Err: errors.New("error" + hostile)})
		p.loggedOn = func(*http.Request) bool { return true }
		p.start(nil)
		p.run()
		d := p.read("/")
		if got := d.texts("div", "banner"); !slices.Equal(got, []string{"problem" + hostile}) {
			t.Errorf("banner %q", got)
		}
		d.harmless()
		var link string
		for _, a := range d.all("a", "") {
			if text(a) == p.names[0] {
				link = attribute(a, "href")
			}
		}
		d = p.read("/" + link)
		d.harmless()
		if got := d.texts("h1", ""); !slices.Equal(got, []string{p.names[0] + ": unknown"}) {
			t.Errorf("heading %q by the link %q", got, link)
		}
		if got := strings.Join(d.texts("figcaption", ""), " "); !strings.Contains(got, "CN=leaf") || !strings.Contains(got, `\<script\>`) {
			t.Errorf("certificates %q", got)
		}
		w := p.ask(http.MethodGet, "/probe?"+url.Values{"collector": {"dns"}, "site": p.names}.Encode(), nil)
		if got := w.Header().Get("Content-Type"); w.Code != http.StatusOK || !strings.HasPrefix(got, "text/plain") {
			t.Errorf("/probe: status %d as %s", w.Code, got)
		}
	})
}

// harmless holds a page to loading nothing and running nothing, and to what its policy allows.
func (d tree) harmless() {
	d.t.Helper()
	for n := range d.root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if slices.Contains([]string{"script", "img", "iframe", "object", "embed", "link", "base"}, n.Data) {
			d.t.Errorf("an element %s", n.Data)
		}
		for _, a := range n.Attr {
			outside := strings.Contains(a.Val, "//") && slices.Contains([]string{"href", "src", "action"}, a.Key)
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") || outside {
				d.t.Errorf("an attribute %s=%q of %s", a.Key, a.Val, n.Data)
			}
		}
	}
	if got := len(d.all("style", "")); got != 1 {
		d.t.Errorf("%d style sheets", got)
	}
}

func TestPagesSayWhatTheyMayLoad(t *testing.T) {
	bubble(t, func(p *page) {
		p.judged()
		p.start(nil)
		p.run()
		for _, target := range []string{"/", "/site/oslo", "/site/bergen"} {
			w := p.ask(http.MethodGet, target, nil)
			for key, want := range map[string]string{
				"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
				"Referrer-Policy": "no-referrer",
			} {
				if got := w.Header().Get(key); got != want {
					t.Errorf("%s: %s is %q, want %q", target, key, got, want)
				}
			}
			// The hash is that of the style sheet as a browser reads it.
			styles := regexp.MustCompile(`(?s)<style>(.*?)</style>`).FindAllStringSubmatch(w.Body.String(), -1)
			if len(styles) != 1 {
				t.Fatalf("%s: %d style sheets", target, len(styles))
			}
			sum := sha256.Sum256([]byte(styles[0][1]))
			want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
				"'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
			if got := w.Header().Get("Content-Security-Policy"); got != want {
				t.Errorf("%s: policy %q, want %q", target, got, want)
			}
		}
	})
}

// TestStatesDifferWithoutColour: each has a shape of its own, and its height in a day.
func TestStatesDifferWithoutColour(t *testing.T) {
	shapes, heights := map[string]string{}, map[int]string{}
	for _, state := range []string{"ready", "degraded", "blocked", "unknown", "not_watched"} {
		class := markOf(state).Class
		m := regexp.MustCompile(`(?m)^b\.` + class + `::before.* content: "(.)`).FindStringSubmatch(style)
		if m == nil || shapes[m[1]] != "" {
			t.Errorf("%s of class %s: shape %q, shapes so far %q", state, class, m, shapes)
			continue
		}
		shapes[m[1]] = state
	}
	for _, state := range signin.Readinesses() {
		h := heightOf(state)
		if h == 0 || heights[h] != "" {
			t.Errorf("%s has the height %d of %q", state, h, heights[h])
		}
		heights[h] = string(state)
	}
}
