package collectors

import (
	"net"
	"strings"
	"testing"

	"github.com/cx700/cx700_exporter/internal/phone"
)

// FuzzFollow: whatever an answer names, nobody is led out of the site's domains, to an address or to another port.
func FuzzFollow(f *testing.F) {
	for _, seed := range []string{
		"https://pool01.contoso.com/a", "http://169.254.169.254/", "http://[::1]/", "https://contoso.com.evil.example/", "http://user@pool01.contoso.com/",
		"https://pool01.contoso.com:8443/", "//pool01.contoso.com/", "http://0x7f.1/", "http://pool01.contoso.com.:80/",
	} {
		f.Add(seed)
	}
	target := &Target{Domains: phone.Domains{SIP: "fabrikam.com", DHCP: "contoso.com", SMTP: "fabrikam.com"}}
	f.Fuzz(func(t *testing.T, address string) {
		u, why := follow(target, address, func(string) bool { return false })
		if (u == nil) == (why == "") {
			t.Fatalf("%v, %q", u, why)
		}
		if u == nil {
			return
		}
		host := u.Hostname()
		if net.ParseIP(host) != nil || !phone.Within(host, "contoso.com") && !phone.Within(host, "fabrikam.com") {
			t.Errorf("%q leads to %s", address, host)
		}
		if u.Port() != "" || u.User != nil || strings.ToLower(host) != host {
			t.Errorf("%q leads to %s", address, u)
		}
	})
}
