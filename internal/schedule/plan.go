// Package schedule probes every target again and again: spread over time, with bounded workers and
// timeouts, and keeps the last report of each. Thousands of idle targets cost no goroutine each.
package schedule

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"

	"github.com/prometheus/common/model"

	"github.com/cx700/cx700_exporter/collectors"
	"github.com/cx700/cx700_exporter/internal/metric"
	"github.com/cx700/cx700_exporter/internal/site"
)

var (
	descSiteTarget = metric.NewGauge("cx700_site_target_info",
		"A target on which a site depends; join it to find the sites behind a failing target.",
		`cx700_probe_success * on (network, collector, target) group_right cx700_site_target_info == 0`,
		"site", "network", "collector", "target")
	descSitePhones = metric.NewGauge("cx700_site_phones",
		"How many phones stand at a site, by the site file; absent when it does not say.",
		`sum(cx700_site_phones)`, "site")
	descSites = metric.NewGauge("cx700_config_sites",
		"How many sites the site file has, those of other shards included; each gives cx700_signin_objective_ratio on its own shard.",
		`max by (job) (cx700_config_sites) - on (job) count by (job) (count by (job, site) (cx700_signin_objective_ratio))`)
	descShard = metric.NewGauge("cx700_shard_info",
		"Which of how many exporters this is that share the sites of one site file; 0 of 1 where it is the only one.",
		`count by (job, shards) (count by (job, shards, shard) (cx700_shard_info))`, "shard", "shards")
)

// Planned is one probe that the site file asks for.
type Planned struct {
	Collector *collectors.Collector
	Target    collectors.Target
	// Sites that depend on the target, in the order of the file.
	Sites []string
	// key is that of the target, before its name is told apart from others: it is the same with whatever else the file has.
	key string
}

// Plan is everything that a site file asks for. It is not changed once it is made.
type Plan struct {
	Jobs []*Planned
	// Sites in the order of the file.
	Sites []*site.Site
	// Judged is what is judged of them.
	Judged []*Judged
	// Shard is whose sites these are. Elsewhere has the others of the file, each with the index of its shard.
	Shard     site.Shard
	Elsewhere map[string]int
	// Set holds the series that follow from the site file alone.
	Set *metric.Set
}

// NewPlan works out which targets each site depends on, for the networks that are watched from here.
// Sites with equal targets share them. Different targets that would go by one name get a piece of their
// hash appended, so that no two share a series, also where another shard has one of them.
func NewPlan(cfg *site.Config, all []*collectors.Collector, networks []site.NetworkName) (*Plan, error) {
	if err := timeoutsFit(all, cfg); err != nil {
		return nil, err
	}
	p := &Plan{Sites: cfg.Sites, Shard: cfg.Shard, Elsewhere: map[string]int{}}
	for _, s := range cfg.Elsewhere {
		p.Elsewhere[s.Name] = s.Shard
	}
	byKey := map[string]*Planned{}
	judged := map[string]*Judged{}
	for _, s := range cfg.Sites {
		var of []*Planned // of the site, in the order of the collectors
		for _, n := range s.Networks {
			if !slices.Contains(networks, n.Name) {
				continue
			}
			for _, c := range all {
				for _, t := range c.Targets(s, n) {
					t = configured(c, t, cfg.Collectors[c.Name])
					if err := rateFits(&t, cfg.Collectors[c.Name].Place); err != nil {
						return nil, err
					}
					of = append(of, p.add(byKey, c, t, s.Name))
				}
			}
		}
		if err := p.judge(judged, s, of); err != nil {
			return nil, err
		}
	}
	tellApart(p.Jobs, targetsElsewhere(cfg, all, networks))
	samples := siteSamples(cfg)
	for _, j := range p.Jobs {
		for _, s := range j.Sites {
			samples = append(samples, metric.Sample{Desc: descSiteTarget, Value: 1,
				Labels: []string{s, string(j.Target.Network), j.Collector.Name, j.Target.Name}})
		}
	}
	var err error
	p.Set, err = metric.NewSet(samples)
	return p, err
}

