package dashboards

import (
	"fmt"
	"slices"
)

// walk lists the steps of a sign-in in the phone's order, and beside those that block nobody.
func walk() (steps, beside []string) {
	return []string{"lease", "time", "registrar", "tls", "domain_controller", "root", "trust", "signin"}, []string{"exchange", "update", "firmware"}
}

// site answers: what does a phone at this site go through, and how is everything that it meets there?
func site() *Dashboard {
	one := Variable{Name: "site", Label: "Site", Type: "query", Source: prometheus(),
		Query: `label_values(cx700_site_target_info{network=~"$network"}, site)`, Refresh: onTimeRange, Sort: alphabetical}
	d := dashboard("site", "one site", "The way of a phone at one site, step by step, and every target behind it.",
		[]Variable{networkVariable(), one, firmwareVariable()},
		concat(siteNow(), siteWalk(), siteTargets(), siteNames(), siteTime(), siteLease(), siteDirectory(), sitePool(), siteExchange())...)
	d.Links = append(d.Links, Link{Title: "This site's page", Type: "link", URL: "${exporter}/site/${site}", TargetBlank: true})
	return d
}

func siteNow() []*Panel {
	blockers := fmt.Sprintf("max by (network, firmware, phone, step, reason) (cx700_signin_blocked_info{%s})", oneSiteOf)
	return []*Panel{
		figure("Phones", "By the site file.", 3, now(`max(cx700_site_phones{site="$site"})`, ""), unit("short"), noValue("not in the site file")),
		figure("Objective", "The part of the time in which phones are to be able to sign in, by the site file.", 3,
			now(`max(cx700_signin_objective_ratio{site="$site"})`, ""), unit("percentunit"), decimals(1), noValue("no verdict")),
		stat("Next end", "When the first certificate ends of those by which phones get to their registrar.", 3,
			now(fmt.Sprintf("(min(cx700_signin_valid_until_timestamp_seconds{%s}) - time()) / 86400", oneSiteOf), ""),
			unit("suffix: days"), decimals(0), daysLeft(), noValue("not known")),
		stat("Can phones sign in?", "The worst verdict over the chosen firmwares.", 15,
			now(worst("network, phone", oneSiteOf), "{{network}} {{phone}}"), verdicts(), noValue("no verdict")),
		table("What stops them first", "The first step at which phones are stopped, and why. The reason leads to its runbook.", 12, 7,
			[]column{col("network", "Network"), col("firmware", "Firmware"), col("phone", "Phone"), col("step", "Step"), col("reason", "Reason", toRunbook())},
			orElse(blockers, fmt.Sprintf("cx700_signin_state{%s}", oneSiteOf), "reason", "nothing is blocked")),
		timeline("Verdicts", "Of each network, kind of phone and firmware. No bar: no verdict.", 12, 7,
			[]Target{lined(worst("network, phone, firmware", oneSiteOf), "phone", "network", "firmware")}, verdicts()),
	}
}

func siteWalk() []*Panel {
	steps, services := walk()
	enrolled := slices.DeleteFunc(slices.Clone(steps), func(s string) bool { return s == "domain_controller" || s == "root" })
	lines := func(phone string, steps ...string) (out []Target) {
		for _, s := range steps {
			out = append(out, over(fmt.Sprintf("min by (network) (cx700_signin_step_ok{%s,phone=~%q,step=%q})", oneSiteOf, phone, s), s+" {{network}}"))
		}
		return out
	}
	through := yesNo("gets through", "stopped")
	const gap = " No bar: not known, not reached or not needed."
	return []*Panel{
		row("The walk"),
		timeline("Enrolled phones", "The steps in the phone's order, without those for who has no root yet, at the worst of the chosen firmwares."+gap, 12, 11, lines("enrolled", enrolled...), through),
		timeline("New phones", "The steps in the phone's order, at the worst of the chosen firmwares. Outside, new phones have no verdict unless their "+
			"roots are known."+gap, 12, 11, lines("new", steps...), through),
		timeline("Beside the walk", "What stops nobody from signing in. Good only while all of it is."+gap, 12, 7, lines(".*", services...),
			means(meaning{1, "all of it is good", good}, meaning{0, "not all of it", partly})),
		table("Not trusted beside the walk", "Why phones do not trust Exchange or the update service. Nobody is kept from signing in by that.", 12, 7,
			[]column{col("network", "Network"), col("step", "Service"), col("phone", "Phone"), col("reason", "Reason", toRunbook()), col("A", "Firmwares")},
			orElse(fmt.Sprintf("count by (network, step, phone, reason) (max by (network, step, phone, reason, firmware) (cx700_service_refused_info{%s}))", oneSiteOf),
				fmt.Sprintf("cx700_signin_state{%s}", oneSiteOf), "reason", "both are trusted")),
	}
}

