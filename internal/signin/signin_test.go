package signin

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cx700/cx700_exporter/internal/certtest"
	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

const (
	sipHost  = "sip.fabrikam.com"
	poolHost = "pool01.contoso.com"
	inside1  = "10.0.0.81"
	inside2  = "10.0.0.82"
)

var (
	today    = time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	nextYear = today.AddDate(1, 0, 0)
	later    = today.AddDate(5, 0, 0)
)

// oneKey is enough for all: names tell certificates apart.
var oneKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

type edit func(*x509.Certificate)

// issue makes a certificate signed with SHA-1, by itself without an issuer.
func issue(t testing.TB, name string, issuer *x509.Certificate, edits ...edit) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, SerialNumber: big.NewInt(1),
		NotBefore: today.AddDate(-1, 0, 0), NotAfter: nextYear, SignatureAlgorithm: x509.SHA1WithRSA,
	}
	for _, e := range edits {
		e(template)
	}
	if issuer == nil {
		issuer = template
	}
	parent := *issuer
	parent.PublicKey = nil
	var signer crypto.Signer = oneKey()
	public := signer.Public()
	if template.PublicKey != nil {
		public = template.PublicKey
	}
	c, err := certtest.Create(template, &parent, public, signer)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func root(t testing.TB, name string) *x509.Certificate {
	t.Helper()
	return issue(t, name, nil, func(c *x509.Certificate) {
		c.BasicConstraintsValid, c.IsCA, c.NotAfter = true, true, later
	})
}

func sha2(c *x509.Certificate)  { c.SignatureAlgorithm = x509.SHA256WithRSA }
func ended(c *x509.Certificate) { c.NotAfter = today.AddDate(0, 0, -1) }
func soon(c *x509.Certificate)  { c.NotAfter = today.AddDate(0, 0, 7) }

// bySRV and guessed are endpoints of a phone's order, with all addresses given.
func bySRV(host string, addresses ...string) phone.Endpoint {
	const record = "_sipinternaltls._tcp.fabrikam.com"
	e := endpoint(phone.Candidate{Name: record, Type: phone.SRV}, host, 5061, addresses)
	e.OutsideSIPDomain = !phone.Within(host, "fabrikam.com")
	return e
}

func guessed(host string, port uint16, addresses ...string) phone.Endpoint {
	return endpoint(phone.Candidate{Name: host, Type: phone.A, Port: port}, host, port, addresses)
}

func endpoint(from phone.Candidate, host string, port uint16, addresses []string) phone.Endpoint {
	out := phone.Endpoint{From: from, Asked: from.Name, Host: host, Port: port}
	for _, a := range addresses {
		out.Addresses = append(out.Addresses, netip.MustParseAddr(a))
	}
	return out
}

// serving is an address that speaks TLS, also the phone's.
func serving(address string, served ...*x509.Certificate) facts.PoolServer {
	h := facts.Handshake{Version: "TLS 1.0", Suite: "TLS_RSA_WITH_AES_128_CBC_SHA", Served: served}
	return facts.PoolServer{Address: netip.MustParseAddrPort(address), Phone: h, Modern: h}
}

// failing is one that gives this to every offer.
func failing(address string, problem facts.HandshakeProblem) facts.PoolServer {
	h := facts.Handshake{Problem: problem, Detail: "as seen"}
	return facts.PoolServer{Address: netip.MustParseAddrPort(address), Phone: h, Modern: h}
}

// closingToPhones is hardened as Windows often is: it closes instead of sending an alert.
func closingToPhones(address string) facts.PoolServer {
	s := hardened(address)
	s.Phone.Problem = facts.HandshakeClosed
	return s
}

// wantingCertificate begins TLS 1.0 with a phone, and ends it for want of a certificate; TLS 1.3 looks good to the end.
func wantingCertificate(address string) facts.PoolServer {
	s := hardened(address)
	s.Phone.Version = "TLS 1.0"
	return s
}

func hardened(address string) facts.PoolServer {
	s := failing(address, facts.HandshakeRefused)
	s.Modern = facts.Handshake{Version: "TLS 1.2"}
	return s
}

