package phone

import (
	"bytes"
	"cmp"
	"crypto/rsa"
	"crypto/x509"
	"slices"
	"time"
)

// ChainReason is how the walk along a path of certificates ended. The set is closed.
type ChainReason string

// The reasons of the chain walk. Those that say what a client of 2009 refuses are inferred from
// Windows' CryptoAPI of that time where no source is named.
const (
	// Trusted: the path ends at an anchor and nothing on it is refused.
	Trusted ChainReason = "trusted"
	// UnknownRoot: the path ends at a root that is no anchor, or at a certificate whose issuer was
	// neither served nor is an anchor. Servers send every certificate but the root, so a missing
	// issuer is taken for the root unless something tells that it is not.
	UnknownRoot ChainReason = "unknown_root"
	// IncompleteChain: the path stops below an intermediate certificate that the server did not send:
	// it is known from elsewhere, or the anchor was served and the path does not reach it.
	IncompleteChain ChainReason = "incomplete_chain"
	// RootInAIA: the path ends below a root that is no anchor, but is known from elsewhere, such as the AIA
	// container of the directory.
	RootInAIA ChainReason = "root_only_in_aia"
	// SelfSignedLeaf: the server's own certificate is self-signed and no anchor.
	SelfSignedLeaf ChainReason = "self_signed"
	// LinkExpired: a certificate of the path is past its end, the anchor included. For the anchor the
	// dates of the certificate that the phone holds count, not those of a re-issue that was served.
	LinkExpired ChainReason = "link_expired"
	// LinkNotYetValid: a certificate of the path has not begun, the anchor included.
	LinkNotYetValid ChainReason = "link_not_yet_valid"
	// SHA2Link: a certificate is signed with RSA and SHA-2, which 1.0.199.123 cannot verify (guide
	// steps 9 and 20). A root with a SHA-2 signature counts too, since CryptoAPI verifies it.
	SHA2Link ChainReason = "sha2_link"
	// WeakLink: a certificate below the anchor is signed with MD5 where the rules refuse it, or with
	// MD2, which nothing verifies any more. The signature of an anchor is not looked at.
	WeakLink ChainReason = "weak_link"
	// KeyTooLong: an RSA key is longer than the rules allow, or than 8192 bits where it must verify.
	KeyTooLong ChainReason = "key_too_long"
	// KeyTooShort: an RSA key is shorter than the rules allow, or has less than 1024 bits and would
	// have to verify a link, which crypto/rsa refuses: such a link is not verifiable here.
	KeyTooShort ChainReason = "key_too_short"
	// UnsupportedKey: a key or a signature that the phone cannot verify (ECDSA, Ed25519, RSA-PSS), or
	// that nothing here can (DSA and unknown ones).
	UnsupportedKey ChainReason = "unsupported_key"
	// NotCA: the issuer of a link is no authority: no basic constraints, no certSign in its key usage,
	// or more intermediates below it than its path length allows (RFC 5280 section 4.2.1.9).
	NotCA ChainReason = "not_a_ca"
	// WrongUsage: extended key usage is there and does not include TLS servers (RFC 5280 section
	// 4.2.1.12).
	WrongUsage ChainReason = "wrong_usage"
	// CriticalExtension: a certificate has a critical extension that is not understood here. Name
	// constraints are among those.
	CriticalExtension ChainReason = "critical_extension"
)

// ChainReasons lists every reason.
func ChainReasons() []ChainReason {
	return []ChainReason{
		Trusted, UnknownRoot, IncompleteChain, RootInAIA, SelfSignedLeaf, LinkExpired, LinkNotYetValid, SHA2Link, WeakLink,
		KeyTooLong, KeyTooShort, UnsupportedKey, NotCA, WrongUsage, CriticalExtension,
	}
}

