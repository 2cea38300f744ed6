//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cx700/cx700_exporter/internal/lab"
)

// companyOf is a healthy company, until the test ends.
func companyOf(t *testing.T, sites int) *lab.Lab {
	t.Helper()
	company, err := lab.Start(sites)
	must(t, err)
	t.Cleanup(func() {
		if err := company.Close(); err != nil {
			t.Error(err)
		}
	})
	return company
}

// tryManySites stops five sites at one step, and four at another.
func tryManySites(t *testing.T) {
	const many, few = 5, 4
	m := newMonitored(t, many+few+1)
	want := map[string][]string{"": {"ManySitesBlocked"}}
	for i := range many + few {
		site, fault, set := fmt.Sprintf("branch-%03d", i+2), "sip_403", []string{"SignInBlocked"}
		if i < many {
			fault, set = "pool_down", []string{"OneOfMany", "SignInBlocked"}
		}
		m.breaks(site + ":" + fault)
		want[site] = set
	}
	m.began("", "pool_down at five sites")
	m.until("many sites are blocked at one step", time.Minute, want)
	m.stay(want)
	for _, a := range m.alertsOf(m.prometheus + "/api/v1/alerts") {
		if a.Labels["alertname"] == "Cx700ManySitesBlocked" && a.Labels["step"] != "registrar" && a.Labels["step"] != "tls" {
			t.Errorf("many sites are blocked at %v", a.Labels)
		}
	}
	m.within("Alertmanager is silent of the many, and tells of the few", time.Minute, func() error {
		silent := map[bool]int{}
		for _, a := range m.alertsOf(m.alertmanager + "/api/v2/alerts") {
			if a.Labels["alertname"] == "Cx700SignInBlocked" {
				silent[len(a.Status.InhibitedBy) > 0]++
			}
		}
		if silent[true] != many || silent[false] != few {
			return fmt.Errorf("silent of %d, tells of %d", silent[true], silent[false])
		}
		return nil
	})
	m.heals()
	m.until("all is healed", time.Minute, map[string][]string{})
}

// tryReplacedImage replaces an image under its version. That is told for two days, healed or not.
func tryReplacedImage(t *testing.T) {
	m := newMonitored(t, 3)
	m.within("every image was read", time.Minute, func() error {
		if n := strings.Count(m.get(m.exporters[0].url+"/metrics"), "\ncx700_firmware_changes_total{"); n < 3 {
			return fmt.Errorf("%d files", n)
		}
		return nil
	})
	m.breaks("branch-002:firmware_replaced")
	want := map[string][]string{"branch-002": {"FirmwareChanged"}}
	m.until("the change is told", time.Minute, want)
	m.heals()
	m.stay(want)
	m.until("it is still told", time.Second, want)
}

// tryObjective blocks two sites for some minutes, of which one is to be good for 99.99 % of the time: three seconds
// of a day may be bad. The other, with the objective by default, burns nothing yet.
func tryObjective(t *testing.T) {
	company := companyOf(t, 4)
	file := fileOf(t, company, 3*time.Second, "  - name: branch-002\n", "  - name: branch-002\n    objective: 0.9999\n")
	m := newServed(t, hurried(), company, byFile(file))
	m.breaks("branch-002:pool_down")
	m.breaks("branch-003:pool_down")
	blocked := []string{"SignInBlocked"}
	m.until("the budget burns", 4*time.Minute, map[string][]string{
		"branch-002": {"SignInBlocked", "SignInFastBurn", "SignInSlowBurn"}, "branch-003": blocked,
	})
	m.until("Alertmanager tells once of the outage", time.Minute, map[string][]string{"branch-002": {"SignInFastBurn"}}, m.silent)
	m.heals()
	// The fast burn looks back on four minutes, at any pace.
	m.until("what is left is told", 6*time.Minute, map[string][]string{"branch-002": {"SignInSlowBurn"}})
	m.stay(map[string][]string{"branch-002": {"SignInSlowBurn"}})
}

