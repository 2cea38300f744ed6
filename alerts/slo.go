package alerts

import (
	"fmt"
	"time"

	"github.com/cx700/cx700_exporter/internal/schedule"
)

// tickSeconds is how far apart the ticks of a verdict are.
const tickSeconds = int(schedule.TickEvery / time.Second)

// windows are those over which the part of bad time is recorded; 30d is apart, since Prometheus keeps 15 days by default.
var windows = []string{"5m", "30m", "1h", "2h", "6h", "1d", "3d"}

const (
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

// partBad is the part of a window in which enrolled phones were blocked. Every firmware in use weighs the same, since
// nobody tells how many phones run which. Time that was not watched is not bad, and lowers what is measured.
func partBad(window string) record {
	return record{errorsOver + window, fmt.Sprintf(`avg by (site, network) (rate(%s{phone="enrolled"}[%s])) * %d`, badTicks, window, tickSeconds)}
}

// objectives records what the alerts and dashboards of the objective are made of.
func objectives() []record {
	var out []record
	for _, w := range windows {
		out = append(out, partBad(w))
	}
	return append(out,
		record{lostMinute, `count by (site, network, step, reason) (` + blocked + `{phone="enrolled"})
/ on (site, network) group_left ()
count by (site, network) (` + ticks + `{phone="enrolled"})`},
		record{outage, `60 * (` + enrolledBlocked() + `)
+ on (site, network)
(` + outage + ` or on (site, network) 0 * max by (site, network) (` + state + `{phone="enrolled"}))`},
		record{lostMinutes + "1d", `sum_over_time(` + lostMinute + `[1d])`},
		record{lostOfAll + "1d", lostMinutes + `1d * on (site) group_left () max by (site) (` + sitePhones + `)`})
}

// objectivesOfMonth records what needs 30 days.
func objectivesOfMonth() []record {
	return []record{
		partBad("30d"),
		{measured, fmt.Sprintf(`avg by (site, network) (
  rate(%s{phone="enrolled"}[30d]) - rate(%s{phone="enrolled"}[30d])
) * %d`, ticks, unknownTicks, tickSeconds)},
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
			Name: "Cx700SignInFastBurn", Severity: Page, KeepFiring: 5 * time.Minute, Dashboard: dashSignIn,
			Expr:        "(\n" + burning("1h", "5m", 14.4, 0.02) + "\nor\n" + burning("6h", "30m", 6, 0.004) + "\n)\nand on (site, network) " + enrolledBlocked(),
			Summary:     "Sign-in at {{ $labels.site }} ({{ $labels.network }}) uses up its error budget fast, and is blocked now",
			Description: "Blocked for {{ $value | humanizePercentage }} of the last hour, or of the last six. It comes and goes, or lasts.",
			Means: "So much time was bad that the budget of 30 days is gone in two days (or in five), and phones are blocked at this moment. Where " +
				"Cx700SignInBlocked fires as well this says nothing new; alone, it tells of phones that are cut off again and again, " +
				"each time for less than two minutes.",
			First: "cx700_exporter check shows the walk now; the log shows what changed at each turn (changed=). Look for one resolver, front end or " +
				"link of several that comes and goes.",
			Quiet: "while phones are not blocked at this moment",
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
