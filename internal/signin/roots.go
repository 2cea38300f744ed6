package signin

import (
	"crypto/sha256"
	"crypto/x509"
	"slices"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// The HTTP status of a page that wants a logon, and of one that is given (RFC 9110 sections 15.5.2 and 15.3.1).
const (
	unauthorized = 401
	answered     = 200
)

// published is what Active Directory shows.
type published struct {
	// known tells that a controller could be read, and hid nothing; denied that we lack the right.
	known, denied bool
	// unseen tells that no root is there, and that a phone may get one from the CA's web page, which wants a logon
	// from us.
	unseen bool
	// roots are those in CN=Certification Authorities or, where none is there, of the CA's web page, which is
	// where a phone turns then (guide pages 7 and 8).
	roots []phone.Root
	// elsewhere is what AD publishes in other containers only.
	elsewhere []phone.Root
}

// publishedIn reads what a new phone finds now. What one controller has, the others are about to get.
func publishedIn(seen *facts.Seen) published {
	var out published
	hidden := false
	if seen.Directory == nil {
		return published{denied: true}
	}
	for i := range seen.Directory.Controllers {
		c := &seen.Directory.Controllers[i]
		out.known, out.denied = out.known || c.Read(), out.denied || c.Denied
		for _, o := range c.Authorities {
			for _, v := range o.Values {
				switch {
				case v.X509 == nil:
					hidden = hidden || v.State == facts.HiddenValue && o.Container == facts.CertificationAuthorities
				case o.Container == facts.CertificationAuthorities:
					out.roots = add(out.roots, phone.Root{SHA256: v.Certificate.SHA256, Certificate: v.X509})
				default:
					out.elsewhere = add(out.elsewhere, phone.Root{SHA256: v.Certificate.SHA256, Certificate: v.X509})
				}
			}
		}
	}
	out.elsewhere = slices.DeleteFunc(out.elsewhere, func(r phone.Root) bool { // what is in both places is nowhere else
		return slices.ContainsFunc(out.roots, func(o phone.Root) bool { return o.SHA256 == r.SHA256 })
	})
	if hidden {
		out.known, out.denied = false, true
	}
	if out.known && out.roots == nil {
		out.addChains(seen.Certsrv)
	}
	return out
}

// addChains adds what the CA's web page gives: roots, and the certificates between.
func (p *published) addChains(c *facts.Certsrv) {
	if c == nil {
		p.unseen = true
		return
	}
	for _, host := range c.Hosts {
		answer := host.Anonymous
		if host.Logon != nil && host.Logon.Answer != nil {
			answer = host.Logon.Answer
		}
		if answer == nil {
			continue
		}
		p.unseen = p.unseen || answer.Status == unauthorized
		for i, certificate := range answer.Chain {
			root := phone.Root{SHA256: answer.Certificates[i].SHA256, Certificate: certificate}
			if answer.Certificates[i].SelfSigned {
				p.roots = add(p.roots, root)
			} else {
				p.elsewhere = add(p.elsewhere, root)
			}
		}
	}
}

func add(to []phone.Root, r phone.Root) []phone.Root {
	if slices.ContainsFunc(to, func(have phone.Root) bool { return have.SHA256 == r.SHA256 }) {
		return to
	}
	return append(to, r)
}

// store is what a phone holds besides what is built in.
type store struct {
	held, elsewhere []phone.Root
	unwatched       bool
	sum             [sha256.Size]byte // equal for stores with the same certificates
}

func newStore(holds, elsewhere []phone.Root, unwatched bool) store {
	s := store{held: holds, elsewhere: elsewhere, unwatched: unwatched}
	h := sha256.New()
	for _, part := range [][]phone.Root{s.held, s.elsewhere} {
		for _, r := range part {
			h.Write([]byte(r.SHA256))
			if r.Certificate == nil {
				h.Write([]byte("?"))
			}
		}
		h.Write([]byte("/"))
	}
	if s.unwatched {
		h.Write([]byte("unwatched"))
	}
	s.sum = [sha256.Size]byte(h.Sum(nil))
	return s
}

// roots gives the store as the walk takes it. A fingerprint stands for the certificate that AD publishes now.
func (s *store) roots() phone.Roots {
	out := phone.Roots{Anchors: phone.BuiltIn(), Unwatched: s.unwatched}
	for _, r := range s.elsewhere {
		out.Elsewhere = append(out.Elsewhere, r.Certificate)
	}
	for _, r := range s.held {
		if r.Certificate != nil {
			out.Anchors = append(out.Anchors, r.Certificate)
		} else {
			out.Fingerprints = append(out.Fingerprints, r.SHA256)
		}
	}
	return out
}

// storeOf says what a phone holds: a new one what AD publishes now, an enrolled one what it is said to hold, else
// what AD publishes now. Outside a new phone gets nothing.
func storeOf(p *phone.Profile, ad published) store {
	switch {
	case p.Kind == phone.New && p.External:
		return newStore(nil, ad.elsewhere, false)
	case p.Kind == phone.New:
		return newStore(ad.roots, ad.elsewhere, !ad.known || ad.unseen)
	case p.Held != nil:
		return newStore(resolve(p.Held, ad), ad.elsewhere, false)
	default:
		return newStore(ad.roots, ad.elsewhere, len(ad.roots) == 0)
	}
}

// resolve puts the certificates that AD publishes in the place of their fingerprints.
func resolve(held []phone.Root, ad published) []phone.Root {
	out := slices.Clone(held)
	for i, r := range out {
		for _, p := range slices.Concat(ad.roots, ad.elsewhere) {
			if r.Certificate == nil && p.SHA256 == r.SHA256 {
				out[i] = p
			}
		}
	}
	return out
}

// builtIn tells whether a certificate is one of those that every phone has.
func builtIn(c *x509.Certificate) bool {
	return c != nil && slices.ContainsFunc(phone.Authorities(), func(a phone.Authority) bool { return a.Certificate.Equal(c) })
}
