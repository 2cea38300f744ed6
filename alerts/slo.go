package alerts

import (
	"fmt"
	"time"

	"github.com/prometheus/common/model"
)

// windows are those over which the part of bad time is recorded; 30d is apart, since Prometheus keeps 15 days by default.
var windows = []string{"5m", "30m", "1h", "2h", "6h", "1d", "3d"}

const (
	looked      = "site_network:cx700_signin_measured:last1m"
	looked5m    = "site_network:cx700_signin_measured_minutes:sum5m"
	errorsOver  = "site_network:cx700_signin_errors:ratio_rate"
	measured    = "site_network:cx700_signin_measured:ratio_rate30d"
	budgetLeft  = "site_network:cx700_signin_error_budget_left:ratio30d"
	lostMinute  = "site_network_step_reason:cx700_signin_lost_minutes:last1m"
	lostMinutes = "site_network_step_reason:cx700_signin_lost_minutes:sum"
	lostOfAll   = "site_network_step_reason:cx700_signin_lost_phone_minutes:sum"
	outage      = "site_network:cx700_signin_outage_seconds:now"
	longest     = "site_network:cx700_signin_outage_seconds:max30d"
)

// record is a recording rule.
type record struct{ name, expr string }

// partBad is the part of a window in which enrolled phones were blocked: of all ticks that part which is bad, times the
// part of the window in which somebody looked. Every tick of a firmware or an exporter weighs the same, however long it
// was there; nobody tells how many phones run which. Time that was not watched is not bad.
func partBad(window, looked string, every time.Duration) record {
	return record{errorsOver + window, fmt.Sprintf(`(
  sum by (site, network) (rate(%s{phone="enrolled"}[%[3]s]))
  / sum by (site, network) (rate(%[2]s{phone="enrolled"}[%[3]s]))
)
* on (site, network) clamp_max(count_over_time(%[4]s[%[3]s]) / %[5]g, 1)`, badTicks, ticks, window, looked, samples(window, every))}
}

// samples is how many are recorded within a window.
func samples(window string, every time.Duration) float64 {
	d, err := model.ParseDuration(window)
	if err != nil {
		panic(err) // the windows are those of this file
	}
	return float64(time.Duration(d) / every)
}

// objectives records what the alerts and dashboards of the objective are made of.
func objectives() []record {
	// 1 while some exporter has a verdict on some firmware that is not unknown, 0 while all are unknown.
	out := []record{{looked, `max by (site, network) (` + state + `{phone="enrolled",state!="unknown"})`}}
	for _, w := range windows {
		out = append(out, partBad(w, looked, time.Minute))
	}
	return append(out,
		record{lostMinute, `count by (site, network, step, reason) (` + blocked + `{phone="enrolled"})
/ on (site, network) group_left ()
count by (site, network) (` + ticks + `{phone="enrolled"})`},
		// It is kept for a few minutes in which nobody knows, and ends once phones are seen to get through, be it on one firmware.
		record{outage, `(
  60 * (` + enrolledBlocked() + `)
  + on (site, network)
  (last_over_time(` + outage + `[5m]) or on (site, network) 0 * max by (site, network) (` + state + `{phone="enrolled"}))
)
or on (site, network)
0 * (min by (site, network) (` + state + `{phone="enrolled",state="unknown"}) == 0)`},
		record{lostMinutes + "1d", `sum_over_time(` + lostMinute + `[1d])`},
		record{lostOfAll + "1d", lostMinutes + `1d * on (site) group_left () max by (site) (` + sitePhones + `)`})
}

// lookedAt records how many of the last five minutes were measured, lest a month be summed up minute by minute.
func lookedAt() []record {
	return []record{{looked5m, `clamp_max(sum_over_time(` + looked + `[5m]), 5)`}}
}

// objectivesOfMonth records what needs 30 days.
func objectivesOfMonth() []record {
	return []record{
		partBad("30d", looked5m, 5*time.Minute),
		{measured, fmt.Sprintf(`clamp_max(sum_over_time(%s[30d]) / %g, 1)`, looked5m, samples("30d", time.Minute))},
		{budgetLeft, `(
  1 - ` + errorsOver + `30d
  / on (site) group_left () (1 - max by (site) (` + objective + `))
)
and on (site, network) ` + measured + ` >= 0.99`},
		{lostMinutes + "30d", `sum_over_time(` + lostMinute + `[30d])`},
		{lostOfAll + "30d", lostMinutes + `30d * on (site) group_left () max by (site) (` + sitePhones + `)`},
		{longest, `max_over_time(` + outage + `[30d])`},
	}
}

// burning is true while the budget of 30 days burns faster than by a factor, over a long and a short window. Below
// least, a part of the long window, it is not: two bad ticks are an accident whatever the objective.
func burning(long, short string, factor, least float64) string {
	over := func(window string) string {
		return fmt.Sprintf(`%s%s > on (site) group_left () clamp_min(%g * (1 - max by (site) (%s)), %g)`, errorsOver, window, factor, objective, least)
	}
	return "(\n  " + over(long) + "\n  and on (site, network)\n  " + over(short) + "\n)"
}

// burns are the alerts of the objective. The factors are those of Google's SRE workbook, chapter 5, table 5-8.
func burns() []Alert {
	return []Alert{
		{
			// It lasts for longer than Cx700SignInBlocked takes, which keeps it silent where an outage lasts, and looks back
			// as long as it takes by a group that is looked at each minute, lest a cut of less than two minutes be over by then.
			Name: "Cx700SignInFastBurn", Severity: Page, For: 3 * time.Minute, Dashboard: dashSignIn,
			Expr: "(\n" + burning("1h", "5m", 14.4, 0.02) + "\nor\n" + burning("6h", "30m", 6, 0.004) + "\n)\n" +
				`and on (site, network) max by (site, network) (max_over_time(` + state + `{phone="enrolled",state="blocked"}[4m])) == 1`,
			Summary:     "Sign-in at {{ $labels.site }} ({{ $labels.network }}) uses up its error budget fast, and was blocked just now",
			Description: "Blocked for {{ $value | humanizePercentage }} of the last hour, or of the last six. It comes and goes, or lasts.",
			Means: "So much time was bad that the budget of 30 days is gone in two days (or in five), and phones are blocked, or were within four " +
				"minutes. Where Cx700SignInBlocked fires as well this says nothing new; alone, it tells of phones that are cut off again " +
				"and again, each time for less than two minutes.",
			First: "cx700_exporter check shows the walk now; the log shows what changed at each turn (changed=). Look for one resolver, front end or " +
				"link of several that comes and goes.",
			Quiet: "where phones were not blocked within four minutes",
		},
		{
			Name: "Cx700SignInSlowBurn", Severity: Warning, Dashboard: dashSignIn,
			Expr:        burning("1d", "2h", 3, 0) + "\nor\n" + burning("3d", "6h", 1, 0),
			Summary:     "Sign-in at {{ $labels.site }} ({{ $labels.network }}) uses up its error budget",
			Description: "Blocked for {{ $value | humanizePercentage }} of the last day, or of the last three: at that rate the objective is missed.",
			Means:       "If it goes on like this, phones of the site will have been blocked for more of the month than the objective allows.",
			First:       "The dashboard lists minutes lost by the first blocker: mend the one that costs the most.",
		},
	}
}
