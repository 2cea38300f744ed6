package signin

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net/http"
	"net/netip"
	"slices"
	"testing"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// chainCase is what a server shows and what a phone that holds a root makes of it, wherever it comes upon it.
type chainCase struct {
	reason phone.TrustReason
	state  State
	served func(host string) []*x509.Certificate
	edit   func(*phone.Profile)
}

// keyOf is a public key of so many bits, to which nobody has the other half.
func keyOf(bits uint) edit {
	return func(c *x509.Certificate) {
		n := new(big.Int).SetBit(big.NewInt(1), int(bits-1), 1)
		c.PublicKey = &rsa.PublicKey{N: n, E: 65537}
	}
}

func chainCases(t *testing.T, ca *x509.Certificate) []chainCase {
	t.Helper()
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other := root(t, "Other Root")
	leaf := func(edits ...edit) func(string) []*x509.Certificate {
		return func(host string) []*x509.Certificate { return []*x509.Certificate{issue(t, host, ca, edits...)} }
	}
	named := func(cn string, names ...string) func(string) []*x509.Certificate {
		return func(host string) []*x509.Certificate {
			return []*x509.Certificate{issue(t, cmp.Or(cn, host), ca, func(c *x509.Certificate) { c.DNSNames = names })}
		}
	}
	below := func(edits ...edit) func(string) []*x509.Certificate {
		return func(host string) []*x509.Certificate {
			sub := issue(t, "Issuing CA", ca, edits...)
			return []*x509.Certificate{issue(t, host, sub), sub}
		}
	}
	begins := func(c *x509.Certificate) { c.NotBefore = today.AddDate(0, 0, 1) }
	clients := func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }
	critical := func(c *x509.Certificate) {
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}}
	}
	aCA := func(c *x509.Certificate) { c.BasicConstraintsValid, c.IsCA = true, true }
	old := func(p *phone.Profile) { p.Firmware.SHA2 = phone.SHA2Refused }
	return []chainCase{
		{phone.NameOfOther, Blocked, named("mail"), nil},
		{phone.NameByWildcard, Blocked, named("*.fabrikam.com"), nil},
		{phone.NameInShadow, Unknown, named("", "other.fabrikam.com"), nil},
		{phone.DoubtWildcard, OK, func(host string) []*x509.Certificate { return named("", host, "*.fabrikam.com")(host) }, nil},
		{phone.DoubtSHA2, OK, leaf(sha2), nil},
		{phone.DoubtLongKey, OK, leaf(keyOf(4096)), nil},
		{phone.RootNotSeen, Unknown, func(host string) []*x509.Certificate { return []*x509.Certificate{issue(t, host, other)} },
			func(p *phone.Profile) { p.Held = []phone.Root{{SHA256: phone.Fingerprint(other)}} }},
		{phone.TrustReason(phone.UnknownRoot), Blocked, func(host string) []*x509.Certificate {
			return []*x509.Certificate{issue(t, host, other)}
		}, nil},
		{phone.TrustReason(phone.IncompleteChain), Unknown, func(host string) []*x509.Certificate { return below(aCA)(host)[:1] }, nil},
		{phone.TrustReason(phone.RootInAIA), Unknown, func(host string) []*x509.Certificate {
			return []*x509.Certificate{issue(t, host, aiaRoot(t))}
		}, nil},
		{phone.TrustReason(phone.SelfSignedLeaf), Blocked, func(host string) []*x509.Certificate {
			return []*x509.Certificate{issue(t, host, nil)}
		}, nil},
		{phone.TrustReason(phone.LinkExpired), Blocked, leaf(ended), nil},
		{phone.TrustReason(phone.LinkNotYetValid), Blocked, leaf(begins), nil},
		{phone.TrustReason(phone.SHA2Link), Blocked, leaf(sha2), old},
		{phone.TrustReason(phone.WeakLink), Unknown, leaf(func(c *x509.Certificate) { c.SignatureAlgorithm = x509.MD2WithRSA }), nil},
		{phone.TrustReason(phone.KeyTooLong), Blocked, leaf(keyOf(4096)), func(p *phone.Profile) { p.Firmware.MaxKeyBits = 2048 }},
		{phone.TrustReason(phone.KeyTooShort), Blocked, leaf(keyOf(512)), func(p *phone.Profile) { p.Firmware.MinKeyBits = 1024 }},
		{phone.TrustReason(phone.UnsupportedKey), Blocked, leaf(func(c *x509.Certificate) { c.PublicKey = curve.Public() }), nil},
		{phone.TrustReason(phone.NotCA), Blocked, below(), nil},
		{phone.TrustReason(phone.WrongUsage), Blocked, leaf(clients), nil},
		{phone.TrustReason(phone.CriticalExtension), Unknown, leaf(critical), nil},
	}
}

// aiaRoot is what AD publishes in CN=AIA only.
func aiaRoot(t *testing.T) *x509.Certificate { return root(t, "AIA Root") }

// TestEveryChain gives each reason against a server at the pool, at Exchange and at the reverse proxy, each by its own
// name.
func TestEveryChain(t *testing.T) {
	ca := root(t, "Company Root")
	sub := issue(t, "Issuing CA", ca, func(c *x509.Certificate) { c.BasicConstraintsValid, c.IsCA = true, true })
	ad := directoryOf([]*x509.Certificate{ca}, aiaRoot(t), sub)
	given := []phone.TrustReason{phone.OutsideSIPDomain} // of the pool alone: TestTLS
	for _, tt := range chainCases(t, ca) {
		given = append(given, tt.reason)
		p := profile("3.5.6907.35", phone.Enrolled)
		p.Held, p.External = held(ca), true
		if tt.edit != nil {
			tt.edit(&p)
		}
		for step, seen := range map[phone.Step]*facts.Seen{
			phone.StepTrust:    {Pool: poolOf([]phone.Endpoint{guessed(sipHost, 5061, inside1)}, serving(inside1+":5061", tt.served(sipHost)...))},
			phone.StepExchange: {Exchange: mailOf(place(mailHost, mailAnswer(inside1, tt.served(mailHost)...)))},
			phone.StepUpdate: {Update: &facts.Update{Servers: []facts.UpdateServer{{Host: proxyHost, Secure: &facts.UpdateAnswer{WebAnswer: facts.WebAnswer{
				Address: netip.MustParseAddrPort(inside1 + ":443"), Status: http.StatusUnauthorized, Served: tt.served(proxyHost)}}}}}},
		} {
			seen.Directory = ad
			got := judgeStep(step, seen, p)
			want := string(tt.state) + " " + string(tt.reason)
			if step != phone.StepTrust {
				want = string(tt.state) + " " + string(step) + "_" + string(tt.reason)
			}
			if s := summary(got); s != want {
				t.Errorf("%s: got %s, want %s", step, s, want)
			}
		}
	}
	for _, r := range phone.TrustReasons() {
		if !slices.Contains(given, r) {
			t.Errorf("no case gives %s", r)
		}
	}
}

// judgeStep judges by certificates alone.
func judgeStep(name phone.Step, seen *facts.Seen, p phone.Profile) Outcome {
	p.Domains.SMTP = smtpDomain
	steps := append(Walk(), Services()...)
	i := slices.IndexFunc(steps, func(s Step) bool { return s.Name == name })
	return steps[i].Judge(newCase(&Cache{}, seen, &p, today))
}
