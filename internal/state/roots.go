package state

import (
	"maps"
	"slices"
	"time"
)

const (
	// maxEvents and maxRoots bound what is kept of a forest.
	maxEvents = 200
	maxRoots  = 1000
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
type Published struct{ SHA256, Subject, Object string }

// ObserveRoots takes note of the roots that somebody sees published in a forest now, and returns what has
// changed. Several may look, and see different controllers: a root is gone only when nobody has seen it for
// as long as patience. What is there when a forest is seen first is no change.
func (f *File) ObserveRoots(forest string, now time.Time, patience time.Duration, published []Published) ([]Event, error) {
	var events []Event
	err := f.Update(func(d *Data) bool {
		r := d.Roots[forest]
		first := r == nil
		if first {
			r = &Roots{Began: now, Seen: map[string]Root{}, Counts: map[Change]int{}}
			if d.Roots == nil {
				d.Roots = map[string]*Roots{}
			}
			d.Roots[forest] = r
		}
		events = append(r.appear(now, published), r.vanish(now, patience)...)
		if first {
			events = nil
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

// appear takes note of what is published, and tells of roots that were not.
func (r *Roots) appear(now time.Time, published []Published) []Event {
	var events []Event
	for _, p := range published {
		root, known := r.Seen[p.SHA256]
		if !known && len(r.Seen) >= maxRoots {
			continue
		}
		if !known || !root.Gone.IsZero() {
			e := Event{Time: now, Change: Appeared, SHA256: p.SHA256, Subject: p.Subject}
			if e.Before = r.stoodIn(p.Object, published); e.Before != "" {
				e.Change = Replaced
			}
			events = append(events, e)
		}
		if !known {
			root.FirstSeen = now
		}
		root.Subject, root.Object, root.Gone, root.lastSeen = p.Subject, p.Object, time.Time{}, now
		r.Seen[p.SHA256] = root
	}
	return events
}

// stoodIn returns the root that an object held until now and holds no more, empty when there is none.
func (r *Roots) stoodIn(object string, published []Published) string {
	for _, sum := range slices.Sorted(maps.Keys(r.Seen)) {
		still := slices.ContainsFunc(published, func(p Published) bool { return p.SHA256 == sum })
		if root := r.Seen[sum]; root.Object == object && root.Gone.IsZero() && !still {
			return sum
		}
	}
	return ""
}

// vanish tells of the roots that nobody has seen for long enough.
func (r *Roots) vanish(now time.Time, patience time.Duration) []Event {
	var events []Event
	for _, sum := range slices.Sorted(maps.Keys(r.Seen)) {
		root := r.Seen[sum]
		switch {
		case !root.Gone.IsZero():
			continue
		case root.lastSeen.IsZero(): // not seen since the exporter started
			root.lastSeen = now
		case now.Sub(root.lastSeen) >= patience:
			root.Gone = now
			events = append(events, Event{Time: now, Change: Gone, SHA256: sum, Subject: root.Subject})
		}
		r.Seen[sum] = root
	}
	return events
}
