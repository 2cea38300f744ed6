package dashboards

import "fmt"

// update answers: would phones get new firmware, from whom, and is it whole?
func update() *Dashboard {
	service := func(series string, by ...string) string { return behind(chosenSites, "update", series, by...) }
	files := func(series string, by ...string) string { return behind(chosenSites, "firmware", series, by...) }
	images := func(series string, by ...string) string {
		return behind(chosenSites, "firmware_download", series, by...)
	}
	file := []string{"network", "target", "file"}
	ready := fmt.Sprintf("cx700_update_ready{%s}", chosen)
	return dashboard("update", "update and firmware",
		"Whether phones would get new firmware, what the update service answers, and whether files and images are whole.",
		[]Variable{networkVariable(), siteVariable(), firmwareVariable()},
		stat("Sites without updates", "Sites where a chosen firmware would not get new firmware wherever it is sent for it.", 4,
			now("sum(1 - min by (site) ("+ready+"))", ""), unit("short"), thresholds(good, step{1, soon}), noValue("not known")),
		stat("Servers that fail", "Addresses of servers for updates that do not answer as phones need it.", 4,
			now("sum(1 - "+service("cx700_update_ok", "network", "target", "host", "address")+")", ""), unit("short"), thresholds(good, step{1, bad}), noValue("not watched")),
		stat("Blank base URLs", "Targets whose updates lack the base URL for phones inside or outside: those phones are told of firmware and not from where.", 4,
			now("sum(1 - "+service("cx700_update_base_url_populated", "network", "target", "url")+")", ""), unit("short"), thresholds(good, step{1, bad}), noValue("nothing is offered")),
		stat("Files not there", "Files of offered updates that phones cannot fetch.", 4,
			now("sum(1 - "+files("cx700_firmware_reachable", file...)+")", ""), unit("short"), thresholds(good, step{1, bad}), noValue("nothing is offered")),
		stat("Images not whole", "Images of which the last reading did not bring all.", 4,
			now("sum(1 - "+images("cx700_firmware_download_ok", file...)+")", ""), unit("short"), thresholds(good, step{1, bad}), noValue("none was read yet")),
		stat("Images that changed", "How often an image had other bytes under the same version, in the time range.", 4,
			now("sum("+images("increase(cx700_firmware_changes_total[$__range])", file...)+")", ""), unit("short"), decimals(0), thresholds(good, step{1, partly}), noValue("none was read yet")),
		timeline("Would phones get firmware?", "By site, network and firmware, wherever a phone is sent for it. No bar: not known.", 12, 9,
			[]Target{lined("min by (site, network, firmware) ("+ready+")", "site", "network", "firmware")},
			means(meaning{1, "everywhere", good}, meaning{0, "not everywhere", soon})),
		table("Reasons", "What stands against it now: of the update service, its files and its images. The reason leads to its runbook.", 12, 9,
			[]column{col("collector", "Collector"), col("network", "Network"), col("target", "Target"), col("reason", "Reason", toRunbook()), col("A", "Sites")},
			orElse(fmt.Sprintf(`max by (network, collector, target, reason) (cx700_probe_failing{collector=~"update|firmware.*"}) * on (network, collector, target) group_left () `+
				`count by (network, collector, target) (group by (network, collector, target, site) (cx700_site_target_info{%s}))`, chosenSites),
				fmt.Sprintf(`cx700_site_target_info{%s,collector="update"}`, chosenSites), "reason", "nothing was found")),
		row("The update service"),
		timeline("Servers", "Whether a server answers as phones need it.", 12, 9,
			[]Target{lined(service("cx700_update_ok", "network", "host", "address"), "host", "address", "network")}, yesNo("answers", "fails")),
		table("Answers", "HTTP status of the update service for somebody who does not log on: 200 inside, 401 outside when healthy.", 12, 9,
			[]column{col("network", "Network"), col("host", "Host"), col("address", "Address"), col("A", "Status")},
			service("cx700_update_http_status", "network", "host", "address")),
		table("Versions of the servers", "Two rows of one target are front ends that differ. 3.5 is OCS 2007 R2.", 8, 7,
			[]column{col("network", "Network"), col("target", "Target"), col("server_version", "Server"), col("service_version", "Service")},
			service("cx700_update_server_info", "network", "target", "server_version", "service_version")),
		table("Firmware offered", "Versions that the service offers.", 8, 7,
			[]column{col("network", "Network"), col("target", "Target"), col("version", "Version")},
			service("cx700_update_offered_info", "network", "target", "version")),
		table("Base URLs", "Whether all offered updates have the URL for phones inside and for phones outside.", 8, 7,
			[]column{col("network", "Network"), col("target", "Target"), col("url", "For phones"), col("A", "Populated", yesNo("yes", "blank"), cell())},
			service("cx700_update_base_url_populated", "network", "target", "url")).sorted("Populated", false),
		row("Files and images"),
		table("Files", "Whether a file is there at each address of its server, and its size. Outside, a demand for an NTLM logon counts as there.", 24, 9,
			[]column{col("network", "Network"), col("file", "File", urlEnd()), col("target", "Target"),
				col("A", "There", yesNo("yes", "no"), cell()), col("B", "Size", unit("decbytes"))},
			files("cx700_firmware_reachable", file...),
			files("cx700_firmware_size_bytes", file...)).sorted("There", false),
		table("Images", "Whether the last reading brought all of it. Never faster than the exporter's own limit.", 24, 9,
			[]column{col("network", "Network"), col("file", "Image", urlEnd()), col("target", "Target"),
				col("A", "Whole", yesNo("yes", "no"), cell()), col("B", "Speed", unit("Bps")), col("C", "Changed", decimals(0), thresholds(neutral, step{1, partly}))},
			images("cx700_firmware_download_ok", file...),
			images("cx700_firmware_download_bytes_per_second", file...),
			images("increase(cx700_firmware_changes_total[$__range]) and on (network, target, file) cx700_firmware_download_ok", file...)).sorted("Whole", false),
		graph("Speed of whole images", "At the slowest server of each target.", 12, 8,
			[]Target{over("min by (network, target) ("+images("cx700_firmware_download_bytes_per_second", file...)+")", "{{target}} {{network}}")}, unit("Bps"), Property{"min", 0}).beside(),
		graph("Size of images", "The smallest of a target. A fall under the same version is an image that was cut off.", 12, 8,
			[]Target{over("min by (network, target) ("+files("cx700_firmware_size_bytes", file...)+")", "{{target}} {{network}}")}, unit("decbytes"), Property{"min", 0}).beside())
}
