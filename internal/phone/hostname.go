package phone

import (
	"crypto/x509"
	"slices"
	"strings"

	"golang.org/x/net/idna"
)

// NameMatch is how a certificate answers for a host. The set is closed.
type NameMatch string

// The answers of MatchName, best first.
const (
	// NameInSAN: a DNS name of the subject alternative names is the host.
	NameInSAN NameMatch = "san"
	// NameInCN: the common name is the host, and there are no DNS names beside it. Clients of 2009 take
	// that (RFC 2818 section 3.1).
	NameInCN NameMatch = "common_name"
	// NameShadowed: only the common name is the host, and there are DNS names without it. RFC 2818
	// refuses that; what the phone does is unknown.
	NameShadowed NameMatch = "common_name_shadowed"
	// NameWildcard: only a wildcard covers the host. Lync Phone Edition does not take it (CONTRACT
	// section 4); modern clients take it from the subject alternative names.
	NameWildcard NameMatch = "wildcard"
	// NameMismatch: the certificate is for other hosts.
	NameMismatch NameMatch = "mismatch"
)

// NameMatches lists every answer.
func NameMatches() []NameMatch {
	return []NameMatch{NameInSAN, NameInCN, NameShadowed, NameWildcard, NameMismatch}
}

// MatchName compares the names of a certificate with the DNS name of a host. Case and one trailing dot
// do not matter. A host outside ASCII is compared by its A-labels (RFC 5890), as certificates hold
// them. Address entries are not looked at: the phone knows its servers by name.
func MatchName(leaf *x509.Certificate, host string) NameMatch {
	host = strings.TrimSuffix(host, ".")
	if ascii, err := idna.Lookup.ToASCII(host); err == nil {
		host = ascii
	}
	if host == "" {
		return NameMismatch
	}
	is := func(pattern string) bool { return sameName(pattern, host) }
	_, parent, _ := strings.Cut(host, ".")
	covers := func(pattern string) bool { return parent != "" && sameName(pattern, "*."+parent) }
	switch cn := leaf.Subject.CommonName; {
	case slices.ContainsFunc(leaf.DNSNames, is):
		return NameInSAN
	case is(cn) && len(leaf.DNSNames) == 0:
		return NameInCN
	case is(cn):
		return NameShadowed
	case slices.ContainsFunc(leaf.DNSNames, covers), covers(cn):
		return NameWildcard
	default:
		return NameMismatch
	}
}

// sameName compares two DNS names, the second in ASCII and without a trailing dot. Names of one length
// in bytes differ by ASCII case only: the Kelvin sign, which folds to a k, is longer.
func sameName(a, b string) bool {
	a = strings.TrimSuffix(a, ".")
	return len(a) == len(b) && strings.EqualFold(a, b)
}
