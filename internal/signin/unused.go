package signin

// Unused lists steps about certificates that phones do not meet: they use LDAP with SASL and certsrv by plain HTTP
// (CONTRACT section 2). What comes of them is to be told, and founds no verdict.
func Unused() []Step {
	return []Step{
		{Name: "ldaps", Judge: (*Case).judgeLDAPS},
		{Name: "certsrv", Judge: (*Case).judgeCertsrv},
	}
}

func (c *Case) judgeLDAPS() Outcome {
	if c.seen.Directory == nil {
		return Outcome{State: NotWatched}
	}
	j := c.truster()
	var all []Attempt
	for i := range c.seen.Directory.Controllers {
		if s := c.seen.Directory.Controllers[i].TLS; s != nil {
			all = append(all, j.visit(c.seen.Directory.Controllers[i].Host, s.Address, i, s.Served))
		}
	}
	return each(all)
}

func (c *Case) judgeCertsrv() Outcome {
	if c.seen.Certsrv == nil {
		return Outcome{State: NotWatched}
	}
	j := c.truster()
	var all []Attempt
	for i, h := range c.seen.Certsrv.Hosts {
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
