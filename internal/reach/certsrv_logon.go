package reach

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/spnego"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/site"
)

const (
	// maxKDCs bounds how many domain controllers are asked for a ticket, ticketTimeout how long each.
	maxKDCs       = 2
	ticketTimeout = 3 * time.Second
)

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
	return a.Credential != nil && (offers(a.Anonymous.WebAnswer, schemeNegotiate) || a.mayNTLM())
}

func (a *CertsrvAccess) mayNTLM() bool {
	return a.NTLMOverHTTP && offers(a.Anonymous.WebAnswer, schemeNTLM)
}

// Certsrv logs on to the web pages of CAs, to each at most once an hour.
type Certsrv struct {
	*webLogons[*facts.CertsrvAnswer]
}

// NewCertsrv returns a Certsrv whose credentials the guard watches over.
func NewCertsrv(g *Guard) *Certsrv { return &Certsrv{newWebLogons[*facts.CertsrvAnswer](g)} }

// Logon logs on and fetches the chain, or returns what came of it before while that stands. It must be called
// only where the anonymous answer asks for a logon, so that the credential never follows a redirect.
func (c *Certsrv) Logon(ctx context.Context, a *CertsrvAccess) *facts.CertsrvLogon {
	key := fmt.Sprint(a.Way.ConnectTo, a.Host, a.Credential.Name, a.Credential.Username, a.NTLMOverHTTP)
	out := &facts.CertsrvLogon{}
	out.Answer, out.Logon = c.logon(ctx, key, a.Credential, a.Host, a.logon)
	return out
}

// logon tries Kerberos where it is offered. NTLM is for CAs that offer nothing else, and for an exporter
// that gets no ticket.
func (a *CertsrvAccess) logon(ctx context.Context, s Secret, out *facts.Logon) (answer *facts.CertsrvAnswer, err error) {
	defer func() {
		// The libraries' parsers were not made for hostile bytes.
		if p := recover(); p != nil {
			err = problem(facts.BindFailed, "%s: the answers to the logon are malformed: %s", a.Host, printable(fmt.Sprint(p)))
		}
	}()
	if offers(a.Anonymous.WebAnswer, schemeNegotiate) {
		answer, err := a.byKerberos(ctx, s, out)
		if !isProblem(err, facts.KerberosUnavailable, facts.KerberosPrincipal) || !a.mayNTLM() {
			return answer, err
		}
	}
	return a.byNTLM(ctx, s, out)
}

// byKerberos fetches the chain with a ticket (RFC 4559). The account counts as used as soon as a KDC has let
// it in.
func (a *CertsrvAccess) byKerberos(ctx context.Context, s Secret, out *facts.Logon) (*facts.CertsrvAnswer, error) {
	out.Scheme = "Kerberos"
	var authorization string
	err := error(problem(facts.KerberosUnavailable, "no domain controller is known that could give a ticket and that allowed_hosts names"))
	for _, kdc := range a.KDCs[:min(len(a.KDCs), maxKDCs)] {
		authorization, err = a.ticket(ctx, kdc, s, out)
		if !isProblem(err, facts.KerberosUnavailable) || !out.At.IsZero() {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	return a.Way.askChain(ctx, a.Host, a.Anonymous.Address, authorization), nil
}

// ticket returns the header Authorization with a ticket for the CA's own name.
func (a *CertsrvAccess) ticket(ctx context.Context, kdc netip.Addr, s Secret, out *facts.Logon) (string, error) {
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

// byNTLM fetches the chain with the password.
func (a *CertsrvAccess) byNTLM(ctx context.Context, s Secret, out *facts.Logon) (*facts.CertsrvAnswer, error) {
	request, err := chainRequest(ctx, a.Host)
	if err != nil {
		return nil, problem(facts.BindFailed, "%s: %s", a.Host, printable(err.Error()))
	}
	transport := a.Way.transport(ctx, a.Anonymous.Address, nil)
	defer transport.CloseIdleConnections()
	var answer *facts.CertsrvAnswer
	err = ntlm(transport, request, a.Credential.Username, s, a.Anonymous.Address, out, func(by http.RoundTripper) facts.WebAnswer {
		answer = readChain(by, request, a.Anonymous.Address)
		return answer.WebAnswer
	})
	if err != nil {
		return nil, err
	}
	return answer, nil
}
