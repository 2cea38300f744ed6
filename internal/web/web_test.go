package web

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/cx700/cx700_exporter/collectors"
	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/metric"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/reach"
	"github.com/cx700/cx700_exporter/internal/schedule"
	"github.com/cx700/cx700_exporter/internal/site"
	"github.com/cx700/cx700_exporter/internal/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// page is an exporter with one site in both networks and two collectors, of which directory logs on. Its
// probes find what the test sets.
type page struct {
	t         *testing.T
	scheduler *schedule.Scheduler
	handler   http.Handler
	stop      func()

	names []string // of the sites
	shard site.Shard
	// elsewhere are the sites of shard 2.
	elsewhere []string
	// steps are the collectors, with the step on which each bears; pool has the sites judged.
	steps  map[string]phone.Step
	found  func(*collectors.Target) error
	served []*x509.Certificate // by the registrar
	// published tells that the directory has the root of served.
	published bool
	problem   string
	loggedOn  func(*http.Request) bool
	mu        sync.Mutex
	probes    map[string]int // by network and collector
}

func newPage(t *testing.T) *page {
	t.Helper()
	return &page{
		t: t, names: []string{"oslo"}, probes: map[string]int{}, found: finds(nil),
		steps: map[string]phone.Step{"dns": phone.StepRegistrar, "directory": phone.StepRoot},
	}
}

// finds has every probe find the same.
func finds(err error) func(*collectors.Target) error {
	return func(*collectors.Target) error { return err }
}

// start makes the handler; the scheduler probes once run is called. Reload is nil where it is off.
func (p *page) start(reload func() error) {
	p.t.Helper()
	memory, err := state.Open("")
	if err != nil {
		p.t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	registry := prometheus.NewRegistry()
	p.scheduler = schedule.New(log, registry, 1, reach.NewShared(log, memory))
	cfg := &site.Config{Shard: p.shard}
	for _, name := range p.elsewhere {
		cfg.Elsewhere = append(cfg.Elsewhere, site.Elsewhere{Site: &site.Site{Name: name}, Shard: 2})
	}
	for i, name := range p.names {
		cfg.Sites = append(cfg.Sites, &site.Site{Name: name, Domains: phone.Domains{SIP: "contoso.com"}, Phones: 20 + i,
			Networks: []site.Network{{Name: site.Internal}, {Name: site.External}}})
	}
	var all []*collectors.Collector
	for _, name := range slices.Sorted(maps.Keys(p.steps)) {
		all = append(all, p.collector(name, p.steps[name]))
	}
	plan, err := schedule.NewPlan(cfg, all, []site.NetworkName{site.Internal, site.External})
	if err != nil {
		p.t.Fatal(err)
	}
	p.scheduler.Swap(plan)
	p.handler = Handler(Options{
		Scheduler: p.scheduler, Reload: reload, Version: "version 1", LoggedOn: p.loggedOn,
		Metrics: &metric.Gatherer{Sources: p.scheduler.Sets, Registry: registry},
		Problem: func() string { return p.problem },
	})
}

func (p *page) collector(name string, step phone.Step) *collectors.Collector {
	return &collectors.Collector{
		Name: name, Asks: "Does it work?", Interval: time.Minute, Timeout: time.Second, Steps: []phone.Step{step},
		Targets: func(s *site.Site, n site.Network) []collectors.Target {
			t := collectors.Target{
				Collector: name, Network: n.Name, Name: s.Domains.SIP + " of " + s.Name, Domains: s.Domains, Firmware: phone.KnownFirmware(),
			}
			if name == "directory" {
				t.Directory.Credential = &site.Credential{Name: "reader"}
			}
			return []collectors.Target{t}
		},
		Probe: func(_ context.Context, env *collectors.Env, seen *facts.Seen) error {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.probes[string(env.Target.Network)+" "+name]++
			if name == "pool" {
				seen.Pool = registrar(p.served)
			}
			if name == "directory" && p.published {
				seen.Directory = directory(p.served[len(p.served)-1])
			}
			return p.found(env.Target)
		},
		Judge: func(t *collectors.Target, _ *facts.Seen) []*collectors.Failure {
			return collectors.Failures(p.found(t))
		},
		Explain: func(w io.Writer, _ *collectors.Target, _ *facts.Seen) { fmt.Fprintln(w, "explained") },
	}
}

// change has the probes find something else from now on.
func (p *page) change(do func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	do()
}

// made counts the probes so far, by network and collector.
func (p *page) made() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.probes)
}

