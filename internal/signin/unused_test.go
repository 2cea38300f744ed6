package signin

import (
	"crypto/x509"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// TestUnused: the certificates of LDAPS and certsrv are judged as the pool's are, each server for itself.
func TestUnused(t *testing.T) {
	company, other := root(t, "Company Root"), root(t, "Other Root")
	const dc1, dc2, ca = "dc01.contoso.com", "dc02.contoso.com", "ca01.contoso.com"
	shown := func(served ...*x509.Certificate) *facts.Shown {
		return &facts.Shown{Address: netip.MustParseAddrPort(inside1 + ":636"), Served: served}
	}
	seen := func(first, second, web *facts.Shown) *facts.Seen {
		d := directoryOf([]*x509.Certificate{company})
		d.Controllers[0].TLS = first
		d.Controllers = append(d.Controllers, facts.Controller{Host: dc2, TLS: second})
		return &facts.Seen{Directory: d, Certsrv: &facts.Certsrv{Hosts: []facts.CertsrvHost{{Host: ca, Secure: web}}}}
	}
	good, second := shown(issue(t, dc1, company)), shown(issue(t, dc2, company))
	for _, tt := range []struct {
		name           string
		seen           *facts.Seen
		ldaps, certsrv string
	}{
		{"nothing is looked at", &facts.Seen{}, "not_watched", "not_watched"},
		{"no TLS", seen(nil, nil, nil), "not_watched", "not_watched"},
		{"good", seen(good, second, shown(issue(t, ca, company))), "ok", "ok"},
		{"of another CA", seen(shown(issue(t, dc1, other)), second, shown(issue(t, ca, other))), "blocked unknown_root", "blocked unknown_root"},
		{"the second", seen(good, good, nil), "blocked name_mismatch", "not_watched"},
	} {
		for i, s := range Unused() {
			p := profile("3.5.6907.35", phone.New)
			got := s.Judge(newCase(&Cache{}, tt.seen, &p, today))
			if diff := cmp.Diff([]string{tt.ldaps, tt.certsrv}[i], summary(got)); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", tt.name, s.Name, diff)
			}
			if trusts := slices.ContainsFunc(got.Servers, func(a Attempt) bool { return a.Trust == nil }); trusts {
				t.Errorf("%s, %s: a server without a judgement", tt.name, s.Name)
			}
		}
	}
}
