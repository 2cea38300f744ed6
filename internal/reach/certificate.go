package reach

import (
	"crypto/sha256"
	"crypto/x509"
	"runtime"
	"sync"
	"weak"
)

// certificates are those that something still holds, by the SHA-256 of their bytes: a root is published in three places
// of each controller, and shown by many servers.
var certificates sync.Map // of weak.Pointer[x509.Certificate]

// ParseCertificate is x509.ParseCertificate, but gives the same certificate again while the one before is held. Nobody may
// change it.
func ParseCertificate(der []byte) (*x509.Certificate, error) {
	sum := sha256.Sum256(der)
	if before, known := certificates.Load(sum); known {
		if c := before.(weak.Pointer[x509.Certificate]).Value(); c != nil {
			return c, nil
		}
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	held := weak.Make(c)
	certificates.Store(sum, held)
	runtime.AddCleanup(c, func(held weak.Pointer[x509.Certificate]) { certificates.CompareAndDelete(sum, held) }, held)
	return c, nil
}
