package lab

import (
	"crypto/tls"
	"io"
	"net"
)

type poolMode int

const (
	poolHealthy poolMode = iota
	poolHardened
	poolPhoneOnly
	poolHangs
	poolPlainText
	poolCloses
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
	poolLeaves
)

// poolState is how a registrar behaves.
type poolState struct {
	mode poolMode
	leaf poolLeaf
	sip  sipMode
}

// loadLeaves reads the certificates of all but the domain controller, which share a key.
func loadLeaves() (out [poolLeaves]tls.Certificate, err error) {
	for leaf, certificate := range map[poolLeaf][]byte{
		leafOfPool: poolCertificate, leafOfFrontEnd: frontEndCertificate, leafOfEdge: edgeCertificate,
		leafExpired: expiredCertificate, leafWrongName: wrongNameCertificate, leafOfProxy: proxyCertificate, leafOfMail: mailCertificate,
	} {
		if out[leaf], err = tls.X509KeyPair(certificate, poolKey); err != nil {
			return out, err
		}
	}
	return out, nil
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
	case poolCloses:
		_, _ = conn.Read(make([]byte, maxRequest))
	default:
		server := tls.Server(conn, s.secure(leaves))
		if server.Handshake() == nil {
			s.sip.register(server)
		}
	}
}
