package main

import (
	"maps"
	"slices"
	"testing"

	"github.com/cx700/cx700_exporter/collectors"
	"github.com/cx700/cx700_exporter/internal/lab"
)

// beyondTheLab lists the reasons that no fault of the lab gives, by why a company on loopback cannot. The tests of the
// collectors give each of them, and most are found at real servers as well.
func beyondTheLab() map[string][]string {
	return map[string][]string{
		"our own fault": {"internal"},
		"nothing on loopback hears a broadcast, and the lab has no interface to ask on": {
			"dhcp_no_offer", "dhcp_not_asked", "dhcp_server_unexpected"},
		"the lab's servers answer on any port, so that no privilege is needed": {"dhcp_not_permitted"},
		"a server to which the site file leads by its address holds its port as long as the lab runs": {
			"dhcp_server_unreachable", "resolver_unreachable", "wins_unreachable"},
		"a search list in the site file would leave no site good: each form of option 119 is noted": {
			"dhcp_search_differs", "dhcp_search_missing"},
		"the lab's site file gives no NetBIOS domain to log on to": {"wins_name_missing"},
		"it takes most of the time that a look may take":           {"probe_delayed", "resolver_slow"},
		"there is always a route to loopback":                      {"resolver_no_route"},
		"the lab has no KDC": {
			"account_revoked", "account_unknown", "certsrv_logon_failed", "certsrv_logon_refused", "certsrv_ntlm_only",
			"kerberos_clock_skew", "kerberos_principal_unknown", "kerberos_rc4", "kerberos_unavailable"},
		"the lab's site file has an account for Active Directory": {"certsrv_not_watched", "roots_not_watched"},
		"the lab's site file has an account for nothing else, since the lab plays no NTLM": {
			"autodiscover_refuses", "ews_failed", "ews_foreign", "ews_missing", "exchange_logon_failed", "exchange_untrusted",
			"update_logon_failed", "update_untrusted"},
		"the lab's site file has no template of a request for updates": {"update_post_refused", "update_template_unusable"},
		"the lab's site file sets no rate of its own":                  {"download_limited"},
	}
}

// TestEveryReasonHasAFault: whoever learns by the lab meets every reason there, but for those that it cannot give.
func TestEveryReasonHasAFault(t *testing.T) {
	given := map[string]bool{}
	for _, f := range lab.Faults() {
		for _, name := range slices.Concat(append(slices.Collect(maps.Values(f.Also)), f.Reasons)...) {
			given[name] = true
		}
	}
	beyond := slices.Concat(slices.Collect(maps.Values(beyondTheLab()))...)
	known := map[string]bool{"internal": true} // of every collector
	for _, c := range collectors.All() {
		for _, r := range c.Reasons {
			known[r.Name] = true
			if given[r.Name] == slices.Contains(beyond, r.Name) {
				t.Errorf("%s of %s: a fault gives it %t, listed as beyond the lab %t", r.Name, c.Name, given[r.Name], slices.Contains(beyond, r.Name))
			}
		}
	}
	for _, name := range slices.Concat(beyond, slices.Collect(maps.Keys(given))) {
		if !known[name] {
			t.Errorf("%s is no collector's reason", name)
		}
	}
}
