package phone

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Layers of certificates, each signed with the key of the layer above: eight in each make eight to the
// sixth paths, and none ends at an anchor.
func bomb(m *maker) []*x509.Certificate {
	m.Helper()
	served := []*x509.Certificate{nil}
	above := m.make("L0", nil, ca)
	for layer := range 13 {
		name := fmt.Sprintf("L%d", layer+1)
		var next *made
		for range 8 {
			next = m.make(name, above, ca)
			served = append(served, next.Certificate)
		}
		above = next
	}
	served[0] = m.make("leaf", above).Certificate
	return served
}

func TestWalkIsBounded(t *testing.T) {
	m := newMaker(t)
	layers := bomb(m)
	a, b := m.make("A", nil, ca), m.make("B", nil, ca)
	crossed := []*x509.Certificate{m.make("leaf", a).Certificate}
	for range 49 {
		crossed = append(crossed, m.make("A", b, ca).Certificate, m.make("B", a, ca).Certificate)
	}
	sameName := []*x509.Certificate{m.make("leaf", m.make("A#unknown", nil, ca)).Certificate}
	for range 150 {
		c := *a.Certificate
		c.Raw = append(slices.Clone(c.Raw), byte(len(sameName)), byte(len(sameName)>>8))
		sameName = append(sameName, &c)
	}
	for name, served := range map[string][]*x509.Certificate{
		"layers": layers, "crossed": crossed, "one name": sameName,
		"one certificate 10000 times": slices.Repeat(layers[:1], 10000),
	} {
		t.Run(name, func(t *testing.T) {
			w := walk{Chain: Chain{Served: distinct(served), Anchors: list(m.make("Root", nil, ca))}}
			if len(w.Served) > maxServed {
				t.Errorf("%d served certificates are looked at", len(w.Served))
			}
			w.extend(w.Served[:1], nil)
			if w.links > maxLinks || len(w.paths) == 0 || len(w.paths) > maxLinks+1 {
				t.Errorf("%d signatures verified and %d paths found, limit %d", w.links, len(w.paths), maxLinks)
			}
			if best := (Chain{Served: served}).Walk(*oldPhone(), traceDay)[0]; best.Reason() != UnknownRoot {
				t.Errorf("%s, want %s", best.Reason(), UnknownRoot)
			}
		})
	}
}

// A good chain among certificates that have nothing to do with it costs no more than alone.
func TestWalkFindsTheChainInTheBomb(t *testing.T) {
	m := newMaker(t)
	root := m.make("Root", nil, ca)
	sub := m.make("Sub", root, ca)
	served := append(list(m.make("leaf", sub)), bomb(m)[:98]...)
	w := walk{Chain: Chain{Served: append(served, sub.Certificate), Anchors: list(root)}}
	w.extend(w.Served[:1], nil)
	if w.links != 2 || len(w.paths) != 1 || !w.paths[0].Anchored {
		t.Errorf("%d signatures verified, %d paths", w.links, len(w.paths))
	}
}

func TestWalkOfGarbage(t *testing.T) {
	m := newMaker(t)
	root := m.make("Root", nil, ca)
	leaf := m.make("leaf", root)
	forged, cut, changed := *leaf.Certificate, *leaf.Certificate, *leaf.Certificate
	forged.Signature = bytes.Repeat([]byte{0xff}, len(leaf.Signature))
	cut.Signature = nil
	changed.RawTBSCertificate = append(slices.Clone(leaf.RawTBSCertificate), 0)
	long, even := *root.Certificate, *root.Certificate
	long.PublicKey = longKey(root)
	even.PublicKey = &rsa.PublicKey{N: new(big.Int).Lsh(root.PublicKey.(*rsa.PublicKey).N, 1), E: 65537}
	tests := []struct {
		name           string
		served, anchor *x509.Certificate
		want           ChainReason
	}{
		{"forged signature", &forged, root.Certificate, UnknownRoot},
		{"no signature", &cut, root.Certificate, UnknownRoot},
		{"changed content", &changed, root.Certificate, UnknownRoot},
		{"even modulus", leaf.Certificate, &even, UnknownRoot},
		{"modulus of a million bits", leaf.Certificate, &long, KeyTooLong},
		{"empty certificate", &x509.Certificate{}, root.Certificate, SelfSignedLeaf},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			chain := Chain{Served: []*x509.Certificate{tt.served}, Anchors: []*x509.Certificate{tt.anchor}}
			if best := chain.Walk(*oldPhone(), traceDay)[0]; best.Reason() != tt.want {
				t.Errorf("%s, want %s", best.Reason(), tt.want)
			}
		})
	}
}

