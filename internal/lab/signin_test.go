package lab

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/Azure/go-ntlmssp"

	"github.com/cx700/cx700_exporter/internal/phone"
)

// askSIP asks a registrar to register as a firmware, and says what comes back: the first line, and what tells more.
func askSIP(t *testing.T, s *tcpServer, fw phone.Firmware) string {
	t.Helper()
	conn, err := net.Dial("tcp", s.address.String())
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(ldapPatience)); err != nil {
		t.Error(err)
	}
	client := tls.Client(conn, &tls.Config{
		MinVersion: tls.VersionTLS10, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256},
		InsecureSkipVerify: true,
	})
	if client.Handshake() != nil {
		return "no TLS"
	}
	_, _ = client.Write(phone.Register{Domain: "fabrikam.com", User: "nobody", UserAgent: fw.UserAgent(), Local: "127.0.0.1:1", CallID: "x", Tag: "y"}.Bytes())
	reader := bufio.NewReader(client)
	said := ""
	for {
		line, err := reader.ReadString('\n')
		line = strings.TrimSpace(line)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return "silence"
		case err != nil || line == "":
			return said
		case said == "":
			said = line
		case strings.HasPrefix(line, "Date: ") && late(line) != "":
			said += late(line)
		case strings.Contains(line, "targetname=") && !strings.Contains(line, "pool01.contoso.com"):
			said += ", by another name"
		case strings.HasPrefix(line, "ms-diagnostics"), strings.HasPrefix(line, "Contact"), strings.HasPrefix(line, "WWW-Authenticate: Basic"):
			said += ", " + strings.Split(line, ";")[0]
		}
	}
}

// late says by how much the clock in a header is behind, if it is.
func late(header string) string {
	at, err := http.ParseTime(strings.TrimPrefix(header, "Date: "))
	if err != nil || time.Since(at) < time.Minute {
		return ""
	}
	return ", slow by " + time.Since(at).Round(time.Minute).String()
}

// askMail asks for Autodiscover and says its status, its kind, how it lets log on, and for whom its certificate is.
func askMail(t *testing.T, w *webServer) string {
	t.Helper()
	client := &http.Client{Timeout: ldapPatience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true,
	}}
	response, err := client.Get("https://" + w.address.String() + "/Autodiscover/Autodiscover.xml")
	if err != nil {
		return inBrief(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return err.Error()
	}
	said := ""
	if !speaksOldTLS(t, w) {
		said = "no TLS 1.0, "
	}
	said += response.Status + " " + response.Header.Get("Content-Type") + response.Header.Get("Location")
	if schemes := response.Header.Values("WWW-Authenticate"); schemes != nil {
		said += " " + strings.Join(schemes, " ")
	}
	if strings.Contains(string(content), "<ErrorCode>600<") {
		said += " error 600"
	}
	leaf := response.TLS.PeerCertificates[0]
	if said += " by " + leaf.Subject.CommonName; leaf.Issuer.CommonName != "ContosoCA" {
		said += " of " + leaf.Issuer.CommonName
	}
	if strings.Contains(said, "NTLM") {
		said += logOn(t, w)
	}
	return said
}

// webServices is where Autodiscover has Exchange's web services.
var webServices = regexp.MustCompile(`<Type>EXPR</Type><ASUrl>(.*)</ASUrl>`)

// logOn logs on at Autodiscover and at the web services, by another's NTLM, and says what comes of it.
func logOn(t *testing.T, w *webServer) string {
	t.Helper()
	said := ""
	for _, path := range []string{"/Autodiscover/Autodiscover.xml", "/EWS/Exchange.asmx"} {
		status, content := askAs(t, w, path, mailPassword)
		said += ", then " + status
		if m := webServices.FindStringSubmatch(content); m != nil {
			said += " " + m[1]
		} else if strings.Contains(content, "<ErrorCode>500<") {
			said += " error 500"
		}
	}
	return said
}

// askAs asks by NTLM with the account of the first site and a password.
func askAs(t *testing.T, w *webServer, path, password string) (status, content string) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequest(http.MethodPost, "https://"+w.address.String()+path, strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth(mailAccount(0).username, password)
	response, err := ntlmssp.Negotiator{RoundTripper: transport}.RoundTrip(request)
	if err != nil {
		return inBrief(err), ""
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Error(err)
	}
	return response.Status, string(text)
}

// TestNTLMWantsThePassword: another one is refused, as is what is no message of NTLM.
func TestNTLMWantsThePassword(t *testing.T) {
	w := started(t, 1).offices[0].mail[mailInside]
	for password, want := range map[string]string{mailPassword: "200 OK", mailPassword + "x": "401 Unauthorized", "": "401 Unauthorized"} {
		if status, _ := askAs(t, w, "/EWS/Exchange.asmx", password); status != want {
			t.Errorf("with %q: %s, want %s", password, status, want)
		}
	}
}

// FuzzNTLMAnswers holds that nobody logs on without the password, whatever is sent.
func FuzzNTLMAnswers(f *testing.F) {
	challenge := []byte("12345678")
	answer, err := ntlmssp.NewAuthenticateMessage(ntlmChallenge(challenge), mailAccount(0).username, "guessed", nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(answer)
	f.Add(answer[:atAnswer+6])
	f.Add([]byte(ntlmSignature + "\x01\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, message []byte) {
		if mailAccount(0).answers(message, challenge) || ntlmKind(message) != 0 && len(message) < 12 {
			t.Errorf("%x", message)
		}
	})
}

// speaksOldTLS tells whether a web server takes what phones offer.
func speaksOldTLS(t *testing.T, w *webServer) bool {
	t.Helper()
	conn, err := tls.Dial("tcp", w.address.String(), &tls.Config{
		InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA},
	})
	if err != nil {
		return false
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	return true
}
