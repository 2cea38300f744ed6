package schedule

import (
	"strings"
	"time"

	"github.com/cx700/cx700_exporter/internal/signin"
	"github.com/cx700/cx700_exporter/internal/site"
	"github.com/cx700/cx700_exporter/internal/state"
)

// rememberEvery is how often what is known of the verdicts is written to the state file; also at the end.
const rememberEvery = 5 * time.Minute

func placeKey(name string, n site.NetworkName) string { return name + " " + string(n) }

func (k trackKey) place() string { return placeKey(k.site, k.network) }

func (k trackKey) phone() string { return k.firmware + " " + string(k.kind) }

// LastReady tells how the dependencies of a site's phones looked when all was last good, and when that was; zero when
// the state file does not know.
func LastReady(memory *state.File, siteName string, n site.NetworkName) (ready []signin.Trait, at time.Time) {
	p := memory.Place(placeKey(siteName, n))
	return traitsOf(p.Ready), p.ReadyAt
}

func traitsOf(all []state.Trait) []signin.Trait {
	var out []signin.Trait
	for _, t := range all {
		out = append(out, signin.Trait(t))
	}
	return out
}

// remember writes the days and what was last good. Losing it costs little, so that a failure is only told.
func (s *Scheduler) remember() {
	if err := s.shared.State.KeepPlaces(s.tracks.places()); err != nil {
		s.log.Warn("the days of the verdicts are not in the state file", "err", err)
	}
}

func (ts *tracks) places() map[string]state.Place {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	out := map[string]state.Place{}
	for k, t := range ts.all {
		p := out[k.place()]
		if p.Days == nil {
			p.Days = map[string]state.Day{}
		}
		p.Days[k.phone()] = state.Day{End: t.piece, Pieces: string(t.day[:])}
		if t.readyAt.After(p.ReadyAt) {
			p.ReadyAt, p.Ready = t.readyAt, nil
			for _, trait := range t.ready() {
				p.Ready = append(p.Ready, state.Trait(trait))
			}
		}
		out[k.place()] = p
	}
	return out
}

// recall begins a track with what the state file knows of it.
func recall(memory *state.File, k trackKey) *track {
	p := memory.Place(k.place())
	t := &track{readyAt: p.ReadyAt, ready: func() []signin.Trait { return traitsOf(p.Ready) }}
	known := p.Days[k.phone()]
	if len(known.Pieces) != stripPieces {
		known = state.Day{Pieces: strings.Repeat(string(noLetter), stripPieces)}
	}
	t.piece = known.End
	copy(t.day[:], known.Pieces)
	return t
}
