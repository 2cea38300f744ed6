package main

import (
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/cx700/cx700_exporter/collectors"
	"github.com/cx700/cx700_exporter/internal/lab"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// fits fails the test for lines that are wider than a terminal.
func fits(t *testing.T, what, text string) {
	t.Helper()
	const columns = 100
	for line := range strings.Lines(text) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > columns {
			t.Errorf("%s: %d columns, at most %d: %s", what, n, columns, line)
		}
	}
}

// TestWrongUsage holds every mistake to one line that says what is wrong and what to do.
func TestWrongUsage(t *testing.T) {
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	const minimal = "--config.file=../../examples/minimal.yml"
	for _, c := range []struct {
		args string
		code int
		want []string
	}{
		{"nonsense", exitUsage, []string{"nonsense", "try cx700_exporter --help"}},
		{"--log.level=loud", exitUsage, []string{"--log.level", `"warn"`, `"loud"`}},
		{"serve --nothing", exitUsage, []string{"unknown flag --nothing"}},
		{"serve --probe.concurrency=0", exitUsage, []string{"--probe.concurrency=0", "at least 1"}},
		{"serve --shard.index=2 --shard.count=2 " + minimal, exitUsage, []string{"--shard.index=2", "--shard.count=2", "write 0 to 1"}},
		{"serve --shard.index=1", exitUsage, []string{"--shard.index=1", "write 0 to 0"}},
		{"serve --shard.index=-1", exitUsage, []string{"--shard.index", `"-1"`, "cx700-2"}},
		{"serve --shard.index=main --shard.count=2", exitUsage, []string{"--shard.index", `"main"`, "cx700-2"}},
		{"serve --shard.count=0", exitUsage, []string{"--shard.count=0", "1 to 1000"}},
		{"config check --shard.count=1001", exitUsage, []string{"--shard.count=1001", "1 to 1000"}},
		{"serve --config.file=missing.yml", exitBad, []string{"missing.yml", "--config.file"}},
		{"serve " + minimal + " --network=external", exitBad, []string{"minimal.yml", "external", "--network"}},
		{"serve " + minimal + " --web.listen-address=nowhere", exitBad, []string{"nowhere", "--web.listen-address"}},
		{"serve " + minimal + " --web.listen-address=" + taken.Addr().String(), exitBad, []string{"in use", "--web.listen-address"}},
		{"serve " + minimal + " --web.config.file=missing.yml", exitBad, []string{"--web.config.file=missing.yml"}},
		{"serve " + minimal + " --web.systemd-socket", exitBad, []string{"no socket activation"}},
		{"config", exitUsage, []string{`"check"`, "try cx700_exporter config --help"}},
		{"config check --config.file=missing.yml", exitBad, []string{"missing.yml", "--config.file"}},
		{"probe dns", exitUsage, []string{"--site", "try cx700_exporter probe --help"}},
		{"probe phone --site=a", exitUsage, []string{"the help lists them", `"phone"`}},
		{"probe dns --site=copenhagen --config.file=missing.yml", exitUsage, []string{"missing.yml"}},
		{"probe dns --site=aarhus " + minimal, exitUsage, []string{"minimal.yml", `"aarhus"`, "config check"}},
		{"lab --sites=0", exitUsage, []string{"--sites=0", fmt.Sprint(lab.MaxSites)}},
		{"lab --fault=srv_droped", exitUsage, []string{"did you mean srv_dropped?", "--list-faults"}},
		{"lab --fault=aarhus:srv_dropped", exitUsage, []string{`"aarhus"`}},
		{"lab --network=wan", exitUsage, []string{`"external"`, "try cx700_exporter lab --help"}},
		{"dashboards phones", exitUsage, []string{`"phones"`, "signin, site, certificates, update, exporter"}},
		{"version now", exitUsage, []string{"now"}},
		{"explain", exitUsage, []string{"<what>", "try cx700_exporter explain --help"}},
		{"explain rot_empty", exitUsage, []string{`"rot_empty"`, "did you mean root_empty?"}},
		{"explain wildcard", exitUsage, []string{"registrar_by_wildcard or wildcard_zone"}},
		{"explain blue lamp blinks in the basement of the building", exitUsage, []string{`"blue lamp blinks in the …"`, "time_off", "Cannot sign in"}},
		{"explain cannot", exitUsage, []string{"is no reason and on no screen"}},
	} {
		code, stdout, stderr := ran(t, append([]string{"--log.level=error"}, strings.Fields(c.args)...)...)
		if code != c.code || stdout != "" {
			t.Errorf("%s: exit code %d, want %d; on standard output: %q", c.args, code, c.code, stdout)
		}
		if n := strings.Count(stderr, "\n"); n != 1 {
			t.Errorf("%s: %d lines, want one:\n%s", c.args, n, stderr)
		}
		for _, want := range c.want {
			if !strings.Contains(stderr, want) {
				t.Errorf("%s: no %q in: %s", c.args, want, stderr)
			}
		}
		fits(t, c.args, strings.ReplaceAll(stderr, taken.Addr().String(), "127.0.0.1:12345"))
	}
}

