package phone

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cx700/cx700_exporter/internal/certtest"
)

// The day of the guide's trace; certificates of these tests live from 2008 to 2012.
var traceDay = time.Date(2009, 6, 4, 6, 22, 3, 0, time.UTC)

func year(y int) time.Time { return time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC) }

// made is a certificate of a test and the key it is for.
type made struct {
	*x509.Certificate
	key crypto.Signer
}

// maker makes certificates. Keys belong to names: the same name gets the same key.
type maker struct {
	testing.TB
	keys map[string]crypto.Signer
}

func newMaker(t testing.TB) *maker { return &maker{t, map[string]crypto.Signer{}} }

type edit func(*x509.Certificate)

// make makes a certificate signed with SHA-1. What follows a # in the name tells keys apart and is not
// in the subject. No issuer makes it self-signed.
func (m *maker) make(name string, issuer *made, edits ...edit) *made {
	m.Helper()
	key := m.key(name)
	common, _, _ := strings.Cut(name, "#")
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: common}, SerialNumber: big.NewInt(time.Now().UnixNano()),
		NotBefore: year(2008), NotAfter: year(2012), SignatureAlgorithm: x509.SHA1WithRSA,
	}
	for _, e := range edits {
		e(template)
	}
	public := key.Public()
	if strings.HasSuffix(name, "#1000") {
		public = m.short() // crypto/rsa refuses to sign with it: the signature is the stand-in's
	}
	parent, signer := *template, key
	if issuer != nil {
		parent, signer = *issuer.Certificate, issuer.key
	}
	parent.PublicKey = nil
	c, err := certtest.Create(template, &parent, public, signer)
	if err != nil {
		m.Fatal(err)
	}
	return &made{c, key}
}

func (m *maker) key(name string) crypto.Signer {
	m.Helper()
	if key, ok := m.keys[name]; ok {
		return key
	}
	var key crypto.Signer
	var err error
	switch _, kind, _ := strings.Cut(name, "#"); kind {
	case "ecdsa":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case "2048", "3072":
		bits, _ := strconv.Atoi(kind)
		key, err = rsa.GenerateKey(rand.Reader, bits)
	default:
		key, err = rsa.GenerateKey(rand.Reader, 1024)
	}
	if err != nil {
		m.Fatal(err)
	}
	m.keys[name] = key
	return key
}

// short makes a public key of 1000 bits.
func (m *maker) short() *rsa.PublicKey {
	m.Helper()
	p, err := rand.Prime(rand.Reader, 500)
	if err != nil {
		m.Fatal(err)
	}
	q, err := rand.Prime(rand.Reader, 500)
	if err != nil {
		m.Fatal(err)
	}
	return &rsa.PublicKey{N: p.Mul(p, q), E: 65537}
}

func ca(c *x509.Certificate)       { c.BasicConstraintsValid, c.IsCA = true, true }
func version1(c *x509.Certificate) { c.Version = 1 }

func signedBy(a x509.SignatureAlgorithm) edit {
	return func(c *x509.Certificate) { c.SignatureAlgorithm = a }
}

func lives(from, to int) edit {
	return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = year(from), year(to) }
}

func pathLength(n int) edit {
	return func(c *x509.Certificate) { c.MaxPathLen, c.MaxPathLenZero = n, n == 0 }
}

func keyUsage(u x509.KeyUsage) edit { return func(c *x509.Certificate) { c.KeyUsage = u } }

func extUsage(u ...x509.ExtKeyUsage) edit { return func(c *x509.Certificate) { c.ExtKeyUsage = u } }

func unknownExtension(critical bool) edit {
	return func(c *x509.Certificate) {
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: critical, Value: []byte{5, 0}}}
	}
}

func constrained(c *x509.Certificate) {
	c.PermittedDNSDomainsCritical, c.PermittedDNSDomains = true, []string{"contoso.com"}
}

// list gives the certificates of made ones.
func list(of ...*made) []*x509.Certificate {
	var out []*x509.Certificate
	for _, m := range of {
		out = append(out, m.Certificate)
	}
	return out
}

// names writes a path as its common names, the anchor in brackets.
func names(p Path) string {
	var out []string
	for i, c := range p.Certificates {
		name := c.Subject.CommonName
		if p.Anchored && i == len(p.Certificates)-1 {
			name = "[" + name + "]"
		}
		out = append(out, name)
	}
	return strings.Join(out, " ")
}

