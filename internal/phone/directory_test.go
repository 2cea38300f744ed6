package phone

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestControllersAreFoundAsTheGuideWalks(t *testing.T) {
	controller := Service{Target: "dc01.fabrikam.dk", Port: 389, Weight: 100}
	at := func(domain string) company { return company{ControllerService(domain): services(controller)} }
	tests := []struct {
		name    string
		domains Domains
		dns     company
		asked   []string
		found   string
	}{
		{"page 42: the fourth name succeeds",
			Domains{Logon: "fabrikam", DHCP: "fabrikam.dk", Search: []string{"fabrikam.dk", "dk"}}, at("fabrikam.dk"),
			[]string{"fabrikam", "fabrikam.fabrikam.dk", "fabrikam.fabrikam.dk", "fabrikam.dk"}, "fabrikam.dk"},
		{"page 42: without dk in option 119 it never does",
			Domains{Logon: "fabrikam", DHCP: "fabrikam.dk", Search: []string{"fabrikam.dk"}}, at("fabrikam.dk"),
			[]string{"fabrikam", "fabrikam.fabrikam.dk", "fabrikam.fabrikam.dk"}, ""},
		{"a DNS name is taken as it is", Domains{Logon: "contoso.com", DHCP: "contoso.com", Search: []string{"dk"}}, at("contoso.com"),
			[]string{"contoso.com"}, "contoso.com"},
		{"no suffix of its own", Domains{Logon: "fabrikam"}, at("fabrikam"), []string{"fabrikam"}, "fabrikam"},
		{"nobody logs on outside", Domains{DHCP: "contoso.com"}, at("contoso.com"), nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.asked, tt.domains.LogonDomains()); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
			found, controllers := tt.domains.FindControllers(tt.dns.find)
			if found != tt.found {
				t.Errorf("found %q, want %q", found, tt.found)
			}
			if found != "" && controllers[0] != controller {
				t.Errorf("controllers %v", controllers)
			}
		})
	}
}

func TestDirectoryQuestionsAreAskedOnce(t *testing.T) {
	d := Domains{SIP: "fabrikam.com", Logon: "fabrikam", DHCP: "fabrikam.dk", Search: []string{"fabrikam.dk", "dk"}}
	var got []string
	for _, q := range d.Questions() {
		if q.Use == ForDirectory {
			got = append(got, string(q.Type)+" "+q.Name)
		}
	}
	want := []string{
		"SRV _ldap._tcp.dc._msdcs.fabrikam", "A fabrikam",
		"SRV _ldap._tcp.dc._msdcs.fabrikam.fabrikam.dk", "A fabrikam.fabrikam.dk",
		"SRV _ldap._tcp.dc._msdcs.fabrikam.dk", "A fabrikam.dk",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