// ChainRules are what a client accepts.
type ChainRules struct {
	// AllowSHA2 accepts RSA signatures with SHA-2. 1.0.199.123 does not; for later firmwares the
	// sources disagree (CONTRACT section 4).
	AllowSHA2 bool
	// AllowMD5 accepts MD5 links. A phone is taken to do so: its Windows CE is older than every ban of
	// MD5, and its own list has authorities that sign with it.
	AllowMD5 bool
	// AllowModern accepts ECDSA and Ed25519 keys and RSA-PSS signatures. No CX700 does.
	AllowModern bool
	// MinKeyBits and MaxKeyBits bound the length of every RSA key on the path; 0 is no bound. The
	// phone's own ceiling is unknown; a 4096-bit root is reported to fail (CONTRACT section 4).
	MinKeyBits, MaxKeyBits int
	// CheckValidity looks at the dates.
	CheckValidity bool
}

// SHA1TolerantRules are today's rules, less the ban of SHA-1 and of 1024-bit keys: what it takes to
// verify a domain controller of the phone's time against roots that a site configured.
func SHA1TolerantRules() ChainRules {
	return ChainRules{AllowSHA2: true, AllowModern: true, MinKeyBits: shortestKey, CheckValidity: true}
}

// Fault is one thing on a path that a client refuses.
type Fault struct {
	Reason ChainReason
	// About is the certificate at fault; nil only when no certificate was served.
	About *x509.Certificate
}

// Path is one way from the server's certificate upwards.
type Path struct {
	// Certificates begins with the server's own. It ends with the anchor, or where the path got lost.
	Certificates []*x509.Certificate
	// Anchored tells that the last certificate is an anchor.
	Anchored bool
	// Faults are empty when the path is trusted. What ends a path comes first, then the others from
	// the server's certificate upwards.
	Faults []Fault
}

// Reason is the first fault, or Trusted.
func (p Path) Reason() ChainReason {
	if len(p.Faults) == 0 {
		return Trusted
	}
	return p.Faults[0].Reason
}

