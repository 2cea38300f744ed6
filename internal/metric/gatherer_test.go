package metric

import (
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/cx700/cx700_exporter/internal/labtest"
)

// hostile is a label value that every format has to escape.
const hostile = "quote \" backslash \\ newline \n umlaut ü"

func mustSet(t testing.TB, samples ...Sample) *Set {
	t.Helper()
	set, err := NewSet(samples)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// serving returns a handler of two sets that share families, beside a registry with a histogram.
func serving(t *testing.T) *Gatherer {
	t.Helper()
	sets := []*Set{
		mustSet(t, sample(descGauge, 1.5, "one", "internal"), sample(descCounter, 2, "one"), sample(descBare, 3)),
		mustSet(t, sample(descGauge, 4, hostile, "internal"), sample(descCounter, 5, "two")),
	}
	registry := prometheus.NewRegistry()
	histogram := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "cx700_bb_seconds", Help: "A histogram.", Buckets: []float64{1}})
	histogram.Observe(0.5)
	registry.MustRegister(histogram)
	return &Gatherer{Sources: func(yield func(*Set)) { each(sets, yield) }, Registry: registry}
}

func scrape(t testing.TB, h http.Handler, header http.Header) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
	r.Header = header
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return w
}

// wantServed is what serving serves.
func wantServed() []one {
	return []one{
		{"cx700_a_total", []string{"target=one"}, 2}, {"cx700_a_total", []string{"target=two"}, 5},
		{"cx700_b", []string{"network=internal", "target=one"}, 1.5}, {"cx700_b", []string{"network=internal", "target=" + hostile}, 4},
		{"cx700_bb_seconds_count", nil, 1}, {"cx700_c", nil, 3},
	}
}

func ordered(all []one) []one {
	slices.SortFunc(all, func(a, b one) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), slices.Compare(a.Labels, b.Labels))
	})
	return all
}

func ofFamilies(families []*dto.MetricFamily) []one {
	var out []one
	for _, f := range families {
		for _, m := range f.Metric {
			if h := m.Histogram; h != nil {
				out = append(out, one{Name: f.GetName() + "_count", Value: float64(h.GetSampleCount())})
				continue
			}
			out = append(out, oneOf(f.GetName(), m))
		}
	}
	return ordered(out)
}

