package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cx700/cx700_exporter/internal/certtest"
)

// TestHealthcheck asks exporters that serve as their web configurations say, and what is no healthy exporter.
func TestHealthcheck(t *testing.T) {
	dir := t.TempDir()
	writeEndedCertificate(t, dir)
	const tlsOn = "tls_server_config: {cert_file: web.pem, key_file: web.key"
	for name, c := range map[string]struct{ config, want string }{
		"plain":              {"", "healthy: 200 OK\n"},
		"password":           {"basic_auth_users: {reader: $2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG}\n", "healthy: 401 Unauthorized\n"},
		"TLS":                {tlsOn + "}\n", "healthy: 200 OK\n"},
		"client certificate": {tlsOn + ", client_ca_file: web.pem, client_auth_type: RequireAndVerifyClientCert}\n", "healthy: asks for a certificate\n"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(dir, strings.ReplaceAll(name, " ", "")+".yml")
			if err := os.WriteFile(file, []byte(c.config), 0o600); err != nil {
				t.Fatal(err)
			}
			p := started(t, "serve", "--config.file=../../examples/minimal.yml", "--web.config.file="+file)
			ask := []string{"healthcheck", "--web.listen-address=" + strings.TrimPrefix(p.url, "http://"), "--web.config.file=" + file}
			if code, stdout, stderr := ran(t, ask...); code != exitGood || stdout != c.want {
				t.Errorf("exit code %d, %q, want %q: %s", code, stdout, c.want, stderr)
			}
			p.stop()
			if code, stdout, stderr := ran(t, ask...); code != exitBad || stdout != "" || !strings.Contains(stderr, "unhealthy") {
				t.Errorf("stopped: exit code %d: %s%s", code, stdout, stderr)
			}
		})
	}
	t.Setenv("CX700_WEB_CONFIG_FILE", filepath.Join(dir, "TLS.yml"))
	p := started(t, "serve", "--config.file=../../examples/minimal.yml")
	t.Setenv("CX700_WEB_LISTEN_ADDRESS", strings.TrimPrefix(p.url, "http://")+",127.0.0.1:1")
	if code, stdout, stderr := ran(t, "healthcheck"); code != exitGood || stdout != "healthy: 200 OK\n" {
		t.Errorf("flags in the environment: exit code %d: %s%s", code, stdout, stderr)
	}
	other := t.TempDir()
	writeEndedCertificate(t, other)
	if err := os.WriteFile(filepath.Join(other, "web.yml"), []byte(tlsOn+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := ran(t, "healthcheck", "--web.config.file="+filepath.Join(other, "web.yml")); code != exitBad || !strings.Contains(stderr, "another one is served") {
		t.Errorf("another certificate: exit code %d: %s", code, stderr)
	}
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	defer broken.Close()
	code, _, stderr := ran(t, "healthcheck", "--web.config.file=", "--web.listen-address="+broken.Listener.Addr().String())
	if code != exitBad || stderr != "unhealthy: 502 Bad Gateway\n" {
		t.Errorf("another server: exit code %d: %s", code, stderr)
	}
}

// writeEndedCertificate writes a certificate for no name and for clients, which ended: restarting the exporter would not
// mend it.
func writeEndedCertificate(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "monitor"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour),
	}
	certificate, err := certtest.Create(template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"web.pem": {Type: "CERTIFICATE", Bytes: certificate.Raw}, "web.key": {Type: "PRIVATE KEY", Bytes: der},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
