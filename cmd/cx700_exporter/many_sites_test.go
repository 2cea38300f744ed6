//go:build linux

package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"github.com/cx700/cx700_exporter/collectors"
	"github.com/cx700/cx700_exporter/internal/site"
)

// program is a process of the program that listens.
type program struct {
	url string
	log *lockedBuffer
	// stop ends it and waits for that; the test's end does, too.
	stop func()
}

// startProgram starts the program with a page on loopback, and gives what it writes to stdout until it listens.
func startProgram(t testing.TB, binary string, args ...string) (p *program, stdout *lockedBuffer) {
	t.Helper()
	p, stdout = &program{log: &lockedBuffer{}}, &lockedBuffer{}
	command := exec.Command(binary, append(args, "--web.listen-address=127.0.0.1:0")...)
	command.Stdout, command.Stderr = stdout, p.log
	must(t, command.Start())
	p.stop = sync.OnceFunc(func() {
		_ = command.Process.Signal(os.Interrupt)
		_ = command.Wait()
	})
	t.Cleanup(p.stop)
	within(t, "it listens", time.Minute, func() error {
		m := listening.FindStringSubmatch(p.log.String())
		if m == nil {
			return fmt.Errorf("log: %s", p.log)
		}
		p.url = "http://" + m[1]
		return nil
	})
	return p, stdout
}

func (p *program) metrics(t testing.TB) string {
	t.Helper()
	return p.get(t, "/metrics")
}

func (p *program) get(t testing.TB, path string) string {
	t.Helper()
	return p.ask(t, http.MethodGet, path)
}

// ready waits until every target was probed.
func (p *program) ready(t testing.TB) {
	t.Helper()
	within(t, "all sites are probed", 5*time.Minute, func() error {
		if ready := p.get(t, "/-/ready"); !strings.Contains(ready, "is ready") {
			return fmt.Errorf("%s", ready)
		}
		return nil
	})
}

// ask gives the body of an answer, whatever its status.
func (p *program) ask(t testing.TB, method, path string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, p.url+path, nil)
	must(t, err)
	response, err := http.DefaultClient.Do(request)
	must(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	must(t, err)
	return string(body)
}

// TestThousandSites watches a company of a thousand sites for half an hour, the company and the exporter each a process of
// its own: each target is probed once an interval however many sites share it, nothing fails, memory stays as it is
// and all verdicts are counted together. What depends on the machine is written down.
func TestThousandSites(t *testing.T) {
	if !long() {
		t.Skip("takes half an hour: LONG=1")
	}
	const sites, minutes = 1000, 30
	binary := build(t)
	_, path := startCompany(t, binary, sites, fmt.Sprintf("--shops=%d", sites-1))
	begun := time.Now()
	exporter, _ := startProgram(t, binary, "serve", "--config.file="+path)
	exporter.ready(t)
	first, regular := exporter.metrics(t), time.Now()

	var resident []float64
	for range minutes * 4 {
		time.Sleep(15 * time.Second)
		resident = append(resident, series(t, exporter.metrics(t), "process_resident_memory_bytes")[""])
	}
	scrape := exporter.metrics(t)
	ran := time.Since(begun)

	probes := expectEachInterval(t, first, scrape, time.Since(regular))
	if shared := len(probes) - sites; shared > 40 {
		t.Errorf("%d targets besides one DHCP server for each of %d sites", shared, sites)
	}
	if bad := failing(scrape); bad != nil {
		t.Errorf("fails: %q", bad)
	}
	for labels, n := range series(t, scrape, "cx700_probe_failures_total") {
		if n > 0 {
			t.Errorf("%s failed %g times", labels, n)
		}
	}
	ticks := series(t, scrape, "cx700_signin_ticks_total")
	var counted []float64
	for _, n := range ticks {
		counted = append(counted, n)
	}
	if len(ticks) != sites*9 || slices.Min(counted) < minutes*2-2 || slices.Max(counted)-slices.Min(counted) > 1 {
		t.Errorf("%d verdicts were counted %g to %g times", len(ticks), slices.Min(counted), slices.Max(counted))
	}
	late := expectFlat(t, "resident bytes", resident)
	of := func(name string) float64 { return series(t, scrape, name)[""] }
	t.Logf("%s: %d targets, %d series, %.1f %% of a core, %.0f MB resident, queued for %s at the 99th percentile",
		ran.Round(time.Second), len(probes), strings.Count(scrape, "\ncx700_"),
		of("process_cpu_seconds_total")/ran.Seconds()*100, late/1e6, queued(t, scrape, 0.99))
}

// startCompany starts a lab that leaves watching to others, and writes its site file.
func startCompany(t testing.TB, binary string, sites int, args ...string) (company *program, path string) {
	t.Helper()
	company, file := startProgram(t, binary, append([]string{"lab", "--print-config", "--no-watch"}, args...)...)
	within(t, "the site file", time.Minute, func() error {
		cfg, err := site.Parse("company.yml", []byte(file.String()))
		if err == nil && len(cfg.Sites) < sites {
			err = fmt.Errorf("%d sites", len(cfg.Sites))
		}
		return err
	})
	path = filepath.Join(t.TempDir(), "company.yml")
	must(t, os.WriteFile(path, []byte(file.String()), 0o600))
	return company, path
}

// expectEachInterval holds every target to one probe an interval between two scrapes, and gives how often each was probed
// at all.
func expectEachInterval(t *testing.T, before, after string, between time.Duration) map[string]float64 {
	t.Helper()
	intervals := map[string]time.Duration{}
	for _, c := range collectors.All() {
		intervals[c.Name] = c.Interval
	}
	first, probes := series(t, before, "cx700_probes_total"), series(t, after, "cx700_probes_total")
	for labels, all := range probes {
		n, collector := all-first[labels], labelValue(labels, "collector")
		due := float64(between) / float64(intervals[collector])
		sooner := collector == "vantage"       // it is looked at anew before a failure elsewhere is believed
		if n < due-2 || n > due+2 && !sooner { // the first regular probe comes half an interval to one and a half after the first
			t.Errorf("%s: %g probes in %s, every %s", labels, n, between, model.Duration(intervals[collector]))
		}
	}
	return probes
}

// expectFlat holds what was sampled in even steps to be no more in the second half than in the first, but for its first
// third, and gives the most of the second half.
func expectFlat(t *testing.T, what string, samples []float64) float64 {
	t.Helper()
	early, late := slices.Max(samples[len(samples)/6:len(samples)/2]), slices.Max(samples[len(samples)/2:])
	if late > early*1.15 {
		t.Errorf("%s: at most %.0f, later %.0f", what, early, late)
	}
	return late
}

// queued is how long a part of the probes waited at most for a free worker, by the buckets of the histogram.
func queued(t *testing.T, scrape string, part float64) string {
	t.Helper()
	buckets := map[string]float64{}
	for labels, n := range series(t, scrape, "cx700_probe_queue_seconds_bucket") {
		buckets[labelValue(labels, "le")] += n
	}
	for _, le := range []string{"0.001", "0.005", "0.025", "0.1", "0.5", "2.5", "10"} {
		if buckets[le] >= part*buckets["+Inf"] {
			return "at most " + le + " s"
		}
	}
	return "more than 10 s"
}

// labelValue is the value of a label of a series.
func labelValue(labels, name string) string {
	_, text, _ := strings.Cut(labels, name+`="`)
	text, _, _ = strings.Cut(text, `"`)
	return text
}
