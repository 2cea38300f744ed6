package collectors

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/site"
)

const (
	sipSRV  = "SRV _sipinternaltls._tcp.contoso.com"
	sipA    = "A sip.contoso.com"
	poolA   = "A pool01.contoso.com"
	ntpSRV  = "SRV _ntp._udp.contoso.com"
	dcA     = "A dc01.contoso.com"
	windows = "A time.windows.com"
)

type dnsCase struct {
	name  string
	zones []zone
	want  []string
}

func dnsCases() []dnsCase {
	inside := contosoTarget("dns", site.Internal)
	elsewhere := zone{"A pool.fabrikam.com": addresses("192.168.9.20"), sipSRV: services(5061, "pool.fabrikam.com")}
	cases := []dnsCase{
		{"healthy", []zone{contoso()}, nil},
		{"healthy at two resolvers", []zone{contoso(), contoso()}, nil},
		{"nothing at all", []zone{{}}, []string{
			"registrar_not_found", "srv_missing", "sip_a_missing", "time_srv_missing", "update_name_missing", "autodiscover_missing"}},
		{"no SRV", []zone{contoso().without(sipSRV)}, []string{"srv_missing"}},
		{"no SRV, the name is there", []zone{contoso().but(zone{sipSRV: outcome(facts.Empty)})}, []string{"srv_missing"}},
		{"no A sip", []zone{contoso().without(sipA)}, []string{"sip_a_missing"}},
		{"neither", []zone{contoso().without(sipA, sipSRV)}, []string{"registrar_not_found", "sip_a_missing", "srv_missing"}},
		{"target without an address", []zone{contoso().but(zone{poolA: outcome(facts.NXDomain)})}, []string{"srv_target_unresolved"}},
		{"target is the root", []zone{contoso().but(zone{sipSRV: services(0, "")})}, []string{"srv_target_unresolved"}},
		{"target outside the SIP domain, A sip helps", []zone{contoso().but(elsewhere)}, nil},
		{"target outside the SIP domain", []zone{contoso().without(sipA).but(elsewhere)}, []string{"srv_outside_sip_domain", "sip_a_missing"}},
		{"no SRV for time", []zone{contoso().without(ntpSRV)}, []string{"time_srv_missing"}},
		{"no update name", []zone{contoso().without("A ucupdates-r2.corp.contoso.com")}, []string{"update_name_missing"}},
		{"no autodiscover", []zone{contoso().without("A autodiscover.contoso.com")}, []string{"autodiscover_missing"}},
		{"another pool at the second resolver", []zone{contoso(), contoso().but(zone{sipA: addresses("192.168.7.21")})}, []string{"resolvers_disagree"}},
		{"missing at the second resolver", []zone{contoso(), contoso().without(sipSRV)}, []string{"resolvers_disagree"}},
		{"in another order at the second resolver", []zone{
			contoso().but(zone{sipA: addresses("192.168.7.20", "192.168.7.21")}),
			contoso().but(zone{sipA: addresses("192.168.7.21", "192.168.7.20")})}, nil},
		{"addresses of the Internet may differ", []zone{
			contoso().but(zone{windows: addresses("192.0.2.1")}), contoso().but(zone{windows: addresses("192.0.2.2")})}, nil},
		{"Exchange may be balanced", []zone{contoso(), contoso().but(zone{"A autodiscover.contoso.com": addresses("192.168.7.31")})}, nil},
		{"wildcard", []zone{contoso().but(zone{"A cx700-1.corp.contoso.com": addresses("192.0.2.80")})}, []string{"wildcard_zone"}},
		{"wildcard before the registrar's turn", []zone{contoso().without(sipSRV).but(zone{
			"A cx700-1.corp.contoso.com": addresses("192.0.2.80"), "A sipinternal.contoso.com.corp.contoso.com": addresses("192.0.2.80"),
		})}, []string{"srv_missing", "wildcard_zone", "wildcard_misdirects"}},
		{"a wildcard in the SIP domain before the registrar's turn", []zone{contoso().without(sipSRV).but(zone{
			"A cx700-1.contoso.com": addresses("192.0.2.80"), "A sipinternal.contoso.com": addresses("192.0.2.80"),
		})}, []string{"srv_missing", "wildcard_zone", "wildcard_misdirects"}},
		{"a wildcard with the pool's own address", []zone{contoso().but(zone{
			"A cx700-1.contoso.com": addresses("192.168.7.20"), "A sipinternal.contoso.com": addresses("192.168.7.20"),
		})}, []string{"wildcard_zone"}},
		{"only a wildcard with a suffix answers", []zone{contoso().without(sipA, sipSRV).but(zone{
			"A cx700-1.corp.contoso.com": addresses("192.0.2.80"), "A sipinternal.contoso.com.corp.contoso.com": addresses("192.0.2.80"),
		})}, []string{"registrar_not_found", "sip_a_missing", "srv_missing", "wildcard_zone", "wildcard_misdirects"}},
		{"only a wildcard answers", []zone{contoso().without(sipSRV).but(zone{
			"A cx700-1.contoso.com": addresses("192.0.2.80"), sipA: addresses("192.0.2.80"),
		})}, []string{"registrar_by_wildcard", "srv_missing", "wildcard_zone", "wildcard_misdirects"}},
		{"another address of the pool at the second resolver", []zone{contoso(), contoso().but(zone{poolA: addresses("192.0.2.66")})},
			[]string{"resolvers_disagree"}},
		{"no address of the pool at the second resolver", []zone{contoso(), contoso().but(zone{poolA: outcome(facts.NXDomain)})},
			[]string{"resolvers_disagree"}},
		{"another priority at the second resolver", []zone{contoso(), contoso().but(zone{sipSRV: facts.Lookup{
			Outcome: facts.Answered, Records: phone.Records{Services: []phone.Service{{Target: "pool01.contoso.com", Port: 5061, Priority: 9}}}}})},
			[]string{"resolvers_disagree"}},
		{"no resolver answers", []zone{contoso().everything(outcome(facts.Timeout), inside)}, []string{"registrar_unresolved", "resolver_timeout"}},
		{"one of two resolvers answers", []zone{contoso().everything(outcome(facts.Timeout), inside), contoso()}, []string{"resolver_timeout"}},
		{"the Internet does not answer", []zone{contoso().but(zone{windows: outcome(facts.ServFail)})}, nil},
		{"two ways to fail at one resolver", []zone{contoso().but(zone{
			sipSRV: outcome(facts.ServFail), "A autodiscover.contoso.com": outcome(facts.Timeout)})},
			[]string{"resolver_servfail", "resolver_timeout"}},
	}
	for o, reason := range map[facts.Outcome]string{
		facts.Timeout: "resolver_timeout", facts.Unreachable: "resolver_unreachable", facts.ServFail: "resolver_servfail",
		facts.Refused: "resolver_refused", facts.Malformed: "resolver_malformed", facts.OtherCode: "resolver_malformed",
		facts.Truncated: "resolver_truncated", facts.NotAsked: "resolver_slow", facts.NoRoute: "resolver_no_route",
	} {
		registrar := "registrar_unresolved"
		if o == facts.Refused || o == facts.NotAsked || o == facts.NoRoute {
			registrar = "registrar_unknown" // phones may be let in, or have the patience
		}
		// A name that is only in doubt is not called missing.
		cases = append(cases, dnsCase{"one name " + string(o), []zone{contoso().but(zone{sipA: outcome(o)})}, []string{reason}},
			dnsCase{"all names " + string(o), []zone{contoso().everything(outcome(o), inside)}, []string{registrar, reason}})
	}
	return cases
}

