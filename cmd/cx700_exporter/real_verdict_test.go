//go:build linux

package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cx700/cx700_exporter/internal/bed"
	"github.com/cx700/cx700_exporter/internal/check"
	"github.com/cx700/cx700_exporter/internal/signin"
)

// verdictRig is the program as it judges the guide's company on real servers, with what is needed to break them.
type verdictRig struct {
	*rig
	e *exporter
	// ca signs what servers are given; its root is published and held beside the bed's own.
	ca   *company
	root *x509.Certificate
	// healthy holds the series of the verdicts while nothing is wrong.
	healthy map[string]float64
}

// verdictSites has two sites. The account logs on at the CA's web page for the first; for the second it only sees that
// the page asks for a logon.
const verdictSites = `vantage:
  internal: {names: [fabrikam.com], time_servers: [192.168.7.20, 203.0.113.20]}
  external: {names: [sip.fabrikam.com], time_servers: [192.168.7.20, 203.0.113.20]}
collectors:
  dhcp: {interval: 2s, timeout: 2s}
  vantage: {interval: 1s}
  dns: {interval: 1s}
  ntp: {interval: 1s}
  directory: {interval: 1s}
  certsrv: {interval: 1s}
  pool: {interval: 1s}
  sip: {interval: 1s}
  exchange: {interval: 1s}
  update: {interval: 1s}
  firmware: {interval: 1s}
  firmware_download: {max_bytes_per_second: 1073741824}
credentials:
  reader: {username: probe@contoso.com, password_file: secret, allowed_hosts: ["*.contoso.com"]}
sites:
`

const verdictSite = `  - name: %s
    sip_domain: fabrikam.com
    dhcp: {domain: contoso.com, dns_servers: [192.168.7.5, 192.168.7.6]}
    enrolled_roots: [%s, company.pem]
    networks:
      internal:
        dhcp: {servers: [192.168.7.2]}
        directory: {credential: reader, roots: [%[2]s]}
        certsrv: {%s}
      external:
        resolvers: [203.0.113.5]
        reverse_proxy: ocsrp.fabrikam.com
`

// newVerdictRig starts the servers and the program, and waits until all phones are ready.
func newVerdictRig(t *testing.T) *verdictRig {
	t.Helper()
	c := &verdictRig{rig: newRig(t), ca: &company{t: t, key: rsaKey(t, 2048)}}
	c.root = c.ca.issue("Company Root", nil, authority)
	must(t, c.SetLease(t.Context(), bed.DHCP, bed.HealthyLease()))
	must(t, c.publish(t.Context(), c.roots(t)...))
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "secret"), []byte(bed.ProbePassword), 0o600))
	root := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.root.Raw})
	must(t, os.WriteFile(filepath.Join(dir, "company.pem"), root, 0o600))
	file := filepath.Join(dir, "cx700.yml")
	text := verdictSites + fmt.Sprintf(verdictSite, "guide", c.RootFile(), "credential: reader") + fmt.Sprintf(verdictSite, "branch", c.RootFile(), "")
	must(t, os.WriteFile(file, []byte(text), 0o600))
	c.e = c.serve(t, file)
	took := within(t, "all phones are ready", 20*time.Second, func() error {
		documents, err := c.check(t)
		if err == nil && verdictsText(documents) != "" {
			err = errors.New(verdictsText(documents))
		}
		c.healthy = verdictSeries(documents)
		return errors.Join(err, c.shows(t, c.healthy))
	})
	t.Logf("all phones are ready after %s", took.Round(time.Millisecond))
	return c
}

// roots are those that are published while nothing is wrong: the bed's and the one of ca.
func (c *verdictRig) roots(t *testing.T) [][]byte {
	root, err := c.Root()
	must(t, err)
	return [][]byte{root, c.root.Raw}
}

// publish puts roots, and no others, where new phones look for them.
func (c *verdictRig) publish(ctx context.Context, roots ...[]byte) error {
	return c.SetCACertificates(ctx, bed.DC, bed.PublishedRoot, roots...)
}

// check runs the command of that name.
func (c *verdictRig) check(t *testing.T) (documents []check.Document, err error) {
	t.Helper()
	cmd := c.Command(t.Context(), bed.Monitor, c.binary, "check", "--format=json", "--config.file="+c.e.file)
	var log strings.Builder
	cmd.Stderr = &log
	out, _ := cmd.Output() // the exit code tells the worst verdict
	if err := json.Unmarshal(out, &documents); err != nil {
		return nil, fmt.Errorf("check: %w: %s%s", err, out, log.String())
	}
	return documents, nil
}