// tryExporters has two exporters watch one company: one gets a faulty site file, runs out of files and stands still.
func tryExporters(t *testing.T) {
	company := companyOf(t, 4)
	first, second := fileOf(t, company, 3*time.Second), fileOf(t, company, 3*time.Second)
	m := newServed(t, hurried(), company, byFile(first), byFile(second))
	nothing, exporter := map[string][]string{}, m.exporters[0].cmd.Process

	whole, err := os.ReadFile(first)
	must(t, err)
	reload := func(text []byte) {
		must(t, os.WriteFile(first, text, 0o600))
		must(t, exporter.Signal(syscall.SIGHUP))
	}
	reload(append(slices.Clone(whole), "nonsense: true\n"...))
	m.began("", "a faulty site file")
	m.until("the reload failed", 30*time.Second, map[string][]string{"": {"ReloadFailed"}})
	reload(whole)
	m.until("the site file is taken over", 30*time.Second, nothing)

	files := func(limit string) {
		if out, err := exec.CommandContext(t.Context(), "prlimit", fmt.Sprintf("--pid=%d", exporter.Pid), "--nofile="+limit+":").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	files("10")
	m.began("", "no file left")
	want := map[string][]string{"": {"ProbeInternalErrors"}} // the other exporter knows
	m.until("its own fault is told, and nothing of servers", time.Minute, want)
	m.stay(want)
	files("1024")
	m.until("it has files again", time.Minute, nothing)

	m.breaks("branch-002:ad_denied")
	m.breaks("branch-003:registrar_gone")
	m.until("one is unknown, the other blocked", time.Minute, map[string][]string{"branch-002": {"Unknown"}, "branch-003": {"SignInBlocked"}})
	must(t, exporter.Signal(syscall.SIGSTOP))
	m.began("", "SIGSTOP")
	want = map[string][]string{"": {"ExporterDown"}, "branch-002": {"Unknown"}, "branch-003": {"SignInBlocked"}}
	m.until("one exporter is down", time.Minute, want)
	m.until("Alertmanager has heard of it", 30*time.Second, want, m.heard)
	m.until("what the other sees is not silent", time.Minute, map[string][]string{}, m.silent)
	must(t, exporter.Signal(syscall.SIGCONT))
	m.heals()
	m.until("all is well", time.Minute, nothing)
}

var references = regexp.MustCompile(`(?m)^(  (?:internal|external): \{names: \[.*\], )resolvers: .*$`)

// tryOneBlind has one of two exporters lose its own network: what the other sees is told, what the blind one sees is not.
func tryOneBlind(t *testing.T) {
	company := companyOf(t, 6)
	first, second := fileOf(t, company, 3*time.Second), fileOf(t, company, 3*time.Second)
	m := newServed(t, hurried(), company, byFile(first), byFile(second))
	whole, err := os.ReadFile(first)
	must(t, err)
	must(t, os.WriteFile(first, references.ReplaceAll(whole, []byte(`${1}resolvers: ["127.0.0.1:9"], time_servers: ["127.0.0.1:9", "127.0.0.1:8"]}`)), 0o600))
	must(t, m.exporters[0].cmd.Process.Signal(syscall.SIGHUP))
	m.began("", "one of two is blind")
	m.until("one is blind, of phones that says nothing", time.Minute, map[string][]string{"": {"VantageLost"}})

	m.breaks("branch-002:ntp_one_off")
	m.breaks("branch-003:update_down")
	m.breaks("branch-004:firmware_missing")
	m.breaks("branch-005:ad_denied")
	want := map[string][]string{
		"": {"VantageLost"}, "branch-002": {"Degraded", "TimeOff"}, "branch-003": {"UpdateServiceDown"},
		"branch-004": {"FirmwareMissing"}, "branch-005": {"Unknown"},
	}
	m.until("what the other sees is told", time.Minute, want)
	m.until("Alertmanager has heard of it", 30*time.Second, want, m.heard)
	m.until("nothing is silent", time.Minute, map[string][]string{}, m.silent)
	for _, a := range m.alertsOf(m.prometheus + "/api/v1/alerts") {
		if a.Labels["alertname"] == "Cx700VantageLost" && a.Labels["instance"] != strings.TrimPrefix(m.exporters[0].url, "http://") {
			t.Errorf("the blind one is %v", a.Labels)
		}
		if strings.Contains(a.Annotations["description"], "vantage: ") {
			t.Errorf("%s at %s: %s", a.Labels["alertname"], a.Labels["site"], a.Annotations["description"])
		}
	}

	must(t, m.exporters[1].cmd.Process.Signal(syscall.SIGSTOP))
	want = map[string][]string{"": {"ExporterDown", "VantageLost"}}
	m.until("the blind one alone tells nothing of phones", time.Minute, want)
	m.stay(want)
	must(t, m.exporters[1].cmd.Process.Signal(syscall.SIGCONT))
}

// tryUnreadRoot empties the directory, then takes away its domain controllers, then the exporter: the root is as it was.
func tryUnreadRoot(t *testing.T) {
	m := newMonitored(t, 3)
	m.breaks("branch-002:ad_ca_empty")
	m.until("no root is published", time.Minute, map[string][]string{"branch-002": {"RootUnpublished"}})
	m.breaks("branch-002:dc_down")
	want := map[string][]string{"branch-002": {"NewPhonesBlocked", "RootUnpublished"}}
	m.until("nobody can read it", time.Minute, want)
	m.stay(want)
	m.until("it is still told", 5*time.Second, want)
	m.heals()
	m.until("all is healed", time.Minute, map[string][]string{})

	m.breaks("branch-002:ad_ca_empty")
	m.until("no root is published again", time.Minute, map[string][]string{"branch-002": {"RootUnpublished"}})
	m.exporters[0].stop()
	want = map[string][]string{"": {"ExporterDown"}, "branch-002": {"RootUnpublished"}}
	m.until("nobody asks", time.Minute, want)
	m.stay(want)
	m.until("it is told all the same", 5*time.Second, want)
}

// tryOneShard stops that of two shards which watches the company's domain.
func tryOneShard(t *testing.T) {
	company := companyOf(t, 8)
	file := fileOf(t, company, 3*time.Second)
	m := newServed(t, hurried(), company, byFile(file, "--shard.count=2", "--shard.index=0"), byFile(file, "--shard.count=2", "--shard.index=1"))
	watching := slices.IndexFunc(m.exporters, func(e *spawned) bool { return targetLine.MatchString(m.get(e.url + "/metrics")) })
	shard := m.exporters[watching].cmd.Process
	must(t, shard.Signal(syscall.SIGSTOP))
	m.began("", "SIGSTOP of a shard")
	m.until("its sites are watched by nobody", time.Minute, map[string][]string{"": {"ExporterDown", "SitesUnwatched"}})
	must(t, shard.Signal(syscall.SIGCONT))
	m.until("all sites are watched", time.Minute, map[string][]string{})
}

// tryFewWorkers gives an exporter one worker, whom the silent resolvers of fourteen sites hold. Prometheus keeps native
// histograms: of the others alerts/testdata knows.
func tryFewWorkers(t *testing.T) {
	company := companyOf(t, 14)
	p := hurried()
	p.native = true
	m := newServed(t, p, company, byFile(fileOf(t, company, 3*time.Second), "--probe.concurrency=1"))
	if buckets := m.get(m.prometheus + "/api/v1/query?query=cx700_probe_queue_seconds_bucket"); !strings.Contains(buckets, `"result":[]`) {
		t.Fatalf("the histogram is not kept as a native one alone: %.300s", buckets)
	}
	m.breaks("dns_silent")
	m.began("", "silent resolvers, one worker")
	m.within("probes wait, and results are too old", 4*time.Minute, func() error {
		got := m.fired()
		m.measure(got)
		if !slices.Contains(got[""], "QueueLate") || !slices.Contains(got[""], "ResultsTooOld") {
			return fmt.Errorf("%v", got)
		}
		return nil
	})
	m.heals()
	m.within("results come again", 2*time.Minute, func() error {
		if got := m.fired(); slices.Contains(got[""], "ResultsTooOld") { // QueueLate looks back on a quarter of an hour
			return fmt.Errorf("%v", got)
		}
		return nil
	})
}
