package web

import (
	"fmt"
	"time"

	"github.com/cx700/cx700_exporter/internal/schedule"
	"github.com/cx700/cx700_exporter/internal/signin"
)

// dayRow is the last day of some phones.
type dayRow struct {
	Phones string
	Pieces int
	Runs   []run
	// Sums tells how long each state held, the worst first.
	Sums string
}

// run is a state that held for some pieces of a day. Its height tells states apart without colour.
type run struct {
	Class               string
	X, Width, Y, Height int
	Title               string
}

// dayHeight is that of a strip; the lowest state still shows.
const dayHeight = 12

// days brings together phones that had the same day.
func (s *side) days(now time.Time) []dayRow {
	var out []dayRow
	for _, g := range s.groups(func(st *schedule.Standing) string { return fmt.Sprint(st.Day) }) {
		day := g.first().Day
		if row := dayOf(g.Phones, day, now); row.Runs != nil {
			out = append(out, row)
		}
	}
	return out
}

func dayOf(phones string, day schedule.Strip, now time.Time) dayRow {
	piece := 24 * time.Hour / time.Duration(len(day))
	end := now.Truncate(piece).Add(piece)
	at := func(i int) string { return end.Add(-piece * time.Duration(len(day)-i)).UTC().Format("15:04") }
	row := dayRow{Phones: phones, Pieces: len(day)}
	for i := 0; i < len(day); {
		j := i
		for j < len(day) && day[j] == day[i] {
			j++
		}
		if state := day[i]; state != "" && state != signin.NoVerdict {
			row.Runs = append(row.Runs, run{
				Class: readinessMark(state).Class, X: i, Width: j - i, Y: dayHeight - heightOf(state), Height: heightOf(state),
				Title: fmt.Sprintf("%s from %s to %s UTC", state, at(i), at(j)),
			})
		}
		i = j
	}
	row.Sums = sums(day, piece)
	return row
}

func heightOf(r signin.Readiness) int {
	return map[signin.Readiness]int{signin.Ready: 3, signin.NotAll: 6, signin.Unclear: 9, signin.Stopped: dayHeight}[r]
}

func sums(day schedule.Strip, piece time.Duration) string {
	out, rest := "", len(day)
	for _, state := range []signin.Readiness{signin.Stopped, signin.Unclear, signin.NotAll, signin.Ready} {
		n := 0
		for _, d := range day {
			if d == state {
				n++
			}
		}
		if rest -= n; n > 0 {
			out += fmt.Sprintf("%s %s, ", state, ago(piece*time.Duration(n)))
		}
	}
	if rest > 0 {
		return out + "no verdict " + ago(piece*time.Duration(rest))
	}
	return out[:len(out)-len(", ")]
}
