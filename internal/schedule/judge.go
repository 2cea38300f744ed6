package schedule

import (
	"crypto/x509"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/metric"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/reach"
	"github.com/cx700/cx700_exporter/internal/signin"
	"github.com/cx700/cx700_exporter/internal/site"
)

var (
	descPoolTrusted = metric.NewGauge("cx700_pool_trusted",
		"Whether a kind of phone trusts a registrar by its certificates (1) or not (0); absent while that is not known or not watched.",
		`cx700_pool_trusted == 0`, "site", "network", "address", "firmware", "phone")
	descBlocked = metric.NewGauge("cx700_signin_blocked_info",
		"What stops a kind of phone first, by the TLS and the certificates of its registrars; only while it does.",
		`cx700_signin_blocked_info`, "site", "network", "firmware", "phone", "step", "reason")
	descValidUntil = metric.NewGauge("cx700_signin_valid_until_timestamp_seconds",
		"When the first certificate ends of those by which a kind of phone gets to its registrar; absent while that is not known.",
		`(cx700_signin_valid_until_timestamp_seconds - time()) / 86400 < 30`, "site", "network", "firmware", "phone")
)

// Judged is what is judged alike: sites whose phones find the same registrars and hold the same roots.
type Judged struct {
	Sites   []string
	Network site.NetworkName
	Pool    *Planned
	// Directory and Certsrv are what is looked at in Active Directory, from inside; nil where it is not.
	Directory, Certsrv *Planned
	// held are the roots that the site file names; nil where it names none.
	held []phone.Root
}

// needs lists the probes on which the judgement is founded.
func (g *Judged) needs() []*Planned {
	return slices.DeleteFunc([]*Planned{g.Pool, g.Directory, g.Certsrv}, func(p *Planned) bool { return p == nil })
}

// alike tells judgements apart.
type alike struct {
	pool, directory, certsrv *Planned
	held                     string
}

// heldBySite reads the roots that enrolled phones hold by the site file.
func heldBySite(named site.EnrolledRoots) ([]phone.Root, error) {
	certificates, err := reach.ReadRoots(named.Files)
	if err != nil {
		return nil, fmt.Errorf("enrolled_roots: %w", err)
	}
	var out []phone.Root
	for _, c := range certificates {
		out = append(out, phone.Root{SHA256: phone.Fingerprint(c), Certificate: c})
	}
	for _, sum := range named.Fingerprints {
		out = append(out, phone.Root{SHA256: sum})
	}
	return out, nil
}

// heldSince are the roots that a forest published when the state began, by which enrolled phones are judged where
// the site file says nothing; nil where it published none.
func heldSince(shared *reach.Shared, forest string) []phone.Root {
	first := shared.State.FirstRoots(forest)
	var out []phone.Root
	for _, sum := range slices.Sorted(maps.Keys(first)) {
		root := phone.Root{SHA256: sum}
		if c, err := x509.ParseCertificate(first[sum]); err == nil { // else its fingerprint will do
			root.Certificate = c
		}
		out = append(out, root)
	}
	return out
}

// profiles lists the phones that are judged: each firmware, enrolled and new.
func (g *Judged) profiles(shared *reach.Shared, forest string) []phone.Profile {
	held := g.held
	if held == nil && forest != "" {
		held = heldSince(shared, forest)
	}
	var out []phone.Profile
	for _, f := range g.Pool.Target.Firmware {
		for _, kind := range phone.Kinds() {
			out = append(out, phone.Profile{
				Firmware: f, Kind: kind, Domains: g.Pool.Target.Domains, External: g.Network == site.External, Held: held,
			})
		}
	}
	return out
}

// judgement is what a plan judges, while it runs.
type judgement struct {
	*Judged
	pool, directory, certsrv *job

	mu  sync.Mutex // so that the last reports are judged last
	set atomic.Pointer[metric.Set]
}

// judgements makes those of a plan; jobs are the plan's.
func judgements(p *Plan, jobs map[*Planned]*job) (all []*judgement, byJob map[*job][]*judgement) {
	byJob = map[*job][]*judgement{}
	for _, g := range p.Judged {
		j := &judgement{Judged: g, pool: jobs[g.Pool], directory: jobs[g.Directory], certsrv: jobs[g.Certsrv]}
		all = append(all, j)
		for _, need := range g.needs() {
			byJob[jobs[need]] = append(byJob[jobs[need]], j)
		}
	}
	return all, byJob
}

// judge makes the judgement anew from the last reports. It begins once every probe that it needs has reported.
func (s *Scheduler) judge(g *judgement, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	defer func() { // as in guarded: one bad chain must not end all probes
		if p := recover(); p != nil {
			s.log.Error("not judged", "collector", "pool", "target", g.Pool.Target.Name, "err", fmt.Sprintf("panic: %v\n%s", p, debug.Stack()))
			g.set.Store(nil)
		}
	}()
	seen := &facts.Seen{}
	for _, j := range []*job{g.pool, g.directory, g.certsrv} {
		if j == nil {
			continue
		}
		last := j.last.Load()
		if last == nil {
			return
		}
		seen.Pool = or(last.Seen.Pool, seen.Pool)
		seen.Directory = or(last.Seen.Directory, seen.Directory)
		seen.Certsrv = or(last.Seen.Certsrv, seen.Certsrv)
	}
	set, err := metric.NewSet(s.samples(g, seen, now))
	if err != nil {
		s.log.Error("series left out", "collector", "pool", "target", g.Pool.Target.Name, "err", err)
	}
	g.set.Store(&set)
}

func or[T any](a, b *T) *T {
	if a != nil {
		return a
	}
	return b
}

func (s *Scheduler) samples(g *judgement, seen *facts.Seen, now time.Time) []metric.Sample {
	var out []metric.Sample
	for _, p := range g.profiles(s.shared, g.forest(seen.Directory)) {
		of := signin.Outcomes(s.steps, seen, p, now)
		for _, name := range g.Sites {
			add := func(d *metric.Desc, value float64, labels ...string) {
				out = append(out, metric.Sample{Desc: d, Value: value, Labels: append([]string{name, string(g.Network)}, labels...)})
			}
			trusted, refused := of.Addresses()
			for _, address := range trusted {
				add(descPoolTrusted, 1, address, p.Firmware.Version, string(p.Kind))
			}
			for _, address := range refused {
				add(descPoolTrusted, 0, address, p.Firmware.Version, string(p.Kind))
			}
			if step, reason := stopped(s.steps, of); reason != "" {
				add(descBlocked, 1, p.Firmware.Version, string(p.Kind), step, reason)
			}
			if until := of.ValidUntil(); !until.IsZero() {
				add(descValidUntil, float64(until.Unix()), p.Firmware.Version, string(p.Kind))
			}
		}
	}
	return out
}

// stopped is the first step at which a phone is blocked, and why; empty where none is.
func stopped(steps []signin.Step, of signin.Verdicts) (step, reason string) {
	for i := range of {
		if r := of[i].Reason(); of[i].State == signin.Blocked && r != nil {
			return steps[i].Name, r.Name
		}
	}
	return "", ""
}

// forest is where the directory lies; the one of before while no controller can be read.
func (g *judgement) forest(d *facts.Directory) string {
	if d == nil || g.directory == nil {
		return ""
	}
	if now := d.Forest(); now != "" {
		g.directory.forest.Store(&now)
	}
	if known := g.directory.forest.Load(); known != nil {
		return *known
	}
	return ""
}
