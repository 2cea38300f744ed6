package phone

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

const sipHost = "sip.fabrikam.com"

// trustCase is a server and the verdict of each firmware, on an enrolled and on a new phone.
type trustCase struct {
	name   string
	served []*x509.Certificate
	host   string // sipHost when empty
	// enrolled phones hold these roots, new ones those of fresh, or the same.
	enrolled, fresh []*x509.Certificate
	elsewhere       []*x509.Certificate
	// builtIn adds the roots that every phone has.
	builtIn bool
	// change is another opinion on the firmwares.
	change func(*Firmware)
	// roots changes what the phone is known to hold.
	roots   func(*Roots)
	outside bool
	at      time.Time // the day of the trace when zero

	// want is the verdict of all; old that of 1.0.199.123, new that of new phones, oldNew that of both at once,
	// where they differ.
	want, old, new, oldNew string
}

// verdictOf writes a verdict: trusted, refused or unknown, its reasons, and its doubts in brackets.
func verdictOf(t Trust) string {
	out := "trusted"
	switch {
	case t.Refused():
		out = "refused"
	case !t.Trusted():
		out = "unknown"
	}
	for _, f := range t.Faults {
		out += " " + string(f.Reason)
		if t.Refused() && !f.Certain {
			out += "?"
		}
	}
	for _, d := range t.Doubts {
		out += " (" + string(d.Reason) + ")"
	}
	return out
}

func (c *trustCase) expected(f Firmware, fresh bool) string {
	oldest := f.Version == KnownFirmware()[0].Version
	switch {
	case oldest && fresh:
		return cmp.Or(c.oldNew, c.old, c.new, c.want)
	case oldest:
		return cmp.Or(c.old, c.want)
	case fresh:
		return cmp.Or(c.new, c.want)
	default:
		return c.want
	}
}

func (c *trustCase) judge(f Firmware, fresh bool) Trust {
	roots := Roots{Anchors: c.enrolled, Elsewhere: c.elsewhere}
	if fresh && c.fresh != nil {
		roots.Anchors = c.fresh
	}
	if c.builtIn {
		roots.Anchors = slices.Concat(BuiltIn(), roots.Anchors)
	}
	if c.roots != nil {
		c.roots(&roots)
	}
	if c.change != nil {
		c.change(&f)
	}
	at := c.at
	if at.IsZero() {
		at = traceDay
	}
	return f.Trust(Server{Served: c.served, Host: cmp.Or(c.host, sipHost), OutsideSIPDomain: c.outside}, roots, at)
}

func sha2(m *maker, name string, issuer *made, edits ...edit) *made {
	return m.make(name, issuer, append(edits, signedBy(x509.SHA256WithRSA))...)
}

func dnsNames(names ...string) edit { return func(c *x509.Certificate) { c.DNSNames = names } }

