//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"

	"github.com/cx700/cx700_exporter/collectors"
	"github.com/cx700/cx700_exporter/internal/lab"
)

// pace is how fast a company is watched.
type pace struct {
	// hurry is by how much `for`, `keep_firing_for` and the intervals of groups are shortened. Expressions are as they
	// are, and so is what they look back on.
	hurry int
	// scrape is how often Prometheus scrapes, and how often it looks at its rules.
	scrape time.Duration
	// native is whether Prometheus keeps native histograms, which it does in place of the others.
	native bool
}

// hurried makes one second of two minutes.
func hurried() pace { return pace{hurry: 120, scrape: time.Second} }

var (
	waits   = regexp.MustCompile(`(?m)^( +(?:for|keep_firing_for|interval): )(\S+)$`)
	counts  = regexp.MustCompile(`(_over_time\(\S+:cx700_signin_measured\S*\) / )(\d+)`)
	records = regexp.MustCompile(`(?m)^ +- record: (\S+)$`)
)

// rules are the program's own, at that pace.
func (p pace) rules(t *testing.T, runbooks string) string {
	t.Helper()
	code, rules, errs := ran(t, "rules", "--runbook-url="+runbooks)
	if code != exitGood {
		t.Fatal(errs)
	}
	rules = waits.ReplaceAllStringFunc(rules, func(line string) string {
		part := waits.FindStringSubmatch(line)
		d, err := model.ParseDuration(part[2])
		must(t, err)
		return part[1] + model.Duration(time.Duration(d)/time.Duration(p.hurry)).String()
	})
	return counts.ReplaceAllStringFunc(rules, func(text string) string { // so many more are recorded in a window
		part := counts.FindStringSubmatch(text)
		samples, err := strconv.Atoi(part[2])
		must(t, err)
		return part[1] + strconv.Itoa(p.hurry*samples)
	})
}

// spawned is a program that runs beside the test.
type spawned struct {
	url  string
	cmd  *exec.Cmd
	log  *lockedBuffer
	stop func()
}

// monitored is a company of the lab, the exporters that look at it, and who watches them.
type monitored struct {
	t                        *testing.T
	pace                     pace
	lab                      string // where faults are set
	exporters                []*spawned
	prometheus, alertmanager string
	rules                    string
	sites                    map[string][]string  // by target
	causes                   map[string]*breakage // by site; of alerts that have no site by an empty name
}

// breakage is what was broken at a site, and which alerts have told of it.
type breakage struct {
	fault string
	set   time.Time
	told  []string
}

// newMonitored watches a lab by the exporter that is in it.
func newMonitored(t *testing.T, sites int) *monitored {
	t.Helper()
	m := &monitored{t: t, pace: hurried()}
	p := m.serves(build(t), "lab", fmt.Sprintf("--sites=%d", sites))
	m.lab = p.url
	m.watch(p)
	return m
}

// newServed watches a company by exporters of its own, each by the flags of one.
func newServed(t *testing.T, p pace, company *lab.Lab, flags ...[]string) *monitored {
	t.Helper()
	m := &monitored{t: t, pace: p}
	page := httptest.NewServer(company.Handler())
	t.Cleanup(page.Close)
	m.lab = page.URL
	binary := build(t)
	var exporters []*spawned
	for _, f := range flags {
		exporters = append(exporters, m.serves(binary, append([]string{"serve"}, f...)...))
	}
	m.watch(exporters...)
	return m
}

// byFile is the flags of an exporter that goes by a site file.
func byFile(file string, more ...string) []string {
	return append([]string{"--config.file=" + file}, more...)
}

