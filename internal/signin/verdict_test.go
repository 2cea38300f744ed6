package signin

import (
	"crypto/x509"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// The reasons of collectors, as far as these tests need some.
var (
	clockOff    = &phone.Reason{Name: "time_off", Effect: phone.Blocks}
	oneClockOff = &phone.Reason{Name: "one_time_off", Effect: phone.Degrades}
	refusal     = &phone.Reason{Name: "sip_forbidden", Effect: phone.Blocks}
	noAnswer    = &phone.Reason{Name: "resolvers_silent", Effect: phone.Blinds}
	emptied     = &phone.Reason{Name: "root_empty", Effect: phone.BlocksNew}
	noPrivilege = &phone.Reason{Name: "privilege_missing", Effect: phone.NotWatched}
	noImage     = &phone.Reason{Name: "firmware_missing", Effect: phone.Blocks}
	lostNetwork = &phone.Reason{Name: "vantage_lost", Effect: phone.Blinds}
	ownClock    = &phone.Reason{Name: "vantage_clock", Effect: phone.Degrades}
)

// company is one in which everything is good, with four front ends.
type company struct {
	root, other *x509.Certificate
	seen        *facts.Seen
	held        []phone.Root
	external    bool
}

var frontEnds = []string{"10.0.0.81", "10.0.0.82", "10.0.0.83", "10.0.0.84"}

func newCompany(t *testing.T) *company {
	c := &company{root: root(t, "Company Root"), other: root(t, "Other Root")}
	c.seen = &facts.Seen{Directory: directoryOf([]*x509.Certificate{c.root}), Certsrv: wanting(http.StatusUnauthorized), Findings: map[phone.Step][]facts.Finding{}}
	for _, s := range []phone.Step{phone.StepLease, phone.StepTime, phone.StepRegistrar, phone.StepController, phone.StepRoot, phone.StepSignIn,
		phone.StepUpdate, phone.StepFirmware} {
		c.seen.Findings[s] = nil
	}
	c.serve(issue(t, sipHost, c.root))
	return c
}

// serve lets every front end show a certificate.
func (c *company) serve(leaf *x509.Certificate) {
	var servers []facts.PoolServer
	for _, a := range frontEnds {
		servers = append(servers, serving(a+":5061", leaf))
	}
	c.seen.Pool = poolOf([]phone.Endpoint{bySRV(sipHost, frontEnds...)}, servers...)
}

// find puts a finding to a step.
func (c *company) find(s phone.Step, r *phone.Reason) {
	c.seen.Findings[s] = append(c.seen.Findings[s], facts.Finding{Reason: r, Seen: "as seen"})
}

// empty takes the root from Active Directory, as the collector reports it.
func (c *company) empty() {
	c.seen.Directory = directoryOf(nil)
	c.find(phone.StepRoot, emptied)
}

// unwatch lets nobody look at a step.
func (c *company) unwatch(s phone.Step) { delete(c.seen.Findings, s) }

// wanting is a CA's web page that answers everybody with a status.
func wanting(status int) *facts.Certsrv {
	return &facts.Certsrv{Hosts: []facts.CertsrvHost{{Host: "ca01", Anonymous: &facts.CertsrvAnswer{WebAnswer: facts.WebAnswer{Status: status}}}}}
}

// verdictText writes a verdict as its state, step and reason.
func verdictText(v *Verdict) string {
	if v.Why.Reason != nil {
		reached.Store(v.Why.Reason.Name, true)
	}
	return strings.TrimSpace(string(v.State) + " " + v.Text())
}

type verdictCase struct {
	name string
	edit func(*company)
	// enrolled and new are the verdicts on both kinds; new is as enrolled when empty.
	enrolled, new string
}

func verdictCases(t *testing.T) []verdictCase {
	expired := func(c *company) { c.serve(issue(t, sipHost, c.root, ended)) }
	return []verdictCase{
		{name: "healthy", edit: func(*company) {}, enrolled: "ready"},
		{name: "the clock", edit: func(c *company) { c.find(phone.StepTime, clockOff) }, enrolled: "blocked time time_off"},
		{name: "one of the clocks", edit: func(c *company) { c.find(phone.StepTime, oneClockOff) }, enrolled: "degraded time one_time_off"},
		{name: "resolvers keep silent", edit: func(c *company) { c.find(phone.StepRegistrar, noAnswer) }, enrolled: "unknown registrar resolvers_silent"},
		{name: "what is known to block outweighs what is unknown", edit: func(c *company) {
			c.find(phone.StepTime, noAnswer)
			c.find(phone.StepSignIn, refusal)
		}, enrolled: "blocked signin sip_forbidden"},
		{name: "two faults, the earlier is named", edit: func(c *company) {
			c.find(phone.StepSignIn, refusal)
			expired(c)
			c.find(phone.StepTime, clockOff)
		}, enrolled: "blocked time time_off"},
		{name: "two faults, the first healed", edit: func(c *company) {
			c.find(phone.StepSignIn, refusal)
			expired(c)
		}, enrolled: "blocked trust link_expired"},
		{name: "two faults, the second healed", edit: func(c *company) { c.find(phone.StepSignIn, refusal) }, enrolled: "blocked signin sip_forbidden"},
		{name: "one of four front ends dead", edit: func(c *company) {
			c.seen.Pool.Servers[2] = failing(frontEnds[2]+":5061", facts.HandshakeUnreachable)
		}, enrolled: "degraded tls tls_unreachable"},
		{name: "all four dead", edit: func(c *company) {
			for i, a := range frontEnds {
				c.seen.Pool.Servers[i] = failing(a+":5061", facts.HandshakeUnreachable)
			}
		}, enrolled: "blocked tls tls_unreachable"},
		{name: "hardened", edit: func(c *company) {
			for i, a := range frontEnds {
				c.seen.Pool.Servers[i] = hardened(a + ":5061")
			}
		}, enrolled: "blocked tls tls_hardened"},
		{name: "cACertificate empty, certsrv fails", edit: func(c *company) {
			c.empty()
			c.seen.Certsrv, c.held = wanting(http.StatusNotFound), held(c.root)
		}, enrolled: "ready", new: "blocked root root_empty"},
		{name: "cACertificate empty, certsrv's chain anchors the pool", edit: func(c *company) {
			c.empty()
			c.seen.Certsrv, c.held = certsrvOf(c.root), held(c.root)
		}, enrolled: "ready", new: "degraded root root_empty"},
		{name: "cACertificate empty, certsrv's chain is another", edit: func(c *company) {
			c.empty()
			c.seen.Certsrv, c.held = certsrvOf(c.other), held(c.root)
		}, enrolled: "ready", new: "blocked trust unknown_root"},
		{name: "cACertificate empty, certsrv wants a logon", edit: func(c *company) {
			c.empty()
			c.held = held(c.root)
		}, enrolled: "ready", new: "unknown root certsrv_root_not_seen"},
		{name: "roll-over, phones not yet enrolled anew", edit: func(c *company) {
			c.held = held(c.root)
			c.seen.Directory = directoryOf([]*x509.Certificate{c.other})
			c.serve(issue(t, sipHost, c.other))
		}, enrolled: "blocked trust unknown_root", new: "ready"},
		{name: "roll-over, the pool not yet", edit: func(c *company) {
			c.held = held(c.root)
			c.seen.Directory = directoryOf([]*x509.Certificate{c.other})
		}, enrolled: "ready", new: "blocked trust unknown_root"},
		{name: "new phones need a domain controller", edit: func(c *company) {
			c.find(phone.StepController, noAnswer)
		}, enrolled: "ready", new: "unknown domain_controller resolvers_silent"},
		{name: "nobody looks at AD", edit: func(c *company) {
			c.seen.Directory, c.seen.Certsrv = nil, nil
			c.unwatch(phone.StepRoot)
			c.unwatch(phone.StepController)
		}, enrolled: "ready", new: "not_watched trust ad_roots_not_watched"},
		{name: "outside", edit: func(c *company) { c.external = true }, enrolled: "ready", new: "not_watched trust enrol_inside_first"},
		{name: "outside, blocked", edit: func(c *company) {
			c.external = true
			c.find(phone.StepSignIn, refusal)
		}, enrolled: "blocked signin sip_forbidden", new: "not_watched trust enrol_inside_first"},
		{name: "DHCP not watched", edit: func(c *company) { c.find(phone.StepLease, noPrivilege) }, enrolled: "ready"},
		{name: "nobody asks the registrar", edit: func(c *company) { c.unwatch(phone.StepSignIn) }, enrolled: "ready"},
		{name: "no image to fetch", edit: func(c *company) { c.find(phone.StepFirmware, noImage) }, enrolled: "ready"},
		{name: "too old to judge by", edit: func(c *company) {
			c.seen.Stale = map[phone.Step]time.Time{phone.StepTime: today.Add(-time.Hour)}
		}, enrolled: "unknown time results_too_old"},
		{name: "our own network is gone", edit: func(c *company) {
			c.find(phone.StepTime, clockOff)
			c.seen.LostVantage = []facts.Finding{{Reason: lostNetwork}}
		}, enrolled: "unknown vantage_lost"},
		{name: "our own clock is off", edit: func(c *company) {
			c.seen.LostVantage = []facts.Finding{{Reason: ownClock}}
		}, enrolled: "ready"},
	}
}

func TestVerdict(t *testing.T) {
	for _, tt := range verdictCases(t) {
		t.Run(tt.name, func(t *testing.T) {
			c := newCompany(t)
			tt.edit(c)
			if tt.new == "" {
				tt.new = tt.enrolled
			}
			for kind, want := range map[phone.Kind]string{phone.Enrolled: tt.enrolled, phone.New: tt.new} {
				if diff := cmp.Diff(want, verdictText(c.judge(kind))); diff != "" {
					t.Errorf("%s (-want +got):\n%s", kind, diff)
				}
			}
		})
	}
}

func (c *company) judge(kind phone.Kind) *Verdict {
	p := profile("3.5.6907.35", kind)
	p.Held, p.External = c.held, c.external
	return Judge(&Cache{}, map[string]*facts.Seen{p.Firmware.Version: c.seen}, []phone.Profile{p}, today, nil)[0]
}

// TestStepsAfterABlockedOne are not reached where they need it, and judged where they do not.
func TestStepsAfterABlockedOne(t *testing.T) {
	c := newCompany(t)
	c.find(phone.StepRegistrar, clockOff)
	got := map[phone.Step]State{}
	for _, j := range c.judge(phone.New).Steps() {
		got[j.Step.Name] = j.State
	}
	want := map[phone.Step]State{
		phone.StepLease: OK, phone.StepTime: OK, phone.StepRegistrar: Blocked, phone.StepTLS: NotReached, phone.StepController: OK,
		phone.StepRoot: OK, phone.StepTrust: NotReached, phone.StepSignIn: NotReached,
		phone.StepExchange: NotWatched, phone.StepUpdate: OK, phone.StepFirmware: OK,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestLostNetwork says nothing of servers, good ones apart.
func TestLostNetwork(t *testing.T) {
	c := newCompany(t)
	c.find(phone.StepTime, clockOff)
	c.find(phone.StepRegistrar, oneClockOff)
	c.find(phone.StepFirmware, noImage)
	c.seen.LostVantage = []facts.Finding{{Reason: lostNetwork}}
	for _, j := range c.judge(phone.New).Steps() {
		want := OK
		switch j.Step.Name {
		case phone.StepTime, phone.StepRegistrar, phone.StepFirmware:
			want = Unknown
		case phone.StepExchange:
			want = NotWatched
		}
		if j.State != want {
			t.Errorf("%s is %s, want %s", j.Step.Name, j.State, want)
		}
	}
}

// TestPhonesShareOutcomes: kinds of phones that fare alike hold one outcome, and what one of them has lost or meets by
// itself the others have not.
func TestPhonesShareOutcomes(t *testing.T) {
	c := newCompany(t)
	c.find(phone.StepTime, oneClockOff)
	c.find(phone.StepRoot, emptied)
	old, late := profile("1.0.199.123", phone.Enrolled), profile("3.5.6907.35", phone.Enrolled)
	fresh := profile("3.5.6907.35", phone.New)
	lost := *c.seen
	lost.LostVantage = []facts.Finding{{Reason: lostNetwork}}
	all := Judge(&Cache{}, map[string]*facts.Seen{old.Firmware.Version: &lost, late.Firmware.Version: c.seen}, []phone.Profile{late, fresh, old}, today, nil)
	states := func(s phone.Step) (out []State) {
		for _, v := range all {
			out = append(out, v.Of(s).State)
		}
		return out
	}
	for step, want := range map[phone.Step][]State{
		phone.StepTime:  {Degraded, Degraded, Unknown},
		phone.StepRoot:  {NotNeeded, Degraded, NotNeeded},
		phone.StepTrust: {OK, OK, OK},
	} {
		if diff := cmp.Diff(want, states(step)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step, diff)
		}
	}
	for _, step := range []phone.Step{phone.StepTime, phone.StepTrust} {
		if all[0].Of(step).Outcome != all[1].Of(step).Outcome {
			t.Errorf("%s is held twice", step)
		}
	}
}

// TestVerdictsAreGivenAgain where nothing has changed, and only there.
func TestVerdictsAreGivenAgain(t *testing.T) {
	for _, tt := range []struct {
		name string
		edit func(*company)
		// enrolled and new tell whether the verdict on the kind is another.
		enrolled, new bool
	}{
		{"nothing", func(*company) {}, false, false},
		{"another certificate", func(c *company) { c.serve(issue(t, sipHost, c.root, soon)) }, true, true},
		{"a step beside", func(c *company) { c.find(phone.StepFirmware, noImage) }, true, true},
		{"what new phones need", func(c *company) { c.find(phone.StepRoot, emptied) }, false, true},
		{"what was seen", func(c *company) {
			c.seen.Findings[phone.StepTime] = []facts.Finding{{Reason: oneClockOff, Seen: "anew"}}
		}, true, true},
		{"what a roll-over does", func(c *company) { c.publish(c.root, root(t, "Young Root")) }, true, false},
		{"the network", func(c *company) { c.seen.LostVantage = []facts.Finding{{Reason: lostNetwork}} }, true, true},
	} {
		c := newCompany(t)
		c.find(phone.StepTime, oneClockOff)
		c.held = held(c.root)
		enrolled, fresh := profile("3.5.6907.35", phone.Enrolled), profile("3.5.6907.35", phone.New)
		enrolled.Held, fresh.Held = c.held, c.held
		judge := func(before []*Verdict) []*Verdict {
			seen := *c.seen
			return Judge(&Cache{}, map[string]*facts.Seen{"3.5.6907.35": &seen}, []phone.Profile{enrolled, fresh}, today, before)
		}
		before := judge(nil)
		tt.edit(c)
		now := judge(before)
		if got := [2]bool{now[0] != before[0], now[1] != before[1]}; got != [2]bool{tt.enrolled, tt.new} {
			t.Errorf("%s: enrolled, new are others: %v", tt.name, got)
		}
	}
}

// TestUpdateReady is known only where both the answer and the files were looked at and told something.
func TestUpdateReady(t *testing.T) {
	for _, tt := range []struct {
		name         string
		edit         func(*company)
		ready, known bool
	}{
		{"good", func(*company) {}, true, true},
		{"no image", func(c *company) { c.find(phone.StepFirmware, noImage) }, false, true},
		{"one copy of two", func(c *company) { c.find(phone.StepFirmware, oneClockOff) }, false, true},
		{"no answer to judge by", func(c *company) { c.find(phone.StepUpdate, noAnswer) }, false, false},
		{"not watched", func(c *company) { c.unwatch(phone.StepUpdate); c.unwatch(phone.StepFirmware) }, false, false},
	} {
		c := newCompany(t)
		tt.edit(c)
		if ready, known := c.judge(phone.Enrolled).UpdateReady(); ready != tt.ready || known != tt.known {
			t.Errorf("%s: ready %t, known %t", tt.name, ready, known)
		}
	}
}

// TestValidUntil is the earliest end on the way, told with its name.
func TestValidUntil(t *testing.T) {
	c := newCompany(t)
	if v := c.judge(phone.New); !until(v.Ends).Equal(nextYear) || v.EndsName() != "CN="+sipHost {
		t.Errorf("ends %s", until(v.Ends))
	}
	c.serve(issue(t, sipHost, c.root, soon))
	if v := c.judge(phone.New); !until(v.Ends).Equal(today.AddDate(0, 0, 7)) {
		t.Errorf("ends %s", until(v.Ends))
	}
}
