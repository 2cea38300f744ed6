package dashboards

import "fmt"

// The series that are recorded for the objective over 30 days (alerts/cx700-slo-30d.rules.yml). Nothing else tells of a
// month: to add it up from the counters would load more samples than Prometheus allows a query.
const (
	monthMeasured    = "site_network:cx700_signin_measured:ratio_rate30d"
	budgetLeft       = "site_network:cx700_signin_error_budget_left:ratio30d"
	lostMinutes      = "site_network_step_reason:cx700_signin_lost_minutes:sum30d"
	lostPhoneMinutes = "site_network_step_reason:cx700_signin_lost_phone_minutes:sum30d"
	longestOutage    = "site_network:cx700_signin_outage_seconds:max30d"

	notMeasured = "not measured"
	notRecorded = "not recorded"
	recordedBy  = "Recorded by cx700-slo.rules.yml and cx700-slo-30d.rules.yml, which Prometheus must load."
)

// ofMonth asks for a recorded series at the chosen sites.
func ofMonth(series string) string { return series + "{" + chosenSites + "}" }

// unmeasured stands for the budget of a month that is recorded and not measured: no budget is above 1.
func unmeasured() Property { return means(meaning{2, notMeasured, unknown}) }

// leastBudget is that of the sites.
func leastBudget() *Panel {
	return stat("Month's budget left", "The least of the sites' error budgets, for enrolled phones on any firmware, of the last 30 days and whatever the time range; below 0 it is overspent. "+
		"Of sites of which 99 % of the 30 days were measured; the section on the month tells of each. "+recordedBy, 6,
		now(fmt.Sprintf("min(%s) or 2 + 0 * count(%s)", ofMonth(budgetLeft), ofMonth(monthMeasured)), ""), unit("percentunit"), decimals(1),
		budgetColours(), unmeasured(), noValue(notRecorded))
}

func budgetColours() Property { return thresholds(bad, step{0, soon}, step{0.25, good}) }

// signInMonth tells of the last 30 days, whatever the time range.
func signInMonth() []*Panel {
	const (
		bySite = "max by (site, network) (%s)"
		lostAt = "0 * max by (site, network) (%s) + on (site, network) sum by (site, network) (%s) or 0 * max by (site, network) (%[1]s)"
		phones = `max by (site) (cx700_site_phones{site=~"$site"})`
	)
	watched := ofMonth(monthMeasured)
	withPhones := watched + " and on (site) " + phones
	return []*Panel{
		row("This month: the last 30 days, enrolled phones on any firmware"),
		stat("Measured this month", "The least part of the 30 days, of any site, in which somebody had a verdict that was not unknown. Below 99 % the month of a site is not measured. "+recordedBy, 6,
			now("min("+watched+")", ""), unit("percentunit"), decimals(1), thresholds(unknown, step{0.99, good}), noValue(notRecorded)),
		stat("Longest outage this month", "The longest time for which a site was blocked without a break, to a minute, within what was measured. "+recordedBy, 6,
			now("max("+ofMonth(longestOutage)+")", ""), unit("s"), decimals(0), thresholds(good, step{1, bad}), noValue(notRecorded)),
		stat("Minutes lost this month", "Minutes for which phones were blocked, summed over sites and networks, within what was measured; of three firmwares of which one is blocked, a third. "+recordedBy, 6,
			now(fmt.Sprintf("sum(%s) or 0 * count(%s)", ofMonth(lostMinutes), watched), ""), unit("short"), decimals(0), thresholds(good, step{1, bad}), noValue(notRecorded)),
		stat("Phone-minutes lost this month", "The same, times the phones of the site, for sites of which the site file says how many. "+recordedBy, 6,
			now(fmt.Sprintf("sum(%s) or 0 * count(%s)", ofMonth(lostPhoneMinutes), withPhones), ""), unit("short"), decimals(0),
			thresholds(good, step{1, bad}), noValue("not recorded, or no phones")),
		table("Budget of the month", "What 30 days lost, and what that leaves of the error budget that the site's objective grants. "+
			"Where less than 99 % was measured the month is not measured, and there is no budget. "+recordedBy, 16, 9,
			[]column{col("site", "Site", toSite()), col("network", "Network"),
				col("A", "Objective", unit("percentunit"), decimals(2)),
				col("B", "Minutes lost", decimals(1)),
				col("C", "Phone-minutes", decimals(0)),
				col("D", "Longest outage", unit("s"), decimals(0)),
				col("E", "Measured", unit("percentunit"), decimals(1), thresholds(unknown, step{0.99, neutral})),
				col("F", "Budget left", unit("percentunit"), decimals(1), budgetColours(), both(unmeasured(), missing(notRecorded)), cell())},
			orElse(fmt.Sprintf("0 * "+bySite+" + on (site) group_left () max by (site) (cx700_signin_objective_ratio)", watched),
				fmt.Sprintf("cx700_signin_state{%s}", chosen), "site", notRecorded),
			fmt.Sprintf(lostAt, watched, ofMonth(lostMinutes)),
			fmt.Sprintf(lostAt, withPhones, ofMonth(lostPhoneMinutes)),
			fmt.Sprintf(bySite, ofMonth(longestOutage)),
			fmt.Sprintf(bySite, watched),
			fmt.Sprintf(bySite+" or 2 + 0 * "+bySite, ofMonth(budgetLeft), watched)).sorted("Minutes lost", true),
		bars("Minutes lost this month, by first blocker", "The minutes lost within 30 days by the first step that stopped phones, and why; what costs the most is to be mended first. "+recordedBy, 8, 9,
			now(line(orElse(fmt.Sprintf("sum by (step, reason) (%s)", ofMonth(lostMinutes)), watched, "reason", "nothing was lost"), "step", "reason"), "{{line}}"),
			unit("m"), decimals(0), thresholds(good, step{0.1, bad}), noValue(notRecorded)),
	}
}
