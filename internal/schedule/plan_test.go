package schedule

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cx700/cx700_exporter/collectors"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/reach"
	"github.com/cx700/cx700_exporter/internal/site"
)

// resolver is that of the first of two sites.
const resolver = "192.168.7.5:53"

// twoSites have one domain; the second has the internal resolver that is given. Both are watched from
// outside by the same one.
func twoSites(second string) *site.Config {
	of := func(name, inside string) *site.Site {
		return &site.Site{Name: name, Domains: phone.Domains{SIP: "contoso.com"}, Networks: []site.Network{
			{Name: site.Internal, Resolvers: []netip.AddrPort{netip.MustParseAddrPort(inside)}},
			{Name: site.External, Resolvers: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.53:53")}},
		}}
	}
	return &site.Config{Sites: []*site.Site{of("oslo", resolver), of("bergen", second)}}
}

// byResolver has a target whose name does not tell by which resolver.
func byResolver() *collectors.Collector {
	c := fake("dns", good)
	c.Targets = func(s *site.Site, n site.Network) []collectors.Target {
		return []collectors.Target{{Collector: "dns", Network: n.Name, Name: s.Domains.SIP, Way: reach.Way{Resolvers: n.Resolvers}}}
	}
	return c
}

func newPlan(t *testing.T, cfg *site.Config, networks ...site.NetworkName) *Plan {
	t.Helper()
	plan, err := NewPlan(cfg, []*collectors.Collector{byResolver()}, networks)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func TestSitesShareEqualTargets(t *testing.T) {
	plan := newPlan(t, twoSites(resolver), site.Internal, site.External)
	if len(plan.Jobs) != 2 {
		t.Fatalf("%d targets, want one inside and one outside", len(plan.Jobs))
	}
	for _, j := range plan.Jobs {
		if diff := cmp.Diff([]string{"oslo", "bergen"}, j.Sites); diff != "" {
			t.Errorf("sites of %s (-want +got):\n%s", j.Target.Name, diff)
		}
	}
	if only := newPlan(t, twoSites(resolver), site.External); len(only.Jobs) != 1 ||
		only.Jobs[0].Target.Network != site.External {
		t.Errorf("watched from outside only, the plan has %d targets", len(only.Jobs))
	}
}

func TestTargetsOfOneNameAreToldApart(t *testing.T) {
	plan := newPlan(t, twoSites("192.168.8.5:53"), site.Internal, site.External)
	names := map[string]bool{}
	for _, j := range plan.Jobs {
		names[string(j.Target.Network)+" "+j.Target.Name] = true
		if marked := strings.HasPrefix(j.Target.Name, "contoso.com~"); marked != (j.Target.Network == site.Internal) {
			t.Errorf("%s is named %s", j.Target.Network, j.Target.Name)
		}
	}
	if len(names) != 3 {
		t.Errorf("the three targets go by the names %v", names)
	}
	again := newPlan(t, twoSites("192.168.8.5:53"), site.Internal, site.External)
	for i, j := range again.Jobs {
		if j.Target.Name != plan.Jobs[i].Target.Name {
			t.Errorf("named %s, and %s when planned again", plan.Jobs[i].Target.Name, j.Target.Name)
		}
	}
}

func TestSettingsOfTheFile(t *testing.T) {
	for _, tt := range []struct {
		name              string
		set               site.CollectorSettings
		interval, timeout time.Duration
	}{
		{"none", site.CollectorSettings{}, time.Minute, 10 * time.Second},
		{"both", site.CollectorSettings{Interval: 2 * time.Minute, Timeout: 20 * time.Second}, 2 * time.Minute, 20 * time.Second},
		{"a probe never outlasts its interval", site.CollectorSettings{Interval: 5 * time.Second}, 5 * time.Second, 5 * time.Second},
	} {
		cfg := twoSites(resolver)
		cfg.Collectors = map[string]site.CollectorSettings{"dns": tt.set}
		target := newPlan(t, cfg, site.Internal).Jobs[0].Target
		if target.Interval != tt.interval || target.Timeout != tt.timeout {
			t.Errorf("%s: every %s for %s, want %s and %s", tt.name, target.Interval, target.Timeout, tt.interval, tt.timeout)
		}
	}
}

// TestRateFits: a rate at which no image comes through in the time of a probe is refused.
func TestRateFits(t *testing.T) {
	for _, tt := range []struct {
		name string
		set  site.CollectorSettings
		fits bool
	}{
		{"as it comes", site.CollectorSettings{}, true},
		{"slow, with the time for it", site.CollectorSettings{MaxBytesPerSecond: 16 << 10}, true},
		{"too slow", site.CollectorSettings{MaxBytesPerSecond: 4 << 10}, false},
		{"too little time", site.CollectorSettings{Interval: 15 * time.Second}, false},
		{"little time, but fast", site.CollectorSettings{Interval: 15 * time.Second, MaxBytesPerSecond: 4 << 20}, true},
	} {
		cfg := twoSites(resolver)
		cfg.Collectors = map[string]site.CollectorSettings{"firmware_download": tt.set}
		_, err := NewPlan(cfg, []*collectors.Collector{collectors.FirmwareDownload()}, []site.NetworkName{site.Internal})
		if (err == nil) != tt.fits || err != nil && !strings.Contains(err.Error(), "raise max_bytes_per_second") {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// TestPlanFaultsNameThePlace: what is wrong only beside defaults, or when a file is read, is told by line and key as well.
func TestPlanFaultsNameThePlace(t *testing.T) {
	const sites = "sites:\n  - name: a\n    sip_domain: fabrikam.com\n    dhcp: {domain: contoso.com, dns_servers: [192.168.7.5]}\n"
	for _, tt := range []struct{ file, want string }{
		{sites + "collectors:\n  dns: {timeout: 2m}\n",
			"cx700.yml:6: collectors.dns.timeout: 2m is longer than the interval, 30s by default; write interval too"},
		{sites + "collectors:\n  firmware_download: {max_bytes_per_second: 4096}\n",
			"cx700.yml:6: collectors.firmware_download: at 4096 bytes per second two images of 15 MiB take longer than the 1h of a probe; " +
				"raise max_bytes_per_second, or interval and timeout"},
		{sites + "    enrolled_roots: [testdata/none.pem]\n",
			"cx700.yml:5: sites[0].enrolled_roots: open testdata/none.pem: no such file or directory; name files of certificates that can be read"},
	} {
		cfg, err := site.Parse("cx700.yml", []byte(tt.file))
		if err != nil {
			t.Fatal(err)
		}
		_, err = NewPlan(cfg, collectors.All(), []site.NetworkName{site.Internal})
		if err == nil || err.Error() != tt.want || len(site.Faults(err)) != 1 {
			t.Errorf("%v\nwant %s", err, tt.want)
		}
	}
}

func TestFindAndPrint(t *testing.T) {
	cfg := twoSites(resolver)
	cfg.Collectors = map[string]site.CollectorSettings{"dns": {Interval: 90 * time.Second}}
	plan := newPlan(t, cfg, site.Internal, site.External)
	for _, tt := range []struct {
		site, network, collector string
		want                     int
	}{
		{"oslo", "", "", 2}, {"oslo", "external", "dns", 1}, {"oslo", "", "ntp", 0}, {"narvik", "", "", 0},
	} {
		if got := len(plan.Find(tt.site, tt.network, tt.collector)); got != tt.want {
			t.Errorf("%+v: found %d", tt, got)
		}
	}
	var out strings.Builder
	if err := plan.Print(&out, map[string]int{"bergen": 2}); err != nil {
		t.Fatal(err)
	}
	want := `oslo
  internal  contoso.com
    dns                every 1m30s, shared with 1 more
  external  contoso.com
    dns                every 1m30s, shared with 1 more
bergen, shard 2
  internal  contoso.com
    dns                every 1m30s, shared with 1 more
  external  contoso.com
    dns                every 1m30s, shared with 1 more
sites: 2, targets: 2
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSiteSeries(t *testing.T) {
	cfg := twoSites(resolver)
	cfg.Sites[0].Phones = 40
	h := newHarness(t, 1)
	defer h.Shared().Close()
	h.Swap(newPlan(t, cfg, site.Internal))
	want := map[string]float64{
		"cx700_config_sites{}": 2, "cx700_shard_info{0,1}": 1,
		"cx700_site_phones{oslo}":              40,
		"cx700_signin_objective_ratio{bergen}": 0, "cx700_signin_objective_ratio{oslo}": 0,
		"cx700_site_target_info{dns,internal,oslo,contoso.com}":   1,
		"cx700_site_target_info{dns,internal,bergen,contoso.com}": 1,
	}
	if diff := cmp.Diff(want, h.series()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
