//go:build linux

package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// webCA is a CA of a test, which writes what it issues into a folder.
type webCA struct {
	t    *testing.T
	dir  string
	root *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newWebCA(t *testing.T) *webCA {
	t.Helper()
	a := &webCA{t: t, dir: t.TempDir()}
	a.root, a.key = a.issue("ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

// issue makes a certificate and writes NAME.pem and NAME.key.
func (a *webCA) issue(name string, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(a.t, err)
	template.SerialNumber, template.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: name}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := template, key
	if a.root != nil {
		parent, signer = a.root, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	must(a.t, err)
	c, err := x509.ParseCertificate(der)
	must(a.t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(a.t, err)
	must(a.t, os.WriteFile(a.path(name+".pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	must(a.t, os.WriteFile(a.path(name+".key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	return c, key
}

func (a *webCA) path(name string) string { return filepath.Join(a.dir, name) }

// TestEndpointByTLS lets in who has both a certificate of the right CA and a password, and nobody else.
func TestEndpointByTLS(t *testing.T) {
	a := newWebCA(t)
	a.issue("server", &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	a.issue("client", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	stranger := newWebCA(t)
	stranger.issue("client", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	must(t, err)
	must(t, os.WriteFile(a.path("web.yml"), fmt.Appendf(nil, "tls_server_config: {cert_file: server.pem, key_file: server.key, client_ca_file: ca.pem, "+
		"client_auth_type: RequireAndVerifyClientCert}\nbasic_auth_users: {reader: %q}\n", hash), 0o600))
	p := started(t, "serve", "--config.file=../../examples/minimal.yml", "--web.config.file="+a.path("web.yml"))
	url := strings.Replace(p.url, "http://", "https://", 1) + "/metrics"
	roots := x509.NewCertPool()
	roots.AddCert(a.root)
	for _, tt := range []struct {
		name     string
		of       *webCA // of the client's certificate
		most     uint16 // the newest version of TLS that the client has
		password string
		want     int // 0 where there is no connection
	}{
		{"both", a, 0, "secret", http.StatusOK},
		{"wrong password", a, 0, "guess", http.StatusUnauthorized},
		{"no password", a, 0, "", http.StatusUnauthorized},
		{"no certificate", nil, 0, "secret", 0},
		{"certificate of a stranger", stranger, 0, "secret", 0},
		{"TLS 1.1", a, tls.VersionTLS11, "secret", 0},
	} {
		config := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS10, MaxVersion: tt.most}
		if tt.of != nil {
			pair, err := tls.LoadX509KeyPair(tt.of.path("client.pem"), tt.of.path("client.key"))
			must(t, err)
			config.Certificates = []tls.Certificate{pair}
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		must(t, err)
		if tt.password != "" {
			r.SetBasicAuth("reader", tt.password)
		}
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
		status := 0
		if answer, err := client.Do(r); err == nil {
			status = answer.StatusCode
			answer.Body.Close()
		}
		if status != tt.want {
			t.Errorf("%s: status %d, want %d", tt.name, status, tt.want)
		}
	}
	answer, err := http.Get(p.url + "/metrics")
	must(t, err)
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusBadRequest {
		t.Errorf("plain HTTP: status %d", answer.StatusCode)
	}
	if text := p.log.String(); strings.Contains(text, "secret") || strings.Contains(text, string(hash)) {
		t.Errorf("a secret in the log:\n%s", text)
	}
}

// TestEndpointIsClosedByDefault: nobody reloads or probes from a page unless it was enabled, and every answer says that
// browsers may make nothing of it but what it is.
func TestEndpointIsClosedByDefault(t *testing.T) {
	p := started(t, "serve", "--config.file=../../examples/minimal.yml")
	for path, want := range map[string]int{"/-/reload": http.StatusNotFound, "/-/quit": http.StatusNotFound, "/site/copenhagen/probe": http.StatusForbidden} {
		if status, _ := p.request(http.MethodPost, path); status != want {
			t.Errorf("POST %s: %d, want %d", path, status, want)
		}
	}
	for _, path := range []string{"/", "/metrics", "/probe", "/-/healthy", "/-/ready", "/runbooks/", "/site/copenhagen", "/nowhere", "/debug/pprof/"} {
		_, header, _ := p.answer(http.MethodGet, path, nil)
		if header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(header.Get("Content-Security-Policy"), "default-src 'none'") ||
			!strings.Contains(header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
			t.Errorf("%s: %v", path, header)
		}
		if header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s is for pages of others: %v", path, header)
		}
	}
	for _, path := range []string{"/debug/pprof/", "/debug/vars"} {
		if status, _ := p.request(http.MethodGet, path); status != http.StatusNotFound {
			t.Errorf("%s: %d", path, status)
		}
	}
}

// TestEndpointBoundsItsClients: those that send too much or nothing are given up, and a hundred of them are no reason not
// to answer others.
func TestEndpointBoundsItsClients(t *testing.T) {
	t.Parallel()
	p := started(t, "serve", "--config.file=../../examples/minimal.yml")
	address := strings.TrimPrefix(p.url, "http://")
	dial := func(said string) net.Conn {
		conn, err := net.Dial("tcp", address)
		must(t, err)
		t.Cleanup(func() { conn.Close() })
		must(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
		_, err = io.WriteString(conn, said)
		must(t, err)
		return conn
	}
	const request = "GET /metrics HTTP/1.1\r\nHost: x\r\n"
	large, err := io.ReadAll(dial(request + "X: " + strings.Repeat("a", 70<<10) + "\r\n\r\n"))
	if !bytes.Contains(large, []byte(" 431 ")) {
		t.Errorf("a header of 70 KiB: %.100s %v", large, err)
	}
	var slow []net.Conn
	for range 100 {
		slow = append(slow, dial(request))
	}
	if p.get("/-/healthy") == "" {
		t.Error("no answer beside slow clients")
	}
	begun := time.Now()
	for _, conn := range slow {
		if _, err := io.Copy(io.Discard, conn); err != nil {
			t.Fatalf("not given up after %s: %v", time.Since(begun), err)
		}
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("given up after %s", took)
	}
}
