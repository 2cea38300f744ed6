package alerts

import (
	"fmt"
	"strings"
	"time"
)

// manySites is from how many sites on it is no matter of one site any more.
const manySites = 5

// rootUnpublished is true for targets whose domain controllers can be read and publish no root, or not the pool's. What
// is hidden from the exporter's account is not empty: an exporter that is shown nothing else says nothing, unless roots
// went from a controller where no more was hidden before, whichever exporter looked. Of several exporters those count that are shown something.
func rootUnpublished() string {
	values := func(states string) string {
		return caCertificates + `{container="certification_authorities",state=~"` + states + `"}`
	}
	shown := func(states string) string { return `sum by (job, instance, target) (` + values(states) + `)` }
	return `(
  max by (target) (
    ` + shown("populated") + ` == 0
    unless on (job, instance, target) (
      ` + shown("hidden") + ` > 0
      unless on (job, instance, target) ` + shown("empty|unparsable") + ` > 0
      unless on (job, instance, target) (
        ` + values("hidden") + `
        <= on (target, dc) group_left () max by (target, dc) (
          max_over_time((` + values("hidden") + ` and ignoring (state) ` + values("populated") + ` > 0)[1d:5m])
        )
      )
    )
  )
  unless on (target) ` + shown("populated") + ` > 0
)
or
` + behindTarget("directory", rollOver+`{phone="new",network="internal"}`)
}

// rootStillUnpublished is true for targets of which rootUnpublished was, as long as nobody can read any domain controller
// of theirs: an exporter looks at them in vain, or one that read them within a day is gone. Where all sites of its job are
// watched and none looks there, the directory was taken out of the site file.
func rootStillUnpublished() string {
	return `2 * max by (target) (ALERTS{alertname="Cx700RootUnpublished",alertstate="firing"})
unless on (target) ` + controller + ` == 1
and on (target) (
  ` + siteTarget + `{collector="directory"}
  or last_over_time(` + caCertificates + `{container="certification_authorities",state="populated"}[1d])
    unless on (job) max by (job) (` + sites + `) == count by (job) (count by (job, site) (` + objective + `))
)`
}

// many is true for the networks and steps at which many sites are told of, or were a moment ago.
const many = `ALERTS{alertname="Cx700ManySitesBlocked",alertstate="firing"}`

// whyBlocked writes a label of the reasons for which phones are blocked, by the labels of the alert.
func whyBlocked(label string) string {
	return fmt.Sprintf("{{ range query (printf `count by (%[1]s) (%[2]s{site=%%q,network=%%q,phone=%%q})` "+
		"$labels.site $labels.network $labels.phone) }}{{ .Labels.%[1]s }} {{ else }}none any more {{ end }}", label, blocked)
}

// textBlocked writes a text that goes with those reasons.
func textBlocked(label string) string {
	return fmt.Sprintf("{{ range query (printf `count by (reason) (%s{site=%%q,network=%%q,phone=%%q})` "+
		"$labels.site $labels.network $labels.phone) }}{{ with query (printf `%s{reason=%%q}` .Labels.reason) }}"+
		"{{ (. | first).Labels.%s }}. {{ end }}{{ end }}", blocked, reasonInfo, label)
}

