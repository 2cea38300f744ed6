package schedule

import (
	"maps"
	"slices"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/reach"
	"github.com/cx700/cx700_exporter/internal/signin"
	"github.com/cx700/cx700_exporter/internal/site"
)

// Judged is what is judged alike: sites whose phones depend on the same targets and hold the same roots.
type Judged struct {
	Sites   []string
	Network site.NetworkName
	Pool    *Planned
	// Directory and Certsrv are what is looked at in Active Directory, from inside; nil where it is not.
	Directory, Certsrv *Planned
	// Exchange and Update are beside the walk; nil where they are not looked at.
	Exchange, Update *Planned
	// Probes are all on which the verdict is founded.
	Probes []*Planned
	// held are the roots that the site file names; nil where it names none.
	held []phone.Root
}

// needs lists the probes on which it is founded what phones make of the pool's certificates.
func (g *Judged) needs() []*Planned {
	return slices.DeleteFunc([]*Planned{g.Pool, g.Directory, g.Certsrv}, func(p *Planned) bool { return p == nil })
}

// heldBySite reads the roots that enrolled phones hold by the site file.
func heldBySite(named site.EnrolledRoots) ([]phone.Root, error) {
	certificates, err := reach.ReadRoots(named.Files)
	if err != nil {
		return nil, err
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
		if c, err := reach.ParseCertificate(first[sum]); err == nil { // else its fingerprint will do
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
	out := make([]phone.Profile, 0, len(g.Pool.Target.Firmware)*len(phone.Kinds()))
	for _, f := range g.Pool.Target.Firmware {
		for _, kind := range phone.Kinds() {
			out = append(out, phone.Profile{
				Firmware: f, Kind: kind, Domains: g.Pool.Target.Domains, External: g.Network == site.External, Held: held,
			})
		}
	}
	return out
}

// gather brings together what was seen, and what is held against it for each firmware. A step is stale where
// something was last looked at too long ago; failed is when the newest failure was seen. It is not complete while a
// probe has not reported; those that run alone may take hours and are not waited for.
func (g *Judged) gather(last func(*Planned) (r *Report, looked time.Time), now time.Time) (byFirmware map[string]*facts.Seen, failed time.Time, complete bool) {
	complete = true
	base := facts.Seen{Stale: map[phone.Step]time.Time{}}
	reports, differ := make([]*Report, 0, len(g.Probes)), false
	for _, p := range g.Probes {
		r, looked := last(p)
		if r == nil {
			complete = complete && p.Collector.Alone
			continue
		}
		reports, differ = append(reports, r), differ || r.byFirmware != nil
		base.Merge(r.Seen)
		if !r.Success() && r.Seen.Vantage == nil && r.Ended.After(failed) {
			failed = r.Ended
		}
		if now.Sub(looked) > 2*p.Target.Interval+p.Target.Timeout {
			for _, step := range p.Collector.Steps {
				base.Stale[step] = looked
			}
		}
	}
	byFirmware = map[string]*facts.Seen{}
	var seen *facts.Seen
	for _, f := range g.Pool.Target.Firmware {
		if seen == nil || differ {
			one := base
			one.Findings = findingsBy(reports, f.Version)
			one.LostVantage = one.Findings[""]
			seen = &one
		}
		byFirmware[f.Version] = seen
	}
	return byFirmware, failed, complete
}

// findingsBy lists what a firmware has against what was seen, by the step on which it bears.
func findingsBy(reports []*Report, firmware string) map[phone.Step][]facts.Finding {
	out := make(map[phone.Step][]facts.Finding, len(reports))
	for _, r := range reports {
		c := r.Planned.Collector
		for _, step := range c.Steps {
			if _, asked := out[step]; !asked {
				out[step] = nil
			}
		}
		for _, f := range r.findings(firmware) {
			step := c.StepBy(f.Reason)
			out[step] = append(out[step], f)
		}
	}
	return out
}

// Verdicts judges every kind of phone by the last reports. They are not complete while one is missing, and then right
// in those steps only of which nothing is.
func (g *Judged) Verdicts(cache *signin.Cache, shared *reach.Shared, last func(*Planned) *Report, now time.Time) (all []*signin.Verdict, complete bool) {
	seen, _, complete := g.gather(func(p *Planned) (*Report, time.Time) { return last(p), now }, now)
	forest := ""
	if d := anyOf(seen).Directory; d != nil {
		forest = d.Forest()
	}
	return signin.Judge(cache, seen, g.profiles(shared, forest), now, nil), complete
}

// Traits lists what may be behind a verdict that became another.
func (g *Judged) Traits(last func(*Planned) *Report) []signin.Trait {
	seen, _, _ := g.gather(func(p *Planned) (*Report, time.Time) { return last(p), time.Now() }, time.Now())
	return signin.Traits(anyOf(seen), g.Pool.Target.Domains)
}

// anyOf is what was seen, without regard to the firmware.
func anyOf(seen map[string]*facts.Seen) *facts.Seen {
	for _, s := range seen {
		return s
	}
	return &facts.Seen{}
}
