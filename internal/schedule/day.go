package schedule

import "github.com/cx700/cx700_exporter/internal/signin"

// day is a Strip as it is kept, in memory and in the state file: a letter for each piece.
type day [stripPieces]byte

// noLetter stands for no verdict, and so does what is no letter.
const noLetter = '-'

func letterOf(state signin.Readiness) byte {
	switch state {
	case signin.Ready:
		return 'r'
	case signin.NotAll:
		return 'd'
	case signin.Unclear:
		return 'u'
	case signin.Stopped:
		return 'b'
	default:
		return noLetter
	}
}

func stateOf(letter byte) signin.Readiness {
	for _, state := range signin.Readinesses() {
		if letterOf(state) == letter {
			return state
		}
	}
	return ""
}

// worse takes a state into the last piece.
func (d *day) worse(state signin.Readiness) {
	last := &d[stripPieces-1]
	*last = letterOf(signin.Worst(state, stateOf(*last)))
}

func (d *day) strip() Strip {
	var out Strip
	for i, letter := range d {
		out[i] = stateOf(letter)
	}
	return out
}