func pages() []Alert {
	return []Alert{
		{
			Name: "Cx700SignInBlocked", Severity: Page, For: 2 * time.Minute, KeepFiring: 5 * time.Minute, Dashboard: dashSite,
			Expr:    `max by (site, network, phone) (` + state + `{phone="enrolled",state="blocked"}) == 1`,
			Summary: "Phones at {{ $labels.site }} ({{ $labels.network }}) cannot sign in",
			Description: "Phones that signed in before are stopped at: " + strings.TrimSpace(whyBlocked("step")) + ". Reason: " +
				strings.TrimSpace(whyBlocked("reason")) + ". Phones at the site: {{ with query (printf `" + sitePhones + "{site=%q}` $labels.site) }}" +
				"{{ . | first | value }}{{ else }}not told{{ end }}.",
			More: map[string]string{
				"step": whyBlocked("step"), "reason": whyBlocked("reason"), "screen": textBlocked("screen"), "mend": textBlocked("mend"),
			},
			Means: "Phones that signed in at this site before cannot do so now, on at least one firmware in use: nothing in their order gets " +
				"through. Those that are signed in stay so until they lose their connection or are restarted.",
			First: "Read the annotations reason and mend, go to the reason's heading (the index tells in which runbook it is), confirm it with " +
				"the command there. Do not restart or reset phones: they try again by themselves, and a reset wipes what they hold.",
		},
		{
			// It outlasts those that it silences by far: sites do not come back at the same moment.
			Name: "Cx700ManySitesBlocked", Severity: Page, For: time.Minute, KeepFiring: 10 * time.Minute, Dashboard: dashSignIn,
			Expr:    fmt.Sprintf(`count by (network, step) (count by (site, network, step) (%s{phone="enrolled"})) >= %d`, blocked, manySites),
			Summary: "{{ $value }} sites are blocked at the step {{ $labels.step }} ({{ $labels.network }})",
			Description: "One cause, most likely: {{ range query (printf `count by (reason) (" + blocked +
				"{phone=\"enrolled\",network=%q,step=%q})` $labels.network $labels.step) }}{{ .Labels.reason }} {{ end }}",
			Means: fmt.Sprintf("At least %d sites are stopped at the same step of the phones' walk. That is one cause which they share (a resolver, "+
				"the pool, a certificate, a change of policy), not %d.", manySites, manySites),
			First: "Look for what the sites share: the first page of the exporter lists their targets, and its log says what became another when " +
				"they were last ready (changed=).",
		},
		{
			// Cx700SignInBlocked has no label for the step, since a change of step would begin it anew.
			Name: "Cx700OneOfMany", Severity: None, Dashboard: dashSignIn,
			Expr: `max by (site, network) (
  last_over_time(` + blocked + `{phone="enrolled"}[10m])
  and on (network, step) ` + many + `
  and on (site, network) ALERTS{alertname="Cx700SignInBlocked"}
)
unless on (site, network) (
  ` + blocked + `{phone="enrolled"}
  unless on (network, step) ` + many + `
)`,
			Summary:     "{{ $labels.site }} ({{ $labels.network }}) is blocked as many sites are",
			Description: "Nobody is told of it: Cx700ManySitesBlocked is the page for all of them.",
			Means: "This site is blocked at no other step than those at which many are: Cx700ManySitesBlocked has told so. It is no message, but keeps " +
				"Cx700SignInBlocked and Cx700SignInFastBurn of the site silent at Alertmanager; send it to nobody.",
			First: "Nothing here: go by Cx700ManySitesBlocked.",
			Quiet: "where some firmware of the site is blocked at another step",
		},
		{
			Name: "Cx700RootUnpublished", Severity: Page, For: 30 * time.Second, KeepFiring: 5 * time.Minute, Dashboard: dashCertificates,
			Expr:    rootUnpublished() + "\nor\n" + rootStillUnpublished(),
			Summary: "Active Directory does not publish the phones' root any more ({{ $labels.target }})",
			Description: "{{ if eq $value 0.0 }}In CN=Certification Authorities no cACertificate is populated, at any domain controller that could be read." +
				"{{ else if eq $value 1.0 }}Roots are published in CN=Certification Authorities, but not the one that anchors the pool." +
				"{{ else }}So it was when it was last read; no domain controller can be read now.{{ end }} " +
				"New and reset phones get no root that they need. " + sitesBehind("directory"),
			Means: "Whoever asks Active Directory for the root now, as new and reset phones do, does not get it: every cACertificate in " +
				"CN=Certification Authorities is empty, unparsable or gone, or the pool's own root is not among what is published. " +
				"Phones that signed in before hold their roots and go on. Nobody else may notice for months: no other alert silences this one. " +
				"Where no domain controller can be read any more this goes on, for a day after the exporter that read them is gone.",
			First: "Publish the root again before anybody resets a phone: certutil -f -dspublish \"root.cer\" RootCA, on a domain controller or " +
				"the CA. Then find out who emptied it: repadmin /showobjmeta on the object tells when and where. Where Active " +
				"Directory publishes no root on purpose, since the pool's certificate is of an authority built into the phones, leave " +
				"directory out of the site file.",
		},
	}
}
