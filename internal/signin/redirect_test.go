package signin

import (
	"crypto/x509"
	"net/netip"
	"testing"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// registrars answer at the front ends of a company, each with its status, and lead to the pool whose certificates are
// given.
func (c *company) registrars(statuses map[string]int, led map[string][]*x509.Certificate) {
	c.seen.SIP = &facts.SIP{}
	for _, address := range frontEnds {
		at := netip.MustParseAddrPort(address + ":5061")
		answer := facts.SIPAnswer{Firmware: "3.5.6907.35", Address: at, Status: 401, At: today, Date: today}
		if s := statuses[address]; s != 0 {
			answer.Status = s
		}
		if served := led[address]; served != nil {
			answer.Status = 301
			answer.Next = &facts.SIPAnswer{Host: "pool02.contoso.com", Address: netip.MustParseAddrPort("10.0.0.99:5061"), Status: 401, Served: served, At: today}
		}
		c.seen.SIP.Servers = append(c.seen.SIP.Servers, facts.SIPServer{Address: at, Answers: []facts.SIPAnswer{answer}})
	}
}

// TestRedirects: a phone that is led on must trust that pool too.
func TestRedirects(t *testing.T) {
	c := newCompany(t)
	c.held = held(c.root)
	good := []*x509.Certificate{issue(t, "pool02.contoso.com", c.root, soon)}
	foreign := []*x509.Certificate{issue(t, "pool02.contoso.com", c.other)}
	own := []*x509.Certificate{issue(t, "pool02.contoso.com", nil)}
	every := func(served []*x509.Certificate) map[string][]*x509.Certificate {
		out := map[string][]*x509.Certificate{}
		for _, a := range frontEnds {
			out[a] = served
		}
		return out
	}
	one := map[string][]*x509.Certificate{frontEnds[0]: foreign}
	down := map[string]int{frontEnds[1]: 503, frontEnds[2]: 503, frontEnds[3]: 503}
	for _, tt := range []struct {
		name     string
		statuses map[string]int
		led      map[string][]*x509.Certificate
		want     string
		until    time.Time
	}{
		{"nowhere", nil, nil, "ready", nextYear},
		{"to a good pool", nil, every(good), "ready", today.AddDate(0, 0, 7)},
		{"to one of another CA", nil, every(foreign), "blocked signin unknown_root", nextYear},
		{"to one that signs for itself", nil, every(own), "blocked signin self_signed", nextYear},
		{"by one of four", nil, one, "degraded signin unknown_root", nextYear},
		{"by the only one that answers", down, one, "blocked signin unknown_root", nextYear},
	} {
		c.registrars(tt.statuses, tt.led)
		v := c.judge(phone.Enrolled)
		if got := verdictText(v); got != tt.want || !until(v.Ends).Equal(tt.until) {
			t.Errorf("%s: %s until %s, want %s until %s", tt.name, got, until(v.Ends), tt.want, tt.until)
		}
	}
}

// TestRegistrarsClock is off only where no time server agrees with it.
func TestRegistrarsClock(t *testing.T) {
	gives := func(off time.Duration) facts.TimeServer { return facts.TimeServer{Stratum: 3, Offset: off} }
	for _, tt := range []struct {
		name    string
		off     time.Duration
		servers []facts.TimeServer
		want    string
	}{
		{"right", 0, []facts.TimeServer{gives(0)}, "ready"},
		{"a little off", 4 * time.Minute, []facts.TimeServer{gives(0)}, "ready"},
		{"off", -7 * time.Minute, []facts.TimeServer{gives(0)}, "degraded signin sip_clock_off"},
		{"ours is off", 7 * time.Minute, []facts.TimeServer{gives(7 * time.Minute)}, "ready"},
		{"the time server is off", 0, []facts.TimeServer{gives(7 * time.Minute)}, "ready"},
		{"off, and so is a time server", 7 * time.Minute, []facts.TimeServer{gives(-7 * time.Minute)}, "degraded signin sip_clock_off"},
		{"off, and nobody gives time", 7 * time.Minute, []facts.TimeServer{{Err: "silent"}}, "degraded signin sip_clock_off"},
	} {
		c := newCompany(t)
		c.registrars(nil, nil)
		for i := range c.seen.SIP.Servers {
			c.seen.SIP.Servers[i].Answers[0].Date = today.Add(tt.off)
		}
		c.seen.Time = &facts.Time{Servers: tt.servers}
		if got := verdictText(c.judge(phone.Enrolled)); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}