func oldPhone() *ChainRules { return &ChainRules{AllowMD5: true, CheckValidity: true} }
func newPhone() *ChainRules { return &ChainRules{AllowMD5: true, CheckValidity: true, AllowSHA2: true} }

func modern() *ChainRules {
	rules := SHA1TolerantRules()
	return &rules
}

type chainCase struct {
	name  string
	chain Chain
	rules *ChainRules // of the oldest firmware when nil
	at    time.Time   // the day of the trace when zero
	path  string
	want  ChainReason
	about *made
	// others are the reasons of further faults, in order.
	others []ChainReason
}

// The chains of the table, by subject.

func plainChains(m *maker) []chainCase {
	root := m.make("Root", nil, ca)
	other := m.make("Other", nil, ca)
	sub := m.make("Sub", root, ca)
	leaf, direct := m.make("leaf", sub), m.make("direct", root)
	self := m.make("self", nil)
	forged := m.make("leaf", m.make("Sub#forged", root, ca))
	ad := Chain{Served: list(direct), Anchors: list(root)}
	return []chainCase{
		{name: "issued by the anchor", chain: ad, path: "direct [Root]", want: Trusted},
		{name: "at the last moment", chain: ad, at: year(2012), path: "direct [Root]", want: Trusted},
		{name: "at the first moment", chain: ad, at: year(2008), path: "direct [Root]", want: Trusted},
		{name: "three", chain: Chain{Served: list(leaf, sub), Anchors: list(root)}, path: "leaf Sub [Root]", want: Trusted},
		{name: "root served too", chain: Chain{Served: list(leaf, sub, root), Anchors: list(other, root)},
			path: "leaf Sub [Root]", want: Trusted},
		{name: "any order, doubled, others between", chain: Chain{Served: list(leaf, root, other, leaf, sub, sub), Anchors: list(root)},
			path: "leaf Sub [Root]", want: Trusted},
		{name: "intermediate as anchor", chain: Chain{Served: list(leaf, sub), Anchors: list(sub)}, path: "leaf [Sub]", want: Trusted},
		{name: "the leaf itself as anchor", chain: Chain{Served: list(self), Anchors: list(self)}, path: "[self]", want: Trusted},
		{name: "nothing served", chain: Chain{Anchors: list(root)}, want: IncompleteChain},
		{name: "nothing trusted", chain: Chain{Served: list(direct)}, path: "direct", want: UnknownRoot, about: direct},
		{name: "another root trusted", chain: Chain{Served: list(direct, root), Anchors: list(other)},
			path: "direct Root", want: UnknownRoot, about: root},
		{name: "self-signed", chain: Chain{Served: list(self), Anchors: list(root)}, path: "self", want: SelfSignedLeaf, about: self},
		{name: "intermediate known to the directory only", path: "leaf", want: IncompleteChain, about: leaf,
			chain: Chain{Served: list(leaf), Anchors: list(root), Elsewhere: list(other, sub)}},
		{name: "root served instead of the intermediate", path: "leaf", want: IncompleteChain, about: leaf,
			chain: Chain{Served: list(leaf, root), Anchors: list(root)}},
		{name: "root in the AIA container only", path: "direct", want: RootInAIA, about: direct,
			chain: Chain{Served: list(direct), Anchors: list(other), Elsewhere: list(root)}},
		{name: "root served, and in the AIA container only", path: "direct Root", want: RootInAIA, about: root,
			chain: Chain{Served: list(direct, root), Anchors: list(other), Elsewhere: list(root)}},
		{name: "issuer of the same name with another key", path: "leaf", want: UnknownRoot, about: forged,
			chain: Chain{Served: list(forged, sub), Anchors: list(root)}},
		{name: "root of the same name with another key", path: "direct", want: UnknownRoot, about: direct,
			chain: Chain{Served: list(direct), Anchors: list(m.make("Root#new", nil, ca))}},
	}
}

