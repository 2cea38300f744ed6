package reach

import (
	"encoding/base64"
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
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/site"
	"github.com/cx700/cx700_exporter/internal/state"
)

const (
	caHost   = "ca01.contoso.com"
	password = "Planted-Secret-1"
)

var caAddress = netip.MustParseAddr("192.0.2.7")

// leadingTo is a way on which the CA is a server of the test, and everything else a closed port.
func leadingTo(t *testing.T, address string) Way {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return Way{ConnectTo: []site.ConnectTo{
		{Host: caAddress.String(), Port: "80", ToHost: host, ToPort: port},
		{ToHost: "127.0.0.1", ToPort: "9"},
	}}
}

func TestSchemesOf(t *testing.T) {
	for _, c := range []struct {
		headers, want []string
	}{
		{nil, nil},
		{[]string{"Negotiate", "NTLM"}, []string{"Negotiate", "NTLM"}},
		{[]string{"Negotiate, NTLM"}, []string{"Negotiate", "NTLM"}},
		{[]string{`Basic realm="NTLM, Negotiate", charset="UTF-8"`}, []string{"Basic"}},
		{[]string{"NTLM TlRMTVNTUAAC=="}, []string{"NTLM"}},
		{[]string{"NTLM", "NTLM"}, []string{"NTLM"}},
		{[]string{"\x00\xff, ,="}, nil},
	} {
		if diff := cmp.Diff(c.want, schemesOf(c.headers)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.headers, diff)
		}
	}
}

func TestAskCertsrvTriesEachAddress(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	way := leadingTo(t, server.Listener.Addr().String())
	closed := netip.MustParseAddr("192.0.2.8")
	got := way.AskCertsrv(t.Context(), caHost, []netip.Addr{closed, caAddress})
	if got.Status != http.StatusNotFound || got.Address.Addr() != caAddress || got.Took <= 0 {
		t.Errorf("got %+v, want 404 of the second address, and how long it took", got)
	}
	if got := way.AskCertsrv(t.Context(), caHost, nil); got != nil {
		t.Errorf("got %+v without an address, want nothing", got)
	}
}

// ntlmServer plays the three requests of NTLM; it records the schemes with which it was asked.
type ntlmServer struct {
	*httptest.Server
	// accept tells whether any answer to the challenge is taken, challenge what it sends.
	accept    atomic.Bool
	challenge []byte
	// then answers whoever is logged on; nil gives the chain.
	then http.Handler

	mu      sync.Mutex
	schemes []string
}

// ntlmChallenge is a CHALLENGE_MESSAGE with the flag for Unicode only ([MS-NLMP] section 2.2.1.2).
func ntlmChallenge() []byte {
	out := append([]byte("NTLMSSP\x00\x02\x00\x00\x00"), make([]byte, 8)...)
	out = append(out, 0x01, 0x02, 0x08, 0x00)
	return append(out, make([]byte, 24)...)
}

func newNTLMServer(t *testing.T, accept bool, challenge []byte) *ntlmServer {
	t.Helper()
	s := &ntlmServer{challenge: challenge}
	s.accept.Store(accept)
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *ntlmServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	s.mu.Lock()
	s.schemes = append(s.schemes, scheme)
	s.mu.Unlock()
	message, _ := base64.StdEncoding.DecodeString(token) // what is none has no type
	switch {
	case len(message) > 8 && message[8] == 1 && s.challenge != nil:
		w.Header().Set("WWW-Authenticate", "NTLM "+base64.StdEncoding.EncodeToString(s.challenge))
	case len(message) > 8 && message[8] == 3 && s.accept.Load() && s.then != nil:
		s.then.ServeHTTP(w, r)
		return
	case len(message) > 8 && message[8] == 3 && s.accept.Load():
		http.ServeFile(w, r, filepath.Join("testdata", "chain", "pkcs7_as_certificate_crlf.pem"))
		return
	default:
		w.Header().Set("WWW-Authenticate", "NTLM")
	}
	w.WriteHeader(http.StatusUnauthorized)
}

func (s *ntlmServer) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.schemes)
}

// logons is a Certsrv, its log and an account.
type logons struct {
	*Certsrv
	log        strings.Builder
	credential *site.Credential
}

