package collectors

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/metric"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/reach"
	"github.com/cx700/cx700_exporter/internal/site"
)

var descVantage = metric.NewGauge("cx700_vantage_ok",
	"Whether the exporter's own network and clock are good (1) or not (0), by its references; absent where the site file names none.",
	`cx700_vantage_ok == 0`, "network")

// vantageTarget is the target of every network: the exporter itself.
const vantageTarget = "exporter"

// Vantage watches the exporter's own network and clock, so that their failure is not taken for the phones'.
func Vantage() *Collector {
	return &Collector{
		Name: "vantage", Asks: "Are the exporter's own network and clock good?", Guide: "none",
		Interval: 10 * time.Second, Timeout: 3 * time.Second,
		Reasons: []*Reason{reasonVantageLost, reasonVantageClockOff, reasonVantageSilent, reasonVantageReferenceOff},
		Metrics: []*metric.Desc{descVantage},
		Targets: vantageTargets,
		Probe:   probeVantage,
		Explain: explainVantage,
	}
}

// vantageTargets gives one target for all sites, where the site file names references.
func vantageTargets(_ *site.Site, n site.Network) []Target {
	if !n.Vantage.Watched() {
		return nil
	}
	vantage := n.Vantage
	return []Target{{
		Collector: "vantage", Network: n.Name, Name: vantageTarget, Way: reach.Way{Resolvers: n.Vantage.Resolvers},
		Vantage: &vantage, MaxOffset: cmp.Or(n.Vantage.MaxOffset, DefaultMaxOffset),
	}}
}

func probeVantage(ctx context.Context, env *Env, seen *facts.Seen) error {
	t := env.Target
	v := &facts.Vantage{Servers: make([]facts.TimeServer, len(t.Vantage.TimeServers)), MaxOffset: t.MaxOffset}
	look := []func(){func() { v.Names = askReferences(ctx, t.Way, t.Vantage.Names) }}
	for i, server := range t.Vantage.TimeServers {
		look = append(look, func() { v.Servers[i] = askReferenceTime(ctx, env, server) })
	}
	reach.Parallel(len(look), func(i int) { look[i]() })
	seen.Vantage = v
	ok := 1.0
	if v.Lost() || v.ClockOff() {
		ok = 0
	}
	env.Emit(descVantage, ok)
	return join(judgeVantage(v))
}

// askReferences asks for every name at every resolver, all at the same time: a silent one must not use up the time
// of the others.
func askReferences(ctx context.Context, way reach.Way, names []string) *facts.Names {
	out := &facts.Names{Started: time.Now(), Walks: make([]facts.Walk, len(way.Resolvers))}
	for i, r := range way.Resolvers {
		out.Walks[i] = facts.Walk{Resolver: r, Lookups: make([]facts.Lookup, len(names))}
	}
	reach.Parallel(len(way.Resolvers)*len(names), func(i int) {
		walk, name := out.Walks[i/len(names)], i%len(names)
		one := reach.Way{Resolvers: []netip.AddrPort{walk.Resolver}}
		walk.Lookups[name] = one.Resolve(ctx, names[name]).Walks[0].Lookups[0]
	})
	return out
}

// askReferenceTime asks one server, by the first of its addresses.
func askReferenceTime(ctx context.Context, env *Env, server site.TimeServer) facts.TimeServer {
	s := facts.TimeServer{Address: server.Address}
	if server.Name != "" {
		s.Hosts = []string{server.Name}
		l, _ := nameView{askReferences(ctx, env.Target.Way, s.Hosts)}.lookup(server.Name, phone.A)
		if len(l.Addresses) == 0 {
			s.Err = "no address was found: " + cmp.Or(string(l.Outcome), "no resolver answers")
			return s
		}
		s.Address = netip.AddrPortFrom(slices.MinFunc(l.Addresses, netip.Addr.Compare), ntpPort)
	}
	askTime(ctx, env, &s)
	return s
}

func judgeVantage(v *facts.Vantage) []*Failure {
	found := findings{}
	silent := silentReferences(v)
	switch {
	case v.Lost():
		found.add(reasonVantageLost, strings.Join(silent, "; "))
		return found.failures(Vantage().Reasons)
	case v.ClockOff():
		found.add(reasonVantageClockOff, strings.Join(offReferences(v), "; "))
	default:
		for _, text := range offReferences(v) {
			found.add(reasonVantageReferenceOff, text)
		}
	}
	for _, text := range silent {
		found.add(reasonVantageSilent, text)
	}
	return found.failures(Vantage().Reasons)
}

// silentReferences says what each resolver did that left a name unsettled, and each server that gives no time.
func silentReferences(v *facts.Vantage) []string {
	var out []string
	for _, walk := range v.Names.Walks {
		i := slices.IndexFunc(walk.Lookups, func(l facts.Lookup) bool { return !l.Outcome.Settled() })
		if i >= 0 {
			out = append(out, fmt.Sprintf("resolver %s: %s: %s", walk.Resolver, walk.Lookups[i].Name, walk.Lookups[i].Outcome))
		}
	}
	for _, s := range v.Servers {
		if !s.GivesTime() {
			out = append(out, fmt.Sprintf("time server %s: %s", referenceName(s), timeText(s)))
		}
	}
	return out
}

func offReferences(v *facts.Vantage) []string {
	var out []string
	for _, s := range v.Servers {
		if s.GivesTime() && s.Offset.Abs() >= v.MaxOffset {
			side := "behind"
			if s.Offset < 0 {
				side = "ahead"
			}
			out = append(out, fmt.Sprintf("by %s the exporter's clock is %s %s", referenceName(s), s.Offset.Abs().Round(time.Millisecond), side))
		}
	}
	return out
}

// referenceName is how a time server is named in the site file, with its address where that was found.
func referenceName(s facts.TimeServer) string {
	switch {
	case s.Hosts == nil:
		return s.Address.String()
	case !s.Address.IsValid():
		return s.Hosts[0]
	default:
		return s.Hosts[0] + " (" + s.Address.String() + ")"
	}
}

// explainVantage writes what each reference answered.
func explainVantage(w io.Writer, _ *Target, seen *facts.Seen) {
	if seen.Vantage == nil {
		return
	}
	for _, walk := range seen.Vantage.Names.Walks {
		if len(walk.Lookups) > 0 {
			fmt.Fprintf(w, "resolver %s\n", walk.Resolver)
		}
		for _, l := range walk.Lookups {
			explainLookup(w, l)
		}
	}
	if len(seen.Vantage.Servers) > 0 {
		fmt.Fprintln(w, "time servers, whose clock less the exporter's is the offset")
	}
	for _, s := range seen.Vantage.Servers {
		fmt.Fprintf(w, "  %s\n        %s\n", referenceName(s), timeText(s))
	}
}
