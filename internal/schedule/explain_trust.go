package schedule

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/signin"
)

// verdict is what the steps say of one kind of phone.
type verdict struct {
	phone.Profile
	outcomes signin.Verdicts
}

// of names a phone.
func (v *verdict) of() string { return v.Firmware.Version + " " + string(v.Kind) }

// telling is what is told of certificates.
type telling struct {
	title string
	steps []signin.Step
	// beside tells that what is judged keeps nobody from signing in.
	beside bool
	// unused is what is written where there is no certificate that phones might meet; empty where they meet one. Then
	// nothing fails, and what the reasons mean is left out.
	unused string
}

func (t telling) effect(o signin.Outcome, kind phone.Kind) phone.Effect {
	e := effectOf(o, kind)
	switch {
	case t.unused != "", t.beside && o.State == signin.Unknown && len(o.Findings) == 0: // the collector says why
		return phone.Notes
	case t.beside && e >= phone.BlocksNew:
		return phone.Degrades
	default:
		return e
	}
}

func (t telling) explain(w io.Writer, seen *facts.Seen, profiles []phone.Profile, at time.Time) phone.Effect {
	width := len("trust ")
	for _, s := range t.steps {
		width = max(width, len(s.Name))
	}
	worst := phone.Notes
	var all []*verdict
	var texts []string
	by := map[string][]*verdict{}
	for _, p := range profiles {
		v := &verdict{p, signin.Outcomes(t.steps, seen, p, at)}
		all = append(all, v)
		var text strings.Builder
		for i, o := range v.outcomes {
			Wrap(&text, fmt.Sprintf("    %-*s ", width, t.steps[i].Name), strings.Repeat(" ", width+5), outcomeText(o))
			worst = max(worst, t.effect(o, p.Kind))
		}
		if by[text.String()] == nil {
			texts = append(texts, text.String())
		}
		by[text.String()] = append(by[text.String()], v)
	}
	met := attemptsOf(all)
	if len(met) == 0 && t.unused != "" {
		Wrap(w, "", "  ", t.unused)
		return worst
	}
	Wrap(w, "", "  ", t.title)
	for _, text := range texts {
		Wrap(w, "  ", "  ", who(by[text], all))
		fmt.Fprint(w, text)
	}
	for _, s := range met {
		fmt.Fprintln(w)
		s.explain(w, all)
	}
	if t.unused == "" {
		explainFindings(w, all)
	}
	return worst
}

func effectOf(o signin.Outcome, kind phone.Kind) phone.Effect {
	switch {
	case o.State == signin.Blocked && kind == phone.New:
		return phone.BlocksNew
	case o.State == signin.Blocked:
		return phone.Blocks
	case o.State == signin.Unknown:
		return phone.Blinds
	case o.State == signin.Degraded:
		return phone.Degrades
	default:
		return phone.Notes
	}
}

func outcomeText(o signin.Outcome) string {
	out := strings.ReplaceAll(string(o.State), "_", " ")
	var names []string
	for _, f := range o.Findings {
		if !slices.Contains(names, f.Reason.Name) {
			names = append(names, f.Reason.Name)
		}
	}
	if names != nil {
		out += ": " + strings.Join(names, ", ")
	} else if o.State == signin.Unknown {
		out += ": the phone does not come so far"
	}
	if o.Ends != nil {
		out += fmt.Sprintf("; until %s, when %s ends", o.Ends.NotAfter.UTC().Format(time.DateOnly), facts.Subject(o.Ends))
	}
	if o.Anchor != nil {
		out += "; root until " + o.Anchor.NotAfter.UTC().Format(time.DateOnly)
	}
	if o.Unanchored {
		out += "; the phone's roots are not watched, any would do"
	}
	return out
}

// met is one address under one name, and what phones make of its chain.
type met struct {
	where string
	by    []*verdict
	trust []*phone.Trust // of each in by
}

// attemptsOf lists what was judged of each address, in the order in which phones come there.
func attemptsOf(all []*verdict) []*met {
	var out []*met
	for _, v := range all {
		for _, o := range v.outcomes {
			for _, a := range o.Servers {
				if a.Trust == nil {
					continue
				}
				where := fmt.Sprintf("%s at %s", a.Host, a.Address)
				i := slices.IndexFunc(out, func(m *met) bool { return m.where == where })
				if i < 0 {
					i, out = len(out), append(out, &met{where: where})
				}
				if m := out[i]; !slices.Contains(m.by, v) { // several records may lead to one server
					m.by, m.trust = append(m.by, v), append(m.trust, a.Trust)
				}
			}
		}
	}
	return out
}

