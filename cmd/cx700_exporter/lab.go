package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/cx700/cx700_exporter/collectors"
	"github.com/cx700/cx700_exporter/internal/lab"
	"github.com/cx700/cx700_exporter/internal/schedule"
	"github.com/cx700/cx700_exporter/internal/site"
)

type labCmd struct {
	Fault      []string `placeholder:"[SITE:]NAME" sep:"none" help:"A fault to begin with; repeatable."`
	ListFaults bool     `help:"List the faults and stop."`
	Sites      int      `default:"1" help:"How many sites the company has."`
	Shops      int      `help:"How many small sites it has besides, each with a DHCP server and all else from the headquarters."`
	Network    string   `enum:"internal,external,both" default:"both" help:"Which networks are watched: ${enum}."`
	Watch      bool     `negatable:"" default:"true" help:"Watch the company; --no-watch leaves that to another exporter."`
	PrintSites bool     `name:"print-config" help:"Print the lab's site file at its start."`
	webFlags   `embed:""`
	probeFlags `embed:""`
	stateFlags `embed:""`
}

// Validate implements kong's check of flags.
func (c *labCmd) Validate() error {
	if c.Sites < 1 || c.Sites > lab.MaxSites {
		return fmt.Errorf("--sites=%d: write 1 to %d", c.Sites, lab.MaxSites)
	}
	if c.Shops < 0 || c.Shops > lab.MaxShops {
		return fmt.Errorf("--shops=%d: write 0 to %d", c.Shops, lab.MaxShops)
	}
	return c.probeFlags.Validate()
}

// interval is short, so that a fault set by hand shows while one looks, but leaves each target of a large company a piece
// of its own: company and exporter share the machine.
func (c *labCmd) interval() time.Duration {
	const shortest, longest, piece = 3 * time.Second, time.Minute, 10 * time.Millisecond
	const targets = 22 // of a site with servers of its own
	return min(max(shortest, time.Duration(c.Sites*targets+c.Shops)*piece), longest)
}

// labDownloadInterval leaves a slow server the time that its images need.
const labDownloadInterval = 15 * time.Second

// labRate would bring images of real firmware, too, in that interval.
const labRate = 4 << 20

// Run starts the company and an exporter that watches it.
func (c *labCmd) Run(env *environment) (err error) {
	if c.ListFaults {
		return lab.PrintFaults(env.stdout)
	}
	company, err := lab.Start(c.Sites)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, company.Close()) }()
	company.Shops = c.Shops
	for _, f := range c.Fault {
		if err := company.Set(f); err != nil {
			return usageError{err}
		}
	}
	if c.PrintSites {
		if _, err := env.stdout.Write(company.SiteFile()); err != nil {
			return err
		}
	}
	shared, err := c.shared(env)
	if err != nil {
		return err
	}
	shared.Exchange.LogOnEvery(0) // so that it shows what faults change
	d := newDaemon(env, c.probeFlags, shared, func() (*schedule.Plan, error) {
		cfg, err := site.Parse("lab.yml", company.SiteFile())
		if err != nil {
			return nil, err
		}
		for _, collector := range collectors.All() {
			cfg.Collectors[collector.Name] = site.CollectorSettings{Interval: c.interval()}
		}
		cfg.Collectors["firmware_download"] = site.CollectorSettings{Interval: max(labDownloadInterval, c.interval()), MaxBytesPerSecond: labRate}
		return schedule.NewPlan(cfg, collectors.All(), c.watched())
	})
	if err := d.reload(); err != nil {
		return err
	}
	// A terminal that is closed ends the lab, lest its files stay behind.
	ctx, stop := signal.NotifyContext(env.ctx, syscall.SIGHUP)
	defer stop()
	return d.run(ctx, c.webFlags, follows(company, d))
}

func (c *labCmd) watched() []site.NetworkName {
	if !c.Watch {
		return nil
	}
	return networks(c.Network)
}

// follows serves the lab's pages, and takes the site file over anew where a fault has changed it.
func follows(company *lab.Lab, d *daemon) http.Handler {
	pages := company.Handler()
	var mu sync.Mutex
	known := company.SiteFile()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pages.ServeHTTP(w, r)
		if r.Method == http.MethodGet {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if now := company.SiteFile(); !bytes.Equal(now, known) {
			known = now
			_ = d.reloadRunning() // which has told the log
		}
	})
}