// atSite keeps the series of the targets on which the site depends, from the exporters that watch it: others may have
// targets of the same name, as each is one itself. Of two the worse answer.
func atSite(worse, series, by string) string {
	return fmt.Sprintf("%s by (%s) (%s and on (job, instance, network, collector, target) cx700_site_target_info{%s})", worse, by, series, oneSite)
}

func siteTargets() []*Panel {
	const target = "network, collector, target"
	failing := atSite("max", "cx700_probe_failing", target+", reason")
	success := atSite("min", "cx700_probe_success", target)
	passes := fmt.Sprintf("%[1]s and on (%[2]s) %[3]s or 2 * %[1]s", success, target, failing)
	return []*Panel{
		row("Every target behind it"),
		timeline("Targets", "Whether phones get through at a target, by its last probe; failing also where that could not be told. Some get through although not all is well: see the reasons. No bar: not watched.", 24, 14,
			[]Target{lined(passes, "collector", "network", "target")},
			means(meaning{2, "good", good}, meaning{1, "gets through, with reasons", partly}, meaning{0, "failing", bad})),
		table("Reasons", "What the last probes found, also what only degrades a target, and when that was first seen in the time range. The reason leads to its runbook.", 12, 7,
			[]column{col("collector", "Collector"), col("network", "Network"), col("target", "Target"), col("reason", "Reason", toRunbook()),
				col("B", "First seen", unit(ago))},
			orElse(failing, fmt.Sprintf("cx700_site_target_info{%s}", oneSite), "reason", "nothing was found"),
			fmt.Sprintf("1000 * min_over_time(timestamp(%[1]s)[$__range:$__interval]) and %[1]s", failing)).sorted("First seen", true),
		table("Probes", "How old results are, how often they are renewed, and the part of the rounds in the time range that failed.", 12, 7,
			[]column{col("collector", "Collector"), col("network", "Network"), col("target", "Target"),
				col("A", "Age", unit("s"), decimals(0)), col("B", "Interval", unit("s")),
				col("C", "Failed", unit("percentunit"), decimals(1), thresholds(neutral, step{0.001, bad}))},
			fmt.Sprintf("time() - %s", atSite("min", "cx700_probe_last_run_timestamp_seconds", target)),
			atSite("max", "cx700_probe_interval_seconds", target),
			atSite("max", "increase(cx700_probe_failures_total[$__range]) / (increase(cx700_probes_total[$__range]) > 0)", target)).sorted("Failed", true),
	}
}

func siteNames() []*Panel {
	dns := func(series string, by ...string) string { return behind(oneSite, "dns", series, by...) }
	return []*Panel{
		row("Names (dns)"),
		timeline("Resolvers", "Whether a resolver answers the names of the site's own domains.", 6, 8,
			[]Target{lined(dns("cx700_dns_resolver_ok", "network", "resolver"), "resolver", "network")}, yesNo("answers", "fails")),
		table("Registrar by each lookup order", "Where each documented order leads first. Orders that differ lead some firmware elsewhere.", 10, 8,
			[]column{col("network", "Network"), col("order", "Order"), col("record", "Record"), col("host", "Host"), col("port", "Port")},
			dns("cx700_dns_registrar_info", "network", "order", "record", "host", "port")),
		table("Records", "How many records there are under the names that phones ask for.", 8, 8,
			[]column{col("network", "Network"), col("type", "Type"), col("name", "Name"), col("A", "Records", thresholds(bad, step{1, neutral}))},
			union(named(dns("cx700_dns_srv_records", "network", "name"), "type", "SRV"),
				named(dns("cx700_dns_address_records", "network", "name"), "type", "A"))).sorted("Records", false),
	}
}

