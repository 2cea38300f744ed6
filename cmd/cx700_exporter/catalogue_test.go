package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/cx700/cx700_exporter/collectors"
	"github.com/cx700/cx700_exporter/internal/catalogue"
	"github.com/cx700/cx700_exporter/internal/lab"
	"github.com/cx700/cx700_exporter/internal/metric"
	"github.com/cx700/cx700_exporter/internal/schedule"
)

var update = flag.Bool("update", false, "write docs/metrics.md and the files in testdata anew")

// The budget of series, so that a company with thousands of sites stays affordable.
const (
	maxPerSite   = 300 // over both networks; those of targets, which sites share, have a bound of their own
	maxPerTarget = 60
)

// chapter is a group of series with one origin.
type chapter struct {
	title   string
	metrics []*metric.Desc
}

// chapters holds every series that the program can give, but for those about Go and its own process.
func chapters() []chapter {
	out := []chapter{{"Probes", schedule.Metrics()}}
	for _, c := range collectors.All() {
		out = append(out, chapter{"Collector " + c.Name, c.Metrics})
	}
	return append(out,
		chapter{"Credentials", collectors.CredentialMetrics()},
		chapter{"Authorities built into the phone", collectors.AuthorityMetrics()},
		chapter{"The exporter itself", []*metric.Desc{catalogue.ReloadOK, catalogue.ReloadTime, catalogue.ReloadFault, buildInfo()}})
}

// buildInfo describes what client_golang's version collector gives.
func buildInfo() *metric.Desc {
	return metric.NewGauge("cx700_exporter_build_info",
		"A metric with a constant '1' value labeled by version, revision, branch, goversion from which cx700_exporter was built, "+
			"and the goos and goarch for the build.",
		`count by (version) (cx700_exporter_build_info)`,
		"branch", "goarch", "goos", "goversion", "revision", "tags", "version")
}

// described returns the catalogue by name.
func described(t *testing.T) map[string]*metric.Desc {
	t.Helper()
	out := map[string]*metric.Desc{}
	for _, c := range chapters() {
		for _, d := range c.metrics {
			if out[d.Name] != nil {
				t.Errorf("%s is described twice", d.Name)
			}
			out[d.Name] = d
		}
	}
	return out
}

var (
	nameForm  = regexp.MustCompile(`^cx700_[a-z0-9]+(_[a-z0-9]+)*$`)
	labelForm = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	unitWrong = regexp.MustCompile(`_(ms|millis|milliseconds|minutes|hours|days|left|remaining|percent|kb|mb|timestamp)(_|$)`)
)

