package schedule

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/cx700/cx700_exporter/collectors"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/site"
)

// TestTargetsHaveOneNameOnEveryShard: what is told apart in one exporter is told apart by the same names when the two are
// on different shards, whose series stand side by side in Prometheus. That of the exporter's own place is on all.
func TestTargetsHaveOneNameOnEveryShard(t *testing.T) {
	server := netip.MustParseAddrPort(resolver)
	of := func(name, domain, smtp string) *site.Site {
		return &site.Site{Name: name, Domains: phone.Domains{SIP: "sip.example", SMTP: smtp, DHCP: domain, Logon: domain}, Networks: []site.Network{
			{Name: site.Internal, Resolvers: []netip.AddrPort{server}, Vantage: site.Vantage{Names: []string{"contoso.com"}, Resolvers: []netip.AddrPort{server}}},
		}}
	}
	// Both ask one resolver for one mail domain, in the search list of two Active Directory domains.
	cfg := &site.Config{Sites: []*site.Site{of("oslo", "one.example", "mail.example"), of("bergen", "two.example", "mail.example"),
		of("hamar", "three.example", "three.example")}}
	names := func(cfg *site.Config) (out []string) {
		plan, err := NewPlan(cfg, collectors.All(), []site.NetworkName{site.Internal})
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range plan.Jobs {
			out = append(out, j.Target.Collector+" "+j.Target.Name)
		}
		return out
	}
	alone := names(cfg)
	const own, count = "vantage exporter", 3
	var sharded []string
	shards := map[int]bool{}
	for index := range count {
		for _, name := range names(cfg.Of(site.Shard{Index: index, Count: count})) {
			shards[index] = true
			if name != own {
				sharded = append(sharded, name)
			}
		}
	}
	alone = slices.DeleteFunc(alone, func(name string) bool { return name == own })
	slices.Sort(alone)
	slices.Sort(sharded)
	if len(shards) < 2 {
		t.Fatal("all sites are on one shard: give them other domains")
	}
	if !slices.Equal(alone, sharded) {
		t.Errorf("alone %q, on shards %q", alone, sharded)
	}
	if slices.Contains(sharded, "exchange mail.example@192.168.7.5") {
		t.Error("two targets go by one name")
	}
}
