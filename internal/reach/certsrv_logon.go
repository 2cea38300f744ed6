package reach

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/Azure/go-ntlmssp"
	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/spnego"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/site"
)

const (
	// logonKept is for how long what came of a logon to a CA stands, be it the chain or a failure. Every
	// logon leaves a line in the security logs of the CA and of a domain controller, and a chain changes
	// once in years. A failure is no reason to log on more often: it would repeat itself at every probe,
	// and an account with a bad logon every few minutes gets locked.
	logonKept = time.Hour
	// forgotten is after how long an outcome that nobody renews is dropped.
	forgotten = 24 * time.Hour
	// logonTimeout is for one logon with its request, so that one CA does not keep the credential from the
	// others.
	logonTimeout = 8 * time.Second
	// maxKDCs bounds how many domain controllers are asked for a ticket, ticketTimeout how long each.
	maxKDCs       = 2
	ticketTimeout = 3 * time.Second

	schemeNegotiate = "Negotiate"
	schemeNTLM      = "NTLM"
)

// OffersLogon tells whether an answer offers a scheme by which Windows logs on, as certsrv does when all is
// well: Negotiate, or NTLM (CONTRACT section 2.1).
func OffersLogon(a *facts.CertsrvAnswer) bool {
	return offers(a, schemeNegotiate) || offers(a, schemeNTLM)
}

func offers(a *facts.CertsrvAnswer, scheme string) bool {
	return slices.ContainsFunc(a.Schemes, func(s string) bool { return strings.EqualFold(s, scheme) })
}

// CertsrvAccess is a CA's web page and what may be used to log on to it.
type CertsrvAccess struct {
	Way  Way
	Host string
	// Anonymous is the answer that asks for a logon.
	Anonymous *facts.CertsrvAnswer
	site.Certsrv
	// DefaultNC is the naming context of the domain, whose realm stands in for a NetBIOS domain in the
	// account's name; KDCs are the addresses of its domain controllers.
	DefaultNC string
	KDCs      []netip.Addr
}

// May tells whether we have a way to log on: Kerberos where Negotiate is offered, else NTLM if the site
// file allows it.
func (a *CertsrvAccess) May() bool {
	return a.Credential != nil && (offers(a.Anonymous, schemeNegotiate) || a.mayNTLM())
}

func (a *CertsrvAccess) mayNTLM() bool { return a.NTLMOverHTTP && offers(a.Anonymous, schemeNTLM) }

// Certsrv logs on to the web pages of CAs: to each at once, and from then on at most once an hour with each
// credential, to the CA whose turn it is.
type Certsrv struct {
	guard *Guard

	mu   sync.Mutex
	held map[string]heldLogon
}

// heldLogon is what came of a logon with a credential.
type heldLogon struct {
	facts.CertsrvLogon
	credential string
	// asked is when somebody wanted to know it last.
	asked time.Time
}

// NewCertsrv returns a Certsrv whose credentials the guard watches over.
func NewCertsrv(g *Guard) *Certsrv {
	return &Certsrv{guard: g, held: map[string]heldLogon{}}
}

// Logon logs on and fetches the chain, or returns what came of it before while that stands. It must be called
// only where the anonymous answer asks for a logon, so that the credential never follows a redirect.
func (c *Certsrv) Logon(ctx context.Context, a *CertsrvAccess) *facts.CertsrvLogon {
	key := fmt.Sprint(a.Way.ConnectTo, a.Host, a.Credential.Name, a.Credential.Username, a.NTLMOverHTTP)
	var out facts.CertsrvLogon
	err := c.guard.Use(ctx, a.Credential, a.Host, func(s Secret) error {
		if held, ok := c.kept(key, a.Credential.Name, time.Now()); ok {
			out = held
			return nil
		}
		ctx, cancel := context.WithTimeout(ctx, logonTimeout)
		defer cancel()
		err := a.logon(ctx, s, &out)
		blame(&out, err)
		c.keep(key, a.Credential.Name, out)
		return err
	})
	blame(&out, err)
	return &out
}

// kept returns what came of a logon if that still stands: until the credential has rested for an hour, and
// no other CA has waited longer for it.
func (c *Certsrv) kept(key, credential string, now time.Time) (facts.CertsrvLogon, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	held, ok := c.held[key]
	if !ok {
		return facts.CertsrvLogon{}, false
	}
	held.asked = now
	c.held[key] = held
	for _, other := range c.held {
		waits := other.At.Before(held.At) && now.Sub(other.asked) < logonKept
		if other.credential == credential && (waits || now.Sub(other.At) < logonKept) {
			return held.CertsrvLogon, true
		}
	}
	return facts.CertsrvLogon{}, false
}

// keep holds what came of a logon. One in which the account was not used needs no holding, and one that
// refused the account is held by the guard, until the secret changes.
func (c *Certsrv) keep(key, credential string, l facts.CertsrvLogon) {
	if l.At.IsZero() || slices.Contains(refusals[:], l.Problem) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.held, func(_ string, held heldLogon) bool { return l.At.Sub(held.At) >= forgotten })
	c.held[key] = heldLogon{l, credential, l.At}
}

