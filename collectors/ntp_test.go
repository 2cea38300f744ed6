package collectors

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/site"
)

// timeServer is one that answers, with its time right.
func timeServer(address, host string) facts.TimeServer {
	return facts.TimeServer{Hosts: []string{host}, Address: netip.MustParseAddrPort(address), Stratum: 3,
		Offset: time.Millisecond, RoundTrip: 2 * time.Millisecond, RootDistance: 3 * time.Millisecond}
}

func dc(change func(*facts.TimeServer)) facts.TimeServer {
	s := timeServer("192.168.7.5:123", "dc01.contoso.com")
	change(&s)
	return s
}

type ntpCase struct {
	name    string
	zone    zone
	servers []facts.TimeServer
	want    []string
}

func ntpCases() []ntpCase {
	internet := timeServer("192.0.2.123:123", "time.windows.com")
	both := contoso().but(zone{windows: addresses("192.0.2.123")})
	fine := dc(func(*facts.TimeServer) {})
	off := dc(func(s *facts.TimeServer) { s.Offset = -DefaultMaxOffset })
	silent := dc(func(s *facts.TimeServer) { s.Err = "i/o timeout" })
	two := contoso().but(zone{dcA: addresses("192.168.7.5", "192.168.7.6")})
	unanswered := zone{ntpSRV: outcome(facts.Timeout), windows: outcome(facts.Timeout)}
	cases := []ntpCase{
		{"healthy", contoso(), []facts.TimeServer{fine}, nil},
		{"healthy, with the Internet", both, []facts.TimeServer{fine, internet}, nil},
		{"no source", contoso().without(ntpSRV), nil, []string{"time_source_missing"}},
		{"only the Internet", both.without(ntpSRV), []facts.TimeServer{internet}, nil},
		{"names unanswered", unanswered, nil, []string{"time_names_unanswered"}},
		{"the target's name unanswered", contoso().but(zone{dcA: outcome(facts.ServFail)}), nil, []string{"time_names_unanswered"}},
		{"time.windows.com unanswered", contoso().but(zone{windows: outcome(facts.Timeout)}), []facts.TimeServer{fine}, nil},
		{"time.windows.com unanswered, no SRV", contoso().without(ntpSRV).but(zone{windows: outcome(facts.Timeout)}), nil, []string{"time_source_missing"}},
		{"target without an address", contoso().but(zone{dcA: outcome(facts.NXDomain)}), nil, []string{"time_unreachable", "time_unavailable"}},
		{"target is the root", contoso().but(zone{ntpSRV: services(0, "")}), nil, []string{"time_unreachable", "time_unavailable"}},
		{"silent", contoso(), []facts.TimeServer{silent}, []string{"time_silent", "time_unavailable"}},
		{"silent, but the Internet answers", both, []facts.TimeServer{silent, internet}, []string{"time_silent"}},
		{"off by as much as is wrong", contoso(), []facts.TimeServer{off}, []string{"time_off"}},
		{"off by a little less", contoso(), []facts.TimeServer{dc(func(s *facts.TimeServer) { s.Offset = DefaultMaxOffset - 1 })}, nil},
		{"off, and a phone does not ask on", both, []facts.TimeServer{off, internet}, []string{"time_off"}},
		{"one address off", two, []facts.TimeServer{off, timeServer("192.168.7.6:123", "dc01.contoso.com")}, []string{"time_server_off"}},
		{"one address off, one silent", two, []facts.TimeServer{off,
			{Hosts: []string{"dc01.contoso.com"}, Address: netip.MustParseAddrPort("192.168.7.6:123"), Err: "i/o timeout"}},
			[]string{"time_off", "time_silent"}},
		{"another port of the same host is another server", contoso(), []facts.TimeServer{timeServer("192.168.7.5:1123", "dc01.contoso.com")},
			[]string{"time_unavailable"}},
	}
	for name, bad := range map[string]struct {
		reason string
		change func(*facts.TimeServer)
	}{
		"refuses the packet":         {"time_unreachable", func(s *facts.TimeServer) { s.Err, s.Closed = "connection refused", true }},
		"babbles":                    {"time_malformed", func(s *facts.TimeServer) { s.Err, s.Malformed = "no NTP", true }},
		"leap indicator 3":           {"time_unsynchronised", func(s *facts.TimeServer) { s.Leap = 3 }},
		"stratum 16":                 {"time_unsynchronised", func(s *facts.TimeServer) { s.Stratum = 16 }},
		"stratum 0 without a code":   {"time_unsynchronised", func(s *facts.TimeServer) { s.Stratum = 0 }},
		"INIT":                       {"time_unsynchronised", func(s *facts.TimeServer) { s.Stratum, s.KissCode = 0, "INIT" }},
		"STEP":                       {"time_unsynchronised", func(s *facts.TimeServer) { s.Stratum, s.KissCode = 0, "STEP" }},
		"RATE":                       {"time_kiss", func(s *facts.TimeServer) { s.Stratum, s.KissCode = 0, "RATE" }},
		"DENY":                       {"time_kiss", func(s *facts.TimeServer) { s.Stratum, s.KissCode = 0, "DENY" }},
		"unsynchronised and far off": {"time_unsynchronised", func(s *facts.TimeServer) { s.Leap, s.Offset = 3, time.Hour }},
	} {
		cases = append(cases,
			ntpCase{name, contoso(), []facts.TimeServer{dc(bad.change)}, []string{bad.reason, "time_unavailable"}},
			ntpCase{name + ", the Internet helps", both, []facts.TimeServer{dc(bad.change), internet}, []string{bad.reason}})
	}
	return cases
}

