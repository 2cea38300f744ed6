package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var trustedSeries = regexp.MustCompile(
	`(?m)^cx700_pool_trusted\{address="[\d.]+:(\d+)",firmware="3.5.6907.35",network="(\w+)",phone="(\w+)",site="headquarters"\} (\d)$`)

var validSeries = regexp.MustCompile(
	`(?m)^cx700_signin_valid_until_timestamp_seconds\{firmware="3.5.6907.35",network="internal",phone="enrolled",site="headquarters"\} (\S+)$`)

// TestLabTrust breaks the lab, and reads in its series which phones trust the pool still.
func TestLabTrust(t *testing.T) {
	const outside = "external enrolled 443 1"
	stops := map[string]string{
		"pool_wrong_name": `reason="name_mismatch",site="headquarters",step="trust"`, "pool_expired": `reason="link_expired",site="headquarters",step="trust"`,
		"pool_hardened": `reason="tls_hardened",site="headquarters",step="tls"`, "ad_ca_wrong": `reason="unknown_root",site="headquarters",step="trust"`,
	}
	for fault, want := range map[string][]string{
		"pool_phone_only": {outside, "internal enrolled 5061 1", "internal new 5061 1"},
		"pool_wrong_name": {outside, "internal enrolled 5061 0", "internal new 5061 0"},
		"pool_expired":    {outside, "internal enrolled 5061 0", "internal new 5061 0"},
		"pool_hardened":   {outside},
		"ad_ca_hidden":    {outside, "internal enrolled 5061 1"},
		"ad_bind_refused": {outside, "internal enrolled 5061 1"},
		"ad_ca_empty":     {outside, "internal enrolled 5061 1"}, // the CA's web page may give new phones a root
		"ad_ca_wrong":     {"external enrolled 443 0", "internal enrolled 5061 0", "internal new 5061 0"},
	} {
		t.Run(fault, func(t *testing.T) {
			p := started(t, "lab", "--fault="+fault)
			p.reported()
			var got []string
			scrape := p.get("/metrics")
			for _, m := range trustedSeries.FindAllStringSubmatch(scrape, -1) {
				got = append(got, fmt.Sprintf("%s %s %s %s", m[2], m[3], m[1], m[4]))
			}
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if ends := validSeries.MatchString(scrape); ends == slices.Contains([]string{"pool_wrong_name", "pool_hardened", "ad_ca_wrong"}, fault) {
				t.Errorf("it is told when the certificates end: %t", ends)
			}
			blocked := strings.Contains(scrape, "\ncx700_signin_blocked_info{")
			if reason := stops[fault]; blocked != (reason != "") || !strings.Contains(scrape, reason+"} 1") && blocked {
				t.Errorf("cx700_signin_blocked_info: %t, want it with %q", blocked, reason)
			}
			page := p.get("/probe?site=headquarters&collector=pool&network=internal")
			if !strings.Contains(page, "what phones make of it\n") {
				t.Errorf("the page says nothing of trust:\n%s", page)
			}
			for line := range strings.Lines(page) {
				if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 100 {
					t.Errorf("%d columns: %s", n, line)
				}
			}
		})
	}
}