func poolOf(endpoints []phone.Endpoint, servers ...facts.PoolServer) *facts.Pool {
	out := &facts.Pool{Servers: servers}
	for _, f := range phone.KnownFirmware() {
		out.Routes = append(out.Routes, facts.Route{Firmware: f.Version, Endpoints: endpoints})
	}
	return out
}

func profile(version string, kind phone.Kind) phone.Profile {
	f, _ := phone.FindFirmware(version)
	return phone.Profile{Firmware: f, Kind: kind, Domains: phone.Domains{SIP: "fabrikam.com", DHCP: "contoso.com"}}
}

// summary writes an outcome as its state and the names of its findings, in their order.
func summary(o Outcome) string {
	out := string(o.State)
	for _, f := range o.Findings {
		out += " " + f.Reason.Name
		reached.Store(f.Reason.Name, true)
	}
	return out
}

func judge(name string, seen *facts.Seen, p phone.Profile) Outcome {
	steps := Steps()
	i := slices.IndexFunc(steps, func(s Step) bool { return string(s.Name) == name })
	return steps[i].Judge(newCase(&Cache{}, seen, &p, today))
}

func TestTLS(t *testing.T) {
	failed := func(outcome facts.Outcome) *facts.Pool { // the SRV records give this
		out := poolOf([]phone.Endpoint{guessed(sipHost, 5061, inside1)}, failing(inside1+":5061", facts.HandshakeClosed))
		var lookups []facts.Lookup
		for _, c := range profile("1.0.199.123", phone.New).Domains.Candidates(phone.TraceOrder) {
			l := facts.Lookup{Name: c.Name, Type: c.Type, Outcome: facts.Answered}
			if c.Name == "_sip._tls.fabrikam.com" {
				l.Outcome = outcome
			}
			lookups = append(lookups, l)
		}
		out.Names = &facts.Names{Walks: []facts.Walk{{Lookups: lookups}}}
		return out
	}
	one := func(s facts.PoolServer) *facts.Pool {
		return poolOf([]phone.Endpoint{guessed(sipHost, 5061, inside1)}, s)
	}
	two := func(second facts.HandshakeProblem, e ...phone.Endpoint) *facts.Pool {
		return poolOf(e, serving(inside1+":5061"), failing(inside2+":5061", second), failing(inside1+":443", second), serving(inside2+":443"))
	}
	both := bySRV(sipHost, inside1, inside2)
	for _, tt := range []struct {
		name string
		pool *facts.Pool
		want string
	}{
		{"not asked for", nil, "not_watched"},
		{"good", one(serving(inside1 + ":5061")), "ok"},
		{"hardened", one(hardened(inside1 + ":5061")), "blocked tls_hardened"},
		{"refused", one(failing(inside1+":5061", facts.HandshakeRefused)), "unknown tls_no_common_suite"},
		{"hardened, the Windows way", one(closingToPhones(inside1 + ":5061")), "blocked tls_hardened"},
		{"wants a client's certificate", one(wantingCertificate(inside1 + ":5061")), "blocked tls_refused"},
		{"closed", one(failing(inside1+":5061", facts.HandshakeClosed)), "blocked tls_closed"},
		{"silent", one(failing(inside1+":5061", facts.HandshakeSilent)), "blocked tls_silent"},
		{"unreachable", one(failing(inside1+":5061", facts.HandshakeUnreachable)), "blocked tls_unreachable"},
		{"plain text", one(failing(inside1+":5061", facts.HandshakeNoTLS)), "blocked tls_not_spoken"},
		{"malformed", one(failing(inside1+":5061", facts.HandshakeMalformed)), "blocked tls_malformed"},
		{"bad certificate", one(failing(inside1+":5061", facts.HandshakeBadCertificate)), "unknown tls_bad_certificate"},
		{"not asked", one(serving(inside2 + ":5061")), "unknown tls_not_asked"},
		{"nothing in DNS", poolOf(nil), "unknown tls_no_registrar"},
		{"no such firmware", &facts.Pool{}, "unknown tls_no_registrar"},
		{"nothing good, and a name unanswered", failed(facts.ServFail), "unknown tls_names_unanswered tls_closed"},
		{"nothing good, and every name answered", failed(facts.NXDomain), "blocked tls_closed"},
		{"one of two addresses", two(facts.HandshakeClosed, both), "degraded tls_closed"},
		{"one of two SRV targets", two(facts.HandshakeSilent, bySRV("a.fabrikam.com", inside1), bySRV("b.fabrikam.com", inside2)),
			"degraded tls_silent"},
		{"the first of two SRV targets", two(facts.HandshakeSilent, bySRV("b.fabrikam.com", inside2), bySRV("a.fabrikam.com", inside1)),
			"degraded tls_silent"},
		{"443 of a guessed host", two(facts.HandshakeUnreachable, guessed(sipHost, 5061, inside1), guessed(sipHost, 443, inside1)), "ok"},
		{"the web server of a silent pool", two(facts.HandshakeSilent, guessed(sipHost, 5061, inside2), guessed(sipHost, 443, inside2)), "blocked tls_silent"},
		{"the web server of a pool that is gone", two(facts.HandshakeUnreachable, guessed(sipHost, 5061, inside2), guessed(sipHost, 443, inside2)),
			"unknown tls_other_port tls_unreachable"},
		{"a guessed host in the way", two(facts.HandshakeSilent, guessed("sipinternal.fabrikam.com", 5061, inside2), guessed(sipHost, 5061, inside1)),
			"degraded tls_silent"},
		{"a guessed host that nobody comes to", two(facts.HandshakeSilent, guessed(sipHost, 5061, inside1), guessed("sipexternal.fabrikam.com", 5061, inside2)),
			"ok"},
		{"outside the SIP domain, passed over", two(facts.HandshakeSilent, bySRV(poolHost, inside2), guessed(sipHost, 5061, inside1)), "ok"},
		{"outside the SIP domain, and nothing else", two(facts.HandshakeSilent, bySRV(poolHost, inside1)), "blocked outside_sip_domain"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, kind := range phone.Kinds() {
				got := judge("tls", &facts.Seen{Pool: tt.pool}, profile("1.0.199.123", kind))
				if diff := cmp.Diff(tt.want, summary(got)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", kind, diff)
				}
			}
		})
	}
}

