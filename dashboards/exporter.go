package dashboards

import "fmt"

// ownJob are the label matchers of the exporter's own scrapes. All are those that there are, lest they match the whole of
// Prometheus.
const ownJob = `job=~"$job",instance=~"$instance"`

// neverUp is true for what did not answer in the range, and so is no instance that one can choose, where nothing but
// exporters answers in its job. Every exporter tells how it took over its site file.
const neverUp = `up{job=~"$job"} == 0 unless on (job, instance) last_over_time(cx700_config_last_reload_successful[$__range])` +
	` unless on (job) (up == 1 unless on (job, instance) cx700_config_last_reload_successful)`

// exporter answers: can one rely on what the exporter says?
func exporter() *Dashboard {
	own := func(series string) string { return fmt.Sprintf("%s{%s}", series, ownJob) }
	rate := func(series string) string { return fmt.Sprintf("rate(%s{%s}[$__rate_interval])", series, ownJob) }
	// Prometheus keeps native histograms where it is told to scrape them, else classic ones; each has its own name.
	quantile := func(q float64, histogram, by string) string {
		return fmt.Sprintf(`histogram_quantile(%[1]g, sum by (%[2]s) (%[3]s)) >= 0 or histogram_quantile(%[1]g, sum by (%[2]s, le) (%[4]s)) >= 0`,
			q, by, rate(histogram), rate(histogram+"_bucket"))
	}
	const duration, queue = "cx700_probe_duration_seconds", "cx700_probe_queue_seconds"
	const byTarget = "network, collector, target"
	age := "time() - max by (" + byTarget + ") (" + own("cx700_probe_last_run_timestamp_seconds") + ")"
	inProgram := func(moment string) string {
		return fmt.Sprintf("1000 * max by (instance, version, goversion) (%s * on (job, instance) group_right () %s)", own(moment), own("cx700_exporter_build_info"))
	}
	return dashboard("exporter", "the exporter itself",
		"Whether one can rely on what the exporter says: it is there, its results are young, its network and clock are good, its accounts work.",
		[]Variable{
			listed("job", "Job", `label_values(cx700_exporter_build_info, job)`),
			listed("instance", "Instance", `label_values(cx700_exporter_build_info{job=~"$job"}, instance)`),
		},
		stat("Up", "Whether the last scrape succeeded, also of what never answered in the time range beside exporters in their job. Without it all else is the past.", 3,
			now(fmt.Sprintf("min(%s or %s)", own("up"), neverUp), ""), yesNo("up", "down"), noValue("not scraped")),
		stat("Site file", "Whether the last attempt to read it succeeded. A faulty one changes nothing.", 3,
			now("min("+own("cx700_config_last_reload_successful")+")", ""), yesNo("taken over", "refused"), noValue("not scraped")),
		stat("Vantage", "The exporter's own network and clock, by its references. While they are not good, verdicts are unknown.", 4,
			now("min by (network) ("+own("cx700_vantage_ok")+")", "{{network}}"), yesNo("good", "lost"), noValue("no references in the site file")),
		stat("Accounts stopped", "Credentials that were refused and are not used any more, until their secret changes.", 4,
			now("sum(max by (credential) ("+own("cx700_credential_stopped")+"))", ""), unit("short"), thresholds(good, step{1, bad}), noValue("no accounts")),
		figure("Targets", "How many are probed.", 3, now("count(group by ("+byTarget+") ("+own("cx700_probe_interval_seconds")+"))", ""), unit("short"), noValue("nothing reported")),
		stat("Results too old", "Targets whose last probe ended longer ago than three intervals.", 3,
			now("sum("+age+" > bool 3 * max by ("+byTarget+") ("+own("cx700_probe_interval_seconds")+"))", ""),
			unit("short"), thresholds(good, step{1, unknown}), noValue("nothing reported")),
		stat("Faults of ours", "Targets whose probe failed by a fault of the exporter's own (reason internal).", 4,
			now(fmt.Sprintf(`count(cx700_probe_failing{%s,reason="internal"}) or on () 0 * count(%s)`, ownJob, own("cx700_probe_interval_seconds")), ""),
			unit("short"), thresholds(good, step{1, bad}), noValue("nothing reported")),
		row("Probes"),
		graph("Durations", "The slowest tenth of the probes of a collector took at least so long.", 8, 9,
			[]Target{over(quantile(0.9, duration, "collector"), "{{collector}}")}, unit("s"), Property{"min", 0}),
		heat("Durations of all probes", "Needs native histograms: scrape_native_histograms (Prometheus 3) or the feature flag native-histograms (2.40 and later). Empty without.", 8, 9,
			"sum("+rate(duration)+")", "s"),
		graph("Waiting for a free worker", "The slowest tenth of the probes waited at least so long after they were due. Long waits: raise --probe.concurrency or intervals.", 8, 9,
			[]Target{over(quantile(0.9, queue, "collector"), "{{collector}}")}, unit("s"), Property{"min", 0}),
		graph("Age of results", "The oldest of each collector.", 8, 9,
			[]Target{over("max by (collector) ("+age+")", "{{collector}}")}, unit("s"), Property{"min", 0}),
		graph("Probes a second", "Rounds, by collector.", 8, 9,
			[]Target{over("sum by (collector) ("+rate("cx700_probes_total")+")", "{{collector}}")},
			append(stacked(), unit("ops"), Property{"min", 0})...),
		graph("Rounds that failed", "The part of the rounds in which a target was not successful, by collector.", 8, 9,
			[]Target{over("sum by (collector) ("+rate("cx700_probe_failures_total")+") / (sum by (collector) ("+rate("cx700_probes_total")+") > 0)", "{{collector}}")},
			unit("percentunit"), Property{"min", 0}, Property{"max", 1}),
		table("Oldest results", "The ten results that are oldest, in intervals: above 3 they are too old.", 12, 9,
			[]column{col("collector", "Collector"), col("network", "Network"), col("target", "Target"),
				col("A", "Intervals", decimals(1), thresholds(neutral, step{3, bad})), col("B", "Interval", unit("s"))},
			"topk(10, ("+age+") / max by ("+byTarget+") ("+own("cx700_probe_interval_seconds")+"))",
			"max by ("+byTarget+") ("+own("cx700_probe_interval_seconds")+") and topk(10, ("+age+") / max by ("+byTarget+") ("+own("cx700_probe_interval_seconds")+"))").sorted("Intervals", true),
		table("Accounts", "Refused ones are not used until their secret changes. The password's end is as Active Directory tells; of an account for Exchange alone it does not.", 12, 9,
			[]column{col("credential", "Account"), col("A", "State", means(meaning{0, "used", good}, meaning{1, "stopped", bad}), cell()),
				col("B", "Password ends in days", decimals(0), daysLeft(), missing("never, or not told"), cell())},
			orElse("max by (credential) ("+own("cx700_credential_stopped")+")", own("cx700_exporter_build_info"), "credential", "no accounts in the site file"),
			"(max by (credential) ("+own("cx700_credential_password_expiry_timestamp_seconds")+") - time()) / 86400"),
		row("Scrapes and the process"),
		graph("Scrapes", "How long they take. A scrape probes nothing.", 8, 8, []Target{over(own("scrape_duration_seconds"), "{{instance}}")}, unit("s"), Property{"min", 0}),
		graph("Series", "Samples in each scrape.", 8, 8, []Target{over(own("scrape_samples_scraped"), "{{instance}}")}, unit("short"), Property{"min", 0}),
		graph("Memory", "Resident set, and what Go's heap holds.", 8, 8,
			[]Target{over(own("process_resident_memory_bytes"), "resident {{instance}}"), over(own("go_memstats_heap_inuse_bytes"), "heap {{instance}}")}, unit("bytes"), Property{"min", 0}),
		graph("CPU", "Cores in use.", 6, 8, []Target{over(rate("process_cpu_seconds_total"), "{{instance}}")}, unit("short"), Property{"min", 0}),
		graph("Goroutines and open files", "A rise without end is a leak.", 6, 8,
			[]Target{over(own("go_goroutines"), "goroutines {{instance}}"), over(own("process_open_fds"), "open files {{instance}}")}, unit("short"), Property{"min", 0}),
		table("Programs", "Version, start, and when the site file was last read with success.", 12, 8,
			[]column{col("instance", "Instance"), col("version", "Version"), col("goversion", "Go"),
				col("A", "Started", unit(ago)), col("B", "Site file read", unit(ago))},
			inProgram("process_start_time_seconds"), inProgram("cx700_config_last_reload_success_timestamp_seconds")))
}
