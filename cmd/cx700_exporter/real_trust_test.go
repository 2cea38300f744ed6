//go:build linux

package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cx700/cx700_exporter/internal/bed"
	"github.com/cx700/cx700_exporter/internal/certtest"
)

// company makes certificates as CAs of the phones' time and later ones did, all with one key.
type company struct {
	t      *testing.T
	key    *rsa.PrivateKey
	serial int64
}

// issue signs a certificate below an issuer, or by itself.
func (c *company) issue(name string, issuer *x509.Certificate, edits ...func(*x509.Certificate)) *x509.Certificate {
	c.t.Helper()
	c.serial++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(c.serial), Subject: pkix.Name{CommonName: name}, SignatureAlgorithm: x509.SHA1WithRSA,
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(48 * time.Hour),
	}
	for _, edit := range edits {
		edit(template)
	}
	if issuer == nil {
		issuer = template
	}
	out, err := certtest.Create(template, issuer, c.key.Public(), c.key)
	must(c.t, err)
	return out
}

func authority(c *x509.Certificate) {
	c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
}

func names(all ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.DNSNames = all }
}

func signed(by x509.SignatureAlgorithm) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.SignatureAlgorithm = by }
}

func ended(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Hour) }

// served is what a server is given: the chain and its key.
func (c *company) served(chain ...*x509.Certificate) string {
	out := ""
	for i, one := range chain {
		out += string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: one.Raw}))
		if i == 0 {
			out += string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(c.key)}))
		}
	}
	return out
}

// trustCase is what a registrar serves, and which firmware trusts it on an enrolled phone.
type realTrust struct {
	name   string
	chain  string
	oldest float64
	others float64
}

func realTrusts(c *company) (root *x509.Certificate, out []realTrust) {
	const host = "sip.fabrikam.com"
	root = c.issue("Company Root", nil, authority)
	between := c.issue("Company Issuing", root, authority)
	other := c.issue("Other Root", nil, authority)
	leaf := func(issuer *x509.Certificate, edits ...func(*x509.Certificate)) *x509.Certificate {
		return c.issue(host, issuer, append([]func(*x509.Certificate){names(host)}, edits...)...)
	}
	return root, []realTrust{
		{"SHA-1", c.served(leaf(root)), 1, 1},
		{"SHA-1 below an intermediate", c.served(leaf(between), between), 1, 1},
		{"the root is served too", c.served(leaf(between), between, root), 1, 1},
		{"SHA-256", c.served(leaf(root, signed(x509.SHA256WithRSA))), 0, 1},
		{"MD5", c.served(leaf(root, signed(x509.MD5WithRSA))), 1, 1},
		{"expired", c.served(leaf(root, ended)), 0, 0},
		{"another name", c.served(leaf(root, names("pool99.fabrikam.com"), func(t *x509.Certificate) { t.Subject.CommonName = "pool99.fabrikam.com" })), 0, 0},
		{"a wildcard", c.served(leaf(root, names("*.fabrikam.com"), func(t *x509.Certificate) { t.Subject.CommonName = "*.fabrikam.com" })), 0, 0},
		{"incomplete", c.served(leaf(between)), 0, 0},
		{"of another CA", c.served(leaf(other)), 0, 0},
	}
}

// TestRealTrust lets a real HAProxy serve chains of every kind, and holds what is told of enrolled phones to it.
func TestRealTrust(t *testing.T) {
	r := newRig(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	c := &company{t: t, key: key}
	root, cases := realTrusts(c)
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "root.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw}), 0o600))
	file := filepath.Join(dir, "cx700.yml")
	must(t, os.WriteFile(file, []byte(`sites:
  - name: guide
    sip_domain: fabrikam.com
    dhcp: {domain: contoso.com, dns_servers: [192.168.7.5]}
    enrolled_roots: [root.pem]
collectors: {pool: {interval: 1s}, dns: {interval: 1s}, sip: {interval: 1s}}
`), 0o600))
	e := r.serve(t, file)
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			must(t, r.SetRegistrarChain(t.Context(), bed.Pool, tt.chain))
			want := map[string]float64{"1.0.199.123": tt.oldest, "1.0.522.101": tt.others, "3.5.6907.35": tt.others}
			within(t, tt.name, 15*time.Second, func() error {
				got := map[string]float64{}
				for labels, value := range series(t, e.get(t, "/metrics"), "cx700_pool_trusted") {
					if label(labels, "phone") == "enrolled" && label(labels, "address") == "192.168.7.81:5061" {
						got[label(labels, "firmware")] = value
					}
				}
				if !maps.Equal(got, want) {
					return fmt.Errorf("trusted (-want +got):\n%s", cmp.Diff(want, got))
				}
				return nil
			})
		})
	}
	must(t, r.SetRegistrarChain(t.Context(), bed.Pool, ""))
	if code := e.stop(t); code != exitGood {
		t.Errorf("SIGTERM: exit code %d", code)
	}
}
