package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/cx700/cx700_exporter/internal/catalogue"
	"github.com/cx700/cx700_exporter/internal/schedule"
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

// cause is a reason and where on the walk it is met.
type cause struct{ catalogue.Cause }

func causes() []cause {
	var out []cause
	for _, c := range catalogue.Causes() {
		out = append(out, cause{c})
	}
	return out
}

// explain writes all that is known of a reason.
func (c cause) explain(w io.Writer) {
	const indent = "            "
	schedule.Wrap(w, "", "  ", fmt.Sprintf("%s (%s): %s", c.Name, catalogue.EffectText(c.Effect), c.Means))
	schedule.Wrap(w, "  phone     ", indent, c.Screen)
	schedule.Wrap(w, "  mend      ", indent, c.Mend)
	schedule.Wrap(w, "  at phone  ", indent, c.AtPhone)
	schedule.Wrap(w, "  reset     ", indent, c.ResetText())
	for _, p := range c.At {
		schedule.Wrap(w, "  confirm   ", indent, p.Confirm())
		if p.Step != "" {
			schedule.Wrap(w, "  step      ", indent, p.Step)
		}
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
