package main

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cx700/cx700_exporter/collectors"
	"github.com/cx700/cx700_exporter/internal/check"
	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/lab"
	"github.com/cx700/cx700_exporter/internal/reach"
	"github.com/cx700/cx700_exporter/internal/schedule"
	"github.com/cx700/cx700_exporter/internal/signin"
	"github.com/cx700/cx700_exporter/internal/site"
	"github.com/cx700/cx700_exporter/internal/state"
)

// startedLab is a healthy company of one site, until the test ends.
func startedLab(t *testing.T) *lab.Lab {
	t.Helper()
	company, err := lab.Start(1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := company.Close(); err != nil {
			t.Error(err)
		}
	})
	return company
}

// round is one probe of everything in the lab.
type round struct {
	plan    *schedule.Plan
	shared  *reach.Shared
	reports map[*schedule.Planned]*schedule.Report
}

// probeLab probes everything once, or with some collectors only. Phones signed in before by the roots of held; without it they hold what AD
// publishes now.
func probeLab(t testing.TB, company *lab.Lab, held *facts.Directory, only ...string) *round {
	t.Helper()
	cfg, err := site.Parse("lab.yml", company.SiteFile())
	if err != nil {
		t.Fatal(err)
	}
	plan, err := schedule.NewPlan(cfg, collectors.All(), []site.NetworkName{site.Internal, site.External})
	if err != nil {
		t.Fatal(err)
	}
	memory, err := state.Open("")
	if err != nil {
		t.Fatal(err)
	}
	r := &round{plan, reach.NewShared(slog.New(slog.DiscardHandler), memory), map[*schedule.Planned]*schedule.Report{}}
	t.Cleanup(r.shared.Close)
	if held != nil {
		enrol(t, memory, held)
	}
	due := time.Now()
	for _, p := range plan.Jobs {
		if only != nil && !slices.Contains(only, p.Collector.Name) {
			continue
		}
		r.reports[p] = schedule.Once(t.Context(), r.shared, p, due)
	}
	return r
}

// enrol has phones take the roots that AD publishes.
func enrol(t testing.TB, memory *state.File, d *facts.Directory) {
	t.Helper()
	var roots []state.Published
	for _, o := range d.Controllers[0].Authorities {
		for _, v := range o.Values {
			if o.Container == facts.CertificationAuthorities {
				roots = append(roots, state.Published{SHA256: v.Certificate.SHA256, Subject: v.Certificate.Subject, Object: o.DN, DER: v.X509.Raw})
			}
		}
	}
	if _, err := memory.ObserveRoots(d.Forest(), time.Now(), time.Minute, roots); err != nil {
		t.Fatal(err)
	}
}

// directory is what was seen of Active Directory.
func (r *round) directory() *facts.Directory {
	for p, report := range r.reports {
		if p.Collector.Name == "directory" {
			return report.Seen.Directory
		}
	}
	return nil
}

// reasons lists what was found, by network and collector.
func (r *round) reasons() map[string][]string {
	out := map[string][]string{}
	for p, report := range r.reports {
		key := string(p.Target.Network) + "/" + p.Collector.Name
		for _, f := range report.Failures {
			out[key] = append(out[key], f.Reason.Name)
		}
		slices.Sort(out[key])
		if out[key] == nil {
			delete(out, key)
		}
	}
	return out
}

// verdicts writes the verdict on each kind of phone, those alike in one block, with every step that is not good.
// What is ready with nothing to say is left out.
func (r *round) verdicts() string {
	var documents []check.Document
	for _, g := range r.plan.Judged {
		last := func(p *schedule.Planned) *schedule.Report { return r.reports[p] }
		all, _ := g.Verdicts(&signin.Cache{}, r.shared, last, time.Now())
		documents = append(documents, (&check.Result{Walk: check.Walk{Judged: g}, Verdicts: all}).Document())
	}
	return verdictsText(documents)
}

// verdictsText is what verdicts writes. Blocks of single sites are marked with these where there are several.
func verdictsText(documents []check.Document) string {
	type block struct{ network, phones, text string }
	var order []block
	var sites []string
	at := map[block][]string{}
	for _, d := range documents {
		if !slices.Contains(sites, d.Site) {
			sites = append(sites, d.Site)
		}
		var texts []string
		by := map[string][]string{}
		for _, v := range d.Verdicts {
			text := verdictText(v)
			if by[text] == nil {
				texts = append(texts, text)
			}
			by[text] = append(by[text], v.Firmware+" "+v.Phone)
		}
		for _, text := range texts {
			outside := d.Network == string(site.External) && kindsOf(by[text]) == "all new" // which get no root there
			if text == "ready\n" || outside && strings.HasPrefix(text, string(signin.NoVerdict)) {
				continue
			}
			b := block{d.Network, kindsOf(by[text]), text}
			if at[b] == nil {
				order = append(order, b)
			}
			at[b] = append(at[b], d.Site)
		}
	}
	var out strings.Builder
	for _, b := range order {
		where := b.network
		if len(at[b]) < len(sites) {
			where = strings.Join(at[b], ", ") + " " + where
		}
		fmt.Fprintf(&out, "  %s: %s\n    %s", where, b.phones, b.text)
	}
	return out.String()
}

func verdictText(v check.VerdictDocument) string {
	text := v.State
	if v.Step != "" {
		text += " " + v.Step
	}
	if v.ReasonDocument != nil {
		text += " " + v.Reason
	}
	text += "\n"
	for _, s := range v.Steps {
		switch signin.State(s.State) {
		case signin.OK, signin.NotNeeded, signin.NotWatched:
			continue
		}
		var names []string
		for _, f := range s.Findings {
			if f.Effect != collectors.Notes.String() && !slices.Contains(names, f.Reason) {
				names = append(names, f.Reason)
			}
		}
		text += strings.TrimRight(fmt.Sprintf("      %-17s %-11s %s", s.Step, s.State, strings.Join(names, ", ")), " ") + "\n"
	}
	return text
}

// kindsOf shortens a list of all phones, or of all of a kind.
func kindsOf(phones []string) string {
	var kinds, versions []string
	for _, p := range phones {
		version, kind, _ := strings.Cut(p, " ")
		kinds, versions = append(kinds, kind), append(versions, version)
	}
	slices.Sort(kinds)
	slices.Sort(versions)
	kinds, versions = slices.Compact(kinds), slices.Compact(versions)
	if len(kinds)*len(versions) == len(phones) {
		if len(versions) == 3 {
			versions = []string{"all"}
		}
		return strings.Join(versions, ", ") + " " + strings.Join(kinds, " and ")
	}
	return strings.Join(phones, ", ")
}

// goldenVerdicts holds the verdicts that faults give to the file, each under its fault's name.
type goldenVerdicts struct {
	mu  sync.Mutex
	got map[string]string
}

func (g *goldenVerdicts) add(fault, verdicts string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.got[fault] = verdicts
}

// check compares what came of all faults; where some were left out there is nothing to compare.
func (g *goldenVerdicts) check(t *testing.T) {
	t.Helper()
	if len(g.got) < len(lab.Faults()) {
		return
	}
	var got strings.Builder
	for _, f := range lab.Faults() {
		if text, ran := g.got[f.Name]; ran {
			fmt.Fprintf(&got, "%s: %s\n%s", f.Name, f.Text, text)
		}
	}
	golden(t, filepath.Join("testdata", "verdicts.txt"), got.String())
}
