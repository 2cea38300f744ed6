package reach

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

const (
	// givenUp is after how many silent questions in a row a resolver is not asked any more.
	givenUp = 2
	// maxTargets bounds how many SRV targets one walk resolves.
	maxTargets = 16
)

// Walker makes the phone's walk through the names: once for all probes that need the same one at the
// same time.
type Walker struct{ rounds *rounds[*facts.Names] }

// NewWalker returns a Walker; Close ends it.
func NewWalker() *Walker { return &Walker{newRounds[*facts.Names]()} }

// Close ends the walks under way and waits for them.
func (w *Walker) Close() { w.rounds.close() }

// Walk asks every name of the phone at every resolver, or returns the walk that another probe of the
// round began, if it did so at due or later. The walk ends after budget with what it has; the error is
// the context's.
func (w *Walker) Walk(ctx context.Context, way Way, d phone.Domains, due time.Time, budget time.Duration) (*facts.Names, error) {
	return w.rounds.get(ctx, fmt.Sprint(way, d, budget), due, budget, func(ctx context.Context) *facts.Names { return way.walk(ctx, d) })
}

// walk asks all resolvers side by side and each of them one question after the other.
func (w Way) walk(ctx context.Context, d phone.Domains) *facts.Names {
	names := &facts.Names{Started: time.Now(), Walks: make([]facts.Walk, len(w.Resolvers))}
	random := fmt.Sprintf("cx700-%08x", rand.Uint32())
	Parallel(len(w.Resolvers), func(i int) {
		a := asker{ctx: ctx, way: w, resolver: w.Resolvers[i]}
		a.walk(d, random)
		names.Walks[i] = facts.Walk{Resolver: a.resolver, Lookups: slices.Clone(a.lookups)} // without room for more
	})
	return names
}

// asker is one walk at one resolver.
type asker struct {
	ctx      context.Context
	way      Way
	resolver netip.AddrPort
	lookups  []facts.Lookup
	silent   int // questions in a row without an answer
	resolved int // SRV targets asked for
}

// walk asks the names as they are before any of them with a suffix. A phone asks for each name with its
// suffixes at once; but where the DHCP domain's servers hang, that would use up the time for the names
// of the SIP domain, which a phone reaches in the end.
func (a *asker) walk(d phone.Domains, random string) {
	var absent []phone.Question
	for _, q := range d.Questions() {
		l := a.ask(q.Name, q.Type)
		if q.Suffixed && l.Outcome != facts.Answered && (l.Outcome.Settled() || ofTheInternet(q)) {
			absent = append(absent, q)
		}
	}
	a.askTargets()
	for _, q := range absent {
		for _, suffix := range d.Suffixes() {
			l := a.ask(q.Name+"."+suffix, q.Type)
			if l.Outcome == facts.Answered || !l.Outcome.Settled() {
				break
			}
		}
	}
	a.askTargets()
	for _, zone := range zones(d) {
		a.ask(random+"."+zone, phone.A)
		a.lookups[len(a.lookups)-1].Random = true
	}
}

// zones are those in which a wildcard record could answer for a name of the phone.
func zones(d phone.Domains) []string {
	out := d.Suffixes()
	if !slices.Contains(out, d.SIP) {
		out = append(out, d.SIP)
	}
	return out
}

// ofTheInternet tells names that a resolver without a way out fails on, where a phone goes on to the suffixes.
func ofTheInternet(q phone.Question) bool { return q.Use == phone.ForTime && q.Type == phone.A }

// ask records the answer to one question. A resolver that stayed silent is not waited for again.
func (a *asker) ask(name string, t phone.RecordType) facts.Lookup {
	l := facts.Lookup{Name: name, Type: t, Outcome: facts.Timeout}
	switch {
	case a.silent >= givenUp:
		l.Detail = "not asked: the resolver did not answer the questions before"
	case a.ctx.Err() != nil:
		l.Outcome, l.Detail = facts.NotAsked, "not asked: no time was left"
	default:
		l = a.way.ask(a.ctx, a.resolver, name, t)
	}
	if l.Outcome == facts.Timeout {
		a.silent++
	} else {
		a.silent = 0
	}
	a.lookups = append(a.lookups, l)
	return l
}

// askTargets resolves the hosts to which the SRV records seen so far point.
func (a *asker) askTargets() {
	for _, target := range a.targets() {
		a.ask(target, phone.A)
		a.resolved++
	}
}

// targets returns the hosts to which SRV records point and that were not asked for yet.
func (a *asker) targets() []string {
	var out []string
	for _, l := range a.lookups {
		for _, s := range l.Services {
			asked := slices.ContainsFunc(a.lookups, func(o facts.Lookup) bool { return o.Name == s.Target && o.Type == phone.A })
			if !asked && !slices.Contains(out, s.Target) && a.resolved+len(out) < maxTargets && s.Target != "" {
				out = append(out, s.Target)
			}
		}
	}
	return out
}
