package phone

import (
	"cmp"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// TrustReason is why a phone does not trust a server, or why that is not known. The set is closed: the
// reasons of the chain walk, those of the names, and those below.
type TrustReason string

// The reasons that the chain walk does not know.
const (
	// NameOfOther: neither the subject alternative names nor the common name are the host.
	NameOfOther TrustReason = "name_mismatch"
	// NameByWildcard: only a wildcard covers the host, which Lync Phone Edition was seen not to take
	// (CONTRACT section 4).
	NameByWildcard TrustReason = "name_wildcard"
	// NameInShadow: only the common name is the host, beside other DNS names. What the phone does is unknown.
	NameInShadow TrustReason = "name_shadowed"
	// OutsideSIPDomain: an SRV record names a host outside the SIP domain, which a strict firmware passes over.
	OutsideSIPDomain TrustReason = "outside_sip_domain"
	// RootNotSeen: the path ends at no anchor, but the phone holds roots of which only the fingerprint is
	// known, and nobody showed their certificates.
	RootNotSeen TrustReason = "enrolled_root_not_seen"
	// DoubtSHA2 and DoubtLongKey are no reasons against a server: a field report has a phone go round in
	// circles with a SHA-2 or a 4096-bit root (CONTRACT section 4).
	DoubtSHA2    TrustReason = "sha2_doubted"
	DoubtLongKey TrustReason = "long_key_doubted"
	// DoubtWildcard is none either: beside the right name there is a wildcard, and Lync Phone Edition was seen not to
	// support those, also among the alternative names (CONTRACT section 4).
	DoubtWildcard TrustReason = "wildcard_doubted"
)

// surelyTaken is the longest key among the authorities built into the phone: it must be able to verify that.
const surelyTaken = 2048

// TrustReasons lists every reason.
func TrustReasons() []TrustReason {
	out := []TrustReason{NameOfOther, NameByWildcard, NameInShadow, OutsideSIPDomain, RootNotSeen, DoubtSHA2, DoubtLongKey, DoubtWildcard}
	for _, r := range ChainReasons() {
		if r != Trusted {
			out = append(out, TrustReason(r))
		}
	}
	return out
}

// TrustFault is one reason and the certificate at fault.
type TrustFault struct {
	Reason TrustReason
	// About is nil where nothing was served, and where the host is at fault.
	About *x509.Certificate
	// Certain tells that a phone refuses; otherwise it is not known what it does.
	Certain bool
}

// Trust is what a phone makes of a server's certificates.
type Trust struct {
	// Path is the best one.
	Path Path
	// Name is how the server's certificate answers for the host.
	Name NameMatch
	// Faults are empty for a server that the phone trusts; the certain ones come first.
	Faults []TrustFault
	// Doubts are said beside the verdict and change nothing in it.
	Doubts []TrustFault
}

// Trusted tells that the phone trusts the server.
func (t *Trust) Trusted() bool { return len(t.Faults) == 0 }

// Refused tells that the phone does not trust the server, for certain.
func (t *Trust) Refused() bool { return len(t.Faults) > 0 && t.Faults[0].Certain }

// Anchor is the root that the path ends at; nil when it ends at none.
func (t *Trust) Anchor() *x509.Certificate {
	if !t.Path.Anchored {
		return nil
	}
	return t.Path.Certificates[len(t.Path.Certificates)-1]
}

// Server is what a TLS server showed to somebody who came for a host.
type Server struct {
	Served []*x509.Certificate
	Host   string
	// OutsideSIPDomain marks a host that an SRV record names and that does not lie in the SIP domain.
	OutsideSIPDomain bool
}

// Roots are what a phone holds, and what helps to say why a path has no end.
type Roots struct {
	// Anchors are all that it trusts, those built into it included.
	Anchors []*x509.Certificate
	// Elsewhere are certificates that AD publishes in other places.
	Elsewhere []*x509.Certificate
	// Fingerprints are the SHA-256, in hex, of further roots whose certificates are not known.
	Fingerprints []string
	// Unwatched tells that nobody knows what else the phone holds: a path may then end anywhere.
	Unwatched bool
}

// Fingerprint is the SHA-256 of a certificate in hex, in lower case.
func Fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

// BuiltIn returns the certificates of Authorities.
func BuiltIn() []*x509.Certificate {
	var out []*x509.Certificate
	for _, a := range Authorities() {
		out = append(out, a.Certificate)
	}
	return out
}

// ChainRules are what the firmware accepts. It is taken to verify MD5, as Windows CE of its time does.
func (f Firmware) ChainRules() ChainRules {
	return ChainRules{
		AllowSHA2: f.SHA2 != SHA2Refused, AllowMD5: true,
		MinKeyBits: f.MinKeyBits, MaxKeyBits: f.MaxKeyBits, CheckValidity: true,
	}
}

// Trust judges a server as a phone of this firmware with these roots would at the given time.
func (f Firmware) Trust(s Server, r Roots, at time.Time) Trust {
	anchors, unseen := r.match(s.Served)
	paths := Chain{Served: s.Served, Anchors: anchors, Elsewhere: r.Elsewhere}.Walk(f.ChainRules(), at)
	t := Trust{Path: paths[0], Faults: f.pathFaults(paths[0], r, unseen)}
	for _, p := range paths[1:] {
		// The walk counts faults; a path that may do is better than one that does not.
		if faults := f.pathFaults(p, r, unseen); gravest(faults) < gravest(t.Faults) {
			t.Path, t.Faults = p, faults
		}
	}
	if len(s.Served) > 0 {
		t.Name = MatchName(s.Served[0], s.Host)
		t.Faults = append(t.Faults, nameFaults(t.Name, s.Served[0])...)
	}
	if s.OutsideSIPDomain && f.StrictSRV {
		t.Faults = append(t.Faults, TrustFault{Reason: OutsideSIPDomain, Certain: true})
	}
	slices.SortStableFunc(t.Faults, func(a, b TrustFault) int { return cmp.Compare(b.grave(), a.grave()) })
	t.Doubts = f.doubts(t.Path)
	if (t.Name == NameInSAN || t.Name == NameInCN) && slices.ContainsFunc(s.Served[0].DNSNames, isWildcard) {
		t.Doubts = append(t.Doubts, TrustFault{Reason: DoubtWildcard, About: s.Served[0]})
	}
	return t
}

// match adds the served certificates whose fingerprints the phone holds to the anchors, and tells which
// fingerprints nothing was found for.
func (r Roots) match(served []*x509.Certificate) (anchors []*x509.Certificate, unseen []string) {
	if len(r.Fingerprints) == 0 {
		return r.Anchors, nil
	}
	anchors, unseen = slices.Clip(r.Anchors), slices.Clone(r.Fingerprints)
	for _, c := range served[:min(len(served), maxServed)] {
		if i := slices.Index(unseen, Fingerprint(c)); i >= 0 {
			anchors, unseen = append(anchors, c), slices.Delete(unseen, i, i+1)
		}
	}
	return anchors, unseen
}

// grave is how much a fault weighs: one that is certain more than one that is not.
func (f TrustFault) grave() int {
	if f.Certain {
		return 2
	}
	return 1
}

// gravest is the weight of the heaviest of the faults, 0 when there is none.
func gravest(faults []TrustFault) int {
	worst := 0
	for _, f := range faults {
		worst = max(worst, f.grave())
	}
	return worst
}

// pathFaults takes the faults of a path over, as a phone with these roots has them.
func (f Firmware) pathFaults(p Path, r Roots, unseen []string) []TrustFault {
	var out []TrustFault
	for _, fault := range p.Faults {
		t := TrustFault{Reason: TrustReason(fault.Reason), About: fault.About, Certain: f.certain(fault, r)}
		if endsNowhere(fault.Reason) && fault.About != nil {
			switch {
			case r.Unwatched:
				continue
			case len(unseen) > 0:
				t.Reason, t.Certain = RootNotSeen, false
			}
		}
		out = append(out, t)
	}
	return out
}

// endsNowhere tells the reasons for which a path has no anchor.
func endsNowhere(r ChainReason) bool {
	return r == UnknownRoot || r == IncompleteChain || r == RootInAIA || r == SelfSignedLeaf
}

// certain tells whether a phone refuses for this fault, or only we cannot go on. A phone may hold what AD
// publishes outside CN=Certification Authorities, since its search may find that too (CONTRACT section 2.2);
// nothing here verifies MD2, nor keys below 1024 bits or beyond 8192; and critical extensions that are not
// understood here may be understood there.
func (f Firmware) certain(fault Fault, r Roots) bool {
	switch fault.Reason {
	case RootInAIA, CriticalExtension, WeakLink:
		return false
	case IncompleteChain:
		return fault.About == nil || !slices.ContainsFunc(r.Elsewhere, func(c *x509.Certificate) bool {
			return string(c.RawSubject) == string(fault.About.RawIssuer)
		})
	case KeyTooShort:
		return keyBits(fault.About) < f.MinKeyBits
	case KeyTooLong:
		return f.MaxKeyBits > 0 && keyBits(fault.About) > f.MaxKeyBits
	default:
		return true
	}
}

func nameFaults(m NameMatch, leaf *x509.Certificate) []TrustFault {
	switch m {
	case NameMismatch:
		return []TrustFault{{NameOfOther, leaf, true}}
	case NameWildcard:
		return []TrustFault{{NameByWildcard, leaf, true}}
	case NameShadowed:
		return []TrustFault{{NameInShadow, leaf, false}}
	default:
		return nil
	}
}

func isWildcard(name string) bool { return strings.HasPrefix(name, "*.") }

// doubts lists what is reported to fail and is not known to.
func (f Firmware) doubts(p Path) []TrustFault {
	var out []TrustFault
	for _, c := range p.Certificates {
		if hash := pkcs1Hash(c.SignatureAlgorithm); f.SHA2 == SHA2Doubted && hash >= crypto.SHA224 {
			out = append(out, TrustFault{Reason: DoubtSHA2, About: c})
		}
		if f.MaxKeyBits == 0 && keyBits(c) > surelyTaken {
			out = append(out, TrustFault{Reason: DoubtLongKey, About: c})
		}
	}
	return out
}

// keyBits is the length of an RSA key, 0 for others.
func keyBits(c *x509.Certificate) int {
	if key, ok := c.PublicKey.(*rsa.PublicKey); ok {
		return key.N.BitLen()
	}
	return 0
}