// TestFormatsReadBack reads what is served in each format.
func TestFormatsReadBack(t *testing.T) {
	for _, accept := range []expfmt.Format{
		expfmt.NewFormat(expfmt.TypeTextPlain), expfmt.NewFormat(expfmt.TypeOpenMetrics), expfmt.NewFormat(expfmt.TypeProtoDelim),
	} {
		t.Run(string(accept), func(t *testing.T) {
			w := scrape(t, serving(t), http.Header{"Accept": {string(accept)}})
			format := expfmt.Format(w.Header().Get("Content-Type"))
			if format.FormatType() != accept.FormatType() {
				t.Fatalf("served as %s", format)
			}
			var body io.Reader = w.Body
			if format.FormatType() == expfmt.TypeOpenMetrics {
				// The library has no reader of its own for it. Series are written as in the older text format,
				// of which the mark of the end is no part; families of counters go without their _total.
				text, ended := strings.CutSuffix(w.Body.String(), "\n# EOF\n")
				if !ended || !strings.Contains(text, "# TYPE cx700_a counter\n") {
					t.Errorf("no OpenMetrics:\n%s", w.Body)
				}
				body, format = strings.NewReader(text+"\n"), expfmt.NewFormat(expfmt.TypeTextPlain)
			}
			if diff := gocmp.Diff(wantServed(), ofFamilies(decoded(t, body, format))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func decoded(t *testing.T, body io.Reader, format expfmt.Format) []*dto.MetricFamily {
	t.Helper()
	decoder := expfmt.NewDecoder(body, format)
	var families []*dto.MetricFamily
	for {
		f := &dto.MetricFamily{}
		err := decoder.Decode(f)
		if errors.Is(err, io.EOF) {
			return families
		}
		if err != nil {
			t.Fatal(err)
		}
		families = append(families, f)
	}
}

func TestEachFamilyIsServedOnceAndInOrder(t *testing.T) {
	var got []string
	for line := range strings.Lines(scrape(t, serving(t), nil).Body.String()) {
		if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			got = append(got, strings.TrimSpace(rest))
		}
	}
	want := []string{"cx700_a_total counter", "cx700_b gauge", "cx700_bb_seconds histogram", "cx700_c gauge"}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestAnswersAsPromhttp compares every answer with promhttp's, which gathers from the same sets.
func TestAnswersAsPromhttp(t *testing.T) {
	g := serving(t)
	promhttps := promhttp.HandlerForTransactional(g, promhttp.HandlerOpts{EnableOpenMetrics: true, ErrorHandling: promhttp.ContinueOnError})
	openMetrics := "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
	protobuf := "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
	for _, accept := range []string{"", "*/*", "text/plain", openMetrics, protobuf, "application/json", "text/plain;version=1.0.0;escaping=allow-utf-8"} {
		for _, coding := range []string{"", "gzip", "deflate, gzip;q=0.5", "gzip;q=0", "gzip; q=0.3", "gzip;q=bad", "gzip;q=0.1,identity;q=1", "gzip,identity;q=0.5", "gzip, identity", "br", "identity"} {
			for _, query := range []string{"", "?name[]=cx700_b&name[]=cx700_bb_seconds", "?name[]=nothing"} {
				t.Run(accept+" "+coding+" "+query, func(t *testing.T) {
					r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics"+query, nil)
					r.Header = http.Header{"Accept": {accept}, "Accept-Encoding": {coding}}
					want, got := httptest.NewRecorder(), httptest.NewRecorder()
					promhttps.ServeHTTP(want, r)
					g.ServeHTTP(got, r)
					if diff := gocmp.Diff(want.Result().Header, got.Result().Header); diff != "" {
						t.Errorf("headers (-promhttp +ours):\n%s", diff)
					}
					if diff := gocmp.Diff(unpacked(t, want), unpacked(t, got)); diff != "" || want.Code != got.Code {
						t.Errorf("status %d, promhttp %d; (-promhttp +ours):\n%s", got.Code, want.Code, diff)
					}
				})
			}
		}
	}
}

func unpacked(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	var body io.Reader = w.Body
	if w.Header().Get("Content-Encoding") == "gzip" {
		unpacker, err := gzip.NewReader(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		body = unpacker
	}
	text, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestNothingToServe tells what is wrong where there is nothing else to tell, as promhttp does.
func TestNothingToServe(t *testing.T) {
	fault := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return nil, errors.New("a collector failed") })
	w := httptest.NewRecorder()
	(&Gatherer{Sources: func(func(*Set)) {}, Registry: fault}).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "a collector failed") {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
}

// TestFamiliesInPieces serves families of more series than are written at a time, as promhttp does.
func TestFamiliesInPieces(t *testing.T) {
	var sets []*Set
	for _, size := range []int{1, pieceSize - 2, 1, 3*pieceSize + 1} {
		samples := []Sample{sample(descCounter, float64(size), fmt.Sprint(len(sets)))}
		for i := range size {
			samples = append(samples, sample(descGauge, float64(i%7), fmt.Sprint(len(sets), "-", i%5), fmt.Sprint("# ", i/5)), sample(descCounter, 1, fmt.Sprint(len(sets), i)))
		}
		sets = append(sets, mustSet(t, samples...))
	}
	g := &Gatherer{Sources: func(yield func(*Set)) { each(sets, yield) }, Registry: prometheus.NewRegistry()}
	promhttps := promhttp.HandlerForTransactional(g, promhttp.HandlerOpts{EnableOpenMetrics: true})
	for _, format := range []expfmt.FormatType{
		expfmt.TypeTextPlain, expfmt.TypeOpenMetrics, expfmt.TypeProtoDelim, expfmt.TypeProtoText, expfmt.TypeProtoCompact,
	} {
		header := http.Header{"Accept": {string(expfmt.NewFormat(format))}}
		want, got := scrape(t, promhttps, header).Body.String(), scrape(t, g, header).Body.String()
		if got != want {
			t.Errorf("%s: not as promhttp; in its formats %d and %d bytes", header, len(got), len(want))
		}
	}
}

// TestAsARegistry serves what an ordinary registry makes of the same series.
func TestAsARegistry(t *testing.T) {
	var sets []*Set
	registry := prometheus.NewRegistry()
	for target, name := range []string{"one", hostile, "", "a,b", strings.Repeat("long", 1000), "{}=\"\\n"} {
		samples := []Sample{sample(descCounter, float64(target), name)}
		for _, value := range []float64{0, 1, -1, 1e300, 0.1, math.Inf(1), math.Inf(-1), math.Copysign(0, -1), 1795725850.462} {
			samples = append(samples, sample(descGauge, value, name, fmt.Sprint(value)))
		}
		sets = append(sets, mustSet(t, samples...))
		registry.MustRegister(ordinary(samples))
	}
	g := &Gatherer{Sources: func(yield func(*Set)) { each(sets, yield) }, Registry: prometheus.NewRegistry()}
	for _, format := range []expfmt.FormatType{expfmt.TypeTextPlain, expfmt.TypeOpenMetrics, expfmt.TypeProtoDelim} {
		header := http.Header{"Accept": {string(expfmt.NewFormat(format))}}
		want := scrape(t, promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true}), header)
		got := scrape(t, g, header)
		if format == expfmt.TypeProtoDelim { // which has an order of its own
			of := expfmt.NewFormat(format)
			if diff := gocmp.Diff(ofFamilies(decoded(t, want.Body, of)), ofFamilies(decoded(t, got.Body, of))); diff != "" {
				t.Errorf("%d (-registry +ours):\n%s", format, diff)
			}
			continue
		}
		lines := func(w *httptest.ResponseRecorder) []string { return slices.Sorted(strings.Lines(w.Body.String())) }
		if diff := gocmp.Diff(lines(want), lines(got)); diff != "" {
			t.Errorf("%d (-registry +ours):\n%s", format, diff)
		}
	}
}

// ordinary collects samples as metrics of client_golang.
type ordinary []Sample

func (ordinary) Describe(chan<- *prometheus.Desc) {}

func (o ordinary) Collect(all chan<- prometheus.Metric) {
	for _, s := range o {
		kind := map[dto.MetricType]prometheus.ValueType{dto.MetricType_GAUGE: prometheus.GaugeValue, dto.MetricType_COUNTER: prometheus.CounterValue}[s.Desc.Type]
		all <- prometheus.MustNewConstMetric(prometheus.NewDesc(s.Desc.Name, s.Desc.Help, s.Desc.Labels, nil), kind, s.Value, s.Labels...)
	}
}

// TestErrorOfTheRegistryHidesNothing serves the sets although the registry has a fault.
func TestErrorOfTheRegistryHidesNothing(t *testing.T) {
	fault := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return nil, errors.New("a collector failed") })
	set := mustSet(t, sample(descBare, 3))
	g := &Gatherer{Sources: func(yield func(*Set)) { yield(set) }, Registry: fault}
	families, done, err := g.Gather()
	defer done()
	if err == nil || len(families) != 1 {
		t.Errorf("%d families with error %v, want one with the fault", len(families), err)
	}
	if body := scrape(t, g, nil).Body.String(); !strings.Contains(body, "cx700_c 3") {
		t.Errorf("served:\n%s", body)
	}
}

// TestConcurrentScrapes is for the race detector, and for what scrapes at the same time might share.
func TestConcurrentScrapes(t *testing.T) {
	h := serving(t)
	want := scrape(t, h, nil).Body.String()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
				if got := w.Body.String(); got != want {
					t.Errorf("(-want +got):\n%s", gocmp.Diff(want, got))
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkScrape serves 200,000 series of 10,000 targets, beside client_golang's GaugeVec with the same.
func BenchmarkScrape(b *testing.B) {
	const targets, perTarget = 10000, 20
	desc := NewGauge("cx700_bench", "A series.", "cx700_bench", "network", "target", "item")
	vec := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: desc.Name, Help: desc.Help}, desc.Labels)
	var sets []*Set
	for target := range targets {
		var samples []Sample
		for item := range perTarget {
			values := []string{"internal", fmt.Sprintf("d%d.example.com@192.168.7.5", target), fmt.Sprintf("item%d", item)}
			samples = append(samples, sample(desc, float64(item), values...))
			vec.WithLabelValues(values...).Set(float64(item))
		}
		sets = append(sets, mustSet(b, samples...))
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(vec)
	sources := func(yield func(*Set)) { each(sets, yield) }
	for _, served := range []struct {
		name    string
		handler http.Handler
	}{
		{"sets", &Gatherer{Sources: sources, Registry: prometheus.NewRegistry()}},
		{"gaugevec", promhttp.HandlerFor(registry, promhttp.HandlerOpts{})},
	} {
		for _, encoding := range []string{"identity", "gzip", "protobuf"} {
			b.Run(served.name+"/"+encoding, func(b *testing.B) {
				r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/metrics", nil)
				r.Header.Set("Accept-Encoding", encoding)
				if encoding == "protobuf" {
					r.Header.Set("Accept", string(expfmt.NewFormat(expfmt.TypeProtoDelim)))
				}
				b.ReportAllocs()
				done := labtest.CPU(b)
				for b.Loop() {
					w := &counting{header: http.Header{}}
					served.handler.ServeHTTP(w, r)
					b.ReportMetric(float64(w.n), "B/scrape")
				}
				done()
			})
		}
	}
}

// counting counts what is written and keeps none of it.
type counting struct {
	header http.Header
	n      int
}

func (c *counting) Header() http.Header         { return c.header }
func (c *counting) WriteHeader(int)             {}
func (c *counting) Write(p []byte) (int, error) { c.n += len(p); return len(p), nil }

func each(sets []*Set, yield func(*Set)) {
	for _, s := range sets {
		yield(s)
	}
}