func TestCatalogueNamesAndHelp(t *testing.T) {
	var families []*dto.MetricFamily
	for _, d := range described(t) {
		families = append(families, sampleFamily(d))
		switch {
		case !nameForm.MatchString(d.Name):
			t.Errorf("%s: write cx700_ and lower-case words", d.Name)
		case unitWrong.MatchString(strings.TrimSuffix(d.Name, "_timestamp_seconds")):
			t.Errorf("%s: write base units, and moments as _timestamp_seconds", d.Name)
		case strings.HasSuffix(d.Name, "_info") && d.Type != dto.MetricType_GAUGE:
			t.Errorf("%s: an info series is a gauge", d.Name)
		case !strings.HasSuffix(d.Help, ".") || strings.ToUpper(d.Help[:1]) != d.Help[:1] || strings.Contains(d.Help, "\n"):
			t.Errorf("%s: help is a sentence in one line, not %q", d.Name, d.Help)
		}
		for i, l := range d.Labels {
			if !labelForm.MatchString(l) || slices.Contains(d.Labels[:i], l) {
				t.Errorf("%s: label %q", d.Name, l)
			}
		}
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// sampleFamily is a family with one made-up series, for the linter.
func sampleFamily(d *metric.Desc) *dto.MetricFamily {
	m := &dto.Metric{}
	for _, l := range d.Labels {
		value := "x"
		m.Label = append(m.Label, &dto.LabelPair{Name: &l, Value: &value})
	}
	return &dto.MetricFamily{Name: &d.Name, Help: &d.Help, Type: &d.Type, Metric: []*dto.Metric{m}}
}

// designed are the series that the design fixes, with their labels: alerts, dashboards and other people's
// rules are written against them.
const designed = `
cx700_signin_state                                   site network firmware phone state
cx700_signin_blocked_info                            site network firmware phone step reason
cx700_signin_step_ok                                 site network firmware phone step
cx700_signin_valid_until_timestamp_seconds           site network firmware phone
cx700_signin_ticks_total                             site network firmware phone
cx700_signin_bad_ticks_total                         site network firmware phone
cx700_signin_unknown_ticks_total                     site network firmware phone
cx700_signin_objective_ratio                         site
cx700_site_phones                                    site
cx700_update_ready                                   site network firmware
cx700_site_target_info                               site network collector target
cx700_probe_success                                  network collector target
cx700_probes_total                                   network collector target
cx700_probe_failures_total                           network collector target
cx700_probe_last_run_timestamp_seconds               network collector target
cx700_probe_interval_seconds                         network collector target
cx700_probe_failing                                  network collector target reason
cx700_probe_duration_seconds                         network collector
cx700_probe_queue_seconds                            network collector
cx700_dns_srv_records                                network target name
cx700_ntp_offset_seconds                             network target server
cx700_ntp_stratum                                    network target server
cx700_trusted_authority_not_after_timestamp_seconds  vendor authority
cx700_ad_ca_certificates                             target dc container state
cx700_ad_ca_certificate_not_after_timestamp_seconds  target container sha256
cx700_pool_certificate_not_after_timestamp_seconds   network target address
cx700_pool_handshake_ok                              network target address offer
cx700_pool_trusted                                   site network address firmware phone
cx700_signin_blocked_info                            site network firmware phone step reason
cx700_update_server_info                             network target server_version service_version
cx700_update_base_url_populated                      network target url
cx700_firmware_reachable                             network target file
cx700_firmware_size_bytes                            network target file
cx700_firmware_changes_total                         network target file
cx700_credential_stopped                             credential
cx700_credential_password_expiry_timestamp_seconds   credential
cx700_vantage_ok                                     network
cx700_config_last_reload_successful
cx700_config_last_reload_success_timestamp_seconds
`

func TestCatalogueKeepsToTheDesign(t *testing.T) {
	catalogue := described(t)
	kept := 0
	for line := range strings.Lines(strings.TrimSpace(designed)) {
		name, labels, _ := strings.Cut(strings.TrimSpace(line), " ")
		d := catalogue[name]
		if d == nil {
			continue // not built yet
		}
		kept++
		if diff := cmp.Diff(strings.Fields(labels), append([]string{}, d.Labels...)); diff != "" {
			t.Errorf("%s: labels (-design +catalogue):\n%s", name, diff)
		}
	}
	if kept == 0 {
		t.Error("nothing of the design is in the catalogue")
	}
}

// TestExamplesParse holds every example query to PromQL, to the series of its own entry, and to names and
// labels that exist.
func TestExamplesParse(t *testing.T) {
	catalogue := described(t)
	promql := parser.NewParser(parser.Options{})
	for name, d := range catalogue {
		expr, err := promql.ParseExpr(d.Example)
		if err != nil {
			t.Errorf("%s: %q: %v", name, d.Example, err)
			continue
		}
		own := false
		for _, selectors := range parser.ExtractSelectors(expr) {
			selected := selectedBy(catalogue, selectors[len(selectors)-1].Value)
			if selected == nil {
				t.Errorf("%s: the example asks for %s, which is not in the catalogue", name, selectors)
				continue
			}
			own = own || selected.Name == name
			for _, m := range selectors[:len(selectors)-1] {
				if !slices.Contains(selected.Labels, m.Name) {
					t.Errorf("%s: the example asks for the label %s, which %s does not have", name, m.Name, selected.Name)
				}
			}
		}
		if !own {
			t.Errorf("%s: the example does not ask for it", name)
		}
	}
}

// selectedBy finds the entry of a name in a query; a histogram goes by three names there.
func selectedBy(catalogue map[string]*metric.Desc, name string) *metric.Desc {
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		if d := catalogue[strings.TrimSuffix(name, suffix)]; d != nil && d.Type == dto.MetricType_HISTOGRAM {
			return d
		}
	}
	return catalogue[name]
}

// ofTheRuntime are the families that client_golang gives about Go and the process; they differ by platform.
func ofTheRuntime(name string) bool {
	return strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_")
}

// TestRunMatchesTheCatalogue runs labs with one site for each fault, and a healthy one, and compares what they
// serve with the catalogue. They are not too large for a busy machine, whose probes would all be late; where some are
// late even so, what they would have told is looked for once more.
func TestRunMatchesTheCatalogue(t *testing.T) {
	catalogue := described(t)
	absent := maps.Clone(catalogue)
	delete(absent, "cx700_config_fault_info") // of a site file that was not taken over; TestReloadCannotHurt has it
	const sites, tries = 20, 2
	for try := range tries {
		for faults := range slices.Chunk(lab.Faults(), sites) {
			if try > 0 && len(absent) == 0 {
				return
			}
			for name, f := range familiesOf(t, faults) {
				if ofTheRuntime(name) {
					continue
				}
				if d := catalogue[name]; d == nil {
					t.Errorf("%s is served, but not in the catalogue", name)
				} else {
					compare(t, d, f)
				}
				delete(absent, name)
			}
		}
	}
	for name := range absent {
		t.Errorf("%s is in the catalogue, but no run serves it: give the lab a fault or a server that does", name)
	}
}

// familiesOf runs a lab with these faults until an image was read, and holds what it serves to the budget.
func familiesOf(t *testing.T, faults []lab.Fault) map[string]*dto.MetricFamily {
	t.Helper()
	args := []string{"lab", fmt.Sprintf("--sites=%d", len(faults)+1)}
	for i, f := range faults {
		args = append(args, fmt.Sprintf("--fault=branch-%03d:%s", i+2, f.Name))
	}
	p := started(t, args...)
	p.ready()
	p.eventually("an image was read", func() bool { return strings.Contains(p.get("/metrics"), "\ncx700_firmware_download_ok{") })
	textParser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := textParser.TextToMetricFamilies(strings.NewReader(p.get("/metrics")))
	if err != nil {
		t.Fatal(err)
	}
	budget(t, families)
	if code := p.stop(); code != exitGood {
		t.Errorf("stopped with exit code %d:\n%s", code, p.log)
	}
	return families
}

// compare holds a served family to its entry, and its series to be different ones.
func compare(t *testing.T, d *metric.Desc, f *dto.MetricFamily) {
	t.Helper()
	if f.GetType() != d.Type || f.GetHelp() != d.Help {
		t.Errorf("%s is served as %s %q, but in the catalogue it is %s %q", d.Name, f.GetType(), f.GetHelp(), d.Type, d.Help)
	}
	seen := map[string]bool{}
	for _, m := range f.GetMetric() {
		var names []string
		var key strings.Builder
		for _, l := range m.GetLabel() {
			names = append(names, l.GetName())
			fmt.Fprintf(&key, "%s=%q ", l.GetName(), l.GetValue())
		}
		slices.Sort(names)
		if want := slices.Sorted(slices.Values(d.Labels)); !slices.Equal(names, want) {
			t.Errorf("%s is served with the labels %v, but in the catalogue it has %v", d.Name, names, want)
		}
		if seen[key.String()] {
			t.Errorf("%s is served twice with %s", d.Name, &key)
		}
		seen[key.String()] = true
	}
}

// budget counts the series of each target and of each site.
func budget(t *testing.T, families map[string]*dto.MetricFamily) {
	t.Helper()
	owner := map[string]string{}
	for _, c := range collectors.All() {
		for _, d := range c.Metrics {
			owner[d.Name] = c.Name
		}
	}
	bySite, byTarget := map[string]int{}, map[string]int{}
	for name, f := range families {
		for _, m := range f.GetMetric() {
			l := labelsOf(m)
			if site := l["site"]; site != "" {
				bySite[site]++
			} else if target := l["target"]; target != "" {
				byTarget[owner[name]+l["collector"]+" "+target]++
			}
		}
	}
	for key, n := range byTarget {
		if n > maxPerTarget {
			t.Errorf("%s: %d series, at most %d", key, n, maxPerTarget)
		}
	}
	if len(bySite) == 0 || len(byTarget) == 0 {
		t.Error("no series of sites or targets were found")
	}
	for site, n := range bySite {
		if n > maxPerSite {
			t.Errorf("site %s: %d series, at most %d", site, n, maxPerSite)
		}
	}
}

func labelsOf(m *dto.Metric) map[string]string {
	out := map[string]string{}
	for _, l := range m.GetLabel() {
		out[l.GetName()] = l.GetValue()
	}
	return out
}

// golden compares text with a file, or writes the file with -update.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s (-want +got); if this is meant, run: go test ./cmd/cx700_exporter -run %s -update\n%s", file, t.Name(), diff)
	}
}

