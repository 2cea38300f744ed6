package collectors

import (
	"net/url"
	"strings"
	"testing"

	"github.com/cx700/cx700_exporter/internal/phone"
)

// FuzzFollow holds that no answer leads us anywhere but to a host that is asked anyway, or within the site's domains, on
// the usual ports: neither by a URL nor by a registrar's Contact.
func FuzzFollow(f *testing.F) {
	for _, seed := range []string{
		"https://autodiscover.fabrikam.com/autodiscover/autodiscover.xml", "HTTPS://mail.FABRIKAM.com.:443/EWS/Exchange.asmx", "http://autodiscover.fabrikam.com/",
		"https://fabrikam.com@evil.example/", "https://evil.example\\@fabrikam.com/", "https://fabrikam.com.evil.example/", "https://[::1]/", "//evil.example/x",
		"https://pool01.contoso.com:22/", "https://" + strings.Repeat("a.", 400) + "contoso.com/", "pool01.contoso.com:5061", "pool01.contoso.com:22",
		"evil.example", "contoso.com\x00.evil.example:443", "192.0.2.1:443", "[::1]:5061", "\r\n", "sip.fabrikam.com:5061:5061",
	} {
		f.Add(seed)
	}
	target := &Target{Domains: phone.Domains{SIP: "fabrikam.com", DHCP: "contoso.com"}}
	own := func(host string) bool {
		return host == "fabrikam.com" || host == "contoso.com" || strings.HasSuffix(host, ".fabrikam.com") || strings.HasSuffix(host, ".contoso.com")
	}
	asked := func(host string) bool { return host == "mail.example" }
	f.Fuzz(func(t *testing.T, led string) {
		if u, why := follow(target, led, asked); why == "" {
			again, err := url.Parse(u.String())
			if err != nil || !own(again.Hostname()) && !asked(again.Hostname()) || again.Port() != "" || again.User != nil || len(led) > maxURL {
				t.Errorf("%q leads to %q: %v", led, u, err)
			}
		}
		if host, port, foreign, why := redirectHost(target, led); foreign == (why == "") || why == "" && (!own(host) || port != 5061 && port != 443) {
			t.Errorf("%q leads to %q, port %d, foreign %t: %s", led, host, port, foreign, why)
		}
	})
}
