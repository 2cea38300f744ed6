//go:build linux

package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cx700/cx700_exporter/internal/lab"
)

// soakFaults show at one collector only, each probed without an account, and are met or not: no probe of theirs can fall
// between.
var soakFaults = []string{
	"srv_dropped", "ucupdates_dropped", "ntp_off", "ntp_kiss", "ntp_unsynchronised", "wins_refused", "wins_garbage", "dhcp_other_dns", "dhcp_netbios_domain",
	"sip_403", "sip_503", "sip_420", "update_418", "update_html",
}

// steadyFor is how long a fault, or health, is left alone: two intervals of a minute, and what it takes to confirm.
const steadyFor = 150 * time.Second

// soaked is one site of the soak, with the fault that it has and since when.
type soaked struct {
	name    string
	fault   *lab.Fault // nil in health
	changed time.Time
	want    map[string][]string // what the log must say, by collector
}

// TestSoak watches two hundred sites for an hour, at which faults come and go at random: memory and goroutines stay as
// they are, every target is probed once an interval, and every change is told once.
func TestSoak(t *testing.T) {
	if !long() {
		t.Skip("takes an hour: LONG=1")
	}
	const count, last = 200, time.Hour
	binary := build(t)
	company, path := startCompany(t, binary, count, fmt.Sprintf("--sites=%d", count))
	exporter, _ := startProgram(t, binary, "serve", "--config.file="+path)
	exporter.ready(t)
	first, begun := exporter.metrics(t), time.Now()
	sites := soakSites(t, first, count)
	changes := 0
	var resident, goroutines []float64
	change := time.NewTicker(last / (4 * count))
	defer change.Stop()
	sample := time.NewTicker(15 * time.Second)
	defer sample.Stop()
	for time.Since(begun) < last {
		select {
		case <-change.C:
			s := sites[rand.IntN(len(sites))]
			if time.Since(s.changed) > steadyFor {
				s.change(t, company)
				changes++
			}
		case <-sample.C:
			scrape := exporter.metrics(t)
			resident = append(resident, series(t, scrape, "process_resident_memory_bytes")[""])
			goroutines = append(goroutines, series(t, scrape, "go_goroutines")[""])
		}
	}
	time.Sleep(steadyFor)
	scrape := exporter.metrics(t)
	expectEachInterval(t, first, scrape, time.Since(begun))
	memory := expectFlat(t, "resident bytes", resident)
	most := expectFlat(t, "goroutines", goroutines)
	expectToldOnce(t, scrape, exporter.log.String(), sites)
	t.Logf("%d sites, %d changes, %.0f MB resident, %.0f goroutines, queued for %s at the 99th percentile",
		count, changes, memory/1e6, most, queued(t, scrape, 0.99))
}

// soakSites are those of the site file, all in health.
func soakSites(t *testing.T, scrape string, count int) []*soaked {
	t.Helper()
	byName := map[string]*soaked{}
	for labels := range series(t, scrape, "cx700_site_target_info") {
		name, collector := labelValue(labels, "site"), labelValue(labels, "collector")
		if byName[name] == nil {
			byName[name] = &soaked{name: name, want: map[string][]string{}}
		}
		if strings.Contains(labels, `network="internal"`) {
			byName[name].want[collector] = []string{"good"}
		}
	}
	var out []*soaked
	for _, s := range byName {
		out = append(out, s)
	}
	if len(out) != count {
		t.Fatalf("%d sites, want %d", len(out), count)
	}
	return out
}

// change heals what the site has, or gives it something.
func (s *soaked) change(t *testing.T, company *program) {
	t.Helper()
	s.changed = time.Now()
	if f := s.fault; f != nil {
		company.ask(t, http.MethodDelete, "/lab/faults/"+s.name+":"+f.Name)
		s.fault, s.want[f.Collector] = nil, append(s.want[f.Collector], "good")
		return
	}
	name := soakFaults[rand.IntN(len(soakFaults))]
	all := lab.Faults()
	i := slices.IndexFunc(all, func(f lab.Fault) bool { return f.Name == name })
	if i < 0 {
		t.Fatalf("no fault %s", name)
	}
	s.fault = &all[i]
	if s.fault.Also != nil || s.fault.Network != "internal" {
		t.Fatalf("%s shows elsewhere, too", s.fault.Name)
	}
	company.ask(t, http.MethodPost, "/lab/faults/"+s.name+":"+s.fault.Name)
	s.want[s.fault.Collector] = append(s.want[s.fault.Collector], slices.Sorted(slices.Values(s.fault.Reasons))...)
}

var toldLine = regexp.MustCompile(`(?m)msg="target (is good|fails|is not watched)" network=internal collector=(\w+) target=("[^"]*"|\S+)(?: reason=(\w+))?`)

// expectToldOnce holds the log to what was changed at each site: all of it, in its order, and nothing else.
func expectToldOnce(t *testing.T, scrape, log string, sites []*soaked) {
	t.Helper()
	said := map[string][]string{} // by collector and target
	for _, m := range toldLine.FindAllStringSubmatch(log, -1) {
		key, what := m[2]+" "+strings.Trim(m[3], `"`), m[4]
		if m[1] == "is good" {
			what = "good"
		}
		said[key] = append(said[key], what)
	}
	target := map[string]string{} // by site and collector
	for labels := range series(t, scrape, "cx700_site_target_info") {
		if strings.Contains(labels, `network="internal"`) {
			target[labelValue(labels, "site")+" "+labelValue(labels, "collector")] = labelValue(labels, "target")
		}
	}
	for _, s := range sites {
		for collector, want := range s.want {
			got := said[collector+" "+target[s.name+" "+collector]]
			if diff := cmp.Diff(want, inOrderOfNames(got)); diff != "" {
				t.Errorf("%s %s (-changed +told):\n%s", s.name, collector, diff)
			}
		}
	}
}

// inOrderOfNames sorts the reasons that were told at once.
func inOrderOfNames(told []string) []string {
	for i := 0; i < len(told); {
		end := i
		for end < len(told) && told[end] != "good" {
			end++
		}
		slices.Sort(told[i:end])
		i = end + 1
	}
	return told
}
