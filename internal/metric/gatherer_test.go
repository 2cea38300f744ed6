package metric

import (
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
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

func mustSet(t testing.TB, samples ...Sample) Set {
	t.Helper()
	set, err := NewSet(samples)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// serving returns a handler of two sets that share families, beside a registry with a histogram.
func serving(t *testing.T) http.Handler {
	t.Helper()
	sets := []Set{
		mustSet(t, sample(descGauge, 1.5, "one", "internal"), sample(descCounter, 2, "one"), sample(descBare, 3)),
		mustSet(t, sample(descGauge, 4, hostile, "internal"), sample(descCounter, 5, "two")),
	}
	registry := prometheus.NewRegistry()
	histogram := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "cx700_bb_seconds", Help: "A histogram.", Buckets: []float64{1}})
	histogram.Observe(0.5)
	registry.MustRegister(histogram)
	return handler(&Gatherer{Sources: func(yield func(Set)) { each(sets, yield) }, Registry: registry})
}

func handler(g *Gatherer) http.Handler {
	return promhttp.HandlerForTransactional(g, promhttp.HandlerOpts{EnableOpenMetrics: true, ErrorHandling: promhttp.ContinueOnError})
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

// TestDoneLetsGo removes a target between two scrapes: neither is its series served again, nor does
// anything hold it.
func TestDoneLetsGo(t *testing.T) {
	sets := []Set{mustSet(t, sample(descGauge, 1, "gone", "internal")), mustSet(t, sample(descCounter, 2, "stays"))}
	g := &Gatherer{Sources: func(yield func(Set)) { each(sets, yield) }, Registry: prometheus.NewRegistry()}
	families, done, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(2, len(families)); diff != "" {
		t.Errorf("families (-want +got):\n%s", diff)
	}
	held := families[1].Metric[:1]
	done()
	if held[0] != nil {
		t.Error("the series is still held after the scrape was done")
	}
	sets = sets[1:]
	families, done, err = g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	if diff := gocmp.Diff([]one{{"cx700_a_total", []string{"target=stays"}, 2}}, ofFamilies(families)); diff != "" {
		t.Errorf("after it was removed (-want +got):\n%s", diff)
	}
}

// TestErrorOfTheRegistryHidesNothing serves the sets although the registry has a fault.
func TestErrorOfTheRegistryHidesNothing(t *testing.T) {
	fault := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return nil, errors.New("a collector failed") })
	set := mustSet(t, sample(descBare, 3))
	g := &Gatherer{Sources: func(yield func(Set)) { yield(set) }, Registry: fault}
	families, done, err := g.Gather()
	defer done()
	if err == nil || len(families) != 1 {
		t.Errorf("%d families with error %v, want one with the fault", len(families), err)
	}
	if body := scrape(t, handler(g), nil).Body.String(); !strings.Contains(body, "cx700_c 3") {
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

func TestGzip(t *testing.T) {
	h := serving(t)
	plain := scrape(t, h, nil).Body.String()
	w := scrape(t, h, http.Header{"Accept-Encoding": {"gzip"}})
	unpacker, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := io.ReadAll(unpacker)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(plain, string(unpacked)); diff != "" {
		t.Errorf("(-plain +unpacked):\n%s", diff)
	}
}

// BenchmarkScrape serves 200,000 series of 10,000 targets, beside client_golang's GaugeVec with the same.
func BenchmarkScrape(b *testing.B) {
	const targets, perTarget = 10000, 20
	desc := NewGauge("cx700_bench", "A series.", "cx700_bench", "network", "target", "item")
	vec := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: desc.Name, Help: desc.Help}, desc.Labels)
	var sets []Set
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
	sources := func(yield func(Set)) { each(sets, yield) }
	for _, served := range []struct {
		name    string
		handler http.Handler
	}{
		{"sets", handler(&Gatherer{Sources: sources, Registry: prometheus.NewRegistry()})},
		{"gaugevec", promhttp.HandlerFor(registry, promhttp.HandlerOpts{})},
	} {
		for _, encoding := range []string{"identity", "gzip"} {
			b.Run(served.name+"/"+encoding, func(b *testing.B) {
				r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/metrics", nil)
				r.Header.Set("Accept-Encoding", encoding)
				b.ReportAllocs()
				done := labtest.CPU(b)
				for b.Loop() {
					w := &counter{header: http.Header{}}
					served.handler.ServeHTTP(w, r)
					b.ReportMetric(float64(w.n), "B/scrape")
				}
				done()
			})
		}
	}
}

// counter counts what is written and keeps none of it.
type counter struct {
	header http.Header
	n      int
}

func (c *counter) Header() http.Header         { return c.header }
func (c *counter) WriteHeader(int)             {}
func (c *counter) Write(p []byte) (int, error) { c.n += len(p); return len(p), nil }

func each(sets []Set, yield func(Set)) {
	for _, s := range sets {
		yield(s)
	}
}
