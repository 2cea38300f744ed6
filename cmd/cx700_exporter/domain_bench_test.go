//go:build linux

package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"
)

// sharedServers returns the site file of sites that have all their servers in common.
func sharedServers(b *testing.B, binary string, sites int) string {
	b.Helper()
	_, file := startCompany(b, binary, 1)
	content, err := os.ReadFile(file)
	must(b, err)
	var all map[string]any
	must(b, yaml.Unmarshal(content, &all))
	first := all["sites"].([]any)[0].(map[string]any)
	var clones []any
	for i := range sites {
		clone := maps.Clone(first)
		clone["name"] = fmt.Sprintf("shop-%05d", i)
		clones = append(clones, clone)
	}
	all["sites"] = clones
	content, err = yaml.Marshal(all)
	must(b, err)
	must(b, os.WriteFile(file, content, 0o600))
	return file
}

// ownServers returns the site file of sites of which each has servers of its own.
func ownServers(b *testing.B, binary string, sites int) string {
	b.Helper()
	_, file := startCompany(b, binary, sites, fmt.Sprintf("--sites=%d", sites))
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
	binary := buildAsReleased(b)
	for _, of := range []struct {
		name  string
		start func(b *testing.B, binary string, sites int) string
		sites []int
	}{
		{"own", ownServers, []int{1, 100, 500}},
		{"shared", sharedServers, []int{1000, 5000}},
	} {
		for _, sites := range of.sites {
			b.Run(fmt.Sprintf("%s/sites=%d", of.name, sites), func(b *testing.B) {
				for b.Loop() {
					measureDomain(b, binary, of.start(b, binary, sites))
				}
			})
		}
	}
}

func measureDomain(b *testing.B, binary, file string) {
	begun := time.Now()
	exporter, _ := startProgram(b, binary, "serve", "--config.file="+file)
	defer exporter.stop()
	exporter.ready(b)
	b.ReportMetric(time.Since(begun).Seconds(), "s-to-ready")
	const settle, watch = 2 * time.Minute, time.Minute
	time.Sleep(settle)
	before, begun := scrape(b, exporter.url), time.Now()
	time.Sleep(watch)
	after := scrape(b, exporter.url)
	took := time.Since(begun).Seconds()
	var scrapes []time.Duration
	for range 5 {
		scrapes = append(scrapes, scrape(b, exporter.url).took)
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