func algorithmTrust(m *maker) []trustCase {
	root, sha2Root := m.make("Root", nil, ca), sha2(m, "Root", nil, ca)
	sub, sha2Sub := m.make("Sub", root, ca), sha2(m, "Sub", root, ca)
	md5 := func(name string, issuer *made, edits ...edit) *made {
		return m.make(name, issuer, append(edits, signedBy(x509.MD5WithRSA))...)
	}
	md2Root := m.make("Root", nil, ca, version1, signedBy(x509.MD2WithRSA))
	pssRoot := m.make("Root#2048", nil, ca)
	ec := m.make("EC#ecdsa", nil, ca, signedBy(x509.ECDSAWithSHA256))
	with := func(roots ...*made) func(name, want, old string, served ...*made) trustCase {
		return func(name, want, old string, served ...*made) trustCase {
			return trustCase{name: name, served: list(served...), enrolled: list(roots...), want: want, old: old}
		}
	}
	held, sha2Held, md2Held, pssHeld, ecHeld := with(root), with(sha2Root), with(md2Root), with(pssRoot), with(ec)
	refusing, accepting := held("SHA-256, refused by the site file", "refused sha2_link", "", sha2(m, sipHost, root)),
		held("SHA-256, accepted by the site file", "trusted", "", sha2(m, sipHost, root))
	refusing.change = func(f *Firmware) { f.SHA2 = SHA2Refused }
	accepting.change = func(f *Firmware) { f.SHA2 = SHA2Accepted }
	return []trustCase{
		held("SHA-1", "trusted", "", m.make(sipHost, root)),
		held("SHA-1 through an intermediate", "trusted", "", m.make(sipHost, sub), sub),
		held("SHA-256 leaf", "trusted (sha2_doubted)", "refused sha2_link", sha2(m, sipHost, root)),
		held("SHA-384 leaf", "trusted (sha2_doubted)", "refused sha2_link", m.make(sipHost, root, signedBy(x509.SHA384WithRSA))),
		held("SHA-512 leaf", "trusted (sha2_doubted)", "refused sha2_link", m.make(sipHost, root, signedBy(x509.SHA512WithRSA))),
		held("SHA-256 intermediate", "trusted (sha2_doubted)", "refused sha2_link", m.make(sipHost, sha2Sub), sha2Sub),
		held("SHA-256 twice", "trusted (sha2_doubted) (sha2_doubted)", "refused sha2_link sha2_link", sha2(m, sipHost, sha2Sub), sha2Sub),
		held("SHA-256 root served, the SHA-1 one held", "trusted", "", m.make(sipHost, root), sha2Root),
		sha2Held("SHA-256 root held", "trusted (sha2_doubted)", "refused sha2_link", m.make(sipHost, root)),
		sha2Held("SHA-256 root held, the SHA-1 one served", "trusted (sha2_doubted)", "refused sha2_link", m.make(sipHost, root), root),
		refusing, accepting,
		held("MD5 leaf", "trusted", "", md5(sipHost, root)),
		held("MD5 intermediate", "trusted", "", m.make(sipHost, md5("Sub", root, ca)), md5("Sub", root, ca)),
		with(md5("Root", nil, ca))("MD5 root", "trusted", "", m.make(sipHost, root)),
		held("MD2 leaf", "unknown weak_link", "", m.make(sipHost, root, signedBy(x509.MD2WithRSA))),
		md2Held("MD2 root of version 1", "trusted", "", m.make(sipHost, root)),
		pssHeld("PSS leaf", "refused unsupported_key", "", m.make(sipHost, pssRoot, signedBy(x509.SHA256WithRSAPSS))),
		ecHeld("ECDSA", "refused unsupported_key unsupported_key", "", m.make(sipHost, ec, signedBy(x509.ECDSAWithSHA256))),
		held("ECDSA key of the server only", "refused unsupported_key", "", m.make(sipHost+"#ecdsa", root)),
		held("Ed25519 key of the server only", "refused unsupported_key", "", m.make(sipHost+"#ed25519", root)),
	}
}

func lengthTrust(m *maker) []trustCase {
	root, root2048, root3072 := m.make("Root", nil, ca), m.make("Root#2048", nil, ca), m.make("Root#3072", nil, ca)
	short := m.make("Root#1000", nil, ca, signedBy(x509.MD2WithRSA))
	limits := func(least, most int) func(*Firmware) {
		return func(f *Firmware) { f.MinKeyBits, f.MaxKeyBits = least, most }
	}
	return []trustCase{
		{name: "1024 bits", served: list(m.make(sipHost, root)), enrolled: list(root), want: "trusted"},
		{name: "2048 bits", served: list(m.make(sipHost+"#2048", root2048)), enrolled: list(root2048), want: "trusted"},
		{name: "3072 bits of the root", served: list(m.make(sipHost, root3072)), enrolled: list(root3072), want: "trusted (long_key_doubted)"},
		{name: "3072 bits everywhere", served: list(m.make(sipHost+"#3072", root3072)), enrolled: list(root3072),
			want: "trusted (long_key_doubted) (long_key_doubted)"},
		{name: "3072 bits beyond the limit of the site file", served: list(m.make(sipHost, root3072)), enrolled: list(root3072),
			change: limits(0, 2048), want: "refused key_too_long"},
		{name: "3072 bits within the limit of the site file", served: list(m.make(sipHost, root3072)), enrolled: list(root3072),
			change: limits(0, 4096), want: "trusted"},
		{name: "1024 bits below the limit of the site file", served: list(m.make(sipHost, root2048)), enrolled: list(root2048),
			change: limits(2048, 0), want: "refused key_too_short"},
		{name: "1000 bits of the root verify nothing here", served: list(m.make(sipHost, short)), enrolled: list(short),
			want: "unknown key_too_short"},
		{name: "1000 bits of the root, below the limit of the site file", served: list(m.make(sipHost, short)), enrolled: list(short),
			change: limits(1024, 0), want: "refused key_too_short"},
		{name: "1000 bits of the server", served: list(m.make(sipHost+"#1000", root)), enrolled: list(root), want: "trusted"},
	}
}

