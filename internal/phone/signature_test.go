package phone

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
)

// reissues reads the certificates that have the key of a built-in authority, or its names, but are
// not in the guide's table (CONTRACT section 3.1), by the number of their file.
func reissues(t testing.TB) map[string]*x509.Certificate {
	t.Helper()
	files, err := filepath.Glob("testdata/*.pem")
	if err != nil || len(files) != 4 {
		t.Fatalf("%d files, want 4: %v", len(files), err)
	}
	out := map[string]*x509.Certificate{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(data)
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		out[filepath.Base(file)[:3]] = c
	}
	return out
}

func TestSignaturesOfTheAuthorities(t *testing.T) {
	want := map[string]int{"SHA1-RSA": 10, "MD5-RSA": 4, "MD2-RSA": 3}
	for _, a := range Authorities() {
		want[SignatureName(a.Certificate)]--
		if !SelfSigned(a.Certificate) {
			t.Errorf("%s is not self-signed", a.Name)
		}
	}
	for name, missing := range want {
		if missing != 0 {
			t.Errorf("%s: %d authorities off the table", name, missing)
		}
	}
}

// The re-issues are signed with the keys of built-in authorities: real links of SHA-1, MD5 and MD2.
func TestCheckLinkOfReissues(t *testing.T) {
	builtIn, again := Authorities(), reissues(t)
	tests := []struct {
		name          string
		child, parent *x509.Certificate
		linked        bool
		fault         ChainReason
	}{
		{"GlobalSign 2028 by 2014, SHA-1", again["04b"], builtIn[3].Certificate, true, ""},
		{"GlobalSign 2014 by 2028, MD5", builtIn[3].Certificate, again["04b"], true, ""},
		{"Entrust 2029 by 2019, SHA-1", again["11b"], builtIn[10].Certificate, true, ""},
		{"VeriSign class 3 by its first, SHA-1", again["10b"], builtIn[9].Certificate, true, ""},
		{"VeriSign class 3 by its re-issue, MD2", builtIn[9].Certificate, again["10b"], true, WeakLink},
		{"ValiCert class 1 by class 2", again["16b"], builtIn[15].Certificate, false, ""},
		{"anything by 1000 bits", again["16b"], builtIn[8].Certificate, true, KeyTooShort},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fault, linked := checkLink(tt.child, tt.parent)
			var reason ChainReason
			if fault != nil {
				reason = fault.Reason
			}
			if linked != tt.linked || reason != tt.fault {
				t.Errorf("linked %v with fault %q, want %v with %q", linked, reason, tt.linked, tt.fault)
			}
		})
	}
}

func TestCheckLinkOfLongKeys(t *testing.T) {
	m := newMaker(t)
	root := m.make("Root", nil, ca)
	long := *root.Certificate
	long.PublicKey = longKey(root)
	if fault, linked := checkLink(root.Certificate, &long); !linked || fault == nil || fault.Reason != KeyTooLong {
		t.Errorf("linked %v with fault %v, want %s", linked, fault, KeyTooLong)
	}
}

func TestSelfSigned(t *testing.T) {
	m := newMaker(t)
	root := m.make("Root", nil, ca)
	m.keys["alias"] = m.key("Root")
	for name, tt := range map[string]struct {
		of   *made
		want bool
	}{
		"root":                        {root, true},
		"issued":                      {m.make("leaf", root), false},
		"own key, other name":         {m.make("alias", root), false},
		"own name, signed by another": {m.make("Root#new", root, ca), false},
		"MD2":                         {m.make("Root", nil, signedBy(x509.MD2WithRSA)), true},
	} {
		if got := SelfSigned(tt.of.Certificate); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestSignatureNameOfUnknown(t *testing.T) {
	m := newMaker(t)
	c := *m.make("leaf", nil).Certificate
	c.SignatureAlgorithm = x509.UnknownSignatureAlgorithm
	if got := SignatureName(&c); got != "1.2.840.113549.1.1.5" {
		t.Errorf("got %q", got)
	}
	if fault, linked := checkLink(&c, &c); !linked || fault == nil || fault.Reason != UnsupportedKey {
		t.Errorf("linked %v with fault %v, want %s", linked, fault, UnsupportedKey)
	}
	if got := SignatureName(&x509.Certificate{}); got != "" {
		t.Errorf("no certificate has the algorithm %q", got)
	}
}

// longKey is a key that nobody could verify with in reasonable time.
func longKey(of *made) *rsa.PublicKey {
	n := of.PublicKey.(*rsa.PublicKey).N
	return &rsa.PublicKey{N: new(big.Int).SetBit(n, 1<<20, 1), E: 65537}
}
