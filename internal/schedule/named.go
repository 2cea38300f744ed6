package schedule

import "github.com/cx700/cx700_exporter/internal/metric"

// Named are the scheduler's series by which rules ask.
type Named struct {
	State, Blocked, ValidUntil, Ticks, BadTicks, Objective, RollOver, Reason *metric.Desc
	SiteTarget, SitePhones, Failing, LastRun, Interval, Queue, UpdateReady   *metric.Desc
	Sites, Shard                                                             *metric.Desc
}

// NamedMetrics gives the scheduler's series by which rules ask.
func NamedMetrics() Named {
	return Named{
		State: descState, Blocked: descBlocked, ValidUntil: descValidUntil, Ticks: descTicks, BadTicks: descBadTicks,
		Objective: descObjective, RollOver: descRollOver, Reason: descReason,
		SiteTarget: descSiteTarget, SitePhones: descSitePhones, Failing: descFailing, LastRun: descLastRun, Interval: descInterval,
		Queue: descQueue, UpdateReady: descUpdateReady, Sites: descSites, Shard: descShard,
	}
}
