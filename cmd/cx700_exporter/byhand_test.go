package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/cx700/cx700_exporter/collectors"
	"github.com/cx700/cx700_exporter/internal/catalogue"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// TestFilesByHand: a probe by hand takes the site file of the working folder, else the packaged one, and the state file
// that goes with it.
func TestFilesByHand(t *testing.T) {
	dir := t.TempDir()
	packaged := filepath.Join(dir, "packaged.yml")
	t.Chdir(dir)
	write := func(file string) {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct{ begun, site, state string }{
		{"", "cx700.yml", ""},
		{"packaged.yml", packaged, ""},
		{"cx700.yml", "cx700.yml", ""},
		{"state/state.json", "cx700.yml", "state/state.json"}, // as the Windows service has it
		{"state.json", "cx700.yml", "state.json"},
	} {
		if step.begun != "" {
			if err := os.MkdirAll(filepath.Dir(step.begun), 0o700); err != nil {
				t.Fatal(err)
			}
			write(step.begun)
		}
		site := siteFileHere(packaged)
		if state := (stateFlags{}).beside(site).StateFile; site != step.site || filepath.ToSlash(state) != step.state {
			t.Errorf("with %q: site file %q, state file %q, want %q and %q", step.begun, site, state, step.site, step.state)
		}
	}
	if f := (stateFlags{StateFile: "other.json"}).beside("cx700.yml"); f.StateFile != "other.json" {
		t.Errorf("the state file that is named gives way to %q", f.StateFile)
	}
}

// TestPackagedPaths are those of the unit, the image and the chart.
func TestPackagedPaths(t *testing.T) {
	for file, want := range map[string][]string{
		"packaging/cx700_exporter.service": {"--config.file=" + packagedSiteFile, "--state.file=" + packagedStateFile},
		"packaging/nfpm.yaml":              {"dst: " + packagedSiteFile + ","},
		"Dockerfile":                       {`"--config.file=` + packagedSiteFile + `"`, " " + filepath.Dir(packagedStateFile) + "\n", "\nENV PATH=/\n"},
		"docs/install.md":                  {":" + packagedSiteFile + ":ro", "--state.file=" + packagedStateFile},
		"helm/cx700-exporter/templates/_pod.tpl": {
			"{name: CX700_CONFIG_FILE, value: /etc/cx700_exporter/config/cx700.yml}", "{name: CX700_STATE_FILE, value: " + packagedStateFile + "}",
		},
	} {
		text, err := os.ReadFile("../../" + file)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !strings.Contains(string(text), w) {
				t.Errorf("%s has no %q", file, w)
			}
		}
	}
}

// judgedIn are the collectors whose probe shows, too, what phones make of the certificates that it saw, and the
// beginnings of the reasons that it finds there; empty for the pool, where those of the step trust are.
var judgedIn = map[string]string{"pool": "", "exchange": "exchange_", "update": "update_"}

// TestConfirm: each command that a runbook prints is one of this program, and shows the reason under which it stands.
func TestConfirm(t *testing.T) {
	for _, c := range catalogue.Causes() {
		for _, p := range c.At {
			parser, err := kong.New(&cli{}, kong.Name("cx700_exporter"), helpWords(), kong.Writers(io.Discard, io.Discard))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := parser.Parse(words(p.Confirm())); err != nil {
				t.Errorf("%s: %s: %v", c.Name, p.Confirm(), err)
			}
			shown := p.Collector == "" // check shows the whole verdict
			for _, known := range collectors.All() {
				shown = shown || known.Name == p.Collector && slices.ContainsFunc(known.Reasons, func(r *phone.Reason) bool { return r.Name == c.Name })
			}
			if begins, judged := judgedIn[p.Collector]; judged {
				shown = shown || strings.HasPrefix(c.Name, begins) && !strings.HasPrefix(c.Name, "sip_")
			}
			if !shown {
				t.Errorf("%s: %s does not show it", c.Name, p.Confirm())
			}
		}
	}
}

// confirmed runs the command that the runbook of a reason prints, as it prints it.
func confirmed(t *testing.T, reason string) (code int, stdout, stderr string) {
	t.Helper()
	i := slices.IndexFunc(catalogue.Causes(), func(c catalogue.Cause) bool { return c.Name == reason })
	command := strings.ReplaceAll(catalogue.Causes()[i].At[0].Confirm(), "SITE", "headquarters")
	return ran(t, strings.Fields(command)[1:]...)
}

// TestConfirmAgrees: the command as printed says what the alert does, by the state file of the exporter that raised it,
// and tries no account again that was refused.
func TestConfirmAgrees(t *testing.T) {
	company := labWith(t)
	t.Chdir(t.TempDir())
	if err := os.WriteFile("cx700.yml", company.SiteFile(), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := confirmed(t, "root_empty"); code != exitGood || !strings.Contains(stderr, "No state file: this logs on") {
		t.Errorf("without a state file: exit code %d, %s", code, stderr)
	}
	exporter := started(t, "serve", "--state.file=state.json")
	exporter.ready()
	exporter.stop()
	for _, tt := range []struct{ fault, reason string }{
		{"rollover", "unknown_root"}, {"rollover", "rollover_strands_enrolled"}, {"sip_late", "sip_clock_off"},
	} {
		if err := company.Set(tt.fault); err != nil {
			t.Fatal(err)
		}
		if _, stdout, stderr := confirmed(t, tt.reason); !strings.Contains(stdout, tt.reason) || stderr != "" {
			t.Errorf("%s: not confirmed: %s\n%s", tt.reason, stderr, stdout)
		}
		if err := company.Heal(tt.fault); err != nil {
			t.Fatal(err)
		}
	}
	if err := company.Set("ad_bind_refused"); err != nil {
		t.Fatal(err)
	}
	if code, stdout, _ := confirmed(t, "credential_refused"); code != exitUnknown || !strings.Contains(stdout, "data 52e") {
		t.Errorf("first: exit code %d:\n%s", code, stdout)
	}
	if err := company.Set("ad_account_disabled"); err != nil { // so that an account that is tried is refused otherwise
		t.Fatal(err)
	}
	if code, stdout, _ := confirmed(t, "credential_refused"); code != exitUnknown || !strings.Contains(stdout, "was refused on") || strings.Contains(stdout, "data 533") {
		t.Errorf("then: exit code %d; the account was tried again:\n%s", code, stdout)
	}
	if _, stdout, _ := ran(t, "probe", "directory", "--site=headquarters", "--state.file=another.json"); !strings.Contains(stdout, "data 533") {
		t.Errorf("by a state file that knows nothing of it:\n%s", stdout)
	}
}
