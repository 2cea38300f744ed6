package lab

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"time"
)

type poolMode int

const (
	poolHealthy poolMode = iota
	poolHardened
	poolPhoneOnly
	poolHangs
	poolPlainText
	poolCloses
	poolWantsCertificate
	poolBabbles
	poolOld
	poolBetween
)

type poolLeaf int

// The certificates with which a registrar may answer.
const (
	leafOfPool poolLeaf = iota
	leafOfFrontEnd
	leafOfEdge
	leafExpired
	leafWrongName
	leafOfProxy
	leafOfMail
	// leafEarly begins in 2048, leafUnreadable is no certificate at all.
	leafEarly
	leafUnreadable
	leafOfForeignProxy
	leafOfForeignMail
	leafOfForeignPool
	leafWildcard
	leafSHA2
	// leafEndsSoon is of the CA's subordinate, and ends ten days after the lab's start.
	leafEndsSoon
	poolLeaves
)

// poolState is how a registrar behaves.
type poolState struct {
	mode poolMode
	leaf poolLeaf
	sip  sipState
}

// loadLeaves reads the certificates of all but the domain controller, which share a key.
func loadLeaves() (out [poolLeaves]tls.Certificate, err error) {
	for leaf, certificate := range map[poolLeaf][]byte{
		leafOfPool: poolCertificate, leafOfFrontEnd: frontEndCertificate, leafOfEdge: edgeCertificate,
		leafExpired: expiredCertificate, leafWrongName: wrongNameCertificate, leafOfProxy: proxyCertificate, leafOfMail: mailCertificate,
		leafOfForeignProxy: foreignProxyCertificate, leafOfForeignMail: foreignMailCertificate,
		leafOfForeignPool: foreignPoolCertificate, leafWildcard: wildcardCertificate, leafSHA2: sha2Certificate,
	} {
		if out[leaf], err = tls.X509KeyPair(certificate, poolKey); err != nil {
			return out, err
		}
	}
	out[leafUnreadable] = tls.Certificate{Certificate: [][]byte{[]byte("no certificate")}, PrivateKey: out[leafOfPool].PrivateKey}
	var errEarly, errSoon error
	out[leafEarly], errEarly = early(out[leafOfPool])
	out[leafEndsSoon], errSoon = endsSoon(out[leafOfPool])
	return out, errors.Join(errEarly, errSoon)
}

// endsIn is how long what ends soon is valid from the lab's start on.
const endsIn = 10 * 24 * time.Hour

// endsSoon is a certificate that ends soon, from the CA's subordinate, with which it is served.
func endsSoon(of tls.Certificate) (tls.Certificate, error) {
	issuer, err := tls.X509KeyPair(issuingCertificate, issuingKey)
	if err != nil {
		return tls.Certificate{}, err
	}
	key := of.PrivateKey.(*rsa.PrivateKey)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2049), Subject: of.Leaf.Subject, DNSNames: of.Leaf.DNSNames, SignatureAlgorithm: x509.SHA1WithRSA,
		NotBefore: of.Leaf.NotBefore, NotAfter: time.Now().Add(endsIn), KeyUsage: of.Leaf.KeyUsage, ExtKeyUsage: of.Leaf.ExtKeyUsage,
	}, issuer.Leaf, &key.PublicKey, issuer.PrivateKey)
	return tls.Certificate{Certificate: [][]byte{der, issuer.Leaf.Raw}, PrivateKey: key}, err
}

// early is a certificate signed by itself that is not valid yet, since the CA's own key is thrown away.
func early(of tls.Certificate) (tls.Certificate, error) {
	key := of.PrivateKey.(*rsa.PrivateKey)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2048), Subject: of.Leaf.Subject, DNSNames: of.Leaf.DNSNames, SignatureAlgorithm: x509.SHA1WithRSA,
		NotBefore: time.Date(2048, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: of.Leaf.NotAfter,
	}, of.Leaf, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// secure is the TLS of a registrar: when it is healthy, what a patched Windows 2003 or 2008 speaks, and TLS 1.2.
func (s poolState) secure(leaves *[poolLeaves]tls.Certificate) *tls.Config {
	config := &tls.Config{
		Certificates: []tls.Certificate{leaves[s.leaf]}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS12,
		CipherSuites: []uint16{
			tls.TLS_RSA_WITH_RC4_128_SHA, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA, tls.TLS_RSA_WITH_AES_128_CBC_SHA,
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		},
	}
	switch s.mode {
	case poolHardened:
		config.MinVersion = tls.VersionTLS12
	case poolPhoneOnly:
		config.MaxVersion = tls.VersionTLS10
	case poolBetween:
		config.MinVersion, config.MaxVersion = tls.VersionTLS11, tls.VersionTLS11
	case poolWantsCertificate:
		config.ClientAuth = tls.RequireAnyClientCert
	}
	return config
}

// startPool starts a registrar.
func startPool(leaves *[poolLeaves]tls.Certificate, current func() poolState) (*tcpServer, error) {
	return startTCP(func(conn net.Conn) { current().serve(conn, leaves) })
}

// serve serves one connection. A client that is gone is no concern of the lab's.
func (s poolState) serve(conn net.Conn, leaves *[poolLeaves]tls.Certificate) {
	switch s.mode {
	case poolHangs:
		_, _ = io.Copy(io.Discard, conn)
	case poolPlainText:
		_, _ = conn.Read(make([]byte, 1))
		_, _ = io.WriteString(conn, "SIP/2.0 400 Bad Request\r\n\r\n")
		_, _ = io.Copy(io.Discard, conn)
	case poolBabbles: // a message of no type that there is
		_, _ = conn.Read(make([]byte, 1))
		_, _ = io.WriteString(conn, "\x16\x03\x01\x00\x04\xff\x00\x00\x00")
		_, _ = io.Copy(io.Discard, conn)
	case poolOld: // a ServerHello of SSL 3.0 (RFC 6101 section 5.6.1.3) for RC4 with SHA
		_, _ = conn.Read(make([]byte, 1))
		_, _ = io.WriteString(conn, "\x16\x03\x00\x00\x2a\x02\x00\x00\x26\x03\x00"+strings.Repeat("r", 32)+"\x00\x00\x05\x00")
		_, _ = io.Copy(io.Discard, conn)
	case poolCloses:
		_, _ = conn.Read(make([]byte, maxRequest))
	default:
		server := tls.Server(conn, s.secure(leaves))
		if server.Handshake() == nil {
			s.sip.register(server)
		}
	}
}
