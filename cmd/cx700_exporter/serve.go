package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	promcollectors "github.com/prometheus/client_golang/prometheus/collectors"
	versioncollector "github.com/prometheus/client_golang/prometheus/collectors/version"
	"github.com/prometheus/common/version"
	toolkit "github.com/prometheus/exporter-toolkit/web"
	"go.yaml.in/yaml/v3"

	"github.com/cx700/cx700_exporter/collectors"
	"github.com/cx700/cx700_exporter/internal/catalogue"
	"github.com/cx700/cx700_exporter/internal/metric"
	"github.com/cx700/cx700_exporter/internal/reach"
	"github.com/cx700/cx700_exporter/internal/schedule"
	"github.com/cx700/cx700_exporter/internal/site"
	"github.com/cx700/cx700_exporter/internal/state"
	"github.com/cx700/cx700_exporter/internal/web"
)

// configFlags say what is watched.
type configFlags struct {
	File    string `name:"config.file" env:"CX700_CONFIG_FILE" placeholder:"FILE" help:"The site file; without it ${here} in the working folder, else ${packaged}."`
	Network string `env:"CX700_NETWORK" enum:"internal,external,both" default:"both" help:"Which networks are watched from here: ${enum}."`
}

// file is the site file that is named, or found.
func (f configFlags) file() string {
	if f.File == "" {
		return siteFileHere(packagedSiteFile)
	}
	return f.File
}

// load reads the site file, of which some site must be watched from here.
func (f configFlags) load() (*site.Config, error) {
	cfg, err := site.Load(f.file())
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(cfg.Sites, func(s *site.Site) bool {
		return slices.ContainsFunc(s.Networks, func(n site.Network) bool { return slices.Contains(networks(f.Network), n.Name) })
	}) {
		return nil, fmt.Errorf("%s: no site has the network %s; watch another with --network", f.file(), f.Network)
	}
	return cfg, nil
}

func (f configFlags) planOf(cfg *site.Config) (*schedule.Plan, error) {
	return schedule.NewPlan(cfg, collectors.All(), networks(f.Network))
}

// plan is that of all sites, whatever shard is theirs.
func (f configFlags) plan() (*schedule.Plan, error) {
	cfg, err := f.load()
	if err != nil {
		return nil, err
	}
	return f.planOf(cfg)
}

func networks(name string) []site.NetworkName {
	if name == "both" {
		return []site.NetworkName{site.Internal, site.External}
	}
	return []site.NetworkName{site.NetworkName(name)}
}

// webFlags say where and how pages are served. Those that healthcheck must know are taken from the environment too,
// which is the same for both in a container.
type webFlags struct {
	ListenAddress   []string `name:"web.listen-address" env:"CX700_WEB_LISTEN_ADDRESS" default:":10700" help:"Addresses to serve pages on."`
	ConfigFile      string   `name:"web.config.file" env:"CX700_WEB_CONFIG_FILE" help:"TLS and passwords, in the exporter-toolkit's format."`
	SystemdSocket   bool     `name:"web.systemd-socket" help:"Take the sockets that systemd opened instead of opening any (Linux only)."`
	EnableLifecycle bool     `name:"web.enable-lifecycle" help:"Let POST /-/reload read the site file again."`
}

type probeFlags struct {
	Concurrency int `name:"probe.concurrency" default:"${concurrency}" help:"How many probes may run at the same time."`
}

func (f probeFlags) Validate() error {
	if f.Concurrency < 1 {
		return fmt.Errorf("--probe.concurrency=%d: write at least 1", f.Concurrency)
	}
	return nil
}

// stateFlags say what is remembered.
type stateFlags struct {
	StateFile string `name:"state.file" env:"CX700_STATE_FILE" placeholder:"FILE" help:"Where refused credentials and first-seen roots are remembered; without it until the end only, but that check and probe take the one beside the site file, or the package's."`
}

// shared opens the state and makes what probes share.
func (f stateFlags) shared(env *environment) (*reach.Shared, error) {
	s, err := state.Open(f.StateFile)
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("%w, or run this as the user whose file it is", err)
	}
	if err != nil {
		return nil, err
	}
	return reach.NewShared(env.log, s), nil
}

// reloadFlags say when the site file is read again by itself. Prometheus names it so.
type reloadFlags struct {
	Every time.Duration `name:"config.auto-reload-interval" placeholder:"DURATION" help:"How often the site file is looked at, to be read again when it has changed, such as 30s; without it on SIGHUP only."`
}

func (f reloadFlags) Validate() error {
	if f.Every != 0 && f.Every < time.Second {
		return fmt.Errorf("--config.auto-reload-interval=%s: write at least 1s", f.Every)
	}
	return nil
}