func dateTrust(m *maker) []trustCase {
	root, old, late := m.make("Root", nil, ca), lives(2005, 2009), lives(2010, 2012)
	oldRoot, reissue, newRoot := m.make("Root", nil, ca, old), m.make("Root", nil, ca, lives(2005, 2020)), m.make("Root#new", nil, ca)
	oldSub := m.make("Sub", root, ca, old)
	served := func(of ...*made) []*x509.Certificate { return list(of...) }
	return []trustCase{
		{name: "expired leaf", served: served(m.make(sipHost, root, old)), enrolled: list(root), want: "refused link_expired"},
		{name: "expired intermediate", served: served(m.make(sipHost, oldSub), oldSub), enrolled: list(root), want: "refused link_expired"},
		{name: "expired root", served: served(m.make(sipHost, root)), enrolled: list(oldRoot), want: "refused link_expired"},
		{name: "all expired", served: served(m.make(sipHost, oldSub, old), oldSub), enrolled: list(oldRoot),
			want: "refused link_expired link_expired link_expired"},
		{name: "leaf of tomorrow", served: served(m.make(sipHost, root, late)), enrolled: list(root), want: "refused link_not_yet_valid"},
		{name: "root of tomorrow", served: served(m.make(sipHost, root)), enrolled: list(m.make("Root", nil, ca, late)),
			want: "refused link_not_yet_valid"},
		{name: "the last moment", served: served(m.make(sipHost, root)), enrolled: list(root), at: year(2012), want: "trusted"},
		{name: "after the last moment", served: served(m.make(sipHost, root)), enrolled: list(root), at: year(2012).Add(1),
			want: "refused link_expired link_expired"},
		{name: "the first moment", served: served(m.make(sipHost, root)), enrolled: list(root), at: year(2008), want: "trusted"},
		{name: "a clock without time", served: served(m.make(sipHost, root)), enrolled: list(root), at: time.Unix(0, 0),
			want: "refused link_not_yet_valid link_not_yet_valid"},
		{name: "re-issue served, the first issue held", served: served(m.make(sipHost, root), reissue), enrolled: list(root), want: "trusted"},
		{name: "re-issue in AD, the expired issue held", served: served(m.make(sipHost, root)), enrolled: list(oldRoot), fresh: list(reissue),
			want: "refused link_expired", new: "trusted"},
		{name: "re-issue served, the expired issue held", served: served(m.make(sipHost, root), reissue), enrolled: list(oldRoot),
			want: "refused link_expired"},
		{name: "re-issue in AD with SHA-2, the expired issue held", served: served(m.make(sipHost, root)), enrolled: list(oldRoot),
			fresh: list(sha2(m, "Root", nil, ca)), want: "refused link_expired", new: "trusted (sha2_doubted)", oldNew: "refused sha2_link"},
		{name: "roll-over: the pool has the new root already", served: served(m.make(sipHost, newRoot)), enrolled: list(root),
			fresh: list(root, newRoot), want: "refused unknown_root", new: "trusted"},
		{name: "roll-over: the pool has the old root still", served: served(m.make(sipHost, root)), enrolled: list(root),
			fresh: list(newRoot), want: "trusted", new: "refused unknown_root"},
	}
}

