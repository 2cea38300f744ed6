package main

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

var (
	notReady = regexp.MustCompile(`(?m)^cx700_signin_state\{.*state="(degraded|blocked|unknown)"\} 1$`)
	isReady  = regexp.MustCompile(`(?m)^cx700_signin_state\{.*state="ready"\} 1$`)
	badTicks = regexp.MustCompile(`(?m)^cx700_signin_(?:bad|unknown)_ticks_total\{.*\} [^0].*$`)
)

// TestHealthyLab has no state but ready and no event for a time: ten minutes with LONG=1.
func TestHealthyLab(t *testing.T) {
	t.Parallel()
	watch := 35 * time.Second
	if long() {
		watch = 10 * time.Minute
	}
	p := started(t, "lab", "--sites=2")
	const verdicts = 2 * (3*2 + 3) // new phones have none outside
	p.eventually("all verdicts are there", func() bool { return len(isReady.FindAllString(p.get("/metrics"), -1)) == verdicts })
	p.reported()
	before := p.log.String()
	end := time.NewTimer(watch)
	defer end.Stop()
	look := time.NewTicker(2 * time.Second)
	defer look.Stop()
	for goes := true; goes; {
		select {
		case <-end.C:
			goes = false
		case <-look.C:
		}
		scrape := p.get("/metrics")
		if bad := append(notReady.FindAllString(scrape, -1), failing(scrape)...); len(bad) > 0 || len(isReady.FindAllString(scrape, -1)) != verdicts {
			t.Fatalf("not ready: %s\nlog:\n%s", strings.Join(bad, "\n"), p.log)
		}
	}
	scrape := p.get("/metrics")
	if bad := badTicks.FindAllString(scrape, -1); len(bad) > 0 || !strings.Contains(scrape, "\ncx700_signin_ticks_total{") {
		t.Errorf("ticks: %v", bad)
	}
	if events := strings.TrimPrefix(p.log.String(), before); events != "" {
		t.Errorf("events:\n%s", events)
	}
}
