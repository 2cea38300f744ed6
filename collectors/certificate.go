package collectors

import (
	"crypto/x509"
	"fmt"
	"strings"
	"time"

	"github.com/cx700/cx700_exporter/internal/phone"
)

// refusedCertificate says why firmwares in use refuse a server's certificates, whatever roots they hold; empty where
// none is known to. By all tells that none is left that may take it.
func refusedCertificate(t *Target, host string, served []*x509.Certificate, at time.Time) (why string, byAll bool) {
	if len(served) == 0 {
		return "", false
	}
	var texts []string
	for _, fw := range t.Firmware {
		trust := fw.Trust(phone.Server{Served: served, Host: host}, phone.Roots{Unwatched: true}, at)
		if trust.Refused() {
			texts = append(texts, fmt.Sprintf("firmware %s: %s", fw.Version, trust.Faults[0].Reason))
		}
	}
	return strings.Join(texts, ", "), len(texts) == len(t.Firmware)
}