func dateChains(m *maker) []chainCase {
	root := m.make("Root", nil, ca)
	leaf := m.make("leaf", root)
	old, young := m.make("leaf", root, lives(2007, 2009)), m.make("leaf", root, lives(2010, 2012))
	oldSub := m.make("Sub", root, ca, lives(2007, 2009))
	oldRoot, reissue := m.make("Root", nil, ca, lives(2005, 2009)), m.make("Root", nil, ca, lives(2005, 2020))
	anyTime := &ChainRules{}
	return []chainCase{
		{name: "expired leaf", chain: Chain{Served: list(old), Anchors: list(root)}, path: "leaf [Root]", want: LinkExpired, about: old},
		{name: "expired leaf, dates not looked at", chain: Chain{Served: list(old), Anchors: list(root)}, rules: anyTime,
			path: "leaf [Root]", want: Trusted},
		{name: "expired intermediate", chain: Chain{Served: list(m.make("leaf", oldSub), oldSub), Anchors: list(root)},
			path: "leaf Sub [Root]", want: LinkExpired, about: oldSub},
		{name: "expired anchor", chain: Chain{Served: list(leaf), Anchors: list(oldRoot)}, path: "leaf [Root]", want: LinkExpired, about: oldRoot},
		{name: "leaf of tomorrow", chain: Chain{Served: list(young), Anchors: list(root)}, path: "leaf [Root]", want: LinkNotYetValid, about: young},
		{name: "clock of 1970", chain: Chain{Served: list(leaf), Anchors: list(root)}, at: time.Unix(0, 0), path: "leaf [Root]",
			want: LinkNotYetValid, about: leaf, others: []ChainReason{LinkNotYetValid}},
		{name: "re-issued root served, the old one held", chain: Chain{Served: list(leaf, reissue), Anchors: list(root)},
			path: "leaf [Root]", want: Trusted},
		{name: "re-issued root held, the old one served", chain: Chain{Served: list(leaf, oldRoot), Anchors: list(reissue)},
			path: "leaf [Root]", want: Trusted},
		{name: "re-issued root served, the expired one held", chain: Chain{Served: list(leaf, reissue), Anchors: list(oldRoot)},
			path: "leaf [Root]", want: LinkExpired, about: oldRoot},
		{name: "both held", chain: Chain{Served: list(leaf), Anchors: list(oldRoot, reissue)}, path: "leaf [Root]", want: Trusted},
		{name: "expired leaf of an unknown root", chain: Chain{Served: list(old)}, path: "leaf",
			want: UnknownRoot, about: old, others: []ChainReason{LinkExpired}},
	}
}

func algorithmChains(m *maker) []chainCase {
	root := m.make("Root", nil, ca)
	sha2Root := m.make("Root", nil, ca, signedBy(x509.SHA256WithRSA))
	md2Root := m.make("Root", nil, ca, version1, signedBy(x509.MD2WithRSA))
	md5Root := m.make("Root", nil, ca, signedBy(x509.MD5WithRSA))
	leaf := m.make("leaf", root)
	sha2, sha512 := m.make("leaf", root, signedBy(x509.SHA256WithRSA)), m.make("leaf", root, signedBy(x509.SHA512WithRSA))
	md5, md2 := m.make("leaf", root, signedBy(x509.MD5WithRSA)), m.make("leaf", root, signedBy(x509.MD2WithRSA))
	root2048 := m.make("Root#2048", nil, ca)
	pss := m.make("leaf", root2048, signedBy(x509.SHA256WithRSAPSS))
	ecRoot := m.make("EC#ecdsa", nil, ca, signedBy(x509.ECDSAWithSHA256))
	ec := m.make("leaf", ecRoot, signedBy(x509.ECDSAWithSHA256))
	forged := *ec.Certificate
	forged.RawTBSCertificate = root.RawTBSCertificate
	edLeaf := m.make("leaf#ed25519", root)
	held := func(leaf, anchor *made) Chain { return Chain{Served: list(leaf), Anchors: list(anchor)} }
	return []chainCase{
		{name: "SHA-2 for the oldest firmware", chain: held(sha2, root), path: "leaf [Root]", want: SHA2Link, about: sha2},
		{name: "SHA-2 for a later firmware", chain: held(sha2, root), rules: newPhone(), path: "leaf [Root]", want: Trusted},
		{name: "SHA-512", chain: held(sha512, root), path: "leaf [Root]", want: SHA2Link, about: sha512},
		{name: "SHA-2 root", chain: held(leaf, sha2Root), path: "leaf [Root]", want: SHA2Link, about: sha2Root},
		{name: "SHA-2 root for a later firmware", chain: held(leaf, sha2Root), rules: newPhone(), path: "leaf [Root]", want: Trusted},
		{name: "MD5 link", chain: held(md5, root), path: "leaf [Root]", want: Trusted},
		{name: "MD5 link refused", chain: held(md5, root), rules: modern(), path: "leaf [Root]", want: WeakLink, about: md5},
		{name: "MD5 anchor", chain: held(leaf, md5Root), rules: modern(), path: "leaf [Root]", want: Trusted},
		{name: "MD2 link", chain: held(md2, root), path: "leaf [Root]", want: WeakLink, about: md2},
		{name: "MD2 link to an unknown root", chain: Chain{Served: list(md2, root)}, path: "leaf Root", want: UnknownRoot, about: root,
			others: []ChainReason{WeakLink}},
		{name: "forged ECDSA", chain: held(&made{Certificate: &forged}, ecRoot), rules: modern(), path: "leaf", want: UnknownRoot},
		{name: "MD2 anchor of version 1", chain: held(leaf, md2Root), path: "leaf [Root]", want: Trusted},
		{name: "PSS", chain: held(pss, root2048), rules: newPhone(), path: "leaf [Root]", want: UnsupportedKey, about: pss},
		{name: "PSS today", chain: held(pss, root2048), rules: modern(), path: "leaf [Root]", want: Trusted},
		{name: "ECDSA", chain: held(ec, ecRoot), rules: newPhone(), path: "leaf [EC]", want: UnsupportedKey, about: ec,
			others: []ChainReason{UnsupportedKey}},
		{name: "ECDSA today", chain: held(ec, ecRoot), rules: modern(), path: "leaf [EC]", want: Trusted},
		{name: "Ed25519 key", chain: held(edLeaf, root), path: "leaf [Root]", want: UnsupportedKey, about: edLeaf},
		{name: "Ed25519 key today", chain: held(edLeaf, root), rules: modern(), path: "leaf [Root]", want: Trusted},
	}
}

