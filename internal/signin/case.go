package signin

import (
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// Case is what was seen, held against one kind of phone after the other at one moment. What several steps ask of it is
// found out once.
type Case struct {
	cache *Cache
	at    time.Time
	// shared are the outcomes that verdicts hold.
	shared []*Outcome

	seen    *facts.Seen
	profile *phone.Profile
	ad      published
	store   store
	trust   *Outcome // of the step trust, once it is known
}

func newCase(cache *Cache, seen *facts.Seen, p *phone.Profile, at time.Time) *Case {
	c := &Case{cache: cache, at: at}
	c.turnTo(seen, p)
	return c
}

// turnTo holds what was seen against a kind of phone.
func (c *Case) turnTo(seen *facts.Seen, p *phone.Profile) {
	if c.seen != seen {
		c.seen, c.ad = seen, publishedIn(seen)
	}
	c.profile, c.store, c.trust = p, storeOf(p, c.ad), nil
}
