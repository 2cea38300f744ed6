//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
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
)

// hurry is by how much `for`, `keep_firing_for` and the intervals of groups are shortened here: two minutes are one
// second. What the rules look back on is not.
const hurry = 120

var (
	waits   = regexp.MustCompile(`(?m)^( +(?:for|keep_firing_for|interval): )(\S+)$`)
	counts  = regexp.MustCompile(`(_over_time\(\S+:cx700_signin_measured\S*\) / )(\d+)`)
	records = regexp.MustCompile(`(?m)^ +- record: (\S+)$`)
)

// faultAlerts are faults and the alerts that they are to set off at their site; nothing else may fire there.
type faultAlerts map[string]string

// shortAlerts hold one of each kind; longAlerts the rest of what LONG=1 tries, a few at a
// time, lest a busy machine be late with all of them.
var (
	shortAlerts = faultAlerts{
		"ad_ca_empty":       "RootUnpublished",
		"ad_ca_hidden":      "RootHidden",
		"ad_account_locked": "AccountStopped Unknown",
		"pool_hardened":     "SignInBlocked", // ServerHardened is quiet: the page is out
		"ntp_one_off":       "Degraded TimeOff",
		"update_blank_urls": "BaseURLBlank",
		"update_down":       "UpdateServiceDown", // FirmwareMissing is quiet
	}
	longAlerts = []faultAlerts{
		{
			"ad_ca_wrong": "RootUnpublished", "ad_ca_gone": "RootUnpublished", "ad_ca_garbage": "RootUnpublished",
			"dc_down": "NewPhonesBlocked", "dc_srv_dropped": "NewPhonesBlocked", "ad_domain_a_dropped": "NewPhonesBlocked",
		},
		{
			"ad_denied": "Unknown", "ad_password_expired": "AccountStopped Unknown", "registrar_gone": "SignInBlocked",
			"srv_dropped": "Degraded", "dns_one_silent": "Degraded", "dns_silent": "SignInBlocked",
		},
		{
			"ntp_off": "SignInBlocked", "ntp_silent": "SignInBlocked", "pool_down": "SignInBlocked", "pool_early": "SignInBlocked",
			"sip_403": "SignInBlocked", "external_ntp_silent": "SignInBlocked",
		},
		{
			"exchange_hardened": "ServerHardened", "exchange_down": "", "certsrv_403": "Degraded", "firmware_missing": "FirmwareMissing",
			"firmware_stalls": "FirmwareCutOff", "update_403_outside": "UpdateServiceDown", "ucupdates_dropped": "UpdateServiceDown",
		},
	}
)