func siteTime() []*Panel {
	of := func(series string) string {
		return fmt.Sprintf("max by (network, server, host) (%s * on (network, server) group_right () %s)",
			behind(oneSite, "ntp", series, "network", "server"), behind(oneSite, "ntp", "cx700_ntp_server_info", "network", "server", "host"))
	}
	return []*Panel{
		row("Time (ntp)"),
		graph("Clocks against the exporter's", "Kerberos allows 5 minutes. No line: the server does not answer or is unsynchronised.", 10, 8,
			[]Target{
				over(behind(oneSite, "ntp", "cx700_ntp_offset_seconds", "network", "server"), "{{server}} {{network}}"),
				over(behind(oneSite, "sip", "cx700_sip_clock_offset_seconds", "network", "address"), "registrar {{address}} {{network}}"),
			}, unit("s"), Property{"custom.axisSoftMin", -1}, Property{"custom.axisSoftMax", 1}),
		table("Time servers", "By their own account. Stratum 16 and 0 are unsynchronised or a kiss-o'-death; leap 3 is unsynchronised.", 14, 8,
			[]column{col("network", "Network"), col("host", "Name"), col("server", "Server"),
				col("A", "Stratum", thresholds(bad, step{1, neutral}, step{16, bad})),
				col("B", "Leap", thresholds(neutral, step{3, bad})), col("C", "Root distance", unit("s"), thresholds(neutral, step{1, partly})),
				col("D", "Round trip", unit("s"), thresholds(neutral, step{0.5, partly}))},
			of("cx700_ntp_stratum"), of("cx700_ntp_leap_indicator"), of("cx700_ntp_root_distance_seconds"), of("cx700_ntp_round_trip_seconds")),
	}
}

func siteLease() []*Panel {
	dhcp := func(series string, by ...string) string { return behind(oneSite, "dhcp", series, by...) }
	return []*Panel{
		row("Lease and names of old (dhcp, wins)"),
		stat("DHCP servers", "How many answered.", 3, now(dhcp("cx700_dhcp_servers"), ""), unit("short"), thresholds(bad, step{1, good}), noValue("not watched")),
		stat("WINS: DCs", "Domain controllers that WINS names; the least of the servers.", 3,
			now(fmt.Sprintf("min(%s)", behind(oneSite, "wins", "cx700_wins_controllers", "server")), ""),
			unit("short"), thresholds(bad, step{1, good}), noValue("not watched")),
		timeline("DHCP options", "Whether every server hands out an option as the site file says. No bar: it says nothing of it.", 9, 8,
			[]Target{lined(dhcp("cx700_dhcp_option_ok", "option"), "option")}, yesNo("as the site file says", "differs")),
		table("What servers hand out", "Lease times, and the form of option 119: phones read it as text, as the guide has it.", 9, 8,
			[]column{col("server", "Server"), col("form", "Option 119"), col("A", "Lease", unit("s"))},
			dhcp("cx700_dhcp_lease_seconds", "server"),
			orElse(dhcp("cx700_dhcp_search_info", "server", "form"), "cx700_site_target_info", "form", "not sent")),
	}
}

