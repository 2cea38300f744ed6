package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/cx700/cx700_exporter/internal/catalogue"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/schedule"
	"github.com/cx700/cx700_exporter/internal/spell"
)

// screen is something that phones show or do (CONTRACT section 8), or that users say of them.
type screen struct {
	// shows is its beginning, by which the reasons that lead to it are found.
	shows string
	// also are longer and shorter ways in which users tell it.
	also []string
	// ask is what to ask the user for, to be told more; empty for nothing.
	ask string
}

// screens lists what phones show; those that begin alike from the longest to the shortest.
func screens() []screen {
	return []screen{
		{shows: "Cannot validate server certificate", also: []string{"certificate error", "certificate"}},
		{shows: "Cannot connect to the server", also: []string{
			"Cannot connect to the server. Retrying. If the problem continues, contact your support team", "retrying"}},
		{shows: "Cannot sign in. You do not have the necessary permissions", also: []string{
			"Cannot sign in. You do not have the necessary permissions. Contact your system administrator", "no permissions"}},
		{shows: "Cannot sign in because the server is temporarily unavailable", also: []string{"server temporarily unavailable"}},
		{shows: "Cannot sign in; the clock of the phone may be wrong", also: []string{"clock wrong", "time wrong"}},
		{shows: "Cannot sign in", also: []string{"cannot log on", "sign-in fails"}},
		{shows: "Connection to Microsoft Exchange is unavailable", also: []string{
			"Connection to Microsoft Exchange is unavailable. Please contact your support team", "exchange", "voice mail missing", "contacts missing",
			"call logs missing"}},
		{shows: "Last Update Status", also: []string{"firmware stays", "no update", "firmware not updating"},
			ask: `Ask for the numbers behind it, and try: cx700_exporter explain "(0x2efd/0x0)"`},
		{shows: "slow sign-in", also: []string{"sign-in takes long"}},
		{shows: "sign-in that never ends", also: []string{"signing in for ever", "endless sign-in"}},
		{shows: "asks for the password again and again", also: []string{"password again"}},
		{shows: "no network", also: []string{"no address"}},
		{shows: "some phones fail and others do not", also: []string{"works on some phones"}},
	}
}

// likeness is from which likeness on words are taken for a screen's; 1 is the same words.
const likeness = 0.6

// screenLike finds the screen that was read out, imprecisely.
func screenLike(said string) (best screen, ok bool) {
	words := contentWords(said)
	most := 0.0
	for _, s := range screens() {
		for _, text := range append([]string{s.shows}, s.also...) {
			if l := alike(words, contentWords(text)); l >= likeness && l > most {
				best, most = s, l
			}
		}
	}
	return best, most > 0
}

// alike compares what was said with a text, from 0 to 1: by the share of words that are in both, or, where all of the
// text is in a longer story, by how long it is.
func alike(said, text []string) float64 {
	both, telling := 0, false
	for _, t := range text {
		if slices.ContainsFunc(said, func(s string) bool { return sameWord(s, t) }) {
			both++
			telling = telling || t != "cannot" && t != "server"
		}
	}
	if !telling {
		return 0
	}
	share := 2 * float64(both) / float64(len(said)+len(text))
	if both == len(text) {
		share = max(share, likeness+float64(min(both, 6))/20)
	}
	return share
}

// sameWord takes shortened words and a typing error or two for the same.
func sameWord(a, b string) bool {
	const short, long = 4, 7
	shortest := min(len(a), len(b))
	switch {
	case a == b:
		return true
	case shortest < short:
		return false
	case strings.HasPrefix(a, b) || strings.HasPrefix(b, a):
		return true
	case shortest < long:
		return spell.Nearest(a, []string{b}, 1) != ""
	default:
		return spell.Nearest(a, []string{b}, 2) != ""
	}
}

// contentWords are the words of a text that tell it from others, the same for different ways to say it.
func contentWords(text string) []string {
	text = strings.ToLower(text)
	for _, same := range [][2]string{
		{"’", "'"}, {"can't", "cannot"}, {"can not", "cannot"}, {"couldn't", "cannot"}, {"could not", "cannot"}, {"unable to", "cannot"},
		{"failed to", "cannot"}, {"log on", "sign"}, {"log in", "sign"}, {"sign in", "sign"}, {"sign-in", "sign"}, {"signing in", "sign"},
	} {
		text = strings.ReplaceAll(text, same[0], same[1])
	}
	same := map[string]string{"cant": "cannot", "verify": "validate", "logon": "sign", "login": "sign", "signin": "sign", "cert": "certificate"}
	empty := strings.Fields("the a an to of is it its in on at and or i my your you do does not have has for please says phone that if this be may with because")
	var out []string
	for _, w := range strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if s, ok := same[w]; ok {
			w = s
		}
		if !slices.Contains(empty, w) && !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	return out
}

// of tells whether a reason leads to the screen: likely, or perhaps only.
func (s screen) of(r *phone.Reason) (likely, perhaps bool) {
	shows, screen := strings.ToLower(s.shows), strings.ToLower(r.Screen)
	if !strings.Contains(screen, shows) {
		return false, false
	}
	likely = r.Effect == phone.Blocks || r.Effect == phone.BlocksNew || r.Effect == phone.Degrades && !strings.HasPrefix(screen, "nothing")
	return likely, !likely
}

// explain writes what leads to the screen.
func (s screen) explain(w io.Writer, all []cause) {
	fmt.Fprintf(w, "%q\n", s.shows)
	if s.ask != "" {
		fmt.Fprintln(w, s.ask)
	}
	var likely, perhaps []cause
	for _, c := range all {
		switch l, p := s.of(c.Reason); {
		case l:
			likely = append(likely, c)
		case p:
			perhaps = append(perhaps, c)
		}
	}
	explainCauses(w, likely, perhaps)
}

// explainCauses writes causes in the order in which a phone meets them, those of one step under the command that
// confirms them.
func explainCauses(w io.Writer, likely, perhaps []cause) {
	fmt.Fprintln(w, "What leads to it, in the order in which a phone meets it; explain REASON tells more of each.")
	for _, p := range catalogue.Places() {
		here := func(c cause) bool { return len(c.At) > 0 && c.At[0] == p }
		if !slices.ContainsFunc(likely, here) && !slices.ContainsFunc(perhaps, here) {
			continue
		}
		fmt.Fprintf(w, "\n%s: confirm with %s\n", p.Step, p.Confirm())
		for _, c := range likely {
			if here(c) {
				schedule.Wrap(w, "  ", "    ", fmt.Sprintf("%s: %s. Mend: %s.", c.Name, c.Means, c.Mend))
			}
		}
		var names []string
		for _, c := range perhaps {
			if here(c) {
				names = append(names, c.Name)
			}
		}
		if names != nil {
			schedule.Wrap(w, "  ", "    ", "perhaps: "+strings.Join(names, ", "))
		}
	}
	fmt.Fprintln(w)
	schedule.Wrap(w, "", "", "At the phone: "+catalogue.NoReset+". Mend the server first; most phones then try again by themselves.")
}
