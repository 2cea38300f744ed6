package collectors

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/metric"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/site"
)

var (
	descSRVRecords = metric.NewGauge("cx700_dns_srv_records",
		"SRV records under a name that phones ask for; absent when no resolver answers.",
		`cx700_dns_srv_records{name=~"_sipinternaltls.*"} == 0`,
		"network", "target", "name")
	descAddresses = metric.NewGauge("cx700_dns_address_records",
		"A records under a name that phones ask for; absent when no resolver answers.",
		`cx700_dns_address_records{name=~"sip[.].*"} == 0`,
		"network", "target", "name")
	descResolverOK = metric.NewGauge("cx700_dns_resolver_ok",
		"Whether a resolver answers the names of the site's own domains (1) or not (0).",
		`cx700_dns_resolver_ok == 0`,
		"network", "target", "resolver")
	descRegistrar = metric.NewGauge("cx700_dns_registrar_info",
		"The registrar to which each documented lookup order (help, trace, lync) leads first, with the record that named it.",
		`count by (network, target) (count by (network, target, host) (cx700_dns_registrar_info)) > 1`,
		"network", "target", "order", "record", "host", "port")
)

// DNS watches every SRV and A record of the guide's Step 1.2 table and of the documented sign-in
// orders, at each resolver, as a phone asks for them.
func DNS() *Collector {
	return &Collector{
		Name: "dns", Asks: "Do the names lead a phone to its servers?", Guide: "3-4, 18-19, 24-25",
		Interval: 30 * time.Second, Timeout: 10 * time.Second,
		Reasons: []*Reason{
			reasonRegistrarUnresolved, reasonRegistrarNotFound, reasonSRVOutside, reasonSRVMissing,
			reasonSRVTargetUnresolved, reasonSIPAMissing, reasonTimeSRVMissing, reasonUpdateNameMissing,
			reasonAutodiscoverMissing, reasonReverseProxyMissing, reasonResolversDisagree,
			reasonWildcardMisdirects, reasonWildcardZone, reasonResolverTimeout, reasonResolverUnreachable,
			reasonResolverServfail, reasonResolverRefused, reasonResolverMalformed, reasonResolverTruncated,
		},
		Metrics: []*metric.Desc{descSRVRecords, descAddresses, descResolverOK, descRegistrar},
		Targets: func(s *site.Site, n site.Network) []Target { return []Target{namesTarget("dns", s, n)} },
		Probe:   probeDNS,
		Explain: explainDNS,
	}
}

func probeDNS(ctx context.Context, env *Env, seen *facts.Seen) error {
	names, err := env.Names(ctx)
	if err != nil {
		return err
	}
	seen.Names = names
	emitDNS(env, names)
	return join(judgeNames(env.Target, names))
}

func emitDNS(env *Env, names *facts.Names) {
	d, view := env.Target.Domains, nameView{names}
	for _, q := range d.Questions() {
		l, ok := view.lookup(q.Name, q.Type)
		switch {
		case !ok:
		case q.Type == phone.SRV:
			env.Emit(descSRVRecords, float64(len(l.Services)), q.Name)
		default:
			env.Emit(descAddresses, float64(len(l.Addresses)), q.Name)
		}
	}
	for _, walk := range names.Walks {
		ok := 1.0
		if len(unsettled(d, walk)) > 0 {
			ok = 0
		}
		env.Emit(descResolverOK, ok, walk.Resolver.String())
	}
	for _, order := range phone.RegistrarOrders() {
		if e, ok := phone.FirstUsable(d.Endpoints(order, view.find), true); ok {
			env.Emit(descRegistrar, 1, string(order), e.Asked, e.Host, strconv.Itoa(int(e.Port)))
		}
	}
}

// judgeNames says in which ways the names fail the phones of the target.
func judgeNames(t *Target, names *facts.Names) []*Failure {
	view := nameView{names}
	var out []*Failure
	out = append(out, judgeRegistrar(t, view)...)
	out = append(out, judgeRequired(t, view)...)
	out = append(out, judgeSRVTargets(t.Domains, view)...)
	out = append(out, judgeWildcards(t, view)...)
	out = append(out, judgeAgreement(t.Domains, names)...)
	return append(out, judgeResolvers(t.Domains, names)...)
}