func siteDirectory() []*Panel {
	ad := func(series string, by ...string) string { return behind(oneSite, "directory", series, by...) }
	roots := func(state string) string {
		return ad(fmt.Sprintf(`cx700_ad_ca_certificates{container="certification_authorities",state=%q}`, state), "dc")
	}
	seen := fmt.Sprintf("%[1]s - (%[1]s == bool 0) * (%[2]s > bool 0)", roots("populated"), roots("hidden"))
	hidden := meaning{-1, "hidden", unknown}
	return []*Panel{
		row("Active Directory and the CA's page (directory, certsrv): for new phones"),
		timeline("Roots published, by controller", "How many certificates CN=Certification Authorities holds at a domain controller. None: new phones cannot enrol. Hidden: our account may not read it, which says nothing of phones.", 12, 6,
			[]Target{over(seen, "{{dc}}")},
			means(hidden, meaning{0, "none", bad}, meaning{1, "1", good}, meaning{2, "2", good}, meaning{3, "3", good}, meaning{4, "4", good})),
		table("Domain controllers", "Whether the exporter could read what they publish, and their objects of enrolment services.", 12, 6,
			[]column{col("dc", "Controller"), col("A", "Readable", yesNo("yes", "no"), cell()), col("B", "Services", thresholds(bad, step{1, neutral})),
				col("C", "Roots", means(hidden), thresholds(bad, step{1, neutral}))},
			ad("cx700_ad_controller_readable", "dc"), ad("cx700_ad_enrolment_services", "dc"), seen),
		table("Domain", "In which phones find their controllers, and the forest's configuration naming context.", 12, 5,
			[]column{col("domain", "Domain"), col("configuration", "Configuration")}, ad("cx700_ad_domain_info", "domain", "configuration")),
		table("The CA's page", "Phones' second way to a root. Healthy is 401, a demand for a Windows logon.", 12, 5,
			[]column{col("host", "Host"), col("A", "Serves phones", yesNo("yes", "no"), cell()), col("B", "HTTP status")},
			behind(oneSite, "certsrv", "cx700_certsrv_ok", "host"), behind(oneSite, "certsrv", "cx700_certsrv_http_status", "host")),
	}
}

func sitePool() []*Panel {
	pool := func(series string, by ...string) string { return behind(oneSite, "pool", series, by...) }
	sip := func(series string, by ...string) string { return behind(oneSite, "sip", series, by...) }
	const failing = `cx700_pool_handshake_ok == 0 and on (job, instance, network, target) cx700_probe_failing{collector="pool"}`
	return []*Panel{
		row("Registrars (pool, sip)"),
		timeline("TLS handshakes", "As phones offer TLS and as clients of today do. Modern good and phone failing: the server was hardened, and phones are cut off. "+
			"Not needed: nothing is wrong with the pool, since phones go on to the next address in their order.", 8, 8,
			[]Target{lined(pool("("+failing+" or cx700_pool_handshake_ok + 1)", "network", "address", "offer"), "address", "offer", "network")},
			means(meaning{2, "ends well", good}, meaning{1, "fails, not needed", other}, meaning{0, "fails", bad})),
		timeline("Sign-in taken up", "Whether a registrar takes up the sign-in of a firmware, as far as that shows before the logon.", 8, 8,
			[]Target{lined(sip("cx700_sip_ok", "network", "address", "firmware"), "address", "firmware", "network")}, yesNo("taken up", "refused")),
		timeline("Trusted by phones", "Whether phones trust a registrar by its certificates. No bar: not known or not watched.", 8, 8,
			[]Target{lined(fmt.Sprintf("min by (network, address, phone) (cx700_pool_trusted{%s})", oneSiteOf), "address", "phone", "network")}, yesNo("trusted", "not trusted")),
		table("TLS chosen", "Version and cipher suite that a registrar chooses.", 12, 6,
			[]column{col("network", "Network"), col("address", "Address"), col("offer", "Offer"), col("version", "Version"), col("suite", "Suite")},
			pool("cx700_pool_tls_info", "network", "address", "offer", "version", "suite")),
		table("SIP", "What a registrar calls itself, and its status for a phone that does not log on yet; 401 is the healthy one.", 12, 6,
			[]column{col("network", "Network"), col("address", "Address"), col("server", "Server"), col("A", "Status")},
			sip("cx700_sip_status", "network", "address"), sip("cx700_sip_server_info", "network", "address", "server")),
	}
}

func siteExchange() []*Panel {
	exchange := func(series string, by ...string) string { return behind(oneSite, "exchange", series, by...) }
	return []*Panel{
		row("Exchange: calendar and contacts"),
		timeline("Found", "Whether a place of the phone's order answers for Exchange.", 12, 6,
			[]Target{lined(exchange("cx700_exchange_found", "network"), "network")}, yesNo("found", "not found")),
		timeline("Servers", "Whether a server answers as phones need it.", 12, 6,
			[]Target{lined(exchange("cx700_exchange_ok", "network", "service", "host", "address"), "service", "host", "address", "network")}, yesNo("answers", "fails")),
	}
}