// TestTexts reads what each command prints.
func TestTexts(t *testing.T) {
	var faults, authorities []string
	for _, f := range lab.Faults() {
		faults = append(append(faults, f.Name, f.Text), f.Reasons...)
	}
	for _, a := range phone.Authorities() {
		authorities = append(authorities, a.Name, a.Certificate.NotAfter.UTC().Format("2006-01-02"))
	}
	for _, c := range []struct {
		args string
		want []string
	}{
		{"explain --help", []string{"root_empty", "(0x2efd/0x0)"}},
		{"--help", []string{"serve", "lab", "probe", "explain", "config check", "trust", "dashboards", "version", "--log.level"}},
		{"serve --help", []string{"--config.file", "--network", "--web.listen-address", "--web.config.file", "--web.systemd-socket", "--shard.index", "--shard.count"}},
		{"lab --help", []string{"--fault", "--list-faults", "--sites", "--print-config"}},
		{"probe --help", append(strings.Split(collectorNames(), ", "), "--site")},
		{"config --help", []string{"check"}},
		{"config check --help", []string{"--config.file", "--shard.count"}},
		{"trust --help", []string{"authorities"}},
		{"dashboards --help", []string{"signin", "--output-dir"}},
		{"healthcheck --help", []string{"--web.listen-address", "--web.config.file"}},
		{"version --help", []string{"version"}},
		{"version", []string{"cx700_exporter, version"}},
		{"trust", append(authorities, "Left today", "Left in a year")},
		{"lab --list-faults", faults},
	} {
		code, stdout, stderr := ran(t, strings.Fields(c.args)...)
		if code != exitGood || stderr != "" {
			t.Errorf("%s: exit code %d: %s", c.args, code, stderr)
		}
		for _, want := range c.want {
			if !strings.Contains(stdout, want) {
				t.Errorf("%s: no %q in:\n%s", c.args, want, stdout)
			}
		}
		fits(t, c.args, stdout)
	}
}

// TestExamples checks every site file in examples, as the README tells its reader to.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../../examples/*.yml")
	files = slices.DeleteFunc(files, func(file string) bool { return filepath.Base(file) == "alertmanager.yml" }) // for another program
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, file := range files {
		code, stdout, stderr := ran(t, "config", "check", "--config.file="+file)
		if code != exitGood || stderr != "" {
			t.Errorf("%s: exit code %d: %s", file, code, stderr)
		}
		if !strings.Contains(stdout, "\nsites: ") {
			t.Errorf("%s: no sum:\n%s", file, stdout)
		}
		for _, c := range collectors.All() {
			if filepath.Base(file) == "cx700.yml" && !strings.Contains(stdout, " "+c.Name+" ") {
				t.Errorf("%s, which shows every key, has no target for %s:\n%s", file, c.Name, stdout)
			}
		}
		fits(t, file, stdout)
	}
}

// TestProbeExplains probes the lab once for each collector, from the site file that the lab prints, and
// holds the exit code to the worst of what was found.
func TestProbeExplains(t *testing.T) {
	company, err := lab.Start(1)
	if err != nil {
		t.Fatal(err)
	}
	defer company.Close()
	file := filepath.Join(t.TempDir(), "lab.yml")
	if err := os.WriteFile(file, company.SiteFile(), 0o600); err != nil {
		t.Fatal(err)
	}
	probe := func(collector string, want int) string {
		code, stdout, stderr := ran(t, "probe", collector, "--site=headquarters", "--config.file="+file,
			"--state.file="+filepath.Join(t.TempDir(), "state.json"))
		if code != want || stderr != "" {
			t.Errorf("probe %s: exit code %d, want %d: %s\n%s", collector, code, want, stderr, stdout)
		}
		fits(t, "probe "+collector, stdout)
		return stdout
	}
	for _, c := range collectors.All() {
		if text := probe(c.Name, exitGood); !strings.Contains(text, c.Asks) || !strings.Contains(text, "good: nothing wrong") {
			t.Errorf("probe %s:\n%s", c.Name, text)
		}
	}
	probed := map[string]bool{}
	for _, f := range lab.Faults() {
		found := map[string][]string{f.Collector: f.Reasons}
		maps.Copy(found, f.Also)
		for collector, reasons := range found {
			code := worst(collector, reasons)
			kind := fmt.Sprint(collector, code)
			if probed[kind] || len(reasons) == 0 {
				continue // one fault of each kind will do
			}
			probed[kind] = true
			if err := company.Set(f.Name); err != nil {
				t.Fatal(err)
			}
			if text := probe(collector, code); !containsAll(text, reasons) {
				t.Errorf("probe %s with %s does not give %v:\n%s", collector, f.Name, reasons, text)
			}
			if err := company.HealAll(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(probed) == 0 {
		t.Error("no fault was probed")
	}
}

// worst is the exit code for the gravest of a collector's reasons.
func worst(collector string, reasons []string) int {
	effect := collectors.Notes
	for _, c := range collectors.All() {
		for _, r := range c.Reasons {
			if c.Name == collector && slices.Contains(reasons, r.Name) {
				effect = max(effect, r.Effect)
			}
		}
	}
	switch effect {
	case collectors.Blocks, collectors.BlocksNew:
		return exitBad
	case collectors.Blinds, collectors.NotWatched:
		return exitUnknown
	default:
		return exitGood
	}
}

func containsAll(text string, words []string) bool {
	return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
}
