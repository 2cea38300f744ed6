package signin

import (
	"bytes"
	"crypto/x509"
	"net/url"
	"slices"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// screenExchange is what a phone shows whose Exchange has a certificate that it does not trust (CONTRACT section 8
// cause 4).
const screenExchange = `"Connection to Microsoft Exchange is unavailable. Please contact your support team"`

// exchangeReasons are those of the step exchange, by those of the step trust.
var exchangeReasons = service{
	name: "exchange", atPhone: "wait, or sign out and in; it looks again then", reset: phone.ResetExchange,
	reissue: "issue Exchange's certificate anew (New-ExchangeCertificate -GenerateRequest, then Enable-ExchangeCertificate -Services IIS), ",
	screen:  func(phone.TrustReason) string { return screenExchange },
}.reasons()

var reasonExchangeOtherRoot = resetting(phone.ResetFetches, notes("exchange_other_root",
	"Exchange's certificates lead to another root than the pool's; each phone must hold both, and later phones (Lync Phone Edition) trust "+
		"the pool's alone for Exchange unless they are told of more",
	"nothing where it holds that root too, else "+screenExchange,
	"give Exchange a certificate from the pool's CA; or keep both roots published"))

// judgeExchange says whether a phone trusts Exchange: the first place of its order that answers as Exchange does,
// and the web services.
func (c *Case) judgeExchange() Outcome {
	if c.seen.Exchange == nil {
		return Outcome{State: NotWatched}
	}
	j := c.truster()
	all := j.places(c.seen.Exchange)
	services := j.webServices(c.seen.Exchange, len(all))
	if len(all) == 0 && len(services) == 0 {
		return Outcome{State: Unknown} // the phone does not come so far
	}
	out := fold(all)
	switch {
	case len(all) == 0:
		out = fold(services)
	case len(services) > 0:
		out = both(out, fold(services))
	}
	out.Unanchored = j.unanchored
	out.otherRoot(c.judgeTrust())
	out.byReasons(exchangeReasons)
	return out
}

// places judges Autodiscover at each address that counts, in the phone's order: what is meant to be Exchange, and
// what works besides. The SMTP domain's own web server seldom is Exchange, and where the redirect of plain HTTP
// leads to a good one, HTTPS at the same name is not meant to be (MS-OXDSCLI section 3.1.5.1).
func (j *truster) places(e *facts.Exchange) []Attempt {
	var all []Attempt
	meant := func(a Attempt) bool {
		return a.Host == j.profile.Domains.AutodiscoverHost() || a.order == len(e.Places)
	}
	for i, place := range e.Places {
		if place.Secure {
			all = append(all, j.answers(place.Host, i, place.Answers)...)
		}
	}
	if e.Followed != nil {
		all = append(all, j.answers(e.Followed.Host, len(e.Places), e.Followed.Answers)...)
	}
	good := slices.IndexFunc(all, func(a Attempt) bool { return a.State == OK })
	if good < 0 && !slices.ContainsFunc(all, meant) {
		return all
	}
	return slices.DeleteFunc(all, func(a Attempt) bool {
		return a.State != OK && (!meant(a) || good >= 0 && all[good].order == len(e.Places) && a.order < len(e.Places))
	})
}

func (j *truster) webServices(e *facts.Exchange, order int) []Attempt {
	if e.WebServices == nil {
		return nil
	}
	u, err := url.Parse(e.WebServices.URL)
	if err != nil {
		return nil
	}
	return j.answers(u.Hostname(), order, e.WebServices.Answers)
}

// answers judges the addresses of one host that answer like Exchange, as phones come to them: with TLS 1.0. What
// else is wrong there is said by the collector.
func (j *truster) answers(host string, order int, answers []facts.AutodiscoverAnswer) []Attempt {
	var out []Attempt
	for i := range answers {
		a := &answers[i]
		served := shownToPhones(a.Phone, a.Served)
		if len(served) > 0 && (a.Status == unauthorized || a.Status == answered && a.Autodiscover != nil) {
			out = append(out, j.visit(host, a.Address, order, served))
		}
	}
	return out
}

// otherRoot holds the root of Exchange against the pool's, as far as both are known.
func (o *Outcome) otherRoot(pool Outcome) {
	own := rootOf(pool.Servers)
	other := rootOf(o.Servers)
	if own == nil {
		return
	}
	for i, f := range o.Findings {
		if f.Reason == trustReasons[phone.TrustReason(phone.UnknownRoot)] {
			o.Findings[i].Seen += "; the pool's root is " + subject(own)
		}
	}
	if other != nil && !sameRoot(own, other) {
		o.Findings = append(o.Findings, Finding{Reason: reasonExchangeOtherRoot, Seen: "the pool's is " + subject(own) + ", Exchange's is " + subject(other)})
	}
}

// rootOf is the root to which the first server leads that the phone trusts; else the one that the first serves
// itself. It is nil where none is known.
func rootOf(servers []Attempt) *x509.Certificate {
	for _, a := range servers {
		if a.State == OK && a.Trust != nil && a.Trust.Anchor() != nil {
			return a.Trust.Anchor()
		}
	}
	for _, a := range servers {
		if a.Trust == nil || len(a.Trust.Path.Certificates) < 2 { // a server's own, signed by itself, is no root
			continue
		}
		if top := a.Trust.Path.Certificates[len(a.Trust.Path.Certificates)-1]; phone.SelfSigned(top) {
			return top
		}
	}
	return nil
}

// sameRoot tells whether two are one root or re-issues of it.
func sameRoot(a, b *x509.Certificate) bool {
	return bytes.Equal(a.RawSubject, b.RawSubject) && bytes.Equal(a.RawSubjectPublicKeyInfo, b.RawSubjectPublicKeyInfo)
}
