package reach

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

const maxRootFile = 1 << 20

// verifiedTLS is the TLS of a connection to a server over which a password goes. Without roots its
// certificate is verified as a browser would. With roots it must lead to one of
// them, and old servers are met as they are: TLS 1.0, no forward secrecy, SHA-1 signatures.
func verifiedTLS(host string, roots []*x509.Certificate) *tls.Config {
	if roots == nil {
		return &tls.Config{ServerName: host}
	}
	return &tls.Config{
		ServerName:         host,
		MinVersion:         tls.VersionTLS10, // Windows 2003 and 2008 know nothing newer
		CipherSuites:       oldAndNewSuites(),
		InsecureSkipVerify: true, // crypto/x509 refuses SHA-1; VerifyConnection verifies instead
		VerifyConnection: func(state tls.ConnectionState) error {
			return verifyServer(state.PeerCertificates, host, roots, time.Now())
		},
	}
}

// verifiedBy is verifiedTLS with the roots of files; none of them is a browser's verification.
func verifiedBy(host string, rootFiles []string) (*tls.Config, error) {
	if rootFiles == nil {
		return verifiedTLS(host, nil), nil
	}
	roots, err := ReadRoots(rootFiles)
	if err != nil {
		return nil, problem(facts.CredentialUnusable, "the roots cannot be read: %v", err)
	}
	return verifiedTLS(host, roots), nil
}

// oldAndNewSuites are the cipher suites of today and those of servers as old as the phones.
func oldAndNewSuites() []uint16 {
	return []uint16{
		tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
		tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_256_CBC_SHA, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA,
	}
}

// observingTLS is the TLS of a connection over which nothing secret goes: what a server answers is seen,
// whatever certificate it has. No name is sent, as phones send none (CONTRACT section 4), and what phones may
// know at most is offered besides what is new, RC4 included.
func observingTLS() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS10,
		CipherSuites:       append(oldAndNewSuites(), tls.TLS_RSA_WITH_RC4_128_SHA),
		InsecureSkipVerify: true, // no judgement of trust is made here, and nothing is sent that it would protect
	}
}

// OnlyTLS is the TLS of a connection to the server that has this very certificate, whatever is in it.
func OnlyTLS(certificate *x509.Certificate) *tls.Config {
	return &tls.Config{
		InsecureSkipVerify: true, // the certificate itself is known
		VerifyConnection: func(state tls.ConnectionState) error {
			if !state.PeerCertificates[0].Equal(certificate) {
				return untrusted("another one is served")
			}
			return nil
		},
	}
}

// untrustedMark begins the error of a certificate that was looked at and not trusted: go-ldap's StartTLS
// hands on no more than the text of an error.
const untrustedMark = "certificate not trusted: "

func untrusted(format string, args ...any) error {
	return fmt.Errorf(untrustedMark+format, args...)
}

func verifyServer(served []*x509.Certificate, host string, roots []*x509.Certificate, now time.Time) error {
	if len(served) == 0 {
		return untrusted("none was served")
	}
	paths := phone.Chain{Served: served, Anchors: roots}.Walk(phone.SHA1TolerantRules(), now)
	if reason := paths[0].Reason(); reason != phone.Trusted {
		at := facts.CertificateOf(paths[0].Faults[0].About)
		return untrusted("%s: %s", at.Subject, reason)
	}
	switch phone.MatchName(served[0], host) {
	case phone.NameMismatch, phone.NameShadowed:
		return untrusted("%s is for another name than %s", facts.CertificateOf(served[0]).Subject, host)
	}
	return nil
}

// ReadRoots reads the certificates of PEM files.
func ReadRoots(paths []string) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for _, path := range paths {
		certificates, err := readRootFile(path)
		if err != nil {
			return nil, err
		}
		out = append(out, certificates...)
	}
	return out, nil
}

func readRootFile(path string) ([]*x509.Certificate, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxRootFile))
	if err != nil {
		return nil, err
	}
	var out []*x509.Certificate
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		out = append(out, c)
	}
	if out == nil {
		return nil, errors.New(path + " holds no certificate in PEM")
	}
	return out, nil
}