// verdictSeries are the series that tell the verdicts of a document.
func verdictSeries(documents []check.Document) map[string]float64 {
	out := map[string]float64{}
	number := map[bool]float64{true: 1}
	for _, d := range documents {
		for _, v := range d.Verdicts {
			if v.State == string(signin.NoVerdict) {
				continue
			}
			labels := func(name, more string) string {
				return fmt.Sprintf(`%s{firmware="%s",network="%s",phone="%s",%s}`, name, v.Firmware, d.Network, v.Phone, more)
			}
			for _, state := range signin.Readinesses() {
				out[labels("state", fmt.Sprintf(`site="%s",state="%s"`, d.Site, state))] = number[v.State == string(state)]
			}
			for _, s := range v.Steps {
				through := s.State == string(signin.OK) || s.State == string(signin.Degraded) && !besides(s.Step)
				if through || s.State == string(signin.Blocked) || s.State == string(signin.Degraded) {
					out[labels("step_ok", fmt.Sprintf(`site="%s",step="%s"`, d.Site, s.Step))] = number[through]
				}
			}
			if v.State == string(signin.Stopped) {
				out[labels("blocked_info", fmt.Sprintf(`reason="%s",site="%s",step="%s"`, v.Reason, d.Site, v.Step))] = 1
			}
		}
	}
	return out
}

// besides tells that the sign-in does not depend on a step.
func besides(step string) bool {
	return slices.ContainsFunc(signin.Beside(), func(s signin.Step) bool { return string(s.Name) == step })
}

// shows compares the series that are served.
func (c *verdictRig) shows(t *testing.T, want map[string]float64) error {
	t.Helper()
	scrape, got := c.e.get(t, "/metrics"), map[string]float64{}
	for _, name := range []string{"state", "step_ok", "blocked_info"} {
		for labels, value := range series(t, scrape, "cx700_signin_"+name) {
			got[name+"{"+labels+"}"] = value
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		return fmt.Errorf("series of the verdicts (-want +got):\n%s", diff)
	}
	return nil
}

// verdictLine is what the log says of a verdict that became another; the first one has no state before.
var verdictLine = regexp.MustCompile(`level=\w+ msg="[^"]*" network=(\w+) phones=("[^"]*"|\S+) sites=("[^"]*"|\S+) before=\w+(?: state=(\w+))?`)

// worst reads the log from a place on: the worst state of each kind of phone at each site.
func (c *verdictRig) worst(from int) map[string]signin.Readiness {
	out := map[string]signin.Readiness{}
	for line := range strings.Lines(c.e.log.String()[from:]) {
		m := verdictLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		for _, site := range strings.Split(strings.Trim(m[3], `"`), ", ") {
			for _, phone := range strings.Split(strings.Trim(m[2], `"`), ", ") {
				key := site + " " + m[1] + " " + phone
				if state := signin.Readiness(m[4]); graver(state, out[key]) {
					out[key] = state
				}
			}
		}
	}
	return out
}

// graver holds two states against each other.
func graver(a, b signin.Readiness) bool {
	return slices.Index(signin.Readinesses(), a) > slices.Index(signin.Readinesses(), b)
}

// told waits until the command gives these verdicts, and then until the running program does. It returns both.
func (c *verdictRig) told(t *testing.T, want string) (documents []check.Document, took time.Duration) {
	t.Helper()
	begin := time.Now()
	within(t, "check gives the verdicts", 15*time.Second, func() (err error) {
		documents, err = c.check(t)
		if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(verdictsText(documents), "\n")); err == nil && diff != "" {
			return fmt.Errorf("verdicts (-want +got):\n%s", diff)
		}
		return err
	})
	within(t, "so does the running program", 15*time.Second, func() error { return c.shows(t, verdictSeries(documents)) })
	return documents, time.Since(begin)
}

// heals waits until all phones are ready.
func (c *verdictRig) heals(t *testing.T) time.Duration {
	t.Helper()
	return within(t, "healing heals", 15*time.Second, func() error { return c.shows(t, c.healthy) })
}

// neverWorse checks that no kind of phone was said to be worse off than it is in the end, not for a moment either.
func (c *verdictRig) neverWorse(t *testing.T, from int, documents []check.Document) {
	t.Helper()
	end := map[string]signin.Readiness{}
	for _, d := range documents {
		for _, v := range d.Verdicts {
			end[d.Site+" "+d.Network+" "+v.Firmware+" "+v.Phone] = signin.Readiness(v.State)
		}
	}
	for phone, worst := range c.worst(from) {
		if graver(worst, end[phone]) {
			t.Errorf("%s was said to be %s meanwhile, and is %s", phone, worst, end[phone])
		}
	}
}