func TestValidUntil(t *testing.T) {
	m := newMaker(t)
	root := m.make("Root", nil, ca, lives(2005, 2011))
	leaf := m.make("leaf", root)
	best := Chain{Served: list(leaf), Anchors: list(root)}.Walk(*oldPhone(), traceDay)[0]
	if at, c := best.ValidUntil(); !at.Equal(year(2011)) || !root.Equal(c) {
		t.Errorf("%s ends %s", c.Subject, at)
	}
	if at, c := (Path{}).ValidUntil(); !at.IsZero() || c != nil {
		t.Errorf("a path of none ends %s", at)
	}
}

// What comes twice, or is an anchor anyway, makes no second path. Paths that part late share nothing.
func TestWalkFindsEveryPathOnce(t *testing.T) {
	m := newMaker(t)
	a, b := m.make("A", nil, ca), m.make("B", nil, ca)
	aByB := m.make("A", b, ca)
	one := m.make("One", a, ca)
	two := m.make("Two", one, ca)
	leaf := m.make("leaf", two)
	var got []string
	for _, p := range (Chain{Served: list(leaf, aByB, one, two, two, one, aByB, b), Anchors: list(a, b)}).Walk(*oldPhone(), traceDay) {
		got = append(got, names(p))
	}
	want := []string{"leaf Two One [A]", "leaf Two One A [B]"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
	got = nil
	newA := m.make("A", nil, ca, lives(2008, 2011))
	for _, p := range (Chain{Served: list(leaf, one, two), Anchors: list(newA, a)}).Walk(*oldPhone(), traceDay) {
		at, _ := p.ValidUntil()
		got = append(got, names(p)+" "+at.Format(time.DateOnly))
	}
	want = []string{"leaf Two One [A] 2012-01-01", "leaf Two One [A] 2011-01-01"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
}

func TestFaultsBelongToTheirPath(t *testing.T) {
	m := newMaker(t)
	md2 := signedBy(x509.MD2WithRSA)
	root, again := m.make("Root#1000", nil, ca, md2), m.make("Root#1000", nil, ca, md2)
	s1 := m.make("S1", root, ca)
	s2 := m.make("S2", s1, ca, md2)
	s3 := m.make("S3", s2, ca, md2)
	chain := Chain{Served: list(m.make("leaf", s3, md2), s1, s2, s3), Anchors: list(root, again)}
	paths := chain.Walk(*oldPhone(), traceDay)
	if len(paths) != 2 {
		t.Fatalf("%d paths, want 2", len(paths))
	}
	for _, p := range paths {
		anchor, last := p.Certificates[len(p.Certificates)-1], p.Faults[len(p.Faults)-1]
		if want := (Fault{KeyTooShort, anchor}); len(p.Faults) != 4 || last != want {
			t.Errorf("%s: the last of %d faults is %s of another path", names(p), len(p.Faults), last.Reason)
		}
	}
}

// The walk must not change what it was given: reports share certificates and run at once.
func TestWalkLeavesItsInputAlone(t *testing.T) {
	m := newMaker(t)
	root := m.make("Root", nil, ca)
	sub := m.make("Sub", root, ca)
	leaf := m.make("leaf", sub)
	chain := Chain{Served: list(leaf, leaf, sub, sub), Anchors: list(root, sub), Elsewhere: list(sub)}
	chain.Walk(*oldPhone(), traceDay)
	same := func(a, b *x509.Certificate) bool { return a == b }
	want := Chain{Served: list(leaf, leaf, sub, sub), Anchors: list(root, sub), Elsewhere: list(sub)}
	if diff := cmp.Diff(want, chain, cmp.Comparer(same)); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
}

// FuzzWalk walks lists of DER; the last certificates, as many as anchors says, are trusted.
func FuzzWalk(f *testing.F) {
	m := newMaker(f)
	root := m.make("Root", nil, ca)
	sub, ec := m.make("Sub", root, ca), m.make("EC#ecdsa", nil, ca, signedBy(x509.ECDSAWithSHA256))
	var builtIn []*x509.Certificate
	for _, a := range Authorities() {
		builtIn = append(builtIn, a.Certificate)
	}
	seeds := [][]*x509.Certificate{
		list(m.make("leaf", sub), sub, root), list(m.make("leaf", ec, signedBy(x509.ECDSAWithSHA256)), ec),
		list(sub, m.make("Root", sub, ca), root), {builtIn[9], builtIn[9]}, builtIn, {reissues(f)["11b"], builtIn[10]},
	}
	for _, seed := range seeds {
		var der []byte
		for _, c := range seed {
			der = append(der, c.Raw...)
		}
		f.Add(der, uint8(1), traceDay.Unix(), uint8(3))
	}
	f.Fuzz(func(t *testing.T, der []byte, anchors uint8, at int64, bits uint8) {
		all := parseAll(der)
		cut := max(0, len(all)-int(anchors))
		chain := Chain{Served: all[:cut], Anchors: all[cut:], Elsewhere: all}
		rules := ChainRules{AllowSHA2: bits&1 > 0, AllowMD5: bits&2 > 0, AllowModern: bits&4 > 0, CheckValidity: bits&8 > 0}
		paths := chain.Walk(rules, time.Unix(at, 0))
		if len(paths) == 0 || len(paths) > maxLinks+2 {
			t.Fatalf("%d paths", len(paths))
		}
		for _, p := range paths {
			checkPath(t, chain, p)
		}
		held := Roots{Anchors: chain.Anchors, Elsewhere: chain.Elsewhere}
		trust := KnownFirmware()[int(bits)%3].Trust(Server{Served: chain.Served, Host: sipHost}, held, time.Unix(at, 0))
		if trust.Trusted() && (!trust.Path.Anchored || trust.Path.Reason() != Trusted) {
			t.Fatalf("trusted by %s", trust.Path.Reason())
		}
	})
}

// parseAll reads the certificates of a list of DER and passes over what is none.
func parseAll(der []byte) []*x509.Certificate {
	var out []*x509.Certificate
	for len(der) > 0 {
		var value asn1.RawValue
		rest, err := asn1.Unmarshal(der, &value)
		if err != nil {
			break
		}
		if c, err := x509.ParseCertificate(value.FullBytes); err == nil {
			out = append(out, c)
		}
		der = rest
	}
	return out
}

// checkPath tells what holds for every path, and that a trusted one is really signed all the way.
func checkPath(t *testing.T, chain Chain, p Path) {
	t.Helper()
	if !slices.Contains(ChainReasons(), p.Reason()) || len(p.Certificates) > maxDepth {
		t.Fatalf("reason %q of %d certificates", p.Reason(), len(p.Certificates))
	}
	if p.Reason() != Trusted {
		return
	}
	last := p.Certificates[len(p.Certificates)-1]
	if !p.Anchored || !slices.ContainsFunc(chain.Anchors, last.Equal) {
		t.Fatalf("trusted and not anchored: %s", names(p))
	}
	for i, c := range p.Certificates[:len(p.Certificates)-1] {
		parent := p.Certificates[i+1]
		err := parent.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature)
		if err != nil && c.SignatureAlgorithm != x509.MD5WithRSA {
			t.Fatalf("trusted, but %s is not signed by %s: %v", c.Subject, parent.Subject, err)
		}
	}
}

// Three certificates, as a server of today sends them; see BenchmarkX509 for the measure.
func BenchmarkWalk(b *testing.B) {
	chain := benchChain(b, x509.SHA1WithRSA)
	b.ReportAllocs()
	for b.Loop() {
		if p := chain.Walk(*oldPhone(), traceDay)[0]; p.Reason() != Trusted {
			b.Fatal(p.Reason())
		}
	}
}

// The same with crypto/x509 and SHA-2, which it takes.
func BenchmarkX509(b *testing.B) {
	chain := benchChain(b, x509.SHA256WithRSA)
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(chain.Anchors[0])
	between.AddCert(chain.Served[1])
	options := x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: traceDay}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := chain.Served[0].Verify(options); err != nil {
			b.Fatal(err)
		}
	}
}

func benchChain(b *testing.B, a x509.SignatureAlgorithm) Chain {
	m := newMaker(b)
	root := m.make("Root#2048", nil, ca, signedBy(a))
	sub := m.make("Sub#2048", root, ca, signedBy(a))
	return Chain{Served: list(m.make("leaf#2048", sub, signedBy(a)), sub), Anchors: list(root)}
}