func TestJudgeNames(t *testing.T) {
	produced := map[string]bool{}
	for _, tt := range dnsCases() {
		t.Run(tt.name, func(t *testing.T) {
			target := contosoTarget("dns", site.Internal)
			compareReasons(t, tt.want, judgeNames(target, walked(target, tt.zones...)), produced)
		})
	}
	t.Run("outside", func(t *testing.T) {
		target := contosoTarget("dns", site.External)
		target.Domains.ReverseProxy = "reverse.contoso.com"
		outside := contoso().without(sipSRV).but(zone{"SRV _sip._tls.contoso.com": services(443, "sip.contoso.com")})
		compareReasons(t, []string{"reverse_proxy_missing"}, judgeNames(target, walked(target, outside)), produced)
		outside["A reverse.contoso.com"] = addresses("192.0.2.90")
		compareReasons(t, nil, judgeNames(target, walked(target, outside)), produced)
	})
	everyReasonProduced(t, DNS(), produced)
}

// TestJudgeNamesByFirmware has names that lead one firmware in use to a registrar and the others not.
func TestJudgeNamesByFirmware(t *testing.T) {
	target := contosoTarget("dns", site.Internal)
	names := walked(target, contoso().without(sipSRV, sipA).but(zone{"A sipexternal.contoso.com": addresses("192.168.7.20")}))
	for _, f := range judgeNames(target, names) {
		if f.Reason == reasonRegistrarNotFound {
			if want := "sign-in to contoso.com, firmware 1.0.199.123"; f.Err.Error() != want {
				t.Errorf("%q, want %q", f.Err, want)
			}
			return
		}
	}
	t.Error("registrar_not_found is not there for the firmware that asks for no sipexternal")
}