// fileOf writes a site file of a company, with something in it replaced, whose collectors look so often, or as often as
// they do by themselves where often is 0. Images are read each minute: once a day is beyond a test.
func fileOf(t *testing.T, company *lab.Lab, often time.Duration, pairs ...string) string {
	t.Helper()
	text := strings.NewReplacer(pairs...).Replace(string(company.SiteFile())) + "collectors:\n"
	for _, c := range collectors.All() {
		switch {
		case c.Alone:
			text += fmt.Sprintf("  %s: {interval: 1m}\n", c.Name)
		case often > 0:
			text += fmt.Sprintf("  %s: {interval: %s}\n", c.Name, often)
		}
	}
	file := filepath.Join(t.TempDir(), "cx700.yml")
	must(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

// watch starts Alertmanager and Prometheus, and sees that nothing fires.
func (m *monitored) watch(exporters ...*spawned) {
	t := m.t
	t.Helper()
	m.exporters, m.sites, m.causes = exporters, map[string][]string{}, map[string]*breakage{}
	var targets []string
	for _, e := range exporters {
		targets = append(targets, strconv.Quote(strings.TrimPrefix(e.url, "http://")))
	}
	for _, e := range exporters {
		for _, line := range targetLine.FindAllStringSubmatch(m.get(e.url+"/metrics"), -1) {
			m.sites[line[2]] = append(m.sites[line[2]], line[1])
		}
	}
	m.rules = m.pace.rules(t, exporters[0].url+"/runbooks/")
	dir := t.TempDir()
	example, err := os.ReadFile("../../examples/alertmanager.yml")
	must(t, err)
	for name, text := range map[string]string{"rules.yml": m.rules, "alertmanager.yml": string(example)} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	m.alertmanager = m.serves("prometheus-alertmanager", "--config.file="+filepath.Join(dir, "alertmanager.yml"),
		"--storage.path="+filepath.Join(dir, "alerts"), "--cluster.listen-address=").url
	must(t, os.WriteFile(filepath.Join(dir, "prometheus.yml"), fmt.Appendf(nil, `global: {scrape_interval: %s, evaluation_interval: %[1]s}
rule_files: [rules.yml]
alerting: {alertmanagers: [{static_configs: [{targets: [%q]}]}]}
scrape_configs:
  - job_name: cx700
    static_configs: [{targets: [%s]}]
`, m.pace.scrape, strings.TrimPrefix(m.alertmanager, "http://"), strings.Join(targets, ", ")), 0o600))
	args := []string{"--config.file=" + filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path=" + filepath.Join(dir, "data")}
	if m.pace.native {
		args = append(args, "--enable-feature=native-histograms")
	}
	m.prometheus = m.serves("prometheus", args...).url
	m.within("Prometheus has scraped", time.Minute, func() error {
		if _, body := m.request(http.MethodGet, m.prometheus+"/api/v1/query?query=cx700_signin_state"); !strings.Contains(body, "headquarters") {
			return fmt.Errorf("%.200s", body)
		}
		return nil
	})
	m.until("nothing fires", time.Minute, map[string][]string{}) // until the first scrape the exporter was absent
	m.stay(map[string][]string{})
}

// serves starts a program on a free port until the test ends, and waits until it is ready.
func (m *monitored) serves(name string, args ...string) *spawned {
	m.t.Helper()
	p := &spawned{log: &lockedBuffer{}, cmd: exec.CommandContext(context.WithoutCancel(m.t.Context()), name, append(args, "--web.listen-address=127.0.0.1:0")...)}
	p.cmd.Stderr = p.log
	must(m.t, p.cmd.Start())
	p.stop = sync.OnceFunc(func() {
		_ = p.cmd.Process.Signal(os.Interrupt)
		_ = p.cmd.Wait()
	})
	m.t.Cleanup(func() {
		p.stop()
		for line := range strings.Lines(p.log.String()) {
			if m.t.Failed() && strings.Contains(line, "reason=internal") {
				m.t.Logf("%.1000s", line)
			}
		}
	})
	m.within(filepath.Base(name)+" listens", 20*time.Second, func() error {
		address := listening.FindStringSubmatch(p.log.String())
		if address == nil {
			return errors.New(p.log.String())
		}
		p.url = "http://" + address[1]
		return nil
	})
	m.within(filepath.Base(name)+" is ready", 2*time.Minute, func() error {
		if status, body := m.request(http.MethodGet, p.url+"/-/ready"); status != http.StatusOK {
			return fmt.Errorf("%d %.200s\n%.2000s", status, body, p.log.String())
		}
		return nil
	})
	return p
}

// request asks somebody; the status is 0 when nobody answers.
func (m *monitored) request(method, url string) (status int, body string) {
	m.t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	r, err := http.NewRequestWithContext(m.t.Context(), method, url, nil)
	must(m.t, err)
	answer, err := client.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	all, err := io.ReadAll(answer.Body)
	must(m.t, err)
	return answer.StatusCode, string(all)
}

func (m *monitored) get(url string) string {
	m.t.Helper()
	status, body := m.request(http.MethodGet, url)
	if status != http.StatusOK {
		m.t.Fatalf("%s: %d %s", url, status, body)
	}
	return body
}

// breaks sets a fault of the lab, SITE:NAME or NAME for all, from which on time is measured.
func (m *monitored) breaks(fault string) {
	m.t.Helper()
	m.change(http.MethodPost, "/"+fault)
	site, name, one := strings.Cut(fault, ":")
	if !one {
		site, name = "", fault
	}
	m.began(site, name)
}

// began says that something was broken now: at a site, or of the exporter's own.
func (m *monitored) began(site, what string) {
	m.causes[site] = &breakage{fault: what, set: time.Now()}
}

// heals heals a fault, or all without a name.
func (m *monitored) heals(fault ...string) {
	m.t.Helper()
	clear(m.causes)
	m.change(http.MethodDelete, strings.Join(append([]string{""}, fault...), "/"))
}

func (m *monitored) change(method, path string) {
	m.t.Helper()
	if status, body := m.request(method, m.lab+"/lab/faults"+path); status >= 300 || status == 0 {
		m.t.Fatalf("%s %s: %d %s", method, path, status, body)
	}
}

func (m *monitored) within(what string, limit time.Duration, ok func() error) {
	m.t.Helper()
	within(m.t, what, limit, ok)
}

// firing is an alert as Prometheus and Alertmanager tell it.
type firing struct {
	Labels      map[string]string
	Annotations map[string]string
	State       string
	Status      struct{ InhibitedBy []string }
}

func (m *monitored) alertsOf(url string) []firing {
	m.t.Helper()
	body := m.get(url)
	var bare []firing
	if json.Unmarshal([]byte(body), &bare) == nil {
		return bare
	}
	var wrapped struct{ Data struct{ Alerts []firing } }
	must(m.t, json.Unmarshal([]byte(body), &wrapped))
	return wrapped.Data.Alerts
}

var targetLine = regexp.MustCompile(`(?m)^cx700_site_target_info\{collector="[^"]*",network="[^"]*",site="([^"]*)",target="([^"]*)"\}`)

// fired lists the alerts that fire at Prometheus by site; those of a target are its sites'.
func (m *monitored) fired() map[string][]string {
	m.t.Helper()
	all := slices.DeleteFunc(m.alertsOf(m.prometheus+"/api/v1/alerts"), func(a firing) bool { return a.State != "firing" })
	return m.bySite(all)
}

// pending lists those that wait for the end of their `for`.
func (m *monitored) pending() map[string][]string {
	m.t.Helper()
	all := slices.DeleteFunc(m.alertsOf(m.prometheus+"/api/v1/alerts"), func(a firing) bool { return a.State != "pending" })
	return m.bySite(all)
}

// heard lists those that Alertmanager has.
func (m *monitored) heard() map[string][]string {
	m.t.Helper()
	return m.bySite(m.alertsOf(m.alertmanager + "/api/v2/alerts"))
}

// silent lists those that Alertmanager has and keeps to itself.
func (m *monitored) silent() map[string][]string {
	m.t.Helper()
	all := slices.DeleteFunc(m.alertsOf(m.alertmanager+"/api/v2/alerts"), func(a firing) bool { return len(a.Status.InhibitedBy) == 0 })
	return m.bySite(all)
}

func (m *monitored) bySite(all []firing) map[string][]string {
	m.t.Helper()
	out := map[string][]string{}
	for _, a := range all {
		name := strings.TrimPrefix(a.Labels["alertname"], "Cx700")
		at := []string{a.Labels["site"] + a.Labels["credential"]} // the lab's credentials go by their sites
		if target := a.Labels["target"]; target != "" {
			at = m.sites[target]
		}
		for _, site := range at {
			if !slices.Contains(out[site], name) {
				out[site] = append(out[site], name)
			}
		}
		m.checkTexts(a)
	}
	for _, names := range out {
		slices.Sort(names)
	}
	return out
}

// checkTexts holds the annotations of an alert to be complete.
func (m *monitored) checkTexts(a firing) {
	m.t.Helper()
	ended := strings.Contains(a.Annotations["reason"], "none any more") // and is kept firing
	for name, text := range a.Annotations {
		if text == "" && !ended || strings.Contains(text, "error expanding") || strings.Contains(text, "no value") {
			m.t.Errorf("%s %s: %q", a.Labels["alertname"], name, text)
		}
	}
	if url := a.Annotations["runbook_url"]; !strings.HasPrefix(url, m.exporters[0].url+"/runbooks/") {
		m.t.Errorf("%s links to %s", a.Labels["alertname"], url)
	}
}

// toldOf are the alerts that any fault has set off, and after how long at worst; the tests run one after the other.
var toldOf = map[string]time.Duration{}

// measure logs, as a row of the table in docs/alerts.md, how long after its cause an alert was first seen to fire.
func (m *monitored) measure(fired map[string][]string) {
	m.t.Helper()
	for site, c := range m.causes {
		for _, name := range fired[site] {
			if !slices.Contains(c.told, name) {
				c.told = append(c.told, name)
				took := time.Since(c.set)
				toldOf[name] = max(toldOf[name], took)
				m.t.Logf("measured: | %s | %s | %.0f |", name, c.fault, took.Seconds())
			}
		}
	}
}

// until waits for exactly these alerts, by site.
func (m *monitored) until(what string, limit time.Duration, want map[string][]string, from ...func() map[string][]string) {
	m.t.Helper()
	m.within(what, limit, func() error {
		got := m.fired()
		m.measure(got)
		if from != nil {
			got = from[0]()
		}
		if diff := cmp.Diff(want, got); diff != "" {
			return fmt.Errorf("alerts (-want +got):\n%s", diff)
		}
		return nil
	})
}

// stay checks for longer than the longest `for` but one that nothing else fires. One that ends for a moment is no
// matter: a busy machine is late with a scrape.
func (m *monitored) stay(want map[string][]string) {
	m.t.Helper()
	const long = 8 * time.Second // a quarter of an hour, hurried
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for end := time.Now().Add(long); time.Now().Before(end); <-tick.C {
		for site, names := range m.fired() {
			for _, name := range names {
				if !slices.Contains(want[site], name) {
					m.t.Fatalf("%s fires at %q", name, site)
				}
			}
		}
	}
}
