package schedule

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/cx700/cx700_exporter/collectors"
	"github.com/cx700/cx700_exporter/internal/certtest"
	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/signin"
	"github.com/cx700/cx700_exporter/internal/site"
	"github.com/cx700/cx700_exporter/internal/state"
)

var update = flag.Bool("update", false, "write the files in testdata anew")

const (
	forest  = "CN=Configuration,DC=contoso,DC=com"
	address = "10.0.0.81:5061"
)

var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// certificate makes one that is valid until the year, signed with SHA-1; names tell their keys apart.
func certificate(t testing.TB, name string, issuer *x509.Certificate, until time.Time, algorithm x509.SignatureAlgorithm) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, SerialNumber: big.NewInt(1), SignatureAlgorithm: algorithm,
		NotBefore: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: until,
	}
	if issuer == nil || strings.HasSuffix(name, "CA") {
		template.BasicConstraintsValid, template.IsCA = true, true
	}
	parent := *template
	if issuer != nil {
		parent = *issuer
	}
	parent.PublicKey = nil
	c, err := certtest.Create(template, &parent, testKey().Public(), testKey())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func year(y int) time.Time { return time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC) }

// world is what the fake collectors see.
type world struct {
	mu        sync.Mutex
	pool      *facts.Pool
	directory *facts.Directory
	probes    map[string]int
}

func (w *world) collector(name string, fill func(*facts.Seen)) *collectors.Collector {
	c := fake(name, good)
	c.Targets = func(s *site.Site, n site.Network) []collectors.Target {
		if name != "pool" && n.Name == site.External {
			return nil
		}
		return []collectors.Target{{Collector: name, Network: n.Name, Name: s.Domains.SIP, Domains: s.Domains, Firmware: s.Firmware}}
	}
	c.Probe = func(_ context.Context, _ *collectors.Env, seen *facts.Seen) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.probes[name]++
		fill(seen)
		return nil
	}
	return c
}

func (w *world) collectors() []*collectors.Collector {
	return []*collectors.Collector{
		w.collector("directory", func(s *facts.Seen) { s.Directory = w.directory }),
		w.collector("pool", func(s *facts.Seen) { s.Pool = w.pool }),
	}
}

// show lets the pool serve a chain to all phones.
func (w *world) show(served ...*x509.Certificate) {
	e := phone.Endpoint{From: phone.Candidate{Name: "sip.fabrikam.com", Type: phone.A}, Asked: "sip.fabrikam.com",
		Host: "sip.fabrikam.com", Port: 5061, Addresses: []netip.Addr{netip.MustParseAddrPort(address).Addr()}}
	h := facts.Handshake{Version: "TLS 1.0", Served: served}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pool = &facts.Pool{Servers: []facts.PoolServer{{Address: netip.MustParseAddrPort(address), Phone: h, Modern: h}}}
	for _, f := range phone.KnownFirmware() {
		w.pool.Routes = append(w.pool.Routes, facts.Route{Firmware: f.Version, Endpoints: []phone.Endpoint{e}})
	}
}

func (w *world) publish(roots ...*x509.Certificate) {
	c := facts.Controller{RootDSE: facts.RootDSE{ConfigurationNC: forest}}
	for _, r := range roots {
		of := facts.CertificateOf(r)
		c.Authorities = append(c.Authorities, facts.AuthorityObject{Container: facts.CertificationAuthorities,
			Values: []facts.PublishedValue{{State: facts.Populated, Certificate: &of, X509: r}}})
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.directory = &facts.Directory{Controllers: []facts.Controller{c}}
}

func (w *world) lose() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.directory = &facts.Directory{Controllers: []facts.Controller{{Problem: facts.ControllerSilent}}}
}

