package alerts

import "time"

// exporterDown is true for what cannot be scraped and was an exporter within a week, whatever its job is called. Every
// exporter tells how it took over its site file.
func exporterDown() string {
	return `up == 0 and on (job, instance) last_over_time(` + reloadOK + `[7d])`
}

// sitesUnwatched counts the sites of a file that no exporter of the job has.
func sitesUnwatched() string {
	all := `max by (job) (` + sites + `)`
	return `(
  ` + all + `
  - on (job) (
    count by (job) (count by (job, site) (` + objective + `))
    or on (job) 0 * ` + all + `
  )
) > 0
unless on (job) up == 0`
}

// own are the alerts about the exporter itself.
func own() []Alert {
	return []Alert{
		{
			Name: "Cx700ExporterDown", Severity: Warning, For: 3 * time.Minute, Dashboard: dashExporter,
			Expr: exporterDown() + `
or
(
  absent(` + reloadOK + `)
  unless on () (` + exporterDown() + `)
)`,
			Summary:     "The exporter cannot be scraped{{ with $labels.instance }} ({{ . }}){{ end }}",
			Description: "Nobody watches the phones of its sites until it is back.",
			Means:       "Prometheus gets nothing from the exporter, or from none at all. All other alerts about phones are blind.",
			First:       "Look at its process and its log; look at the target's page in Prometheus, which tells what the scrape met.",
		},
		{
			Name: "Cx700ResultsTooOld", Severity: Warning, For: 5 * time.Minute, Dashboard: dashExporter,
			Expr:        `count by (network, collector) (time() - ` + lastRun + ` > 3 * ` + interval + ` + 60) > 0`,
			Summary:     "{{ $value }} targets of {{ $labels.collector }} ({{ $labels.network }}) were not looked at for three intervals",
			Description: "The exporter does not get to them: what it says of them is old.",
			Means:       "Results are older than three of their intervals and a minute. A verdict that needs them becomes unknown.",
			First:       "Look at the exporter's log and at cx700_probe_queue_seconds; raise --probe.concurrency, or restart it.",
		},
		{
			Name: "Cx700QueueLate", Severity: Warning, For: 10 * time.Minute, Dashboard: dashExporter,
			Expr:        `histogram_quantile(0.9, sum by (job, instance, le) (rate(` + queue + `{collector!="firmware_download"}[15m]))) > 5`,
			Summary:     "Probes wait {{ $value | humanizeDuration }} for a free worker{{ with $labels.instance }} ({{ . }}){{ end }}",
			Description: "One in ten waits longer. Silent servers hold workers until their time is over.",
			Means:       "There are more probes than workers. Results come late; nothing is wrong with phones because of it.",
			First:       "Raise --probe.concurrency, give the machine more, or spread the sites over more shards.",
		},
		{
			Name: "Cx700SitesUnwatched", Severity: Warning, For: 15 * time.Minute, Dashboard: dashExporter,
			Expr:        sitesUnwatched(),
			Summary:     "{{ $value }} sites of the site file are watched by no exporter ({{ $labels.job }})",
			Description: "Shards that Prometheus scrapes: {{ range query (printf `count by (shard, shards) (" + shardInfo + "{job=%q})` $labels.job) }}{{ .Labels.shard }} of {{ .Labels.shards }}. {{ end }}",
			Means: "The exporters of one job are to share the sites of one site file, and some sites are with none of them: a shard is not there, " +
				"two have one index, or they differ in --shard.count or in the site file.",
			First: "See in the description which shards are there: each index from 0 on must be, and all with the same count. Then compare " +
				"their site files: cx700_config_sites is the same for all.",
			Quiet: "while an exporter of the job is down: Cx700ExporterDown says so",
		},
		{
			Name: "Cx700ReloadFailed", Severity: Warning, For: time.Minute, Dashboard: dashExporter,
			Expr:        reloadOK + ` == 0`,
			Summary:     "The site file was not taken over",
			Description: "The exporter goes on with the one before. Its first page and its log say what is wrong, line by line.",
			Means:       "The site file has a fault. Nothing that was changed in it is in force, sites that were added are not watched.",
			First:       "cx700_exporter config check, mend the file, send SIGHUP.",
		},
		{
			Name: "Cx700ProbeInternalErrors", Severity: Warning, For: 5 * time.Minute, Dashboard: dashExporter,
			Expr:        `count by (network, collector) (` + failing + `{reason="internal"}) > 0`,
			Summary:     "Probes of {{ $labels.collector }} ({{ $labels.network }}) fail by the exporter's own fault",
			Description: "{{ $value }} targets. That says nothing about phones.",
			Means:       "A probe ended with an error that is no finding: a bug of the exporter, or a machine out of files or memory.",
			First:       "Look at the exporter's log, and report what it says.",
		},
	}
}