func nameTrust(m *maker) []trustCase {
	root := m.make("Root", nil, ca)
	named := func(name, want, common string, sans ...string) trustCase {
		return trustCase{name: name, served: list(m.make(common, root, dnsNames(sans...))), enrolled: list(root), want: want}
	}
	outside := named("SRV target outside the SIP domain", "refused outside_sip_domain", "pool01.contoso.com")
	outside.host, outside.outside = "pool01.contoso.com", true
	lenient := outside
	lenient.name, lenient.want, lenient.change = "SRV target outside the SIP domain, not strict", "trusted", func(f *Firmware) { f.StrictSRV = false }
	return []trustCase{
		named("common name only", "trusted", sipHost),
		named("common name in other case", "trusted", "SIP.Fabrikam.COM"),
		named("subject alternative name", "trusted", "pool01.contoso.com", "pool01.contoso.com", sipHost),
		named("both names", "trusted", sipHost, sipHost),
		named("another name", "refused name_mismatch", "pool01.contoso.com"),
		named("other alternative names", "refused name_mismatch", "pool01.contoso.com", "fe01.contoso.com"),
		named("common name beside others", "unknown name_shadowed", sipHost, "pool01.contoso.com"),
		named("wildcard alternative name", "refused name_wildcard", "pool01.contoso.com", "*.fabrikam.com"),
		named("wildcard common name", "refused name_wildcard", "*.fabrikam.com"),
		named("wildcard beside the name", "trusted (wildcard_doubted)", "*.fabrikam.com", "*.fabrikam.com", sipHost),
		named("wildcard of two labels", "refused name_mismatch", "*.com"),
		named("parent domain", "refused name_mismatch", "fabrikam.com"),
		outside, lenient,
	}
}

func shapeTrust(m *maker) []trustCase {
	root, other := m.make("Root", nil, ca), m.make("Other", nil, ca)
	sub, plain := m.make("Sub", root, ca), m.make("Sub", root)
	leaf, direct, self := m.make(sipHost, sub), m.make(sipHost, root), m.make(sipHost+"#self", nil)
	a, b := m.make("A", nil, ca), m.make("B", nil, ca)
	aByB, bByA, crossed := m.make("A", b, ca), m.make("B", a, ca), m.make(sipHost, a)
	layers := bomb(m)
	deep := []*made{m.make("D0", nil, ca)}
	for i := range maxDepth {
		deep = append(deep, m.make(fmt.Sprintf("D%d", i+1), deep[i], ca))
	}
	tooDeep := list(m.make(sipHost, deep[maxDepth]))
	for _, d := range slices.Backward(deep[1:]) {
		tooDeep = append(tooDeep, d.Certificate)
	}
	of := func(name, want string, anchors []*x509.Certificate, served ...*made) trustCase {
		return trustCase{name: name, served: list(served...), enrolled: anchors, want: want}
	}
	return []trustCase{
		of("in order", "trusted", list(root), leaf, sub),
		of("root served too", "trusted", list(root), leaf, sub, root),
		of("out of order", "trusted", list(root), leaf, root, sub),
		of("doubled", "trusted", list(root), leaf, leaf, sub, sub, root, root),
		of("others between", "trusted", list(root), leaf, other, a, sub),
		of("intermediate missing, nobody knows it", "refused unknown_root", list(root), leaf),
		of("intermediate missing, the root served", "refused incomplete_chain", list(root), leaf, root),
		{name: "intermediate missing, in AIA", served: list(leaf), enrolled: list(root), elsewhere: list(sub), want: "unknown incomplete_chain"},
		{name: "root in AIA only", served: list(direct), enrolled: list(other), elsewhere: list(root), want: "unknown root_only_in_aia"},
		{name: "root served, and in AIA only", served: list(direct, root), enrolled: list(other), elsewhere: list(root), want: "unknown root_only_in_aia"},
		{name: "nothing served", enrolled: list(root), want: "refused incomplete_chain"},
		of("another root", "refused unknown_root", list(other), direct),
		of("another root of the name", "refused unknown_root", list(m.make("Root#else", nil, ca)), direct),
		of("no root at all", "refused unknown_root", nil, direct, root),
		of("self-signed", "refused self_signed", list(root), self),
		of("self-signed and held", "trusted", list(self), self),
		of("intermediate held", "trusted", list(sub), leaf, sub),
		of("crossed, the first held", "trusted", list(a), crossed, aByB),
		of("crossed, the second held", "trusted", list(b), crossed, aByB),
		of("crossed through an expired link beside a good one", "trusted", list(b), crossed, m.make("A", b, ca, lives(2005, 2009)), aByB),
		of("a path that may do beside one that does not", "unknown critical_extension critical_extension",
			list(m.make("A", nil, ca, lives(2005, 2009)), m.make("B", nil, ca, unknownExtension(true))), crossed, m.make("A", b, ca, unknownExtension(true))),
		of("a loop", "refused unknown_root", list(root), crossed, aByB, bByA),
		of("a loop with a way out", "trusted", list(b), crossed, bByA, aByB),
		{name: "a bomb", served: layers[:100], host: "leaf", enrolled: list(root), want: "refused unknown_root"},
		{name: "a chain in a bomb", served: slices.Concat(list(leaf, sub), layers[:97]), enrolled: list(root), want: "trusted"},
		{name: "one certificate a thousand times", served: slices.Repeat(list(direct), 1000), enrolled: list(root), want: "trusted"},
		{name: "deeper than the walk", served: tooDeep, enrolled: list(deep[0]), want: "refused unknown_root"},
		of("intermediate that is no authority", "refused not_a_ca", list(root), m.make(sipHost, plain), plain),
		of("leaf for mail", "refused wrong_usage", list(root), m.make(sipHost, root, extUsage(x509.ExtKeyUsageEmailProtection))),
		of("a critical extension", "unknown critical_extension", list(root), m.make(sipHost, root, unknownExtension(true))),
		of("several at once", "refused link_expired name_mismatch critical_extension?", list(root),
			m.make("pool01.contoso.com", root, lives(2005, 2009), unknownExtension(true))),
	}
}

