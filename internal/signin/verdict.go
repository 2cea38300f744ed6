package signin

import (
	"crypto/x509"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// Readiness is whether a kind of phone can sign in.
type Readiness string

// The states of readiness. A verdict that is not given has none of them.
const (
	// Ready: it gets through, and everything in its order is good.
	Ready Readiness = "ready"
	// NotAll is degraded: it gets through, but not everything in its order is good.
	NotAll Readiness = "degraded"
	// Stopped is blocked: nothing in its order gets through.
	Stopped Readiness = "blocked"
	// Unclear is unknown: something that was asked gave no answer by which to judge.
	Unclear Readiness = "unknown"
	// NoVerdict: what it depends on is not watched.
	NoVerdict Readiness = "not_watched"
)

// fromBest has no verdict first, and then the others, the best before the worse.
var fromBest = []Readiness{NoVerdict, Ready, NotAll, Unclear, Stopped}

// Readinesses lists those that a verdict may have, the best first.
func Readinesses() []Readiness { return slices.Clone(fromBest[1:]) }

// Worst is the worse of two, of which one may be no verdict, or none yet.
func Worst(a, b Readiness) Readiness {
	if slices.Index(fromBest, a) >= slices.Index(fromBest, b) {
		return a
	}
	return b
}

// NotProven is what a verdict says nothing about, however good it is.
const NotProven = "the user's password, what the registrar says after the logon, and the call itself"

// Judged is the outcome of a step. Kinds of phones that fare alike share it, and nobody may change it.
type Judged struct {
	Step *Step
	*Outcome
}

// Verdict is how far one kind of phone gets.
type Verdict struct {
	// Firmware is the version.
	Firmware string
	Kind     phone.Kind
	State    Readiness
	// Walk holds every step of the sign-in, Beside what a phone needs besides.
	Walk, Beside []Judged
	// At is the first step that makes the state what it is; nil when it is ready, or the exporter's own network is
	// gone. Why says what was found there; it is empty when ready.
	At  *Judged
	Why Finding
	// Ends is the first certificate to end of those on which the sign-in depends; nil where that is not known.
	Ends *x509.Certificate

	rollOver rollOver
}

// Judge gives the verdicts on kinds of phones at one place, by what was seen for the firmware of each. Chains that were
// judged before are looked up in the cache. Before are the last verdicts on the same phones, nil where there are none:
// one that has not changed is given again.
func Judge(cache *Cache, seen map[string]*facts.Seen, profiles []phone.Profile, at time.Time, before []*Verdict) []*Verdict {
	all := make([]*Verdict, 0, len(profiles))
	c := &Case{cache: cache, at: at, shared: outcomesOf(before)}
	for i := range profiles {
		c.turnTo(seen[profiles[i].Firmware.Version], &profiles[i])
		v := c.verdict()
		if i < len(before) && v.same(before[i]) {
			v = before[i]
		}
		all = append(all, v)
	}
	return all
}

func (c *Case) verdict() *Verdict {
	p := c.profile
	v := &Verdict{Firmware: p.Firmware.Version, Kind: p.Kind, Walk: c.outcomes(walk), Beside: c.outcomes(beside)}
	v.settle(p.Kind == phone.New && (p.External || c.adNotWatched()))
	v.rollOver = c.rollOver(v.Of(phone.StepTrust))
	lost := slices.IndexFunc(c.seen.LostVantage, func(f Finding) bool { return f.Reason.Effect == phone.Blinds })
	if lost >= 0 && v.State != NoVerdict {
		c.lose(v, c.seen.LostVantage[lost])
	}
	return v
}

// same tells whether two verdicts are one; their outcomes are one already where they are the same.
func (v *Verdict) same(w *Verdict) bool {
	return v.Firmware == w.Firmware && v.Kind == w.Kind && v.State == w.State && (v.At == nil) == (w.At == nil) && v.Why == w.Why &&
		v.rollOver == w.rollOver && slices.Equal(v.Walk, w.Walk) && slices.Equal(v.Beside, w.Beside)
}

// lose takes back what is said against servers, when our own network or clock is at fault.
func (c *Case) lose(v *Verdict, why Finding) {
	v.State, v.At, v.Why = Unclear, nil, why
	for _, steps := range [][]Judged{v.Walk, v.Beside} {
		for i := range steps {
			if s := &steps[i]; s.State == Blocked || s.State == Degraded {
				lost := *s.Outcome
				lost.State = Unknown
				s.Outcome = c.share(lost)
			}
		}
	}
}

// plain are outcomes of which there is nothing more to say.
var plain = []*Outcome{{State: OK}, {State: NotNeeded}, {State: NotReached}, {State: NotWatched}}

// outcomesOf lists the outcomes that verdicts hold, each once, and the plain ones.
func outcomesOf(all []*Verdict) []*Outcome {
	out := slices.Clip(plain)
	for _, v := range all {
		for _, steps := range [][]Judged{v.Walk, v.Beside} {
			for _, j := range steps {
				if !slices.Contains(out, j.Outcome) {
					out = append(out, j.Outcome)
				}
			}
		}
	}
	return out
}

// share gives the outcome that is the same, which is this one where there is none yet.
func (c *Case) share(o Outcome) *Outcome {
	i := slices.IndexFunc(c.shared, o.same)
	if i < 0 {
		i, c.shared = len(c.shared), append(c.shared, new(o))
	}
	return c.shared[i]
}

func (c *Case) outcomes(steps []Step) []Judged {
	out := make([]Judged, 0, len(steps))
	for i := range steps {
		s := &steps[i]
		o := Outcome{State: NotReached}
		before := slices.IndexFunc(out, func(o Judged) bool {
			return slices.Contains(s.Needs, o.Step.Name) && (o.State == Blocked || o.State == NotReached)
		})
		if before < 0 {
			o = s.Judge(c)
			o.addresses, o.Servers = judgedAddresses(o.Servers), nil
		}
		if at, stale := c.seen.Stale[s.Name]; stale && o.State != NotNeeded && o.State != NotReached {
			o = Outcome{State: Unknown, Findings: []Finding{{Reason: reasonTooOld, Seen: "last looked at " + at.UTC().Format(time.RFC3339)}}}
		}
		out = append(out, Judged{s, c.share(o)})
	}
	return out
}

// settle sums the steps up. What is not watched is left out. A phone that may get its roots where nobody looks has
// no verdict, unless it is seen to trust its registrar without them.
func (v *Verdict) settle(rootsUnwatched bool) {
	worst := OK
	for i := range v.Walk {
		j := &v.Walk[i]
		if j.Step.Name == phone.StepTrust && rootsUnwatched && !j.Through() {
			worst, v.At = NotWatched, j
			break
		}
		if j.State != NotWatched && graver(worst, j.State) != worst {
			worst, v.At = j.State, j
		}
	}
	v.State = map[State]Readiness{OK: Ready, Degraded: NotAll, Blocked: Stopped, Unknown: Unclear, NotWatched: NoVerdict}[worst]
	if v.At != nil {
		if f := v.At.Why(); f != nil {
			v.Why = *f
		}
	}
	for _, j := range v.Walk {
		if EndsBefore(j.Ends, v.Ends) {
			v.Ends = j.Ends
		}
	}
}

// EndsName is the subject of the certificate that ends first, which must be known.
func (v *Verdict) EndsName() string { return subject(v.Ends) }

// Addresses lists the registrars' addresses, each once, whose chain the phone trusts under some name by which it comes
// there, and those that it refuses. One of which that is not known is in neither.
func (v *Verdict) Addresses() (trusted, refused []netip.AddrPort) {
	for _, j := range v.Walk {
		for _, a := range j.addresses {
			if a.trusted && !slices.Contains(trusted, a.AddrPort) {
				trusted = append(trusted, a.AddrPort)
			}
		}
	}
	for _, j := range v.Walk {
		for _, a := range j.addresses {
			if !slices.Contains(trusted, a.AddrPort) && !slices.Contains(refused, a.AddrPort) {
				refused = append(refused, a.AddrPort)
			}
		}
	}
	return trusted, refused
}

// Steps lists all steps, those of the walk first.
func (v *Verdict) Steps() []Judged { return slices.Concat(v.Walk, v.Beside) }

// Of finds a step; nil when there is none of that name.
func (v *Verdict) Of(name phone.Step) *Judged {
	for _, steps := range [][]Judged{v.Walk, v.Beside} {
		if i := slices.IndexFunc(steps, func(j Judged) bool { return j.Step.Name == name }); i >= 0 {
			return &steps[i]
		}
	}
	return nil
}

// NotWatched lists the steps that nobody looks at.
func (v *Verdict) NotWatched() []phone.Step {
	var out []phone.Step
	for _, j := range v.Steps() {
		if j.State == NotWatched {
			out = append(out, j.Step.Name)
		}
	}
	return out
}

// UpdateReady tells whether the phone would find new firmware wherever it is sent for it; known is false where that
// was not asked, or the answer does not tell.
func (v *Verdict) UpdateReady() (ready, known bool) {
	worst := NotWatched
	for _, j := range v.Beside {
		if j.Step.Name == phone.StepUpdate || j.Step.Name == phone.StepFirmware {
			worst = graver(worst, j.State)
		}
	}
	return worst == OK, worst == OK || worst == Degraded || worst == Blocked
}

// Text says in one line what the state is founded on: the step, if any, and the reason; empty when ready.
func (v *Verdict) Text() string {
	var out []string
	if v.At != nil {
		out = append(out, string(v.At.Step.Name))
	}
	if v.Why.Reason != nil {
		out = append(out, v.Why.Reason.Name)
	}
	return strings.Join(out, " ")
}
