package reach

import (
	"bufio"
	"bytes"
	"encoding/pem"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/site"
)

const poxAnswer = `<Autodiscover><Response><Account><Protocol><Type>EXCH</Type><ASUrl>https://example.com/EWS/</ASUrl></Protocol></Account></Response></Autodiscover>`

func exchangeAccess(p *publishing) ExchangeAccess {
	return ExchangeAccess{
		Way: p.access.Way, Host: proxyHost, URL: "https://" + proxyHost + "/autodiscover/autodiscover.xml",
		Address:  netip.AddrPortFrom(caAddress, 443),
		Exchange: site.Exchange{Credential: p.credential, RootFiles: p.access.RootFiles, Mailbox: "probe@fabrikam.com"},
	}
}

// TestExchangeLogon asks for the settings of the mailbox, with a logon, once an hour.
func TestExchangeLogon(t *testing.T) {
	var asked string
	p := newPublishing(t, func(w http.ResponseWriter, r *http.Request) {
		content, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		asked = r.Method + " " + string(content)
		_, _ = io.WriteString(w, poxAnswer)
	})
	server := p.access.Way.AskExchange(t.Context(), exchangeAccess(p).URL)
	if len(server.Answers) != 1 || server.Answers[0].Status != http.StatusUnauthorized || len(server.Answers[0].Served) != 1 {
		t.Fatalf("without a logon: %+v", server)
	}
	e := NewExchange(p.guard)
	l := e.Logon(t.Context(), exchangeAccess(p))
	if l.Problem != "" || l.Answer == nil || l.Answer.Autodiscover == nil || len(l.Answer.Autodiscover.Protocols) != 1 {
		t.Fatalf("logged on: %+v", l)
	}
	if !strings.HasPrefix(asked, "POST ") || !strings.Contains(asked, "<EMailAddress>probe@fabrikam.com</EMailAddress>") {
		t.Errorf("asked %s", asked)
	}
	before := len(p.asked())
	if again := e.Logon(t.Context(), exchangeAccess(p)); len(p.asked()) != before || again.Answer == nil {
		t.Errorf("logged on again within the hour: %v", p.asked())
	}
}

// TestExchangeLogonIsNotMade holds to whom no password goes.
func TestExchangeLogonIsNotMade(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*publishing, *ExchangeAccess)
		want   facts.ControllerProblem
	}{
		{"a host that is not allowed", func(p *publishing, _ *ExchangeAccess) { p.credential.AllowedHosts = []string{"dc01.contoso.com"} }, facts.CredentialUnusable},
		{"a root that is not known", func(_ *publishing, a *ExchangeAccess) { a.RootFiles = []string{otherRoot(t)} }, facts.TLSUntrusted},
		{"roots that are gone", func(_ *publishing, a *ExchangeAccess) { a.RootFiles = []string{"/none.pem"} }, facts.CredentialUnusable},
		{"another name", func(p *publishing, a *ExchangeAccess) {
			a.Host = "mail.fabrikam.com"
			p.credential.AllowedHosts = []string{"mail.fabrikam.com"}
		}, facts.TLSUntrusted},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPublishing(t, answered(poxAnswer))
			access := exchangeAccess(p)
			c.change(p, &access)
			l := NewExchange(p.guard).Logon(t.Context(), access)
			if l.Problem != c.want || l.Answer != nil {
				t.Errorf("got %+v", l)
			}
			for _, scheme := range p.asked() {
				if scheme != "" {
					t.Errorf("sent %v", p.asked())
				}
			}
		})
	}
}

// otherRoot writes a root to which no server of the tests leads.
func otherRoot(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "other.pem")
	content := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: phone.Authorities()[0].Certificate.Raw})
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestExchangeOfNoURL(t *testing.T) {
	got := Way{}.AskExchange(t.Context(), "https://%zz/")
	if len(got.Answers) != 1 || got.Answers[0].Problem != facts.WebBadRequest {
		t.Errorf("got %+v", got)
	}
}

func TestResolveService(t *testing.T) {
	r := startResolver(t, answering("_autodiscover._tcp.fabrikam.com. 60 IN SRV 0 0 443 mail.fabrikam.com."), nil)
	way := Way{Resolvers: []netip.AddrPort{r.AddrPort}}
	names := way.ResolveService(t.Context(), "_autodiscover._tcp.fabrikam.com")
	if diff := cmp.Diff("mail.fabrikam.com", names.Walks[0].Lookups[0].Services[0].Target); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// wireAnswer answers every request with the same bytes.
type wireAnswer []byte

func (s wireAnswer) RoundTrip(request *http.Request) (*http.Response, error) {
	return http.ReadResponse(bufio.NewReader(bytes.NewReader(s)), request)
}

// FuzzReadAutodiscover reads hostile answers of a web server: of its header and of its body.
func FuzzReadAutodiscover(f *testing.F) {
	const head = "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n"
	for _, seed := range []string{
		head + "Content-Length: 43\r\n\r\n<Protocol><ASUrl>https://a</ASUrl></Protocol>", head + "\r\n<!DOCTYPE a [<!ENTITY b '&b;'>]><Protocol/>",
		head + "\r\n" + strings.Repeat("<Protocol>", 5000), head + "Content-Length: 999999999\r\n\r\n<", head + "Transfer-Encoding: chunked\r\n\r\nffffffff\r\n<",
		"HTTP/1.1 302 Found\r\nLocation: https://autodiscover.fabrikam.com/\r\n\r\n", "HTTP/1.1 302 Found\r\nLocation: \xff\x00" + strings.Repeat("x", 3000) + "\r\n\r\n",
		"HTTP/1.1 401 No\r\n" + strings.Repeat("WWW-Authenticate: NTLM, Negotiate, Basic realm=\"x\"\r\n", 500) + "\r\n",
		"HTTP/1.1 401 No\r\n" + strings.Repeat("X: y\r\n", 5000) + "\r\n", "SIP/2.0 400 Bad Request\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		request, err := webRequest(t.Context(), http.MethodGet, "https://autodiscover.fabrikam.com/", nil)
		if err != nil {
			t.Fatal(err)
		}
		got := readAutodiscover(wireAnswer(content), request, netip.MustParseAddrPort("192.0.2.1:443"))
		if (got.Problem == "") != (got.Status != 0) || got.Problem == "" && got.Status != 200 && got.Autodiscover != nil ||
			len(got.Schemes) > maxSchemes || !utf8.ValidString(got.Location+got.Detail) {
			t.Errorf("%+v", got)
		}
	})
}
