package reach

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// registrar ends the handshake of phones and serves each connection with a function.
func registrar(t *testing.T, serve func(net.Conn)) netip.AddrPort {
	t.Helper()
	config := &tls.Config{
		MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10, CipherSuites: []uint16{tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA},
		Certificates: []tls.Certificate{certified(t, 2048)},
	}
	l, err := tls.Listen("tcp4", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if conn.(*tls.Conn).Handshake() == nil {
				serve(conn)
			}
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-ended
	})
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// sipAnswering says a text once the request is there, and keeps that.
func sipAnswering(text string, asked *string) func(net.Conn) {
	return func(conn net.Conn) {
		reader := bufio.NewReader(conn)
		for {
			line, err := reader.ReadString('\n')
			if asked != nil {
				*asked += line
			}
			if err != nil || line == "\r\n" {
				break
			}
		}
		_, _ = io.WriteString(conn, text)
	}
}

func registerAt(t *testing.T, address netip.AddrPort, timeout time.Duration) facts.SIPAnswer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	return Way{}.Register(ctx, address, "sip.fabrikam.com", phone.Register{Domain: "fabrikam.com", User: phone.SIPProbe, UserAgent: "CPE/1"})
}

const challenged = "SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/TLS 192.0.2.1:5\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: x\r\nCSeq: 1 REGISTER\r\n" +
	"Date: Thu, 04 Jun 2009 06:22:03 GMT\r\nServer: RTC/3.5\r\n" +
	"WWW-Authenticate: NTLM realm=\"SIP Communications Service\", targetname=\"fe01.contoso.com\", version=4\r\n" +
	"WWW-Authenticate: Kerberos realm=\"SIP Communications Service\", targetname=\"sip/fe01.contoso.com\", version=4\r\n" +
	"ms-diagnostics: 1013;reason=\"Significant time skew\";source=\"fe01.contoso.com\"\r\nContent-Length: 0\r\n\r\n"

func TestRegisterOnce(t *testing.T) {
	ignored := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, ignored) })
	var asked string
	got := registerAt(t, registrar(t, sipAnswering(trying+"\r\n\r\n"+challenged, &asked)), 4*time.Second)
	if got.Problem != "" || got.Status != 401 || got.Server != "RTC/3.5" || got.Date.Format(time.DateTime) != "2009-06-04 06:22:03" || len(got.Served) != 1 {
		t.Fatalf("got %+v", got)
	}
	if len(got.Challenges) != 2 || got.Challenges[1].TargetName != "sip/fe01.contoso.com" || len(got.Diagnostics) != 1 || got.Diagnostics[0].ID != 1013 {
		t.Errorf("challenges %+v, diagnostics %+v", got.Challenges, got.Diagnostics)
	}
	if !strings.HasPrefix(asked, "REGISTER sip:fabrikam.com SIP/2.0\r\n") || !strings.Contains(asked, "User-Agent: CPE/1\r\n") {
		t.Errorf("asked\n%s", asked)
	}
}

const trying = "SIP/2.0 100 Trying\r\nVia: SIP/2.0/TLS 192.0.2.1:5\r\nCSeq: 1 REGISTER\r\nContent-Length: 0\r\n\r\n"

// TestAnswerInTwoParts, split anywhere: where the records of TLS end says nothing.
func TestAnswerInTwoParts(t *testing.T) {
	text := trying + "\r\n\r\n" + challenged
	for i := range text {
		answer, err := readResponse(io.MultiReader(strings.NewReader(text[:i]), strings.NewReader(text[i:])))
		if err != nil {
			t.Errorf("after %q: %v", text[:i], err)
			continue
		}
		var out facts.SIPAnswer
		if describeResponse(answer, &out); out.Status != 401 || len(out.Challenges) != 2 || len(out.Diagnostics) != 1 {
			t.Errorf("after %q: %+v", text[:i], out)
		}
	}
}

// TestAnswerWithoutAPhrase, which may be empty (RFC 3261 section 25.1), and without the blank before it.
func TestAnswerWithoutAPhrase(t *testing.T) {
	for _, first := range []string{"SIP/2.0 401 ", "SIP/2.0 401", "\r\n\r\nSIP/2.0 401", "SIP/2.0 100\r\nContent-Length: 0\r\n\r\nSIP/2.0 401"} {
		text := first + strings.TrimPrefix(challenged, "SIP/2.0 401 Unauthorized")
		for i := range text {
			answer, err := readResponse(io.MultiReader(strings.NewReader(text[:i]), strings.NewReader(text[i:])))
			if err != nil {
				t.Errorf("%q, after %q: %v", first, text[:i], err)
				continue
			}
			var out facts.SIPAnswer
			if describeResponse(answer, &out); out.Status != 401 || out.Phrase != "" || len(out.Challenges) != 2 {
				t.Errorf("%q, after %q: %+v", first, text[:i], out)
			}
		}
	}
}

func TestRegisterRedirect(t *testing.T) {
	for contact, want := range map[string]string{
		"<sip:pool02.contoso.com:5061;transport=tls>": "pool02.contoso.com:5061", "<sip:pool02.contoso.com>": "pool02.contoso.com",
		"\"x\" <sip:u@pool02.contoso.com:444>;q=1": "pool02.contoso.com:444",
		"*": "",
		"<sip:a.contoso.com>\r\nContact: <sip:b.contoso.com:5061>":                                                      "a.contoso.com b.contoso.com:5061",
		"<sip:a.contoso.com>;q=0.1, <sip:b.contoso.com>;q=0.5\r\nContact: <sip:c.contoso.com>;q=x, <sip:d.contoso.com>": "c.contoso.com d.contoso.com b.contoso.com a.contoso.com",
	} {
		text := "SIP/2.0 301 Moved\r\nCSeq: 1 REGISTER\r\nContact: " + contact + "\r\nContent-Length: 0\r\n\r\n"
		if got := registerAt(t, registrar(t, sipAnswering(text, nil)), 4*time.Second); strings.Join(got.Contacts, " ") != want || got.Status != 301 {
			t.Errorf("%s: %+v", contact, got)
		}
	}
}

