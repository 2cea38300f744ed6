package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/cx700/cx700_exporter/collectors"
	"github.com/cx700/cx700_exporter/internal/check"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/schedule"
	"github.com/cx700/cx700_exporter/internal/signin"
	"github.com/cx700/cx700_exporter/internal/site"
)

type checkCmd struct {
	Site        string   `placeholder:"NAME" help:"Only this site of the site file."`
	Firmware    []string `placeholder:"VERSION" help:"Only these releases; repeatable."`
	Format      string   `enum:"text,json" default:"text" help:"How the result is written: ${enum}."`
	SIPDomain   string   `name:"sip-domain" placeholder:"DOMAIN" help:"Without a site file: the SIP domain."`
	DHCPDomain  string   `name:"dhcp-domain" placeholder:"DOMAIN" help:"Without a site file: the domain of DHCP option 015; the SIP domain by default."`
	DNSServer   []string `name:"dns-server" placeholder:"ADDRESS" help:"Without a site file: a DNS server of the phones; repeatable."`
	configFlags `embed:""`
	stateFlags  `embed:""`
}

// Validate implements kong's check of flags.
func (c *checkCmd) Validate() error {
	if c.SIPDomain == "" && (c.DHCPDomain != "" || c.DNSServer != nil) {
		return fmt.Errorf("without a site file write --sip-domain too")
	}
	if c.SIPDomain != "" && c.DNSServer == nil {
		return fmt.Errorf("write --dns-server=ADDRESS, the DNS server that phones get from DHCP")
	}
	for _, s := range c.DNSServer {
		if _, err := netip.ParseAddr(s); err != nil {
			if _, err := netip.ParseAddrPort(s); err != nil {
				return fmt.Errorf("--dns-server=%s is no address; write one such as 192.168.7.5", s)
			}
		}
	}
	return nil
}

// remembering is a writer that keeps its first error.
type remembering struct {
	w   io.Writer
	err error
}

func (r *remembering) Write(b []byte) (int, error) {
	n, err := r.w.Write(b)
	r.err = cmp.Or(r.err, err)
	return n, err
}

// Run goes the phones' way once. The exit code is 1 when some phone is blocked, else 2 when that could not be told
// of some or it was interrupted, else 0.
func (c *checkCmd) Run(env *environment) error {
	plan, err := c.planned()
	if err != nil {
		return usageError{err}
	}
	walks := check.Walks(plan, c.Site)
	if len(walks) == 0 {
		return usageError{c.nothing()}
	}
	memory := c.stateFlags
	if c.SIPDomain == "" {
		memory = memory.beside(c.file())
	}
	shared, err := memory.shared(env)
	if err != nil {
		return usageError{err}
	}
	defer shared.Close()
	var probes []*schedule.Planned
	for _, w := range walks {
		probes = append(probes, w.Judged.Probes...)
	}
	memory.tellForgetful(env.stderr, probes)
	out := &remembering{w: env.stdout}
	text := &check.Writer{W: out}
	step, done := text.Step, text.Done
	var documents []check.Document
	if c.Format == "json" {
		step = func(*check.Result, check.Step) {}
		done = func(r *check.Result) { documents = append(documents, r.Document()) }
	}
	worst := signin.NoVerdict
	err = check.Run(env.ctx, shared, walks, step, func(r *check.Result) {
		for _, v := range r.Verdicts {
			worst = signin.Worst(worst, v.State)
		}
		done(r)
	})
	if c.Format == "json" && err == nil {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		_ = encoder.Encode(documents) // out keeps the error
	}
	if err := cmp.Or(err, out.err); err != nil { // 1 would read as blocked
		fmt.Fprintln(env.stderr, "check came to no end:", err)
		return exitCode(exitUnknown)
	}
	switch worst {
	case signin.Stopped:
		return exitCode(exitBad)
	case signin.Unclear:
		return exitCode(exitUnknown)
	default:
		return nil
	}
}

// nothing says why there is nobody to go the way for.
func (c *checkCmd) nothing() error {
	switch {
	case c.SIPDomain != "":
		return fmt.Errorf("without a site file only the internal network is known; write a site file for the network %s", c.Network)
	case c.Site == "":
		return fmt.Errorf("%s: no site has the network %s", c.file(), c.Network)
	default:
		return fmt.Errorf("%s: no site %q on the network %s; config check lists them", c.file(), c.Site, c.Network)
	}
}

// planned is the plan of the site file, or of what the flags say in its place, for the firmware that is asked for.
func (c *checkCmd) planned() (*schedule.Plan, error) {
	name, content, err := c.siteFile()
	if err != nil {
		return nil, err
	}
	cfg, err := site.Parse(name, content)
	if err != nil {
		return nil, err
	}
	if c.Firmware != nil {
		if err := c.onlyFirmware(cfg); err != nil {
			return nil, err
		}
	}
	return schedule.NewPlan(cfg, collectors.All(), networks(c.Network))
}

// siteFile is the one that is named, or one of what the flags say.
func (c *checkCmd) siteFile() (name string, content []byte, err error) {
	if c.SIPDomain == "" {
		name = c.file()
		content, err = os.ReadFile(name)
		if err != nil {
			err = fmt.Errorf("%w; name a site file with --config.file, or write --sip-domain and --dns-server", err)
		}
		return name, content, err
	}
	type lease struct {
		Domain     string   `yaml:"domain"`
		DNSServers []string `yaml:"dns_servers"`
	}
	type place struct {
		Name      string `yaml:"name"`
		SIPDomain string `yaml:"sip_domain"`
		DHCP      lease  `yaml:"dhcp"`
	}
	domain := c.DHCPDomain
	if domain == "" {
		domain = c.SIPDomain
	}
	content, err = yaml.Marshal(map[string][]place{"sites": {{"here", c.SIPDomain, lease{domain, c.DNSServer}}}})
	return "the flags", content, err
}

func (c *checkCmd) onlyFirmware(cfg *site.Config) error {
	found := false
	var known []string
	for _, s := range cfg.Sites {
		s.Firmware = slices.DeleteFunc(slices.Clone(s.Firmware), func(f phone.Firmware) bool {
			if !slices.Contains(known, f.Version) {
				known = append(known, f.Version)
			}
			return !slices.Contains(c.Firmware, f.Version)
		})
		found = found || len(s.Firmware) > 0
	}
	if !found {
		return fmt.Errorf("--firmware=%s is in use at no site; there are %s", strings.Join(c.Firmware, ","), strings.Join(known, ", "))
	}
	return nil
}
