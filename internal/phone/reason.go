package phone

// Effect says what a reason does to a phone.
type Effect int

// The effects, mildest first.
const (
	// Notes: seen and shown; it stops nobody.
	Notes Effect = iota
	// NotWatched: we lack a privilege to ask; what is not asked is neither good nor bad.
	NotWatched
	// Degrades: a phone gets through, but not everything in its order is good.
	Degrades
	// Blinds: only our probe was stopped; what a phone would meet is unknown.
	Blinds
	// BlocksNew: a new phone would not get through; an enrolled one holds its roots and does not ask.
	BlocksNew
	// Blocks: no phone would get through.
	Blocks
)

// String is the effect in one word, the same for all phones and for new ones.
func (e Effect) String() string {
	return [...]string{"noted", "not watched", "degraded", "unknown", "blocked", "blocked"}[e]
}

// Fails tells whether the effect makes a probe unsuccessful.
func (e Effect) Fails() bool { return e >= Blinds }

// Reason is one way in which a dependency fails.
type Reason struct {
	// Name is the label value, the runbook's heading and the word for `explain`.
	Name   string
	Effect Effect
	// Means is what is wrong, for a reader who does not know the phone.
	Means string
	// Screen is what the phone shows or does.
	Screen string
	// Mend is what to do on the server's side.
	Mend string
	// AtPhone is what to do at the phone once it is mended, HardReset what one has to do with it.
	AtPhone   string
	HardReset HardReset
	// Umbrella tells that it only sums up: the reasons beside it say what to mend.
	Umbrella bool
}