// TestMetricsDoc holds docs/metrics.md to what the catalogue says.
func TestMetricsDoc(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Metrics\n\n" +
		"Every series of `/metrics`, but for those about Go and the process. Each has a query to start from.\n" +
		"This page is generated: `go test ./cmd/cx700_exporter -run TestMetricsDoc -update` writes it anew.\n")
	for _, c := range chapters() {
		fmt.Fprintf(&b, "\n## %s\n", c.title)
		for _, d := range c.metrics {
			labels := "none"
			if len(d.Labels) > 0 {
				labels = "`" + strings.Join(d.Labels, "`, `") + "`"
			}
			fmt.Fprintf(&b, "\n### %s\n\n%s\n\nType: %s. Labels: %s.\n\n```promql\n%s\n```\n",
				d.Name, d.Help, strings.ToLower(d.Type.String()), labels, d.Example)
		}
	}
	golden(t, "../../docs/metrics.md", b.String())
}

var (
	// seriesLine takes a line of /metrics apart: the family's name, its labels, the value.
	seriesLine = regexp.MustCompile(`^(\w+?)(_bucket|_sum|_count)?(\{.*\})? (\S+)$`)
	buildLabel = regexp.MustCompile(`="[^"]*"`)
)

// volatile are the families whose values differ from run to run.
func volatile(d *metric.Desc) bool {
	return d.Type != dto.MetricType_GAUGE || strings.HasPrefix(d.Name, "cx700_ntp_") && strings.HasSuffix(d.Name, "_seconds") ||
		slices.Contains([]string{"cx700_probe_last_run_timestamp_seconds", "cx700_firmware_download_bytes_per_second",
			"cx700_ad_ca_certificate_first_seen_timestamp_seconds",
			catalogue.ReloadTime.Name}, d.Name)
}

// TestGoldenMetrics compares the whole output of a fresh lab, values that differ from run to run masked,
// with testdata. A change of a name, a help text, a type or a label set shows here.
func TestGoldenMetrics(t *testing.T) {
	p := started(t, "lab")
	p.reported()
	catalogue := described(t)
	var b strings.Builder
	for line := range strings.Lines(p.get("/metrics")) {
		comment := strings.HasPrefix(line, "# ")
		name, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(line, "# HELP "), "# TYPE "), " ")
		if ofTheRuntime(name) {
			continue
		}
		m := seriesLine.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if !comment && m == nil {
			t.Fatalf("not understood: %q", line)
		}
		if !comment {
			d := selectedBy(catalogue, m[1]+m[2])
			if d == nil {
				t.Fatalf("not in the catalogue: %q", line)
			}
			if d.Name == buildInfo().Name {
				line = buildLabel.ReplaceAllString(line, `="..."`)
			} else if volatile(d) {
				line = strings.TrimSuffix(line, m[4]+"\n") + "...\n"
			}
		}
		b.WriteString(line)
	}
	golden(t, "testdata/metrics.txt", b.String())
}