// knownTrust is about what is known of a phone's roots.
func knownTrust(m *maker) []trustCase {
	root, other := m.make("Root", nil, ca), m.make("Other", nil, ca)
	leaf := m.make(sipHost, root)
	prints := func(of ...*made) func(*Roots) {
		return func(r *Roots) {
			for _, c := range of {
				r.Fingerprints = append(r.Fingerprints, Fingerprint(c.Certificate))
			}
		}
	}
	unwatched := func(r *Roots) { r.Unwatched = true }
	return []trustCase{
		{name: "fingerprint of the served root", served: list(leaf, root), enrolled: list(other), roots: prints(root), want: "trusted"},
		{name: "fingerprint of a root that nobody shows", served: list(leaf), enrolled: list(other), roots: prints(root),
			want: "unknown enrolled_root_not_seen"},
		{name: "fingerprint of the served leaf", served: list(leaf), enrolled: list(other), roots: prints(leaf), want: "trusted"},
		{name: "fingerprint besides an expired leaf", served: list(m.make(sipHost, root, lives(2005, 2009))), roots: prints(other),
			want: "refused link_expired enrolled_root_not_seen?"},
		{name: "fingerprints that do not help", served: list(leaf, root), enrolled: list(root), roots: prints(other), want: "trusted"},
		{name: "nobody knows the roots", served: list(leaf), enrolled: list(other), roots: unwatched, want: "trusted"},
		{name: "nobody knows the roots, self-signed", served: list(m.make(sipHost+"#self", nil)), roots: unwatched, want: "trusted"},
		{name: "nobody knows the roots, expired", served: list(m.make(sipHost, root, lives(2005, 2009))), roots: unwatched,
			want: "refused link_expired"},
		{name: "nobody knows the roots, SHA-2", served: list(sha2(m, sipHost, root)), roots: unwatched,
			want: "trusted (sha2_doubted)", old: "refused sha2_link"},
		{name: "nobody knows the roots, nothing served", roots: unwatched, want: "refused incomplete_chain"},
	}
}

