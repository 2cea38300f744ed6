package collectors

import (
	"cmp"
	"context"
	"fmt"
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
		"SRV records under a name that phones ask for; absent when no resolver answers, and for a name that need not exist and does not.",
		`cx700_dns_srv_records{name=~"_sipinternaltls.*"} == 0`,
		"network", "target", "name")
	descAddresses = metric.NewGauge("cx700_dns_address_records",
		"A records under a name that phones ask for; absent when no resolver answers, and for a name that need not exist and does not.",
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
		Steps: []phone.Step{phone.StepRegistrar}, StepOf: stepOfName,
		Interval: 30 * time.Second, Timeout: 10 * time.Second,
		Reasons: []*Reason{
			reasonRegistrarUnresolved, reasonRegistrarUnknown, reasonRegistrarByWildcard, reasonRegistrarNotFound, reasonSRVOutside, reasonSRVMissing,
			reasonSRVTargetUnresolved, reasonSIPAMissing, reasonTimeSRVMissing, reasonUpdateNameMissing,
			reasonAutodiscoverMissing, reasonReverseProxyMissing, reasonResolversDisagree,
			reasonWildcardMisdirects, reasonWildcardZone, reasonResolverTimeout, reasonResolverUnreachable, reasonResolverNoRoute,
			reasonResolverServfail, reasonResolverRefused, reasonResolverMalformed, reasonResolverTruncated,
			reasonResolverSlow,
		},
		Metrics: []*metric.Desc{descSRVRecords, descAddresses, descResolverOK, descRegistrar},
		Targets: func(s *site.Site, n site.Network) []Target { return []Target{namesTarget("dns", s, n)} },
		Probe:   probeDNS,
		Judge:   func(t *Target, seen *facts.Seen) []*Failure { return judgeNames(t, seen.Names) },
		Explain: explainDNS,
	}
}

// stepOfName tells for what a name is asked.
func stepOfName(r *Reason) phone.Step {
	switch r {
	case reasonTimeSRVMissing:
		return phone.StepTime
	case reasonAutodiscoverMissing:
		return phone.StepExchange
	case reasonUpdateNameMissing, reasonReverseProxyMissing:
		return phone.StepUpdate
	default:
		return phone.StepRegistrar
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
	required := d.Required(env.Target.Network == site.Internal, env.Target.Firmware)
	for _, q := range d.Questions() {
		l, ok := view.lookup(q.Name, q.Type)
		needed := slices.ContainsFunc(required, func(r phone.Question) bool { return r.Name == q.Name })
		switch {
		case !ok, l.None() && !needed:
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
	found := findings{}
	wild := view.wildcards()
	for _, fw := range t.Firmware {
		if r := registrarReason(t.Domains, view, wild, fw); r != nil {
			found.add(r, fmt.Sprintf("sign-in to %s, firmware %s", t.Domains.SIP, fw.Version))
		}
	}
	return found.failures(DNS().Reasons)
}

// registrarReason says why a firmware finds no registrar; nil when it finds one.
func registrarReason(d phone.Domains, view nameView, wild wildcards, fw phone.Firmware) *Reason {
	endpoints := d.Endpoints(fw.Registrar, view.find)
	wild = wild.less(endpoints)
	named := slices.DeleteFunc(slices.Clone(endpoints), wild.answer)
	if _, ok := phone.FirstUsable(named, fw.StrictSRV); ok {
		return nil
	}
	var refused, unsettled bool
	for _, c := range d.Candidates(fw.Registrar) {
		if !view.settled(c.Name, c.Type) {
			unsettled = true
			refused = refused || view.only(c.Name, c.Type, facts.Refused, facts.NotAsked, facts.NoRoute)
		}
	}
	plainWildcard := func(e phone.Endpoint) bool { return e.Usable(fw.StrictSRV) && !e.Suffixed() && wild.answer(e) }
	switch {
	case unsettled && refused:
		return reasonRegistrarUnknown
	case unsettled:
		return reasonRegistrarUnresolved
	case slices.ContainsFunc(endpoints, plainWildcard):
		return reasonRegistrarByWildcard
	case slices.ContainsFunc(named, func(e phone.Endpoint) bool { return e.Usable(false) }):
		return reasonSRVOutside
	default:
		return reasonRegistrarNotFound
	}
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
	wild := view.wildcards()
	if wild.zones == nil {
		return nil
	}
	out := []*Failure{fail(reasonWildcardZone, "a made-up name answers in %s", strings.Join(wild.zones, " and "))}
	for _, fw := range t.Firmware {
		endpoints := t.Domains.Endpoints(fw.Registrar, view.find)
		e, ok := phone.FirstUsable(endpoints, fw.StrictSRV)
		if ok && wild.less(endpoints).answer(e) {
			return append(out, fail(reasonWildcardMisdirects, "firmware %s is led to %s by %s", fw.Version, e.Addresses[0], e.Asked))
		}
	}
	return out
}

// judgeAgreement compares the resolvers. Names of the Internet, whose addresses may rightly differ from
// one resolver to the next, are compared by whether they exist, or not at all.
func judgeAgreement(d phone.Domains, names *facts.Names) []*Failure {
	var differ []string
	for _, q := range append(d.Questions(), ownTargets(d, names)...) {
		if q.Use == phone.ForTime && q.Type == phone.A && q.Suffixed {
			continue // time.windows.com
		}
		full := q.Type == phone.SRV || q.Use != phone.ForExchange && q.Use != phone.ForProxy && q.Use != phone.ForDirectory
		if text := disagreement(names, q, full); text != "" {
			differ = append(differ, text)
		}
	}
	if differ == nil {
		return nil
	}
	return []*Failure{fail(reasonResolversDisagree, "%s", strings.Join(differ, "; "))}
}

// ownTargets lists the hosts in the site's own domains to which SRV records point at some resolver.
func ownTargets(d phone.Domains, names *facts.Names) []phone.Question {
	var out []phone.Question
	for _, walk := range names.Walks {
		for _, l := range walk.Lookups {
			for _, s := range l.Services {
				q := phone.Question{Name: s.Target, Type: phone.A, Use: phone.ForSignIn}
				if (phone.Within(s.Target, d.SIP) || phone.Within(s.Target, d.DHCP)) && !slices.Contains(out, q) {
					out = append(out, q)
				}
			}
		}
	}
	return out
}

// disagreement tells where resolvers answer a question in different ways; empty when they do not.
func disagreement(names *facts.Names, q phone.Question, full bool) string {
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
			return fmt.Sprintf("%s %s: %s, but %s at %s", q.Type, q.Name, first, answer, walk.Resolver)
		}
	}
	return ""
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
		parts = append(parts, fmt.Sprintf("%s:%d (priority %d, weight %d)", s.Target, s.Port, s.Priority, s.Weight))
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
		reasonResolverTimeout, reasonResolverUnreachable, reasonResolverNoRoute, reasonResolverServfail,
		reasonResolverRefused, reasonResolverMalformed, reasonResolverTruncated, reasonResolverSlow,
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
	case facts.NoRoute:
		return reasonResolverNoRoute
	case facts.ServFail:
		return reasonResolverServfail
	case facts.Refused:
		return reasonResolverRefused
	case facts.Truncated:
		return reasonResolverTruncated
	case facts.NotAsked:
		return reasonResolverSlow
	default:
		return reasonResolverMalformed
	}
}
