package schedule

import (
	"slices"
	"time"

	"github.com/cx700/cx700_exporter/internal/signin"
	"github.com/cx700/cx700_exporter/internal/site"
)

// Standing is how one kind of phone at a site stands on one network.
type Standing struct {
	Site    string
	Network site.NetworkName
	// Phones is how many stand at the site, 0 where the site file does not say.
	Phones  int
	Verdict *signin.Verdict
	Track
	// Probes are those on which the verdict is founded.
	Probes []*Planned
}

// Standings yields those of all kinds of phones that have a verdict, or would have one if what they depend on was
// watched: site by site in the order of the site file, inside before outside.
func (s *Scheduler) Standings(now time.Time, yield func(*Standing) bool) {
	r := s.plan.Load()
	bySite := map[string][]*judgement{}
	for _, g := range r.judged {
		for _, name := range g.Sites {
			bySite[name] = append(bySite[name], g)
		}
	}
	for _, at := range r.plan.Sites {
		for _, g := range bySite[at.Name] {
			g.mu.Lock()
			verdicts := slices.Clone(g.verdicts)
			g.mu.Unlock()
			for _, v := range verdicts {
				standing := &Standing{
					Site: at.Name, Network: g.Network, Phones: at.Phones, Verdict: v,
					Track: s.tracks.show(trackOf(at.Name, g.Network, v), now), Probes: g.Probes,
				}
				if !yield(standing) {
					return
				}
			}
		}
	}
}
