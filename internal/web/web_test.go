package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
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

	name    string // of the site
	found   error
	problem string
	probes  map[string]int // by network and collector
}

func newPage(t *testing.T) *page {
	t.Helper()
	return &page{t: t, name: "oslo", probes: map[string]int{}}
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
	cfg := &site.Config{Sites: []*site.Site{{Name: p.name, Domains: phone.Domains{SIP: "contoso.com"},
		Networks: []site.Network{{Name: site.Internal}, {Name: site.External}}}}}
	plan, err := schedule.NewPlan(cfg, []*collectors.Collector{p.collector("dns"), p.collector("directory")},
		[]site.NetworkName{site.Internal, site.External})
	if err != nil {
		p.t.Fatal(err)
	}
	p.scheduler.Swap(plan)
	p.handler = Handler(Options{
		Scheduler: p.scheduler, Reload: reload, Version: "version 1",
		Gatherer: &metric.Gatherer{Sources: p.scheduler.Sets, Registry: registry},
		Problem:  func() string { return p.problem },
	})
}

func (p *page) collector(name string) *collectors.Collector {
	return &collectors.Collector{
		Name: name, Asks: "Does it work?", Interval: time.Minute, Timeout: time.Second,
		Targets: func(s *site.Site, n site.Network) []collectors.Target {
			t := collectors.Target{Collector: name, Network: n.Name, Name: s.Domains.SIP + " of " + s.Name}
			if name == "directory" {
				t.Directory.Credential = &site.Credential{Name: "reader"}
			}
			return []collectors.Target{t}
		},
		Probe: func(_ context.Context, env *collectors.Env, _ *facts.Seen) error {
			p.probes[string(env.Target.Network)+" "+name]++
			return p.found
		},
		Explain: func(w io.Writer, _ *collectors.Target, _ *facts.Seen) { fmt.Fprintln(w, "explained") },
	}
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

func failure(effect collectors.Effect) error {
	return &collectors.Failure{Reason: &collectors.Reason{
		Name: "broken", Effect: effect, Means: "it is broken", Screen: "Cannot sign in", Mend: "mend it", AtPhone: "wait", ResetHurts: true,
	}, Err: errors.New("as seen")}
}

func TestStatusTellsTheGravest(t *testing.T) {
	for _, tt := range []struct {
		name  string
		found error
		want  []string
	}{
		{"good", nil, []string{"Good: nothing that stops a phone was found", "Good: 4 of 4 targets"}},
		{"noted", failure(collectors.Notes), []string{"Good: nothing that stops a phone was found", "it is broken", "as seen"}},
		{"not watched", failure(collectors.NotWatched), []string{"Good: nothing that stops a phone was found; not everything is watched", "not watched</span>: dns"}},
		{"degraded", failure(collectors.Degrades), []string{"Degraded at 1 of 1 sites", "mend it"}},
		{"unknown", failure(collectors.Blinds), []string{"Unknown at 1 of 1 sites"}},
		{"blocked", failure(collectors.Blocks), []string{"Blocked at 1 of 1 sites", "Cannot sign in", "Do not hard reset it", "probe?collector=dns"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(p *page) {
				p.found = tt.found
				p.start(nil)
				p.expect(http.StatusOK, http.MethodGet, "/", "Starting", "not probed yet: 4")
				p.run()
				p.expect(http.StatusOK, http.MethodGet, "/", append(tt.want, "Sites: 1, targets: 4.", "version 1")...)
			})
		})
	}
}

// TestStatusEscapesWhatOthersWrote: names of the site file, and words of servers that nobody vouches for.
func TestStatusEscapesWhatOthersWrote(t *testing.T) {
	bubble(t, func(p *page) {
		const hostile = `"><script>alert(1)</script>&`
		p.name, p.problem = "site"+hostile, "problem"+hostile
		p.found = &collectors.Failure{Reason: collectors.Internal(), Err: errors.New("error" + hostile)}
		p.start(nil)
		p.run()
		w := p.expect(http.StatusOK, http.MethodGet, "/",
			"site&#34;&gt;&lt;script&gt;", "problem&#34;&gt;&lt;script&gt;", "error&#34;&gt;&lt;script&gt;", "site=site%22%3E%3Cscript%3E")
		if strings.Contains(w.Body.String(), "<script") {
			t.Errorf("a script:\n%s", w.Body)
		}
		if got := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(got, "default-src 'none'") {
			t.Errorf("content security policy %q", got)
		}
		w = p.ask(http.MethodGet, "/probe?collector=dns&site=site%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E%26", nil)
		if got := w.Header().Get("Content-Type"); w.Code != http.StatusOK || !strings.HasPrefix(got, "text/plain") {
			t.Errorf("/probe: status %d as %s", w.Code, got)
		}
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