// explain writes each path that some phone takes as a tree, from its root down, and at each link who has what
// against it.
func (m *met) explain(w io.Writer, all []*verdict) {
	Wrap(w, "", "  ", "chain of "+m.where)
	var paths []phone.Path
	for _, t := range m.trust {
		if !slices.ContainsFunc(paths, func(p phone.Path) bool { return samePath(p, t.Path) }) {
			paths = append(paths, t.Path)
		}
	}
	for _, p := range paths {
		var by []*verdict
		for i, t := range m.trust {
			if samePath(p, t.Path) {
				by = append(by, m.by[i])
			}
		}
		Wrap(w, "  to ", "     ", who(by, all))
		m.explainPath(w, p, by, all)
	}
}

func samePath(a, b phone.Path) bool {
	return a.Anchored == b.Anchored && slices.EqualFunc(a.Certificates, b.Certificates, (*x509.Certificate).Equal)
}

func (m *met) explainPath(w io.Writer, p phone.Path, by, all []*verdict) {
	indent, branch := "    ", ""
	top := len(p.Certificates) - 1
	if top < 0 {
		fmt.Fprintln(w, indent+"no certificate was served")
		return
	}
	if c := facts.CertificateOf(p.Certificates[top]); !p.Anchored && !c.SelfSigned {
		Wrap(w, indent+"? ", indent+"  ", c.Issuer+", not known here")
		branch = "└─ "
	}
	for i, c := range slices.Backward(p.Certificates) {
		of := facts.CertificateOf(c)
		role := ""
		if i == top && p.Anchored {
			role = " (a root of the phone)"
		}
		Wrap(w, indent+branch, indent+"   ", of.Subject+role)
		if branch != "" {
			indent += "   "
		}
		branch = "└─ "
		Wrap(w, indent+"  ", indent+"  ", fmt.Sprintf("%s %d, %s, %s to %s", of.KeyType, of.KeyBits, of.SignatureAlgorithm,
			of.NotBefore.UTC().Format(time.DateOnly), of.NotAfter.UTC().Format(time.DateOnly)))
		if i == 0 {
			Wrap(w, indent+"  alternative names: ", indent+"    ", cmp.Or(strings.Join(of.DNSNames, ", "), "none"))
		}
		m.explainLink(w, indent, c, by, all)
	}
}

// explainLink writes who has what against one certificate.
func (m *met) explainLink(w io.Writer, indent string, c *x509.Certificate, by, all []*verdict) {
	against := map[phone.TrustReason][]*verdict{}
	var order []phone.TrustReason
	var good []*verdict
	for i, v := range m.by {
		if !slices.Contains(by, v) {
			continue
		}
		clean := true
		for _, f := range slices.Concat(m.trust[i].Faults, m.trust[i].Doubts) {
			if f.About == nil || !c.Equal(f.About) {
				continue
			}
			clean = false
			if against[f.Reason] == nil {
				order = append(order, f.Reason)
			}
			against[f.Reason] = append(against[f.Reason], v)
		}
		if clean {
			good = append(good, v)
		}
	}
	if good != nil {
		Wrap(w, indent+"  good: ", indent+"    ", who(good, all))
	}
	for _, r := range order {
		Wrap(w, indent+"  "+string(r)+": ", indent+"    ", who(against[r], all))
	}
}

// who names phones; a firmware without more means both kinds.
func who(some, all []*verdict) string {
	if len(some) == len(all) {
		return "all phones"
	}
	var out []string
	for _, v := range some {
		twin := slices.ContainsFunc(some, func(o *verdict) bool { return o.Firmware == v.Firmware && o.Kind != v.Kind })
		name := v.of()
		if twin {
			name = v.Firmware.Version
		}
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return strings.Join(out, ", ")
}

// explainFindings writes each reason once, with what was seen of it.
func explainFindings(w io.Writer, all []*verdict) {
	var reasons []*phone.Reason
	seen := map[*phone.Reason][]string{}
	for _, v := range all {
		for _, o := range v.outcomes {
			for _, f := range o.Findings {
				if !slices.Contains(reasons, f.Reason) {
					reasons = append(reasons, f.Reason)
				}
				if !slices.Contains(seen[f.Reason], f.Seen) {
					seen[f.Reason] = append(seen[f.Reason], f.Seen)
				}
			}
		}
	}
	for _, r := range reasons {
		fmt.Fprintln(w)
		explainReason(w, r, strings.Join(seen[r], "; "))
	}
}
