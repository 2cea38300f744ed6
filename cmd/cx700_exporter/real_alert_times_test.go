//go:build linux

package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"
	"time"
)

// TestRealAlertTimes measures, with TIMES=1, how long after its fault each alert fires: with the exporter's own intervals
// (but for whole images, which it reads each minute), a scrape and an evaluation each 15 seconds, and the rules as
// they are. What must last for an hour is seen to wait.
func TestRealAlertTimes(t *testing.T) {
	if os.Getenv("TIMES") != "1" {
		t.Skip("it takes half an hour; TIMES=1 asks for it")
	}
	needsPrometheus(t)
	faults := maps.Clone(shortAlerts)
	for _, more := range longAlerts {
		maps.Copy(faults, more)
	}
	faults["firmware_replaced"] = "FirmwareChanged"
	company := companyOf(t, len(faults)+2)
	m := newServed(t, pace{hurry: 1, scrape: 15 * time.Second}, company, byFile(fileOf(t, company, 0)))
	want := m.breaksAll(faults)
	m.began("", "the sites together")
	m.within("every alert fires but the one that waits for an hour", 30*time.Minute, func() error {
		fired := m.fired()
		m.measure(fired)
		for site, names := range want {
			for _, name := range names {
				if !slices.Contains(fired[site], name) && name != "ControllersDisagree" {
					return fmt.Errorf("%s at %s does not", name, site)
				}
			}
		}
		return nil
	})
	if took := toldOf["RootUnpublished"]; took > 2*time.Minute {
		t.Errorf("RootUnpublished fired after %s", took)
	}
	for site, names := range m.fired() {
		for _, name := range names {
			burns := slices.Contains(want[site], "SignInBlocked") && (name == "SignInFastBurn" || name == "SignInSlowBurn")
			if site != "" && !burns && !slices.Contains(want[site], name) {
				t.Errorf("%s fires at %s", name, site)
			}
		}
	}
	if waits := m.pending(); !slices.ContainsFunc(slices.Collect(maps.Values(waits)), func(names []string) bool { return slices.Contains(names, "ControllersDisagree") }) {
		t.Errorf("ControllersDisagree does not wait: %v", waits)
	}
}