func newLogons(t *testing.T) *logons {
	t.Helper()
	memory, err := state.Open("")
	if err != nil {
		t.Fatal(err)
	}
	l := &logons{}
	l.Certsrv = NewCertsrv(NewGuard(slog.New(slog.NewTextHandler(&l.log, nil)), memory))
	l.credential = &site.Credential{
		Name: "probe", Username: `CONTOSO\probe`, AllowedHosts: []string{caHost},
		PasswordFile: filepath.Join(t.TempDir(), "password"),
	}
	l.secret(t, password)
	return l
}

func (l *logons) secret(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(l.credential.PasswordFile, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// access asks anonymously first, as the collector does.
func (l *logons) access(t *testing.T, server string) *CertsrvAccess {
	t.Helper()
	way := leadingTo(t, server)
	return &CertsrvAccess{
		Way: way, Host: caHost, Anonymous: way.AskCertsrv(t.Context(), caHost, []netip.Addr{caAddress}),
		Certsrv: site.Certsrv{Credential: l.credential, NTLMOverHTTP: true},
	}
}

func TestNTLMFetchesTheChainOnceAnHour(t *testing.T) {
	server := newNTLMServer(t, true, ntlmChallenge())
	l := newLogons(t)
	access := l.access(t, server.Listener.Addr().String())
	first := l.Logon(t.Context(), access)
	if first.Problem != "" || first.Scheme != "NTLM" || first.Answer == nil || len(first.Answer.Certificates) != 2 {
		t.Fatalf("got %+v, want two certificates by NTLM", first)
	}
	if diff := cmp.Diff([]string{"", "", "NTLM", "NTLM"}, server.asked()); diff != "" {
		t.Errorf("schemes of the requests (-want +got):\n%s", diff)
	}
	server.accept.Store(false)
	if diff := cmp.Diff(first, l.Logon(t.Context(), access), cmp.Comparer(sameAddress)); diff != "" {
		t.Errorf("the second look within the hour differs (-want +got):\n%s", diff)
	}
	if asked := server.asked(); len(asked) != 4 {
		t.Errorf("asked %d times, want 4: the chain was to be held", len(asked))
	}
	for key := range l.held {
		if _, ok := l.kept(key, access.Credential.Name, first.At.Add(logonKept)); ok {
			t.Error("the chain is held for longer than an hour")
		}
	}
	l.secret(t, "another secret")
	if got := l.Logon(t.Context(), access); got.Problem != facts.CredentialRefused {
		t.Errorf("with another secret, that is refused: %+v", got)
	}
}

func sameAddress(a, b netip.AddrPort) bool { return a == b }

func TestNTLMRefusalStopsTheAccount(t *testing.T) {
	server := newNTLMServer(t, false, ntlmChallenge())
	l := newLogons(t)
	access := l.access(t, server.Listener.Addr().String())
	for range 3 {
		got := l.Logon(t.Context(), access)
		if got.Problem != facts.CredentialRefused {
			t.Fatalf("got %+v, want %s", got, facts.CredentialRefused)
		}
		if text := fmt.Sprintf("%+v", got); strings.Contains(text, password) {
			t.Errorf("the secret is in %s", text)
		}
	}
	if diff := cmp.Diff([]string{"", "", "NTLM", "NTLM"}, server.asked()); diff != "" {
		t.Errorf("schemes of the requests (-want +got):\n%s", diff)
	}
	if text := l.log.String(); strings.Contains(text, password) || !strings.Contains(text, "credential refused") {
		t.Errorf("log: %s", text)
	}
	server.accept.Store(true)
	l.secret(t, "another secret")
	if got := l.Logon(t.Context(), access); got.Problem != "" {
		t.Errorf("with a new secret: %+v", got)
	}
}

func TestLogonIsNotMade(t *testing.T) {
	for _, c := range []struct {
		name      string
		challenge []byte
		change    func(*CertsrvAccess)
		want      facts.ControllerProblem
	}{
		{"to a host that is not allowed", ntlmChallenge(), func(a *CertsrvAccess) { a.Credential.AllowedHosts = []string{"dc01.contoso.com"} },
			facts.CredentialUnusable},
		{"without its secret", ntlmChallenge(), func(a *CertsrvAccess) { a.Credential.PasswordFile += ".gone" }, facts.CredentialUnusable},
		{"without a challenge", nil, func(*CertsrvAccess) {}, facts.BindFailed},
		{"after half a challenge", ntlmChallenge()[:20], func(*CertsrvAccess) {}, facts.BindFailed},
		{"without a controller", nil, offersNegotiateOnly, facts.KerberosUnavailable},
		{"with a KDC that is not there", nil, func(a *CertsrvAccess) {
			offersNegotiateOnly(a)
			a.DefaultNC, a.KDCs = "DC=contoso,DC=com", []netip.Addr{caAddress}
		}, facts.KerberosUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := newNTLMServer(t, true, c.challenge)
			l := newLogons(t)
			access := l.access(t, server.Listener.Addr().String())
			c.change(access)
			got := l.Logon(t.Context(), access)
			if got.Problem != c.want || !got.At.IsZero() || len(l.held) > 0 {
				t.Errorf("got %+v, held %d, want %s and nothing held", got, len(l.held), c.want)
			}
			if states := l.guard.States(); len(states) > 0 && states[0].Stop != nil {
				t.Errorf("the account was stopped: %+v", states[0].Stop)
			}
			if slices.Contains(server.asked(), "Basic") {
				t.Error("the password went out by Basic")
			}
		})
	}
}

func offersNegotiateOnly(a *CertsrvAccess) { a.Anonymous.Schemes = []string{"Negotiate"} }

// TestNTLMConnectionLost holds that a connection that ends in the middle is no refusal of the account: the
// library gives the first request's 401 then.
func TestNTLMConnectionLost(t *testing.T) {
	ntlm := newNTLMServer(t, true, ntlmChallenge())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked := ntlm.asked(); len(asked) == 3 {
			panic(http.ErrAbortHandler)
		}
		ntlm.ServeHTTP(w, r)
	}))
	defer server.Close()
	l := newLogons(t)
	got := l.Logon(t.Context(), l.access(t, server.Listener.Addr().String()))
	if got.Problem != facts.BindFailed || got.At.IsZero() {
		t.Errorf("got %+v, want %s with the time of the logon", got, facts.BindFailed)
	}
	if len(l.held) != 1 {
		t.Errorf("held %d, want 1: the account was used", len(l.held))
	}
}

