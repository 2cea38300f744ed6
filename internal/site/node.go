package site

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/cx700/cx700_exporter/internal/spell"
)

// reader walks the nodes of a site file and collects every fault on its way.
type reader struct {
	file   string
	faults []*Fault
	// known are the credentials of the file, filled before the sites are read.
	known map[string]*Credential
}

func (r *reader) place(n *yaml.Node, key string) Place {
	return Place{File: r.file, Line: n.Line, Key: key}
}

func (r *reader) fault(n *yaml.Node, key, problem, mend string) {
	r.faults = append(r.faults, &Fault{Place: r.place(n, key), Problem: problem, Mend: mend})
}

// err joins the faults in the order of their lines; nil when there is none.
func (r *reader) err() error {
	slices.SortStableFunc(r.faults, func(a, b *Fault) int { return cmp.Compare(a.Line, b.Line) })
	errs := make([]error, len(r.faults))
	for i, f := range r.faults {
		errs[i] = f
	}
	return errors.Join(errs...)
}

// field is a key of a mapping and what reads its value.
type field struct {
	name string
	read func(n *yaml.Node, key string)
}

// fields reads a mapping with fixed keys.
func (r *reader) fields(n *yaml.Node, key string, list ...field) {
	r.entries(n, key, func(k, v *yaml.Node, at string) {
		for _, f := range list {
			if f.name == k.Value {
				f.read(v, at)
				return
			}
		}
		r.fault(k, at, "unknown key", suggest(k.Value, list))
	})
}

// entries reads a mapping with free keys.
func (r *reader) entries(n *yaml.Node, key string, read func(k, v *yaml.Node, at string)) {
	if !r.is(n, yaml.MappingNode, key, "keys with values") {
		return
	}
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		at := k.Value
		if key != "" {
			at = key + "." + k.Value
		}
		line, again := first[k.Value]
		switch {
		case k.Kind != yaml.ScalarNode || k.Tag == "!!merge":
			r.fault(k, key, "a key that is no plain word", "write keys out; YAML's merge keys and aliases are not taken")
		case again:
			r.fault(k, at, fmt.Sprintf("already given in line %d", line), "keep one of them")
		default:
			first[k.Value] = k.Line
			read(k, v, at)
		}
	}
}

// items reads a list with at most limit entries.
func (r *reader) items(n *yaml.Node, key string, limit int, read func(n *yaml.Node, key string)) {
	if !r.is(n, yaml.SequenceNode, key, "a list") {
		return
	}
	if len(n.Content) > limit {
		r.fault(n, key, fmt.Sprintf("%d entries", len(n.Content)), fmt.Sprintf("write at most %d", limit))
		return
	}
	for i, item := range n.Content {
		read(item, fmt.Sprintf("%s[%d]", key, i))
	}
}

// child follows keys through mappings; nil where one is not there.
func child(n *yaml.Node, path ...string) *yaml.Node {
	for _, key := range path {
		var next *yaml.Node
		if n.Kind == yaml.MappingNode {
			for i := 0; i+1 < len(n.Content); i += 2 {
				if n.Content[i].Value == key {
					next = n.Content[i+1]
				}
			}
		}
		if next == nil {
			return nil
		}
		n = next
	}
	return n
}

func (r *reader) is(n *yaml.Node, kind yaml.Kind, key, wanted string) bool {
	if n.Kind == kind {
		return true
	}
	problem := "a single value"
	switch {
	case n.Kind == yaml.AliasNode:
		r.fault(n, key, "a YAML alias", "write the value out")
		return false
	case n.Kind == yaml.MappingNode:
		problem = "keys with values"
	case n.Kind == yaml.SequenceNode:
		problem = "a list"
	case n.Tag == "!!null":
		problem = "no value"
	}
	r.fault(n, key, problem, "write "+wanted)
	return false
}

