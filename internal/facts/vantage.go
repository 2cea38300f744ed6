package facts

import "time"

// Vantage is what was seen of the exporter's own network and clock.
type Vantage struct {
	// Names has one walk for each resolver, with the reference names.
	Names *Names
	// Servers are the time servers; one whose name came to no address has none, and an Err.
	Servers []TimeServer
	// MaxOffset is from which offset on a clock counts as wrong.
	MaxOffset time.Duration
}

// Lost tells that nothing answered at all: the network of the exporter itself is gone, and what it saw of the
// phones' servers in that time says nothing about them.
func (v *Vantage) Lost() bool {
	for _, walk := range v.Names.Walks {
		for _, l := range walk.Lookups {
			if l.Outcome.Settled() {
				return false
			}
		}
	}
	for _, s := range v.Servers {
		if s.Err == "" {
			return false
		}
	}
	return true
}

// ClockOff tells that the exporter's own clock is wrong: most of the servers that give time, and at least two, find
// it off to the same side.
func (v *Vantage) ClockOff() bool {
	giving, ahead, behind := 0, 0, 0
	for _, s := range v.Servers {
		switch {
		case !s.GivesTime():
			continue
		case s.Offset >= v.MaxOffset:
			behind++
		case -s.Offset >= v.MaxOffset:
			ahead++
		}
		giving++
	}
	agreed := max(ahead, behind)
	return agreed >= 2 && 2*agreed > giving
}