type serveCmd struct {
	configFlags `embed:""`
	reloadFlags `embed:""`
	shardFlags  `embed:""`
	webFlags    `embed:""`
	probeFlags  `embed:""`
	stateFlags  `embed:""`
}

// Validate implements kong's check of flags.
func (c *serveCmd) Validate() error {
	return cmp.Or(c.reloadFlags.Validate(), c.probeFlags.Validate(), c.shardFlags.Validate())
}

// plan is that of the shard's own sites.
func (c *serveCmd) plan() (*schedule.Plan, error) {
	cfg, err := c.load()
	if err != nil {
		return nil, err
	}
	return c.planOf(cfg.Of(c.shard()))
}

// Run probes and serves until it is told to stop.
func (c *serveCmd) Run(env *environment) error {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	return c.serve(env, hangup)
}

func (c *serveCmd) serve(env *environment, hangup <-chan os.Signal) error {
	shared, err := c.shared(env)
	if err != nil {
		return err
	}
	d := newDaemon(env, c.probeFlags, shared, c.plan)
	var before [sha256.Size]byte
	if c.Every > 0 { // a pipe can be read once
		before = sumOf(c.file())
	}
	if err := d.reload(); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(env.ctx)
	defer stop()
	go d.reloadOnHangup(ctx, hangup)
	if c.Every > 0 {
		go d.reloadOnChange(ctx, c.Every, c.file(), before)
	}
	return d.run(ctx, c.webFlags, nil)
}

// daemon is a running exporter: serve and lab differ in where its plan comes from.
type daemon struct {
	env       *environment
	registry  *prometheus.Registry
	scheduler *schedule.Scheduler
	plan      func() (*schedule.Plan, error)

	reloading sync.Mutex
	refusal   atomic.Pointer[refusal] // why the last reload failed; nil when it did not

	reloadOK, reloadTime prometheus.Gauge
}

func newDaemon(env *environment, f probeFlags, shared *reach.Shared, plan func() (*schedule.Plan, error)) *daemon {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		promcollectors.NewGoCollector(),
		promcollectors.NewProcessCollector(promcollectors.ProcessCollectorOpts{}),
		versioncollector.NewCollector("cx700_exporter"),
	)
	d := &daemon{
		env: env, registry: registry, plan: plan,
		scheduler:  schedule.New(env.log, registry, f.Concurrency, shared),
		reloadOK:   prometheus.NewGauge(prometheus.GaugeOpts{Name: catalogue.ReloadOK.Name, Help: catalogue.ReloadOK.Help}),
		reloadTime: prometheus.NewGauge(prometheus.GaugeOpts{Name: catalogue.ReloadTime.Name, Help: catalogue.ReloadTime.Help}),
	}
	registry.MustRegister(d.reloadOK, d.reloadTime)
	return d
}

// reload reads the site file and puts its plan in place. A file that does not load changes nothing but
// a gauge and a banner.
func (d *daemon) reload() error {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	plan, err := d.plan()
	if err != nil {
		d.refusal.Store(refusalOf(err))
		d.reloadOK.Set(0)
		return err
	}
	d.scheduler.Swap(plan)
	d.refusal.Store(nil)
	d.reloadOK.Set(1)
	d.reloadTime.SetToCurrentTime()
	d.env.log.Info("site file taken over", takenOver(plan)...)
	return nil
}

// takenOver says in the log what a plan is about.
func takenOver(plan *schedule.Plan) []any {
	out := []any{"sites", len(plan.Sites), "targets", len(plan.Jobs)}
	if !plan.Shard.Alone() {
		out = append(out, "shard", plan.Shard, "sites_of_other_shards", len(plan.Elsewhere))
	}
	return out
}

// reloadRunning reloads while the exporter runs, where nobody may be there to read the error: the log has it, too.
func (d *daemon) reloadRunning() error {
	err := d.reload()
	if err == nil {
		return nil
	}
	const message = "site file not taken over, the one before stays"
	faults := site.Faults(err)
	for _, f := range faults[:min(len(faults), maxFaultsTold)] {
		d.env.log.Error(message, "file", f.File, "line", f.Line, "key", f.Key, "problem", f.Problem, "mend", f.Mend)
	}
	if more := len(faults) - maxFaultsTold; more > 0 || len(faults) == 0 {
		d.env.log.Error(message, "more_faults", max(more, 0), "err", shortened(err.Error()))
	}
	return err
}

func (d *daemon) currentProblem() string {
	if r := d.refusal.Load(); r != nil {
		return r.text
	}
	return ""
}

