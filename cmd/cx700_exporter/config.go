package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/cx700/cx700_exporter/internal/schedule"
	"github.com/cx700/cx700_exporter/internal/site"
)

type configCmd struct {
	Check configCheckCmd `cmd:"" help:"Check the site file and print which targets each site depends on."`
}

type configCheckCmd struct {
	ShardCount  int `name:"shard.count" default:"1" placeholder:"N" help:"Show, too, how the sites are spread over so many exporters."`
	configFlags `embed:""`
}

// Validate implements kong's check of flags.
func (c *configCheckCmd) Validate() error { return shardCountFits(c.ShardCount) }

// Run prints the plan that follows from the site file, and how it is spread over shards.
func (c *configCheckCmd) Run(env *environment) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	plan, err := c.planOf(cfg)
	if err != nil {
		return err
	}
	if c.ShardCount == 1 {
		return plan.Print(env.stdout, nil)
	}
	groups := cfg.Groups()
	at := map[string]int{}
	for _, g := range groups {
		for _, s := range g.Sites {
			at[s.Name] = g.Shard(c.ShardCount)
		}
	}
	if err := plan.Print(env.stdout, at); err != nil {
		return err
	}
	return printSpread(env.stdout, groups, c.ShardCount, at, targetsOf(plan, at))
}

// targetsOf counts the targets of each shard. Only that of the exporter's own place is a target of several.
func targetsOf(plan *schedule.Plan, at map[string]int) map[int]int {
	out := map[int]int{}
	for _, j := range plan.Jobs {
		counted := map[int]bool{}
		for _, s := range j.Sites {
			if !counted[at[s]] {
				counted[at[s]] = true
				out[at[s]]++
			}
		}
	}
	return out
}

// printSpread writes what each shard watches: the groups of sites that stay together.
func printSpread(w io.Writer, groups []site.Group, count int, shards map[string]int, targets map[int]int) error {
	sites, texts := map[int]int{}, map[int]string{}
	for _, g := range groups {
		at := shards[g.Sites[0].Name]
		sites[at] += len(g.Sites)
		texts[at] += groupText(g)
	}
	var err error
	for i := range count {
		_, err = fmt.Fprintf(w, "shard %d: sites: %d, targets: %d\n%s", i, sites[i], targets[i], texts[i])
	}
	return err
}

// groupText names the domains of a group and the accounts that hold them together.
func groupText(g site.Group) string {
	const most = 3
	few := func(names []string) string {
		if n := len(names) - most; n > 0 {
			return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), n)
		}
		return strings.Join(names, ", ")
	}
	text := fmt.Sprintf("  %s, sites: %d", few(g.Domains), len(g.Sites))
	if len(g.Accounts) > 0 {
		text += ", accounts: " + few(g.Accounts)
	}
	return text + "\n"
}
