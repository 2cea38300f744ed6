package main

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"

	"github.com/cx700/cx700_exporter/internal/lab"
)

// Of a process that a benchmark starts: the number of sites of the lab that it is, or the flags of the exporter.
const (
	asLab      = "CX700_BENCH_LAB"
	asExporter = "CX700_BENCH_EXPORTER"
)

// actAs is the first thing that TestMain does. It does not return in a process that a benchmark started.
func actAs() {
	if args := os.Getenv(asExporter); args != "" {
		os.Exit(run(context.Background(), strings.Fields(args), os.Stdout, os.Stderr))
	}
	sites, err := strconv.Atoi(os.Getenv(asLab))
	if err != nil {
		return
	}
	company, err := lab.Start(sites)
	if err == nil {
		_, err = os.Stdout.Write(company.SiteFile())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(exitBad)
	}
	os.Stdout.Close()
	_, _ = io.Copy(io.Discard, os.Stdin) // ends with the benchmark
	company.Close()
	os.Exit(exitGood)
}

// startBeside starts this test's program once more, as something else, until the benchmark ends.
func startBeside(b *testing.B, as, what string) (stdout, stderr io.Reader) {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	command := exec.CommandContext(b.Context(), self)
	command.Env = append(os.Environ(), as+"="+what)
	input, errIn := command.StdinPipe()
	stdout, errOut := command.StdoutPipe()
	stderr, errErr := command.StderrPipe()
	if err := cmp.Or(errIn, errOut, errErr, command.Start()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		input.Close()
		if as == asExporter {
			_ = command.Process.Signal(os.Interrupt)
		}
		_ = command.Wait() // what it said is on the benchmark's output
	})
	return stdout, stderr
}

// ownServers starts as many labs as have room for the sites, each of which has its own servers, and returns a site file
// for all.
func ownServers(b *testing.B, sites int) string {
	b.Helper()
	all := map[string]any{"credentials": map[string]any{}, "sites": []any{}}
	for begun := 0; begun < sites; begun += lab.MaxSites {
		stdout, _ := startBeside(b, asLab, strconv.Itoa(min(sites-begun, lab.MaxSites)))
		var one struct {
			Credentials map[string]any
			Vantage     any
			Sites       []map[string]any
		}
		if err := yaml.NewDecoder(stdout).Decode(&one); err != nil {
			b.Fatal(err)
		}
		further := func(name any) string { return fmt.Sprintf("%v-%d", name, begun/lab.MaxSites) }
		for name, c := range one.Credentials {
			all["credentials"].(map[string]any)[further(name)] = c
		}
		for _, s := range one.Sites {
			s["name"] = further(s["name"])
			directory := s["networks"].(map[string]any)["internal"].(map[string]any)["directory"].(map[string]any)
			directory["credential"] = further(directory["credential"])
			all["sites"] = append(all["sites"].([]any), s)
		}
		all["vantage"] = one.Vantage
	}
	return written(b, all)
}

// sharedServers returns the site file of sites that have all their servers in common.
func sharedServers(b *testing.B, sites int) string {
	b.Helper()
	stdout, _ := startBeside(b, asLab, "1")
	var all map[string]any
	if err := yaml.NewDecoder(stdout).Decode(&all); err != nil {
		b.Fatal(err)
	}
	first := all["sites"].([]any)[0].(map[string]any)
	var clones []any
	for i := range sites {
		clone := maps.Clone(first)
		clone["name"] = fmt.Sprintf("shop-%05d", i)
		clones = append(clones, clone)
	}
	all["sites"] = clones
	return written(b, all)
}

func written(b *testing.B, all map[string]any) string {
	b.Helper()
	content, err := yaml.Marshal(all)
	if err != nil {
		b.Fatal(err)
	}
	file := filepath.Join(b.TempDir(), "lab.yml")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		b.Fatal(err)
	}
	return file
}

// scraped is what a scrape gave and took.
type scraped struct {
	took     time.Duration
	size     int
	families map[string]*dto.MetricFamily
	// series are as Prometheus counts them, those about Go and the process left out.
	series int
}

func scrape(b *testing.B, url string) scraped {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, url+"/metrics", nil)
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", "gzip")
	begun := time.Now()
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	out := scraped{took: time.Since(begun), size: len(body)}
	if err != nil {
		b.Fatal(err)
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	plain, err := io.ReadAll(unzipped)
	if err != nil {
		b.Fatal(err)
	}
	out.series = bytes.Count(plain, []byte("\ncx700_"))
	textParser := expfmt.NewTextParser(model.LegacyValidation)
	if out.families, err = textParser.TextToMetricFamilies(bytes.NewReader(plain)); err != nil {
		b.Fatal(err)
	}
	return out
}

