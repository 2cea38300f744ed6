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
	sipTakesUp sipMode = iota
	sipBlocksOldest
	sipForbids
	sipOverloaded
	sipKnowsNobody
	sipFindsTimeSkew
	sipLeadsOn
	sipOffersBasic
	sipSilent
	sipBabbles
)

// register answers one request over an encrypted connection, as OCS 2007 R2 does before a logon (CONTRACT.md
// section 5.1). A client that is gone is no concern of the lab's.
func (m sipMode) register(conn io.ReadWriter) {
	reader := textproto.NewReader(bufio.NewReader(io.LimitReader(conn, maxRequest)))
	_, errLine := reader.ReadLine()
	asked, err := reader.ReadMIMEHeader()
	if errLine == nil && err == nil && m != sipSilent {
		_, _ = io.WriteString(conn, m.answer(asked))
	}
	_, _ = io.Copy(io.Discard, conn)
}

func (m sipMode) answer(asked textproto.MIMEHeader) string {
	const windows = "WWW-Authenticate: NTLM realm=\"SIP Communications Service\", targetname=\"pool01.contoso.com\", version=4\r\n" +
		"WWW-Authenticate: Kerberos realm=\"SIP Communications Service\", targetname=\"sip/pool01.contoso.com\", version=4\r\n"
	status, more := "401 Unauthorized", windows
	switch m {
	case sipBlocksOldest:
		if strings.Contains(asked.Get("User-Agent"), "1.0.199.123") {
			status, more = "403 Forbidden", "ms-diagnostics: 17002;reason=\"Invalid client version\";source=\"pool01.contoso.com\"\r\n"
		}
	case sipForbids:
		status, more = "403 Forbidden", ""
	case sipOverloaded:
		status, more = "503 Service Unavailable", ""
	case sipKnowsNobody:
		status, more = "404 Not Found", "ms-diagnostics: 4005;reason=\"Destination URI either not enabled for SIP or does not exist\";source=\"pool01.contoso.com\"\r\n"
	case sipFindsTimeSkew:
		more += "ms-diagnostics: 1013;reason=\"Significant time skew detected during authentication\";source=\"pool01.contoso.com\"\r\n"
	case sipLeadsOn:
		status, more = "301 Moved Permanently", "Contact: <sip:sip.fabrikam.com:5061;transport=tls>\r\n"
	case sipOffersBasic:
		more = "WWW-Authenticate: Basic realm=\"x\"\r\n"
	case sipBabbles:
		return "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
	}
	return fmt.Sprintf("SIP/2.0 %s\r\nVia: %s\r\nFrom: %s\r\nTo: %s;tag=lab\r\nCall-ID: %s\r\nCSeq: %s\r\nDate: %s\r\nServer: RTC/3.5\r\n%sContent-Length: 0\r\n\r\n",
		status, asked.Get("Via"), asked.Get("From"), asked.Get("To"), asked.Get("Call-ID"), asked.Get("CSeq"),
		time.Now().UTC().Format(http.TimeFormat), more)
}
