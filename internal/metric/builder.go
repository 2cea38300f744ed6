package metric

import (
	"encoding/binary"
	"slices"
	"strings"
	"sync"
)

// builder makes a set. Its series share what is equal among them, which is most: a target's name, or a whole list of
// labels.
type builder struct {
	samples []Sample // in the order of the families

	Set
	textAt map[string]uint32
	listed map[string]listed // by the list's bytes
	key    []byte
}

// listed is where a list of labels is, and the family that had it last.
type listed struct {
	at   uint32
	last *Desc
}

// builders are used again and again, lest each set leaves its notes to the garbage collector.
var builders = sync.Pool{New: func() any {
	return &builder{textAt: map[string]uint32{}, listed: map[string]listed{}}
}}

// mostNoted is up to how many series a builder is used again: a large one is seldom needed, and slow to clear.
const mostNoted = 1000

// release forgets what was noted.
func (b *builder) release() {
	if len(b.samples) > mostNoted {
		return
	}
	clear(b.samples)
	clear(b.families)
	clear(b.texts)
	clear(b.textAt)
	clear(b.listed)
	b.samples = b.samples[:0]
	b.Set = Set{b.families[:0], b.series[:0], b.lists[:0], b.texts[:0]}
	builders.Put(b)
}

// add takes a series in, unless it was there before. Those of one family come one after the other.
func (b *builder) add(s Sample) (again bool) {
	from := len(b.lists)
	b.key = b.key[:0]
	for _, i := range s.Desc.sorted {
		at := b.text(strings.ToValidUTF8(s.Labels[i], "\uFFFD"))
		b.lists = append(b.lists, at)
		b.key = binary.LittleEndian.AppendUint32(b.key, at)
	}
	list, known := b.listed[string(b.key)]
	if known {
		b.lists = b.lists[:from]
	} else {
		list.at = uint32(from)
	}
	if list.last == s.Desc {
		return true
	}
	list.last = s.Desc
	b.listed[string(b.key)] = list
	b.series = append(b.series, series{s.Value, list.at})
	if last := len(b.families) - 1; last < 0 || b.families[last].desc != s.Desc {
		b.families = append(b.families, family{desc: s.Desc})
	}
	b.families[len(b.families)-1].end = len(b.series)
	return false
}

func (b *builder) text(value string) uint32 {
	at, known := b.textAt[value]
	if !known {
		at = uint32(len(b.texts))
		b.texts = append(b.texts, value)
		b.textAt[value] = at
	}
	return at
}

// set is a copy of what was taken in, without room for more.
func (b *builder) set() *Set {
	return &Set{slices.Clone(b.families), slices.Clone(b.series), slices.Clone(b.lists), slices.Clone(b.texts)}
}
