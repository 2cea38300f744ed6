package phone

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"testing"
)

func TestMatchName(t *testing.T) {
	tests := []struct {
		name   string
		cn     string
		san    []string
		host   string
		expect NameMatch
	}{
		{"SAN", "other", []string{"a.example", "pool01.fabrikam.com"}, "pool01.fabrikam.com", NameInSAN},
		{"SAN and CN", "pool01.fabrikam.com", []string{"pool01.fabrikam.com"}, "pool01.fabrikam.com", NameInSAN},
		{"SAN beside a wildcard", "", []string{"*.fabrikam.com", "sip.fabrikam.com"}, "sip.fabrikam.com", NameInSAN},
		{"CN", "pool01.fabrikam.com", nil, "pool01.fabrikam.com", NameInCN},
		{"CN beside other SANs", "pool01.fabrikam.com", []string{"sip.fabrikam.com"}, "pool01.fabrikam.com", NameShadowed},
		{"CN beside a wildcard SAN", "sip.fabrikam.com", []string{"*.fabrikam.com"}, "sip.fabrikam.com", NameShadowed},
		{"case", "POOL01.Fabrikam.com", nil, "pool01.fabrikam.COM", NameInCN},
		{"trailing dot of the host", "", []string{"sip.fabrikam.com"}, "sip.fabrikam.com.", NameInSAN},
		{"trailing dot of the certificate", "", []string{"sip.fabrikam.com."}, "sip.fabrikam.com", NameInSAN},
		{"wildcard SAN", "", []string{"*.fabrikam.com"}, "sip.fabrikam.com", NameWildcard},
		{"wildcard CN", "*.Fabrikam.com", nil, "sip.fabrikam.com", NameWildcard},
		{"wildcard of two labels", "", []string{"*.fabrikam.com"}, "a.sip.fabrikam.com", NameMismatch},
		{"wildcard of the domain itself", "", []string{"*.fabrikam.com"}, "fabrikam.com", NameMismatch},
		{"wildcard inside a label", "", []string{"si*.fabrikam.com"}, "sip.fabrikam.com", NameMismatch},
		{"wildcard for everything", "*", []string{"*", "*."}, "localhost", NameMismatch},
		{"another A-label", "", []string{"xn--tlf-0na.example"}, "tælf.example", NameMismatch},
		{"A-label of the host", "", []string{"xn--bcher-kva.example"}, "Bücher.example", NameInSAN},
		{"A-label given", "", []string{"XN--BCHER-KVA.example"}, "xn--bcher-kva.example", NameInSAN},
		{"underscore", "", []string{"dc_01.contoso.com"}, "DC_01.contoso.com", NameInSAN},
		{"zero byte", "pool01.fabrikam.com\x00.evil.example", nil, "pool01.fabrikam.com", NameMismatch},
		{"Kelvin sign", "", []string{"\u212a.example"}, "k.example", NameMismatch},
		{"no host", "", []string{""}, "", NameMismatch},
		{"root of the DNS", "", []string{"."}, ".", NameMismatch},
		{"other host", "pool02.fabrikam.com", []string{"pool02.fabrikam.com"}, "pool01.fabrikam.com", NameMismatch},
	}
	given := map[NameMatch]bool{}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &x509.Certificate{Subject: pkix.Name{CommonName: tt.cn}, DNSNames: tt.san}
			got := MatchName(c, tt.host)
			given[got] = true
			if got != tt.expect {
				t.Errorf("got %s, want %s", got, tt.expect)
			}
		})
	}
	for _, match := range NameMatches() {
		if !given[match] {
			t.Errorf("no name of the table gives %s", match)
		}
	}
}
