//go:build linux

package bed

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"time"
)

// The files of the bed's certification authority, beside the domain.
const (
	rootFile  = "root.pem"
	otherFile = "other.pem"
)

// certificateLife is how long the bed's certificates are valid, counted
// from when the cached domain was made.
const certificateLife = 10 * 365 * 24 * time.Hour

// authority is a certification authority of the bed.
type authority struct {
	root *x509.Certificate
	key  *rsa.PrivateKey
}

// newAuthority makes a root as a Windows 2003 enterprise CA made it: RSA
// with 2048 bits, signed by itself with SHA-1.
func newAuthority() (*authority, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: string(contosoCA)},
		NotBefore:             time.Now().Add(-24 * time.Hour),
		NotAfter:              time.Now().Add(certificateLife),
		SignatureAlgorithm:    x509.SHA1WithRSA,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	root, err := x509.ParseCertificate(der)
	return &authority{root: root, key: key}, err
}

// issue signs a server certificate for names, the first of which is its
// subject, and returns it in PEM.
func (a *authority) issue(names []string, key *rsa.PrivateKey, algorithm x509.SignatureAlgorithm) ([]byte, error) {
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		Subject:            pkix.Name{CommonName: names[0]},
		DNSNames:           names,
		NotBefore:          a.root.NotBefore,
		NotAfter:           a.root.NotAfter,
		SignatureAlgorithm: algorithm,
		KeyUsage:           x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage:        []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, a.root, &key.PublicKey, a.key)
	return inPEM("CERTIFICATE", der), err
}

func inPEM(label string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der})
}

// leafFile names the file of a server certificate.
func leafFile(host Host, modern bool) string {
	if modern {
		return string(host) + "-sha256.pem"
	}
	return string(host) + "-sha1.pem"
}

func keyFile(host Host) string {
	return string(host) + ".key"
}

// registrarName is the name by which phones find Pool inside and Edge outside.
const registrarName = "sip.fabrikam.com"

// certificateNames lists the names in a host's certificate. A phone that was
// never signed in asks both front ends for updates by the name ucupdates-r2.
func certificateNames(host Host) []string {
	switch host {
	case Pool:
		return []string{fullName(host), "ucupdates-r2." + adZone, registrarName}
	case FrontEnd2:
		return []string{fullName(host), "ucupdates-r2." + adZone}
	case Edge:
		return []string{registrarName}
	case ReverseProxy:
		return []string{proxyName}
	case Mail, MailOutside:
		return []string{autodiscoverName}
	}
	return []string{fullName(host)}
}

// makeCertificates writes the roots and the servers' keys and certificates
// to dir.
func makeCertificates(dir string) error {
	issuer, err := newAuthority()
	if err != nil {
		return err
	}
	other, err := newAuthority()
	if err != nil {
		return err
	}
	files := map[string][]byte{
		rootFile:  inPEM("CERTIFICATE", issuer.root.Raw),
		otherFile: inPEM("CERTIFICATE", other.root.Raw),
	}
	for _, host := range []Host{DC, DC2, Pool, FrontEnd2, ReverseProxy, Edge, Mail, MailOutside} {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return err
		}
		old, errOld := issuer.issue(certificateNames(host), key, x509.SHA1WithRSA)
		modern, errModern := issuer.issue(certificateNames(host), key, x509.SHA256WithRSA)
		if err := errors.Join(errOld, errModern); err != nil {
			return err
		}
		files[leafFile(host, false)] = old
		files[leafFile(host, true)] = modern
		files[keyFile(host)] = inPEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// readRoot reads a root in DER from one of the files of dir.
func readRoot(dir, name string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("bed: no PEM in " + filepath.Join(dir, name))
	}
	return block.Bytes, nil
}

// RootFile is the PEM file of the root that signed all servers'
// certificates and which the directory publishes by default: RSA, 2048 bits,
// signed by itself with SHA-1.
func (b *Bed) RootFile() string {
	return filepath.Join(b.dc.certificates(), rootFile)
}

// Root is the certificate of RootFile in DER.
func (b *Bed) Root() ([]byte, error) {
	return readRoot(b.dc.certificates(), rootFile)
}

// OtherRoot is the certificate, in DER, of another CA which has the same
// name as Root, another key, and signed nothing.
func (b *Bed) OtherRoot() ([]byte, error) {
	return readRoot(b.dc.certificates(), otherFile)
}
