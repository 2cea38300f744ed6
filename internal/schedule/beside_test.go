package schedule

import (
	"crypto/x509"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cx700/cx700_exporter/collectors"
	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/site"
)

const mailHost = "autodiscover.fabrikam.com"

// withMail adds Exchange, which shows what chain points to at the time.
func (w *world) withMail(chain *[]*x509.Certificate) []*collectors.Collector {
	mail := w.collector("exchange", func(s *facts.Seen) {
		a := facts.AutodiscoverAnswer{WebAnswer: facts.WebAnswer{
			Address: netip.MustParseAddrPort("10.0.0.82:443"), Status: http.StatusUnauthorized, Served: *chain}}
		s.Exchange = &facts.Exchange{Places: []facts.AutodiscoverPlace{{Host: mailHost, Secure: true,
			ExchangeServer: facts.ExchangeServer{Answers: []facts.AutodiscoverAnswer{a}}}}}
	})
	return append(w.collectors(), mail)
}

// TestRefusals: what keeps phones from trusting Exchange is a series while it does, and no phone is blocked by it.
func TestRefusals(t *testing.T) {
	root, other := certificate(t, "CA", nil, year(2050), x509.SHA1WithRSA), certificate(t, "Other CA", nil, year(2050), x509.SHA1WithRSA)
	good, bad := certificate(t, mailHost, root, year(2050), x509.SHA1WithRSA), certificate(t, mailHost, other, year(2050), x509.SHA1WithRSA)
	pool := certificate(t, "sip.fabrikam.com", root, year(2050), x509.SHA1WithRSA)
	synctest.Test(t, func(t *testing.T) {
		w := &world{probes: map[string]int{}}
		w.show(pool)
		w.publish(root)
		chain := []*x509.Certificate{bad}
		plan, err := NewPlan(&site.Config{Sites: []*site.Site{withSMTP(office("oslo", site.Internal))}}, w.withMail(&chain), []site.NetworkName{site.Internal})
		if err != nil {
			t.Fatal(err)
		}
		h := newHarness(t, 4)
		h.Swap(plan)
		h.run(t)
		pass(time.Minute)
		var got []string
		for name := range h.series() {
			if strings.HasPrefix(name, descRefused.Name) {
				got = append(got, name)
			}
		}
		if len(got) != 2*len(phone.KnownFirmware()) || !strings.Contains(strings.Join(got, ""), "exchange_unknown_root") {
			t.Errorf("refused: %v", got)
		}
		w.mu.Lock()
		chain = []*x509.Certificate{good}
		w.mu.Unlock()
		pass(2 * time.Minute)
		for name := range h.series() {
			if strings.HasPrefix(name, descRefused.Name) || strings.HasPrefix(name, descBlocked.Name) {
				t.Errorf("healed, but %s", name)
			}
		}
	})
}

func withSMTP(s *site.Site) *site.Site {
	s.Domains.SMTP = "fabrikam.com"
	return s
}

// TestAccounts: each probe is told of with what it needs, and what is beside the walk blocks nobody.
func TestAccounts(t *testing.T) {
	root, other := certificate(t, "CA", nil, year(2050), x509.SHA1WithRSA), certificate(t, "Other CA", nil, year(2050), x509.SHA1WithRSA)
	w := &world{probes: map[string]int{}}
	w.show(certificate(t, "sip.fabrikam.com", root, year(2050), x509.SHA1WithRSA))
	w.publish(root)
	chain := []*x509.Certificate{certificate(t, mailHost, other, year(2050), x509.SHA1WithRSA)}
	plan, err := NewPlan(&site.Config{Sites: []*site.Site{withSMTP(office("oslo", site.Internal))}}, w.withMail(&chain), []site.NetworkName{site.Internal})
	if err != nil {
		t.Fatal(err)
	}
	h := newHarness(t, 1)
	defer h.Shared().Close()
	for name, tt := range map[string]struct {
		want   phone.Effect
		probes []string
		text   string
	}{
		"exchange":  {phone.Degrades, []string{"directory", "exchange", "pool"}, "exchange blocked: exchange_unknown_root"},
		"directory": {phone.Notes, []string{"directory"}, "no certificate of LDAPS was seen"},
		"pool":      {phone.Notes, []string{"directory", "pool"}, "trust  ok"},
	} {
		clear(w.probes)
		var out strings.Builder
		look := func(p *Planned) *Report { return Once(t.Context(), h.Shared(), p, time.Now()) }
		if worst := plan.JudgedAt("oslo", plan.Find("oslo", "", name)[0]).Explain(&out, h.Shared(), look); worst != tt.want {
			t.Errorf("%s: the gravest is %s", name, worst)
		}
		if diff := cmp.Diff(tt.probes, slices.Sorted(maps.Keys(w.probes))); diff != "" {
			t.Errorf("%s: probes (-want +got):\n%s", name, diff)
		}
		if !strings.Contains(out.String(), tt.text) {
			t.Errorf("%s: %q is not in\n%s", name, tt.text, out.String())
		}
	}
}
