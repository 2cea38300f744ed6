package alerts

import (
	"fmt"
	"time"
)

// rootHidden is true for targets whose domain controllers show the exporter's account no cACertificate.
func rootHidden() string {
	const published = `{container="certification_authorities",state=`
	return `(
  sum by (target) (` + caCertificates + published + `"hidden"}) > 0
  and on (target) sum by (target) (` + caCertificates + published + `"populated"}) == 0
)`
}

// emptied is true for containers in which more is empty at a controller than there was within a day. Exporters that are
// shown all are taken together, so it goes on when another comes in their place; one from which something is hidden is
// held to what it saw itself.
func emptied() string {
	values := func(state string) string { return caCertificates + `{state="` + state + `"}` }
	shownAll := func(values, hidden string) string {
		return `min by (target, dc, container) (` + values + ` unless ignoring (state) max_over_time(` + hidden + `[1d]) > 0)`
	}
	return `max by (target, container) (
  ` + shownAll(values("empty"), values("hidden")) + `
  > ` + shownAll(`min_over_time(`+values("empty")+`[1d])`, values("hidden")) + `
  or max by (target, dc, container) (
    ` + values("empty") + ` > min_over_time(` + values("empty") + `[1d])
    and ignoring (state) ` + values("populated") + ` < max_over_time(` + values("populated") + `[1d])
  )
)`
}

// endsWithin is true for sites where a certificate of the sign-in ends in less than some days, and not in less than others.
func endsWithin(days, notWithin int) string {
	left := `min by (site, network) (` + validUntil + `) - time()`
	return fmt.Sprintf(`label_replace(
  (%s <= %d * 86400) > %d * 86400,
  "within", "%dd", "", ""
)`, left, days, notWithin, days)
}

func certificateWarnings() []Alert {
	return []Alert{
		{
			Name: "Cx700RootHidden", Severity: Warning, For: 5 * time.Minute, KeepFiring: 5 * time.Minute, Dashboard: dashCertificates,
			Expr:        rootHidden(),
			Summary:     "cACertificate is hidden from the exporter's account ({{ $labels.target }})",
			Description: "The objects are there, their attribute is not shown, so it is not known whether a root is published. Hidden is not empty.",
			Means: "The account by which the exporter reads Active Directory is not shown cACertificate. Users' accounts, as which phones ask, may " +
				"see it or not.",
			First: "Compare with what an ordinary user sees (ldapsearch or ADSI Edit), then mend the rights of the object or of the account.",
		},
		{
			Name: "Cx700RollOver", Severity: Warning, For: 5 * time.Minute, KeepFiring: 5 * time.Minute, Dashboard: dashCertificates,
			Expr: behindTarget("directory", rollOver+`{phone="enrolled",network="internal"}`) + `
unless on (target) (
  ` + siteTarget + `{collector="directory"}
  and on (site, network) ` + blocked + `{phone="enrolled",step="trust"}
)
unless on (target) (` + rootUnpublished() + `)`,
			Summary: "A roll-over of the root is about to strand enrolled phones ({{ $labels.target }})",
			Description: "Active Directory publishes a root that phones which signed in before do not hold, or a server has moved to such a root. " +
				"Once the whole pool moves, they are stranded. " + sitesBehind("directory"),
			Means: "Active Directory publishes a root that enrolled phones do not hold, while the pool is still anchored in one that they do, or " +
				"one of its servers has moved already. New phones take both roots, but those that signed in before never ask again: the day the " +
				"pool gets a certificate from the new root, they are cut off. To publish the new root beside the old one is the proper way; " +
				"this says what is to be done before the pool moves.",
			First: "Ask the CA's people whether the pool is to move, and when. Until the phones hold the new root the pool keeps a certificate from " +
				"the old one; see the mend below. Once they do, or where the pool will never move to that root, name it in enrolled_roots: " +
				"this ends then.",
			Quiet: "while a site behind the target is blocked at the step trust: then it has happened, and Cx700SignInBlocked says so; and while " +
				"Cx700RootUnpublished says that the pool's own root is gone",
		},
		{
			Name: "Cx700CACertificateEmptied", Severity: Warning, Dashboard: dashCertificates,
			Expr: emptied() + `
unless on (target) (` + rootUnpublished() + `)`,
			Summary:     "A cACertificate went empty ({{ $labels.target }}, {{ $labels.container }})",
			Description: "Within the last day. Others are still populated; this is told for a day.",
			Means: "An object of an authority in Active Directory lost its certificate. Another is still published, so phones may not notice. What emptied " +
				"one may empty the next. A new object that is empty from the start is told too: the counts are the same where one is " +
				"emptied and another filled.",
			First: "Find out who did it (repadmin /showobjmeta), and publish the certificate again if the pool is anchored in it.",
			Quiet: "while Cx700RootUnpublished says that nothing is left",
		},
		{
			Name: "Cx700ControllersDisagree", Severity: Warning, For: time.Hour, Dashboard: dashCertificates,
			Expr:        `max by (target) (` + failing + `{collector="directory",reason="replicating"})`,
			Summary:     "The domain controllers have published different roots for an hour ({{ $labels.target }})",
			Description: "A change should have arrived at all of them by now. New phones get the one or the other.",
			Means:       "Two domain controllers publish different sets of roots, for longer than replication takes.",
			First:       "repadmin /showrepl and repadmin /replsummary.",
		},
		{
			Name: "Cx700SignInEnds", Severity: Warning, KeepFiring: time.Hour, Dashboard: dashCertificates,
			Expr:        endsWithin(3, 0) + "\nor\n" + endsWithin(14, 3) + "\nor\n" + endsWithin(30, 14),
			Summary:     "Sign-in at {{ $labels.site }} ({{ $labels.network }}) ends in {{ $value | humanizeDuration }}",
			Description: "Then the first certificate ends by which phones get to their registrar. It is told again 14 and 3 days before.",
			Means:       "The first certificate ends soon of those on which the sign-in depends: the pool's, one between, or the root.",
			First: "cx700_exporter probe pool --site SITE shows the chain and which certificate it is. Renew it, from the same root; phones know " +
				"no other.",
		},
		{
			Name: "Cx700SignInEnded", Severity: Warning, KeepFiring: 5 * time.Minute, Dashboard: dashCertificates,
			Expr: `(
  min by (site, network) (` + validUntil + `) - time() <= 0
  or
  max by (site, network) (
    ` + siteTarget + `{collector="pool"}
    and on (network, target) ` + poolNotAfter + ` <= time()
  )
)
unless on (site, network) ` + blocked + `{phone="enrolled",step="trust"}`,
			Summary:     "A certificate by which phones at {{ $labels.site }} ({{ $labels.network }}) sign in has ended",
			Description: "Phones still get through by another server, or do not yet ask. What fails there: " + reasonsBehind(),
			Means:       "A certificate of a registrar has ended, and phones are not stopped by it yet: another server of their order is good.",
			First:       "Renew it, from the same root: mends are below.",
			Quiet:       "while enrolled phones are blocked at the step trust: Cx700SignInBlocked says so then",
		},
	}
}