func TestJudgeTime(t *testing.T) {
	produced := map[string]bool{}
	for _, tt := range ntpCases() {
		t.Run(tt.name, func(t *testing.T) {
			target := contosoTarget("ntp", site.Internal)
			seen := &facts.Time{Names: walked(target, tt.zone), Servers: tt.servers}
			compareReasons(t, tt.want, judgeTime(target, seen), produced)
		})
	}
	everyReasonProduced(t, NTP(), produced)
}

// TestJudgeTimeByFirmware has a source that only the oldest firmware asks first.
func TestJudgeTimeByFirmware(t *testing.T) {
	target := contosoTarget("ntp", site.Internal)
	wrong := timeServer("192.0.2.123:123", "time.windows.com")
	wrong.Offset = time.Hour
	seen := &facts.Time{
		Names:   walked(target, contoso().but(zone{windows: addresses("192.0.2.123")})),
		Servers: []facts.TimeServer{dc(func(*facts.TimeServer) {}), wrong},
	}
	got := judgeTime(target, seen)
	if want := "firmware 1.0.199.123: 192.0.2.123:123 (time.windows.com) is off by 1h0m0s"; len(got) != 1 || got[0].Err.Error() != want {
		t.Errorf("%v, want only %s", got, want)
	}
	target.Firmware = target.Firmware[1:]
	if got := judgeTime(target, seen); got != nil {
		t.Errorf("without that firmware: %v", got)
	}
}

func TestTimeServersAreBoundedAndEachOnce(t *testing.T) {
	target := contosoTarget("ntp", site.Internal)
	z := contoso().but(zone{windows: addresses("192.168.7.5")})
	got := timeServers(target, walked(target, z))
	want := []facts.TimeServer{{Hosts: []string{"dc01.contoso.com", "time.windows.com"}, Address: netip.MustParseAddrPort("192.168.7.5:123")}}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("two names of one address (-want +got):\n%s", diff)
	}
	many := services(123)
	for i := range 3 * maxTimeServers {
		host := fmt.Sprintf("t%d.contoso.com", i)
		many.Services = append(many.Services, phone.Service{Target: host, Port: 123})
		z["A "+host] = facts.Lookup{Outcome: facts.Answered}
		for j := range 2 {
			l := z["A "+host]
			l.Addresses = append(l.Addresses, netip.AddrFrom4([4]byte{10, 0, byte(i), byte(j)}))
			z["A "+host] = l
		}
	}
	z[ntpSRV] = many
	got = timeServers(target, walked(target, z))
	if len(got) != maxTimeServers {
		t.Errorf("%d servers are asked, want %d", len(got), maxTimeServers)
	}
	if !slices.IsSortedFunc(got, func(a, b facts.TimeServer) int { return a.Address.Compare(b.Address) }) {
		t.Error("not in a steady order")
	}
}