// TestOtherPortIsTheWebServer: what was asked as a registrar and speaks no SIP keeps nobody from saying that the pool is
// gone.
func TestOtherPortIsTheWebServer(t *testing.T) {
	pool := poolOf([]phone.Endpoint{guessed(sipHost, 5061, inside1), guessed(sipHost, 443, inside1)},
		failing(inside1+":5061", facts.HandshakeUnreachable), serving(inside1+":443"))
	for problem, want := range map[facts.SIPProblem]string{
		facts.SIPMalformed: "blocked tls_unreachable",
		facts.SIPSilent:    "unknown tls_other_port tls_unreachable",
		"":                 "unknown tls_other_port tls_unreachable",
	} {
		sip := &facts.SIP{Servers: []facts.SIPServer{
			{Address: netip.MustParseAddrPort(inside1 + ":443"), Answers: []facts.SIPAnswer{{Problem: problem}}},
		}}
		if got := summary(judge("tls", &facts.Seen{Pool: pool, SIP: sip}, profile("3.5.6907.35", phone.New))); got != want {
			t.Errorf("%s: got %s, want %s", problem, got, want)
		}
	}
}

// TestOtherPortOutside: outside an Access Edge listens on 443, and what is on 5061 is no registrar for phones.
func TestOtherPortOutside(t *testing.T) {
	edge := []phone.Endpoint{guessed(sipHost, 5061, inside1), guessed(sipHost, 443, inside1)}
	p := profile("3.5.6907.35", phone.Enrolled)
	p.External = true
	for want, servers := range map[string][]facts.PoolServer{
		"ok":                                     {failing(inside1+":5061", facts.HandshakeSilent), serving(inside1 + ":443")},
		"blocked tls_not_spoken":                 {serving(inside1 + ":5061"), failing(inside1+":443", facts.HandshakeNoTLS)},
		"unknown tls_other_port tls_unreachable": {serving(inside1 + ":5061"), failing(inside1+":443", facts.HandshakeUnreachable)},
	} {
		if got := summary(judge("tls", &facts.Seen{Pool: poolOf(edge, servers...)}, p)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// directoryOf is an Active Directory that publishes roots, and others in CN=AIA.
func directoryOf(roots []*x509.Certificate, aia ...*x509.Certificate) *facts.Directory {
	c := facts.Controller{Host: "dc01.contoso.com"}
	for container, list := range map[facts.Container][]*x509.Certificate{facts.CertificationAuthorities: roots, facts.AIA: aia} {
		for _, certificate := range list {
			of := facts.CertificateOf(certificate)
			c.Authorities = append(c.Authorities, facts.AuthorityObject{Container: container, Values: []facts.PublishedValue{
				{State: facts.Populated, Certificate: &of, X509: certificate}}})
		}
	}
	return &facts.Directory{Controllers: []facts.Controller{c}}
}

func certsrvOf(chain ...*x509.Certificate) *facts.Certsrv {
	answer := &facts.CertsrvAnswer{Chain: chain}
	for _, c := range chain {
		answer.Certificates = append(answer.Certificates, facts.CertificateOf(c))
	}
	return &facts.Certsrv{Hosts: []facts.CertsrvHost{{Host: "ca00"}, {Host: "ca01", Logon: &facts.CertsrvLogon{Answer: answer}}}}
}

func held(of ...*x509.Certificate) []phone.Root {
	var out []phone.Root
	for _, c := range of {
		out = append(out, phone.Root{SHA256: phone.Fingerprint(c), Certificate: c})
	}
	return out
}

type trustCase struct {
	name      string
	served    []*x509.Certificate
	directory *facts.Directory
	certsrv   *facts.Certsrv
	held      []phone.Root
	external  bool
	version   string // 3.5.6907.35 when empty
	// want is the outcome for enrolled phones, new that for new ones.
	want, new  string
	unanchored bool
}

func trustCases(t *testing.T) []trustCase {
	old, young, aia := root(t, "Old Root"), root(t, "New Root"), root(t, "AIA Root")
	leaf, newLeaf := issue(t, sipHost, old), issue(t, sipHost, young)
	sub := issue(t, "Issuing CA", old, func(c *x509.Certificate) { c.BasicConstraintsValid, c.IsCA = true, true })
	subLeaf := issue(t, sipHost, sub)
	ad := directoryOf([]*x509.Certificate{old}, aia)
	nothing := directoryOf(nil)
	lost := &facts.Directory{Controllers: []facts.Controller{{Problem: facts.ControllerSilent}}}
	denied := &facts.Directory{Controllers: []facts.Controller{{Denied: true}}}
	known := func(c *x509.Certificate) []phone.Root { return []phone.Root{{SHA256: phone.Fingerprint(c)}} }
	hide := facts.AuthorityObject{Container: facts.CertificationAuthorities, Values: []facts.PublishedValue{{State: facts.HiddenValue}}}
	hidden, partly := directoryOf(nil), directoryOf([]*x509.Certificate{old})
	for _, d := range []*facts.Directory{hidden, partly} {
		d.Controllers[0].Authorities = append(d.Controllers[0].Authorities, hide)
	}
	answering := func(status int) *facts.Certsrv {
		return &facts.Certsrv{Hosts: []facts.CertsrvHost{{Anonymous: &facts.CertsrvAnswer{WebAnswer: facts.WebAnswer{Status: status}}}}}
	}
	missing, wanting := answering(http.StatusNotFound), answering(http.StatusUnauthorized)
	anonymous := certsrvOf(old)
	anonymous.Hosts[1] = facts.CertsrvHost{Host: "ca01", Anonymous: anonymous.Hosts[1].Logon.Answer}
	aaa := phone.Authorities()[0].Certificate
	chain := func(of ...*x509.Certificate) []*x509.Certificate { return of }
	return []trustCase{
		{name: "good", served: chain(leaf), directory: ad, want: "ok", new: "ok"},
		{name: "SHA-2", served: chain(issue(t, sipHost, old, sha2)), directory: ad, want: "ok sha2_doubted", new: "ok sha2_doubted"},
		{name: "SHA-2 for the oldest", served: chain(issue(t, sipHost, old, sha2)), directory: ad, version: "1.0.199.123",
			want: "blocked sha2_link", new: "blocked sha2_link"},
		{name: "wrong name", served: chain(issue(t, poolHost, old)), directory: ad, want: "blocked name_mismatch", new: "blocked name_mismatch"},
		{name: "ended, and another name", served: chain(issue(t, poolHost, old, ended)), directory: ad,
			want: "blocked link_expired name_mismatch", new: "blocked link_expired name_mismatch"},
		{name: "another root", served: chain(newLeaf), directory: ad, want: "blocked unknown_root", new: "blocked unknown_root"},
		{name: "root in AIA", served: chain(issue(t, sipHost, aia)), directory: ad, want: "unknown root_only_in_aia", new: "unknown root_only_in_aia"},
		{name: "AD with two roots", served: chain(newLeaf), directory: directoryOf(chain(old, young)), want: "ok", new: "ok"},
		{name: "roll-over, AD first", served: chain(leaf), directory: directoryOf(chain(young)), held: held(old),
			want: "ok rollover_strands_new", new: "blocked unknown_root"},
		{name: "roll-over, the pool first", served: chain(newLeaf), directory: ad, held: held(old, young),
			want: "ok rollover_strands_new", new: "blocked unknown_root"},
		{name: "roll-over, done in AD and the pool", served: chain(newLeaf), directory: directoryOf(chain(young)), held: held(old),
			want: "blocked unknown_root rollover_strands_enrolled", new: "ok"},
		{name: "roll-over, both published", served: chain(newLeaf), directory: directoryOf(chain(old, young)), held: held(old),
			want: "blocked unknown_root rollover_strands_enrolled", new: "ok"},
		{name: "roll-over, done, and AD shows the root in CN=AIA too", served: chain(newLeaf), directory: directoryOf(chain(young), young), held: held(old),
			want: "blocked unknown_root rollover_strands_enrolled", new: "ok"},
		{name: "fingerprint of what AD publishes", served: chain(leaf), directory: ad, held: known(old), want: "ok", new: "ok"},
		{name: "fingerprint of what nobody shows", served: chain(leaf), directory: directoryOf(chain(young)), held: known(old),
			want: "unknown enrolled_root_not_seen", new: "blocked unknown_root"},
		{name: "fingerprint of what the pool serves", served: chain(leaf, old), held: known(old), want: "ok", new: "not_watched ad_roots_not_watched"},
		{name: "AD not watched", served: chain(leaf), want: "ok", new: "not_watched ad_roots_not_watched", unanchored: true},
		{name: "AD not watched, ended", served: chain(issue(t, sipHost, old, ended)), want: "blocked link_expired", new: "not_watched ad_roots_not_watched"},
		{name: "AD not watched, roots named", served: chain(leaf), held: held(old), want: "ok", new: "not_watched ad_roots_not_watched"},
		{name: "no right to read AD", served: chain(leaf), directory: denied, want: "ok", new: "not_watched ad_roots_not_watched", unanchored: true},
		{name: "a value of AD is hidden", served: chain(leaf), directory: hidden, want: "ok", new: "not_watched ad_roots_not_watched", unanchored: true},
		{name: "a value of AD is hidden, and another is the root", served: chain(leaf), directory: partly, want: "ok", new: "ok"},
		{name: "AD lost", served: chain(leaf), directory: lost, held: held(old), want: "ok", new: "unknown ad_roots_unknown"},
		{name: "AD lost, ended", served: chain(issue(t, sipHost, old, ended)), directory: lost, held: held(old),
			want: "blocked link_expired", new: "blocked link_expired"},
		{name: "AD empty", served: chain(leaf), directory: nothing, certsrv: missing, held: held(old), want: "ok rollover_strands_new",
			new: "blocked unknown_root"},
		{name: "AD empty, and the CA's web page wants a logon", served: chain(leaf), directory: nothing, certsrv: wanting, held: held(old),
			want: "ok", new: "unknown certsrv_root_not_seen"},
		{name: "AD empty, the CA's web page not watched", served: chain(leaf), directory: nothing, held: held(old),
			want: "ok", new: "unknown certsrv_root_not_seen"},
		{name: "AD empty, and it is not known what phones hold", served: chain(leaf), directory: nothing, certsrv: missing, want: "ok",
			new: "blocked unknown_root", unanchored: true},
		{name: "AD empty, but the CA's web page", served: chain(leaf), directory: nothing, certsrv: certsrvOf(old), want: "ok", new: "ok"},
		{name: "AD empty, but the CA's web page for everybody", served: chain(leaf), directory: nothing, certsrv: anonymous, want: "ok", new: "ok"},
		{name: "the CA's web page, while AD has a root", served: chain(newLeaf), directory: ad, certsrv: certsrvOf(young),
			want: "blocked unknown_root", new: "blocked unknown_root"},
		{name: "intermediate from the CA's web page only", served: chain(subLeaf), directory: nothing, certsrv: certsrvOf(sub, old),
			want: "unknown incomplete_chain", new: "unknown incomplete_chain"},
		{name: "built in", served: chain(aaa), want: "blocked name_mismatch", new: "blocked name_mismatch"},
		{name: "outside", served: chain(leaf), directory: ad, external: true, want: "ok", new: "not_watched enrol_inside_first"},
		{name: "nothing served", directory: ad, want: "blocked incomplete_chain", new: "blocked incomplete_chain"},
	}
}

func TestTrust(t *testing.T) {
	for _, tt := range trustCases(t) {
		t.Run(tt.name, func(t *testing.T) {
			seen := &facts.Seen{Directory: tt.directory, Certsrv: tt.certsrv,
				Pool: poolOf([]phone.Endpoint{guessed(sipHost, 5061, inside1)}, serving(inside1+":5061", tt.served...))}
			version := tt.version
			if version == "" {
				version = "3.5.6907.35"
			}
			for kind, want := range map[phone.Kind]string{phone.Enrolled: tt.want, phone.New: tt.new} {
				p := profile(version, kind)
				p.Held, p.External = tt.held, tt.external
				got := judge("trust", seen, p)
				if diff := cmp.Diff(want, summary(got)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", kind, diff)
				}
				if kind == phone.Enrolled && got.Unanchored != tt.unanchored {
					t.Errorf("judged without knowing the roots: %t", got.Unanchored)
				}
				through := got.State == OK || got.State == Degraded || strings.HasPrefix(want, "blocked link_expired")
				if through == (got.Ends == nil) {
					t.Errorf("%s: %s, and it ends %s", kind, got.State, until(got.Ends))
				}
			}
		})
	}
}

// until is when a certificate ends, zero where there is none.
func until(c *x509.Certificate) time.Time {
	if c == nil {
		return time.Time{}
	}
	return c.NotAfter
}

func texts(all []netip.AddrPort) []string {
	var out []string
	for _, a := range all {
		out = append(out, a.String())
	}
	return out
}

// TestTrustAlongTheOrder: the phone goes on to the next server when it does not trust one.
func TestTrustAlongTheOrder(t *testing.T) {
	ca := root(t, "Root")
	good, short, bad := issue(t, sipHost, ca), issue(t, sipHost, ca, soon), issue(t, poolHost, ca)
	ad := directoryOf([]*x509.Certificate{ca})
	srv, twice := bySRV(sipHost, inside1), bySRV(sipHost, inside1, inside2)
	fallback := guessed(sipHost, 5061, inside2)
	first, second := inside1+":5061", inside2+":5061"
	for _, tt := range []struct {
		name  string
		pool  *facts.Pool
		want  string
		until time.Time
		// trusted and refused are addresses.
		trusted, refused []string
	}{
		{"both good", poolOf([]phone.Endpoint{twice}, serving(first, good), serving(second, good)), "ok", nextYear, []string{first, second}, nil},
		{"the earlier end", poolOf([]phone.Endpoint{twice}, serving(first, good), serving(second, short)), "ok", today.AddDate(0, 0, 7),
			[]string{first, second}, nil},
		{"the end of who comes first", poolOf([]phone.Endpoint{srv, fallback}, serving(first, good), serving(second, short)), "ok", nextYear,
			[]string{first, second}, nil},
		{"the end of who comes first, by SRV", poolOf([]phone.Endpoint{srv, bySRV(sipHost, inside2)}, serving(first, good), serving(second, short)),
			"ok", nextYear, []string{first, second}, nil},
		{"one of two", poolOf([]phone.Endpoint{twice}, serving(first, bad), serving(second, good)), "degraded name_mismatch", nextYear,
			[]string{second}, []string{first}},
		{"the second only", poolOf([]phone.Endpoint{srv, fallback}, serving(first, bad), serving(second, good)), "degraded name_mismatch",
			nextYear, []string{second}, []string{first}},
		{"a guess that nobody comes to", poolOf([]phone.Endpoint{srv, guessed("sipexternal.fabrikam.com", 5061, inside2)},
			serving(first, good), serving(second, good)), "ok", nextYear, []string{first}, []string{second}},
		{"neither", poolOf([]phone.Endpoint{srv, fallback}, serving(first, bad), serving(second, bad)), "blocked name_mismatch name_mismatch",
			time.Time{}, nil, []string{first, second}},
		{"the one that speaks no TLS does not count", poolOf([]phone.Endpoint{twice}, hardened(first), serving(second, good)), "ok", nextYear,
			[]string{second}, nil},
		{"none speaks TLS", poolOf([]phone.Endpoint{srv}, hardened(first)), "unknown", time.Time{}, nil, nil},
		{"two names of one address", poolOf([]phone.Endpoint{guessed("sipinternal.fabrikam.com", 5061, inside1), srv}, serving(first, good)),
			"degraded name_mismatch", nextYear, []string{first}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := judge("trust", &facts.Seen{Pool: tt.pool, Directory: ad}, profile("1.0.522.101", phone.New))
			if diff := cmp.Diff(tt.want, summary(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !until(got.Ends).Equal(tt.until) {
				t.Errorf("ends %s, want %s", until(got.Ends), tt.until)
			}
			if !tt.until.IsZero() && (!until(got.Anchor).Equal(later) || subject(got.Ends) != "CN="+sipHost) {
				t.Errorf("%s ends first, the root %s", subject(got.Ends), until(got.Anchor))
			}
			got.addresses = judgedAddresses(got.Servers)
			trusted, refused := (&Verdict{Walk: []Judged{{Outcome: &got}}}).Addresses()
			if diff := cmp.Diff([][]string{tt.trusted, tt.refused}, [][]string{texts(trusted), texts(refused)}); diff != "" {
				t.Errorf("trusted and refused (-want +got):\n%s", diff)
			}
			if r := got.Reason(); (r == nil) != (got.State == OK || len(got.Findings) == 0) {
				t.Errorf("reason %v of %s", r, got.State)
			}
		})
	}
}

var snakeCase = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)

// TestReasonsAreComplete as those of the collectors are, and every way to fail has one.
func TestReasonsAreComplete(t *testing.T) {
	var names []string
	for _, r := range Reasons() {
		names = append(names, r.Name)
		if !snakeCase.MatchString(r.Name) || r.Effect < phone.Notes || r.Effect > phone.Blocks {
			t.Errorf("%q with effect %s", r.Name, r.Effect)
		}
		for what, text := range map[string]string{"Means": r.Means, "Screen": r.Screen, "Mend": r.Mend, "AtPhone": r.AtPhone} {
			if text == "" || strings.TrimSpace(text) != text || strings.HasSuffix(text, ".") || strings.Contains(text, "\n") {
				t.Errorf("%s of %s is %q; want one line without a full stop", what, r.Name, text)
			}
		}
	}
	slices.Sort(names)
	if once := slices.Compact(slices.Clone(names)); len(once) != len(names) {
		t.Errorf("two reasons have one name: %v", names)
	}
	for _, r := range phone.TrustReasons() {
		if trustReasons[r] == nil || trustReasons[r].Name != string(r) {
			t.Errorf("no reason for %s", r)
		}
	}
	if len(trustReasons) != len(phone.TrustReasons()) {
		t.Errorf("%d reasons for %d", len(trustReasons), len(phone.TrustReasons()))
	}
}
