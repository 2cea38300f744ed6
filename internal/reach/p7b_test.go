package reach

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	rootCN    = "Contoso Root CA"
	issuingCN = "Contoso Issuing CA"
)

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", "chain", name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestParseChain(t *testing.T) {
	both := []string{issuingCN, rootCN}
	for _, c := range []struct {
		name    string
		content []byte
		want    []string
	}{
		{"PKCS7", fixture(t, "pkcs7.pem"), both},
		{"PKCS #7 SIGNED DATA", fixture(t, "pkcs7_signed_data.pem"), both},
		{"PKCS#7 as CERTIFICATE, CRLF", fixture(t, "pkcs7_as_certificate_crlf.pem"), both},
		{"no armour, CRLF", fixture(t, "pkcs7_no_armour.txt"), both},
		{"DER", fixture(t, "pkcs7.der"), both},
		{"one certificate in PEM", fixture(t, "certificate.pem"), []string{rootCN}},
		{"one certificate in DER", fixture(t, "certificate.der"), []string{rootCN}},
		{"certificates in PEM, one twice", fixture(t, "certificates_repeated.pem"), both},
		{"byte order mark", append([]byte("\xef\xbb\xbf"), fixture(t, "pkcs7.pem")...), both},
		{"text before the armour", append([]byte("subject=x\n"), fixture(t, "certificate.pem")...), []string{rootCN}},
	} {
		t.Run(c.name, func(t *testing.T) {
			found, err := parseChain(c.content)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, certificate := range found {
				got = append(got, certificate.Subject.CommonName)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("certificates (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseChainRefuses(t *testing.T) {
	der := fixture(t, "pkcs7.der")
	for _, c := range []struct{ name, content, want string }{
		{"nothing", "", "nothing"},
		{"blanks", " \r\n", "nothing"},
		{"HTML", string(fixture(t, "page.html")), "HTML"},
		{"PKCS#7 without a certificate", string(fixture(t, "empty_pkcs7.pem")), "without a certificate"},
		{"cut DER", string(der[:len(der)-9]), "neither PKCS#7 nor a certificate"},
		{"garbage", "not a chain!", "neither PEM nor base64"},
		{"base64 of garbage", "bm90IGEgY2hhaW4h", "neither PKCS#7 nor a certificate"},
		{"a key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "PEM without a certificate"},
		{"data, not signed data", "\x30\x0f\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01\xa0\x02\x04\x00", "neither PKCS#7 nor a certificate"},
		{"lengths that overlap", nested(64), "neither PKCS#7 nor a certificate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			found, err := parseChain([]byte(c.content))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%d certificates, error %v, want one with %q", len(found), err, c.want)
			}
		})
	}
}

// nested makes values whose lengths reach beyond those around them, in which parsers of BER lose
// themselves.
func nested(levels int) string {
	var out []byte
	for range levels {
		out = append([]byte{derSequence, 2, derSequence, byte(min(len(out), 127))}, out...)
	}
	return string(append([]byte{derSequence, byte(min(len(out), 127))}, out...))
}

func TestParseChainIsBounded(t *testing.T) {
	content := bytes.Repeat(fixture(t, "certificates_repeated.pem"), 200)
	found, err := parseChain(content)
	if err != nil || len(found) != 2 {
		t.Errorf("%d certificates, error %v, want each of the two once", len(found), err)
	}
}

func FuzzParseChain(f *testing.F) {
	files, err := os.ReadDir(filepath.Join("testdata", "chain"))
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		f.Add(fixture(f, file.Name()))
	}
	f.Add([]byte(nested(24)))
	f.Fuzz(func(t *testing.T, content []byte) {
		found, err := parseChain(content)
		if (err == nil) != (len(found) > 0) || len(found) > maxChain {
			t.Errorf("%d certificates, error %v", len(found), err)
		}
	})
}