// judgeRegistrar follows the sign-in order of each firmware in use.
func judgeRegistrar(t *Target, view nameView) []*Failure {
	stuck := map[*Reason][]string{}
	for _, fw := range t.Firmware {
		endpoints := t.Domains.Endpoints(fw.Registrar, view.find)
		if _, ok := phone.FirstUsable(endpoints, fw.StrictSRV); ok {
			continue
		}
		reason := reasonRegistrarNotFound
		if slices.ContainsFunc(endpoints, func(e phone.Endpoint) bool { return e.Usable(false) }) {
			reason = reasonSRVOutside
		}
		if !registrarSettled(t.Domains, fw.Registrar, endpoints, view) {
			reason = reasonRegistrarUnresolved
		}
		stuck[reason] = append(stuck[reason], fw.Version)
	}
	var out []*Failure
	for _, r := range []*Reason{reasonRegistrarUnresolved, reasonSRVOutside, reasonRegistrarNotFound} {
		if versions := stuck[r]; versions != nil {
			out = append(out, fail(r, "sign-in to %s, firmware %s", t.Domains.SIP, strings.Join(versions, ", ")))
		}
	}
	return out
}

// registrarSettled tells whether every name of an order was answered, and every host that it led to.
func registrarSettled(d phone.Domains, order phone.RegistrarOrder, endpoints []phone.Endpoint, view nameView) bool {
	return !slices.ContainsFunc(d.Candidates(order), func(c phone.Candidate) bool { return !view.settled(c.Name, c.Type) }) &&
		!slices.ContainsFunc(endpoints, func(e phone.Endpoint) bool { return e.Host != "" && !view.settled(e.Host, phone.A) })
}

func judgeRequired(t *Target, view nameView) []*Failure {
	var out []*Failure
	for _, q := range t.Domains.Required(t.Network == site.Internal, t.Firmware) {
		if l, ok := view.lookup(q.Name, q.Type); ok && l.None() {
			out = append(out, fail(missingReason(q), "%s %s: %s", q.Type, q.Name, l.Outcome))
		}
	}
	return out
}

func missingReason(q phone.Question) *Reason {
	switch {
	case q.Use == phone.ForTime:
		return reasonTimeSRVMissing
	case q.Use == phone.ForUpdate:
		return reasonUpdateNameMissing
	case q.Use == phone.ForExchange:
		return reasonAutodiscoverMissing
	case q.Use == phone.ForProxy:
		return reasonReverseProxyMissing
	case q.Type == phone.A:
		return reasonSIPAMissing
	default:
		return reasonSRVMissing
	}
}

func judgeSRVTargets(d phone.Domains, view nameView) []*Failure {
	var lost []string
	for _, q := range d.Questions() {
		if q.Type != phone.SRV {
			continue
		}
		_, records := d.Resolve(view.find, q.Name, phone.SRV)
		for _, s := range records.Services {
			l, ok := view.lookup(s.Target, phone.A)
			entry := fmt.Sprintf("%s of %s", cmp.Or(s.Target, "the root"), q.Name)
			if ok && l.None() && !slices.Contains(lost, entry) {
				lost = append(lost, entry)
			}
		}
	}
	if lost == nil {
		return nil
	}
	return []*Failure{fail(reasonSRVTargetUnresolved, "no address for %s", strings.Join(lost, ", "))}
}

// judgeWildcards looks at the answers to made-up names, and whether such an answer comes before the
// real registrar in some firmware's order.
func judgeWildcards(t *Target, view nameView) []*Failure {
	var zones []string
	var answers []netip.Addr
	for _, walk := range view.names.Walks {
		for _, l := range walk.Lookups {
			_, zone, _ := strings.Cut(l.Name, ".")
			if l.Random && l.Outcome == facts.Answered && !slices.Contains(zones, zone) {
				zones = append(zones, zone)
				answers = append(answers, l.Addresses...)
			}
		}
	}
	if zones == nil {
		return nil
	}
	out := []*Failure{fail(reasonWildcardZone, "a made-up name answers in %s", strings.Join(zones, " and "))}
	madeUp := func(e phone.Endpoint) bool {
		return slices.ContainsFunc(zones, func(z string) bool { return phone.Within(e.Asked, z) }) &&
			(e.Suffixed() || e.From.Type == phone.A && slices.ContainsFunc(e.Addresses, func(a netip.Addr) bool { return slices.Contains(answers, a) }))
	}
	for _, fw := range t.Firmware {
		endpoints := t.Domains.Endpoints(fw.Registrar, view.find)
		e, ok := phone.FirstUsable(endpoints, fw.StrictSRV)
		// A wildcard that stands for the registrar, with no other left, leads nobody astray.
		another := slices.ContainsFunc(endpoints, func(e phone.Endpoint) bool { return e.Usable(fw.StrictSRV) && !madeUp(e) })
		if ok && madeUp(e) && (another || e.Suffixed()) {
			return append(out, fail(reasonWildcardMisdirects, "firmware %s is led to %s by %s", fw.Version, e.Addresses[0], e.Asked))
		}
	}
	return out
}

