//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cx700/cx700_exporter/collectors"
	"github.com/cx700/cx700_exporter/internal/bed"
	"github.com/cx700/cx700_exporter/internal/schedule"
	"github.com/cx700/cx700_exporter/internal/site"
)

// rig is the built program and the real servers of internal/bed. The program runs on the bed's monitor,
// which stands on both segments.
type rig struct {
	*bed.Bed
	binary string
}

// newRig starts the servers and builds the program. It skips the test where this machine cannot, and
// says what is missing; with STRICT=1 that is a failure.
func newRig(t *testing.T) *rig {
	t.Helper()
	missing := bed.Missing()
	for _, tool := range []string{"prometheus", "promtool"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing = append(missing, "program "+tool)
		}
	}
	if len(missing) > 0 {
		what := "the program against real servers is left out; missing: " + strings.Join(missing, ", ")
		if os.Getenv("STRICT") == "1" {
			t.Fatal(what)
		}
		t.Skip(what)
	}
	binary := build(t)
	b, err := bed.Start(t.Context(), t.TempDir())
	must(t, err)
	t.Cleanup(func() { must(t, b.Close()) })
	return &rig{Bed: b, binary: binary}
}

// build builds the program, without the race detector even where the test has it: it is started
// hundreds of times, and the detector makes each start a second long. Races are looked for in the
// tests that run its packages in this process.
func build(t testing.TB) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "cx700_exporter")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}

// guideOutside is the part of the guide's site file about the network outside.
const guideOutside = `      external:
        resolvers: [203.0.113.5]
        reverse_proxy: ocsrp.fabrikam.com
`

// guideSite writes the site file of the guide's company, whose servers the bed plays.
func (r *rig) guideSite(t *testing.T, interval string) string {
	t.Helper()
	secret := filepath.Join(t.TempDir(), "secret")
	must(t, os.WriteFile(secret, []byte(bed.ProbePassword), 0o600))
	return fmt.Sprintf(`sites:
  - name: guide
    sip_domain: fabrikam.com
    dhcp:
      domain: contoso.com
      dns_servers: [192.168.7.5, 192.168.7.6]
    phones: 1
    networks:
      internal:
        directory: {credential: reader, bind: ldaps, roots: [%s]}
%scollectors:
  dns: {interval: %[3]s}
  ntp: {interval: %[3]s}
  directory: {interval: %[3]s}
  certsrv: {interval: %[3]s}
  pool: {interval: %[3]s}
  sip: {interval: %[3]s}
  exchange: {interval: %[3]s}
  update: {interval: %[3]s}
  firmware: {interval: %[3]s}
  firmware_download: {interval: 5s, max_bytes_per_second: 1073741824}
credentials:
  reader: {username: probe@contoso.com, password_file: %[4]s, allowed_hosts: ["*.contoso.com"]}
`, r.RootFile(), guideOutside, interval, secret)
}

// guideTargets is how many targets follow from guideSite: AD, the CA, and two each of names, time, pool, sip, exchange,
// update, firmware and firmware_download.
const guideTargets = 18

// targetsOutside of them are of the network outside.
const targetsOutside = 8

// The targets that follow from guideSite.
const (
	targetInside  = "fabrikam.com/contoso.com@192.168.7.5+192.168.7.6"
	targetOutside = "fabrikam.com/contoso.com@203.0.113.5"
)

func siteFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "cx700.yml")
	must(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

// exporter is the program as it runs on the monitor.
type exporter struct {
	rig  *rig
	file string
	url  string
	log  *lockedBuffer
	cmd  *exec.Cmd
	// ended is closed once the program has ended.
	ended chan struct{}
}

// serve starts the program and waits until it listens.
func (r *rig) serve(t *testing.T, file string, flags ...string) *exporter {
	t.Helper()
	e := &exporter{rig: r, file: file, log: &lockedBuffer{}, ended: make(chan struct{})}
	e.cmd = r.Command(context.WithoutCancel(t.Context()), bed.Monitor, r.binary,
		append([]string{"serve", "--config.file=" + file, "--web.listen-address=127.0.0.1:0"}, flags...)...)
	e.cmd.Stderr = e.log
	must(t, e.cmd.Start())
	go func() {
		_ = e.cmd.Wait()
		close(e.ended)
	}()
	t.Cleanup(func() {
		_ = e.cmd.Process.Kill()
		<-e.ended
		if t.Failed() {
			t.Logf("log of the program:\n%s", e.log)
		}
	})
	within(t, "the program listens", 10*time.Second, func() error {
		m := listening.FindStringSubmatch(e.log.String())
		if m == nil {
			return errors.New(e.log.String())
		}
		e.url = "http://" + m[1]
		return nil
	})
	return e
}

// stop ends the program as an init system does, and returns its exit code.
func (e *exporter) stop(t *testing.T) int {
	t.Helper()
	begin := time.Now()
	must(t, e.cmd.Process.Signal(syscall.SIGTERM))
	const limit = 5 * time.Second
	select {
	case <-e.ended:
		t.Logf("stopped %s after SIGTERM", time.Since(begin).Round(time.Millisecond))
	case <-time.After(limit):
		t.Fatalf("still runs %s after SIGTERM", limit)
	}
	return e.cmd.ProcessState.ExitCode()
}

func (e *exporter) get(t *testing.T, path string) string {
	t.Helper()
	body, err := e.rig.Get(t.Context(), bed.Monitor, e.url+path)
	must(t, err)
	return body
}

// healthy waits until the program says that nothing is wrong, for as long as it is granted to tell the
// truth after its start, and returns that scrape.
func (e *exporter) healthy(t *testing.T) (scrape string) {
	t.Helper()
	took := within(t, "nothing is wrong", 10*time.Second, func() error {
		scrape = e.get(t, "/metrics")
		return holds(t, scrape, nil)
	})
	t.Logf("nothing wrong is told after %s", took.Round(time.Millisecond))
	return scrape
}

// within polls until a check succeeds, and fails the test at the limit with its last complaint. It
// returns how long that took.
func within(t testing.TB, what string, limit time.Duration, check func() error) time.Duration {
	t.Helper()
	begin := time.Now()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return time.Since(begin)
		}
		select {
		case <-deadline.C:
			t.Fatalf("not within %s: %s: %v", limit, what, err)
		case <-tick.C:
		}
	}
}

// series returns the values of a family in a scrape, by what stands between the braces.
func series(t testing.TB, scrape, name string) map[string]float64 {
	t.Helper()
	out := map[string]float64{}
	for _, m := range regexp.MustCompile(`(?m)^`+name+`(?:\{(.*)\})? (\S+)$`).FindAllStringSubmatch(scrape, -1) {
		value, err := strconv.ParseFloat(m[2], 64)
		must(t, err)
		out[m[1]] = value
	}
	return out
}

// lastRuns returns when each target was probed last.
func lastRuns(t *testing.T, scrape string) map[string]float64 {
	t.Helper()
	return series(t, scrape, "cx700_probe_last_run_timestamp_seconds")
}

// holds checks that exactly these reasons are there, as network/collector/reason, and that the targets
// they stop are unsuccessful, and no others.
func holds(t *testing.T, scrape string, want []string) error {
	t.Helper()
	got := failing(scrape)
	slices.Sort(got)
	if diff := cmp.Diff(slices.Sorted(slices.Values(want)), got); diff != "" {
		return fmt.Errorf("reasons (-want +got):\n%s", diff)
	}
	seen := series(t, scrape, "cx700_probe_success")
	success := map[string]float64{}
	for labels := range seen {
		m := regexp.MustCompile(`collector="(.*)",network="(.*)",target="(.*)"`).FindStringSubmatch(labels)
		success[labels] = 1
		for _, c := range collectors.All() {
			for _, r := range c.Reasons {
				if c.Name == m[1] && r.Effect.Fails() && slices.Contains(want, m[2]+"/"+c.Name+"/"+r.Name) {
					success[labels] = 0
				}
			}
		}
	}
	if len(seen) != guideTargets {
		return fmt.Errorf("%d targets have reported, want %d", len(seen), guideTargets)
	}
	if diff := cmp.Diff(success, seen); diff != "" {
		return fmt.Errorf("cx700_probe_success (-want +got):\n%s", diff)
	}
	return nil
}

