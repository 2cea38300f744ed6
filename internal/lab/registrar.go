package lab

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"strings"
	"time"
)

type sipMode int

const (
	sipSays sipMode = iota
	sipBlocksOldest
	sipSilent
	sipCloses
	sipBabbles
)

// sipState is how a registrar answers: with a status and headers of its own, else as a healthy one.
type sipState struct {
	mode    sipMode
	status  string
	headers []string
	// late is by how much its clock is behind.
	late time.Duration
}

// windowsLogon is what a registrar offers that calls itself by a name.
func windowsLogon(name string) []string {
	return []string{
		`WWW-Authenticate: NTLM realm="SIP Communications Service", targetname="` + name + `", version=4`,
		`WWW-Authenticate: Kerberos realm="SIP Communications Service", targetname="sip/` + name + `", version=4`,
	}
}

// diagnosed is a header as OCS says more with it.
func diagnosed(id int, reason string) string {
	return fmt.Sprintf("ms-diagnostics: %d;reason=%q;source=\"pool01.contoso.com\"", id, reason)
}

// register answers one request over an encrypted connection, as OCS 2007 R2 does before a logon (CONTRACT.md
// section 5.1). A client that is gone is no concern of the lab's.
func (s sipState) register(conn io.ReadWriter) {
	reader := textproto.NewReader(bufio.NewReader(io.LimitReader(conn, maxRequest)))
	_, errLine := reader.ReadLine()
	asked, err := reader.ReadMIMEHeader()
	if s.mode == sipCloses {
		return
	}
	if errLine == nil && err == nil && s.mode != sipSilent {
		_, _ = io.WriteString(conn, s.answer(asked))
	}
	_, _ = io.Copy(io.Discard, conn)
}

func (s sipState) answer(asked textproto.MIMEHeader) string {
	status, headers := "401 Unauthorized", windowsLogon("pool01.contoso.com")
	switch {
	case s.mode == sipBabbles:
		return "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
	case s.mode == sipBlocksOldest && strings.Contains(asked.Get("User-Agent"), "1.0.199.123"):
		status, headers = "403 Forbidden", []string{diagnosed(17002, "Invalid client version")}
	case s.status != "":
		status, headers = s.status, s.headers
	}
	headers = append([]string{
		"SIP/2.0 " + status, "Via: " + asked.Get("Via"), "From: " + asked.Get("From"), "To: " + asked.Get("To") + ";tag=lab",
		"Call-ID: " + asked.Get("Call-ID"), "CSeq: " + asked.Get("CSeq"),
		"Date: " + time.Now().UTC().Add(-s.late).Format(http.TimeFormat), "Server: RTC/3.5",
	}, headers...)
	return strings.Join(headers, "\r\n") + "\r\nContent-Length: 0\r\n\r\n"
}