// judgeAgreement compares the resolvers. Names of the Internet, whose addresses may rightly differ from
// one resolver to the next, are compared by whether they exist, or not at all.
func judgeAgreement(d phone.Domains, names *facts.Names) []*Failure {
	var differ []string
	for _, q := range d.Questions() {
		if q.Use == phone.ForTime && q.Type == phone.A {
			continue
		}
		full := q.Type == phone.SRV || q.Use == phone.ForSignIn || q.Use == phone.ForUpdate
		var first string
		for i, walk := range names.Walks {
			l, ok := (nameView{&facts.Names{Walks: names.Walks[i : i+1]}}).lookup(q.Name, q.Type)
			if !ok {
				continue
			}
			answer := answerText(l, full)
			if first == "" {
				first = answer
			} else if answer != first {
				differ = append(differ, fmt.Sprintf("%s %s: %s, but %s at %s", q.Type, q.Name, first, answer, walk.Resolver))
				break
			}
		}
	}
	if differ == nil {
		return nil
	}
	return []*Failure{fail(reasonResolversDisagree, "%s", strings.Join(differ, "; "))}
}

func answerText(l facts.Lookup, full bool) string {
	if l.None() {
		return "none"
	}
	if !full {
		return "an answer"
	}
	var parts []string
	for _, s := range phone.ByPriority(l.Services) {
		parts = append(parts, fmt.Sprintf("%s:%d", s.Target, s.Port))
	}
	for _, a := range l.Addresses {
		parts = append(parts, a.String())
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

// unsettled returns the questions about the site's own domains that a resolver left without a usable
// answer. time.windows.com and concatenated names may rightly fail where there is no Internet.
func unsettled(d phone.Domains, walk facts.Walk) []facts.Lookup {
	counts := map[string]bool{}
	for _, q := range d.Questions() {
		counts[q.Name] = q.Use != phone.ForTime || q.Type == phone.SRV
	}
	for _, l := range walk.Lookups {
		for _, s := range l.Services {
			own := phone.Within(s.Target, d.SIP) || phone.Within(s.Target, d.DHCP)
			counts[s.Target] = counts[s.Target] || own
		}
	}
	var out []facts.Lookup
	for _, l := range walk.Lookups {
		if counts[l.Name] && !l.Outcome.Settled() {
			out = append(out, l)
		}
	}
	return out
}

func judgeResolvers(d phone.Domains, names *facts.Names) []*Failure {
	seen := map[*Reason][]string{}
	for _, walk := range names.Walks {
		lost := unsettled(d, walk)
		for i, l := range lost {
			r := resolverReason(l.Outcome)
			if slices.IndexFunc(lost, func(o facts.Lookup) bool { return resolverReason(o.Outcome) == r }) == i {
				seen[r] = append(seen[r], fmt.Sprintf("%s on %s %s (%s), %d of %d questions unanswered",
					walk.Resolver, l.Type, l.Name, l.Detail, len(lost), len(walk.Lookups)))
			}
		}
	}
	var out []*Failure
	for _, r := range []*Reason{
		reasonResolverTimeout, reasonResolverUnreachable, reasonResolverServfail,
		reasonResolverRefused, reasonResolverMalformed, reasonResolverTruncated,
	} {
		if what := seen[r]; what != nil {
			out = append(out, fail(r, "%s", strings.Join(what, "; ")))
		}
	}
	return out
}

func resolverReason(o facts.Outcome) *Reason {
	switch o {
	case facts.Timeout:
		return reasonResolverTimeout
	case facts.Unreachable:
		return reasonResolverUnreachable
	case facts.ServFail:
		return reasonResolverServfail
	case facts.Refused:
		return reasonResolverRefused
	case facts.Truncated:
		return reasonResolverTruncated
	default:
		return reasonResolverMalformed
	}
}
