package collectors

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/reach"
	"github.com/cx700/cx700_exporter/internal/site"
)

// referenceNames is one resolver for each list, with the outcomes of its names.
func referenceNames(resolvers ...[]facts.Outcome) *facts.Names {
	out := &facts.Names{}
	for i, outcomes := range resolvers {
		walk := facts.Walk{Resolver: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 168, 7, byte(5 + i)}), dnsPort)}
		for j, o := range outcomes {
			walk.Lookups = append(walk.Lookups, facts.Lookup{Name: string(rune('a'+j)) + ".root-servers.net", Type: phone.A, Outcome: o})
		}
		out.Walks = append(out.Walks, walk)
	}
	return out
}

// references are time servers with these offsets; one that is zero is silent.
func references(offsets ...time.Duration) []facts.TimeServer {
	var out []facts.TimeServer
	for i, offset := range offsets {
		s := facts.TimeServer{Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 168, 7, byte(20 + i)}), ntpPort), Offset: offset, Stratum: 3}
		if offset == 0 {
			s.Err = "i/o timeout"
		}
		out = append(out, s)
	}
	return out
}

func TestJudgeVantage(t *testing.T) {
	const fine, off, behind = time.Millisecond, DefaultMaxOffset, -DefaultMaxOffset
	good := referenceNames([]facts.Outcome{facts.Answered})
	dead := referenceNames([]facts.Outcome{facts.Timeout, facts.Unreachable}, []facts.Outcome{facts.ServFail, facts.NotAsked})
	unsynchronised := references(off, off)
	unsynchronised[0].Leap, unsynchronised[1].Stratum = 3, 16
	produced := map[string]bool{}
	for _, tt := range []struct {
		name    string
		names   *facts.Names
		servers []facts.TimeServer
		want    []string
	}{
		{"all good", good, references(fine, -fine), nil},
		{"no time servers", good, nil, nil},
		{"no names", &facts.Names{}, references(fine, fine), nil},
		{"a name that is not there is an answer", referenceNames([]facts.Outcome{facts.NXDomain}, []facts.Outcome{facts.Empty}), nil, nil},
		{"nothing answers", dead, references(0, 0), []string{"vantage_lost"}},
		{"no name is answered, nor any other asked", dead, nil, []string{"vantage_lost"}},
		{"no time server answers, nor anything else is asked", &facts.Names{}, references(0, 0), []string{"vantage_lost"}},
		{"one of four names is answered", referenceNames([]facts.Outcome{facts.Timeout, facts.Timeout}, []facts.Outcome{facts.NXDomain, facts.Timeout}),
			nil, []string{"vantage_reference_silent"}},
		{"only one time server answers", dead, references(0, fine), []string{"vantage_reference_silent"}},
		{"all time servers are silent", good, references(0, 0), []string{"vantage_reference_silent"}},
		{"one that has no time itself is an answer", dead, unsynchronised, []string{"vantage_reference_silent"}},
		{"the clock is off", good, references(off, off), []string{"vantage_clock_off"}},
		{"off by a little less", good, references(off-1, off-1), nil},
		{"most agree", good, references(off, off, fine), []string{"vantage_clock_off"}},
		{"half agree", good, references(off, off, fine, fine), []string{"vantage_reference_off"}},
		{"off to both sides", good, references(off, behind), []string{"vantage_reference_off"}},
		{"most to one side", good, references(behind, behind, off), []string{"vantage_clock_off"}},
		{"one is off", good, references(off, fine, fine), []string{"vantage_reference_off"}},
		{"the only one that answers", good, references(behind, 0), []string{"vantage_reference_off", "vantage_reference_silent"}},
		{"off by two, and one silent", good, references(behind, behind, 0), []string{"vantage_clock_off", "vantage_reference_silent"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			compareReasons(t, tt.want, judgeVantage(&facts.Vantage{Names: tt.names, Servers: tt.servers, MaxOffset: DefaultMaxOffset}), produced)
		})
	}
	everyReasonProduced(t, Vantage(), produced)
}

