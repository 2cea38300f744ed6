package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/cx700/cx700_exporter/internal/check"
	"github.com/cx700/cx700_exporter/internal/lab"
)

var seconds = regexp.MustCompile(` +\d+\.\d\d s`)

// TestCheck holds what check says of the lab to its golden files, which are the manual's examples too.
func TestCheck(t *testing.T) {
	for _, tt := range []struct {
		name   string
		faults []string
		code   int
		args   []string
	}{
		{"healthy", nil, exitGood, nil},
		{"blocked", []string{"ad_ca_empty", "sip_old_blocked"}, exitBad, []string{"--network=internal"}},
		{"unknown", []string{"dns_refused"}, exitUnknown, []string{"--network=internal", "--firmware=3.5.6907.35", "--site=headquarters"}},
		{"degraded", []string{"dns_lying", "external_srv_dropped", "exchange_404"}, exitGood, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			company := labWith(t, tt.faults...)
			var out, errs bytes.Buffer
			args := append([]string{"check", "--config.file=" + siteFileOf(t, company), "--state.file=" + filepath.Join(t.TempDir(), "state.json")}, tt.args...)
			if code := run(t.Context(), args, &out, &errs); code != tt.code || errs.Len() > 0 {
				t.Errorf("exit code %d, want %d\n%s", code, tt.code, &errs)
			}
			for line := range strings.Lines(out.String()) {
				if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 100 {
					t.Errorf("%d columns: %s", n, line)
				}
			}
			golden(t, filepath.Join("testdata", "check_"+tt.name+".txt"), seconds.ReplaceAllString(out.String(), ""))
		})
	}
}

// TestCheckJSON: the same for other programs.
func TestCheckJSON(t *testing.T) {
	company := labWith(t, "sip_old_blocked")
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"check", "--format=json", "--config.file=" + siteFileOf(t, company)}, &out, &errs); code != exitBad {
		t.Errorf("exit code %d\n%s", code, &errs)
	}
	var got []check.Document
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	var states []string
	for _, d := range got {
		for _, v := range d.Verdicts {
			text := strings.Join([]string{d.Site, d.Network, v.Firmware, v.Phone, v.State, v.Step}, " ")
			if v.ReasonDocument != nil {
				text += " " + v.Reason
			}
			states = append(states, strings.TrimSpace(text))
			if len(v.Steps) != 11 {
				t.Errorf("%s has %d steps", text, len(v.Steps))
			}
		}
	}
	want := []string{
		"headquarters internal 1.0.199.123 enrolled blocked signin sip_version_blocked",
		"headquarters internal 1.0.199.123 new blocked signin sip_version_blocked",
		"headquarters internal 1.0.522.101 enrolled ready", "headquarters internal 1.0.522.101 new ready",
		"headquarters internal 3.5.6907.35 enrolled ready", "headquarters internal 3.5.6907.35 new ready",
		"headquarters external 1.0.199.123 enrolled ready", "headquarters external 1.0.199.123 new not_watched trust enrol_inside_first",
		"headquarters external 1.0.522.101 enrolled ready", "headquarters external 1.0.522.101 new not_watched trust enrol_inside_first",
		"headquarters external 3.5.6907.35 enrolled ready", "headquarters external 3.5.6907.35 new not_watched trust enrol_inside_first",
	}
	if diff := cmp.Diff(want, states); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestCheckByFlags: without a site file, and what is refused.
func TestCheckByFlags(t *testing.T) {
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--sip-domain=fabrikam.com", "--dns-server=127.0.0.1:1"}, exitBad, "BLOCKED: all phones, at registrar: resolver_unreachable"},
		{[]string{"--sip-domain=fabrikam.com"}, exitUsage, "write --dns-server=ADDRESS"},
		{[]string{"--dns-server=127.0.0.1"}, exitUsage, "write --sip-domain too"},
		{[]string{"--sip-domain=fabrikam.com", "--dns-server=here"}, exitUsage, "--dns-server=here is no address"},
		{[]string{"--sip-domain=fabrikam", "--dns-server=127.0.0.1"}, exitUsage, "sip_domain"},
		{[]string{"--config.file=gone.yml"}, exitUsage, "or write --sip-domain and --dns-server"},
		{[]string{"--config.file=../../examples/guide.yml", "--site=nowhere"}, exitUsage, `no site "nowhere"`},
		{[]string{"--config.file=../../examples/guide.yml", "--firmware=9.9"}, exitUsage, "there are 1.0.199.123, 1.0.522.101, 3.5.6907.35"},
	} {
		var out bytes.Buffer
		code := run(t.Context(), append([]string{"check"}, tt.args...), &out, &out)
		if code != tt.code || !strings.Contains(strings.Join(strings.Fields(out.String()), " "), tt.want) {
			t.Errorf("%v: exit code %d, want %d and %q in:\n%s", tt.args, code, tt.code, tt.want, &out)
		}
	}
}

func labWith(t *testing.T, faults ...string) *lab.Lab {
	t.Helper()
	company := startedLab(t)
	for _, f := range faults {
		if err := company.Set(f); err != nil {
			t.Fatal(err)
		}
	}
	return company
}

func siteFileOf(t *testing.T, company *lab.Lab) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "cx700.yml")
	if err := os.WriteFile(file, company.SiteFile(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
