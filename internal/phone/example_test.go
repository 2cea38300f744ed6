package phone_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"time"

	"github.com/cx700/cx700_exporter/internal/certtest"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// verifyDirectory is what a client of LDAPS gives to crypto/tls, which by itself refuses every
// certificate that is signed with SHA-1. The roots are those of the site.
func verifyDirectory(host string, roots []*x509.Certificate, now func() time.Time) *tls.Config {
	return &tls.Config{
		ServerName:         host,
		InsecureSkipVerify: true, // VerifyConnection verifies instead
		VerifyConnection: func(state tls.ConnectionState) error {
			leaf := state.PeerCertificates[0]
			match := phone.MatchName(leaf, host)
			if match != phone.NameInSAN && match != phone.NameInCN {
				return fmt.Errorf("certificate of %s: %s", leaf.Subject, match)
			}
			chain := phone.Chain{Served: state.PeerCertificates, Anchors: roots}
			if best := chain.Walk(phone.SHA1TolerantRules(), now())[0]; best.Reason() != phone.Trusted {
				return fmt.Errorf("certificate of %s: %s", leaf.Subject, best.Reason())
			}
			return nil
		},
	}
}

// A domain controller serves a certificate that its enterprise authority signed with SHA-1.
func ExampleChain_Walk() {
	now := func() time.Time { return time.Date(2010, 7, 1, 0, 0, 0, 0, time.UTC) }
	root, rootKey := create("Contoso Root", nil, nil)
	leaf, key := create("dc01.contoso.com", root, rootKey)
	other, _ := create("Other Root", nil, nil)
	server := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}}}

	roots := []*x509.Certificate{root}
	fmt.Println("with its root:", handshake(server, verifyDirectory("dc01.contoso.com", roots, now)))
	fmt.Println("as another host:", handshake(server, verifyDirectory("dc02.contoso.com", roots, now)))
	roots = []*x509.Certificate{other}
	fmt.Println("with another root:", handshake(server, verifyDirectory("dc01.contoso.com", roots, now)))
	var insecure *tls.CertificateVerificationError
	pool := x509.NewCertPool()
	pool.AddCert(root)
	err := handshake(server, &tls.Config{ServerName: "dc01.contoso.com", RootCAs: pool, Time: now})
	fmt.Println("crypto/tls refuses it:", errors.As(err, &insecure))
	// Output:
	// with its root: <nil>
	// as another host: certificate of CN=dc01.contoso.com: mismatch
	// with another root: certificate of CN=dc01.contoso.com: unknown_root
	// crypto/tls refuses it: true
}

// handshake returns the client's error.
func handshake(server, client *tls.Config) error {
	far, near := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = tls.Server(far, server).Handshake() // the client's side is the one looked at
		far.Close()
	}()
	err := tls.Client(near, client).Handshake()
	near.Close()
	<-done
	return err
}

func create(name string, issuer *x509.Certificate, issuerKey *rsa.PrivateKey) (*x509.Certificate, *rsa.PrivateKey) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, SerialNumber: big.NewInt(1), SignatureAlgorithm: x509.SHA1WithRSA,
		NotBefore: time.Date(2009, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2014, 1, 1, 0, 0, 0, 0, time.UTC),
		BasicConstraintsValid: true, IsCA: issuer == nil,
	}
	if issuer == nil {
		issuer, issuerKey = template, key
	} else {
		template.DNSNames = []string{name}
	}
	c, err := certtest.Create(template, issuer, &key.PublicKey, issuerKey)
	if err != nil {
		panic(err)
	}
	return c, key
}
