package signin

import (
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// Case is what was seen, held against one kind of phone at one moment. What several steps ask of it is found out once.
type Case struct {
	seen    *facts.Seen
	profile phone.Profile
	at      time.Time

	cache *Cache
	ad    published
	store store
	trust *Outcome // of the step trust, once it is known
}

func newCase(cache *Cache, seen *facts.Seen, p phone.Profile, at time.Time) *Case {
	ad := publishedIn(seen)
	return &Case{seen: seen, profile: p, at: at, cache: cache, ad: ad, store: storeOf(p, ad)}
}
