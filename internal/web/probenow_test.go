package web

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

const probeOslo = "/site/oslo/probe"

// logged is a page whose readers have logged on, unless they say otherwise.
func (p *page) logged() {
	p.loggedOn = func(r *http.Request) bool { return r.Header.Get("Test-Unknown") == "" }
}

func TestProbeNowNeedsALogon(t *testing.T) {
	bubble(t, func(p *page) {
		p.start(nil) // without web authentication
		p.run()
		before := p.made()
		p.expect(http.StatusForbidden, http.MethodPost, probeOslo, "basic_auth_users")
		p.logged()
		p.handler = Handler(Options{Scheduler: p.scheduler, Problem: func() string { return "" }, LoggedOn: p.loggedOn})
		if w := p.ask(http.MethodPost, probeOslo, http.Header{"Test-Unknown": {"1"}}); w.Code != http.StatusForbidden {
			t.Errorf("status %d for somebody who is not logged on", w.Code)
		}
		for _, header := range []http.Header{{"Sec-Fetch-Site": {"cross-site"}}, {"Sec-Fetch-Site": {"same-site"}}, {"Origin": {"https://evil.example"}}} {
			if w := p.ask(http.MethodPost, probeOslo, header); w.Code != http.StatusForbidden {
				t.Errorf("%v: status %d, want %d", header, w.Code, http.StatusForbidden)
			}
		}
		p.expect(http.StatusNotFound, http.MethodPost, "/site/bergen/probe", "no such site")
		pass(time.Second)
		if got := p.made(); !maps.Equal(got, before) {
			t.Errorf("probes %v, want those of before, %v", got, before)
		}
	})
}

// TestProbeNowIsOfferedToWhoMay and to nobody else.
func TestProbeNowIsOfferedToWhoMay(t *testing.T) {
	bubble(t, func(p *page) {
		p.logged()
		p.start(nil)
		forms := p.read("/site/oslo").all("form", "")
		if len(forms) != 1 || attribute(forms[0], "action") != "../site/oslo/probe" || attribute(forms[0], "method") != "post" {
			t.Errorf("forms %v", forms)
		}
		if body := p.ask(http.MethodGet, "/site/oslo", http.Header{"Test-Unknown": {"1"}}).Body.String(); strings.Contains(body, "<form") {
			t.Errorf("a form for somebody who may not:\n%s", body)
		}
	})
}

// TestProbeNowRunsWhatThereIs, but nothing that logs on: the exporter makes no more logons than its schedule has.
func TestProbeNowRunsWhatThereIs(t *testing.T) {
	bubble(t, func(p *page) {
		p.names = []string{"oslo", "bergen"}
		p.logged()
		p.start(nil)
		p.run()
		before := p.made()
		w := p.expect(http.StatusSeeOther, http.MethodPost, probeOslo)
		if got := w.Header().Get("Location"); got != "../oslo?due=2&kept=2" {
			t.Errorf("leads to %q", got)
		}
		pass(time.Second)
		for key, more := range map[string]int{"internal dns": 1, "external dns": 1, "internal directory": 0, "external directory": 0} {
			if got := p.made()[key]; got != before[key]+more {
				t.Errorf("%s: %d probes after %d, want %d more", key, got, before[key], more)
			}
		}
		d := p.read("/site/oslo?due=2&kept=2")
		if got := d.texts("p", "asked"); !slices.Equal(got, []string{"2 probes started now; 2 that log on or read whole images keep their turn"}) {
			t.Errorf("told %q", got)
		}
		for _, m := range d.all("meta", "") {
			if attribute(m, "http-equiv") == "refresh" && attribute(m, "content") != "4; url=../site/oslo" {
				t.Errorf("refreshed by %q", attribute(m, "content"))
			}
		}
		// The schedule goes on as before.
		pass(time.Minute)
		if got := p.made()["internal dns"]; got != before["internal dns"]+3 {
			t.Errorf("%d probes of two sites a minute later, want %d", got, before["internal dns"]+3)
		}
	})
}

// TestProbeNowIsLimited by what probes on demand may take in all.
func TestProbeNowIsLimited(t *testing.T) {
	bubble(t, func(p *page) {
		p.logged()
		p.start(nil)
		p.run()
		p.expect(http.StatusSeeOther, http.MethodPost, probeOslo)
		w := p.expect(http.StatusTooManyRequests, http.MethodPost, probeOslo, "ask again")
		if got := w.Header().Get("Retry-After"); got != "5" {
			t.Errorf("Retry-After %q", got)
		}
		p.expect(http.StatusTooManyRequests, http.MethodGet, "/probe?site=oslo&collector=dns&network=internal")
		pass(5 * time.Second)
		p.expect(http.StatusSeeOther, http.MethodPost, probeOslo)
	})
}
