package state

import (
	"maps"
	"slices"
	"time"
)

const (
	// maxEvents and maxRoots bound what is kept of a forest, maxForests how many are kept.
	maxEvents  = 200
	maxRoots   = 1000
	maxForests = 100
	// maxKept is how many certificates are kept of a forest, and maxCertificate how long one may be.
	maxKept        = 16
	maxCertificate = 8 << 10
)

// Change is what happened to a published root.
type Change string

// The changes.
const (
	Appeared Change = "appeared"
	Replaced Change = "replaced"
	Gone     Change = "gone"
)

// Changes lists the changes.
func Changes() []Change { return []Change{Appeared, Replaced, Gone} }

// Event is one change of the published roots.
type Event struct {
	Time   time.Time `json:"time"`
	Change Change    `json:"change"`
	SHA256 string    `json:"sha256"`
	// Before is the root that a replaced one stood in for: another certificate of the same object.
	Before  string `json:"before,omitempty"`
	Subject string `json:"subject"`
}

// Published is one root that a forest publishes now.
type Published struct {
	SHA256, Subject, Object string
	// DER is the certificate.
	DER []byte
}

// ObserveRoots takes note of the roots that somebody sees published in a forest now, and returns what has
// changed. Several may look, and see different controllers: a root is gone only when nobody has seen it for
// as long as patience. What is there when a forest is seen first is no change.
func (f *File) ObserveRoots(forest string, now time.Time, patience time.Duration, published []Published) ([]Event, error) {
	var events []Event
	err := f.Update(func(d *Data) bool {
		r := d.Roots[forest]
		first := r == nil
		if first && len(d.Roots) >= maxForests {
			return false
		}
		if first {
			r = &Roots{Began: now, Seen: map[string]Root{}, Counts: map[Change]int{}}
			if d.Roots == nil {
				d.Roots = map[string]*Roots{}
			}
			d.Roots[forest] = r
		}
		look := &rootLook{Roots: r, now: now, patience: patience, published: published, lastSeen: f.lastSeen, forest: forest}
		events = append(look.appear(), look.vanish()...)
		if first {
			events = nil
			r.keep(published)
		}
		for _, e := range events {
			r.Counts[e.Change]++
		}
		r.Events = append(r.Events, events...)
		r.Events = slices.Delete(r.Events, 0, max(0, len(r.Events)-maxEvents))
		return first || len(events) > 0
	})
	return events, err
}

// FirstRoots returns the roots that a forest published when it was first read, by their SHA-256 in hex: those
// are what phones that signed in before hold. The certificate is nil where it was not kept.
func (f *File) FirstRoots(forest string) map[string][]byte {
	out := map[string][]byte{}
	f.View(func(d *Data) {
		r := d.Roots[forest]
		if r == nil {
			return
		}
		for sum, root := range r.Seen {
			if root.FirstSeen.Equal(r.Began) {
				out[sum] = root.Certificate
			}
		}
	})
	return out
}

// FirstSeen returns since when a root has been seen.
func (f *File) FirstSeen(forest, sha256 string) (since time.Time, known bool) {
	f.View(func(d *Data) {
		if r := d.Roots[forest]; r != nil {
			since, known = r.Seen[sha256].FirstSeen, !r.Seen[sha256].FirstSeen.IsZero()
		}
	})
	return since, known
}

// ChangeCounts returns how often each change has happened in a forest since it was first read.
func (f *File) ChangeCounts(forest string) map[Change]int {
	out := map[Change]int{}
	f.View(func(d *Data) {
		if r := d.Roots[forest]; r != nil {
			maps.Copy(out, r.Counts)
		}
	})
	return out
}

// rootLook is one look at the roots of a forest.
type rootLook struct {
	*Roots
	forest    string
	now       time.Time
	patience  time.Duration
	published []Published
	lastSeen  map[string]time.Time
}

// appear takes note of what is published, and tells of roots that were not.
func (l *rootLook) appear() []Event {
	var events []Event
	for _, p := range l.published {
		root, known := l.Seen[p.SHA256]
		if !known && len(l.Seen) >= maxRoots {
			continue
		}
		// One that went a moment ago is still at a controller that somebody else looks at.
		back := !root.Gone.IsZero() && l.now.Sub(root.Gone) >= l.patience
		if !known || back {
			e := Event{Time: l.now, Change: Appeared, SHA256: p.SHA256, Subject: p.Subject}
			if e.Before = l.replace(p.Object); e.Before != "" {
				e.Change = Replaced
			}
			events = append(events, e)
		}
		if !known {
			root.FirstSeen = l.now
		}
		root.Subject, root.Object, root.Gone = p.Subject, p.Object, time.Time{}
		l.Seen[p.SHA256] = root
		l.lastSeen[l.forest+p.SHA256] = l.now
	}
	return events
}

// keep holds the certificates that are published at first, since nobody may publish or serve them later.
func (r *Roots) keep(published []Published) {
	for _, p := range published[:min(len(published), maxKept)] {
		if root, known := r.Seen[p.SHA256]; known && len(p.DER) <= maxCertificate {
			root.Certificate = p.DER
			r.Seen[p.SHA256] = root
		}
	}
}

// replace returns the root that an object held until now and holds no more, which is gone by that; empty
// when there is none.
func (l *rootLook) replace(object string) string {
	for _, sum := range slices.Sorted(maps.Keys(l.Seen)) {
		still := slices.ContainsFunc(l.published, func(p Published) bool { return p.SHA256 == sum })
		if root := l.Seen[sum]; root.Object == object && root.Gone.IsZero() && !still {
			root.Gone = l.now
			l.Seen[sum] = root
			return sum
		}
	}
	return ""
}

// vanish tells of the roots that nobody has seen for long enough.
func (l *rootLook) vanish() []Event {
	var events []Event
	for _, sum := range slices.Sorted(maps.Keys(l.Seen)) {
		root, seen := l.Seen[sum], l.lastSeen[l.forest+sum]
		switch {
		case !root.Gone.IsZero():
		case seen.IsZero(): // not seen since the exporter started
			l.lastSeen[l.forest+sum] = l.now
		case l.now.Sub(seen) >= l.patience:
			root.Gone = l.now
			l.Seen[sum] = root
			events = append(events, Event{Time: l.now, Change: Gone, SHA256: sum, Subject: root.Subject})
		}
	}
	return events
}
