package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/cx700/cx700_exporter/collectors"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/schedule"
	"github.com/cx700/cx700_exporter/internal/signin"
	"github.com/cx700/cx700_exporter/internal/spell"
)

type explainCmd struct {
	What []string `arg:"" help:"A reason such as root_empty, what the phone's screen says, or the numbers of its About screen, such as (0x2efd/0x0)."`
}

// Run explains a reason, or names what leads to a text on the phone's screen.
func (c *explainCmd) Run(env *environment) error {
	what := strings.Join(c.What, " ")
	all := causes()
	if s, ok := readStatus(what); ok {
		s.explain(env.stdout, all)
		return nil
	}
	name := strings.Join(strings.FieldsFunc(strings.ToLower(what), func(r rune) bool { return r == ' ' || r == '-' || r == '_' }), "_")
	if i := slices.IndexFunc(all, func(c cause) bool { return c.Name == name }); i >= 0 {
		all[i].explain(env.stdout)
		return nil
	}
	if s, ok := screenLike(what); ok {
		s.explain(env.stdout, all)
		return nil
	}
	return usageError{unknownWords(what, name, all)}
}

// place is a step of the phone's walk and what looks at it; no step for the exporter itself.
type place struct{ step, collector string }

func (p place) confirm() string { return "cx700_exporter probe " + p.collector + " --site SITE" }

// trustStep is where the pool's chain is judged, once it is known which roots phones get.
const trustStep = "trust"

// places lists the phone's walk in its order, and at the end what watches the exporter itself.
func places() []place {
	return []place{
		{"lease", "dhcp"}, {"time", "ntp"}, {"registrar", "dns"}, {"tls", "pool"}, {"domain_controller", "wins"},
		{"domain_controller", "directory"}, {"root", "certsrv"}, {trustStep, "pool"}, {"signin", "sip"}, {"exchange", "exchange"},
		{"update", "update"}, {"firmware", "firmware"}, {"firmware", "firmware_download"}, {"", "vantage"},
	}
}

// cause is a reason and where on the walk it is met; nowhere for one of the exporter itself.
type cause struct {
	*phone.Reason
	at []place
}

// causes lists every reason once, in the order of the walk.
func causes() []cause {
	var out []cause
	add := func(r *phone.Reason, at ...place) {
		if i := slices.IndexFunc(out, func(c cause) bool { return c.Name == r.Name }); i >= 0 {
			out[i].at = append(out[i].at, at...)
			return
		}
		out = append(out, cause{r, at})
	}
	for _, p := range places() {
		for _, c := range collectors.All() {
			for _, r := range c.Reasons {
				if c.Name == p.collector && p.step != trustStep {
					add(r, p)
				}
			}
		}
		for _, r := range signin.Reasons() {
			if ofTLS := strings.HasPrefix(r.Name, "tls_"); p.collector == "pool" && ofTLS == (p.step != trustStep) {
				add(r, p)
			}
		}
	}
	add(collectors.Internal())
	return out
}

// explain writes all that is known of a reason.
func (c cause) explain(w io.Writer) {
	const indent = "            "
	schedule.Wrap(w, "", "  ", fmt.Sprintf("%s (%s): %s", c.Name, effectText(c.Effect), c.Means))
	schedule.Wrap(w, "  phone     ", indent, c.Screen)
	schedule.Wrap(w, "  mend      ", indent, c.Mend)
	schedule.Wrap(w, "  at phone  ", indent, c.AtPhone)
	if c.ResetHurts {
		schedule.Wrap(w, indent, indent, noReset)
	}
	for _, p := range c.at {
		schedule.Wrap(w, "  confirm   ", indent, p.confirm())
		if p.step != "" {
			schedule.Wrap(w, "  step      ", indent, p.step)
		}
	}
}

const noReset = "do not hard reset it: that wipes the certificates of a phone that was signed in, and mends nothing here"

func effectText(e phone.Effect) string {
	switch e {
	case phone.Notes:
		return "noted: it stops nobody"
	case phone.Degrades:
		return "degraded: phones get through, but not everything in their order is good"
	case phone.Blinds:
		return "unknown: it only keeps the exporter from telling"
	case phone.BlocksNew:
		return "blocked: new and reset phones"
	case phone.Blocks:
		return "blocked: every phone"
	default:
		return e.String()
	}
}

// unknownWords is the error for what is no reason and on no screen; it offers what may have been meant.
func unknownWords(what, name string, all []cause) error {
	const columns, shown = 100, 24
	if len(what) > shown {
		what = strings.ToValidUTF8(what[:shown], "") + "…"
	}
	text := fmt.Sprintf("%q is no reason and on no screen; ", what)
	near := nearReasons(name, all)
	if near == nil {
		return errors.New(text + `try time_off, or "Cannot sign in"`)
	}
	text += "did you mean " + near[0]
	for _, n := range near[1:] {
		if len(text)+len(" or "+n+"?") < columns {
			text += " or " + n
		}
	}
	return errors.New(text + "?")
}

// nearReasons lists a few names that hold the words, and those that a few typing errors away are the same.
func nearReasons(name string, all []cause) []string {
	const few = 4
	var left, out []string
	for _, c := range all {
		left = append(left, c.Name)
	}
	take := func(known string) {
		out = append(out, known)
		left = slices.DeleteFunc(left, func(l string) bool { return l == known })
	}
	for _, known := range slices.Clone(left) {
		if len(name) >= few && strings.Contains(known, name) && len(out) < few {
			take(known)
		}
	}
	for len(out) < few {
		known := spell.Nearest(name, left, len(name)/3)
		if known == "" {
			break
		}
		take(known)
	}
	return out
}
