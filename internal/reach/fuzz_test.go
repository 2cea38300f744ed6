package reach

import (
	"bytes"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-ldap/ldap/v3"

	"github.com/cx700/cx700_exporter/internal/facts"
)

// FuzzVetKDCMessage: whatever a KDC sends, it is vetted without a panic, and what is refused has a reason of the closed set.
func FuzzVetKDCMessage(f *testing.F) {
	f.Add(krbError(25, "", wants(18, 0, 0, 0x10, 0)))
	f.Add(krbError(25, "", wants(23)))
	f.Add([]byte(strings.Repeat("\x30\x80", 100)))
	f.Add([]byte("\x6b\x84\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, message []byte) {
		if err := vetKDCMessage(message); err != nil {
			if kind := kindOf(t, err); kind != facts.KerberosRC4 && kind != facts.KerberosUnavailable {
				t.Errorf("%s: %v", kind, err)
			}
		}
		framed := append([]byte{0, 0, byte(len(message) >> 8), byte(len(message))}, message...)
		if out, err := readKDCMessage(bytes.NewReader(framed)); err == nil && len(out) > maxKDCMessage+headLength {
			t.Errorf("%d bytes were read", len(out))
		}
	})
}

// FuzzSchemesOf: what a server offers for a logon stays short and plain.
func FuzzSchemesOf(f *testing.F) {
	f.Add(`Negotiate, NTLM, Basic realm="a, b"`)
	f.Add("NTLM TlRMTVNTUAAC")
	f.Fuzz(func(t *testing.T, header string) {
		got := schemesOf([]string{header, header})
		if len(got) > maxSchemes {
			t.Errorf("%d schemes", len(got))
		}
		for _, s := range got {
			if !schemeForm.MatchString(s) {
				t.Errorf("%q", s)
			}
		}
	})
}

// challenging is a web server that answers every request with one challenge.
type challenging []byte

func (c challenging) RoundTrip(request *http.Request) (*http.Response, error) {
	header := http.Header{"Www-Authenticate": {schemeNTLM}}
	if request.Header.Get("Authorization") != "" {
		header.Set("Www-Authenticate", schemeNTLM+" "+base64.StdEncoding.EncodeToString(c))
	}
	return &http.Response{
		StatusCode: http.StatusUnauthorized, Header: header, Body: io.NopCloser(strings.NewReader("")), Request: request, ProtoMajor: 1, ProtoMinor: 1,
	}, nil
}

// FuzzNTLMChallenge: no challenge makes a logon panic, or succeed.
func FuzzNTLMChallenge(f *testing.F) {
	f.Add([]byte("NTLMSSP\x00\x02\x00\x00\x00"))
	f.Add(append([]byte("NTLMSSP\x00\x02\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\x05\x82\x89\xa2"), make([]byte, 40)...))
	at := netip.MustParseAddrPort("192.0.2.5:443")
	f.Fuzz(func(t *testing.T, challenge []byte) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://pool01.contoso.com/", nil)
		if err != nil {
			t.Fatal(err)
		}
		var l facts.Logon
		err = ntlm(challenging(challenge), request, "reader@contoso.com", Secret{Password: planted}, at, &l, func(by http.RoundTripper) facts.WebAnswer {
			return exchange(by, request, at, func(*http.Response, *facts.WebAnswer) error { return nil })
		})
		if err == nil {
			t.Error("logged on")
		} else if strings.Contains(err.Error(), planted) {
			t.Error("the password is in the error")
		}
	})
}

// FuzzLDAP: what a controller sends for a rootDSE is read without a panic, and what is kept of it is fit for a label.
func FuzzLDAP(f *testing.F) {
	f.Add(append(entryOf(1, "", [2]string{"configurationNamingContext", "CN=Configuration,DC=contoso,DC=com"}), done(1, 0)...))
	f.Add([]byte(strings.Repeat("\x30\x80", 200)))
	f.Add([]byte("\x30\x84\x40\x00\x00\x00"))
	boundLDAP()
	f.Fuzz(func(t *testing.T, answer []byte) {
		client, server := net.Pipe()
		go func() {
			buffer := make([]byte, 4<<10)
			if _, err := server.Read(buffer); err == nil {
				_, _ = server.Write(answer)
			}
			server.Close()
		}()
		noted := &notedConn{Conn: client}
		noted.granted.Store(maxAnswer)
		s := &session{noted: noted, conn: ldap.NewConn(noted, false)}
		s.conn.Start()
		defer s.close()
		err := s.readRootDSE(t.Context())
		if err == nil && !cleanName(s.rootDSE.ConfigurationNC) {
			t.Errorf("kept: %q", s.rootDSE.ConfigurationNC)
		}
		if err != nil && !utf8.ValidString(err.Error()) {
			t.Errorf("%q", err)
		}
		realmOf(s.rootDSE.DefaultNC)
	})
}

// FuzzRootFile: a file of roots gives certificates or an error.
func FuzzRootFile(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"))
	f.Add([]byte("no PEM"))
	path := filepath.Join(f.TempDir(), "roots.pem")
	f.Fuzz(func(t *testing.T, content []byte) {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if found, err := readRootFile(path); (err == nil) != (len(found) > 0) {
			t.Errorf("%d certificates, %v", len(found), err)
		}
	})
}
