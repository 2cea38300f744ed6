//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cx700/cx700_exporter/collectors"
	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/lab"
	"github.com/cx700/cx700_exporter/internal/reach"
	"github.com/cx700/cx700_exporter/internal/schedule"
	"github.com/cx700/cx700_exporter/internal/site"
	"github.com/cx700/cx700_exporter/internal/state"
)

// siteFiles makes random site files. All that are valid end with the same site, named kept.
type siteFiles struct {
	random           *rand.Rand
	head, site, last string
	kept             *site.Site // as the last lines of a file give it
}

const keptSite = "kept"

// filesLike takes apart the file of a lab with one site.
func filesLike(t *testing.T, content []byte, random *rand.Rand) *siteFiles {
	t.Helper()
	head, one, found := strings.Cut(string(content), "  - name: headquarters\n")
	if !found {
		t.Fatalf("no site in:\n%s", content)
	}
	f := &siteFiles{random: random, head: head, site: one, last: "  - name: " + keptSite + "\n" + one}
	cfg, err := site.Parse("cx700.yml", []byte(head+f.last))
	if err != nil {
		t.Fatal(err)
	}
	f.kept = cfg.Sites[0]
	return f
}

// valid has up to four sites before the one that is kept, each of another network or changed in some way.
func (f *siteFiles) valid() string {
	out := f.head
	for i := range f.random.IntN(5) {
		one := strings.ReplaceAll(f.site, "10.70.0.", fmt.Sprintf("10.%d.0.", 71+f.random.IntN(3)*10+i))
		inside, _, _ := strings.Cut(one, "      external:\n")
		switch f.random.IntN(6) {
		case 0:
			one = inside
		case 1:
			one = strings.Replace(one, "phones: 20", fmt.Sprint("phones: ", 1+f.random.IntN(99)), 1)
		case 2:
			one = strings.Replace(one, "sip_domain: fabrikam.com", "sip_domain: other.example", 1)
		case 3:
			one = strings.Replace(one, "    phones: 20", "    firmware: [1.0.522.101]\n    objective: 0.95", 1)
		}
		out += fmt.Sprintf("  - name: site-%d\n", i) + one
	}
	return out + f.last
}

// spoilt is a file that somebody, or a disk, has done something to.
func (f *siteFiles) spoilt() string {
	content := f.valid()
	lines := strings.SplitAfter(content, "\n")
	i := f.random.IntN(len(lines))
	line := lines[i]
	switch f.random.IntN(9) {
	case 0:
		return content[:f.random.IntN(len(content))]
	case 1:
		lines[i] = ""
	case 2:
		lines[i] = line + line
	case 3:
		lines[i] = "\t" + line
	case 4:
		lines[i] = "  " + line
	case 5:
		lines[i] = strings.Replace(line, ":", "", 1)
	case 6:
		lines[i] = line + strings.Repeat(" ", len(line)-len(strings.TrimLeft(line, " -"))) + "sip_domian: fabrikam.com\n"
	case 7:
		b := []byte(content)
		b[f.random.IntN(len(b))] = byte(f.random.IntN(256))
		return string(b)
	case 8:
		lines[i] = strings.Replace(line, "10.", "10.999.", 1)
	}
	return strings.Join(lines, "")
}

// next is a file, and what it is read as.
func (f *siteFiles) next() (content string, cfg *site.Config, err error) {
	for {
		content = f.valid()
		if f.random.IntN(3) > 0 {
			content = f.spoilt()
		}
		cfg, err = site.Parse("cx700.yml", []byte(content))
		if err != nil || reflect.DeepEqual(cfg.Sites[len(cfg.Sites)-1], f.kept) {
			return content, cfg, err
		}
	}
}

// reloaded is a daemon whose site file a test writes, and whose probes find what the healthy lab showed once.
type reloaded struct {
	*daemon
	log     *lockedBuffer
	content string
	stop    func()

	mu     sync.Mutex
	probed map[string][]time.Time // of the site that is kept, by collector and network
	keys   map[string]bool        // of its targets
}

func (r *reloaded) plan(all []*collectors.Collector) (*schedule.Plan, error) {
	cfg, err := site.Parse("cx700.yml", []byte(r.content))
	if err != nil {
		return nil, err
	}
	return schedule.NewPlan(cfg, all, networks("both"))
}

