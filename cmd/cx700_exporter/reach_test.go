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
		"DISCOVER is a broadcast, which loopback has not, and takes a privilege that the lab does without": {
			"dhcp_no_offer", "dhcp_server_unexpected"},
		"who may use port 68 is up to who starts the lab: root may": {"dhcp_not_permitted"},
		"it takes most of the time that a look may take":            {"probe_delayed", "resolver_slow"},
		"there is always a route to loopback":                       {"resolver_no_route"},
		"the lab has no KDC": {
			"account_revoked", "account_unknown", "certsrv_logon_failed", "certsrv_logon_refused", "certsrv_ntlm_only",
			"kerberos_clock_skew", "kerberos_principal_unknown", "kerberos_rc4", "kerberos_unavailable"},
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