func (w *world) plan(t testing.TB, sites ...*site.Site) *Plan {
	t.Helper()
	plan, err := NewPlan(&site.Config{Sites: sites}, w.collectors(), []site.NetworkName{site.Internal, site.External})
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func office(name string, networks ...site.NetworkName) *site.Site {
	s := &site.Site{Name: name, Domains: phone.Domains{SIP: "fabrikam.com"}, Firmware: phone.KnownFirmware()}
	for _, n := range networks {
		s.Networks = append(s.Networks, site.Network{Name: n})
	}
	return s
}

// judged gives the series of the judgement, as site network phone of the newest firmware: trusted and until.
func (h *harness) judged() map[string]string {
	out := map[string]string{}
	for name, value := range h.series() {
		family, labels, _ := strings.Cut(strings.TrimSuffix(name, "}"), "{")
		l := strings.Split(labels, ",")
		switch {
		case !strings.Contains(labels, "3.5.6907.35"):
		case family == descPoolTrusted.Name: // address, firmware, network, phone, site
			out[l[4]+" "+l[2]+" "+l[3]] += fmt.Sprintf("trusted %v", value)
		case family == descBlocked.Name: // firmware, network, phone, reason, site, step
			out[l[4]+" "+l[1]+" "+l[2]+" blocked"] = l[5] + " " + l[3]
		case family == descRollOver.Name: // firmware, network, phone, site, strands
			out[l[3]+" "+l[1]+" strands "+l[4]] += l[2]
		case family == descValidUntil.Name: // firmware, network, phone, site
			out[l[3]+" "+l[1]+" "+l[2]+" until"] = fmt.Sprint(time.Unix(int64(value), 0).UTC().Year())
		}
	}
	return out
}

func (h *harness) expect(t *testing.T, when string, want map[string]string) {
	t.Helper()
	if diff := cmp.Diff(want, h.judged()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", when, diff)
	}
}

// expectReasons checks which reasons have their texts beside them.
func (h *harness) expectReasons(t *testing.T, want ...*phone.Reason) {
	t.Helper()
	var all []string
	for _, r := range want {
		all = append(all, fmt.Sprintf("%s{%s,%s,%s}", descReason.Name, r.Mend, r.Name, r.Screen))
	}
	var got []string
	for name := range h.series() {
		if strings.HasPrefix(name, descReason.Name+"{") {
			got = append(got, name)
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(all, got); diff != "" {
		t.Errorf("reasons with texts (-want +got):\n%s", diff)
	}
}

// TestJudgement follows a site through a roll-over, as its series tell it.
func TestJudgement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it begins in the year 2000
		w := &world{probes: map[string]int{}}
		old, young := certificate(t, "Old CA", nil, year(2020), x509.SHA1WithRSA), certificate(t, "New CA", nil, year(2030), x509.SHA1WithRSA)
		oldLeaf, newLeaf := certificate(t, "sip.fabrikam.com", old, year(2005), x509.SHA1WithRSA), certificate(t, "sip.fabrikam.com", young, time.Now().Add(time.Hour), x509.SHA1WithRSA)
		w.show(oldLeaf)
		w.publish(old)
		h := newHarness(t, 1)
		if _, err := h.Shared().State.ObserveRoots(forest, time.Now(), time.Minute, []state.Published{
			{SHA256: phone.Fingerprint(old), DER: old.Raw}}); err != nil {
			t.Fatal(err)
		}
		h.Swap(w.plan(t, office("oslo", site.Internal, site.External), office("bergen", site.Internal)))
		h.expect(t, "before any report", map[string]string{})
		h.expectReasons(t)
		h.run(t)
		pass(time.Second)
		h.expect(t, "good", map[string]string{
			"oslo internal enrolled": "trusted 1", "oslo internal enrolled until": "2005", "oslo internal new": "trusted 1", "oslo internal new until": "2005",
			"bergen internal enrolled": "trusted 1", "bergen internal enrolled until": "2005", "bergen internal new": "trusted 1", "bergen internal new until": "2005",
			"oslo external enrolled": "trusted 1", "oslo external enrolled until": "2005",
		})
		h.Swap(w.plan(t, office("oslo", site.Internal)))
		w.publish(young)
		good := map[string]string{"oslo internal enrolled": "trusted 1", "oslo internal enrolled until": "2005",
			"oslo internal new": "trusted 1", "oslo internal new until": "2005"}
		h.expect(t, "after a reload, at once", good)
		pass(time.Minute)
		good["oslo internal new"], good["oslo internal new blocked"], good["oslo internal strands now"] = "trusted 0", "trust unknown_root", "new"
		good["oslo internal strands ahead"] = "enrolled" // the pool will follow
		delete(good, "oslo internal new until")
		h.expect(t, "AD publishes the new root only", good)
		all := signin.Reasons()
		h.expectReasons(t, all[slices.IndexFunc(all, func(r *phone.Reason) bool { return r.Name == "unknown_root" })])
		w.lose()
		pass(time.Minute)
		delete(good, "oslo internal new")
		delete(good, "oslo internal new blocked")
		delete(good, "oslo internal strands now")
		delete(good, "oslo internal strands ahead")
		h.expect(t, "AD is lost", good)
		w.show(newLeaf)
		pass(time.Minute)
		h.expect(t, "AD is lost, and the pool has the new root", map[string]string{
			"oslo internal enrolled": "trusted 0", "oslo internal enrolled blocked": "trust unknown_root"})
		w.publish(young)
		pass(time.Minute)
		h.expect(t, "rolled over", map[string]string{"oslo internal enrolled": "trusted 0", "oslo internal enrolled blocked": "trust unknown_root",
			"oslo internal strands now": "enrolled", "oslo internal new": "trusted 1", "oslo internal new until": "2000"})
		s := office("oslo", site.Internal)
		s.EnrolledRoots.Fingerprints = []string{phone.Fingerprint(old), phone.Fingerprint(young)}
		h.Swap(w.plan(t, s))
		h.expect(t, "enrolled phones hold both", map[string]string{
			"oslo internal enrolled": "trusted 1", "oslo internal enrolled until": "2000", "oslo internal new": "trusted 1", "oslo internal new until": "2000"})
		w.mu.Lock()
		w.pool = nil
		w.mu.Unlock()
		pass(time.Minute)
		h.expect(t, "nothing is seen of the pool", map[string]string{})
		w.show(newLeaf)
		pass(time.Hour)
		h.expect(t, "the certificate has ended", map[string]string{
			"oslo internal enrolled": "trusted 0", "oslo internal enrolled until": "2000", "oslo internal enrolled blocked": "trust link_expired",
			"oslo internal new": "trusted 0", "oslo internal new until": "2000", "oslo internal new blocked": "trust link_expired"})
	})
}

