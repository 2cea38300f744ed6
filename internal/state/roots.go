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

// ObserveRoots takes note of the roots that a forest publishes now and returns what has changed since the
// last time. What is there when a forest is seen first is no change.
func (f *File) ObserveRoots(forest string, now time.Time, published []Published) ([]Event, error) {
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
		events = r.observe(now, published)
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

func (r *Roots) observe(now time.Time, published []Published) []Event {
	is := map[string]bool{}
	for _, p := range published {
		is[p.SHA256] = true
	}
	var events []Event
	for _, sum := range slices.Sorted(maps.Keys(r.Seen)) {
		root := r.Seen[sum]
		if root.Gone.IsZero() && !is[sum] {
			root.Gone = now
			r.Seen[sum] = root
			events = append(events, Event{Time: now, Change: Gone, SHA256: sum, Subject: root.Subject})
		}
	}
	for _, p := range published {
		root, known := r.Seen[p.SHA256]
		if known && root.Gone.IsZero() || !known && len(r.Seen) >= maxRoots {
			continue
		}
		if !known {
			root.FirstSeen = now
		}
		root.Subject, root.Object, root.Gone = p.Subject, p.Object, time.Time{}
		r.Seen[p.SHA256] = root
		e := Event{Time: now, Change: Appeared, SHA256: p.SHA256, Subject: p.Subject}
		if i := slices.IndexFunc(events, func(e Event) bool { return e.Change == Gone && r.Seen[e.SHA256].Object == p.Object }); i >= 0 {
			e.Change, e.Before = Replaced, events[i].SHA256
			events[i] = e
			continue
		}
		events = append(events, e)
	}
	return events
}
