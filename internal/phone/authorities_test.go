package phone

import (
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"
)

func TestAuthorities(t *testing.T) {
	all := Authorities()
	if len(all) != 17 {
		t.Fatalf("%d authorities, the guide's table has 17", len(all))
	}
	seen := map[string]string{}
	misprinted := 0
	for _, a := range all {
		sum := sha256.Sum256(a.Certificate.Raw)
		fingerprint := hex.EncodeToString(sum[:])
		if other, ok := seen[fingerprint]; ok {
			t.Errorf("%s and %s are one certificate", a.Name, other)
		}
		seen[fingerprint] = a.Name
		if key, ok := a.Certificate.PublicKey.(*rsa.PublicKey); !ok || key.N.BitLen() != a.Guide.Bits {
			t.Errorf("%s: the guide prints %d bits, the certificate has %v", a.Name, a.Guide.Bits, a.Certificate.PublicKeyAlgorithm)
		}
		// The guide counts in its own time zone: a day more or less is no misprint.
		if days := a.Certificate.NotAfter.Sub(a.Guide.NotAfter).Abs().Hours() / 24; days > 2 {
			misprinted++
			if a.Note == "" {
				t.Errorf("%s expires %s, the guide prints %s, and no note says why", a.Name, a.Certificate.NotAfter, a.Guide.NotAfter)
			}
		}
		if a.Vendor == "" || a.Name == "" {
			t.Errorf("%+v has no name", a.Guide)
		}
	}
	if misprinted != 2 {
		t.Errorf("%d misprinted dates, CONTRACT.md knows 2", misprinted)
	}
}

func TestAuthoritiesThatLive(t *testing.T) {
	live := 0
	for _, a := range Authorities() {
		if a.Certificate.NotAfter.After(time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)) {
			live++
		}
	}
	if live != 5 {
		t.Errorf("%d authorities live in November 2026, want 5", live)
	}
}
