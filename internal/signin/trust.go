package signin

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"strings"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// judgeTrust says whether a phone trusts a registrar with which it comes to a connection.
func (c *Case) judgeTrust() Outcome {
	if c.trust == nil {
		out := c.trustRegistrars()
		c.trust = &out
	}
	return *c.trust
}

func (c *Case) trustRegistrars() Outcome {
	if c.seen.Pool == nil {
		return Outcome{State: NotWatched}
	}
	j := c.truster()
	all := c.follow(j.judge)
	if len(all) == 0 {
		return Outcome{State: Unknown}
	}
	out := c.withUnanswered(fold(all))
	out.Unanchored = j.unanchored
	return out
}

// judge judges one registrar.
func (j *truster) judge(a *Attempt, s *facts.PoolServer) bool {
	if s == nil {
		a.found(Unknown, reasonNotAsked, "")
		return true
	}
	if s.Phone.Problem != "" {
		return false // the phone does not come so far
	}
	j.judgeServed(a, s.Phone.Served)
	if j.profile.Kind != phone.New {
		j.compare(a, s.Phone.Served)
	}
	return true
}

// compare holds what enrolled phones hold against what AD publishes now: they part in a roll-over, and each side
// strands other phones.
func (j *truster) compare(a *Attempt, served []*x509.Certificate) {
	now := newStore(j.ad.roots, j.ad.elsewhere, false)
	if !j.ad.known || j.ad.unseen || j.store.unwatched || builtIn(a.Trust.Anchor()) || now.sum == j.store.sum {
		return
	}
	today := j.cache.trust(j.profile.Firmware, served, a.Host, &now, j.at)
	switch {
	case a.Trust.Path.Anchored && !today.Path.Anchored:
		a.note(reasonStrandsNew, subject(a.Trust.Anchor())+" is not published any more")
	case !a.Trust.Path.Anchored && today.Path.Anchored:
		a.note(reasonStrandsEnrolled, subject(today.Anchor())+" is published")
	}
}

func subject(c *x509.Certificate) string { return facts.Subject(c) }

// describe tells what of a certificate is at fault.
func describe(f phone.TrustFault) string {
	if f.About == nil {
		return "no certificate"
	}
	name := subject(f.About)
	switch f.Reason {
	case phone.TrustReason(phone.LinkExpired):
		return name + " ended " + f.About.NotAfter.UTC().Format(time.RFC3339)
	case phone.TrustReason(phone.LinkNotYetValid):
		return name + " begins " + f.About.NotBefore.UTC().Format(time.RFC3339)
	case phone.TrustReason(phone.SHA2Link), phone.TrustReason(phone.WeakLink), phone.DoubtSHA2:
		return name + " is signed with " + facts.CertificateOf(f.About).SignatureAlgorithm
	case phone.TrustReason(phone.KeyTooLong), phone.TrustReason(phone.KeyTooShort), phone.DoubtLongKey,
		phone.TrustReason(phone.UnsupportedKey):
		c := facts.CertificateOf(f.About)
		return fmt.Sprintf("%s has a key %s %d, signed with %s", name, c.KeyType, c.KeyBits, c.SignatureAlgorithm)
	case phone.NameOfOther, phone.NameByWildcard, phone.NameInShadow, phone.DoubtWildcard:
		const few = 4
		others := facts.CertificateOf(f.About).DNSNames
		names := strings.Join(others[:min(len(others), few)], ", ")
		return name + ", alternative names: " + cmp.Or(names, "none")
	case phone.TrustReason(phone.UnknownRoot), phone.TrustReason(phone.IncompleteChain), phone.TrustReason(phone.RootInAIA),
		phone.RootNotSeen:
		return name + ", issued by " + facts.Issuer(f.About)
	default:
		return name
	}
}