// TestRealVerdict sets each fault alone on real servers and holds check, the series and the log to the verdicts in
// testdata/real_verdicts.txt, which are written by hand: what phones do by CONTRACT.md. LONG=1 adds the faults that are
// left out by default.
func TestRealVerdict(t *testing.T) {
	want := realVerdicts(t)
	c := newVerdictRig(t)
	faults := c.verdictFaults(t)
	for name := range want {
		is := func(f verdictFault) bool { return f.name == name }
		both := func(two twoFaults) bool { return two.first+" + "+two.second == name }
		if !slices.ContainsFunc(faults, is) && !slices.ContainsFunc(twoVerdicts(), both) {
			t.Errorf("there are verdicts of %q, which is no fault", name)
		}
	}
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			verdicts, written := want[f.name]
			if !written {
				t.Fatal("its verdicts are not written down")
			}
			if f.long && !long() {
				t.Skip("runs with LONG=1")
			}
			c.testVerdict(t, f, verdicts)
		})
	}
	for _, two := range twoVerdicts() {
		t.Run(two.first+" + "+two.second, func(t *testing.T) {
			if two.long && !long() {
				t.Skip("runs with LONG=1")
			}
			c.testTwoVerdicts(t, named(t, faults, two.first), named(t, faults, two.second), want)
		})
	}
	t.Run("lost packets", func(t *testing.T) { c.testLostPackets(t) })
	if code := c.e.stop(t); code != exitGood {
		t.Errorf("SIGTERM: exit code %d", code)
	}
}

func named(t *testing.T, faults []verdictFault, name string) verdictFault {
	t.Helper()
	i := slices.IndexFunc(faults, func(f verdictFault) bool { return f.name == name })
	if i < 0 {
		t.Fatalf("no fault is called %q", name)
	}
	return faults[i]
}

// testTwoVerdicts sets two faults at once. The earlier one on the walk is named and, once that is healed, the other.
func (c *verdictRig) testTwoVerdicts(t *testing.T, first, second verdictFault, want map[string]string) {
	both, written := want[first.name+" + "+second.name]
	if !written {
		t.Fatal("their verdicts are not written down")
	}
	healed := false
	defer func() {
		if !healed {
			must(t, all(first.heal, second.heal)(context.WithoutCancel(t.Context())))
		}
	}()
	must(t, all(first.set, second.set)(t.Context()))
	c.told(t, both)
	must(t, first.heal(t.Context()))
	c.told(t, want[second.name])
	must(t, second.heal(t.Context()))
	healed = true
	c.heals(t)
}

// testLostPackets loses one packet at a time. No verdict and no target may be said to have become another, and no tick
// be counted but good ones.
func (c *verdictRig) testLostPackets(t *testing.T) {
	places := lostPackets()
	if !long() {
		places = places[:2]
	}
	before := notGood(t, c.e.get(t, "/metrics"))
	for _, p := range places {
		from := len(c.e.log.String())
		must(t, c.LosePacket(t.Context(), p))
		within(t, "a packet is lost: "+p.String(), slack, func() error {
			if n, err := c.LostPackets(t.Context(), p.Host); err != nil || n != 1 {
				return fmt.Errorf("%d are lost %w", n, err)
			}
			return nil
		})
		must(t, c.HealPackets(t.Context(), p.Host))
		for range 2 { // the probe that lost it, and one more
			last := lastRuns(t, c.e.get(t, "/metrics"))
			maps.DeleteFunc(last, func(labels string, _ float64) bool { return strings.Contains(labels, "firmware_download") })
			within(t, "everything was probed again", slack, func() error { return allNewer(last, lastRuns(t, c.e.get(t, "/metrics"))) })
		}
		if events := eventLine.FindAllString(c.e.log.String()[from:], -1); events != nil {
			t.Errorf("%s: events:\n%s", p, strings.Join(events, "\n"))
		}
	}
	if after := notGood(t, c.e.get(t, "/metrics")); after != before {
		t.Errorf("ticks that are not good: %v before, %v after", before, after)
	}
}

// eventLine is what the log says when something has become another than it was.
var eventLine = regexp.MustCompile(`(?m)^.*msg="(?:target |phones |it cannot be told).*$`)

// notGood counts the ticks that were bad or unknown.
func notGood(t *testing.T, scrape string) (sum float64) {
	t.Helper()
	for _, name := range []string{"cx700_signin_bad_ticks_total", "cx700_signin_unknown_ticks_total"} {
		counts := series(t, scrape, name)
		if len(counts) == 0 {
			t.Fatal("no series of " + name)
		}
		for _, n := range counts {
			sum += n
		}
	}
	return sum
}

func (c *verdictRig) testVerdict(t *testing.T, f verdictFault, want string) {
	healed, from := false, len(c.e.log.String())
	defer func() {
		if !healed { // lest the faults after this one fail as well
			must(t, f.heal(context.WithoutCancel(t.Context())))
		}
	}()
	must(t, f.set(t.Context()))
	documents, broken := c.told(t, want)
	must(t, f.heal(t.Context()))
	healed = true
	whole := c.heals(t)
	c.neverWorse(t, from, documents)
	t.Logf("told after %s, healed after %s", broken.Round(time.Millisecond), whole.Round(time.Millisecond))
}

// realVerdicts reads the verdicts by fault: a line that is not indented names one and says what it is.
func realVerdicts(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "real_verdicts.txt"))
	must(t, err)
	out, name := map[string]string{}, ""
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, " ") {
			out[name] += line
			continue
		}
		name, _, _ = strings.Cut(line, ":")
		if _, twice := out[name]; twice {
			t.Fatalf("%q is there twice", name)
		}
		out[name] = ""
	}
	return out
}
