package state

import "time"

// Place is what is remembered of the phones of a site on one network.
type Place struct {
	// ReadyAt is when phones could last sign in with everything good, Ready how their dependencies looked then.
	ReadyAt time.Time `json:"ready_at,omitzero"`
	Ready   []Trait   `json:"ready,omitempty"`
	// Days by firmware and kind of phone.
	Days map[string]Day `json:"days,omitempty"`
}

// Trait is something of a phone's dependencies by which a change is told.
type Trait struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Day is how a verdict stood in the last 24 hours.
type Day struct {
	// End is the number of the last piece of a quarter of an hour, counted from 1970.
	End int64 `json:"end"`
	// Pieces has a letter for each: r ready, d degraded, u unknown, b blocked, - no verdict.
	Pieces string `json:"pieces"`
}

// Place returns what is remembered; empty for nothing.
func (f *File) Place(key string) Place {
	var out Place
	f.View(func(d *Data) { out = d.Places[key] })
	return out
}

// KeepPlaces remembers these, and no others.
func (f *File) KeepPlaces(all map[string]Place) error {
	return f.Update(func(d *Data) bool {
		d.Places = all
		return true
	})
}
