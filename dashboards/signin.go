package dashboards

import "fmt"

// signIn answers: can phones sign in, and if not, what stops them first?
func signIn() *Dashboard {
	d := dashboard("signin", "can phones sign in?",
		"Who can sign in, what stops the others first and since when, what changed, what ends next, and what is not known.",
		[]Variable{networkVariable(), siteVariable(), firmwareVariable()},
		concat(signInNow(), signInCauses(), signInMonth(), signInRange())...)
	blocked := func(when string) string {
		return fmt.Sprintf(`max by (site, network, phone) (cx700_signin_state{%s,state="blocked"}%s) == 1`, chosen, when)
	}
	d.Annotations.List = []Annotation{
		{Name: "Blocked", Source: prometheus(), Enable: true, IconColor: bad, Step: "60s", TitleFormat: "blocked",
			TextFormat: "{{phone}} phones at {{site}}, {{network}}",
			Expr:       blocked("") + " unless " + blocked(" offset 1m")},
		{Name: "Site file read", Source: prometheus(), Enable: true, IconColor: other, Step: "60s", TitleFormat: "site file read",
			TextFormat: "{{instance}}",
			Expr:       `changes(cx700_config_last_reload_success_timestamp_seconds[1m]) > 0`},
	}
	return d
}

func concat(parts ...[]*Panel) []*Panel {
	var out []*Panel
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

func signInNow() []*Panel {
	in := func(state, phone string) string {
		return fmt.Sprintf(`max by (site) (cx700_signin_state{%s,state=%q,phone=~%q})`, chosen, state, phone)
	}
	sites := func(title, description, state, phone, colour string) *Panel {
		return stat(title, description, 6, now("sum("+in(state, phone)+")", ""),
			unit("short"), thresholds(good, step{1, colour}), noValue("no verdict"))
	}
	code := verdicts()
	return []*Panel{
		sites("Sites: enrolled blocked", "Sites where phones that hold their roots cannot sign in, on any chosen network or firmware.", "blocked", "enrolled", bad),
		sites("Sites: new blocked", "Sites where factory-reset phones cannot enrol and sign in.", "blocked", "new", soon),
		stat("Phones affected", "Phones at the sites where enrolled ones are blocked, by the numbers in the site file; of any firmware, so at most as many.", 6,
			now(fmt.Sprintf("sum(max by (site) (cx700_site_phones{site=~\"$site\"}) * on (site) %s)", in("blocked", "enrolled")), ""),
			unit("short"), thresholds(good, step{1, bad}), noValue("not in the site file")),
		sites("Sites: degraded", "Sites where phones get through, but not at every server, address or resolver in their order.", "degraded", ".*", partly),
		sites("Sites: unknown", "Sites with a verdict that is unknown: something that was asked gave no answer that one may judge by.", "unknown", ".*", unknown),
		stat("Results too old", "Targets whose last probe ended longer ago than three intervals. What they show is the past.", 6,
			now(fmt.Sprintf("sum(%s)", staleTargets("> bool")), ""), unit("short"), thresholds(good, step{1, unknown}), noValue("nothing reported")),
		leastBudget(),
		stat("Next end", "When the first certificate ends of those by which phones get to their registrar; negative once it has ended.", 6,
			now(fmt.Sprintf("(min(cx700_signin_valid_until_timestamp_seconds{%s}) - time()) / 86400", chosen), ""),
			unit("suffix: days"), decimals(0), daysLeft(), noValue("not known")),
		row("Who can sign in"),
		timeline("Sites", "The worst verdict of a site over its chosen firmwares, for enrolled and new phones. No bar: no verdict.", 16, 9,
			[]Target{lined(worst("site, network, phone", chosen), "site", "phone", "network")}, code),
		graph("Verdicts", "How many verdicts there are in each state: one for each site, network, firmware and kind of phone.", 8, 9,
			[]Target{over(fmt.Sprintf("sum by (state) (max by (site, network, firmware, phone, state) (cx700_signin_state{%s}))", chosen), "{{state}}")},
			append(stacked(), unit("short"), Property{"min", 0}, decimals(0))...).
			coloured("ready", good, "degraded", partly, "unknown", unknown, "blocked", bad),
	}
}

// staleTargets compares the age of results with three intervals.
func staleTargets(operator string) string {
	return fmt.Sprintf(`(time() - max by (network, collector, target) (cx700_probe_last_run_timestamp_seconds{network=~"$network"}))`+
		` %s 3 * max by (network, collector, target) (cx700_probe_interval_seconds{network=~"$network"})`, operator)
}

// since is the last moment in the range at which a condition was not so, or its beginning, in milliseconds.
func since(condition string) string {
	return fmt.Sprintf(`1000 * (max_over_time(timestamp(%[1]s == 0)[$__range:$__interval]) or min_over_time(timestamp(%[1]s)[$__range:$__interval]))`, condition)
}

func signInCauses() []*Panel {
	blockers := fmt.Sprintf("max by (site, network, firmware, phone, step, reason) (cx700_signin_blocked_info{%s})", chosen)
	group := "group by (site, network, phone, step, reason) (" + blockers + ")"
	blocked := fmt.Sprintf(`max by (site, network, phone) (cx700_signin_state{%s,state="blocked"})`, chosen)
	isUnknown := fmt.Sprintf(`max by (site, network, phone) (cx700_signin_state{%s,state="unknown"})`, chosen)
	changed := fmt.Sprintf("max by (site, network, phone) (sum without (state) (changes(cx700_signin_state{%s}[$__range]))) / 2 > 0", chosen)
	lastChange := fmt.Sprintf("1000 * max_over_time(timestamp(max by (site, network, phone) (changes(cx700_signin_state{%s}[$__rate_interval])) > 0)[$__range:$__interval])", chosen)
	where := []column{col("site", "Site", toSite()), col("network", "Network"), col("phone", "Phone")}
	return []*Panel{
		row("What stops them"),
		table("First blocker", "The first step at which phones are stopped, why, and since when a kind of phone is blocked there. "+
			"Since reaches back as far as the time range. The reason leads to its runbook.", 16, 8,
			append(where[:3:3], col("step", "Step"), col("reason", "Reason", toRunbook()), col("A", "Firmwares"),
				col("B", "Blocked since", unit(ago)), col("C", "Phones")),
			orElse("count by (site, network, phone, step, reason) ("+blockers+")", fmt.Sprintf("cx700_signin_state{%s}", chosen), "reason", "nothing is blocked"),
			fmt.Sprintf("%s * on (site, network, phone) group_left () (%s)", group, since(blocked)),
			fmt.Sprintf(`%s * on (site) group_left () max by (site) (cx700_site_phones{site=~"$site"})`, group)).sorted("Blocked since", true),
		bars("Site minutes lost in the range", "For how many minutes of the time range some kind of phone at a site was blocked, summed over sites and networks, by what stopped it first. "+
			"Counted in the steps of the panel; the section on the month has the 30 days.", 8, 8,
			now(line(orElse(fmt.Sprintf("sum by (step, reason) (count_over_time(group by (site, network, step, reason) (%s)[$__range:$__interval])) * $__interval_ms / 60000", blockers),
				fmt.Sprintf("cx700_signin_state{%s}", chosen), "reason", "nothing was lost"), "step", "reason"), "{{line}}"),
			unit("m"), decimals(0), thresholds(good, step{0.1, bad})),
		table("What mends it", "What phones show for the reasons that block them, and what to do.", 24, 8,
			[]column{col("reason", "Reason", toRunbook(), width(210)), col("screen", "On the phone's screen", append(wrapped(), width(395))...), col("mend", "Mend", wrapped()...)},
			orElse(fmt.Sprintf("group by (reason, screen, mend) (cx700_reason_info and on (reason) cx700_signin_blocked_info{%s})", chosen),
				fmt.Sprintf("cx700_signin_state{%s}", chosen), "reason", "nothing is blocked")),
		row("What changed, what ends next, what is not known"),
		table("Verdicts that changed", "Kinds of phones whose verdict changed within the time range, the last first. The moment is right to a minute or a step of the panel.", 12, 8,
			append(where[:3:3], col("A", "Changes"), col("B", "Now", verdicts(), cell()), col("C", "Last change", unit(ago))),
			orElse(changed, fmt.Sprintf("cx700_signin_state{%s}", chosen), "site", "nothing changed"),
			fmt.Sprintf("%s and on (site, network, phone) (%s)", worst("site, network, phone", chosen), changed),
			lastChange).sorted("Last change", true),
		table("What ends next", "The twelve ends that come first, or have come, of the certificates and the password behind the chosen sites. The dashboard of certificates has them all.", 12, 8,
			[]column{col("what", "What"), col("where", "Where"), col("network", "Network"),
				col("A", "Days left", decimals(0), daysLeft(), cell()), col("B", "Ends", unit(iso))},
			fmt.Sprintf("(bottomk(12, %s) - time()) / 86400", ends(chosenSites)),
			fmt.Sprintf("1000 * bottomk(12, %s)", ends(chosenSites))).sorted("Days left", false),
		graph("Changes behind them", "Roots that appeared, were replaced or went in Active Directory, images with other bytes under the same version, and site files that were read.", 8, 7,
			[]Target{
				over(rootChanges("$__rate_interval"), "root {{change}}"),
				over("sum("+behind(chosenSites, "firmware_download", "increase(cx700_firmware_changes_total[$__rate_interval])", "network", "target", "file")+")", "image changed"),
				over("sum(changes(cx700_config_last_reload_success_timestamp_seconds[$__rate_interval]))", "site file read"),
			}, unit("short"), decimals(0), Property{"min", 0}, Property{"custom.axisSoftMax", 1}, Property{"custom.drawStyle", "bars"}, Property{"custom.fillOpacity", 80}),
		table("Unknown", "Kinds of phones of which it is not known whether they can sign in, and since when. Unknown is neither good nor bad.", 8, 7,
			append(where[:3:3], col("B", "Since", unit(ago))),
			orElse(isUnknown+" == 1", fmt.Sprintf("cx700_signin_state{%s}", chosen), "site", "nothing is unknown"),
			fmt.Sprintf("%s and on (site, network, phone) (%s == 1)", since(isUnknown), isUnknown)).sorted("Since", true),
		table("Too old", "Targets whose last probe ended longer ago than three intervals.", 8, 7,
			[]column{col("collector", "Collector"), col("network", "Network"), col("target", "Target"), col("A", "Age", unit("s"))},
			orElse(staleTargets(">"), `cx700_probe_interval_seconds{network=~"$network"}`, "collector", "nothing is too old")).sorted("Age", true),
	}
}

// counted is how often the chosen verdicts were counted in the range, over all firmwares and exporters.
func counted(what string) string {
	return fmt.Sprintf("sum by (site, network, phone) (increase(cx700_signin_%sticks_total{%s}[$__range]))", what, chosen)
}

// measured is the part of the range in which verdicts that were not unknown were counted, twice a minute, at the firmware
// where that was most often. Exporters are added up, since one that restarts elsewhere goes on as another.
func measured() string {
	return fmt.Sprintf("clamp_max(max by (site, network, phone) ((sum without (instance, pod) (increase(cx700_signin_ticks_total{%[1]s}[$__range]))"+
		" - sum without (instance, pod) (increase(cx700_signin_unknown_ticks_total{%[1]s}[$__range]))) / (2 * $__range_s / 60)), 1)", chosen)
}

func signInRange() []*Panel {
	known := fmt.Sprintf("(%s - %s > 0)", counted(""), counted("unknown_"))
	return []*Panel{
		row("In the time range"),
		table("Time lost in the range", "What the time range lost, over the chosen firmwares, which weigh the same. Unknown time is neither lost nor good.", 24, 9,
			[]column{col("site", "Site", toSite()), col("network", "Network"), col("phone", "Phone"),
				col("A", "Could sign in", unit("percentunit"), decimals(2)),
				col("B", "Objective", unit("percentunit"), decimals(2)),
				col("C", "Minutes lost", decimals(1)),
				col("D", "Measured", unit("percentunit"), decimals(1), thresholds(unknown, step{0.99, neutral})),
				col("E", "Unknown", unit("percentunit"), decimals(2), thresholds(neutral, step{0.01, unknown}))},
			fmt.Sprintf("1 - %s / %s", counted("bad_"), known),
			fmt.Sprintf("0 * %s + on (site) group_left () max by (site) (cx700_signin_objective_ratio)", counted("")),
			fmt.Sprintf("%s / (%s > 0) * $__range_s / 60", counted("bad_"), counted("")),
			measured(),
			fmt.Sprintf("%s / (%s > 0)", counted("unknown_"), counted(""))).sorted("Minutes lost", true),
	}
}
