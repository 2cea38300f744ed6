package phone

import "crypto/x509"

// Kind is what a phone has behind it.
type Kind string

// The kinds of phones.
const (
	// Enrolled: somebody signed in on it before; it holds its roots and asks AD no more (guide page 49).
	Enrolled Kind = "enrolled"
	// New: fresh from the box or reset; it must fetch its roots from AD.
	New Kind = "new"
)

// Kinds lists the kinds of phones.
func Kinds() []Kind { return []Kind{Enrolled, New} }

// Root is a root that a phone holds.
type Root struct {
	// SHA256 is its fingerprint in hex, in lower case.
	SHA256 string
	// Certificate is nil where only the fingerprint is known.
	Certificate *x509.Certificate
}

// Profile is a phone, as far as the judgement of what it would meet depends on it.
type Profile struct {
	Firmware Firmware
	Kind     Kind
	Domains  Domains
	// External tells that it is plugged in outside, where it reaches no Active Directory.
	External bool
	// Held are the roots that enrolled phones hold besides those built in; nil where nobody says.
	Held []Root
}
