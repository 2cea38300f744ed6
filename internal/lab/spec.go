package lab

import (
	"fmt"
	"strings"
)

// find takes a fault's specification apart, NAME or SITE:NAME, and returns the sites it is meant for.
func (l *Lab) find(spec string) (offices []*office, name string, err error) {
	siteName, name, one := strings.Cut(spec, ":")
	if !one {
		siteName, name = "", spec
	}
	var known []string
	for _, f := range faultTable() {
		known = append(known, f.Name)
	}
	if near := nearest(name, known); near != name {
		return nil, "", fmt.Errorf("no fault %q; did you mean %s? cx700_exporter lab --list-faults lists them, and so does GET /lab/faults", name, near)
	}
	if !one {
		return l.offices, name, nil
	}
	near := nearest(siteName, l.Sites())
	if near != siteName {
		return nil, "", fmt.Errorf("no site %q; did you mean %s? GET /lab lists the sites", siteName, near)
	}
	for _, o := range l.offices {
		if o.name == siteName {
			offices = append(offices, o)
		}
	}
	return offices, name, nil
}

// nearest returns the known word that takes the fewest changes; the word itself when it is known.
func nearest(word string, known []string) string {
	const longest = 64 // of a word worth comparing
	word = word[:min(len(word), longest+1)]
	best, least := "", longest*longest
	for _, k := range known {
		if d := editDistance(word, k); d < least {
			best, least = k, d
		}
	}
	return best
}

// editDistance counts the letters to insert, delete or replace between two words (Levenshtein).
func editDistance(a, b string) int {
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
