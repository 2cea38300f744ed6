package signin

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"testing"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// BenchmarkTrust judges a pool's chain of three for one kind of phone, anew and from the cache. BenchmarkHandshake
// is the measure: what it costs to be shown the chain.
func BenchmarkTrust(b *testing.B) {
	ca, sub, leaf := benchChain(b)
	seen := &facts.Seen{Directory: directoryOf([]*x509.Certificate{ca}),
		Pool: poolOf([]phone.Endpoint{guessed(sipHost, 5061, inside1)}, serving(inside1+":5061", leaf, sub))}
	p := profile("3.5.6907.35", phone.New)
	run := func(cache func() *Cache) func(*testing.B) {
		return func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if out := newCase(cache(), seen, &p, today).judgeTrust(); out.State != OK {
					b.Fatal(summary(out))
				}
			}
		}
	}
	b.Run("anew", run(func() *Cache { return &Cache{} }))
	kept := &Cache{}
	b.Run("cached", run(func() *Cache { return kept }))
}

// BenchmarkHandshake is a bare TLS handshake with a server that shows the same chain, without any network.
func BenchmarkHandshake(b *testing.B) {
	_, sub, leaf := benchChain(b)
	server := &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw, sub.Raw}, PrivateKey: oneKey()}},
		MinVersion:   tls.VersionTLS10, MaxVersion: tls.VersionTLS10, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA},
		SessionTicketsDisabled: true,
	}
	client := server.Clone()
	client.Certificates, client.InsecureSkipVerify = nil, true
	b.ReportAllocs()
	for b.Loop() {
		here, there := net.Pipe()
		done := make(chan error, 1)
		go func() { done <- tls.Server(there, server).Handshake() }()
		if err := tls.Client(here, client).Handshake(); err != nil {
			b.Fatal(err)
		}
		if err := <-done; err != nil {
			b.Fatal(err)
		}
		here.Close()
		there.Close()
	}
}

func benchChain(b *testing.B) (ca, sub, leaf *x509.Certificate) {
	ca = root(b, "Root")
	sub = issue(b, "Issuing CA", ca, func(c *x509.Certificate) { c.BasicConstraintsValid, c.IsCA = true, true })
	return ca, sub, issue(b, sipHost, sub)
}