// ran runs the program to its end on the monitor.
func (r *rig) ran(t *testing.T, args ...string) (code int, output string) {
	t.Helper()
	out, err := r.Command(t.Context(), bed.Monitor, r.binary, args...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if exit != nil {
		code = exit.ExitCode()
	}
	return code, string(out)
}

// TestReal runs the program against real servers: healthy, with each break of the table alone, healed.
// LONG=1 adds the breaks that are left out by default.
func TestReal(t *testing.T) {
	r := newRig(t)
	e := r.serve(t, siteFile(t, r.guideSite(t, "1s")))
	e.healthy(t)
	prometheus := r.prometheus(t, e)
	t.Run("healthy", func(t *testing.T) { testHealthy(t, e) })
	t.Run("formats", func(t *testing.T) { testFormats(t, e) })
	t.Run("reload", func(t *testing.T) { testReload(t, r) })
	var broken, whole []time.Duration
	for _, f := range realFaults() {
		if !f.long || long() {
			t.Run(f.name, func(t *testing.T) {
				b, w := testFault(t, e, f, time.Second)
				if !f.waits {
					broken, whole = append(broken, b), append(whole, w)
				}
			})
		}
	}
	prompt(t, "what broke", broken, time.Second)
	prompt(t, "what healed", whole, time.Second)
	t.Run("prometheus", func(t *testing.T) { testQueries(t, r, e, prometheus) })
	if code := e.stop(t); code != exitGood {
		t.Errorf("SIGTERM: exit code %d", code)
	}
}

// TestRealDefaultTimeouts repeats the breaks that let the program wait, with the timeouts it has by
// default: they are cut to the interval, which is too short for that in TestReal. It ends with SIGTERM
// while a probe waits.
func TestRealDefaultTimeouts(t *testing.T) {
	if !long() {
		t.Skip("the breaks that wait for the default timeouts run with LONG=1")
	}
	r := newRig(t)
	e := r.serve(t, siteFile(t, r.guideSite(t, "10s")))
	e.healthy(t)
	for _, f := range realFaults() {
		if f.waits {
			t.Run(f.name, func(t *testing.T) { testFault(t, e, f, 10*time.Second) })
		}
	}
	must(t, each(insideResolvers, pause)(t.Context(), r.Bed))
	within(t, "a probe waits for silent resolvers", time.Minute, func() error {
		scrape := e.get(t, "/metrics")
		const confirming = 2 * time.Second // by then the probe that confirms has begun
		for labels, last := range lastRuns(t, scrape) {
			age := time.Since(time.UnixMilli(int64(last * 1000)))
			if strings.HasPrefix(labels, `collector="dns",network="internal"`) && age < confirming {
				return fmt.Errorf("the last ended only %s ago", age)
			}
		}
		if holds(t, scrape, nil) == nil {
			return errors.New("nothing is wrong yet")
		}
		return nil
	})
	if code := e.stop(t); code != exitGood {
		t.Errorf("SIGTERM: exit code %d", code)
	}
}

// testHealthy checks what the series say of healthy servers, and the commands that probe once.
func testHealthy(t *testing.T, e *exporter) {
	scrape := e.healthy(t)
	srv := map[string]float64{}
	for _, network := range []struct {
		name, target string
		srv          map[string]float64
	}{
		{"internal", targetInside, map[string]float64{"_sipinternaltls._tcp": 1, "_ntp._udp": 1}},
		{"external", targetOutside, map[string]float64{"_sip._tls": 1, "_ntp._udp": 1}},
	} {
		for name, count := range network.srv {
			srv[fmt.Sprintf(`name="%s.fabrikam.com",network="%s",target="%s"`, name, network.name, network.target)] = count
		}
	}
	srv[`name="_ldap._tcp.dc._msdcs.contoso.com",network="internal",target="`+targetInside+`"`] = 1
	if diff := cmp.Diff(srv, series(t, scrape, "cx700_dns_srv_records")); diff != "" {
		t.Errorf("cx700_dns_srv_records (-want +got):\n%s", diff)
	}
	offsets := series(t, scrape, "cx700_ntp_offset_seconds")
	for _, labels := range []string{
		`network="internal",server="192.168.7.20:123",target="` + targetInside + `"`,
		`network="external",server="203.0.113.20:123",target="` + targetOutside + `"`,
	} {
		if offset, ok := offsets[labels]; !ok || math.Abs(offset) > 0.5 {
			t.Errorf("cx700_ntp_offset_seconds{%s} is %v (%t), want about 0", labels, offset, ok)
		}
	}
	if len(offsets) != 2 {
		t.Errorf("offsets of two servers are wanted: %v", offsets)
	}
	resolvers := series(t, scrape, "cx700_dns_resolver_ok")
	if len(resolvers) != 3 {
		t.Errorf("three resolvers are wanted: %v", resolvers)
	}
	for labels, ok := range resolvers {
		if ok != 1 {
			t.Errorf("cx700_dns_resolver_ok{%s} %v", labels, ok)
		}
	}
	within(t, "the commands tell the same", slack, func() error { return probeCommands(t, e, nil) })
	testConfigCheck(t, e, e.file, exitGood, "guide\n", targetOutside, fmt.Sprintf("sites: 1, targets: %d", guideTargets))
	faulty := siteFile(t, strings.ReplaceAll(e.rig.guideSite(t, "1s"), "sip_domain", "sip_domian"))
	testConfigCheck(t, e, faulty, exitBad, faulty+":3: ", "sip_domian")
}

func testConfigCheck(t *testing.T, e *exporter, file string, wantCode int, texts ...string) {
	t.Helper()
	code, text := e.rig.ran(t, "config", "check", "--config.file="+file)
	for _, want := range texts {
		if code != wantCode || !strings.Contains(text, want) {
			t.Errorf("config check: exit code %d, want %d; no %q in:\n%s", code, wantCode, want, text)
		}
	}
}

// probeCommands runs the probe commands and compares their exit codes and texts with the reasons wanted.
func probeCommands(t *testing.T, e *exporter, want []string) error {
	t.Helper()
	for _, c := range collectors.All() {
		if len(c.Targets(&site.Site{}, site.Network{Name: site.Internal})) == 0 {
			continue // not watched unless the site file says so, as guideSite does not
		}
		worst := collectors.Notes
		texts := []string{c.Asks}
		good := map[string]bool{"internal": true}
		if len(c.Targets(&site.Site{}, site.Network{Name: site.External, ReverseProxy: "ocsrp.fabrikam.com"})) > 0 {
			good["external"] = true
		}
		for _, reason := range c.Reasons {
			for network := range good {
				if slices.Contains(want, network+"/"+c.Name+"/"+reason.Name) {
					worst = max(worst, reason.Effect)
					texts = append(texts, fmt.Sprintf("%s (%s): ", reason.Name, reason.Effect))
					good[network] = false
				}
			}
		}
		if c.Name == "pool" { // which roots new phones get is not known while the directory is not
			for _, reason := range collectors.Directory().Reasons {
				if reason.Effect == collectors.Blinds && slices.Contains(want, "internal/directory/"+reason.Name) {
					worst = max(worst, reason.Effect)
				}
			}
		}
		if good["internal"] || good["external"] {
			texts = append(texts, "good: nothing wrong was found")
		}
		wantCode := map[collectors.Effect]int{collectors.Blocks: exitBad, collectors.BlocksNew: exitBad, collectors.Blinds: exitUnknown}[worst]
		code, text := e.rig.ran(t, "probe", c.Name, "--site=guide", "--config.file="+e.file)
		for _, want := range texts {
			if code != wantCode || !strings.Contains(text, want) {
				return fmt.Errorf("probe %s: exit code %d, want %d and %q in:\n%s", c.Name, code, wantCode, want, text)
			}
		}
	}
	return nil
}

// testFormats holds a real scrape to promtool's rules, and checks that OpenMetrics is served; that it
// parses is for testQueries to see, since Prometheus prefers it.
func testFormats(t *testing.T, e *exporter) {
	promtool := exec.CommandContext(t.Context(), "promtool", "check", "metrics")
	promtool.Stdin = strings.NewReader(e.get(t, "/metrics"))
	if out, err := promtool.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
	curl := e.rig.Command(t.Context(), bed.Monitor, "curl", "-sS", "--fail", "--noproxy", "*", "--include",
		"--header", "Accept: application/openmetrics-text; version=1.0.0", e.url+"/metrics")
	answer, err := curl.Output()
	must(t, err)
	if !strings.Contains(string(answer), "Content-Type: application/openmetrics-text") ||
		!strings.HasSuffix(string(answer), "\n# EOF\n") {
		t.Errorf("no OpenMetrics:\n%s", answer)
	}
}

// testReload checks SIGHUP with a faulty file, with one that has a network less, and SIGTERM.
func testReload(t *testing.T, r *rig) {
	whole := r.guideSite(t, "1s")
	e := r.serve(t, siteFile(t, whole))
	e.healthy(t)
	reload := func(text, logged string) (scrape string) {
		before := strings.Count(e.log.String(), logged)
		must(t, os.WriteFile(e.file, []byte(text), 0o600))
		must(t, e.cmd.Process.Signal(syscall.SIGHUP))
		within(t, "the file is read again", 5*time.Second, func() error {
			if strings.Count(e.log.String(), logged) == before {
				return errors.New(e.log.String())
			}
			return nil
		})
		return e.get(t, "/metrics")
	}

	before := lastRuns(t, reload(strings.ReplaceAll(whole, "sip_domain", "sip_domian"), "site file not taken over"))
	if len(before) != guideTargets {
		t.Errorf("targets after a faulty file: %v", before)
	}
	within(t, "probing goes on after a faulty file", 15*time.Second, func() error {
		return allNewer(before, lastRuns(t, e.get(t, "/metrics")))
	})
	scrape := e.healthy(t)
	if ok := series(t, scrape, "cx700_config_last_reload_successful")[""]; ok != 0 {
		t.Errorf("cx700_config_last_reload_successful is %v after a faulty file", ok)
	}
	if page := e.get(t, "/"); !strings.Contains(page, "sip_domian") {
		t.Errorf("the first page does not tell of the faulty file:\n%s", page)
	}

	scrape = reload(strings.Replace(whole, guideOutside, "", 1), "site file taken over")
	if ok := series(t, scrape, "cx700_config_last_reload_successful")[""]; ok != 1 {
		t.Errorf("cx700_config_last_reload_successful is %v after a good file", ok)
	}
	if left := regexp.MustCompile(`(?m)^.*network="external".*$`).FindAllString(scrape, -1); left != nil {
		t.Errorf("series of removed targets are left:\n%s", strings.Join(left, "\n"))
	}
	if got := series(t, scrape, "cx700_probe_success"); len(got) != guideTargets-targetsOutside {
		t.Errorf("targets after the change: %v", got)
	}
	if code := e.stop(t); code != exitGood {
		t.Errorf("SIGTERM: exit code %d", code)
	}
}

// allNewer checks that every target was probed since.
func allNewer(before, now map[string]float64) error {
	for target, last := range before {
		if now[target] <= last {
			return fmt.Errorf("%s was not probed since", target)
		}
	}
	return nil
}

// prometheusURL is where the monitor's Prometheus listens; the monitor's ports are its own.
const prometheusURL = "http://127.0.0.1:9090"

// prometheus starts a Prometheus on the monitor that scrapes the exporter, and returns its log.
func (r *rig) prometheus(t *testing.T, e *exporter) *lockedBuffer {
	t.Helper()
	dir := t.TempDir()
	config := scrapeConfig(t, dir, e.url, "1s")
	log := &lockedBuffer{}
	cmd := r.Command(context.WithoutCancel(t.Context()), bed.Monitor, "prometheus",
		"--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+strings.TrimPrefix(prometheusURL, "http://"))
	cmd.Stderr = log
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return log
}

// testQueries asks the Prometheus that has been scraping: each example query of the catalogue must be
// answered, and each family that the exporter serves must be there.
func testQueries(t *testing.T, r *rig, e *exporter, log *lockedBuffer) {
	within(t, "Prometheus has scraped, and all is healed", 20*time.Second, func() error {
		for query, want := range map[string]string{"up": `"1"]`, "count(cx700_probe_success==1)": fmt.Sprintf(`"%d"]`, guideTargets)} {
			if answer, err := r.query(t, query); err != nil || !strings.Contains(answer, want) {
				return fmt.Errorf("%s: %s %w\n%s", query, answer, err, log)
			}
		}
		return nil
	})
	catalogue := slices.Concat(schedule.Metrics(), collectors.AuthorityMetrics(), collectors.CredentialMetrics())
	for _, c := range collectors.All() {
		catalogue = append(catalogue, c.Metrics...)
	}
	for _, d := range catalogue {
		answer, err := r.query(t, d.Example)
		if err != nil || !strings.Contains(answer, `"status":"success"`) {
			t.Errorf("%s: %s: %s %v", d.Name, d.Example, answer, err)
		}
		within(t, "Prometheus has "+d.Name, 10*time.Second, func() error {
			return hasAll(t, r, d.Name, len(series(t, e.get(t, "/metrics"), d.Name)))
		})
	}
}

// hasAll checks that Prometheus has as many series of a family as are served.
func hasAll(t *testing.T, r *rig, name string, served int) error {
	t.Helper()
	want := fmt.Sprintf(`"%d"]`, served)
	if served == 0 {
		want = `"result":[]`
	}
	answer, err := r.query(t, "count("+name+")")
	if err != nil || !strings.Contains(answer, want) {
		return fmt.Errorf("%d series are served, Prometheus has %s %w", served, answer, err)
	}
	return nil
}

// query asks Prometheus for the value of an expression now.
func (r *rig) query(t *testing.T, expression string) (string, error) {
	t.Helper()
	return r.Get(t.Context(), bed.Monitor, prometheusURL+"/api/v1/query?query="+url.QueryEscape(expression))
}
