package reach

import (
	"runtime"
	"testing"
	"time"

	"github.com/cx700/cx700_exporter/internal/phone"
)

// TestCertificateIsHeldOnce parses one twice, and then lets it go.
func TestCertificateIsHeldOnce(t *testing.T) {
	kept := func() (n int) {
		certificates.Range(func(_, _ any) bool { n++; return true })
		return n
	}
	before := kept()
	der := phone.Authorities()[0].Certificate.Raw
	one, err := ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := ParseCertificate(append([]byte(nil), der...)); again != one || err != nil {
		t.Errorf("another certificate for the same bytes, error %v", err)
	}
	if _, err := ParseCertificate(der[:len(der)-1]); err == nil {
		t.Error("a certificate that is cut off was read")
	}
	runtime.KeepAlive(one)
	for deadline := time.Now().Add(10 * time.Second); kept() > before; runtime.GC() {
		if time.Now().After(deadline) {
			t.Fatal("the certificate is still kept, which nobody holds")
		}
	}
}