// TestSeriesOfVerdictsAreKept while no verdict is another, and nothing is counted.
func TestSeriesOfVerdictsAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{probes: map[string]int{}}
		root := certificate(t, "CA", nil, year(2030), x509.SHA1WithRSA)
		w.show(certificate(t, "sip.fabrikam.com", root, year(2030), x509.SHA1WithRSA))
		w.publish(root)
		h := startPlan(t, 1, w.plan(t, office("oslo", site.Internal)))
		pass(time.Second)
		g := h.plan.Load().judged[0]
		before := g.set.Load()
		h.judge(g, time.Now())
		if before == nil || g.set.Load() != before {
			t.Error("made anew, though nothing has changed")
		}
		pass(time.Minute)
		counted := g.set.Load()
		if counted == before {
			t.Error("not made anew, though the verdicts were counted")
		}
		h.judge(g, year(2031))
		if g.set.Load() == counted {
			t.Error("not made anew, though the certificate has ended")
		}
	})
}

// TestJudgementWaits until all that it is founded on has reported once.
func TestJudgementWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{probes: map[string]int{}}
		root := certificate(t, "CA", nil, year(2030), x509.SHA1WithRSA)
		w.show(certificate(t, "sip.fabrikam.com", root, year(2030), x509.SHA1WithRSA))
		w.publish(root)
		cfg := &site.Config{Sites: []*site.Site{office("oslo", site.Internal)}}
		blind, err := NewPlan(cfg, w.collectors()[1:], []site.NetworkName{site.Internal})
		if err != nil {
			t.Fatal(err)
		}
		h := startPlan(t, 1, blind)
		pass(time.Second)
		enrolled := map[string]string{"oslo internal enrolled": "trusted 1", "oslo internal enrolled until": "2030"}
		h.expect(t, "AD is not watched", enrolled)
		h.Swap(w.plan(t, cfg.Sites...))
		h.expect(t, "AD has not reported yet", map[string]string{})
		pass(time.Second)
		enrolled["oslo internal new"], enrolled["oslo internal new until"] = "trusted 1", "2030"
		h.expect(t, "AD has reported", enrolled)
	})
}

