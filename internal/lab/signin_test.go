package lab

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

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
	return said
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
