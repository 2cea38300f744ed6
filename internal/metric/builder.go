package metric

import (
	"encoding/binary"
	"strings"
	"sync"

	dto "github.com/prometheus/client_model/go"
)

// builder makes the series of one set. They share what is equal among them, which is most: a target's name, a whole list
// of labels, a gauge that is 0 or 1. It takes note of all first, so that each kind of their parts is one piece of memory
// of the right size.
type builder struct {
	samples []Sample // in the order of the families

	pairs  []pairKey
	pairAt map[pairKey]int
	labels []int // pairs, list after list
	lists  map[string]labelList
	series []series
	key    []byte

	families int
}

type pairKey struct {
	name  *string // equal names have one pointer
	value string
}

// labelList is a part of labels, and the family that had it last.
type labelList struct {
	from, to int
	last     *Desc
}

// series is what a dto.Metric is made of.
type series struct {
	desc   *Desc
	labels labelList
	value  float64
}

// builders are used again and again, lest each set leaves its notes to the garbage collector.
var builders = sync.Pool{New: func() any {
	return &builder{pairAt: map[pairKey]int{}, lists: map[string]labelList{}}
}}

// mostNoted is up to how many series a builder is used again: a large one is seldom needed, and slow to clear.
const mostNoted = 1000

// release forgets what was noted.
func (b *builder) release() {
	if len(b.samples) > mostNoted {
		return
	}
	clear(b.samples)
	clear(b.pairs)
	clear(b.pairAt)
	clear(b.lists)
	clear(b.series)
	b.samples, b.pairs, b.labels, b.series, b.families = b.samples[:0], b.pairs[:0], b.labels[:0], b.series[:0], 0
	builders.Put(b)
}

// add takes note of a series, unless it was there before. Those of one family come one after the other.
func (b *builder) add(s Sample) (again bool) {
	from := len(b.labels)
	b.key = b.key[:0]
	for _, i := range s.Desc.sorted {
		at := b.pair(pairKey{s.Desc.names[i], strings.ToValidUTF8(s.Labels[i], "\uFFFD")})
		b.labels = append(b.labels, at)
		b.key = binary.LittleEndian.AppendUint32(b.key, uint32(at))
	}
	list, known := b.lists[string(b.key)]
	if known {
		b.labels = b.labels[:from]
	} else {
		list = labelList{from: from, to: len(b.labels)}
	}
	if list.last == s.Desc {
		return true
	}
	if last := len(b.series) - 1; last < 0 || b.series[last].desc != s.Desc {
		b.families++
	}
	list.last = s.Desc
	b.lists[string(b.key)] = list
	b.series = append(b.series, series{s.Desc, list, s.Value})
	return false
}

func (b *builder) pair(k pairKey) int {
	at, known := b.pairAt[k]
	if !known {
		at = len(b.pairs)
		b.pairs = append(b.pairs, k)
		b.pairAt[k] = at
	}
	return at
}

// set makes the series of what was added.
func (b *builder) set() Set {
	labels, values := b.labelPairs(), newValues(b.series)
	metrics := make([]dto.Metric, len(b.series))
	set, from := make(Set, 0, b.families), 0
	for i, s := range b.series {
		m := &metrics[i]
		m.Label = labels[s.labels.from:s.labels.to:s.labels.to]
		if s.desc.Type == dto.MetricType_COUNTER {
			m.Counter = values.counter(s.value)
		} else {
			m.Gauge = values.gauge(s.value)
		}
		if i == 0 || s.desc != b.series[i-1].desc {
			set = append(set, Family{Desc: s.desc})
			from = i
		}
		set[len(set)-1].Metrics = metrics[from : i+1 : i+1]
	}
	return set
}

// pair is a label pair together with its value.
type pair struct {
	dto.LabelPair
	value string
}

func (b *builder) labelPairs() []*dto.LabelPair {
	pairs := make([]pair, len(b.pairs))
	for i, k := range b.pairs {
		p := &pairs[i]
		p.value = k.value
		p.Name, p.Value = k.name, &p.value
	}
	labels := make([]*dto.LabelPair, len(b.labels))
	for i, at := range b.labels {
		labels[i] = &pairs[at].LabelPair
	}
	return labels
}
