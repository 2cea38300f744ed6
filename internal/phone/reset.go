package phone

// HardReset says what a hard reset has to do with a reason. It removes credentials, certificate chains and XML files from the
// phone, which is a new one then (guide p. 14); only such a phone asks Active Directory for roots (guide p. 49).
type HardReset int

// What a hard reset has to do with a reason.
const (
	// ResetWalk: what is wrong lies on the way that a reset phone goes anew; the effect tells how it fares there.
	ResetWalk HardReset = iota
	// ResetFetches: the phone may lack a root that is published now; a reset makes it ask.
	ResetFetches
	// ResetStrands: enrolled phones get through, and a reset one does not, though the reason itself stops nobody.
	ResetStrands
	// ResetUnseen: it is not seen whether a reset phone would get a root, though the reason itself stops nobody.
	ResetUnseen
	// ResetExchange and ResetUpdate: what is wrong is beside the sign-in, at a server that a reset does not reach.
	ResetExchange
	ResetUpdate
)

// HardResets lists them.
func HardResets() []HardReset {
	return []HardReset{ResetWalk, ResetFetches, ResetStrands, ResetUnseen, ResetExchange, ResetUpdate}
}

const (
	strands = "makes it worse: an enrolled phone, which still gets through, loses its certificates, must fetch them as a new one does, " +
		"and is stopped here"
	unseen = "not known what it does: the phone would lose the certificates that it holds, and it is not seen whether it would get others"
)

// ResetText says whether a hard reset helps, makes things worse or changes nothing.
func (r *Reason) ResetText() string {
	switch r.HardReset {
	case ResetFetches:
		return "helps only a phone that lacks a root which Active Directory publishes now, and only inside, where it fetches it at its next " +
			"sign-in: see with probe directory that it is there. Any other phone loses the certificates that it holds, for nothing"
	case ResetStrands:
		return strands
	case ResetUnseen:
		return unseen
	case ResetExchange:
		return "changes nothing at Exchange, and costs the phone its certificates, which it must fetch anew inside"
	case ResetUpdate:
		return "changes nothing at the service. It costs the phone its certificates, which it must fetch anew inside, and its ucupdate.xml: " +
			"on 1.0.199.123 that is the way to make it forget an old server"
	}
	switch r.Effect {
	case Blocks:
		return "makes it worse: the phone loses the certificates that it holds, and is stopped here all the same"
	case BlocksNew:
		return strands
	case Degrades:
		return "mends nothing: the phone loses the certificates that it holds, and goes the whole way anew from inside (lease, DNS, time, " +
			"Active Directory, CA), past what is wrong here"
	case Notes:
		return "no reason for one: this stops nobody, and the phone would lose the certificates that it holds"
	default:
		return unseen
	}
}

// WarnOfReset tells whether to speak of a hard reset wherever the reason is told of: phones fail, and somebody may try one.
func (r *Reason) WarnOfReset() bool {
	return r.Effect.Fails() || r.HardReset == ResetFetches || r.HardReset == ResetStrands
}