// TestJudgementSurvivesAPanic: a pool that cannot be judged leaves no series, and the others go on.
func TestJudgementSurvivesAPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{probes: map[string]int{}}
		root := certificate(t, "CA", nil, year(2030), x509.SHA1WithRSA)
		w.show(certificate(t, "sip.fabrikam.com", root, year(2030), x509.SHA1WithRSA))
		w.publish(root)
		h := startPlan(t, 1, w.plan(t, office("oslo", site.Internal)))
		pass(time.Second)
		if got := h.judged(); got["oslo internal new"] != "trusted 1" {
			t.Errorf("%v", got)
		}
		w.show(nil, nil)
		pass(time.Minute)
		h.expect(t, "a certificate that is none", map[string]string{})
		if h.logged("not judged") == 0 {
			t.Errorf("not told:\n%s", h.log)
		}
		w.show(certificate(t, "sip.fabrikam.com", root, year(2030), x509.SHA1WithRSA))
		pass(time.Minute)
		if got := h.judged(); got["oslo internal new"] != "trusted 1" {
			t.Errorf("healed: %v", got)
		}
	})
}

// TestJudgedAlike: sites are judged together where nothing tells them apart.
func TestJudgedAlike(t *testing.T) {
	root := certificate(t, "CA", nil, year(2030), x509.SHA1WithRSA)
	file := filepath.Join(t.TempDir(), "root.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	named := office("named", site.Internal)
	named.EnrolledRoots.Files = []string{file}
	plan := (&world{}).plan(t, office("oslo", site.Internal, site.External), office("bergen", site.Internal), named)
	var got []string
	for _, g := range plan.Judged {
		got = append(got, fmt.Sprint(g.Network, g.Sites, len(g.held), g.Directory != nil))
	}
	want := []string{"internal[oslo bergen] 0 true", "external[oslo] 0 true", "internal[named] 1 true"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	named.EnrolledRoots.Files = []string{file + ".gone"}
	_, err := NewPlan(&site.Config{Sites: []*site.Site{named}}, (&world{}).collectors(), []site.NetworkName{site.Internal})
	if err == nil || !strings.Contains(err.Error(), "root.pem.gone") {
		t.Errorf("a file that is not there: %v", err)
	}
}

// TestExplainTrust holds the text about a pool that some phones take and others do not to its golden file.
func TestExplainTrust(t *testing.T) {
	w := &world{probes: map[string]int{}}
	root := certificate(t, "Contoso Root CA", nil, year(2040), x509.SHA1WithRSA)
	issuing := certificate(t, "Contoso Issuing CA", root, year(2035), x509.SHA256WithRSA)
	w.show(certificate(t, "sip.fabrikam.com", issuing, year(2031), x509.SHA256WithRSA), issuing)
	second := phone.Endpoint{From: phone.Candidate{Name: "sip.fabrikam.com", Type: phone.A}, Asked: "sip.fabrikam.com",
		Host: "sip.fabrikam.com", Port: 443, Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.82")}}
	for i := range w.pool.Routes {
		w.pool.Routes[i].Endpoints = append(w.pool.Routes[i].Endpoints, second)
	}
	long := certificate(t, "pool02.contoso.com"+strings.Repeat(" of a very long name", 8), nil, year(2031), x509.SHA1WithRSA)
	w.pool.Servers = append(w.pool.Servers, facts.PoolServer{Address: netip.MustParseAddrPort("10.0.0.82:443"),
		Phone: facts.Handshake{Version: "TLS 1.0", Served: []*x509.Certificate{long}}})
	w.publish(root)
	for _, tt := range []struct {
		name     string
		held     []phone.Root
		external bool
		want     phone.Effect
	}{
		{"inside", nil, false, phone.Blocks},
		{"outside", nil, true, phone.Blocks},
		{"stranded", []phone.Root{{SHA256: strings.Repeat("ab", 32)}}, false, phone.Blocks},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var profiles []phone.Profile
			for _, f := range phone.KnownFirmware() {
				for _, kind := range phone.Kinds() {
					profiles = append(profiles, phone.Profile{Firmware: f, Kind: kind, Domains: phone.Domains{SIP: "fabrikam.com"},
						External: tt.external, Held: tt.held})
				}
			}
			var out strings.Builder
			seen := &facts.Seen{Pool: w.pool, Directory: w.directory}
			at := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
			tells := telling{title: "what phones make of it", steps: signin.Steps()}
			if worst := tells.explain(&out, seen, profiles, at); worst != tt.want {
				t.Errorf("the gravest is %s, want %s", worst, tt.want)
			}
			for line := range strings.Lines(out.String()) {
				if n := utf8.RuneCountInString(line); n > columns+1 {
					t.Errorf("%d columns: %s", n-1, line)
				}
			}
			file := "testdata/trust_" + tt.name + ".txt"
			if *update {
				if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), out.String()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", file, diff)
			}
		})
	}
}