func TestMayLogOn(t *testing.T) {
	for _, c := range []struct {
		schemes    []string
		ntlm, want bool
	}{
		{[]string{"Negotiate", "NTLM"}, false, true},
		{[]string{"NTLM"}, false, false},
		{[]string{"NTLM"}, true, true},
		{[]string{"Basic"}, true, false},
	} {
		a := &CertsrvAccess{Anonymous: &facts.CertsrvAnswer{WebAnswer: facts.WebAnswer{Schemes: c.schemes}},
			Certsrv: site.Certsrv{Credential: &site.Credential{}, NTLMOverHTTP: c.ntlm}}
		if got := a.May(); got != c.want {
			t.Errorf("%v, ntlm_over_http %v: %v, want %v", c.schemes, c.ntlm, got, c.want)
		}
		if a.Credential = nil; a.May() {
			t.Errorf("%v: may log on without a credential", c.schemes)
		}
	}
}

func TestKeepForgetsWhatIsOld(t *testing.T) {
	c := NewCertsrv(nil)
	now := time.Now()
	for i := range 100 {
		at := facts.Logon{At: now.Add(time.Duration(i) * forgotten / 10)}
		c.keep(fmt.Sprint(i), heldLogon[*facts.CertsrvAnswer]{Logon: at, credential: "reader"})
	}
	if len(c.held) > 10 {
		t.Errorf("held %d logons of ten days, want those of one", len(c.held))
	}
}

// TestCAsTakeTurns lets two CAs be logged on to with one credential: each at once, then one of them an hour.
func TestCAsTakeTurns(t *testing.T) {
	c := NewCertsrv(nil)
	now := time.Now()
	logons := map[string]int{}
	probe := func(ca, credential string) {
		if _, held := c.kept(ca, credential, now); !held {
			logons[ca]++
			c.keep(ca, heldLogon[*facts.CertsrvAnswer]{Logon: facts.Logon{At: now}, credential: credential})
		}
	}
	const hours, minutesBetween = 12, 5
	for range hours * 60 / minutesBetween {
		probe("first", "reader")
		probe("second", "reader")
		probe("third", "another")
		now = now.Add(minutesBetween * time.Minute)
	}
	if n := logons["first"] + logons["second"]; n > hours+1 || n < hours-1 || logons["second"] < hours/3 {
		t.Errorf("logons with one credential in %d hours: %v, want one an hour, in turns", hours, logons)
	}
	if logons["third"] != hours {
		t.Errorf("logons with the other credential in %d hours: %v, want one an hour", hours, logons)
	}
}
