package main

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// lockedBuffer is a buffer that a running command writes and a test reads.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// process is the whole program, run inside the test.
type process struct {
	t    *testing.T
	url  string
	log  *lockedBuffer
	out  *lockedBuffer
	stop func() int
}

var listening = regexp.MustCompile(`msg="Listening on" address=(\S+)`)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// started runs the program with a free port until the test ends.
func started(t *testing.T, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	p := &process{t: t, log: &lockedBuffer{}, out: &lockedBuffer{}}
	code := make(chan int, 1)
	go func() { code <- run(ctx, append(args, "--web.listen-address=127.0.0.1:0"), p.out, p.log) }()
	p.stop = sync.OnceValue(func() int {
		cancel()
		return <-code
	})
	t.Cleanup(func() { p.stop() })
	p.eventually("it listens", func() bool {
		m := listening.FindStringSubmatch(p.log.String())
		if m == nil {
			select {
			case c := <-code:
				code <- c
				t.Fatalf("ended with exit code %d:\n%s", c, p.log)
			default:
			}
			return false
		}
		p.url = "http://" + m[1]
		return true
	})
	return p
}

// eventually polls a condition for as long as the issue grants a fresh exporter to tell the truth.
func (p *process) eventually(what string, ok func() bool) {
	p.t.Helper()
	const limit = 30 * time.Second
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			p.t.Fatalf("not within %s: %s\nlog:\n%s", limit, what, p.log)
		case <-tick.C:
		}
	}
}

func (p *process) request(method, path string) (int, string) {
	p.t.Helper()
	status, _, body := p.answer(method, path, nil)
	return status, body
}

func (p *process) answer(method, path string, header http.Header) (int, http.Header, string) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, p.url+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header = header
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return answer.StatusCode, answer.Header, string(body)
}

func (p *process) get(path string) string {
	p.t.Helper()
	status, body := p.request(http.MethodGet, path)
	if status != http.StatusOK {
		p.t.Fatalf("%s: status %d: %s", path, status, body)
	}
	return body
}

// ready waits until every target has reported.
func (p *process) ready() {
	p.t.Helper()
	p.eventually("every target has reported", func() bool {
		status, _ := p.request(http.MethodGet, "/-/ready")
		return status == http.StatusOK
	})
}

// long tells whether the slow suites are wanted, as `make long` does.
func long() bool { return os.Getenv("LONG") == "1" }

var (
	siteLabel = regexp.MustCompile(`site="[^"]*",`)
	siteOf    = regexp.MustCompile(`network="(\w+)",(?:phone="\w+",)?site="([^"]*)"`)
)

// reported waits for every target, those included that run alone and that nobody who asks for readiness waits
// for, and until every network of a site is judged.
func (p *process) reported() {
	p.t.Helper()
	p.ready()
	p.eventually("every target has reported, one after the other", func() bool {
		scrape := p.get("/metrics")
		targets := map[string]bool{} // without the sites that share them
		for line := range strings.Lines(scrape) {
			if strings.HasPrefix(line, "cx700_site_target_info{") {
				targets[siteLabel.ReplaceAllString(line, "")] = true
			}
		}
		return strings.Count(scrape, "\ncx700_probe_interval_seconds{") == len(targets)
	})
	p.judged()
}

// judged waits until every network of a site is judged.
func (p *process) judged() {
	p.t.Helper()
	p.eventually("every network of a site is judged", func() bool {
		looked, judged := map[string]bool{}, map[string]bool{}
		for line := range strings.Lines(p.get("/metrics")) {
			at := siteOf.FindStringSubmatch(line)
			switch {
			case at == nil: // among them what is the exporter's own
			case strings.HasPrefix(line, "cx700_site_target_info{"):
				looked[at[1]+" "+at[2]] = true
			case strings.HasPrefix(line, "cx700_signin_state{"):
				judged[at[1]+" "+at[2]] = true
			}
		}
		return maps.Equal(looked, judged)
	})
}

var failingSeries = regexp.MustCompile(`(?m)^cx700_probe_failing\{collector="(\w+)",network="(\w+)",reason="(\w+)",`)

// failing lists network/collector/reason of every cx700_probe_failing in a scrape.
func failing(scrape string) []string {
	var out []string
	for _, m := range failingSeries.FindAllStringSubmatch(scrape, -1) {
		out = append(out, m[2]+"/"+m[1]+"/"+m[3])
	}
	return out
}

// ran runs a command that ends by itself.
func ran(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs strings.Builder
	code = run(t.Context(), args, &out, &errs)
	return code, out.String(), errs.String()
}
