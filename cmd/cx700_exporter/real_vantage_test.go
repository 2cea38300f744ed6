//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cx700/cx700_exporter/internal/bed"
)

// vantageSite has references in both networks. One time server inside has a name, the other stands outside: the bed has
// two, and the monitor reaches both.
const vantageSite = `vantage:
  internal: {names: [fabrikam.com, a.root-servers.net], resolvers: [192.168.7.5, 192.168.7.6], time_servers: [time.windows.com, 203.0.113.20]}
  external: {names: [sip.fabrikam.com]}
collectors:
  vantage: {interval: 1s}
`

// vantageFault is what breaks, and what the program says of it by network.
type vantageFault struct {
	name         string
	does, undoes func(context.Context, *bed.Bed) error
	want         []string
}

func vantageFaults() []vantageFault {
	clocks := []bed.Host{bed.NTPInside, bed.NTPOutside}
	everything := slices.Concat(insideResolvers, clocks)
	skew := func(by time.Duration) func(context.Context, *bed.Bed, bed.Host) error {
		return func(ctx context.Context, b *bed.Bed, h bed.Host) error { return b.SkewClock(ctx, h, by) }
	}
	heal := func(ctx context.Context, b *bed.Bed, h bed.Host) error { return b.HealNTP(ctx, h) }
	unsynchronise := func(ctx context.Context, b *bed.Bed, h bed.Host) error { return b.Unsynchronise(ctx, h) }
	card := func(state string, cards ...string) func(context.Context, *bed.Bed) error {
		return func(ctx context.Context, b *bed.Bed) error {
			var errs []error
			for _, c := range cards {
				errs = append(errs, b.Command(ctx, bed.Monitor, "ip", "link", "set", c, state).Run())
			}
			return errors.Join(errs...)
		}
	}
	return []vantageFault{
		{"resolvers and time servers are silent", each(everything, pause), each(everything, resume), []string{"internal/vantage/vantage_lost"}},
		{"resolvers and time servers are killed", each(everything, kill), each(everything, restart), []string{"internal/vantage/vantage_lost"}},
		{"resolvers alone", each(insideResolvers, kill), each(insideResolvers, restart), []string{"internal/vantage/vantage_reference_silent"}},
		{"one resolver", each(insideResolvers[1:], pause), each(insideResolvers[1:], resume), []string{"internal/vantage/vantage_reference_silent"}},
		{"resolver outside", each([]bed.Host{bed.DNSOutside}, pause), each([]bed.Host{bed.DNSOutside}, resume), []string{"external/vantage/vantage_lost"}},
		{"the monitor's cards", card("down", "eth0", "eth1"), card("up", "eth0", "eth1"),
			[]string{"external/vantage/vantage_lost", "internal/vantage/vantage_lost"}},
		{"both clocks ahead", each(clocks, skew(7*time.Minute)), each(clocks, heal), []string{"internal/vantage/vantage_clock_off"}},
		{"both clocks behind", each(clocks, skew(-time.Hour)), each(clocks, heal), []string{"internal/vantage/vantage_clock_off"}},
		{"both clocks off by less", each(clocks, skew(4*time.Minute)), each(clocks, heal), nil},
		{"one clock ahead", each(clocks[:1], skew(7*time.Minute)), each(clocks, heal), []string{"internal/vantage/vantage_reference_off"}},
		{"unsynchronised", each(clocks, unsynchronise), each(clocks, heal), []string{"internal/vantage/vantage_reference_silent"}},
	}
}

// TestRealVantage looks at the program's own network and clock by BIND and chrony: healthy, with each break alone,
// healed. The series and the command say the same.
func TestRealVantage(t *testing.T) {
	r := newRig(t)
	text := "sites:\n  - {name: guide, sip_domain: fabrikam.com, dhcp: {domain: contoso.com, dns_servers: [192.168.7.5, 192.168.7.6]}," +
		" networks: {external: {resolvers: [203.0.113.5]}}}\n" + vantageSite
	e := r.serve(t, siteFile(t, text))
	says := func(want []string) func() error {
		return func() error {
			scrape := e.get(t, "/metrics")
			got := slices.DeleteFunc(failing(scrape), func(f string) bool { return !strings.Contains(f, "/vantage/") })
			slices.Sort(got)
			if diff := cmp.Diff(want, got, cmp.Transformer("nil", func(s []string) []string { return append([]string{}, s...) })); diff != "" {
				return fmt.Errorf("reasons (-want +got):\n%s", diff)
			}
			ok := map[string]float64{`network="internal"`: 1, `network="external"`: 1}
			for _, w := range want {
				network, reason, _ := strings.Cut(w, "/vantage/")
				if reason == "vantage_lost" || reason == "vantage_clock_off" {
					ok[`network="`+network+`"`] = 0
				}
			}
			if diff := cmp.Diff(ok, series(t, scrape, "cx700_vantage_ok")); diff != "" {
				return fmt.Errorf("cx700_vantage_ok (-want +got):\n%s", diff)
			}
			return nil
		}
	}
	within(t, "healthy", 10*time.Second, says(nil))
	for _, f := range vantageFaults() {
		t.Run(f.name, func(t *testing.T) {
			must(t, f.does(t.Context(), r.Bed))
			t.Logf("told after %s", within(t, "broken", slack, says(f.want)).Round(time.Millisecond))
			_, text := r.ran(t, "probe", "vantage", "--site=guide", "--config.file="+e.file)
			if f.want == nil && strings.Count(text, "\n"+goodOutcome) != 2 {
				t.Errorf("the command finds something wrong:\n%s", text)
			}
			for _, w := range f.want {
				if _, reason, _ := strings.Cut(w, "/vantage/"); !strings.Contains(text, reason+" (") {
					t.Errorf("the command does not tell %s:\n%s", reason, text)
				}
			}
			fits(t, "probe vantage", text)
			must(t, f.undoes(t.Context(), r.Bed))
			t.Logf("healed after %s", within(t, "healed", slack, says(nil)).Round(time.Millisecond))
		})
	}
}
