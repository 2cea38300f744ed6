//go:build linux

package main

import (
	"context"
	"testing"
	"time"

	"github.com/cx700/cx700_exporter/internal/bed"
)

// TestRealSIP lets a real Kamailio behind TLS 1.0 answer in each way, at the pool and at the Access Edge. Each way heals.
func TestRealSIP(t *testing.T) {
	r := newRig(t)
	e := r.serve(t, siteFile(t, r.guideSite(t, "1s")))
	e.healthy(t)
	for _, c := range []struct {
		name string
		set  bed.SIP
		want []string
	}{
		{"403", bed.SIP{Status: 403}, []string{"sip/sip_forbidden", "sip/sip_unavailable"}},
		{"release blocked", bed.SIP{Status: 403, Diagnostic: 17002, Agent: "CPE/1.0.199.123"}, []string{"sip/sip_version_blocked", "sip/sip_unavailable"}},
		{"filter overloaded", bed.SIP{Status: 403, Diagnostic: 17000}, []string{"sip/sip_filter_trouble", "sip/sip_unavailable"}},
		{"no such user", bed.SIP{Status: 404, Diagnostic: 4005}, []string{"sip/sip_user_unknown"}},
		{"domain not served", bed.SIP{Status: 404, Diagnostic: 1005}, []string{"sip/sip_domain_not_served", "sip/sip_unavailable"}},
		{"time skew", bed.SIP{Status: 401, Diagnostic: 1013}, []string{"sip/sip_time_skew", "sip/sip_unavailable"}},
		{"clock", bed.SIP{Clock: 420}, []string{"sip/sip_clock_off", "sip/sip_unavailable"}},
		{"no Windows logon", bed.SIP{BasicOnly: true}, []string{"sip/sip_no_windows_logon", "sip/sip_unavailable"}},
		{"led to itself", bed.SIP{Status: 301, Contact: "sip.fabrikam.com:5061"}, []string{"sip/sip_redirect_circle", "sip/sip_unavailable"}},
		{"led elsewhere", bed.SIP{Status: 302, Contact: "pool.evil.example:5061"}, []string{"sip/sip_redirect_lost", "sip/sip_unavailable"}},
		{"489", bed.SIP{Status: 489}, []string{"sip/sip_bad_event", "sip/sip_unavailable"}},
		{"503", bed.SIP{Status: 503}, []string{"sip/sip_overloaded", "sip/sip_unavailable"}},
		{"504", bed.SIP{Status: 504, Diagnostic: 1010}, []string{"sip/sip_next_hop", "sip/sip_unavailable"}},
		{"500", bed.SIP{Status: 500}, []string{"sip/sip_server_error", "sip/sip_unavailable"}},
		{"200 without a logon", bed.SIP{Status: 200}, []string{"sip/sip_anonymous"}},
		{"silent", bed.SIP{Silent: true}, []string{"sip/sip_silent", "sip/sip_unavailable"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			set := func(s bed.SIP) func(context.Context, *bed.Bed) error {
				return func(ctx context.Context, b *bed.Bed) error { return b.SetSIP(ctx, bed.Pool, s) }
			}
			testFault(t, e, realFault{name: c.name, want: on("internal", c.want), breaks: set(c.set), heals: set(bed.SIP{})}, time.Second)
		})
	}
	t.Run("the edge", func(t *testing.T) {
		set := func(s bed.SIP) func(context.Context, *bed.Bed) error {
			return func(ctx context.Context, b *bed.Bed) error { return b.SetSIP(ctx, bed.Edge, s) }
		}
		testFault(t, e, realFault{
			name: "the edge", want: on("external", []string{"sip/sip_overloaded", "sip/sip_unavailable"}),
			breaks: set(bed.SIP{Status: 503}), heals: set(bed.SIP{}),
		}, time.Second)
	})
	if code := e.stop(t); code != exitGood {
		t.Errorf("SIGTERM: exit code %d", code)
	}
}
