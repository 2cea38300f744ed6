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

// company makes certificates as CAs of the phones' time and later ones did, all with one key; those of servers with
// another where there is one.
type company struct {
	t            *testing.T
	key, leafKey *rsa.PrivateKey
	serial       int64
}

// own is the key of what is issued to servers.
func (c *company) own() *rsa.PrivateKey {
	if c.leafKey != nil {
		return c.leafKey
	}
	return c.key
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
	out, err := certtest.Create(template, issuer, c.own().Public(), c.key)
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
			out += string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(c.own())}))
		}
	}
	return out
}

// realTrust is what a registrar serves, and what stops each firmware on an enrolled phone; empty where it trusts it.
type realTrust struct {
	name           string
	chain          string
	oldest, others string
}

func realTrusts(t *testing.T, c *company) (root *x509.Certificate, out []realTrust) {
	const host = "sip.fabrikam.com"
	root = c.issue("Company Root", nil, authority)
	between := c.issue("Company Issuing", root, authority)
	other := c.issue("Other Root", nil, authority)
	leaf := func(issuer *x509.Certificate, edits ...func(*x509.Certificate)) *x509.Certificate {
		return c.issue(host, issuer, append([]func(*x509.Certificate){names(host)}, edits...)...)
	}
	called := func(name string) *x509.Certificate {
		return leaf(root, names(name), func(t *x509.Certificate) { t.Subject.CommonName = name })
	}
	short := &company{t: t, key: c.key, leafKey: rsaKey(t, 1024)}
	return root, []realTrust{
		{"SHA-1", c.served(leaf(root)), "", ""},
		{"SHA-256", c.served(leaf(root, signed(x509.SHA256WithRSA))), "sha2_link", ""},
		{"SHA-1 below an intermediate", c.served(leaf(between), between), "", ""},
		{"expired", c.served(leaf(root, ended)), "link_expired", "link_expired"},
		{"the root is served too", c.served(leaf(between), between, root), "", ""},
		{"another name", c.served(called("pool99.fabrikam.com")), "name_mismatch", "name_mismatch"},
		{"MD5 with 1024 bits", short.served(short.issue(host, root, names(host), signed(x509.MD5WithRSA))), "", ""},
		{"a wildcard", c.served(called("*.fabrikam.com")), "name_wildcard", "name_wildcard"},
		{"renewed", c.served(leaf(root)), "", ""},
		{"incomplete", c.served(leaf(between)), "unknown_root", "unknown_root"},
		{"complete again", c.served(leaf(between), between), "", ""},
		{"of another CA", c.served(leaf(other)), "unknown_root", "unknown_root"},
	}
}

func rsaKey(t *testing.T, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	must(t, err)
	return key
}

// TestRealTrust lets a real HAProxy serve chains of every kind, each followed by one of the other outcome, and holds
// the series of enrolled phones to it.
func TestRealTrust(t *testing.T) {
	r := newRig(t)
	root, cases := realTrusts(t, &company{t: t, key: rsaKey(t, 2048)})
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
			want := map[string]string{"1.0.199.123": tt.oldest, "1.0.522.101": tt.others, "3.5.6907.35": tt.others}
			within(t, tt.name, 15*time.Second, func() error {
				if got := enrolledPhones(t, e.get(t, "/metrics")); !maps.Equal(got, want) {
					return fmt.Errorf("what stops firmware (-want +got):\n%s", cmp.Diff(want, got))
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

// enrolledPhones says what stops each firmware at the pool: a reason, nothing for one that trusts it, and "refused"
// where a series says so and none says why.
func enrolledPhones(t *testing.T, scrape string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for labels, trusted := range series(t, scrape, "cx700_pool_trusted") {
		if label(labels, "phone") == "enrolled" && label(labels, "address") == "192.168.7.81:5061" {
			out[label(labels, "firmware")] = map[float64]string{0: "refused", 1: ""}[trusted]
		}
	}
	for labels := range series(t, scrape, "cx700_signin_blocked_info") {
		if label(labels, "phone") == "enrolled" && out[label(labels, "firmware")] == "refused" {
			out[label(labels, "firmware")] = label(labels, "reason")
		}
	}
	return out
}
