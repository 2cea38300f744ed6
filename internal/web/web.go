// Package web serves the exporter's pages: metrics for Prometheus, a status page for people, one probe
// on demand, and health.
package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	toolkit "github.com/prometheus/exporter-toolkit/web"
	"golang.org/x/time/rate"

	"github.com/cx700/cx700_exporter/internal/schedule"
)

const (
	// probesPerSecond and probeBurst bound what probes on demand send into the network.
	probesPerSecond = 1
	probeBurst      = 5
	// writeTimeout is for a page, scrapeTimeout for a scrape: Prometheus gives up by itself, after its scrape_timeout, and
	// until then a slow line or a busy machine must not break off what it reads.
	writeTimeout  = time.Minute
	scrapeTimeout = 5 * time.Minute
	// stopGrace is how long answers under way may take after the exporter was told to stop.
	stopGrace = 5 * time.Second
)

// Options are what the pages show.
type Options struct {
	Scheduler *schedule.Scheduler
	// Metrics answers scrapes.
	Metrics http.Handler
	// Reload reads the site file again; nil leaves /-/reload off.
	Reload func() error
	// Problem is what is wrong with the exporter itself, such as a site file that does not load; empty
	// when nothing is.
	Problem func() string
	Version string
	// LoggedOn tells whether who asks was let in by web authentication; nil where nobody ever is. Only then may a site
	// be probed from its page.
	LoggedOn func(*http.Request) bool
	// Lab is the page of the embedded lab; nil outside it.
	Lab http.Handler
}

// Handler returns all pages.
func Handler(o Options) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		writeWithin(w, scrapeTimeout)
		o.Metrics.ServeHTTP(w, r)
	})
	limit := rate.NewLimiter(probesPerSecond, probeBurst)
	sameOrigin := http.NewCrossOriginProtection()
	mux.HandleFunc("GET /{$}", o.overview)
	mux.HandleFunc("GET /site/{name}", o.site)
	mux.Handle("POST /site/{name}/probe", sameOrigin.Handler(o.probeNow(limit)))
	mux.HandleFunc("GET /probe", o.probe(limit))
	mux.HandleFunc("GET /runbooks/{name...}", runbook)
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "cx700_exporter is healthy.")
	})
	mux.HandleFunc("GET /-/ready", o.ready)
	if o.Reload != nil {
		mux.Handle("POST /-/reload", sameOrigin.Handler(http.HandlerFunc(o.reload)))
	}
	if o.Lab != nil {
		mux.Handle("/lab", o.Lab)
		mux.Handle("/lab/", o.Lab)
	}
	return guarded(mux)
}

// guarded gives every answer the headers that a page of its own may sharpen.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		next.ServeHTTP(w, r)
	})
}

// writeWithin gives an answer another time than the server's.
func writeWithin(w http.ResponseWriter, d time.Duration) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(d)) // the recorders of tests know no deadlines
}

func (o Options) ready(w http.ResponseWriter, _ *http.Request) {
	if !o.Scheduler.Ready() {
		http.Error(w, "some targets have not been probed yet", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "cx700_exporter is ready.")
}

func (o Options) reload(w http.ResponseWriter, _ *http.Request) {
	if err := o.Reload(); err != nil {
		http.Error(w, "the site file was not taken over, the one before stays:\n"+err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintln(w, "reloaded")
}

// probe makes one probe of what the site file names and writes it down, question by question. The
// result is not stored: series and counters stay as they are.
func (o Options) probe(limit *rate.Limiter) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		siteName, network, collector := q.Get("site"), q.Get("network"), q.Get("collector")
		if siteName == "" || collector == "" {
			http.Error(w, "name a site and a collector: /probe?site=NAME&collector=dns, with &network=internal or external",
				http.StatusBadRequest)
			return
		}
		plan := o.Scheduler.Plan()
		planned := plan.Find(siteName, network, collector)
		if len(planned) == 0 {
			http.Error(w, cmp.Or(elsewhere(plan, siteName), "the site file has no such site, network or collector"), http.StatusNotFound)
			return
		}
		if !limit.AllowN(time.Now(), min(len(planned), probeBurst)) {
			w.Header().Set("Retry-After", "1")
			http.Error(w, "too many probes on demand; ask again in a second", http.StatusTooManyRequests)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		for i, p := range planned {
			writeWithin(w, p.Target.Timeout+writeTimeout)
			if i > 0 {
				fmt.Fprintln(w)
			}
			report := o.lookAt(r.Context(), p)
			report.Explain(w)
			if judged := plan.JudgedAt(siteName, p); judged != nil {
				fmt.Fprintln(w)
				judged.Explain(w, o.Scheduler.Shared(), func(need *schedule.Planned) *schedule.Report {
					if need == p {
						return report
					}
					return o.Scheduler.Last(need)
				})
			}
		}
	}
}

// lookAt probes a target now. Where that takes a logon or moves much data, the last report does while it is
// fresh: nobody can make the exporter log on, or read an image, again and again by asking for pages.
func (o Options) lookAt(ctx context.Context, p *schedule.Planned) *schedule.Report {
	const fresh = 2 // intervals
	spared := p.Target.Credentialled() || p.Collector.Alone
	if last := o.Scheduler.Last(p); spared && last != nil && time.Since(last.Ended) < fresh*p.Target.Interval {
		return last
	}
	return schedule.Once(ctx, o.Scheduler.Shared(), p, time.Now())
}

// Serve answers requests until the context ends, then lets those under way finish. The toolkit's flags
// say where it listens and whether by TLS and with passwords. Once it listens it calls begin.
func Serve(ctx context.Context, handler http.Handler, flags *toolkit.FlagConfig, log *slog.Logger, begin func()) error {
	begin = sync.OnceFunc(begin)
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: writeTimeout, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		BaseContext: func(net.Listener) context.Context { // asked for each listener that is open
			begin()
			return context.Background()
		},
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.Background(), stopGrace)
		defer cancel()
		stopped <- server.Shutdown(grace)
	})
	err := toolkit.ListenAndServe(server, flags, log)
	if stop() || !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}