// run probes everything once and goes on until the test ends or stop is called.
func (p *page) run() {
	p.t.Helper()
	ctx, cancel := context.WithCancel(p.t.Context())
	done := make(chan struct{})
	go func() {
		p.scheduler.Run(ctx)
		close(done)
	}()
	p.stop = func() {
		cancel()
		<-done
	}
	p.t.Cleanup(p.stop)
	pass(time.Second)
}

// pass lets fake time pass.
func pass(d time.Duration) {
	timer := time.NewTimer(d)
	<-timer.C
	synctest.Wait()
}

func (p *page) ask(method, target string, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(p.t.Context(), method, target, nil)
	r.Header = header
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, r)
	return w
}

// expect asks for a page and holds it to a status and to texts.
func (p *page) expect(status int, method, target string, texts ...string) *httptest.ResponseRecorder {
	p.t.Helper()
	w := p.ask(method, target, nil)
	if w.Code != status {
		p.t.Errorf("%s %s: status %d, want %d: %s", method, target, w.Code, status, w.Body)
	}
	for _, text := range texts {
		if !strings.Contains(w.Body.String(), text) {
			p.t.Errorf("%s %s: no %q in:\n%s", method, target, text, w.Body)
		}
	}
	return w
}

// bubble runs a test by fake time.
func bubble(t *testing.T, test func(*page)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(newPage(t)) })
}

func TestMetrics(t *testing.T) {
	bubble(t, func(p *page) {
		p.start(nil)
		p.run()
		const series = `cx700_probe_success{collector="dns",network="internal",target="contoso.com of oslo"} 1`
		p.expect(http.StatusOK, http.MethodGet, "/metrics", series+"\n", "# TYPE cx700_probes_total counter")
		w := p.ask(http.MethodGet, "/metrics", http.Header{"Accept": {"application/openmetrics-text; version=1.0.0"}})
		if got := w.Header().Get("Content-Type"); !strings.HasPrefix(got, "application/openmetrics-text") {
			t.Errorf("content type %s", got)
		}
		for _, text := range []string{series + ".0\n", "# TYPE cx700_probes counter", "\n# EOF\n"} {
			if !strings.Contains(w.Body.String(), text) {
				t.Errorf("no %q in OpenMetrics:\n%s", text, w.Body)
			}
		}
		p.expect(http.StatusMethodNotAllowed, http.MethodPost, "/metrics")
		p.expect(http.StatusNotFound, http.MethodGet, "/metrics/more")
	})
}

func TestHealth(t *testing.T) {
	bubble(t, func(p *page) {
		p.start(nil)
		p.expect(http.StatusOK, http.MethodGet, "/-/healthy", "healthy")
		p.expect(http.StatusServiceUnavailable, http.MethodGet, "/-/ready", "not been probed yet")
		p.run()
		p.expect(http.StatusOK, http.MethodGet, "/-/ready", "ready")
	})
}

func TestProbeNamesWhatIsConfigured(t *testing.T) {
	bubble(t, func(p *page) {
		p.start(nil)
		p.expect(http.StatusBadRequest, http.MethodGet, "/probe", "name a site and a collector")
		p.expect(http.StatusBadRequest, http.MethodGet, "/probe?site=oslo")
		p.expect(http.StatusBadRequest, http.MethodGet, "/probe?collector=dns")
		for _, query := range []string{"site=bergen&collector=dns", "site=oslo&collector=ntp", "site=oslo&collector=dns&network=moon"} {
			p.expect(http.StatusNotFound, http.MethodGet, "/probe?"+query, "no such site, network or collector")
		}
		if len(p.probes) > 0 {
			t.Errorf("probed: %v", p.probes)
		}
		w := p.expect(http.StatusOK, http.MethodGet, "/probe?site=oslo&collector=dns", "internal network", "external network", "explained", "good: nothing wrong")
		if strings.Contains(w.Body.String(), "directory") {
			t.Errorf("another collector:\n%s", w.Body)
		}
		w = p.expect(http.StatusOK, http.MethodGet, "/probe?site=oslo&collector=dns&network=external", "external network")
		if strings.Contains(w.Body.String(), "internal network") || p.probes["internal dns"] != 1 || p.probes["external dns"] != 2 {
			t.Errorf("probed %v, and told:\n%s", p.probes, w.Body)
		}
	})
}

