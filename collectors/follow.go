package collectors

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/cx700/cx700_exporter/internal/phone"
)

// maxURL bounds the length of a URL that an answer names.
const maxURL = 512

// follow takes a URL of an answer apart, or says why it is not followed. No answer may aim us at other servers:
// it may lead to hosts that are asked anyway, and into the site's own domains.
func follow(t *Target, address string, asked func(host string) bool) (u *url.URL, why string) {
	u, err := url.Parse(address)
	switch {
	case err != nil || len(address) > maxURL:
		return nil, "no URL"
	case u.Scheme != "http" && u.Scheme != "https", u.User != nil, u.RawQuery != "", u.Fragment != "", u.Opaque != "":
		return nil, "no plain address by http or https"
	}
	port := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	if p := u.Port(); p != "" && p != port {
		return nil, "another port than " + port
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if !asked(host) && !ownHost(t, host) {
		return nil, "its host is neither one that is asked anyway nor in the site's domains"
	}
	u.Host = host
	if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
		u.Host = "[" + host + "]"
	}
	return u, ""
}

// ownHost tells whether a host lies in the site's domains. Addresses lie in none.
func ownHost(t *Target, host string) bool {
	_, err := netip.ParseAddr(host)
	d := t.Domains
	return err != nil && hostForm().MatchString(host) && slices.ContainsFunc([]string{d.SIP, d.DHCP, d.SMTP, d.Logon}, func(domain string) bool {
		return strings.Contains(domain, ".") && phone.Within(host, domain)
	})
}
