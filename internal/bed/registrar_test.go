//go:build linux

package bed

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// offered asks a registrar by OpenSSL, or by GnuTLS for what OpenSSL has no
// more, and tells whether a handshake ended.
func offered(t *testing.T, b *Bed, host Host, port int, by, version string) bool {
	t.Helper()
	args := []string{"timeout", "2", "openssl", "s_client", "-connect", fmt.Sprintf("%s:%d", address(host), port), version}
	if by == "gnutls" {
		args = []string{"timeout", "2", "gnutls-cli", "--insecure", fmt.Sprintf("--port=%d", port), "--priority", version, address(host)}
	}
	cmd := b.Command(t.Context(), Monitor, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "OPENSSL_CONF="+b.openSSLConfig())
	cmd.Stdin = strings.NewReader("")
	text, _ := cmd.CombinedOutput() // the text tells what the exit code does not
	return strings.Contains(string(text), "Handshake was completed") || strings.Contains(string(text), "Cipher is AES") ||
		strings.Contains(string(text), "Cipher is TLS_") || strings.Contains(string(text), "Cipher is ECDHE")
}

// TestRegistrars holds each way of a registrar to what other programs see of
// it.
func TestRegistrars(t *testing.T) {
	b := started(t)
	const tdes, rc4 = "NONE:+VERS-TLS1.0:+RSA:+SHA1:+COMP-NULL:+3DES-CBC", "NONE:+VERS-TLS1.0:+RSA:+SHA1:+COMP-NULL:+ARCFOUR-128"
	offers := [][2]string{{"openssl", "-tls1"}, {"openssl", "-tls1_2"}, {"openssl", "-tls1_3"}, {"gnutls", tdes}, {"gnutls", rc4}}
	for _, c := range []struct {
		now  Registrar
		want string
	}{
		{"", "yes yes no no no"}, {TLS10, "yes no no no no"}, {TLS12, "no yes no no no"}, {TLS13, "no no yes no no"},
		{TLS10TDES, "no no no yes no"}, {TLS10RC4, "no no no no yes"}, {Closed, "no no no no no"}, {Hangs, "no no no no no"},
		{ClosesHalf, "no no no no no"}, {SpeaksPlain, "no no no no no"}, {"", "yes yes no no no"},
	} {
		for host, port := range map[Host]int{Pool: 5061, Edge: 443} {
			must(t, b.SetRegistrar(t.Context(), host, c.now))
			var got []string
			for _, o := range offers {
				got = append(got, map[bool]string{true: "yes", false: "no"}[offered(t, b, host, port, o[0], o[1])])
			}
			if seen := strings.Join(got, " "); seen != c.want {
				t.Errorf("%s, %q: %s, want %s", host, c.now, seen, c.want)
			}
		}
	}
}

// TestRegisters: one who registers for a minute is bound, and who does so for no time is not.
func TestRegisters(t *testing.T) {
	b := started(t)
	must(t, b.SetSIP(t.Context(), Pool, SIP{Registers: true}))
	for _, expires := range []string{"60", "0"} {
		request := "REGISTER sip:fabrikam.com SIP/2.0\r\nVia: SIP/2.0/TLS 192.0.2.1:5;branch=z9hG4bK" + expires + "\r\nFrom: <sip:u" + expires +
			"@fabrikam.com>;tag=1\r\nTo: <sip:u" + expires + "@fabrikam.com>\r\nCall-ID: " + expires + "\r\nCSeq: 1 REGISTER\r\n" +
			"Contact: <sip:192.0.2.1:5>\r\nExpires: " + expires + "\r\nContent-Length: 0\r\n\r\n"
		cmd := b.Command(t.Context(), Pool, "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/5060; cat >&3; head -1 <&3")
		cmd.Stdin = strings.NewReader(request)
		if out, err := cmd.CombinedOutput(); err != nil || !strings.HasPrefix(string(out), "SIP/2.0 200") {
			t.Errorf("%v: %s", err, out)
		}
	}
	bound, err := b.Bound(Pool)
	must(t, err)
	if got := strings.Join(bound, ", "); got != "yes sip:u60@fabrikam.com, no sip:u0@fabrikam.com" {
		t.Error(got)
	}
	must(t, b.SetSIP(t.Context(), Pool, SIP{}))
}