// text reads a non-empty scalar.
func (r *reader) text(n *yaml.Node, key, wanted string) (string, bool) {
	if !r.is(n, yaml.ScalarNode, key, wanted) {
		return "", false
	}
	value := strings.TrimSpace(n.Value)
	if value == "" || n.Tag == "!!null" {
		r.fault(n, key, "no value", "write "+wanted)
		return "", false
	}
	return value, true
}

func (r *reader) boolean(n *yaml.Node, key string, into *bool) {
	if v, ok := r.text(n, key, "true or false"); ok {
		if v != "true" && v != "false" {
			r.fault(n, key, quoted(v)+" is neither true nor false", "write true or false")
		}
		*into = v == "true"
	}
}

func (r *reader) count(n *yaml.Node, key string, into *int) {
	v, ok := r.text(n, key, "a whole number")
	if !ok {
		return
	}
	number, err := strconv.Atoi(v)
	if err != nil || number < 0 || number > math.MaxInt32 {
		r.fault(n, key, quoted(v)+" is no whole number from 0 on", "write a number such as 40, or leave the key out")
		return
	}
	*into = number
}

// ratio reads a part of the whole, between 0 and 1.
func (r *reader) ratio(n *yaml.Node, key string, into *float64) {
	v, ok := r.text(n, key, "a number such as 0.995")
	if !ok {
		return
	}
	number, err := strconv.ParseFloat(v, 64)
	if err != nil || !(number > 0 && number < 1) {
		r.fault(n, key, quoted(v)+" is no number between 0 and 1", "write 0.995 for 99.5 %, or leave the key out")
		return
	}
	*into = number
}

// duration reads a time from least to most.
func (r *reader) duration(n *yaml.Node, key string, least, most time.Duration, into *time.Duration) {
	v, ok := r.text(n, key, "a duration such as 30s")
	if !ok {
		return
	}
	d, err := time.ParseDuration(v)
	switch {
	case err != nil && n.Tag == "!!int":
		r.fault(n, key, quoted(v)+" has no unit", "write "+v+"s for seconds")
	case err != nil:
		r.fault(n, key, quoted(v)+" is no duration", "write one such as 30s, 5m or 1h")
	case d < least || d > most:
		r.fault(n, key, v+" is out of range", fmt.Sprintf("write %s to %s", short(least), short(most)))
	default:
		*into = d
	}
}

// short writes 24h0m0s as 24h.
func short(d time.Duration) string {
	s := strings.TrimSuffix(d.String(), "0s")
	s = strings.TrimSuffix(s, "0m")
	if s == "" || s[len(s)-1] >= '0' && s[len(s)-1] <= '9' || strings.HasSuffix(s, "m") && d < time.Minute {
		return d.String()
	}
	return s
}

// choice reads one of a few words.
func choice[T ~string](r *reader, n *yaml.Node, key string, all []T, into *T) {
	words := make([]string, len(all))
	for i, a := range all {
		words[i] = string(a)
	}
	v, ok := r.text(n, key, "one of "+strings.Join(words, ", "))
	if !ok {
		return
	}
	for _, a := range all {
		if string(a) == v {
			*into = a
			return
		}
	}
	r.fault(n, key, quoted(v)+" is unknown", "write one of "+strings.Join(words, ", "))
}

// userInURL is what stands before the host in a URL: a password perhaps.
var userInURL = formOf(`//[^/?#\s]*@`)

// quoted shows a value of the file in a message, shortened, without the user and password of a URL.
func quoted(v string) string {
	const most = 60
	v = userInURL().ReplaceAllLiteralString(v, "//…@")
	if len(v) > most {
		v = strings.ToValidUTF8(v[:most], "") + "…"
	}
	return strconv.Quote(v)
}

// suggest names the nearest known key, or all when none is near.
func suggest(unknown string, list []field) string {
	const typingErrors = 2
	var names []string
	for _, f := range list {
		names = append(names, f.name)
	}
	if near := spell.Nearest(unknown, names, typingErrors); near != "" {
		return "did you mean " + near + "?"
	}
	return "known here: " + strings.Join(names, ", ")
}
