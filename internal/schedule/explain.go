package schedule

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/cx700/cx700_exporter/internal/phone"
)

const columns = 100

// Explain writes a report for a reader: what was asked and answered, then each reason found with what
// the phone shows and what mends it. No line is longer than 100 columns, save for single long words.
func (r *Report) Explain(w io.Writer) {
	t := &r.Planned.Target
	fmt.Fprintf(w, "%s of %s, %s network\n", t.Collector, t.Name, t.Network)
	fmt.Fprintln(w, r.Planned.Collector.Asks)
	fmt.Fprintln(w)
	var text strings.Builder
	r.Planned.Collector.Explain(&text, t, r.Seen)
	for line := range strings.Lines(text.String()) {
		if len(line) <= columns { // its spaces may align it with others
			fmt.Fprint(w, line)
			continue
		}
		indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
		Wrap(w, indent, indent+"  ", strings.TrimSpace(line))
	}
	fmt.Fprintln(w)
	for _, f := range r.Failures {
		explainReason(w, f.Reason, f.Err.Error())
	}
	fmt.Fprintf(w, "%s, in %s\n", r.sum(), r.Ended.Sub(r.Started).Round(time.Millisecond))
}

// explainReason writes what a reason means and does, what was seen of it, what the phone shows and what mends it.
func explainReason(w io.Writer, r *phone.Reason, seen string) {
	Wrap(w, "", "  ", fmt.Sprintf("%s (%s): %s", r.Name, r.Effect, r.Means))
	ExplainMend(w, r, seen)
}

// ExplainMend writes what was seen of a reason, what the phone shows and what mends it.
func ExplainMend(w io.Writer, r *phone.Reason, seen string) {
	Wrap(w, "  seen      ", "            ", seen)
	Wrap(w, "  phone     ", "            ", r.Screen)
	Wrap(w, "  mend      ", "            ", r.Mend)
	Wrap(w, "  at phone  ", "            ", r.AtPhone)
	if r.WarnOfReset() {
		Wrap(w, "  reset     ", "            ", r.ResetText())
	}
}

func (r *Report) sum() string {
	if len(r.Failures) == 0 {
		return "good: nothing wrong was found"
	}
	return fmt.Sprintf("%s: %s", r.Worst(), strings.ReplaceAll(r.outcome(), ",", ", "))
}

// Wrap writes words in lines of at most 100 columns, save for single long words.
func Wrap(w io.Writer, first, rest, text string) {
	line := first
	empty := true
	for word := range strings.FieldsSeq(text) {
		if !empty && len(line)+1+len(word) > columns {
			fmt.Fprintln(w, line)
			line, empty = rest, true
		}
		if !empty {
			line += " "
		}
		line += word
		empty = false
	}
	fmt.Fprintln(w, line)
}
