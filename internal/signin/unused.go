package signin

import (
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// Unused lists steps about certificates that phones do not meet: they use LDAP with SASL and certsrv by plain HTTP
// (CONTRACT section 2). What comes of them is to be told, and founds no verdict.
func Unused(cache *Cache) []Step {
	return []Step{
		{Name: "ldaps", Judge: cache.judgeLDAPS},
		{Name: "certsrv", Judge: cache.judgeCertsrv},
	}
}

func (c *Cache) judgeLDAPS(seen *facts.Seen, p phone.Profile, at time.Time) Outcome {
	if seen.Directory == nil {
		return Outcome{State: NotWatched}
	}
	j := c.truster(seen, p, at)
	var all []Attempt
	for i := range seen.Directory.Controllers {
		if s := seen.Directory.Controllers[i].TLS; s != nil {
			all = append(all, j.visit(seen.Directory.Controllers[i].Host, s.Address, i, s.Served))
		}
	}
	return each(all)
}

func (c *Cache) judgeCertsrv(seen *facts.Seen, p phone.Profile, at time.Time) Outcome {
	if seen.Certsrv == nil {
		return Outcome{State: NotWatched}
	}
	j := c.truster(seen, p, at)
	var all []Attempt
	for i, h := range seen.Certsrv.Hosts {
		if s := h.Secure; s != nil {
			all = append(all, j.visit(h.Host, s.Address, i, s.Served))
		}
	}
	return each(all)
}

// each is the outcome where every server is looked at for itself.
func each(all []Attempt) Outcome {
	if len(all) == 0 {
		return Outcome{State: NotWatched}
	}
	out := Outcome{State: OK, Servers: all}
	for i := range all {
		one := fold(all[i : i+1])
		one.Servers = nil
		out = both(out, one)
	}
	return out
}
