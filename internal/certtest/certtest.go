// Package certtest makes certificates of the phone's time for tests: crypto/x509 parses them, but no
// longer signs them.
package certtest

import (
	"crypto"
	_ "crypto/md5" // for signatures of the time
	"crypto/rand"
	_ "crypto/sha1" // likewise
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
)

// Create makes a certificate like x509.CreateCertificate and parses it. Besides, it signs with MD5 and
// SHA-1 where the template's SignatureAlgorithm is MD5WithRSA or SHA1WithRSA, and makes a certificate of
// version 1, without extensions, where the template's Version is 1. For MD2WithRSA the signature is
// not valid, since nothing here could verify it.
func Create(template, parent *x509.Certificate, public crypto.PublicKey, signer crypto.Signer) (*x509.Certificate, error) {
	hash, oid := oldAlgorithm(template.SignatureAlgorithm)
	modern := *template
	if hash != 0 {
		modern.SignatureAlgorithm = x509.SHA256WithRSA
	}
	der, err := x509.CreateCertificate(rand.Reader, &modern, parent, public, signer)
	if err != nil {
		return nil, fmt.Errorf("certificate of %s: %w", template.Subject, err)
	}
	if hash != 0 {
		if der, err = signAgain(der, template.Version == 1, signer, hash, oid); err != nil {
			return nil, fmt.Errorf("old certificate of %s: %w", template.Subject, err)
		}
	}
	return x509.ParseCertificate(der)
}

// oldAlgorithm gives the hash and the object identifier of RFC 3279 section 2.2.1; 0 for others.
func oldAlgorithm(a x509.SignatureAlgorithm) (crypto.Hash, asn1.ObjectIdentifier) {
	pkcs1 := func(last int) asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, last} }
	switch a {
	case x509.MD2WithRSA:
		return crypto.MD5, pkcs1(2)
	case x509.MD5WithRSA:
		return crypto.MD5, pkcs1(4)
	case x509.SHA1WithRSA:
		return crypto.SHA1, pkcs1(5)
	default:
		return 0, nil
	}
}

// certificate is RFC 5280 section 4.1.
type certificate struct {
	TBS       asn1.RawValue
	Algorithm pkix.AlgorithmIdentifier
	Signature asn1.BitString
}

type tbsCertificate struct {
	Version    int `asn1:"optional,explicit,default:0,tag:0"`
	Serial     *big.Int
	Algorithm  pkix.AlgorithmIdentifier
	Issuer     asn1.RawValue
	Validity   asn1.RawValue
	Subject    asn1.RawValue
	Key        asn1.RawValue
	Extensions []pkix.Extension `asn1:"omitempty,optional,explicit,tag:3"`
}

func signAgain(
	der []byte, version1 bool, signer crypto.Signer, hash crypto.Hash, oid asn1.ObjectIdentifier,
) ([]byte, error) {
	var outer certificate
	if _, err := asn1.Unmarshal(der, &outer); err != nil {
		return nil, err
	}
	var tbs tbsCertificate
	if _, err := asn1.Unmarshal(outer.TBS.FullBytes, &tbs); err != nil {
		return nil, err
	}
	if version1 {
		tbs.Version, tbs.Extensions = 0, nil
	}
	tbs.Algorithm = pkix.AlgorithmIdentifier{Algorithm: oid, Parameters: asn1.NullRawValue}
	signed, err := asn1.Marshal(tbs)
	if err != nil {
		return nil, err
	}
	h := hash.New()
	h.Write(signed)
	signature, err := signer.Sign(rand.Reader, h.Sum(nil), hash)
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(certificate{
		TBS:       asn1.RawValue{FullBytes: signed},
		Algorithm: tbs.Algorithm,
		Signature: asn1.BitString{Bytes: signature, BitLength: len(signature) * 8},
	})
}