func keyChains(m *maker) []chainCase {
	root, long, short := m.make("Root", nil, ca), m.make("Long#2048", nil, ca), m.make("Short#1000", nil, ca, signedBy(x509.MD2WithRSA))
	leaf, shortLeaf := m.make("leaf", root), m.make("leaf#1000", root)
	underLong, underShort := m.make("leaf", long), m.make("leaf", short)
	least, most := newPhone(), newPhone()
	least.MinKeyBits, most.MaxKeyBits = 2048, 1536
	return []chainCase{
		{name: "long root", chain: Chain{Served: list(underLong), Anchors: list(long)}, rules: most,
			path: "leaf [Long]", want: KeyTooLong, about: long},
		{name: "long root, no limit", chain: Chain{Served: list(underLong), Anchors: list(long)}, path: "leaf [Long]", want: Trusted},
		{name: "short keys", chain: Chain{Served: list(leaf), Anchors: list(root)}, rules: least,
			path: "leaf [Root]", want: KeyTooShort, about: leaf, others: []ChainReason{KeyTooShort}},
		{name: "1000 bits cannot verify", chain: Chain{Served: list(underShort), Anchors: list(short)},
			path: "leaf [Short]", want: KeyTooShort, about: short},
		{name: "1000 bits told once", chain: Chain{Served: list(underShort), Anchors: list(short)}, rules: modern(),
			path: "leaf [Short]", want: KeyTooShort, about: short},
		{name: "1000 bits at the server verify nothing", chain: Chain{Served: list(shortLeaf), Anchors: list(root)},
			path: "leaf [Root]", want: Trusted},
		{name: "1000 bits at the server today", chain: Chain{Served: list(shortLeaf), Anchors: list(root)}, rules: modern(),
			path: "leaf [Root]", want: KeyTooShort, about: shortLeaf},
	}
}