// timeoutsFit looks for timeouts that are longer than an interval which the file leaves at its default; the
// site file's own rules cover the others.
func timeoutsFit(all []*collectors.Collector, cfg *site.Config) error {
	var errs []error
	for _, c := range all {
		if set := cfg.Collectors[c.Name]; set.Interval == 0 && set.Timeout > c.Interval {
			at := set.Place
			at.Key += ".timeout"
			errs = append(errs, &site.Fault{Place: at, Mend: "write interval too",
				Problem: fmt.Sprintf("%s is longer than the interval, %s by default", model.Duration(set.Timeout), model.Duration(c.Interval))})
		}
	}
	return errors.Join(errs...)
}

// fewestImageBytes is what a probe of whole images must have the time for: two of 15 MiB, the interim one and
// the one that is offered.
const fewestImageBytes = 30 << 20

// rateFits checks that images come through in the time of a probe at the rate of the target, as it is set there.
func rateFits(t *collectors.Target, at site.Place) error {
	if t.MaxBytesPerSecond == 0 || t.Timeout.Seconds()*float64(t.MaxBytesPerSecond) >= fewestImageBytes {
		return nil
	}
	return &site.Fault{Place: at, Mend: "raise max_bytes_per_second, or interval and timeout",
		Problem: fmt.Sprintf("at %d bytes per second two images of 15 MiB take longer than the %s of a probe", t.MaxBytesPerSecond, model.Duration(t.Timeout))}
}

// configured puts the file's settings over the collector's. A timeout that the file does not name is cut to
// the interval.
func configured(c *collectors.Collector, t collectors.Target, set site.CollectorSettings) collectors.Target {
	t.Interval, t.Timeout = c.Interval, c.Timeout
	if set.Interval > 0 {
		t.Interval = set.Interval
	}
	if set.Timeout > 0 {
		t.Timeout = set.Timeout
	}
	t.Timeout = min(t.Timeout, t.Interval)
	if set.MaxOffset > 0 {
		t.MaxOffset = set.MaxOffset
	}
	if set.MaxBytesPerSecond > 0 {
		t.MaxBytesPerSecond = set.MaxBytesPerSecond
	}
	return t
}

func (p *Plan) add(byKey map[string]*Planned, c *collectors.Collector, t collectors.Target, siteName string) *Planned {
	key := t.Key()
	j := byKey[key]
	if j == nil {
		j = &Planned{Collector: c, Target: t, key: key}
		byKey[key] = j
		p.Jobs = append(p.Jobs, j)
	}
	if !slices.Contains(j.Sites, siteName) {
		j.Sites = append(j.Sites, siteName)
	}
	return j
}

// judge takes note of what is to be judged at a site: all that a phone there needs, and what Active Directory shows
// inside. Sites that depend on the same are judged together.
func (p *Plan) judge(all map[string]*Judged, s *site.Site, of []*Planned) error {
	find := func(n site.NetworkName, collector string) *Planned {
		i := slices.IndexFunc(of, func(p *Planned) bool { return p.Target.Network == n && p.Target.Collector == collector })
		if i < 0 {
			return nil
		}
		return of[i]
	}
	for _, network := range []site.NetworkName{site.Internal, site.External} {
		pool := find(network, "pool")
		if pool == nil {
			continue
		}
		key := fmt.Sprint(network, s.EnrolledRoots)
		var probes []*Planned
		for _, j := range of {
			fromInside := j.Target.Collector == "directory" || j.Target.Collector == "certsrv"
			if j.Target.Network == network || fromInside {
				probes = append(probes, j)
				key += fmt.Sprintf(" %p", j)
			}
		}
		g := all[key]
		if g == nil {
			held, err := heldBySite(s.EnrolledRoots)
			if err != nil {
				return &site.Fault{Place: s.EnrolledRootsAt, Problem: err.Error(), Mend: "name files of certificates that can be read"}
			}
			g = &Judged{
				Network: network, Pool: pool, Directory: find(site.Internal, "directory"), Certsrv: find(site.Internal, "certsrv"),
				Exchange: find(network, "exchange"), Update: find(network, "update"), Probes: probes, held: held,
			}
			all[key] = g
			p.Judged = append(p.Judged, g)
		}
		g.Sites = append(g.Sites, s.Name)
	}
	return nil
}

