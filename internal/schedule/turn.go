package schedule

import (
	"hash/fnv"
	"time"
)

const (
	// firstSpread is how far apart first probes are on average, up to fewJobs; moreSpread is for those beyond. Each takes
	// two to four milliseconds of a core the first time.
	firstSpread = 2 * time.Millisecond
	fewJobs     = 100
	moreSpread  = 10 * time.Millisecond
	// regularSpread is how far apart later ones are: a thousand targets fill a minute.
	regularSpread = 60 * time.Millisecond
)

// hash is equal for targets of one round: their probes have one turn, so that they share a walk.
func hash(p *Planned) uint64 {
	h := fnv.New64a()
	h.Write([]byte(p.Target.Round()))
	return h.Sum64()
}

// firstTurn is how soon a target is probed for the first time, in a plan with so many jobs. Whoever looks at the
// exporter's own place comes first: what is seen before that is doubted, and an account may not look again at once.
func firstTurn(p *Planned, h uint64, jobs int) time.Duration {
	if p.Target.Collector == "vantage" {
		return 0
	}
	return time.Duration(h % uint64(min(p.Target.Interval, firstRound(jobs))))
}

// firstRound is how long it takes until so many jobs were begun once.
func firstRound(jobs int) time.Duration {
	few := min(jobs, fewJobs)
	return time.Duration(few)*firstSpread + time.Duration(jobs-few)*moreSpread
}

// regularTurn is how long after the start of an interval a target is probed. Thousands of targets are spread over the whole
// interval, by whole minutes first: so those of one round meet each time when both of two intervals are over.
func regularTurn(interval time.Duration, h uint64, jobs int) time.Duration {
	spread := min(interval, time.Minute, time.Duration(jobs)*regularSpread)
	turn := time.Duration(h % uint64(spread))
	if spread == time.Minute {
		turn += time.Minute * time.Duration(h/uint64(spread)%uint64(interval/time.Minute))
	}
	return turn
}

// grid gives the moment from which regular probes are whole intervals away. The first of them comes half an interval to one
// and a half after the first probe.
func (s *Scheduler) grid(interval time.Duration, h uint64, jobs int, first time.Time) time.Time {
	grid := s.born.Add(regularTurn(interval, h, jobs) - interval)
	passed := first.Sub(grid) + interval/2
	return grid.Add(passed / interval * interval)
}