func (d *daemon) reloadOnHangup(ctx context.Context, hangup <-chan os.Signal) {
	for {
		select {
		case <-hangup:
			_ = d.reloadRunning() // which has told the log
		case <-ctx.Done():
			return
		}
	}
}

// reloadOnChange reloads when the content of the site file is another than before. How it looks from outside does not
// tell: Kubernetes puts other links in place, an editor another file.
func (d *daemon) reloadOnChange(ctx context.Context, every time.Duration, file string, before [sha256.Size]byte) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if now := sumOf(file); now != before {
				before = now
				_ = d.reloadRunning() // which has told the log
			}
		case <-ctx.Done():
			return
		}
	}
}

// sumOf tells contents of a file apart; one that cannot be read is another than any that can.
func sumOf(path string) (sum [sha256.Size]byte) {
	f, err := os.Open(path)
	if err != nil {
		return sum
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return sum
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// gcPercent is how much room the garbage collector has beside what is in use, in percent of it. Go's own 100 makes the
// process twice as large as what it holds; it is left to starting, which would take a third longer.
const gcPercent = 40

// run serves, and once it listens probes, until the context ends or the server fails.
func (d *daemon) run(ctx context.Context, f webFlags, lab http.Handler) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if err := toolkit.Validate(f.ConfigFile); err != nil {
		return fmt.Errorf("--web.config.file=%s: %w", f.ConfigFile, err)
	}
	handler, err := d.handler(f, lab)
	if err != nil {
		return err
	}
	var probing sync.WaitGroup
	begin := func() {
		if os.Getenv("GOGC") == "" {
			debug.SetGCPercent(gcPercent)
		}
		probing.Go(func() { d.scheduler.Run(ctx) })
		probing.Go(debug.FreeOSMemory) // what reading the site file took
	}
	err = web.Serve(ctx, handler, &toolkit.FlagConfig{
		WebListenAddresses: &f.ListenAddress, WebConfigFile: &f.ConfigFile, WebSystemdSocket: &f.SystemdSocket,
	}, d.env.log, begin)
	stop()
	probing.Wait()
	if listen := new(net.OpError); errors.As(err, &listen) && listen.Op == "listen" {
		return fmt.Errorf("%w; choose another with --web.listen-address", err)
	}
	return err
}

func (d *daemon) handler(f webFlags, lab http.Handler) (http.Handler, error) {
	authorities, err := metric.NewSet(collectors.AuthoritySamples())
	if err != nil {
		return nil, err
	}
	o := web.Options{
		Scheduler: d.scheduler, Problem: d.currentProblem, Version: version.Info(), Lab: lab, LoggedOn: loggedOn(f.ConfigFile),
		Metrics: &metric.Gatherer{Registry: d.registry, Sources: func(yield func(*metric.Set)) {
			yield(authorities)
			yield(d.credentials())
			if r := d.refusal.Load(); r != nil {
				yield(r.set)
			}
			d.scheduler.Sets(yield)
		}},
	}
	if f.EnableLifecycle {
		o.Reload = d.reloadRunning
	}
	return web.Handler(o), nil
}

// loggedOn tells who was let in by web authentication: by a certificate that was verified, or as a user of the web
// configuration, whose password the toolkit has checked before a request comes so far. It reads the file anew each
// time, as the toolkit does.
func loggedOn(file string) func(*http.Request) bool {
	if file == "" {
		return nil
	}
	return func(r *http.Request) bool {
		if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
			return true
		}
		user, _, sent := r.BasicAuth()
		if !sent {
			return false
		}
		var config struct {
			Users map[string]string `yaml:"basic_auth_users"`
		}
		data, err := os.ReadFile(file)
		if err != nil || yaml.Unmarshal(data, &config) != nil {
			return false
		}
		_, known := config.Users[user]
		return known
	}
}

// credentials gives the series of the credentials as they are now.
func (d *daemon) credentials() *metric.Set {
	used := d.scheduler.Plan().Credentials()
	states := slices.DeleteFunc(d.scheduler.Shared().Guard.States(), func(s reach.CredentialState) bool { return !used[s.Name] })
	set, err := metric.NewSet(collectors.CredentialSamples(states))
	if err != nil {
		d.env.log.Error("series left out", "err", err)
	}
	return set
}

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(env *environment) error {
	_, err := fmt.Fprintln(env.stdout, version.Print("cx700_exporter"))
	return err
}

type trustCmd struct{}

// Run prints the authorities built into the phone.
func (trustCmd) Run(env *environment) error { return printTrust(env.stdout, time.Now()) }