type labels struct {
	collector, name string
	network         site.NetworkName
}

func labelsOf(t *collectors.Target) labels { return labels{t.Collector, t.Name, t.Network} }

func tellApart(jobs []*Planned, elsewhere iter.Seq[*collectors.Target]) {
	count := map[labels]int{}
	for _, j := range jobs {
		count[labelsOf(&j.Target)]++
	}
	for t := range elsewhere {
		if l := labelsOf(t); count[l] > 0 {
			count[l]++
		}
	}
	for _, j := range jobs {
		if count[labelsOf(&j.Target)] > 1 {
			j.Target.Name += "~" + j.key[:6]
		}
	}
}

// targetsElsewhere yields those of other shards. None of them is one of ours, since they have other domains; what has no
// domain is the exporter's own place, which every shard has.
func targetsElsewhere(cfg *site.Config, all []*collectors.Collector, networks []site.NetworkName) iter.Seq[*collectors.Target] {
	return func(yield func(*collectors.Target) bool) {
		for _, s := range cfg.Elsewhere {
			for _, n := range s.Networks {
				if !slices.Contains(networks, n.Name) {
					continue
				}
				for _, c := range all {
					for _, t := range c.Targets(s.Site, n) {
						if t.Domains.DHCP != "" && !yield(&t) {
							return
						}
					}
				}
			}
		}
	}
}

func siteSamples(cfg *site.Config) []metric.Sample {
	out := []metric.Sample{
		{Desc: descSites, Value: float64(len(cfg.Sites) + len(cfg.Elsewhere))},
		{Desc: descShard, Value: 1, Labels: []string{strconv.Itoa(cfg.Shard.Index), strconv.Itoa(max(cfg.Shard.Count, 1))}},
	}
	for _, s := range cfg.Sites {
		out = append(out, metric.Sample{Desc: descObjective, Value: s.Objective, Labels: []string{s.Name}})
		if s.Phones > 0 {
			out = append(out, metric.Sample{Desc: descSitePhones, Value: float64(s.Phones), Labels: []string{s.Name}})
		}
	}
	return out
}

// Credentials tells the names of those with which some probe may log on.
func (p *Plan) Credentials() map[string]bool {
	out := map[string]bool{}
	for _, j := range p.Jobs {
		for _, c := range j.Target.Credentials() {
			out[c.Name] = true
		}
	}
	return out
}

// Find returns what is planned for a site, for one network and one collector if they are named.
func (p *Plan) Find(siteName, network, collector string) []*Planned {
	var out []*Planned
	for _, j := range p.Jobs {
		if slices.Contains(j.Sites, siteName) && (network == "" || network == string(j.Target.Network)) &&
			(collector == "" || collector == j.Collector.Name) {
			out = append(out, j)
		}
	}
	return out
}

// Print writes the plan: each site with its shard, where there are several, and the targets it depends on, and how often
// they are probed.
func (p *Plan) Print(w io.Writer, shards map[string]int) error {
	bySite := map[string][]*Planned{}
	var order []string
	for _, j := range p.Jobs {
		for _, s := range j.Sites {
			if bySite[s] == nil {
				order = append(order, s)
			}
			bySite[s] = append(bySite[s], j)
		}
	}
	for _, s := range order {
		if shard, spread := shards[s]; spread {
			fmt.Fprintf(w, "%s, shard %d\n", s, shard)
		} else {
			fmt.Fprintln(w, s)
		}
		target := ""
		for _, j := range bySite[s] {
			if at := fmt.Sprintf("  %s  %s", j.Target.Network, j.Target.Name); at != target {
				fmt.Fprintln(w, at)
				target = at
			}
			shared := ""
			if n := len(j.Sites) - 1; n > 0 {
				shared = fmt.Sprintf(", shared with %d more", n)
			}
			fmt.Fprintf(w, "    %-18s every %s%s\n", j.Collector.Name, model.Duration(j.Target.Interval), shared)
		}
	}
	_, err := fmt.Fprintf(w, "sites: %d, targets: %d\n", len(order), len(p.Jobs))
	return err
}