// TestTimeServersOfEveryResolver are asked, also of one that comes second and answers otherwise.
func TestTimeServersOfEveryResolver(t *testing.T) {
	target := contosoTarget("ntp", site.Internal)
	names := walked(target, contoso())
	names.Walks = append(names.Walks, walked(target, contoso().but(zone{windows: addresses("192.0.2.66")})).Walks...)
	var got []string
	for _, s := range timeServers(target, names) {
		got = append(got, s.Address.String())
	}
	if len(got) < 2 || !slices.Contains(got, "192.0.2.66:123") {
		t.Errorf("asked are %v, want the second resolver's 192.0.2.66:123 too", got)
	}
}

// TestEmitNTP: no offset is told of a server that says itself that it has none to give.
func TestEmitNTP(t *testing.T) {
	env := testEnv(t)
	env.Target = contosoTarget("ntp", site.Internal)
	unsynchronised := timeServer("192.168.7.6:123", "dc02.contoso.com")
	unsynchronised.Stratum, unsynchronised.Leap = 16, 3
	silent := facts.TimeServer{Hosts: []string{"dc03.contoso.com"}, Address: netip.MustParseAddrPort("192.168.7.7:123"), Err: "i/o timeout"}
	emitNTP(env, []facts.TimeServer{dc(func(*facts.TimeServer) {}), unsynchronised, silent})
	got := map[string]float64{}
	for _, s := range env.Samples() {
		got[s.Desc.Name+" "+strings.Join(s.Labels[2:], " ")] = s.Value
	}
	want := map[string]float64{
		"cx700_ntp_server_info 192.168.7.5:123 dc01.contoso.com": 1, "cx700_ntp_stratum 192.168.7.5:123": 3,
		"cx700_ntp_leap_indicator 192.168.7.5:123": 0, "cx700_ntp_round_trip_seconds 192.168.7.5:123": 0.002,
		"cx700_ntp_offset_seconds 192.168.7.5:123": 0.001, "cx700_ntp_root_distance_seconds 192.168.7.5:123": 0.003,
		"cx700_ntp_server_info 192.168.7.6:123 dc02.contoso.com": 1, "cx700_ntp_stratum 192.168.7.6:123": 16,
		"cx700_ntp_leap_indicator 192.168.7.6:123": 3, "cx700_ntp_round_trip_seconds 192.168.7.6:123": 0.002,
		"cx700_ntp_server_info 192.168.7.7:123 dc03.contoso.com": 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestExplainNTP(t *testing.T) {
	target := contosoTarget("ntp", site.Internal)
	kissed := dc(func(s *facts.TimeServer) { s.Stratum, s.KissCode = 0, "RATE" })
	var out strings.Builder
	explainNTP(&out, target, &facts.Seen{Time: &facts.Time{
		Names: walked(target, contoso().but(zone{windows: addresses("192.0.2.123")})), Servers: []facts.TimeServer{kissed}}})
	for _, want := range []string{
		"dc01.contoso.com:123 priority 0 weight 0", "sources in the order srv_first\n  1. dc01.contoso.com port 123, by _ntp._udp.contoso.com",
		"sources in the order windows_first\n  1. time.windows.com port 123", "192.168.7.5:123 (dc01.contoso.com)\n        kiss-o'-death RATE",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, &out)
		}
	}
	if strings.Contains(out.String(), "autodiscover") {
		t.Errorf("names that are not for the time:\n%s", &out)
	}
}