// startReloaded starts a daemon with a file, inside a bubble of fake time.
func startReloaded(t *testing.T, all []*collectors.Collector, content string) *reloaded {
	t.Helper()
	r := &reloaded{log: &lockedBuffer{}, content: content, probed: map[string][]time.Time{}, keys: map[string]bool{}}
	noting := slices.Clone(all)
	for i, c := range noting {
		noted := *c
		noted.Probe = func(ctx context.Context, env *collectors.Env, seen *facts.Seen) error {
			r.note(env.Target)
			return c.Probe(ctx, env, seen)
		}
		noting[i] = &noted
	}
	memory, err := state.Open("")
	must(t, err)
	log := slog.New(slog.NewTextHandler(r.log, nil))
	r.daemon = newDaemon(&environment{log: log}, probeFlags{Concurrency: schedule.DefaultConcurrency},
		reach.NewShared(log, memory), func() (*schedule.Plan, error) { return r.plan(noting) })
	must(t, r.reload())
	for _, p := range r.scheduler.Plan().Find(keptSite, "", "") {
		r.keys[keyOf(&p.Target)] = true
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { r.scheduler.Run(ctx); close(done) }()
	r.stop = func() { cancel(); <-done }
	return r
}

// keyOf is equal for equal targets, also where one had to be told apart from others of its name.
func keyOf(t *collectors.Target) string {
	plain := *t
	plain.Name, _, _ = strings.Cut(plain.Name, "~")
	return plain.Key()
}

func (r *reloaded) note(t *collectors.Target) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.keys[keyOf(t)] {
		key := t.Collector + " " + string(t.Network)
		r.probed[key] = append(r.probed[key], time.Now())
	}
}

func (r *reloaded) page(t *testing.T, path string) string {
	t.Helper()
	handler, err := r.handler(webFlags{}, nil)
	must(t, err)
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
	return w.Body.String()
}

var ofReload = regexp.MustCompile(`(?m)^(cx700_config_(?:fault_info|last_reload_successful).*)$`)

// expectTold holds page, metrics and the log of one reload to the faults of a file; none is a file that was taken over.
func (r *reloaded) expectTold(t *testing.T, err error, logged string) {
	t.Helper()
	got := ofReload.FindAllString(r.page(t, "/metrics"), -1)
	if err == nil {
		if !slices.Equal(got, []string{"cx700_config_last_reload_successful 1"}) || strings.Contains(logged, "not taken over") {
			t.Errorf("taken over, but %q\n%s", got, logged)
		}
		return
	}
	page, scrape := r.page(t, "/"), strings.Join(got, "\n")
	if !strings.Contains(scrape, "cx700_config_last_reload_successful 0") {
		t.Errorf("not taken over, but %q", got)
	}
	faults := site.Faults(err)
	if len(faults) == 0 {
		t.Errorf("no place is told of: %v", err)
	}
	for _, f := range faults[:min(len(faults), maxFaultsTold)] {
		line, key := fmt.Sprintf(`line="%d"} 1`, f.Line), fmt.Sprintf("key=%s ", logValue(f.Key))
		if !strings.Contains(scrape, line) {
			t.Errorf("no %s in %q", line, got)
		}
		if !strings.Contains(logged, fmt.Sprintf(" line=%d ", f.Line)) || !strings.Contains(logged, key) {
			t.Errorf("no line %d with %s in the log:\n%s", f.Line, key, logged)
		}
		if where, _, _ := strings.Cut(f.Error(), ": "); !strings.Contains(page, where) || f.Line > 0 && !strings.Contains(where, fmt.Sprint(f.Line)) {
			t.Errorf("no %s on the page", where)
		}
	}
}

// logValue is a value as the log has it.
func logValue(value string) string {
	var b strings.Builder
	slog.New(slog.NewTextHandler(&b, nil)).Info("", "v", value)
	return strings.TrimSuffix(b.String()[strings.LastIndex(b.String(), " v=")+len(" v="):], "\n")
}

// counters are those of the targets of the site that is kept.
func (r *reloaded) counters(t *testing.T) map[string]float64 {
	t.Helper()
	all := series(t, r.page(t, "/metrics"), "cx700_probes_total")
	maps.DeleteFunc(all, func(labels string, _ float64) bool { return !strings.Contains(labels, "10.70.0.") })
	return all
}

