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

var descWINSControllers = metric.NewGauge("cx700_wins_controllers",
	"How many domain controllers a WINS server names for the NetBIOS domain; absent when it does not answer.",
	`cx700_wins_controllers == 0`, "network", "target", "server")

// WINS watches the way to a domain controller that phones may take before DNS.
func WINS() *Collector {
	return &Collector{
		Name: "wins", Asks: "Does WINS lead to the domain controllers?", Guide: "24, 42",
		Steps:    []phone.Step{phone.StepController},
		Interval: time.Minute, Timeout: 10 * time.Second,
		Reasons: []*Reason{
			reasonWINSSilent, reasonWINSUnreachable, reasonWINSMalformed, reasonWINSRefused, reasonWINSNameMissing,
			reasonWINSDiffers, reasonWINSNameGuessed,
		},
		Metrics: []*metric.Desc{descWINSControllers},
		Targets: winsTargets,
		Probe:   probeWINS,
		Explain: explainWINS,
	}
}

// winsTargets gives a target where the site file names WINS servers.
func winsTargets(s *site.Site, n site.Network) []Target {
	if n.Name != site.Internal || s.Lease.WINSServers == nil {
		return nil
	}
	t := namesTarget("wins", s, n)
	domain, _ := s.Domains.NetBIOSDomain()
	t.Name = domain + "@" + serverNames(s.Lease.WINSServers, winsPort)
	t.Lease = &site.Lease{WINSServers: s.Lease.WINSServers}
	t.Firmware = nil // all of them ask alike
	return []Target{t}
}

func probeWINS(ctx context.Context, env *Env, seen *facts.Seen) error {
	names, err := env.Names(ctx)
	if err != nil {
		return err
	}
	t := env.Target
	domain, _ := t.Domains.NetBIOSDomain()
	label := phone.NetBIOSControllers(domain)
	w := &facts.WINS{Names: names, Domain: domain, Servers: make([]facts.WINSServer, len(t.Lease.WINSServers))}
	reach.Parallel(len(w.Servers), func(i int) { w.Servers[i] = t.Way.AskWINS(ctx, t.Lease.WINSServers[i], label) })
	seen.WINS = w
	for _, s := range w.Servers {
		if s.Outcome.Settled() {
			env.Emit(descWINSControllers, float64(len(s.Addresses)), s.Address.String())
		}
	}
	return join(judgeWINS(t, w))
}

// judgeWINS says what is wrong with each server's answer. Whether phones turn to DNS where WINS comes to
// nothing is not known, and what DNS gives is the directory collector's to say; so nothing here blocks.
func judgeWINS(t *Target, w *facts.WINS) []*Failure {
	found := findings{}
	byDNS := controllerAddresses(t, w.Names)
	for _, s := range w.Servers {
		if r := winsReason(t, s); r != nil {
			found.add(r, fmt.Sprintf("%s: %s", s.Address, winsText(s)))
		}
		strange := slices.DeleteFunc(slices.Clone(s.Addresses), func(a netip.Addr) bool { return slices.Contains(byDNS, a) })
		if byDNS != nil && len(strange) > 0 {
			found.add(reasonWINSDiffers, fmt.Sprintf("%s: %s; by DNS %s", s.Address,
				strings.Join(phone.AddressTexts(strange), ", "), strings.Join(phone.AddressTexts(byDNS), ", ")))
		}
	}
	return found.failures(WINS().Reasons)
}

func winsReason(t *Target, s facts.WINSServer) *Reason {
	switch s.Outcome {
	case facts.Answered:
		return nil
	case facts.NXDomain, facts.Empty:
		if _, typed := t.Domains.NetBIOSDomain(); !typed {
			return reasonWINSNameGuessed
		}
		return reasonWINSNameMissing
	case facts.Timeout, facts.NotAsked:
		return reasonWINSSilent
	case facts.Unreachable, facts.NoRoute:
		return reasonWINSUnreachable
	case facts.Malformed:
		return reasonWINSMalformed
	default:
		return reasonWINSRefused
	}
}

// controllerAddresses are those of the domain controllers that DNS gives; nil where it gives none, or where
// one of them is not known.
func controllerAddresses(t *Target, names *facts.Names) []netip.Addr {
	view := nameView{names}
	_, controllers := t.Domains.FindControllers(view.find)
	var out []netip.Addr
	for _, c := range controllers {
		l, settled := view.lookup(c.Target, phone.A)
		if !settled {
			return nil
		}
		out = append(out, l.Addresses...)
	}
	return out
}

func winsText(s facts.WINSServer) string {
	text := string(s.Outcome)
	if s.Addresses != nil {
		text = strings.Join(phone.AddressTexts(s.Addresses), " ")
	}
	if s.Detail != "" {
		text += ": " + s.Detail
	}
	return text
}

// explainWINS writes what each server answers, and what DNS says.
func explainWINS(w io.Writer, t *Target, seen *facts.Seen) {
	if seen.WINS == nil {
		return
	}
	fmt.Fprintf(w, "domain controllers of %s, NetBIOS name <1C>\n", seen.WINS.Domain)
	for _, s := range seen.WINS.Servers {
		fmt.Fprintf(w, "  WINS server %s\n        %s  [%s]\n", s.Address, winsText(s), s.Took.Round(10*time.Microsecond))
	}
	byDNS := strings.Join(phone.AddressTexts(controllerAddresses(t, seen.WINS.Names)), ", ")
	fmt.Fprintf(w, "  by DNS\n        %s\n", cmp.Or(byDNS, "none that is known"))
}