// TestExplainLooks at what the judgement needs, once each.
func TestExplainLooks(t *testing.T) {
	w := &world{probes: map[string]int{}}
	root := certificate(t, "CA", nil, year(2050), x509.SHA1WithRSA)
	w.show(certificate(t, "sip.fabrikam.com", root, year(2050), x509.SHA1WithRSA))
	w.publish(root)
	h := newHarness(t, 1)
	defer h.Shared().Close()
	plan := w.plan(t, office("oslo", site.Internal))
	pool := plan.Find("oslo", "", "pool")[0]
	if g := plan.JudgedAt("bergen", pool); g != nil {
		t.Error("judged at a site that is not there")
	}
	look := func(p *Planned) *Report { return Once(t.Context(), h.Shared(), p, time.Now()) }
	if worst := plan.JudgedAt("oslo", pool).Explain(io.Discard, h.Shared(), look); worst != phone.Notes {
		t.Errorf("the gravest is %s", worst)
	}
	if diff := cmp.Diff(map[string]int{"pool": 1, "directory": 1}, w.probes); diff != "" {
		t.Errorf("probes (-want +got):\n%s", diff)
	}
	none := func(*Planned) *Report { return nil }
	if worst := plan.JudgedAt("oslo", pool).Explain(io.Discard, h.Shared(), none); worst != phone.Notes {
		t.Errorf("without any report the gravest is %s", worst)
	}
}

// TestReasonsHaveOneMeaning: no reason of the judgement goes by the name of a collector's.
func TestReasonsHaveOneMeaning(t *testing.T) {
	of := map[string]string{}
	for _, c := range collectors.All() {
		for _, r := range c.Reasons {
			of[r.Name] = c.Name
		}
	}
	if len(of) == 0 {
		t.Fatal("collectors have no reasons")
	}
	for _, r := range signin.Reasons() {
		if c := of[r.Name]; c != "" {
			t.Errorf("%s is a reason of %s already; known are %v", r.Name, c, slices.Sorted(maps.Keys(of)))
		}
	}
}
