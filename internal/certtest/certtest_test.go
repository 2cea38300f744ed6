package certtest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
)

func TestCreate(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for algorithm, hash := range map[x509.SignatureAlgorithm]crypto.Hash{
		x509.MD5WithRSA: crypto.MD5, x509.SHA1WithRSA: crypto.SHA1, x509.SHA256WithRSA: crypto.SHA256,
	} {
		template := &x509.Certificate{
			Subject: pkix.Name{CommonName: "Fabrikam"}, SerialNumber: big.NewInt(7), SignatureAlgorithm: algorithm,
			BasicConstraintsValid: true, IsCA: true, DNSNames: []string{"pool01.fabrikam.com"},
		}
		c, err := Create(template, template, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		if c.SignatureAlgorithm != algorithm || c.Version != 3 || !c.IsCA || len(c.DNSNames) != 1 {
			t.Errorf("asked for %s: got %s, version %d, CA %v, names %q", algorithm, c.SignatureAlgorithm, c.Version, c.IsCA, c.DNSNames)
		}
		h := hash.New()
		h.Write(c.RawTBSCertificate)
		if err := rsa.VerifyPKCS1v15(&key.PublicKey, hash, h.Sum(nil), c.Signature); err != nil {
			t.Errorf("%s: %v", algorithm, err)
		}
	}
}

func TestCreateVersion1WithMD2(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		Version: 1, Subject: pkix.Name{CommonName: "Fabrikam"}, SerialNumber: big.NewInt(7),
		SignatureAlgorithm: x509.MD2WithRSA, BasicConstraintsValid: true, IsCA: true,
	}
	c, err := Create(template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	if c.Version != 1 || len(c.Extensions) != 0 || c.SignatureAlgorithm != x509.UnknownSignatureAlgorithm {
		t.Errorf("version %d, %d extensions, %s", c.Version, len(c.Extensions), c.SignatureAlgorithm)
	}
}
