package alerts

import "time"

// notNamedByRoot leaves out new phones at sites behind a directory of which another alert says what it lacks.
func notNamedByRoot() string {
	return `
unless on (site, network) (
  ` + siteTarget + `{collector="directory"}
  and on (target) (` + rootUnpublished() + ` or ` + rootHidden() + `)
)`
}

// unknown is true where no exporter that sees knows of a kind of phone whether it gets in, be it on one firmware.
func unknown(kind string) string {
	return `max by (site, network, phone) (min by (site, network, phone, firmware) (` + seen(state+`{phone="`+kind+`",state="unknown"}`) + `)) == 1`
}

func warnings() []Alert {
	return []Alert{
		{
			Name: "Cx700NewPhonesBlocked", Severity: Warning, For: 5 * time.Minute, KeepFiring: 5 * time.Minute, Dashboard: dashSite,
			Expr: `max by (site, network, phone) (` + state + `{phone="new",state="blocked"}) == 1
unless on (site, network) ` + enrolledBlocked() + notNamedByRoot(),
			Summary:     "New phones at {{ $labels.site }} ({{ $labels.network }}) cannot sign in",
			Description: "Phones that signed in before are not stopped by it. New and reset ones are, at: " + whyBlocked("step") + "Reason: " + whyBlocked("reason"),
			More:        map[string]string{"step": whyBlocked("step"), "reason": whyBlocked("reason"), "screen": textBlocked("screen"), "mend": textBlocked("mend")},
			Means:       "A phone fresh from the box, or one that was reset, would not get through at this site. Those that signed in before would.",
			First:       "Reset no phone until it is mended. Read the annotations reason and mend, and go to the reason's heading.",
			Quiet:       "while enrolled phones of the site are blocked too, and while Cx700RootUnpublished or Cx700RootHidden names the cause",
		},
		{
			Name: "Cx700Degraded", Severity: Warning, For: 15 * time.Minute, KeepFiring: 5 * time.Minute, Dashboard: dashSite,
			Expr: `max by (site, network) (` + state + `{state="degraded"}) == 1
unless on (site, network) ` + enrolledBlocked(),
			Summary:     "Phones at {{ $labels.site }} ({{ $labels.network }}) get through, but not everything in their order is good",
			Description: "What fails there: " + reasonsBehind(),
			Means: "Phones sign in, but a server, address or resolver in their order does not work: the next failure may stop them, and some are " +
				"slower or lack something. This runbook also holds the reasons that are only noted, and those about Exchange: they " +
				"stop nobody from signing in.",
			First: "Mend it in working hours: what fails is in the description, its heading is below or in the index.",
			Quiet: "while enrolled phones of the site are blocked",
		},
		{
			Name: "Cx700Unknown", Severity: Warning, For: 10 * time.Minute, KeepFiring: 5 * time.Minute, Dashboard: dashSite,
			Expr: unknown("enrolled") + `
or
(
  ` + unknown("new") + `
  unless on (site, network) (` + unknown("enrolled") + ` or ` + enrolledBlocked() + `)` + notNamedByRoot() + `
)
or
label_replace(
  max by (site, network) (` + seen(siteTarget+`{collector="pool"}`) + `)
  unless on (site, network) (` + seen(state+`{phone="enrolled"}`) + `),
  "phone", "enrolled", "", ""
)`,
			Summary:     "It cannot be told whether {{ $labels.phone }} phones at {{ $labels.site }} ({{ $labels.network }}) can sign in",
			Description: "Unknown, or without a verdict, for ten minutes. What fails there: " + reasonsBehind(),
			Means:       "The exporter asked and got no answer by which to judge, or has given no verdict at all on a site that it watches. Phones may be fine or not; nobody is watching them until this is mended.",
			First: "See whether Cx700VantageLost or Cx700AccountStopped fires too; without a verdict, see in the exporter's log which probe does not end; else confirm the reason below. A user at the site who can " +
				"sign out and in answers the question for today.",
			Quiet: "of exporters of which Cx700VantageLost tells; for new phones, while enrolled ones of the site are unknown or blocked, or " +
				"Cx700RootUnpublished or Cx700RootHidden names the cause",
		},
		{
			Name: "Cx700TimeOff", Severity: Warning, For: 5 * time.Minute, KeepFiring: 5 * time.Minute, Dashboard: dashSite,
			Expr:        `max by (network, target) (` + seen(failing+`{collector="ntp",reason=~"time_off|time_server_off"}`) + `)` + unlessBlockedAt("time", "ntp"),
			Summary:     "A time server of {{ $labels.target }} ({{ $labels.network }}) is wrong by minutes",
			Description: "Kerberos refuses logons with a clock that is more than five minutes off. " + sitesBehind("ntp"),
			Means:       "A time server that phones may take their clock from is off by more than the site file allows (five minutes by default, as Kerberos).",
			First:       "Check the exporter's own clock, then the server's.",
			Quiet:       "while a site behind the target is blocked at the step time",
		},
		{
			Name: "Cx700ServerHardened", Severity: Warning, For: 5 * time.Minute, KeepFiring: 5 * time.Minute, Dashboard: dashSite,
			Expr:        `max by (network, collector, target) (` + failing + `{reason=~"pool_hardened|exchange_hardened|update_hardened"})` + unlessBlockedAt("tls", "pool"),
			Summary:     "A server of {{ $labels.target }} ({{ $labels.network }}) was hardened and cuts phones off",
			Description: "It takes TLS of today and refuses the TLS 1.0 of phones. Collector: {{ $labels.collector }}. " + sitesBehind("pool|exchange|update"),
			Means: "A server that phones use takes the TLS of today, but not theirs (TLS 1.0 with RSA key exchange). It was hardened, by a policy " +
				"or an update; where it was one of several, the others are next.",
			First: "Find the change (group policy, update, load balancer) and stop it before it reaches the other servers.",
			Quiet: "while a site behind the target is blocked at the step tls",
		},
		{
			Name: "Cx700VantageLost", Severity: Warning, For: time.Minute, Dashboard: dashExporter,
			Expr:        vantage + ` == 0`,
			Summary:     "An exporter's own network or clock has failed ({{ $labels.network }}{{ with $labels.instance }}, {{ . }}{{ end }})",
			Description: "By its references. What it sees now says nothing about phones; its verdicts are unknown until it is mended.",
			Means: "The exporter's references say that its own network is gone or its own clock is wrong. Phones may be fine. Cx700Unknown, " +
				"TimeOff, UpdateServiceDown, FirmwareMissing and FirmwareCutOff do not count what it says meanwhile, only what others see.",
			First: "Look at the machine on which the exporter runs: link, route, firewall, clock.",
		},
	}
}
