package collectors

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/site"
)

func winsServer(o facts.Outcome, list ...string) facts.WINSServer {
	return facts.WINSServer{Address: netip.MustParseAddrPort("192.168.7.10:137"), Outcome: o, Addresses: addresses(list...).Addresses}
}

// winsTarget is one where users log on as that.
func winsTarget(logon string) *Target {
	t := contosoTarget("wins", site.Internal)
	t.Domains.Logon, t.Domains.DHCP = logon, "contoso.com"
	t.Domains.Search = []string{"com"}
	return t
}

func TestJudgeWINS(t *testing.T) {
	controllers := contoso().but(zone{"SRV _ldap._tcp.dc._msdcs.contoso.com": services(389, "dc01.contoso.com")})
	produced := map[string]bool{}
	for _, tt := range []struct {
		name, logon string
		zone        zone
		servers     []facts.WINSServer
		want        []string
	}{
		{"as DNS has it", "contoso", controllers, []facts.WINSServer{winsServer(facts.Answered, "192.168.7.5")}, nil},
		{"another controller", "contoso", controllers, []facts.WINSServer{winsServer(facts.Answered, "192.168.7.5", "192.168.7.66")}, []string{"wins_differs"}},
		{"fewer than DNS has", "contoso", controllers.but(zone{"A dc01.contoso.com": addresses("192.168.7.5", "192.168.7.6")}),
			[]facts.WINSServer{winsServer(facts.Answered, "192.168.7.6")}, nil},
		{"DNS has none", "contoso", contoso(), []facts.WINSServer{winsServer(facts.Answered, "192.168.7.5")}, nil},
		{"DNS does not answer for it", "contoso", controllers.but(zone{"A dc01.contoso.com": outcome(facts.Timeout)}),
			[]facts.WINSServer{winsServer(facts.Answered, "192.168.7.66")}, nil},
		{"unknown to WINS", "contoso", controllers, []facts.WINSServer{winsServer(facts.NXDomain)}, []string{"wins_name_missing"}},
		{"no address in WINS", "contoso", controllers, []facts.WINSServer{winsServer(facts.Empty)}, []string{"wins_name_missing"}},
		{"unknown to WINS, users log on with the DNS name", "contoso.com", controllers, []facts.WINSServer{winsServer(facts.NXDomain)}, []string{"wins_name_guessed"}},
		{"silent", "contoso", controllers, []facts.WINSServer{winsServer(facts.Timeout), winsServer(facts.Answered, "192.168.7.5")}, []string{"wins_silent"}},
		{"nothing listens", "contoso", controllers, []facts.WINSServer{winsServer(facts.Unreachable)}, []string{"wins_unreachable"}},
		{"babbles", "contoso", controllers, []facts.WINSServer{winsServer(facts.Malformed)}, []string{"wins_malformed"}},
		{"refuses", "contoso", controllers, []facts.WINSServer{winsServer(facts.Refused)}, []string{"wins_refused"}},
		{"fails", "contoso", controllers, []facts.WINSServer{winsServer(facts.ServFail)}, []string{"wins_refused"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			target := winsTarget(tt.logon)
			compareReasons(t, tt.want, judgeWINS(target, &facts.WINS{Names: walked(target, tt.zone), Servers: tt.servers}), produced)
		})
	}
	everyReasonProduced(t, WINS(), produced)
}

func TestExplainWINS(t *testing.T) {
	target := winsTarget("contoso")
	failed := winsServer(facts.Refused)
	failed.Detail = "REFUSED"
	seen := &facts.WINS{Names: walked(target, contoso()), Domain: "CONTOSO", Servers: []facts.WINSServer{winsServer(facts.Answered, "192.168.7.5"), failed}}
	var out strings.Builder
	explainWINS(&out, target, &facts.Seen{WINS: seen})
	for _, want := range []string{"domain controllers of CONTOSO, NetBIOS name <1C>\n", "  WINS server 192.168.7.10:137\n        192.168.7.5  [", "refused: REFUSED", "  by DNS\n        none that is known\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, &out)
		}
	}
}

// TestWINSIsWatchedWhereTheFileNamesServers: by the name with which users log on.
func TestWINSIsWatchedWhereTheFileNamesServers(t *testing.T) {
	s := &site.Site{Domains: phone.Domains{SIP: "fabrikam.com", DHCP: "contoso.com", Logon: "contoso.com"}}
	n := site.Network{Name: site.Internal}
	if got := WINS().Targets(s, n); got != nil {
		t.Errorf("none named: %+v", got)
	}
	s.Lease.WINSServers = []netip.AddrPort{netip.MustParseAddrPort("192.168.7.10:137")}
	if got := WINS().Targets(s, n); len(got) != 1 || got[0].Name != "CONTOSO@192.168.7.10" {
		t.Errorf("%+v", got)
	}
	if got := WINS().Targets(s, site.Network{Name: site.External}); got != nil {
		t.Errorf("outside: %+v", got)
	}
}