// TestReloadCannotHurt has an exporter take over random site files, good ones and bad ones, one after the other. What is
// in all of them goes on as if nothing were, each bad one is told of with line and key, and what is there in the end is
// what a fresh start with the last file gives.
func TestReloadCannotHurt(t *testing.T) {
	reloads := 50
	if long() {
		reloads = 1000
	}
	company, err := lab.Start(1)
	must(t, err)
	recorded, content := probeLab(t, company, nil), company.SiteFile()
	must(t, company.Close())
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	files := filesLike(t, content, rand.New(rand.NewPCG(seed, 0)))
	all, at := replaying(recorded), time.Now()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(at)) // the bubble begins with the year 2000
		first, settle := files.valid(), 11*time.Minute
		r := startReloaded(t, all, first)
		defer r.stop()
		taken := first
		good, bad := 0, 0
		for range reloads {
			time.Sleep(time.Duration(files.random.IntN(8000)) * time.Millisecond)
			next, _, want := files.next()
			before, said := r.counters(t), len(r.log.String())
			r.content = next
			err := r.reloadRunning()
			if (err == nil) != (want == nil) {
				t.Fatalf("%v, want %v", err, want)
			}
			r.expectTold(t, err, r.log.String()[said:])
			if diff := cmp.Diff(before, r.counters(t)); diff != "" {
				t.Fatalf("counters (-before +after):\n%s\nfile:\n%s", diff, next)
			}
			if bad++; err == nil {
				good, bad, taken = good+1, bad-1, next
			}
			if t.Failed() {
				t.Fatalf("file:\n%s", next)
			}
		}
		if good < reloads/10 || bad < reloads/10 {
			t.Errorf("%d files were good and %d bad", good, bad)
		}
		r.content = taken
		must(t, r.reloadRunning())
		time.Sleep(settle)
		synctest.Wait()
		r.expectSteady(t)
		after, goroutines := steady(t, r.page(t, "/metrics")), runtime.NumGoroutine()
		r.stop()

		fresh := startReloaded(t, all, taken)
		defer fresh.stop()
		time.Sleep(settle)
		synctest.Wait()
		if diff := cmp.Diff(steady(t, fresh.page(t, "/metrics")), after); diff != "" {
			t.Errorf("series (-fresh start +after %d files):\n%s", reloads, diff)
		}
		if n := runtime.NumGoroutine(); goroutines != n {
			t.Errorf("%d goroutines after %d files, %d after a fresh start", goroutines, reloads, n)
		}
	})
}

// expectSteady holds the probes of what was in every file to whole intervals between them.
func (r *reloaded) expectSteady(t *testing.T) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	interval := map[string]time.Duration{}
	for _, c := range collectors.All() {
		interval[c.Name] = c.Interval
	}
	if len(r.probed) < 2*len(interval)-4 {
		t.Errorf("probed: %v", slices.Sorted(maps.Keys(r.probed)))
	}
	for key, at := range r.probed {
		collector, _, _ := strings.Cut(key, " ")
		if since := time.Since(at[len(at)-1]); since > interval[collector] {
			t.Errorf("%s was probed last %s ago", key, since)
		}
		for i := 2; i < len(at); i++ { // the first regular probe comes half an interval to one and a half after the first
			if gap := at[i].Sub(at[i-1]); gap != interval[collector] {
				t.Errorf("%s paused for %s, every %s", key, gap, interval[collector])
			}
		}
	}
}

// steady are the series of a scrape but for those of the runtime, with the values that do not differ from run to run.
func steady(t *testing.T, scrape string) []string {
	t.Helper()
	catalogue := described(t)
	var out []string
	for line := range strings.Lines(scrape) {
		m := seriesLine.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if m == nil || ofTheRuntime(m[1]) {
			continue
		}
		d := selectedBy(catalogue, m[1]+m[2])
		if d == nil {
			t.Fatal(errors.New("not in the catalogue: " + line))
		}
		if volatile(d) {
			line = strings.TrimSuffix(line, m[4]+"\n") + "...\n"
		}
		out = append(out, line)
	}
	return out
}
