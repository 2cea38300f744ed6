package facts

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cx700/cx700_exporter/internal/phone"
)

// Certificate is what one certificate says of itself. Its texts are safe to print and to use as label
// values: valid UTF-8, without control characters, of bounded length.
type Certificate struct {
	// SHA256 is the fingerprint of the whole certificate, 64 hexadecimal digits in lower case.
	SHA256 string
	// Subject and Issuer are written like RFC 2253, the most particular part first.
	Subject, Issuer string
	// Serial is in hexadecimal.
	Serial              string
	NotBefore, NotAfter time.Time
	// KeyType is RSA, ECDSA, Ed25519 or unknown.
	KeyType string
	// KeyBits is 0 for an unknown type.
	KeyBits int
	// SignatureAlgorithm is for example SHA1-RSA; an object identifier where it has no name.
	SignatureAlgorithm string
	// SelfSigned tells that it is signed with its own key.
	SelfSigned bool
	// CA tells that its basic constraints say so. Roots of version 1 have none.
	CA bool
	// DNSNames are its subject alternative names of that kind, the first hundred.
	DNSNames []string
}

// Shown is what a server showed of itself over TLS, its own certificate first.
type Shown struct {
	Address netip.AddrPort
	Served  []*x509.Certificate
}

// The limits of a certificate's texts: a hostile one may hold megabytes.
const (
	maxText     = 256 // bytes, before the ellipsis
	maxDNSNames = 100
)

// CertificateOf reads the facts of a certificate.
func CertificateOf(c *x509.Certificate) Certificate {
	sum := sha256.Sum256(c.Raw)
	keyType, bits := keyOf(c)
	out := Certificate{
		SHA256:             hex.EncodeToString(sum[:]),
		Subject:            Subject(c),
		Issuer:             Issuer(c),
		Serial:             bounded(c.SerialNumber.Text(16)),
		NotBefore:          c.NotBefore,
		NotAfter:           c.NotAfter,
		KeyType:            keyType,
		KeyBits:            bits,
		SignatureAlgorithm: bounded(phone.SignatureName(c)),
		SelfSigned:         phone.SelfSigned(c),
		CA:                 c.BasicConstraintsValid && c.IsCA,
	}
	for _, name := range c.DNSNames[:min(len(c.DNSNames), maxDNSNames)] {
		out.DNSNames = append(out.DNSNames, bounded(escape(name, "")))
	}
	return out
}

// Subject is the subject of a certificate as CertificateOf writes it.
func Subject(c *x509.Certificate) string { return distinguishedName(c.Subject) }

// Issuer is the issuer of a certificate as CertificateOf writes it.
func Issuer(c *x509.Certificate) string { return distinguishedName(c.Issuer) }

func keyOf(c *x509.Certificate) (keyType string, bits int) {
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		return "RSA", key.N.BitLen()
	case *ecdsa.PublicKey:
		return "ECDSA", key.Curve.Params().BitSize
	case ed25519.PublicKey:
		return "Ed25519", len(key) * 8
	default:
		return "unknown", 0
	}
}

// distinguishedName writes a name like RFC 2253. pkix.Name has a method for that, but it writes the
// domain components, of which names in Active Directory are made, in hexadecimal.
func distinguishedName(n pkix.Name) string {
	var b strings.Builder
	for i := len(n.Names) - 1; i >= 0 && b.Len() <= maxText; i-- {
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(attributeName(n.Names[i].Type) + "=" + escape(fmt.Sprint(n.Names[i].Value), `,+"\<>;=`))
	}
	return bounded(b.String())
}

// attributeName gives the short names of RFC 2253 section 2.3, and E as Windows writes it.
func attributeName(oid asn1.ObjectIdentifier) string {
	switch oid.String() {
	case "2.5.4.3":
		return "CN"
	case "2.5.4.5":
		return "SERIALNUMBER"
	case "2.5.4.6":
		return "C"
	case "2.5.4.7":
		return "L"
	case "2.5.4.8":
		return "ST"
	case "2.5.4.9":
		return "STREET"
	case "2.5.4.10":
		return "O"
	case "2.5.4.11":
		return "OU"
	case "0.9.2342.19200300.100.1.25":
		return "DC"
	case "1.2.840.113549.1.9.1":
		return "E"
	default:
		return oid.String()
	}
}

// escape writes the special characters behind a backslash and what cannot be printed as a backslash
// and two hexadecimal digits a byte (RFC 2253 section 2.4). What bounded cuts off anyway is left out.
func escape(s, special string) string {
	var b strings.Builder
	for _, r := range s[:min(len(s), maxText+1)] {
		switch {
		case r == unicode.ReplacementChar: // also what is no UTF-8
			b.WriteRune(r)
		case strings.ContainsRune(special, r):
			b.WriteString(`\` + string(r))
		case !unicode.IsPrint(r):
			for _, c := range []byte(string(r)) {
				fmt.Fprintf(&b, `\%02X`, c)
			}
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// bounded cuts a text at the limit, between two characters, and marks the cut with an ellipsis.
func bounded(s string) string {
	if len(s) <= maxText {
		return s
	}
	cut := maxText
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
