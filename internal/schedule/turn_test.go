package schedule

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cx700/cx700_exporter/collectors"
)

// TestRegularProbesAreSpread: thousands of targets keep a minute busy from its begin to its end, those that are seldom
// probed their whole interval; none comes sooner than half an interval after its first probe or later than one and a half.
func TestRegularProbesAreSpread(t *testing.T) {
	const domains = 1500
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		often, seldom := fake("ntp", j.note), fake("dns", j.note)
		seldom.Interval = 5 * time.Minute
		startPlan(t, DefaultConcurrency, planOf(t, []*collectors.Collector{often, seldom}, manyDomains(domains)...))
		pass(15 * time.Minute)
		for _, tt := range []struct {
			prefix   string
			interval time.Duration
		}{{"ntp ", time.Minute}, {"dns ", 5 * time.Minute}} {
			const parts = 10
			var count [parts]int
			for _, d := range manyDomains(domains) {
				at := j.at[tt.prefix+d]
				if after := at[1] - at[0]; after < tt.interval/2 || after > tt.interval*3/2 {
					t.Fatalf("%s%s: the second probe %s after the first", tt.prefix, d, after)
				}
				count[at[2]%tt.interval*parts/tt.interval]++
			}
			if low, high := slices.Min(count[:]), slices.Max(count[:]); low < domains/parts*2/3 || high > domains/parts*3/2 {
				t.Errorf("%sregular probes in each tenth of %s: %v", tt.prefix, tt.interval, count)
			}
		}
		for _, d := range manyDomains(domains) { // what comes seldom comes together with what comes often
			if last := j.at["dns "+d][2]; !slices.Contains(j.at["ntp "+d], last) {
				t.Fatalf("%s: the walk of %s is not shared", d, last)
			}
		}
	})
}
