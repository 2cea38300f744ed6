package facts

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/cx700/cx700_exporter/internal/phone"
)

func TestCertificateOfAuthorities(t *testing.T) {
	authorities := phone.Authorities()
	tests := []struct {
		of   *x509.Certificate
		want Certificate
	}{
		{authorities[0].Certificate, Certificate{
			SHA256:    "d7a7a0fb5d7e2731d771e9484ebcdef71d5f0c3e0a2948782bc83ee0ea699ef4",
			Subject:   "CN=AAA Certificate Services,O=Comodo CA Limited,L=Salford,ST=Greater Manchester,C=GB",
			Issuer:    "CN=AAA Certificate Services,O=Comodo CA Limited,L=Salford,ST=Greater Manchester,C=GB",
			Serial:    "1",
			NotBefore: time.Date(2004, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2028, 12, 31, 23, 59, 59, 0, time.UTC),
			KeyType: "RSA", KeyBits: 2048, SignatureAlgorithm: "SHA1-RSA", SelfSigned: true, CA: true,
		}},
		{authorities[8].Certificate, Certificate{
			SHA256:    "2930bd09a07126bdc17288d4f2ad84645ec948607907a97b5ed0b0b05879ef69",
			Subject:   `OU=Secure Server Certification Authority,O=RSA Data Security\, Inc.,C=US`,
			Issuer:    `OU=Secure Server Certification Authority,O=RSA Data Security\, Inc.,C=US`,
			Serial:    "2ad667e4e45fe5e576f3c98195eddc0",
			NotBefore: time.Date(1994, 11, 9, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2010, 1, 7, 23, 59, 59, 0, time.UTC),
			KeyType: "RSA", KeyBits: 1000, SignatureAlgorithm: "MD2-RSA", SelfSigned: true,
		}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, CertificateOf(tt.of)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.want.Subject, diff)
		}
	}
}

func attribute(value any, oid ...int) pkix.AttributeTypeAndValue {
	return pkix.AttributeTypeAndValue{Type: oid, Value: value}
}

// selfSigned makes a certificate with an arbitrary subject, as DER would bring it.
func selfSigned(t *testing.T, subject []pkix.AttributeTypeAndValue, dns []string, serial *big.Int) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var rdns pkix.RDNSequence
	for _, a := range subject {
		rdns = append(rdns, pkix.RelativeDistinguishedNameSET{a})
	}
	raw, err := asn1.Marshal(rdns)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{RawSubject: raw, SerialNumber: serial, DNSNames: dns}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestNamesOfCertificate(t *testing.T) {
	t61 := asn1.RawValue{Tag: asn1.TagT61String, Bytes: []byte("M\xfcller\xff")}
	tests := []struct {
		name    string
		subject []pkix.AttributeTypeAndValue
		want    string
	}{
		{"Active Directory", []pkix.AttributeTypeAndValue{
			attribute("com", 0, 9, 2342, 19200300, 100, 1, 25), attribute("contoso", 0, 9, 2342, 19200300, 100, 1, 25),
			attribute("Contoso Root", 2, 5, 4, 3),
		}, "CN=Contoso Root,DC=contoso,DC=com"},
		{"every short name", []pkix.AttributeTypeAndValue{
			attribute("1", 2, 5, 4, 5), attribute("DK", 2, 5, 4, 6), attribute("l", 2, 5, 4, 7), attribute("st", 2, 5, 4, 8),
			attribute("street", 2, 5, 4, 9), attribute("o", 2, 5, 4, 10), attribute("ou", 2, 5, 4, 11),
			attribute("a@b", 1, 2, 840, 113549, 1, 9, 1), attribute("t", 2, 5, 4, 12),
		}, "2.5.4.12=t,E=a@b,OU=ou,O=o,STREET=street,ST=st,L=l,C=DK,SERIALNUMBER=1"},
		{"special characters", []pkix.AttributeTypeAndValue{attribute(`a,b+c"d\e<f>g;h=i`, 2, 5, 4, 3)},
			`CN=a\,b\+c\"d\\e\<f\>g\;h\=i`},
		{"control characters", []pkix.AttributeTypeAndValue{attribute("a\nb\x00c\x1b[31m\u202egnp", 2, 5, 4, 3)},
			`CN=a\0Ab\00c\1B[31m\E2\80\AEgnp`},
		{"beyond ASCII", []pkix.AttributeTypeAndValue{attribute("Smørrebrød 電話", 2, 5, 4, 3)}, "CN=Smørrebrød 電話"},
		{"nothing", nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := CertificateOf(selfSigned(t, tt.subject, nil, big.NewInt(255)))
			if diff := cmp.Diff(tt.want, c.Subject); diff != "" {
				t.Errorf("subject (-want +got):\n%s", diff)
			}
			if c.Serial != "ff" || c.Issuer != c.Subject || !c.SelfSigned || c.KeyType != "ECDSA" || c.KeyBits != 256 {
				t.Errorf("%+v", c)
			}
		})
	}
	safe(t, CertificateOf(selfSigned(t, []pkix.AttributeTypeAndValue{attribute(t61, 2, 5, 4, 3)}, nil, big.NewInt(1))).Subject)
	safe(t, distinguishedName(pkix.Name{Names: []pkix.AttributeTypeAndValue{attribute("a\xff\xfeb", 2, 5, 4, 3)}}))
}