// ValidUntil is the earliest end of any certificate on the path, and the certificate that ends then;
// zero and nil for a path of none.
func (p Path) ValidUntil() (time.Time, *x509.Certificate) {
	if len(p.Certificates) == 0 {
		return time.Time{}, nil
	}
	first := slices.MinFunc(p.Certificates, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
	return first.NotAfter, first
}

// Chain is what a server served and what its client knows.
type Chain struct {
	// Served begins with the server's own certificate. The others may come in any order, doubled, or
	// have nothing to do with it.
	Served []*x509.Certificate
	// Anchors are the certificates that the client trusts: roots, or the server's own certificate.
	Anchors []*x509.Certificate
	// Elsewhere are certificates known from other places, such as the AIA container of the directory.
	// They only explain why a path failed.
	Elsewhere []*x509.Certificate
}

// The limits of a walk, so that no served chain can make it long.
const (
	maxDepth  = 8
	maxServed = 100
	maxLinks  = 100
)

// Walk finds every path from the server's certificate through the served ones to an anchor, and
// judges each at the given time. The best path comes first, and there is always one: an anchored path
// comes before others. Among those fewer faults win, then the later end; among the others the one that
// got furthest.
//
// An anchor is found by its name and by its key, which must verify the link. So a chain that was made
// with a re-issue of a root that the client holds is anchored in the client's own copy. A served root
// is never an anchor. Names of hosts (see MatchName), revocation and policies are not looked at. Paths
// end after 8 certificates, and a walk ends after 100 signatures: what a hostile server hides beyond
// is not found.
func (c Chain) Walk(rules ChainRules, at time.Time) []Path {
	if len(c.Served) == 0 {
		return []Path{{Faults: []Fault{{Reason: IncompleteChain}}}}
	}
	w := walk{Chain: c}
	w.Served = distinct(c.Served)
	leaf := w.Served[:1]
	if slices.ContainsFunc(c.Anchors, leaf[0].Equal) {
		w.add(leaf, true, nil)
	}
	w.extend(leaf, nil)
	for i := range w.paths {
		p := &w.paths[i]
		p.Faults = append(p.Faults, rules.judge(p, at)...)
	}
	slices.SortStableFunc(w.paths, comparePaths)
	return w.paths
}

// walk is the state of one search.
type walk struct {
	Chain
	links int
	paths []Path
}

func (w *walk) add(path []*x509.Certificate, anchored bool, faults []Fault) {
	w.paths = append(w.paths, Path{Certificates: path, Anchored: anchored, Faults: faults})
}

// extend goes on from a path to every issuer of its last certificate. Faults are those of links that
// could not be verified.
func (w *walk) extend(path []*x509.Certificate, faults []Fault) {
	dead := true
	step := func(issuer *x509.Certificate, anchored bool) {
		fault, linked := w.link(path, issuer)
		if !linked {
			return
		}
		dead = false
		longer, more := append(slices.Clip(path), issuer), slices.Clip(faults)
		if fault != nil {
			more = append(more, *fault)
		}
		if anchored {
			w.add(longer, true, more)
			return
		}
		w.extend(longer, more)
	}
	for _, anchor := range w.Anchors {
		step(anchor, true)
	}
	for _, issuer := range w.Served[1:] {
		if !slices.ContainsFunc(w.Anchors, issuer.Equal) {
			step(issuer, false)
		}
	}
	if dead {
		w.add(path, false, append([]Fault{w.end(path)}, faults...))
	}
}

// link checks whether issuer signed the last certificate of a path, within the limits. No name comes
// twice with one key, so that authorities that signed each other make no loop.
func (w *walk) link(path []*x509.Certificate, issuer *x509.Certificate) (*Fault, bool) {
	last := path[len(path)-1]
	if len(path) == maxDepth || !bytes.Equal(last.RawIssuer, issuer.RawSubject) {
		return nil, false
	}
	again := func(c *x509.Certificate) bool {
		return bytes.Equal(c.RawSubject, issuer.RawSubject) &&
			bytes.Equal(c.RawSubjectPublicKeyInfo, issuer.RawSubjectPublicKeyInfo)
	}
	if slices.ContainsFunc(path, again) || w.links == maxLinks {
		return nil, false
	}
	w.links++
	return checkLink(last, issuer)
}

// end tells why a path has no issuer to go on to.
func (w *walk) end(path []*x509.Certificate) Fault {
	last := path[len(path)-1]
	if SelfSigned(last) {
		if len(path) == 1 {
			return Fault{SelfSignedLeaf, last}
		}
		return Fault{w.lostRoot(last), last}
	}
	for _, c := range w.Elsewhere {
		switch _, linked := w.link(path, c); {
		case linked && SelfSigned(c):
			return Fault{RootInAIA, last}
		case linked:
			return Fault{IncompleteChain, last}
		}
	}
	for _, c := range w.Served[1:] {
		if slices.ContainsFunc(w.Anchors, c.Equal) && !bytes.Equal(c.RawSubject, last.RawIssuer) {
			return Fault{IncompleteChain, last}
		}
	}
	return Fault{UnknownRoot, last}
}

// lostRoot tells whether a root that is no anchor is at least known from elsewhere.
func (w *walk) lostRoot(root *x509.Certificate) ChainReason {
	if slices.ContainsFunc(w.Elsewhere, root.Equal) {
		return RootInAIA
	}
	return UnknownRoot
}

// judge lists what the rules refuse on a path.
func (r ChainRules) judge(p *Path, at time.Time) []Fault {
	var faults []Fault
	intermediates := 0
	for i, c := range p.Certificates {
		anchor := p.Anchored && i == len(p.Certificates)-1
		reasons := []ChainReason{r.signature(c, anchor), r.key(c), r.dates(c, at)}
		if i > 0 {
			reasons = append(reasons, authority(c, anchor, intermediates))
			if !bytes.Equal(c.RawSubject, c.RawIssuer) {
				intermediates++
			}
		}
		if !anchor {
			reasons = append(reasons, usage(c))
		}
		if len(c.UnhandledCriticalExtensions) > 0 || c.PermittedDNSDomainsCritical {
			reasons = append(reasons, CriticalExtension)
		}
		for _, reason := range reasons {
			if f := (Fault{reason, c}); reason != Trusted && !slices.Contains(p.Faults, f) {
				faults = append(faults, f)
			}
		}
	}
	return faults
}

func (r ChainRules) signature(c *x509.Certificate, anchor bool) ChainReason {
	switch c.SignatureAlgorithm {
	case x509.SHA1WithRSA:
		return Trusted
	case x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA:
		if !r.AllowSHA2 {
			return SHA2Link
		}
	case x509.MD5WithRSA:
		if !r.AllowMD5 && !anchor {
			return WeakLink
		}
	case x509.UnknownSignatureAlgorithm: // checkLink told
	default:
		if !r.AllowModern && !anchor {
			return UnsupportedKey
		}
	}
	return Trusted
}

func (r ChainRules) key(c *x509.Certificate) ChainReason {
	key, ok := c.PublicKey.(*rsa.PublicKey)
	switch {
	case !ok && !r.AllowModern:
		return UnsupportedKey
	case !ok:
		return Trusted
	case key.N.BitLen() < r.MinKeyBits:
		return KeyTooShort
	case r.MaxKeyBits > 0 && key.N.BitLen() > r.MaxKeyBits:
		return KeyTooLong
	default:
		return Trusted
	}
}

func (r ChainRules) dates(c *x509.Certificate, at time.Time) ChainReason {
	switch {
	case !r.CheckValidity:
		return Trusted
	case at.Before(c.NotBefore):
		return LinkNotYetValid
	case at.After(c.NotAfter):
		return LinkExpired
	default:
		return Trusted
	}
}

// authority tells whether a certificate may issue others. Anchors were chosen by somebody, and five
// of the phone's own are of version 1 and one has no basic constraints: such an anchor may.
func authority(c *x509.Certificate, anchor bool, intermediates int) ChainReason {
	stated := c.BasicConstraintsValid || !anchor
	limited := c.MaxPathLen > 0 || c.MaxPathLenZero
	switch {
	case stated && !c.IsCA,
		c.KeyUsage != 0 && c.KeyUsage&x509.KeyUsageCertSign == 0,
		limited && intermediates > c.MaxPathLen:
		return NotCA
	default:
		return Trusted
	}
}

// usage tells whether a certificate may serve TLS or issue certificates that do. The two "server gated
// cryptography" usages were the servers' own in the years of the phone.
func usage(c *x509.Certificate) ChainReason {
	serves := func(u x509.ExtKeyUsage) bool {
		return u == x509.ExtKeyUsageServerAuth || u == x509.ExtKeyUsageAny ||
			u == x509.ExtKeyUsageMicrosoftServerGatedCrypto || u == x509.ExtKeyUsageNetscapeServerGatedCrypto
	}
	stated := len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) > 0
	if stated && !slices.ContainsFunc(c.ExtKeyUsage, serves) {
		return WrongUsage
	}
	return Trusted
}

// comparePaths puts the better path first.
func comparePaths(a, b Path) int {
	if a.Anchored != b.Anchored {
		if a.Anchored {
			return -1
		}
		return 1
	}
	faults, length := cmp.Compare(len(a.Faults), len(b.Faults)), cmp.Compare(len(a.Certificates), len(b.Certificates))
	if !a.Anchored {
		return cmp.Or(-length, faults)
	}
	aEnd, _ := a.ValidUntil()
	bEnd, _ := b.ValidUntil()
	return cmp.Or(faults, bEnd.Compare(aEnd), length)
}

// distinct drops certificates that come twice, and those beyond the limit.
func distinct(served []*x509.Certificate) []*x509.Certificate {
	var out []*x509.Certificate
	for _, c := range served[:min(len(served), maxServed)] {
		if !slices.ContainsFunc(out, c.Equal) {
			out = append(out, c)
		}
	}
	return out
}
