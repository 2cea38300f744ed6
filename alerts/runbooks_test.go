package alerts

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cx700/cx700_exporter/internal/catalogue"
)

// TestRunbooks holds the runbooks in this folder to the table and the catalogue, and leaves none over.
func TestRunbooks(t *testing.T) {
	golden(t, "runbooks/"+IndexName+".md", index())
	want := []string{IndexName + ".md"}
	for _, a := range All() {
		golden(t, "runbooks/"+a.Name+".md", Runbook(a.Name).markdown())
		want = append(want, a.Name+".md")
	}
	var got []string
	for _, file := range found(t, "runbooks/*") {
		got = append(got, strings.TrimPrefix(file, "runbooks/"))
	}
	slices.Sort(want)
	if !slices.Equal(want, got) {
		t.Errorf("files %v, want %v", got, want)
	}
}

// TestEveryHeadingSaysAll that people need: what it does, what the phone shows, how to confirm it, the mend, what to do at
// the phone, and what a hard reset does.
func TestEveryHeadingSaysAll(t *testing.T) {
	for _, c := range catalogue.Causes() {
		text := section(c).markdown()
		for _, part := range []string{"Effect", "The phone shows", "Confirm", "Mend", "At the phone", "Hard reset"} {
			if !regexp.MustCompile(`(?m)^- \*\*` + part + `:\*\* \S.*\S$`).MatchString(text) {
				t.Errorf("%s says nothing of: %s", c.Name, part)
			}
		}
	}
}

// TestEveryReasonHasOneHeading in all the runbooks that the program holds, and every heading a reason.
func TestEveryReasonHasOneHeading(t *testing.T) {
	headings := map[string][]string{}
	for _, a := range All() {
		for _, s := range Runbook(a.Name).Sections {
			headings[s.Name] = append(headings[s.Name], a.Name)
		}
	}
	for _, c := range catalogue.Causes() {
		if len(headings[c.Name]) != 1 {
			t.Errorf("%s has the headings %v", c.Name, headings[c.Name])
		}
		delete(headings, c.Name)
	}
	for name, in := range headings {
		t.Errorf("%s in %v is no reason", name, in)
	}
}

// TestToldBy keeps the exceptions to reasons and alerts that exist.
func TestToldBy(t *testing.T) {
	for reason, alert := range toldBy {
		if !slices.ContainsFunc(All(), func(a Alert) bool { return a.Name == alert }) {
			t.Errorf("%s is told by %s, which is no alert", reason, alert)
		}
		if !slices.ContainsFunc(catalogue.Causes(), func(c catalogue.Cause) bool { return c.Name == reason }) {
			t.Errorf("%s is no reason", reason)
		}
	}
}
