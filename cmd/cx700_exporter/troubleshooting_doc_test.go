package main

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cx700/cx700_exporter/alerts"
	"github.com/cx700/cx700_exporter/internal/catalogue"
	"github.com/cx700/cx700_exporter/internal/schedule"
)

// TestTroubleshootingDoc holds docs/troubleshooting.md to the screens and reasons that explain knows.
func TestTroubleshootingDoc(t *testing.T) {
	const file = "../../docs/troubleshooting.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	doc := inPlace(t, string(text), "screens", screenChapters(t))
	golden(t, file, inPlace(t, doc, "numbers", statusTable()))
}

// screenChapters writes for each text on a screen the reasons that lead to it, under the command that confirms them.
func screenChapters(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	all := causes()
	for _, s := range screens() {
		fmt.Fprintf(&b, "### %s\n\n", s.shows)
		if len(s.also) > 0 {
			schedule.Wrap(&b, "", "", "Also told as: "+strings.Join(s.also, "; ")+".")
			b.WriteString("\n")
		}
		if s.ask != "" {
			schedule.Wrap(&b, "", "", "[The numbers](#the-numbers-in-about) behind it tell more.")
			b.WriteString("\n")
		}
		rows := screenRows(s, all)
		if len(rows) == 0 {
			t.Errorf("no reason leads to %q", s.shows)
		}
		b.WriteString("| step | confirm with | leads to it | perhaps |\n|---|---|---|---|\n" + strings.Join(rows, "") + "\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func screenRows(s screen, all []cause) (rows []string) {
	for _, p := range catalogue.Places() {
		var likely, perhaps []string
		for _, c := range all {
			if len(c.At) == 0 || c.At[0] != p {
				continue
			}
			link := reasonLink(c)
			switch l, m := s.of(c.Reason); {
			case l:
				likely = append(likely, link)
			case m:
				perhaps = append(perhaps, link)
			}
		}
		if likely != nil || perhaps != nil {
			rows = append(rows, fmt.Sprintf("| %s | `%s` | %s | %s |\n", p.Step, p.Confirm(), strings.Join(likely, ", "), strings.Join(perhaps, ", ")))
		}
	}
	return rows
}

func reasonLink(c cause) string {
	return fmt.Sprintf("[%s](../alerts/runbooks/%s.md#%s)", c.Name, alerts.RunbookOf(c.Cause), c.Name)
}

// statusTable lists the numbers of the About screen that explain knows.
func statusTable() string {
	const firstOfWinInet, lastOfWinInet = 12001, 12175
	var b strings.Builder
	b.WriteString("| number | what it means | leads to it |\n|---|---|---|\n")
	line := func(shown string, t told) {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", shown, cell(t.means), strings.Join(linked(t.reasons), ", "))
	}
	for n := firstOfWinInet; n <= lastOfWinInet; n++ {
		if t := failureTold(n); t.reasons != nil {
			line(fmt.Sprintf("(0x%x/0x0)", n), t)
		}
	}
	for _, status := range []int{0, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusInternalServerError, http.StatusServiceUnavailable} {
		line(fmt.Sprintf("(0x0/0x%x)", status), statusTold(status))
	}
	return b.String()
}

// linked turns names of reasons into links.
func linked(names []string) (out []string) {
	for _, c := range causes() {
		if slices.Contains(names, c.Name) {
			out = append(out, reasonLink(c))
		}
	}
	return out
}
