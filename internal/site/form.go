package site

import (
	"regexp"
	"sync"
)

// form is a regular expression that is compiled once something is held against it. Those that count characters take much
// memory, and few files have a text for each.
type form func() *regexp.Regexp

func formOf(expression string) form {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}

func (f form) matches(text string) bool { return f().MatchString(text) }
