// Package spell finds the word that somebody meant: for keys of the site file, names of faults and reasons, and what
// users read out from a screen.
package spell

import "math"

// longest is the length of a word worth comparing; longer ones are far from every known word.
const longest = 64

// Nearest returns the known word that takes the fewest changes to reach from word, when these are at
// most the given number; otherwise it returns "". Ties go to the earlier word.
func Nearest(word string, known []string, most int) string {
	if len(word) > longest {
		return ""
	}
	best, least := "", math.MaxInt
	for _, k := range known {
		if d := distance(word, k); d < least && d <= most {
			best, least = k, d
		}
	}
	return best
}

// distance counts the bytes to insert, delete or replace between two words (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