func authorityChains(m *maker) []chainCase {
	root := m.make("Root", nil, ca)
	leaf := m.make("leaf", root)
	under := func(sub *made) Chain {
		return Chain{Served: list(m.make("leaf", sub), sub), Anchors: list(root)}
	}
	plain, v1Sub := m.make("Sub", root), m.make("Sub", root, version1)
	noSign := m.make("Sub", root, ca, keyUsage(x509.KeyUsageDigitalSignature))
	noSignRoot, notRoot := m.make("Root", nil, ca, keyUsage(x509.KeyUsageCRLSign)), m.make("Root", nil, func(c *x509.Certificate) {
		c.BasicConstraintsValid = true
	})
	zero, one := m.make("Root", nil, ca, pathLength(0)), m.make("Root", nil, ca, pathLength(1))
	sub := m.make("Sub", root, ca)
	rolled := m.make("Root#new", root, ca)
	client := m.make("leaf", root, extUsage(x509.ExtKeyUsageClientAuth))
	clientSub := m.make("Sub", root, ca, extUsage(x509.ExtKeyUsageEmailProtection))
	strange := m.make("leaf", root, func(c *x509.Certificate) { c.UnknownExtKeyUsage = []asn1.ObjectIdentifier{{1, 2, 3}} })
	critical, constrainedSub := m.make("leaf", root, unknownExtension(true)), m.make("Sub", root, ca, constrained)
	return []chainCase{
		{name: "version 1 anchor", chain: Chain{Served: list(leaf), Anchors: list(m.make("Root", nil, version1))}, path: "leaf [Root]", want: Trusted},
		{name: "version 3 anchor without basic constraints", chain: Chain{Served: list(leaf), Anchors: list(m.make("Root", nil))},
			path: "leaf [Root]", want: Trusted},
		{name: "anchor that says it is none", chain: Chain{Served: list(leaf), Anchors: list(notRoot)}, path: "leaf [Root]", want: NotCA, about: notRoot},
		{name: "anchor without certSign", chain: Chain{Served: list(leaf), Anchors: list(noSignRoot)}, path: "leaf [Root]", want: NotCA, about: noSignRoot},
		{name: "intermediate without basic constraints", chain: under(plain), path: "leaf Sub [Root]", want: NotCA, about: plain},
		{name: "version 1 intermediate", chain: under(v1Sub), path: "leaf Sub [Root]", want: NotCA, about: v1Sub},
		{name: "intermediate without certSign", chain: under(noSign), path: "leaf Sub [Root]", want: NotCA, about: noSign},
		{name: "intermediate with certSign", chain: under(m.make("Sub", root, ca, keyUsage(x509.KeyUsageCertSign))),
			path: "leaf Sub [Root]", want: Trusted},
		{name: "path length 0 exceeded", chain: Chain{Served: list(m.make("leaf", sub), sub), Anchors: list(zero)},
			path: "leaf Sub [Root]", want: NotCA, about: zero},
		{name: "path length 0 kept", chain: Chain{Served: list(leaf), Anchors: list(zero)}, path: "leaf [Root]", want: Trusted},
		{name: "path length 1 kept", chain: Chain{Served: list(m.make("leaf", sub), sub), Anchors: list(one)}, path: "leaf Sub [Root]", want: Trusted},
		{name: "new root key signed by the old one counts for no path length", path: "leaf Root [Root]", want: Trusted,
			chain: Chain{Served: list(m.make("leaf", rolled), rolled), Anchors: list(zero)}},
		{name: "certificate for clients", chain: Chain{Served: list(client), Anchors: list(root)}, path: "leaf [Root]", want: WrongUsage, about: client},
		{name: "server gated cryptography", path: "leaf [Root]", want: Trusted, chain: Chain{Anchors: list(root),
			Served: list(m.make("leaf", root, extUsage(x509.ExtKeyUsageNetscapeServerGatedCrypto)))}},
		{name: "certificate for servers and clients", path: "leaf [Root]", want: Trusted, chain: Chain{Anchors: list(root),
			Served: list(m.make("leaf", root, extUsage(x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth)))}},
		{name: "certificate for something unknown", chain: Chain{Served: list(strange), Anchors: list(root)},
			path: "leaf [Root]", want: WrongUsage, about: strange},
		{name: "anchor for mail", chain: Chain{Served: list(leaf), Anchors: list(m.make("Root", nil, ca, extUsage(x509.ExtKeyUsageEmailProtection)))},
			path: "leaf [Root]", want: Trusted},
		{name: "intermediate for mail", chain: under(clientSub), path: "leaf Sub [Root]", want: WrongUsage, about: clientSub},
		{name: "unknown critical extension", chain: Chain{Served: list(critical), Anchors: list(root)}, path: "leaf [Root]",
			want: CriticalExtension, about: critical},
		{name: "unknown extension", path: "leaf [Root]", want: Trusted,
			chain: Chain{Served: list(m.make("leaf", root, unknownExtension(false))), Anchors: list(root)}},
		{name: "name constraints", chain: under(constrainedSub), path: "leaf Sub [Root]", want: CriticalExtension, about: constrainedSub},
	}
}

