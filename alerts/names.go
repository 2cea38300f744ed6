package alerts

import (
	"fmt"

	"github.com/cx700/cx700_exporter/collectors"
	"github.com/cx700/cx700_exporter/internal/catalogue"
	"github.com/cx700/cx700_exporter/internal/schedule"
)

var (
	judged   = schedule.NamedMetrics()
	observed = collectors.NamedMetrics()
)

// The series by which rules ask, by their descriptors: one that is renamed is renamed here as well.
var (
	state       = judged.State.Name
	blocked     = judged.Blocked.Name
	validUntil  = judged.ValidUntil.Name
	ticks       = judged.Ticks.Name
	badTicks    = judged.BadTicks.Name
	objective   = judged.Objective.Name
	rollOver    = judged.RollOver.Name
	reasonInfo  = judged.Reason.Name
	siteTarget  = judged.SiteTarget.Name
	sitePhones  = judged.SitePhones.Name
	failing     = judged.Failing.Name
	lastRun     = judged.LastRun.Name
	interval    = judged.Interval.Name
	sites       = judged.Sites.Name
	shardInfo   = judged.Shard.Name
	updateReady = judged.UpdateReady.Name
	queue       = judged.Queue.Name

	caCertificates    = observed.CACertificates.Name
	controller        = observed.Controller.Name
	poolNotAfter      = observed.PoolNotAfter.Name
	updateOK          = observed.UpdateOK.Name
	baseURL           = observed.BaseURL.Name
	firmwareReachable = observed.FirmwareReachable.Name
	firmwareChanges   = observed.FirmwareChanges.Name
	vantage           = observed.Vantage.Name
	credentialStopped = observed.CredentialStopped.Name
	passwordExpiry    = observed.PasswordExpiry.Name

	reloadOK   = catalogue.ReloadOK.Name
	reloadTime = catalogue.ReloadTime.Name
)

// enrolledBlocked is true where enrolled phones of a site are blocked.
func enrolledBlocked() string {
	return `max by (site, network) (` + state + `{phone="enrolled",state="blocked"}) == 1`
}

// seen leaves out what an exporter says whose own network or clock has failed: it is blind, of others that says nothing.
// Series of the collectors are meant that have the label network.
func seen(series string) string {
	return series + ` unless on (job, instance, network) ` + vantage + ` == 0`
}

// unlessBlockedAt keeps a cause quiet while the verdict on a site behind the target already names its step: the page is
// out, and says the rest. Sites and targets are joined by the series for that; neither has the other's labels.
func unlessBlockedAt(step, collector string) string {
	return fmt.Sprintf(`
unless on (network, target) (
  %s{collector=%q}
  and on (site, network) %s{phone="enrolled",step=%q}
)`, siteTarget, collector, blocked, step)
}

// behindTarget turns a condition with the labels site and network into one of the target on which the sites depend.
func behindTarget(collector, condition string) string {
	return fmt.Sprintf(`max by (target) (
  %s{collector=%q}
  and on (site, network) %s
)`, siteTarget, collector, condition)
}

// reasonsBehind writes, for an annotation, what fails at a site, by the labels of the alert.
func reasonsBehind() string {
	return fmt.Sprintf("{{ range query (printf `count by (collector, reason) (%s and on (job, instance, network, collector, target) %s{site=%%q,network=%%q})` "+
		"$labels.site $labels.network) }}{{ .Labels.collector }}: {{ .Labels.reason }}. {{ end }}", seen(failing), siteTarget)
}

// reasonsAt writes, for an annotation, the reasons at a target, by the labels of the alert.
func reasonsAt(collector string) string {
	return fmt.Sprintf("{{ range query (printf `count by (reason) (%s)` "+
		"$labels.network $labels.target) }}{{ .Labels.reason }}. {{ end }}", seen(fmt.Sprintf("%s{collector=~%q,network=%%q,target=%%q}", failing, collector)))
}

// sitesBehind writes, for an annotation, how many sites depend on the target of the alert.
func sitesBehind(collector string) string {
	return fmt.Sprintf("{{ with query (printf `count(count by (site) (%s{collector=~%q,target=%%q}))` $labels.target) }}"+
		"{{ . | first | value }} sites depend on it.{{ end }}", siteTarget, collector)
}

// atSite chooses on the dashboard of one site that of the alert, or one that depends on its target.
func atSite() string {
	return fmt.Sprintf("{{ $site := $labels.site }}{{ with query (printf `topk(1, %s{network=%%q,target=%%q})` $labels.network $labels.target) }}"+
		"{{ $site = (. | first).Labels.site }}{{ end }}"+
		"{{ with $site }}?var-site={{ . | urlquery }}&var-network={{ $labels.network | urlquery }}{{ end }}", siteTarget)
}
