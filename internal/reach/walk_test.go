package reach

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

func contoso() phone.Domains { return phone.Domains{SIP: "contoso.com", DHCP: "corp.contoso.com"} }

// contosoZone has a registrar, a time server and an update name.
func contosoZone() reply {
	return records(
		"_sipinternaltls._tcp.contoso.com. 60 IN SRV 0 0 5061 pool01.contoso.com.", "pool01.contoso.com. 60 IN A 192.168.7.20",
		"sip.contoso.com. 60 IN A 192.168.7.20", "_ntp._udp.contoso.com. 60 IN SRV 0 0 123 dc01.contoso.com.",
		"dc01.contoso.com. 60 IN A 192.168.7.5", "ucupdates-r2.corp.contoso.com. 60 IN A 192.168.7.20",
		"time.windows.com.corp.contoso.com. 60 IN A 192.168.7.6",
	)
}

func newWalker(t *testing.T) *Walker {
	t.Helper()
	w := NewWalker()
	t.Cleanup(w.Close)
	return w
}

func walk(t *testing.T, w *Walker, budget time.Duration, resolvers ...*resolver) *facts.Names {
	t.Helper()
	names, err := w.Walk(t.Context(), wayTo(resolvers...), contoso(), time.Now(), budget)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func wayTo(resolvers ...*resolver) Way {
	var w Way
	for _, r := range resolvers {
		w.Resolvers = append(w.Resolvers, r.AddrPort)
	}
	return w
}

// lines tells a walk in short, the random names without what is random.
func lines(w facts.Walk) []string {
	var out []string
	for _, l := range w.Lookups {
		name := l.Name
		if l.Random {
			_, zone, _ := strings.Cut(name, ".")
			name = "(random)." + zone
		}
		out = append(out, fmt.Sprintf("%s %s %s", l.Type, name, l.Outcome))
	}
	return out
}

// TestWalk holds the walk to its order: the names as they are and the targets of their SRV records, then
// the names that are absent with their suffix and where those lead, then made-up names.
func TestWalk(t *testing.T) {
	server := startResolver(t, contosoZone(), nil)
	names := walk(t, newWalker(t), 10*time.Second, server)
	want := []string{
		"SRV _sipinternaltls._tcp.contoso.com answered",
		"SRV _sipinternal._tcp.contoso.com nxdomain",
		"SRV _sip._tls.contoso.com nxdomain",
		"SRV _sip._tcp.contoso.com nxdomain",
		"A sipinternal.contoso.com nxdomain",
		"A sip.contoso.com answered",
		"A sipexternal.contoso.com nxdomain",
		"SRV _ntp._udp.contoso.com answered",
		"A time.windows.com nxdomain",
		"A ucupdates-r2.corp.contoso.com answered",
		"A ucupdates-r2.contoso.com nxdomain",
		"A pool01.contoso.com answered",
		"A dc01.contoso.com answered",
		"SRV _sipinternal._tcp.contoso.com.corp.contoso.com nxdomain",
		"SRV _sip._tls.contoso.com.corp.contoso.com nxdomain",
		"SRV _sip._tcp.contoso.com.corp.contoso.com nxdomain",
		"A sipinternal.contoso.com.corp.contoso.com nxdomain",
		"A sipexternal.contoso.com.corp.contoso.com nxdomain",
		"A time.windows.com.corp.contoso.com answered",
		"A (random).corp.contoso.com nxdomain",
		"A (random).contoso.com nxdomain",
	}
	if diff := cmp.Diff(want, lines(names.Walks[0])); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(len(want), len(server.questions())); diff != "" {
		t.Errorf("packets (-want +got):\n%s", diff)
	}
}

// TestWalkStopsAtTheSuffixThatAnswers as a phone does.
func TestWalkStopsAtTheSuffixThatAnswers(t *testing.T) {
	server := startResolver(t, contosoZone(), nil)
	d := contoso()
	d.Search = []string{"emea.contoso.com"}
	names, err := newWalker(t).Walk(t.Context(), wayTo(server), d, time.Now(), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	got := lines(names.Walks[0])
	if slices.ContainsFunc(got, func(l string) bool { return strings.HasPrefix(l, "A time.windows.com.emea") }) {
		t.Errorf("asked on after an answer: %s", strings.Join(got, "\n"))
	}
	if !slices.Contains(got, "A sipexternal.contoso.com.emea.contoso.com nxdomain") {
		t.Errorf("the second suffix was not tried: %s", strings.Join(got, "\n"))
	}
}

// TestResolversAreAskedEach: one resolver that stays silent takes nothing from the other.
func TestResolversAreAskedEach(t *testing.T) {
	good, silent := startResolver(t, contosoZone(), nil), startResolver(t, mute, nil)
	names := walk(t, newWalker(t), time.Second, silent, good)
	if names.Walks[0].Resolver != silent.AddrPort || names.Walks[1].Resolver != good.AddrPort {
		t.Fatalf("walks of %s and %s, want them in the order of the file", names.Walks[0].Resolver, names.Walks[1].Resolver)
	}
	for _, l := range names.Walks[0].Lookups {
		if l.Outcome != facts.Timeout || l.Detail == "" {
			t.Errorf("the silent resolver: %s is %s (%s)", l.Name, l.Outcome, l.Detail)
		}
	}
	for _, l := range names.Walks[1].Lookups {
		if !l.Outcome.Settled() {
			t.Errorf("the good resolver: %s is %s (%s)", l.Name, l.Outcome, l.Detail)
		}
	}
	first, second := lookupsMadeUp(names.Walks[0]), lookupsMadeUp(names.Walks[1])
	if diff := cmp.Diff(first, second); diff != "" || len(first) != 2 {
		t.Errorf("the resolvers should be asked for the same made-up names:\n%s", diff)
	}
}

func lookupsMadeUp(w facts.Walk) []string {
	var out []string
	for _, l := range w.Lookups {
		if l.Random {
			out = append(out, l.Name)
		}
	}
	return out
}

func TestSilentResolverIsGivenUp(t *testing.T) {
	silent := startResolver(t, mute, nil)
	names := walk(t, newWalker(t), time.Second, silent)
	if got, want := len(silent.questions()), givenUp*attempts; got != want {
		t.Errorf("%d packets were sent, want %d:\n%s", got, want, strings.Join(silent.questions(), "\n"))
	}
	for i, l := range names.Walks[0].Lookups {
		if given := strings.HasPrefix(l.Detail, "not asked: the resolver"); given != (i >= givenUp) {
			t.Errorf("question %d: %s", i, l.Detail)
		}
	}
}

// TestSomeNamesHang: a resolver that answers other names is not given up for those that hang.
func TestSomeNamesHang(t *testing.T) {
	zone := contosoZone()
	server := startResolver(t, func(w dns.ResponseWriter, q *dns.Msg) {
		if q.Question[0].Name != "sipinternal.contoso.com." {
			zone(w, q)
		}
	}, nil)
	names := walk(t, newWalker(t), time.Second, server)
	for _, l := range names.Walks[0].Lookups {
		if hangs := l.Name == "sipinternal.contoso.com"; hangs == l.Outcome.Settled() {
			t.Errorf("%s is %s (%s)", l.Name, l.Outcome, l.Detail)
		}
	}
}

// TestWalkEndsWithinItsBudget at a resolver that answers every second question only, so that it is never
// given up.
func TestWalkEndsWithinItsBudget(t *testing.T) {
	zone := contosoZone()
	server := startResolver(t, func(w dns.ResponseWriter, q *dns.Msg) {
		if q.Question[0].Qtype == dns.TypeA {
			zone(w, q)
		}
	}, nil)
	const budget = 500 * time.Millisecond
	begun := time.Now()
	names := walk(t, newWalker(t), budget, server)
	if took := time.Since(begun); took > 2*budget {
		t.Errorf("took %s of %s", took, budget)
	}
	if got := len(names.Walks[0].Lookups); got < len(contoso().Questions()) {
		t.Errorf("%d lookups are told, want every question", got)
	}
}

// TestWalkIsSharedInARound counts what a resolver is asked by many probes at once, and later.
func TestWalkIsSharedInARound(t *testing.T) {
	server := startResolver(t, contosoZone(), nil)
	w := newWalker(t)
	due := time.Now()
	ask := func(due time.Time) *facts.Names {
		names, err := w.Walk(t.Context(), wayTo(server), contoso(), due, 10*time.Second)
		if err != nil {
			t.Error(err)
		}
		return names
	}
	var wg sync.WaitGroup
	all := make([]*facts.Names, 8)
	for i := range all {
		wg.Go(func() { all[i] = ask(due) })
	}
	wg.Wait()
	once := len(server.questions())
	for _, names := range all {
		if names != all[0] {
			t.Error("two probes of one round got different walks")
		}
	}
	if ask(due) != all[0] || len(server.questions()) != once {
		t.Error("a late probe of the round walked again")
	}
	if ask(time.Now()) == all[0] || len(server.questions()) != 2*once {
		t.Errorf("%d questions, want %d: a walk made before it was due was given", len(server.questions()), 2*once)
	}
}

func TestWalkEndsWithItsCaller(t *testing.T) {
	silent := startResolver(t, mute, nil)
	w := newWalker(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	begun := time.Now()
	if _, err := w.Walk(ctx, wayTo(silent), contoso(), time.Now(), time.Minute); err == nil {
		t.Error("no error although the caller is gone")
	}
	w.Close()
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("ended after %s", took)
	}
}

// TestTargetsAreBounded has more SRV targets than a walk resolves, by two names.
func TestTargetsAreBounded(t *testing.T) {
	var zone []string
	for i := range 2 * maxTargets {
		zone = append(zone,
			fmt.Sprintf("_sipinternaltls._tcp.contoso.com. 60 IN SRV 0 0 5061 a%d.contoso.com.", i),
			fmt.Sprintf("_sip._tls.contoso.com.corp.contoso.com. 60 IN SRV 0 0 443 b%d.contoso.com.", i))
	}
	server := startResolver(t, truncated, records(zone...))
	names := walk(t, newWalker(t), 10*time.Second, server)
	asked := 0
	for _, l := range names.Walks[0].Lookups {
		if l.Type == phone.A && (strings.HasPrefix(l.Name, "a") || strings.HasPrefix(l.Name, "b")) {
			asked++
		}
	}
	if asked != maxTargets {
		t.Errorf("%d targets were resolved, want %d", asked, maxTargets)
	}
}

// TestNoResolvers finds that a walk without any is empty, and no fault.
func TestNoResolvers(t *testing.T) {
	names, err := newWalker(t).Walk(t.Context(), Way{}, contoso(), time.Now(), time.Second)
	if err != nil || len(names.Walks) != 0 || names.Started.IsZero() {
		t.Errorf("%+v, %v", names, err)
	}
}

// TestResolverByIPv6 holds whether the machine has IPv6 or not: nothing listens there.
func TestResolverByIPv6(t *testing.T) {
	got := Way{}.ask(t.Context(), netip.MustParseAddrPort("[::1]:1"), "sip.contoso.com", phone.A)
	if got.Outcome != facts.Unreachable {
		t.Errorf("%s (%s), want %s", got.Outcome, got.Detail, facts.Unreachable)
	}
}