// logon tries Kerberos where it is offered. NTLM is for CAs that offer nothing else, and for an exporter
// that gets no ticket.
func (a *CertsrvAccess) logon(ctx context.Context, s Secret, out *facts.CertsrvLogon) (err error) {
	defer func() {
		// The libraries' parsers were not made for hostile bytes.
		if p := recover(); p != nil {
			err = problem(facts.BindFailed, "%s: the answers to the logon are malformed: %s", a.Host, printable(fmt.Sprint(p)))
		}
	}()
	if offers(a.Anonymous, schemeNegotiate) {
		err := a.byKerberos(ctx, s, out)
		if !isProblem(err, facts.KerberosUnavailable, facts.KerberosPrincipal) || !a.mayNTLM() {
			return err
		}
	}
	return a.byNTLM(ctx, s, out)
}

// byKerberos fetches the chain with a ticket (RFC 4559). The account counts as used as soon as a KDC has let
// it in.
func (a *CertsrvAccess) byKerberos(ctx context.Context, s Secret, out *facts.CertsrvLogon) error {
	out.Scheme = "Kerberos"
	var authorization string
	err := error(problem(facts.KerberosUnavailable, "no domain controller is known that could give a ticket and that allowed_hosts names"))
	for _, kdc := range a.KDCs[:min(len(a.KDCs), maxKDCs)] {
		authorization, err = a.ticket(ctx, kdc, s, out)
		if !isProblem(err, facts.KerberosUnavailable) || !out.At.IsZero() {
			break
		}
	}
	if err == nil {
		out.Answer = a.Way.askChain(ctx, a.Host, a.Anonymous.Address, authorization)
	}
	return err
}

// ticket returns the header Authorization with a ticket for the CA's own name.
func (a *CertsrvAccess) ticket(ctx context.Context, kdc netip.Addr, s Secret, out *facts.CertsrvLogon) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, ticketTimeout)
	defer cancel()
	request := &http.Request{Header: http.Header{}}
	err := a.Way.withKerberos(ctx, kdc, a.Credential.Username, realmOf(a.DefaultNC), s, func(k *client.Client) error {
		out.At = time.Now()
		return spnego.SetSPNEGOHeader(k, request, "HTTP/"+a.Host)
	})
	return request.Header.Get("Authorization"), err
}

func isProblem(err error, kinds ...facts.ControllerProblem) bool {
	var p *Problem
	return errors.As(err, &p) && slices.Contains(kinds, p.Kind)
}

// byNTLM fetches the chain with the password, which go-ntlmssp wants as Basic and sends as NTLMv2.
func (a *CertsrvAccess) byNTLM(ctx context.Context, s Secret, out *facts.CertsrvLogon) error {
	out.Scheme = schemeNTLM
	request, err := chainRequest(ctx, a.Host)
	if err != nil {
		return problem(facts.BindFailed, "%s: %s", a.Host, printable(err.Error()))
	}
	request.SetBasicAuth(a.Credential.Username, s.Password)
	transport := a.Way.chainTransport(ctx, a.Anonymous.Address)
	defer transport.CloseIdleConnections()
	leg := &ntlmLegs{by: transport}
	answer := readChain(ntlmssp.Negotiator{RoundTripper: leg}, request, a.Anonymous.Address)
	if leg.authenticated {
		out.At = time.Now()
	}
	switch {
	case leg.err != nil:
		return problem(facts.BindFailed, "%s: NTLM: %s", a.Anonymous.Address, printable(leg.err.Error()))
	case answer.Status == http.StatusUnauthorized && leg.authenticated:
		return problem(facts.CredentialRefused, "%s: NTLM: status 401", a.Anonymous.Address)
	case answer.Status == http.StatusUnauthorized:
		return problem(facts.BindFailed, "%s: NTLM: the server sent no challenge", a.Anonymous.Address)
	}
	out.Answer = answer
	return nil
}

// ntlmLegs watches the three requests of NTLM: without a logon, with the client's capabilities, with the
// answer to the challenge ([MS-NTHT] section 3.1). go-ntlmssp gives the first one's 401 when a later one
// fails, and none of its errors.
type ntlmLegs struct {
	by            http.RoundTripper
	sent          int
	authenticated bool
	err           error
}

func (n *ntlmLegs) RoundTrip(request *http.Request) (*http.Response, error) {
	const last = 3
	if n.sent++; n.sent == last {
		n.authenticated = true
	}
	response, err := n.by.RoundTrip(request)
	n.err = err
	return response, err
}

// blame writes a problem into what came of a logon.
func blame(l *facts.CertsrvLogon, err error) {
	var p *Problem
	if errors.As(err, &p) {
		l.Problem, l.Detail = p.Kind, p.Detail
	}
}