func TestEmitDNS(t *testing.T) {
	env := testEnv(t)
	env.Target = contosoTarget("dns", site.Internal)
	silent := contoso().everything(outcome(facts.Timeout), env.Target)
	emitDNS(env, walked(env.Target, contoso().but(zone{windows: outcome(facts.ServFail)}), silent))
	got := map[string]float64{}
	for _, s := range env.Samples() {
		got[s.Desc.Name+" "+strings.Join(s.Labels[2:], " ")] = s.Value
	}
	want := map[string]float64{
		"cx700_dns_srv_records _sipinternaltls._tcp.contoso.com": 1,
		"cx700_dns_srv_records _ntp._udp.contoso.com":            1, "cx700_dns_address_records sip.contoso.com": 1,
		"cx700_dns_address_records ucupdates-r2.corp.contoso.com": 1,
		"cx700_dns_address_records autodiscover.contoso.com":      1,
		"cx700_dns_resolver_ok 192.168.7.5:53":                    1, "cx700_dns_resolver_ok 192.168.7.6:53": 0,
	}
	for _, order := range phone.RegistrarOrders() {
		want["cx700_dns_registrar_info "+string(order)+" _sipinternaltls._tcp.contoso.com pool01.contoso.com 5061"] = 1
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestExplainDNS(t *testing.T) {
	target := contosoTarget("dns", site.Internal)
	z := contoso().but(zone{
		sipSRV: services(5061, "pool.fabrikam.com"), "A pool.fabrikam.com": addresses("192.168.9.20"),
		"A autodiscover.contoso.com": outcome(facts.Refused), "A cx700-1.contoso.com": outcome(facts.NXDomain),
	})
	var out strings.Builder
	explainDNS(&out, target, &facts.Seen{Names: walked(target, z)})
	for _, want := range []string{
		"resolver 192.168.7.5:53", "pool.fabrikam.com:5061 priority 0 weight 0", "refused: as seen", "made up, to find wildcards",
		"passed over  pool.fabrikam.com:5061 (outside the SIP domain)  by _sipinternaltls._tcp.contoso.com",
		"first        sip.contoso.com:5061  by sip.contoso.com", "next         sip.contoso.com:443",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, &out)
		}
	}
	out.Reset()
	explainDNS(&out, target, &facts.Seen{})
	if out.Len() > 0 {
		t.Errorf("nothing was seen, but: %s", &out)
	}
}
