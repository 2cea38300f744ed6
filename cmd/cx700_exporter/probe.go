package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/cx700/cx700_exporter/collectors"
	"github.com/cx700/cx700_exporter/internal/schedule"
)

// progressEvery is how often somebody who waits is told how far a download is.
const progressEvery = 2 * time.Second

type probeCmd struct {
	Collector   string `arg:"" help:"What to probe: ${collectors}."`
	Site        string `required:"" help:"The site whose dependencies are probed."`
	configFlags `embed:""`
	stateFlags  `embed:""`
}

// Validate implements kong's check of arguments.
func (c *probeCmd) Validate() error {
	if !slices.ContainsFunc(collectors.All(), func(known *collectors.Collector) bool { return known.Name == c.Collector }) {
		return fmt.Errorf("no collector %q; the help lists them", c.Collector)
	}
	return nil
}

// Run probes once and explains. The exit code is 0 when phones get through, 1 when they do not, and 2
// when it could not be told.
func (c *probeCmd) Run(env *environment) error {
	plan, err := c.plan()
	if err != nil {
		return usageError{err} // exit code 1 would say that phones are blocked
	}
	planned := plan.Find(c.Site, "", c.Collector)
	if planned == nil {
		return usageError{fmt.Errorf("%s: no site %q to probe for %s, network %s; config check lists them",
			c.file(), c.Site, c.Collector, c.Network)}
	}
	memory := c.beside(c.file())
	shared, err := memory.shared(env)
	if err != nil {
		return usageError{err}
	}
	defer shared.Close()
	memory.tellForgetful(env.stderr, founded(plan, c.Site, planned))
	collectors.TellDownloads(env.stderr, shared, progressEvery)
	worst := collectors.Notes
	for i, p := range planned {
		if i > 0 {
			fmt.Fprintln(env.stdout)
		}
		r := schedule.Once(env.ctx, shared, p, time.Now())
		r.Explain(env.stdout)
		worst = max(worst, r.Worst())
		if judged := plan.JudgedAt(c.Site, p); judged != nil {
			fmt.Fprintln(env.stdout)
			worst = max(worst, judged.Explain(env.stdout, shared, func(need *schedule.Planned) *schedule.Report {
				if need == p {
					return r
				}
				return schedule.Once(env.ctx, shared, need, time.Now())
			}))
		}
	}
	switch worst {
	case collectors.Blocks, collectors.BlocksNew:
		return exitCode(exitBad)
	case collectors.Blinds, collectors.NotWatched:
		return exitCode(exitUnknown)
	default:
		return nil
	}
}

// founded lists what is probed: what is asked for, and what it takes to judge it.
func founded(plan *schedule.Plan, site string, planned []*schedule.Planned) []*schedule.Planned {
	out := slices.Clone(planned)
	for _, p := range planned {
		if judged := plan.JudgedAt(site, p); judged != nil {
			out = append(out, judged.Looks...)
		}
	}
	return out
}
