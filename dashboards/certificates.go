package dashboards

import "fmt"

// certificates answers: what ends when, which roots are published, and who trusts what?
func certificates() *Dashboard {
	ad := func(series string, by ...string) string { return behind(chosenSites, "directory", series, by...) }
	published := func(state string) string {
		return ad(fmt.Sprintf("cx700_ad_ca_certificates{state=%q}", state), "target", "dc", "container")
	}
	roots := func(state string) string {
		return ad(fmt.Sprintf(`cx700_ad_ca_certificates{container="certification_authorities",state=%q}`, state), "target", "dc")
	}
	inInfo := func(value string) string {
		return fmt.Sprintf(`%s * on (target, container, sha256) group_right () %s`, value,
			ad("cx700_ad_ca_certificate_info", "target", "container", "sha256", "subject", "key", "signature_algorithm"))
	}
	left := func(ends string) string { return fmt.Sprintf("(%s - time()) / 86400", ends) }
	return dashboard("certificates", "certificates and roots",
		"Everything that ends, the roots that Active Directory publishes, and who trusts what.",
		[]Variable{networkVariable(), siteVariable(), firmwareVariable()},
		stat("Next end", "The first of all that ends but what is built into phones; negative once it has.", 4, now("min("+left(ends(chosenSites))+")", ""),
			unit("suffix: days"), decimals(0), daysLeft(), noValue("nothing known")),
		stat("End within 30 days", "How many certificates and passwords do, or have ended.", 4, now("sum("+left(ends(chosenSites))+" < bool 30)", ""),
			unit("short"), thresholds(good, step{1, soon}), noValue("nothing known")),
		stat("DCs without a root", "Domain controllers that can be read and whose CN=Certification Authorities holds no certificate: new phones cannot enrol there. What is hidden from us is not counted.", 4,
			now(fmt.Sprintf("sum((%s == bool 0) * (%s == bool 0))", roots("populated"), roots("hidden")), ""), unit("short"), thresholds(good, step{1, bad}), noValue("AD is not watched")),
		stat("Registrars not trusted", "Registrar addresses that some kind of phone does not trust.", 4,
			now(fmt.Sprintf("sum(1 - min by (network, address) (cx700_pool_trusted{%s}))", chosen), ""), unit("short"), thresholds(good, step{1, bad}), noValue("not known")),
		stat("Changes of roots", "Roots in CN=Certification Authorities that appeared, were replaced or went in the time range, once for each forest.", 4,
			now("sum("+rootChanges("$__range")+")", ""), unit("short"), decimals(0), thresholds(good, step{1, partly}), noValue("AD is not watched")),
		figure("Authorities that live", "Of the 17 built into the phone.", 4,
			now("sum(max by (authority) (cx700_trusted_authority_not_after_timestamp_seconds) > bool time())", ""), unit("short"), noValue("nothing reported")),
		row("Time line of all that ends"),
		bars("The next twenty, by days left", "The shorter the bar, the sooner. What ended has none.", 12, 14,
			now(fmt.Sprintf("sort(bottomk(20, %s))", left(line(allEnds(chosenSites), "what", "where", "network"))), "{{line}}"), unit("suffix: days"), decimals(0), daysLeft()),
		table("All that ends", "Of the chosen sites, and the authorities built into the phone that live. By fingerprint (its beginning) where a certificate was published, by address where it was served.", 12, 14,
			[]column{col("what", "What"), col("where", "Where"), col("network", "Network"), col("A", "Days left", decimals(0), daysLeft(), cell()),
				col("B", "Ends", unit(iso))},
			left(allEnds(chosenSites)), "1000 * "+allEnds(chosenSites)).sorted("Days left", false),
		table("Sign-in until", "When the first certificate ends of those by which a kind of phone gets to its registrar, as things stand.", 24, 8,
			[]column{col("site", "Site", toSite()), col("network", "Network"), col("firmware", "Firmware"), col("phone", "Phone"),
				col("A", "Days left", decimals(0), daysLeft(), cell()), col("B", "Until", unit(iso))},
			fmt.Sprintf("(min by (site, network, firmware, phone) (cx700_signin_valid_until_timestamp_seconds{%s}) - time()) / 86400", chosen),
			fmt.Sprintf("1000 * min by (site, network, firmware, phone) (cx700_signin_valid_until_timestamp_seconds{%s})", chosen)).sorted("Days left", false),
		row("Roots in Active Directory"),
		timeline("CN=Certification Authorities, by controller", "What a domain controller shows new phones. Hidden: our account may not read it, which says nothing of phones.", 9, 9,
			[]Target{lined(fmt.Sprintf("(%[1]s == bool 0) * (1 + (%[2]s > bool 0))", roots("populated"), roots("hidden")), "dc", "target")},
			means(meaning{0, "populated", good}, meaning{1, "no certificate", bad}, meaning{2, "hidden from us", unknown})),
		table("What controllers hold", "Values of cACertificate by what they hold; hidden counts objects.", 15, 9,
			[]column{col("target", "Target"), col("dc", "Controller"), col("container", "Container"),
				col("A", "Populated"), col("B", "Empty", thresholds(neutral, step{1, bad})),
				col("C", "Hidden", thresholds(neutral, step{1, unknown})), col("D", "Unparsable", thresholds(neutral, step{1, bad}))},
			published("populated"), published("empty"), published("hidden"), published("unparsable")),
		table("Published certificates", "Since when is kept in the state file, for roots only.", 24, 7,
			[]column{col("target", "Target"), col("container", "Container"), col("subject", "Subject"), col("key", "Key"), col("signature_algorithm", "Signature"),
				col("sha256", "Fingerprint"), col("A", "Ends", unit(iso)), col("B", "Seen since", unit(iso))},
			inInfo("1000 * "+ad("cx700_ad_ca_certificate_not_after_timestamp_seconds", "target", "container", "sha256")),
			inInfo("1000 * "+named(ad("cx700_ad_ca_certificate_first_seen_timestamp_seconds", "target", "sha256"), "container", "certification_authorities"))),
		graph("Roots that changed", "In CN=Certification Authorities; replaced: another certificate in the same object. Certificates without series of their own: the target has too many.", 24, 6,
			[]Target{
				over(rootChanges("$__rate_interval"), "{{change}}"),
				over("sum("+ad("cx700_ad_ca_certificates_not_listed", "target")+") or on () 0 * count("+ad("cx700_ad_controller_readable", "target")+")", "published, without series of their own"),
			}, unit("short"), decimals(0), Property{"min", 0}, Property{"custom.axisSoftMax", 1}, Property{"custom.drawStyle", "bars"}, Property{"custom.fillOpacity", 80}),
		row("Trust"),
		table("Stranded by a roll-over of the root", "New phones: the pool's root is not published any more. Enrolled ones: the pool has moved to a root that they do not hold.", 24, 6,
			[]column{col("site", "Site", toSite()), col("network", "Network"), col("phone", "Phone"), col("A", "Firmwares")},
			orElse(fmt.Sprintf("count by (site, network, phone) (max by (site, network, phone, firmware) (cx700_rollover_info{%s}))", chosen),
				fmt.Sprintf("cx700_signin_state{%s}", chosen), "site", "nobody")),
		timeline("Registrars, by what phones hold", "Whether a kind of phone trusts a registrar, over all chosen firmwares. No bar: not known or not watched.", 10, 8,
			[]Target{lined(fmt.Sprintf("min by (network, address, phone) (cx700_pool_trusted{%s})", chosen), "address", "phone", "network")}, yesNo("trusted", "not trusted")),
		table("Services that phones do not trust", "Exchange and the update service. Nobody is kept from signing in by that.", 14, 8,
			[]column{col("site", "Site", toSite()), col("network", "Network"), col("step", "Service"), col("phone", "Phone"), col("reason", "Reason", toRunbook()), col("A", "Firmwares")},
			orElse(fmt.Sprintf("count by (site, network, step, phone, reason) (max by (site, network, step, phone, reason, firmware) (cx700_service_refused_info{%s}))", chosen),
				fmt.Sprintf("cx700_signin_state{%s}", chosen), "reason", "both are trusted")),
		table("Authorities built into the phone", "When they really end, and when the deployment guide says so (page 9).", 24, 13,
			[]column{col("vendor", "Vendor"), col("authority", "Authority"), col("A", "Ends", unit(iso)),
				col("B", "By the guide", unit(iso)), col("C", "Today", yesNo("lives", "ended"), cell())},
			"1000 * max by (vendor, authority) (cx700_trusted_authority_not_after_timestamp_seconds)",
			"1000 * max by (vendor, authority) (cx700_trusted_authority_guide_not_after_timestamp_seconds)",
			"max by (vendor, authority) (cx700_trusted_authority_not_after_timestamp_seconds) > bool time()").sorted("Ends", false))
}