// TestRealAlerts has a real Prometheus scrape a lab of many sites and a real Alertmanager hear of it: each fault sets off
// its alerts and no other, nothing fires on sites that are well, and all ends when it is healed.
func TestRealAlerts(t *testing.T) {
	for _, tool := range []string{"prometheus", "prometheus-alertmanager"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("STRICT") == "1" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	t.Run("a few", func(t *testing.T) { tryAlerts(t, shortAlerts) })
	if !long() {
		return
	}
	for i, faults := range longAlerts {
		t.Run(fmt.Sprint("more ", i+1), func(t *testing.T) { tryAlerts(t, faults) })
	}
}

// monitored is a lab and who watches it.
type monitored struct {
	t                             *testing.T
	url, prometheus, alertmanager string
	stop                          func() // ends the lab
	rules                         string
	sites                         map[string][]string // by target
}

func tryAlerts(t *testing.T, faults faultAlerts) {
	m := newMonitored(t, len(faults)+2)
	want := map[string][]string{}
	for i, name := range slices.Sorted(maps.Keys(faults)) {
		site := fmt.Sprintf("branch-%03d", i+2) // the first and the last stay well
		if alerts := strings.Fields(faults[name]); len(alerts) > 0 {
			want[site] = alerts
		}
		m.fault(http.MethodPost, "/"+site+":"+name)
		t.Logf("%s: %s, to set off %v", site, name, want[site])
	}
	began := time.Now()
	m.until("the alerts fire, and no other", 2*time.Minute, want)
	t.Logf("all fired %s after the faults", time.Since(began).Round(time.Second))
	m.stay(want)
	m.until("they still fire", time.Minute, want)
	m.recorded(slices.ContainsFunc(slices.Collect(maps.Values(want)), func(all []string) bool { return slices.Contains(all, "SignInBlocked") }))
	m.inhibits(want)
	m.fault(http.MethodDelete, "")
	m.until("all is healed", 2*time.Minute, map[string][]string{})
	m.until("Alertmanager has heard of it", 30*time.Second, map[string][]string{}, m.heard)
	m.stop()
	m.until("the exporter is down", 30*time.Second, map[string][]string{"": {"ExporterDown"}})
}

// recorded asks for every series of the objective. Those of what was lost are there while phones are blocked, and the
// budget of a month is not: nothing of it was measured yet.
func (m *monitored) recorded(lost bool) {
	m.t.Helper()
	names := records.FindAllStringSubmatch(m.rules, -1)
	if len(names) == 0 {
		m.t.Error("no rule records anything")
	}
	for _, name := range names {
		there := !strings.Contains(name[1], "budget_left") && (lost || !strings.Contains(name[1], "lost_"))
		m.within(fmt.Sprintf("%s is there: %t", name[1], there), 30*time.Second, func() error {
			_, body := m.request(http.MethodGet, m.prometheus+"/api/v1/query?query="+url.QueryEscape(name[1]))
			if is := strings.Contains(body, `"site":`); is != there {
				return fmt.Errorf("%.300s", body)
			}
			return nil
		})
	}
}

// inhibits loses the exporter's own network: what it makes unknown is silent at Alertmanager, the root is not.
func (m *monitored) inhibits(fired map[string][]string) {
	if !slices.ContainsFunc(slices.Collect(maps.Values(fired)), func(all []string) bool { return slices.Contains(all, "RootUnpublished") }) {
		return
	}
	m.fault(http.MethodPost, "/vantage_lost")
	defer m.fault(http.MethodDelete, "/vantage_lost")
	m.within("what the lost network makes unknown is silent, the root is told of", 60*time.Second, func() error {
		silent := map[string]bool{}
		for _, a := range m.alertsOf(m.alertmanager + "/api/v2/alerts") {
			name := strings.TrimPrefix(a.Labels["alertname"], "Cx700")
			silent[name] = len(a.Status.InhibitedBy) > 0
		}
		if root, told := silent["RootUnpublished"]; !told || root || !silent["Unknown"] || silent["VantageLost"] {
			return fmt.Errorf("silent: %v", silent)
		}
		return nil
	})
}

func newMonitored(t *testing.T, sites int) *monitored {
	t.Helper()
	m := &monitored{t: t, sites: map[string][]string{}}
	m.url, m.stop = m.serves(build(t), "lab", fmt.Sprintf("--sites=%d", sites))
	for _, line := range targetLine.FindAllStringSubmatch(m.get(m.url+"/metrics"), -1) {
		m.sites[line[2]] = append(m.sites[line[2]], line[1])
	}
	code, rules, errs := ran(t, "rules", "--runbook-url="+m.url+"/runbooks/")
	if code != exitGood {
		t.Fatal(errs)
	}
	m.rules = waits.ReplaceAllStringFunc(rules, func(line string) string {
		part := waits.FindStringSubmatch(line)
		d, err := model.ParseDuration(part[2])
		must(t, err)
		return part[1] + model.Duration(time.Duration(d)/hurry).String()
	})
	m.rules = counts.ReplaceAllStringFunc(m.rules, func(text string) string { // so many more are recorded in a window
		part := counts.FindStringSubmatch(text)
		samples, err := strconv.Atoi(part[2])
		must(t, err)
		return part[1] + strconv.Itoa(hurry*samples)
	})
	dir := t.TempDir()
	example, err := os.ReadFile("../../examples/alertmanager.yml")
	must(t, err)
	for name, text := range map[string]string{"rules.yml": m.rules, "alertmanager.yml": string(example)} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	m.alertmanager, _ = m.serves("prometheus-alertmanager", "--config.file="+filepath.Join(dir, "alertmanager.yml"),
		"--storage.path="+filepath.Join(dir, "alerts"), "--cluster.listen-address=")
	must(t, os.WriteFile(filepath.Join(dir, "prometheus.yml"), fmt.Appendf(nil, `global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [rules.yml]
alerting: {alertmanagers: [{static_configs: [{targets: [%q]}]}]}
scrape_configs:
  - job_name: cx700
    static_configs: [{targets: [%q]}]
`, strings.TrimPrefix(m.alertmanager, "http://"), strings.TrimPrefix(m.url, "http://")), 0o600))
	m.prometheus, _ = m.serves("prometheus", "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"))
	m.within("Prometheus has scraped", 20*time.Second, func() error {
		if _, body := m.request(http.MethodGet, m.prometheus+"/api/v1/query?query=cx700_signin_state"); !strings.Contains(body, "headquarters") {
			return fmt.Errorf("%.200s", body)
		}
		return nil
	})
	m.until("nothing fires", time.Minute, map[string][]string{}) // until the first scrape the exporter was absent
	m.stay(map[string][]string{})
	return m
}