// safe tells whether a text may be a label value.
func safe(t *testing.T, text string) {
	t.Helper()
	unsafe := func(r rune) bool { return !unicode.IsPrint(r) && r != unicode.ReplacementChar }
	if len(text) > maxText+len("…") || !utf8.ValidString(text) || strings.ContainsFunc(text, unsafe) {
		t.Errorf("%d bytes: %q", len(text), text)
	}
}

func TestCertificateIsBounded(t *testing.T) {
	var long []pkix.AttributeTypeAndValue
	for range 300 {
		long = append(long, attribute("short", 2, 5, 4, 11))
	}
	manyNames := make([]string, 500)
	for i := range manyNames {
		manyNames[i] = strings.Repeat("a.", 5000)
	}
	serial := new(big.Int).Lsh(big.NewInt(1), 8000)
	for name, subject := range map[string][]pkix.AttributeTypeAndValue{
		"10 kB":             {attribute(strings.Repeat("x", 10_000), 2, 5, 4, 3)},
		"10 kB of wide":     {attribute(strings.Repeat("電", 3_000), 2, 5, 4, 3)},
		"10 kB of controls": {attribute(strings.Repeat("\x01", 10_000), 2, 5, 4, 3)},
		"many parts":        long,
	} {
		c := CertificateOf(selfSigned(t, subject, manyNames, serial))
		if !strings.HasSuffix(c.Subject, "…") {
			t.Errorf("%s: the cut is not marked: %q", name, c.Subject)
		}
		if len(c.DNSNames) != maxDNSNames {
			t.Errorf("%d DNS names, want %d", len(c.DNSNames), maxDNSNames)
		}
		for _, text := range append(c.DNSNames, c.Subject, c.Issuer, c.Serial) {
			safe(t, text)
		}
	}
}

func TestKeyOf(t *testing.T) {
	tests := []struct {
		key  any
		want string
		bits int
	}{
		{phone.Authorities()[8].Certificate.PublicKey, "RSA", 1000},
		{&ecdsa.PublicKey{Curve: elliptic.P384()}, "ECDSA", 384},
		{make(ed25519.PublicKey, ed25519.PublicKeySize), "Ed25519", 256},
		{nil, "unknown", 0},
	}
	for _, tt := range tests {
		if got, bits := keyOf(&x509.Certificate{PublicKey: tt.key}); got != tt.want || bits != tt.bits {
			t.Errorf("%s of %d bits, want %s of %d", got, bits, tt.want, tt.bits)
		}
	}
}

// FuzzCertificateOf reads whatever crypto/x509 takes for a certificate.
func FuzzCertificateOf(f *testing.F) {
	for _, a := range phone.Authorities() {
		f.Add(a.Certificate.Raw)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return
		}
		got := CertificateOf(c)
		for _, text := range append(got.DNSNames, got.Subject, got.Issuer, got.Serial, got.SignatureAlgorithm) {
			safe(t, text)
		}
	})
}