// TestVantageSaysWhat holds the texts to naming each reference and what it did.
func TestVantageSaysWhat(t *testing.T) {
	servers := append(references(7*time.Minute, -8*time.Minute), facts.TimeServer{Hosts: []string{"ntp02.contoso.com"}, Err: "no address was found: nxdomain"})
	v := &facts.Vantage{Names: referenceNames([]facts.Outcome{facts.Answered, facts.ServFail}), Servers: servers, MaxOffset: DefaultMaxOffset}
	var got []string
	for _, f := range judgeVantage(v) {
		got = append(got, f.Error())
	}
	want := []string{
		"vantage_reference_silent: resolver 192.168.7.5:53: b.root-servers.net: servfail; time server ntp02.contoso.com: no address was found: nxdomain",
		"vantage_reference_off: by 192.168.7.20:123 the exporter's clock is 7m0s behind; by 192.168.7.21:123 the exporter's clock is 8m0s ahead",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	servers[0].Hosts = []string{"ntp01.contoso.com"}
	var out strings.Builder
	explainVantage(&out, nil, &facts.Seen{Vantage: v})
	for _, want := range []string{"resolver 192.168.7.5:53\n  A   a.root-servers.net\n", "  ntp01.contoso.com (192.168.7.20:123)\n        offset 7m0s", "  ntp02.contoso.com\n        no address"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, &out)
		}
	}
}

// TestVantageIsOneTargetForAllSites, whatever else differs between them.
func TestVantageIsOneTargetForAllSites(t *testing.T) {
	vantage := site.Vantage{Names: []string{"a.root-servers.net"}, Resolvers: []netip.AddrPort{netip.MustParseAddrPort("192.168.7.5:53")}}
	one := site.Network{Name: site.Internal, Vantage: vantage, ConnectTo: []site.ConnectTo{{ToHost: "127.0.0.1"}}}
	other := site.Network{Name: site.Internal, Vantage: vantage, Resolvers: vantage.Resolvers}
	a := Vantage().Targets(&site.Site{Name: "a", Domains: phone.Domains{SIP: "contoso.com"}}, one)
	b := Vantage().Targets(&site.Site{Name: "b"}, other)
	if len(a) != 1 || len(b) != 1 || a[0].Key() != b[0].Key() {
		t.Errorf("%+v\nand %+v", a, b)
	}
	if a[0].MaxOffset != DefaultMaxOffset {
		t.Errorf("max offset %s", a[0].MaxOffset)
	}
	other.Name = site.External
	if c := Vantage().Targets(&site.Site{}, other); c[0].Key() == a[0].Key() {
		t.Error("both networks have one target")
	}
	if got := Vantage().Targets(&site.Site{}, site.Network{Name: site.Internal}); got != nil {
		t.Errorf("without references: %+v", got)
	}
}

// TestProbeVantage asks closed ports: nothing answers, and the series, which has no target, says so.
func TestProbeVantage(t *testing.T) {
	closed := netip.MustParseAddrPort("127.0.0.1:9")
	env := testEnv(t)
	vantage := site.Vantage{
		Names: []string{"a.root-servers.net", "contoso.com"}, Resolvers: []netip.AddrPort{closed},
		TimeServers: []site.TimeServer{{Name: "ntp02.contoso.com"}, {Address: closed}},
	}
	env.Target = &Target{Network: site.External, Name: vantageTarget, Way: reach.Way{Resolvers: vantage.Resolvers}, Vantage: &vantage, MaxOffset: DefaultMaxOffset}
	var seen facts.Seen
	failures := Failures(probeVantage(t.Context(), env, &seen))
	if len(failures) != 1 || failures[0].Reason != reasonVantageLost {
		t.Errorf("%v, want vantage_lost alone", failures)
	}
	samples := env.Samples()
	if len(samples) != 1 || samples[0].Value != 0 {
		t.Fatalf("%+v, want one series, 0", samples)
	}
	if diff := cmp.Diff([]string{"external"}, samples[0].Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	if got := len(seen.Vantage.Names.Walks[0].Lookups); got != 2 {
		t.Errorf("%d names were asked, want 2", got)
	}
}