// TestRegisterPassesOverHeaders that cannot be read: an answer is what its first line and the rest say.
func TestRegisterPassesOverHeaders(t *testing.T) {
	for _, bad := range []string{
		"Via: none\r\n", "From: <<\r\nTo: >\r\n", "CSeq: x\r\n", "Contact: <sip:a b:x>\r\n", "no header at all\r\n", ": \r\n", "Max-Forwards: -\r\n",
		"Expires: soon\r\nRecord-Route: x\r\n", "Content-Type\r\n", "Via: none\r\n folded\r\n", strings.Repeat("Via: none\r\n", 500),
	} {
		text := strings.Replace(challenged, "Date:", bad+"Date:", 1)
		got := registerAt(t, registrar(t, sipAnswering(text, nil)), 4*time.Second)
		if got.Status != 401 || got.Date.IsZero() || len(got.Challenges) != 2 || len(got.Diagnostics) != 1 {
			t.Errorf("%.40q: %+v", bad, got)
		}
	}
}

func TestRegisterWithoutAnAnswer(t *testing.T) {
	ignored := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, ignored) })
	wait := func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }
	drip := func(conn net.Conn) {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			if _, err := io.WriteString(conn, "S"); err != nil {
				return
			}
		}
	}
	flood := func(conn net.Conn) {
		for {
			if _, err := io.WriteString(conn, "OPTIONS sip:a SIP/2.0\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"); err != nil {
				return
			}
		}
	}
	endless := func(conn net.Conn) {
		_, err := io.WriteString(conn, "SIP/2.0 200 OK\r\n")
		for err == nil {
			_, err = io.WriteString(conn, "X: "+strings.Repeat("y", 1000)+"\r\n")
		}
	}
	unreadable := func(conn net.Conn) {
		_, err := io.WriteString(conn, "SIP/2.0 200 OK\r\n")
		for err == nil {
			_, err = io.WriteString(conn, strings.Repeat("Via: none\r\n", 100))
		}
	}
	for _, c := range []struct {
		name  string
		serve func(net.Conn)
		want  facts.SIPProblem
	}{
		{"silent", wait, facts.SIPSilent},
		{"drips", drip, facts.SIPSilent},
		{"closes", func(net.Conn) {}, facts.SIPClosed},
		{"half an answer", sipAnswering(challenged[:200], nil), facts.SIPClosed},
		{"HTTP", sipAnswering("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", nil), facts.SIPMalformed},
		{"garbage", sipAnswering(strings.Repeat("\x00\xff\r\n", 50), nil), facts.SIPMalformed},
		{"never an answer", flood, facts.SIPMalformed},
		{"a header bomb", endless, facts.SIPMalformed},
		{"no status", sipAnswering("SIP/2.0\r\n"+challenged, nil), facts.SIPMalformed},
		{"a status that is none", sipAnswering("SIP/2.0 many No\r\n"+challenged, nil), facts.SIPMalformed},
		{"no length", sipAnswering(strings.Replace(challenged, "Content-Length: 0", "Content-Length: none", 1), nil), facts.SIPMalformed},
		{"unreadable headers only", unreadable, facts.SIPMalformed},
		{"a body that never ends", sipAnswering("SIP/2.0 401 No\r\nCSeq: 1 REGISTER\r\nContent-Length: 999999999\r\n\r\nx", nil), facts.SIPMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			timeout := 10 * time.Second // which nothing takes that answers, but a busy machine needs more than a moment
			if c.want == facts.SIPSilent {
				timeout = 400 * time.Millisecond
			}
			if got := registerAt(t, registrar(t, c.serve), timeout); got.Problem != c.want {
				t.Errorf("got %s: %s, want %s", got.Problem, got.Detail, c.want)
			}
		})
	}
	closed := netip.MustParseAddrPort("127.0.0.1:9")
	if got := registerAt(t, closed, time.Second); got.Problem != facts.SIPNoConnection {
		t.Errorf("closed: %+v", got)
	}
}

func FuzzReadResponse(f *testing.F) {
	f.Add([]byte(challenged))
	f.Add([]byte("SIP/2.0 401\r\nContent-Length: 0\r\n\r\n"))
	f.Add([]byte(strings.Replace(challenged, "Via: ", "Via: none\r\nno header\r\nVia: ", 1)))
	f.Add([]byte("SIP/2.0 301 Moved\r\nContact: <sip:a:1>\r\nContent-Length: 0\r\n\r\n"))
	f.Add([]byte("SIP/2.0 401 No\r\n" + strings.Repeat("X: y\r\n", 20000)))
	f.Add([]byte("SIP/2.0 401 No\r\nWWW-Authenticate: " + strings.Repeat("NTLM ", 5000) + "\r\nContent-Length: 0\r\n\r\n"))
	f.Add([]byte(strings.Repeat("SIP/2.0 100 Trying\r\nContent-Length: 0\r\n\r\n", 20)))
	f.Add([]byte("SIP/2.0 401 No\r\nContent-Length: 999999999\r\n\r\nx"))
	f.Fuzz(func(t *testing.T, content []byte) {
		answer, err := readResponse(strings.NewReader(string(content)))
		if err != nil {
			return
		}
		var out facts.SIPAnswer
		describeResponse(answer, &out)
		if out.Status < 0 || len(fmt.Sprint(out)) > 1<<20 {
			t.Errorf("%+v", out)
		}
	})
}
