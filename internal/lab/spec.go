package lab

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cx700/cx700_exporter/internal/spell"
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
	if !slices.Contains(known, name) {
		return nil, "", fmt.Errorf("no fault %q%s; see lab --list-faults, or GET /lab/faults", name, meant(name, known))
	}
	if !one {
		return l.offices, name, nil
	}
	if strings.HasPrefix(siteName, "shop-") {
		return nil, "", fmt.Errorf("%s has no servers of its own; set the fault at %s", siteName, l.offices[0].name)
	}
	if !slices.Contains(l.Sites(), siteName) {
		return nil, "", fmt.Errorf("no site %q%s; GET /lab lists the sites", siteName, meant(siteName, l.Sites()))
	}
	for _, o := range l.offices {
		if o.name == siteName {
			offices = append(offices, o)
		}
	}
	return offices, name, nil
}

// meant asks whether a known word was meant, when one is near.
func meant(word string, known []string) string {
	const typingErrors = 3
	if near := spell.Nearest(word, known, typingErrors); near != "" {
		return " (did you mean " + near + "?)"
	}
	return ""
}
