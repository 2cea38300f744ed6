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