// realTrust serves the real authorities, whose keys nobody here has, as if they were the server's own.
func realTrust(t *testing.T) []trustCase {
	today := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	all, again := Authorities(), reissues(t)
	var out []trustCase
	of := func(name, then, now string, c *x509.Certificate) {
		host := cmp.Or(c.Subject.CommonName, "none")
		out = append(out,
			trustCase{name: name + " then", served: []*x509.Certificate{c}, host: host, builtIn: true, want: then},
			trustCase{name: name + " today", served: []*x509.Certificate{c}, host: host, builtIn: true, want: now, at: today})
	}
	const nameless, ended = "refused name_mismatch", "refused link_expired"
	of("Comodo AAA", "trusted", "trusted", all[0].Certificate)
	of("Baltimore", "trusted", ended, all[2].Certificate)
	of("GlobalSign 2014, MD5", "trusted", ended, all[3].Certificate)
	of("GTE, version 1", "trusted", ended, all[4].Certificate)
	of("VeriSign class 2, MD2", nameless, nameless, all[5].Certificate)
	of("RSA Secure Server, 1000 bits", nameless, ended+" name_mismatch", all[8].Certificate)
	of("Entrust 2019, no basic constraints", "trusted", ended, all[10].Certificate)
	of("Go Daddy", nameless, nameless, all[14].Certificate)
	of("ValiCert", "trusted", ended, all[15].Certificate)
	of("ValiCert class 1, which is not built in", "refused self_signed", "refused self_signed link_expired", again["16b"])
	of("GlobalSign 2028", "refused self_signed", "refused self_signed", again["04b"])
	of("Entrust 2029", "refused self_signed", "refused self_signed", again["11b"])
	of("VeriSign class 3 re-issue", "refused self_signed name_mismatch", "refused self_signed name_mismatch", again["10b"])
	for i, name := range []string{"04b", "11b"} {
		c := again[name]
		out = append(out, trustCase{name: name + " published by AD today", served: []*x509.Certificate{c}, host: c.Subject.CommonName,
			builtIn: true, enrolled: nil, fresh: []*x509.Certificate{c}, at: today.AddDate(0, i, 0),
			want: "refused self_signed", new: "trusted"})
	}
	return out
}

func TestTrust(t *testing.T) {
	m := newMaker(t)
	cases := slices.Concat(algorithmTrust(m), lengthTrust(m), dateTrust(m), nameTrust(m), shapeTrust(m), knownTrust(m), realTrust(t))
	if len(cases) < 80 {
		t.Errorf("%d chains", len(cases))
	}
	produced := map[TrustReason]bool{}
	names := map[string]bool{}
	for _, c := range cases {
		if names[c.name] {
			t.Errorf("two chains are called %q", c.name)
		}
		names[c.name] = true
		for _, f := range KnownFirmware() {
			for fresh, phone := range map[bool]string{false: "enrolled", true: "new"} {
				got := c.judge(f, fresh)
				for _, fault := range append(got.Faults, got.Doubts...) {
					produced[fault.Reason] = true
				}
				if diff := gocmp.Diff(strings.TrimSpace(c.expected(f, fresh)), verdictOf(got)); diff != "" {
					t.Errorf("%s, firmware %s, %s phone (-want +got):\n%s", c.name, f.Version, phone, diff)
				}
			}
		}
	}
	for _, reason := range TrustReasons() {
		if !produced[reason] {
			t.Errorf("no chain of the table gives %s", reason)
		}
	}
}

// TestAnchorOfTrust: the end of a path, and the root that ends it, have dates of their own.
func TestAnchorOfTrust(t *testing.T) {
	m := newMaker(t)
	root := m.make("Root", nil, ca, lives(2005, 2020))
	leaf := m.make(sipHost, root)
	held := Roots{Anchors: list(root)}
	got := KnownFirmware()[0].Trust(Server{Served: list(leaf), Host: sipHost}, held, traceDay)
	if at, c := got.Path.ValidUntil(); !at.Equal(year(2012)) || !leaf.Equal(c) || !root.Equal(got.Anchor()) {
		t.Errorf("ends %s with %s, anchor %v", at, c.Subject, got.Anchor())
	}
	got = KnownFirmware()[0].Trust(Server{Served: list(leaf), Host: sipHost}, Roots{Unwatched: true}, traceDay)
	if got.Anchor() != nil || !got.Trusted() {
		t.Errorf("anchor %v, verdict %s", got.Anchor(), verdictOf(got))
	}
}
