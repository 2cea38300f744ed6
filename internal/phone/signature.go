package phone

import (
	"crypto"
	_ "crypto/md5" // links of the phone's time are signed with it
	"crypto/rsa"
	_ "crypto/sha1" // likewise
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
)

// The RSA key lengths that a signature can be verified with here. crypto/rsa refuses shorter keys
// (the guide's table has one of 1000 bits), and crypto/tls refuses longer ones, which only cost time.
const (
	shortestKey = 1024
	longestKey  = 8192
)

// oidMD2WithRSA is md2WithRSAEncryption (RFC 3279 section 2.2.1). crypto/x509 does not know it.
var oidMD2WithRSA = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 2}

// SignatureName names the algorithm that a certificate is signed with as crypto/x509 does, for example
// SHA1-RSA; also MD2-RSA, and the object identifier of an algorithm that it does not know.
func SignatureName(c *x509.Certificate) string {
	if c.SignatureAlgorithm != x509.UnknownSignatureAlgorithm {
		return c.SignatureAlgorithm.String()
	}
	oid := signatureOID(c)
	if oid.Equal(oidMD2WithRSA) {
		return "MD2-RSA"
	}
	return oid.String()
}

// SelfSigned tells whether a certificate is signed with its own key. Where that cannot be verified
// (MD2, a key below 1024 bits) its names decide.
func SelfSigned(c *x509.Certificate) bool {
	if string(c.RawSubject) != string(c.RawIssuer) {
		return false
	}
	_, linked := checkLink(c, c)
	return linked
}

// checkLink tells whether the key of parent signed child. crypto/x509 is of no use for this: it calls
// SHA-1 and MD5 links insecure and reports them like those of an unknown authority. A link that cannot
// be verified counts as one, and comes with a fault so that nothing is ever trusted through it.
func checkLink(child, parent *x509.Certificate) (fault *Fault, linked bool) {
	key, isRSA := parent.PublicKey.(*rsa.PublicKey)
	if isRSA && key.N.BitLen() < shortestKey {
		return &Fault{KeyTooShort, parent}, true
	}
	if isRSA && key.N.BitLen() > longestKey {
		return &Fault{KeyTooLong, parent}, true
	}
	if hash := pkcs1Hash(child.SignatureAlgorithm); isRSA && hash != 0 {
		h := hash.New()
		h.Write(child.RawTBSCertificate)
		return nil, rsa.VerifyPKCS1v15(key, hash, h.Sum(nil), child.Signature) == nil
	}
	err := parent.CheckSignature(child.SignatureAlgorithm, child.RawTBSCertificate, child.Signature)
	switch {
	case !errors.Is(err, x509.ErrUnsupportedAlgorithm):
		return nil, err == nil
	case signatureOID(child).Equal(oidMD2WithRSA):
		return &Fault{WeakLink, child}, true
	default:
		return &Fault{UnsupportedKey, child}, true
	}
}

// pkcs1Hash gives the hash of an RSA signature of the old form (PKCS #1 version 1.5), 0 for others.
func pkcs1Hash(a x509.SignatureAlgorithm) crypto.Hash {
	switch a {
	case x509.MD5WithRSA:
		return crypto.MD5
	case x509.SHA1WithRSA:
		return crypto.SHA1
	case x509.SHA256WithRSA:
		return crypto.SHA256
	case x509.SHA384WithRSA:
		return crypto.SHA384
	case x509.SHA512WithRSA:
		return crypto.SHA512
	default:
		return 0
	}
}

// signatureOID reads the algorithm of a certificate's signature (RFC 5280 section 4.1.1.2), nil when
// there is no certificate to read.
func signatureOID(c *x509.Certificate) asn1.ObjectIdentifier {
	var outer struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(c.Raw, &outer); err != nil {
		return nil
	}
	return outer.Algorithm.Algorithm
}
