package alerts

import (
	"fmt"
	"strings"
	"time"
)

// exporterJob is how a job is called that has exporters only: cx700, or something with cx700-exporter in it.
const exporterJob = `(.*[/_-])?cx700|.*cx700[_-]exporter.*`

// exporterDown is true for what gives nothing of an exporter and is one: it did within a week, whatever answers there now;
// or it cannot be scraped, and its job is named after exporters, or others of its job are and nothing else answers there.
// Every exporter tells how it took over its site file.
func exporterDown() string {
	known := `last_over_time(` + reloadOK + `[7d])`
	return `up{job=~"` + exporterJob + `"} == 0
or up unless on (job, instance) ` + reloadOK + ` and on (job, instance) ` + known + `
or up == 0 and on (job) ` + known + `
  unless on (job) (up == 1 unless on (job, instance) ` + reloadOK + `)`
}

// exporterGone counts the sites that an exporter watched which is no target any more, and that nobody watches now. Where
// another of its job watches the network and has read the site file since, they were taken out of it. A day ago goes on
// where an hour ago ends.
func exporterGone() string {
	since := func(ago string, seconds int) string {
		return fmt.Sprintf(`count by (job, network) (
  count by (job, network, site) (%[1]s offset %[2]s unless on (job, instance) up)
  unless on (network, site) %[1]s
  unless on (job, network) (%[1]s and on (job, instance) %[3]s > time() - %[4]d)
)`, siteTarget, ago, reloadTime, seconds)
	}
	return since("1h", 3600) + "\nor\n" + since("1d", 86400)
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
) > 0`
}

// queueLate is true where one in ten probes waits too long. Prometheus keeps native histograms where it is told to scrape
// them, else classic ones; each has its own name.
func queueLate() string {
	const late = `histogram_quantile(0.9, sum by (job, instance%s) (rate(%s{collector!="firmware_download"}[15m]))) > 5`
	return fmt.Sprintf(late, "", queue) + "\nor\n" + fmt.Sprintf(late, ", le", queue+"_bucket")
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
  unless on () (
    ` + strings.ReplaceAll(exporterDown(), "\n", "\n    ") + `
  )
)`,
			Summary:     "{{ if and $labels.instance (eq $value 1.0) }}What is scraped is no exporter any more{{ else }}The exporter cannot be scraped{{ end }}{{ with $labels.instance }} ({{ . }}){{ end }}",
			Description: "Nobody watches the phones of its sites until it is back.",
			Means: "Prometheus gets nothing from the exporter, or from none at all. All other alerts about phones are blind. One that never " +
				"came up is known by its job: others of it are exporters, or it is called cx700 or cx700-exporter, whatever stands " +
				"before; cx700-exporter may have more behind it.",
			First: "Look at its process and its log; look at the target's page in Prometheus, which tells what the scrape met. " +
				"Where it is up there, another program answers at its address, or relabelling drops its series.",
		},
		{
			Name: "Cx700ExporterGone", Severity: Warning, For: 15 * time.Minute, Dashboard: dashExporter,
			Expr:        exporterGone(),
			Summary:     "{{ $value }} sites ({{ $labels.network }}) lost the exporter that watched them ({{ $labels.job }})",
			Description: "It is no target of Prometheus any more, and no other watches them. An alert that it had is over without being mended.",
			Means: "An exporter left service discovery (its pod is gone, or its target was taken out), and nobody watches its sites on that network. " +
				"This is told for an hour, and for a day of sites that were watched the day before.",
			First: "Bring the exporter back: see whether its pod is pending or evicted, and whether its target is still in Prometheus' " +
				"configuration. Where it was taken away on purpose, this ends by itself.",
			Quiet: "where an exporter of the job that watches the network has read its site file since: the sites were taken out of it, or " +
				"Cx700SitesUnwatched says that they were not",
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
			Expr:        queueLate(),
			Summary:     "Probes wait {{ $value | humanizeDuration }} for a free worker{{ with $labels.instance }} ({{ . }}){{ end }}",
			Description: "One in ten waits longer. Silent servers hold workers until their time is over.",
			Means:       "There are more probes than workers. Results come late; nothing is wrong with phones because of it.",
			First:       "Raise --probe.concurrency, give the machine more, or spread the sites over more shards.",
		},
		{
			Name: "Cx700SitesUnwatched", Severity: Warning, For: 15 * time.Minute, Dashboard: dashExporter,
			Expr:        sitesUnwatched(),
			Summary:     "{{ $value }} sites of the site file are watched by no exporter ({{ $labels.job }})",
			Description: "Shards that Prometheus scrapes: {{ range query (printf `count by (shard, shards) (" + shardInfo + "{job=%q})` $labels.job) | sortByLabel \"shard\" }}{{ .Labels.shard }} of {{ .Labels.shards }}. {{ end }}",
			Means: "The exporters of one job are to share the sites of one site file, and some sites are with none of them: a shard is not there, " +
				"two have one index, or they differ in --shard.count or in the site file.",
			First: "See in the description which shards are there: each index from 0 on must be, and all with the same count. Then compare " +
				"their site files: cx700_config_sites is the same for all.",
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