func TestProbeIsLimited(t *testing.T) {
	bubble(t, func(p *page) {
		p.start(nil)
		const one = "/probe?site=oslo&collector=dns&network=internal"
		for range probeBurst {
			p.expect(http.StatusOK, http.MethodGet, one)
		}
		w := p.expect(http.StatusTooManyRequests, http.MethodGet, one, "ask again")
		if w.Header().Get("Retry-After") != "1" || p.probes["internal dns"] != probeBurst {
			t.Errorf("Retry-After %q after %d probes", w.Header().Get("Retry-After"), p.probes["internal dns"])
		}
		pass(time.Second)
		p.expect(http.StatusOK, http.MethodGet, one)
		p.expect(http.StatusTooManyRequests, http.MethodGet, one)
		// A question about both networks costs two probes.
		pass(time.Second)
		p.expect(http.StatusTooManyRequests, http.MethodGet, "/probe?site=oslo&collector=dns")
	})
}

// TestProbeOnDemandLogsNobodyOn while the last report of the schedule is fresh.
func TestProbeOnDemandLogsNobodyOn(t *testing.T) {
	bubble(t, func(p *page) {
		p.start(nil)
		p.run()
		const one, key = "/probe?site=oslo&collector=directory&network=internal", "internal directory"
		if p.probes[key] != 1 {
			t.Fatalf("%d probes of the schedule, want 1", p.probes[key])
		}
		p.expect(http.StatusOK, http.MethodGet, one, "explained")
		p.stop()
		pass(2*time.Minute - 2*time.Second)
		p.expect(http.StatusOK, http.MethodGet, one, "explained")
		if p.probes[key] != 1 {
			t.Errorf("%d probes although the report was fresh", p.probes[key])
		}
		pass(2 * time.Second)
		p.expect(http.StatusOK, http.MethodGet, one, "explained")
		if p.probes[key] != 2 {
			t.Errorf("%d probes, want one more since the report is old", p.probes[key])
		}
	})
}

func TestReload(t *testing.T) {
	bubble(t, func(p *page) {
		p.start(nil)
		p.expect(http.StatusNotFound, http.MethodPost, "/-/reload")
	})
	bubble(t, func(p *page) {
		reloads := 0
		var fault error
		p.start(func() error {
			reloads++
			return fault
		})
		p.expect(http.StatusOK, http.MethodPost, "/-/reload", "reloaded")
		fault = errors.New("cx700.yml:3: no such key")
		p.expect(http.StatusInternalServerError, http.MethodPost, "/-/reload", "the one before stays", "cx700.yml:3: no such key")
		if reloads != 2 {
			t.Errorf("%d reloads, want 2", reloads)
		}
		p.expect(http.StatusMethodNotAllowed, http.MethodGet, "/-/reload")
		for _, header := range []http.Header{
			{"Sec-Fetch-Site": {"cross-site"}}, {"Origin": {"https://evil.example"}},
		} {
			if w := p.ask(http.MethodPost, "/-/reload", header); w.Code != http.StatusForbidden {
				t.Errorf("%v: status %d, want %d", header, w.Code, http.StatusForbidden)
			}
		}
		if reloads != 2 {
			t.Errorf("%d reloads, though the others were refused", reloads)
		}
	})
}

func TestLabPageIsThereInTheLabOnly(t *testing.T) {
	bubble(t, func(p *page) {
		p.start(nil)
		p.expect(http.StatusNotFound, http.MethodGet, "/lab")
		lab := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "lab", r.Method, r.URL.Path) })
		p.handler = Handler(Options{Scheduler: p.scheduler, Problem: func() string { return "" }, Lab: lab})
		p.expect(http.StatusOK, http.MethodPost, "/lab/faults/ntp_off", "lab POST /lab/faults/ntp_off")
		p.expect(http.StatusOK, http.MethodGet, "/", `href="lab"`)
	})
}