// sum adds up the values of a family.
func (s scraped) sum(name string) float64 {
	out := 0.0
	for _, m := range s.families[name].GetMetric() {
		out += m.GetCounter().GetValue() + m.GetGauge().GetValue()
	}
	return out
}

// late is the part of the probes, but for those that wait for each other, that began more than a tenth of a second
// after they were due, between two scrapes.
func late(before, after scraped) float64 {
	count := func(s scraped) (in, all uint64) {
		for _, m := range s.families["cx700_probe_queue_seconds"].GetMetric() {
			if labelsOf(m)["collector"] == "firmware_download" {
				continue
			}
			all += m.GetHistogram().GetSampleCount()
			for _, bucket := range m.GetHistogram().GetBucket() {
				if bucket.GetUpperBound() == 0.1 {
					in += bucket.GetCumulativeCount()
				}
			}
		}
		return in, all
	}
	inBefore, allBefore := count(before)
	inAfter, allAfter := count(after)
	return 1 - float64(inAfter-inBefore)/float64(allAfter-allBefore)
}

// BenchmarkDomain measures what one Active Directory domain may grow to on one shard: sites of which each has servers of
// its own, and sites that share them all, two minutes after the start, over a minute, at the default intervals. The lab
// and the exporter are processes of their own. What is received counts for both, and for nobody else in a network
// namespace of its own: unshare -n sh -c 'ip link set lo up; LONG=1 go test ...'.
func BenchmarkDomain(b *testing.B) {
	if !long() {
		b.Skip("takes half an hour; set LONG=1")
	}
	for _, of := range []struct {
		name  string
		start func(*testing.B, int) string
		sites []int
	}{
		{"own", ownServers, []int{1, 100, 250, 500, 1000, 2000}},
		{"shared", sharedServers, []int{1000, 5000, 20_000}},
	} {
		for _, sites := range of.sites {
			b.Run(fmt.Sprintf("%s/sites=%d", of.name, sites), func(b *testing.B) {
				for b.Loop() {
					measureDomain(b, of.start(b, sites))
				}
			})
		}
	}
}

func measureDomain(b *testing.B, file string) {
	begun := time.Now()
	_, stderr := startBeside(b, asExporter, "serve --web.listen-address=127.0.0.1:0 --config.file="+file)
	log := &lockedBuffer{}
	go func() { _, _ = io.Copy(log, stderr) }()
	url := ""
	until(b, "it listens\n"+log.String(), func() bool {
		if m := listening.FindStringSubmatch(log.String()); m != nil {
			url = "http://" + m[1]
		}
		return url != ""
	})
	until(b, "it is ready", func() bool {
		answer, err := http.Get(url + "/-/ready")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
	b.ReportMetric(time.Since(begun).Seconds(), "s-to-ready")
	const settle, watch = 2 * time.Minute, time.Minute
	time.Sleep(settle)
	before, begun := scrape(b, url), time.Now()
	time.Sleep(watch)
	after := scrape(b, url)
	took := time.Since(begun).Seconds()
	var scrapes []time.Duration
	for range 5 {
		scrapes = append(scrapes, scrape(b, url).took)
	}
	slices.Sort(scrapes)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(after.series), "series")
	b.ReportMetric(after.sum("cx700_config_sites"), "sites")
	b.ReportMetric(float64(len(after.families["cx700_probe_interval_seconds"].GetMetric())), "targets")
	b.ReportMetric(after.sum("process_resident_memory_bytes")/1e6, "MB-resident")
	b.ReportMetric(100*(after.sum("process_cpu_seconds_total")-before.sum("process_cpu_seconds_total"))/took, "%CPU")
	b.ReportMetric((after.sum("cx700_probes_total")-before.sum("cx700_probes_total"))/took, "probes/s")
	b.ReportMetric(100*late(before, after), "%late")
	b.ReportMetric(float64(after.size)/1e6, "MB/scrape")
	b.ReportMetric(float64(scrapes[len(scrapes)/2].Milliseconds()), "ms/scrape")
	received := after.sum("process_network_receive_bytes_total") - before.sum("process_network_receive_bytes_total")
	b.ReportMetric(received/1e6/took, "MB/s-received")
}

// until waits for as long as thousands of sites take to be probed once.
func until(b *testing.B, what string, ok func() bool) {
	b.Helper()
	const limit = 3 * time.Minute
	for deadline := time.Now().Add(limit); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.Fatalf("not within %s: %s", limit, what)
		}
	}
}