func crossedChains(m *maker) []chainCase {
	a, b := m.make("A", nil, ca), m.make("B", nil, ca)
	aByB, bByA := m.make("A", b, ca), m.make("B", a, ca)
	oldA, oldAByB := m.make("A", nil, ca, lives(2005, 2009)), m.make("A", b, ca, lives(2005, 2009))
	leaf := m.make("leaf", a)
	x, y := m.make("X", a, ca), m.make("Y", a, ca)
	deep := []*made{m.make("D0", nil, ca)}
	for range maxDepth {
		deep = append(deep, m.make("D"+string(rune('0'+len(deep))), deep[len(deep)-1], ca))
	}
	slices.Reverse(deep) // D8 is the leaf and D0 the root
	return []chainCase{
		{name: "a loop", chain: Chain{Served: list(leaf, aByB, bByA)}, path: "leaf A B", want: UnknownRoot, about: bByA},
		{name: "a loop with a way out", chain: Chain{Served: list(leaf, aByB, bByA), Anchors: list(b)}, path: "leaf A [B]", want: Trusted},
		{name: "two ways, one through an expired link", chain: Chain{Served: list(leaf, oldAByB, aByB), Anchors: list(b)},
			path: "leaf A [B]", want: Trusted},
		{name: "expired anchor, saved by a cross certificate", chain: Chain{Served: list(leaf, aByB), Anchors: list(oldA, b)},
			path: "leaf A [B]", want: Trusted},
		{name: "both anchored: the short way of equal end", chain: Chain{Served: list(leaf, aByB), Anchors: list(b, a)},
			path: "leaf [A]", want: Trusted},
		{name: "the furthest of two lost paths", chain: Chain{Served: list(leaf, a, aByB, bByA)}, path: "leaf A B", want: UnknownRoot, about: bByA},
		{name: "fewer faults before a later end", chain: Chain{Served: list(leaf, m.make("A", b, ca, signedBy(x509.SHA256WithRSA))),
			Anchors: list(m.make("B", nil, ca, signedBy(x509.SHA256WithRSA)), m.make("A", nil, ca, lives(2005, 2009)))},
			path: "leaf [A]", want: LinkExpired},
		{name: "the short way of equal end", path: "leaf X [A]", want: Trusted, chain: Chain{Anchors: list(a),
			Served: list(m.make("leaf", x), m.make("X", y, ca), y, x)}},
		{name: "the furthest path in spite of its faults", path: "leaf A B", want: UnknownRoot, about: b, others: []ChainReason{LinkExpired},
			chain: Chain{Served: list(leaf, a, oldAByB, b)}},
		{name: "eight certificates", chain: Chain{Served: list(deep[1:]...), Anchors: list(deep[8])},
			path: "D7 D6 D5 D4 D3 D2 D1 [D0]", want: Trusted},
		{name: "nine certificates", chain: Chain{Served: list(deep...), Anchors: list(deep[8])},
			path: "D8 D7 D6 D5 D4 D3 D2 D1", want: UnknownRoot, about: deep[7]},
	}
}

func TestWalk(t *testing.T) {
	m := newMaker(t)
	produced := map[ChainReason]bool{}
	groups := [][]chainCase{
		plainChains(m), dateChains(m), algorithmChains(m), keyChains(m), authorityChains(m), crossedChains(m),
	}
	for _, c := range slices.Concat(groups...) {
		t.Run(c.name, func(t *testing.T) {
			if c.at.IsZero() {
				c.at = traceDay
			}
			if c.rules == nil {
				c.rules = oldPhone()
			}
			best := c.chain.Walk(*c.rules, c.at)[0]
			produced[best.Reason()] = true
			if best.Reason() != c.want {
				t.Errorf("reason %s, want %s", best.Reason(), c.want)
			}
			if diff := cmp.Diff(c.path, names(best)); diff != "" {
				t.Errorf("path (-want +got):\n%s", diff)
			}
			var others []ChainReason
			for i, f := range best.Faults {
				if i > 0 {
					others = append(others, f.Reason)
				} else if c.about != nil && !c.about.Equal(f.About) {
					t.Errorf("about %s, want %s", f.About.Subject, c.about.Subject)
				}
			}
			if diff := cmp.Diff(c.others, others); diff != "" {
				t.Errorf("further faults (-want +got):\n%s", diff)
			}
		})
	}
	for _, reason := range ChainReasons() {
		if !produced[reason] {
			t.Errorf("no chain of the table gives %s", reason)
		}
	}
}