// serves starts a program on a free port until the test ends, and waits until it is ready.
func (m *monitored) serves(name string, args ...string) (base string, stop func()) {
	m.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(m.t, err)
	address := l.Addr().String()
	must(m.t, l.Close())
	cmd := exec.CommandContext(context.WithoutCancel(m.t.Context()), name, append(args, "--web.listen-address="+address)...)
	log := &lockedBuffer{}
	cmd.Stderr = log
	must(m.t, cmd.Start())
	stop = sync.OnceFunc(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	m.t.Cleanup(stop)
	base = "http://" + address
	m.within(filepath.Base(name)+" is ready", time.Minute, func() error {
		if status, body := m.request(http.MethodGet, base+"/-/ready"); status != http.StatusOK {
			return fmt.Errorf("%d %.200s\n%.2000s", status, body, log.String())
		}
		return nil
	})
	return base, stop
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

// fault breaks or heals something in the lab.
func (m *monitored) fault(method, name string) {
	m.t.Helper()
	if status, body := m.request(method, m.url+"/lab/faults"+name); status >= 300 || status == 0 {
		m.t.Fatalf("%s %s: %d %s", method, name, status, body)
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
	return m.bySite(m.alertsOf(m.prometheus + "/api/v1/alerts"))
}

// heard lists those that Alertmanager has.
func (m *monitored) heard() map[string][]string {
	m.t.Helper()
	return m.bySite(m.alertsOf(m.alertmanager + "/api/v2/alerts"))
}

func (m *monitored) bySite(all []firing) map[string][]string {
	m.t.Helper()
	out := map[string][]string{}
	for _, a := range all {
		name := strings.TrimPrefix(a.Labels["alertname"], "Cx700")
		if a.State == "pending" {
			continue
		}
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
	if url := a.Annotations["runbook_url"]; !strings.HasPrefix(url, m.url+"/runbooks/") {
		m.t.Errorf("%s links to %s", a.Labels["alertname"], url)
	}
}

// until waits for exactly these alerts, by site.
func (m *monitored) until(what string, limit time.Duration, want map[string][]string, from ...func() map[string][]string) {
	m.t.Helper()
	look := m.fired
	if from != nil {
		look = from[0]
	}
	m.within(what, limit, func() error {
		if diff := cmp.Diff(want, look()); diff != "" {
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
