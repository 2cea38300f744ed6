// Command pki makes the certificates of the lab, which are checked in beside it so that a lab starts
// without making keys. Run "go generate ./internal/lab" to make all of them anew.
//
// Nothing here is secret. The keys of the servers and of the CA's subordinate are public with the rest, so no certificate
// of this CA proves anything: never trust ContosoCA outside the lab. The roots' own keys are thrown away.
package main

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// keyBits is the length of most keys in the phone's built-in list (CONTRACT.md, section 3).
const keyBits = 2048

// Dates before 2050 are written as UTCTime (RFC 5280 section 4.1.2.5), which old readers need.
const firstYear, lastYear = 2007, 2049

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "pki: give it the folder to write to")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "pki:", err)
		os.Exit(1)
	}
}

func run(folder string) error {
	root, rootKey, err := authority("ContosoCA")
	if err != nil {
		return err
	}
	other, otherKey, err := authority("Another ContosoCA")
	if err != nil {
		return err
	}
	controller, controllerKey, err := server("dc01.contoso.com", root, rootKey)
	if err != nil {
		return err
	}
	second, secondKey, err := server("dc02.contoso.com", root, rootKey)
	if err != nil {
		return err
	}
	issuing, issuingKey, err := issuer(root, rootKey)
	if err != nil {
		return err
	}
	chain, err := certificatesOnly(root.Raw)
	if err != nil {
		return err
	}
	files, err := registrars(root, rootKey, other, otherKey)
	if err != nil {
		return err
	}
	maps.Copy(files, map[string][]byte{
		"root.cer":    root.Raw,
		"other.cer":   other.Raw,
		"dc01.pem":    armoured("CERTIFICATE", controller.Raw),
		"dc01.key":    publicKey(controllerKey),
		"dc02.pem":    armoured("CERTIFICATE", second.Raw),
		"dc02.key":    publicKey(secondKey),
		"issuing.pem": armoured("CERTIFICATE", issuing.Raw),
		"issuing.key": publicKey(issuingKey),
		"certnew.p7b": bytes.ReplaceAll(armoured("CERTIFICATE", chain), []byte("\n"), []byte("\r\n")),
	})
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// authority makes a root as a CA of 2007 signed itself, with SHA-1.
func authority(name string) (*x509.Certificate, *rsa.PrivateKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               subject(name),
		NotBefore:             time.Date(firstYear, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:              time.Date(lastYear, 12, 31, 0, 0, 0, 0, time.UTC),
		SignatureAlgorithm:    x509.SHA1WithRSA,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	return sign(template, template, key, key)
}

// issuer makes a subordinate of the CA, by which a running lab signs what must end soon.
func issuer(root *x509.Certificate, rootKey *rsa.PrivateKey) (*x509.Certificate, []byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: subject("ContosoIssuingCA"), NotBefore: root.NotBefore, NotAfter: root.NotAfter,
		SignatureAlgorithm: x509.SHA1WithRSA, KeyUsage: root.KeyUsage,
		BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
	}
	certificate, _, err := sign(template, root, key, rootKey)
	if err != nil {
		return nil, nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	return certificate, pkcs8, err
}

// server makes a server's certificate. It is signed with SHA-256, so that modern rules accept it.
func server(name string, root *x509.Certificate, rootKey *rsa.PrivateKey) (*x509.Certificate, []byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, nil, err
	}
	template := ofServer(root, 2, name)
	template.SignatureAlgorithm = x509.SHA256WithRSA
	certificate, _, err := sign(template, root, key, rootKey)
	if err != nil {
		return nil, nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	return certificate, pkcs8, err
}

// registrars makes the certificates of the pool's members, of the Access Edge, of the reverse proxy and of Exchange,
// with one key. They are signed with SHA-1, since the oldest phones know nothing newer (CONTRACT.md, section 4). Those
// that are foreign come from another CA.
func registrars(root *x509.Certificate, rootKey *rsa.PrivateKey, other *x509.Certificate, otherKey *rsa.PrivateKey) (map[string][]byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{"pool.key": publicKey(pkcs8)}
	for i, name := range []string{
		"pool.pem", "fe02.pem", "edge.pem", "expired.pem", "wrongname.pem", "ocsrp.pem", "mail.pem", "foreignmail.pem", "foreignocsrp.pem",
		"foreignpool.pem", "wildcard.pem", "sha2.pem",
	} {
		names := []string{"pool01.contoso.com", "sip.fabrikam.com"}
		switch name {
		case "edge.pem":
			names = []string{"sip.fabrikam.com"}
		case "wrongname.pem":
			names = []string{"pool99.contoso.com"}
		case "wildcard.pem":
			names = []string{"*.fabrikam.com", "*.contoso.com"}
		case "ocsrp.pem", "foreignocsrp.pem":
			names = []string{"ocsrp.fabrikam.com"}
		case "mail.pem", "foreignmail.pem":
			names = []string{"autodiscover.fabrikam.com"}
		}
		issuer, issuerKey := root, rootKey
		if strings.HasPrefix(name, "foreign") {
			issuer, issuerKey = other, otherKey
		}
		template := ofServer(issuer, int64(3+i), names...)
		if name == "expired.pem" {
			template.NotAfter = time.Date(2009, 12, 31, 0, 0, 0, 0, time.UTC)
		}
		if name == "sha2.pem" {
			template.SignatureAlgorithm = x509.SHA256WithRSA
		}
		certificate, _, err := sign(template, issuer, key, issuerKey)
		if err != nil {
			return nil, err
		}
		files[name] = armoured("CERTIFICATE", certificate.Raw)
	}
	return files, nil
}

// ofServer is a server's certificate to sign, with SHA-1; the first name is its subject.
func ofServer(root *x509.Certificate, serial int64, names ...string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber:       big.NewInt(serial),
		Subject:            pkix.Name{CommonName: names[0]},
		DNSNames:           names,
		NotBefore:          root.NotBefore,
		NotAfter:           root.NotAfter,
		SignatureAlgorithm: x509.SHA1WithRSA,
		KeyUsage:           x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage:        []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
}

func sign(template, parent *x509.Certificate, key, parentKey *rsa.PrivateKey) (*x509.Certificate, *rsa.PrivateKey, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
	if err != nil {
		return nil, nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	return certificate, key, err
}

// subject is a name as AD CS gives it to a CA: below the domain.
func subject(name string) pkix.Name {
	domainComponent := asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 25}
	return pkix.Name{ExtraNames: []pkix.AttributeTypeAndValue{
		{Type: domainComponent, Value: "com"},
		{Type: domainComponent, Value: "contoso"},
		{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: name},
	}}
}

// certificatesOnly wraps certificates as PKCS#7 signed data without a signer (RFC 2315 section 9).
func certificatesOnly(certificates []byte) ([]byte, error) {
	type contentInfo struct {
		Type asn1.ObjectIdentifier
	}
	data := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	signed, err := asn1.Marshal(struct {
		Version      int
		Digests      []asn1.RawValue `asn1:"set"`
		Content      contentInfo
		Certificates asn1.RawValue
		Signers      []asn1.RawValue `asn1:"set"`
	}{
		Version:      1,
		Content:      contentInfo{data},
		Certificates: asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: certificates},
	})
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue
	}{
		Type:    asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2},
		Content: asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: signed},
	})
}

// publicKey is a server's private key, which is no secret.
func publicKey(pkcs8 []byte) []byte {
	return append([]byte("A key of the lab, public and no secret.\n"), armoured("PRIVATE KEY", pkcs8)...)
}

func armoured(label string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der})
}
