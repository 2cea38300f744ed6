package signin

import (
	"crypto/x509"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// TestChanges tells what is another than before: certificates, roots, records, versions; and nothing that was not known
// then or is not known now.
func TestChanges(t *testing.T) {
	resolver := netip.MustParseAddrPort("10.0.0.5:53")
	names := func(lookups ...facts.Lookup) *facts.Names {
		return &facts.Names{Walks: []facts.Walk{{Resolver: resolver, Lookups: lookups}}}
	}
	srv := func(target string) facts.Lookup {
		return facts.Lookup{Name: "_sip._tls.fabrikam.com", Type: phone.SRV, Outcome: facts.Answered,
			Records: phone.Records{Services: []phone.Service{{Target: target, Port: 443}}}}
	}
	a := func(name string, outcome facts.Outcome, addresses ...netip.Addr) facts.Lookup {
		return facts.Lookup{Name: name, Type: phone.A, Outcome: outcome, Records: phone.Records{Addresses: addresses}}
	}
	first, second := netip.MustParseAddr("10.0.0.81"), netip.MustParseAddr("10.0.0.82")
	versions := func(v string) *facts.Update {
		return &facts.Update{Servers: []facts.UpdateServer{{Host: "fe01", Plain: &facts.UpdateAnswer{Response: &phone.UpdateResponse{ServerVersion: v}}}}}
	}
	registrar := func(server string) *facts.SIP {
		return &facts.SIP{Servers: []facts.SIPServer{{Address: netip.MustParseAddrPort("10.0.0.81:5061"), Answers: []facts.SIPAnswer{{Server: server}}}}}
	}
	forest := func(roots ...*x509.Certificate) *facts.Directory {
		out := directoryOf(roots)
		out.Controllers[0].RootDSE.ConfigurationNC = "CN=Configuration,DC=contoso,DC=com"
		return out
	}
	one, other := root(t, "Old Root"), root(t, "New Root")
	sub := issue(t, "Issuing CA", one)
	leaf := issue(t, sipHost, sub)
	pool := func(served ...*x509.Certificate) *facts.Pool {
		return poolOf(nil, serving("10.0.0.81:5061", served...))
	}
	for _, tt := range []struct {
		name        string
		before, now facts.Seen
		want        []string
	}{
		{"nothing", facts.Seen{Pool: pool(leaf, sub)}, facts.Seen{Pool: pool(leaf, sub)}, nil},
		{"certificate", facts.Seen{Pool: pool(leaf, sub)}, facts.Seen{Pool: pool(issue(t, sipHost, sub, soon), sub)}, []string{"certificate at 10.0.0.81:5061"}},
		{"intermediate", facts.Seen{Pool: pool(leaf, sub)}, facts.Seen{Pool: pool(leaf)}, []string{"certificates served besides at 10.0.0.81:5061"}},
		{"root", facts.Seen{Directory: forest(one)}, facts.Seen{Directory: forest(one, other)}, []string{"roots in Active Directory"}},
		{"SRV target", facts.Seen{Names: names(srv("sip.fabrikam.com"))}, facts.Seen{Names: names(srv("edge.fabrikam.com"))},
			[]string{"SRV _sip._tls.fabrikam.com at 10.0.0.5"}},
		{"a resolver's answer", facts.Seen{Names: names(a("sip.fabrikam.com", facts.Answered, first))},
			facts.Seen{Names: names(a("sip.fabrikam.com", facts.Answered, second))}, []string{"A sip.fabrikam.com at 10.0.0.5"}},
		{"a name that is gone", facts.Seen{Names: names(a("sip.fabrikam.com", facts.Answered, first))},
			facts.Seen{Names: names(a("sip.fabrikam.com", facts.NXDomain), a("sip.fabrikam.com.contoso.com", facts.NXDomain))}, []string{"A sip.fabrikam.com at 10.0.0.5"}},
		{"no answer", facts.Seen{Names: names(a("sip.fabrikam.com", facts.Answered, first))}, facts.Seen{Names: names(a("sip.fabrikam.com", facts.Timeout))}, nil},
		{"update service", facts.Seen{Update: versions("2.0")}, facts.Seen{Update: versions("3.5")}, []string{"update service of fe01"}},
		{"registrar", facts.Seen{SIP: registrar("RTC/3.5")}, facts.Seen{SIP: registrar("RTC/4.0")}, []string{"registrar at 10.0.0.81:5061"}},
	} {
		d := profile("1.0.522.101", phone.Enrolled).Domains
		var got []string
		for _, c := range Changes(Traits(&tt.before, d), Traits(&tt.now, d)) {
			if c.Before == c.Now {
				t.Errorf("%s: %+v is no change", tt.name, c)
			}
			got = append(got, c.Name)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}
