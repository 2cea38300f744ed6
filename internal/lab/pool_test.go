package lab

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"slices"
	"testing"
	"time"
)

// askPool shakes hands by one version of TLS and says which certificate is served.
func askPool(t *testing.T, s *tcpServer, version uint16) string {
	t.Helper()
	conn, err := net.Dial("tcp", s.address.String())
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(ldapPatience)); err != nil {
		t.Error(err)
	}
	client := tls.Client(conn, &tls.Config{
		MinVersion: version, MaxVersion: version, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA},
		InsecureSkipVerify: true,
	})
	err = client.Handshake()
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "silence"
	case err != nil:
		return err.Error()
	}
	leaf := client.ConnectionState().PeerCertificates[0]
	if leaf.NotBefore.After(time.Now()) {
		return leaf.Subject.CommonName + " from " + leaf.NotBefore.Format("2006")
	}
	text := leaf.Subject.CommonName + " until " + leaf.NotAfter.Format("2006")
	if leaf.SignatureAlgorithm != x509.SHA1WithRSA {
		text += " by " + leaf.SignatureAlgorithm.String()
	}
	if leaf.Issuer.CommonName != "ContosoCA" {
		text += " of " + leaf.Issuer.CommonName
	}
	return text
}

// TestHealthyPool holds the certificates of the pool and the edge to what the oldest phones need: SHA-1, and the name
// that they ask for.
func TestHealthyPool(t *testing.T) {
	leaves, err := loadLeaves()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for leaf, c := range leaves {
		if slices.Contains([]poolLeaf{leafUnreadable, leafWildcard, leafSHA2}, poolLeaf(leaf)) {
			continue
		}
		parsed, err := x509.ParseCertificate(c.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		seen[parsed.SerialNumber.String()] = true
		if parsed.SignatureAlgorithm != x509.SHA1WithRSA {
			t.Errorf("certificate %d is signed by %s", leaf, parsed.SignatureAlgorithm)
		}
		others := []poolLeaf{leafWrongName, leafOfProxy, leafOfMail, leafOfForeignProxy, leafOfForeignMail}
		if named := slices.Contains(parsed.DNSNames, "sip.fabrikam.com"); named == slices.Contains(others, poolLeaf(leaf)) {
			t.Errorf("certificate %d is for %v", leaf, parsed.DNSNames)
		}
	}
	if len(seen) != int(poolLeaves)-3 {
		t.Errorf("%d different certificates, want %d", len(seen), poolLeaves-3)
	}
}
