package reach

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/Azure/go-ntlmssp"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/site"
)

const (
	// logonKept is for how long what came of a logon to a web server stands, be it an answer or a failure, if nothing else is said.
	// Every logon leaves a line in the security logs of the server and of a domain controller, and what is
	// read so changes seldom. A failure is no reason to log on more often: it would repeat itself at every
	// probe, and an account with a bad logon every few minutes gets locked.
	logonKept = time.Hour
	// forgotten is after how long an outcome that nobody renews is dropped.
	forgotten = 24 * time.Hour
	// logonTimeout is for one logon with its requests, so that one server does not keep the credential from
	// the others.
	logonTimeout = 8 * time.Second
)

// webLogons logs on to web servers of one kind: to each at once, and from then on at most once an hour with
// each credential, to the server whose turn it is. What the logon gave is a T.
type webLogons[T any] struct {
	guard *Guard
	// stands is for how long what came of a logon does.
	stands time.Duration

	mu   sync.Mutex
	held map[string]heldLogon[T]
}

// heldLogon is what came of a logon with a credential.
type heldLogon[T any] struct {
	facts.Logon
	answer     T
	credential string
	secret     secretSum
	// asked is when somebody wanted to know it last.
	asked time.Time
}

func newWebLogons[T any](g *Guard) *webLogons[T] {
	return &webLogons[T]{guard: g, stands: logonKept, held: map[string]heldLogon[T]{}}
}

// logon lets do log on to a host, or returns what came of it with the same secret while that stands.
func (l *webLogons[T]) logon(ctx context.Context, key string, c *site.Credential, host string,
	do func(context.Context, Secret, *facts.Logon) (T, error),
) (answer T, out facts.Logon) {
	err := l.guard.Use(ctx, c, host, func(s Secret) error {
		if held, ok := l.kept(key, c.Name, time.Now()); ok && held.secret == s.sum {
			answer, out = held.answer, held.Logon
			return nil
		}
		ctx, cancel := context.WithTimeout(ctx, logonTimeout)
		defer cancel()
		var err error
		answer, err = do(ctx, s, &out)
		blame(&out, err)
		l.keep(key, heldLogon[T]{Logon: out, answer: answer, credential: c.Name, secret: s.sum})
		return err
	})
	blame(&out, err)
	return answer, out
}

// kept returns what came of a logon if that still stands: until the credential has rested for so long, and
// no other server has waited longer for it.
func (l *webLogons[T]) kept(key, credential string, now time.Time) (heldLogon[T], bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	held, ok := l.held[key]
	if !ok {
		return heldLogon[T]{}, false
	}
	held.asked = now
	l.held[key] = held
	for _, other := range l.held {
		waits := other.At.Before(held.At) && now.Sub(other.asked) < l.stands
		if other.credential == credential && (waits || now.Sub(other.At) < l.stands) {
			return held, true
		}
	}
	return heldLogon[T]{}, false
}

// keep holds what came of a logon. One in which the account was not used needs no holding, and one that
// refused the account is held by the guard, until the secret changes.
func (l *webLogons[T]) keep(key string, h heldLogon[T]) {
	if h.At.IsZero() || slices.Contains(refusals[:], h.Problem) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.held, func(_ string, held heldLogon[T]) bool { return h.At.Sub(held.At) >= forgotten })
	h.asked = h.At
	l.held[key] = h
}

// ntlm sends a request with the password, which go-ntlmssp wants as Basic and sends as NTLMv2. The server
// must have asked for a logon before, so that the library never meets one that takes the request as it is.
func ntlm(by http.RoundTripper, request *http.Request, username string, s Secret, at netip.AddrPort, out *facts.Logon,
	ask func(http.RoundTripper) facts.WebAnswer,
) (err error) {
	defer func() {
		// The library's parser was not made for hostile bytes.
		if p := recover(); p != nil {
			err = problem(facts.BindFailed, "%s: the answers to the logon are malformed: %s", at, printable(fmt.Sprint(p)))
		}
	}()
	out.Scheme = schemeNTLM
	request.SetBasicAuth(username, s.Password)
	leg := &ntlmLegs{by: by}
	answer := ask(ntlmssp.Negotiator{RoundTripper: leg})
	if leg.authenticated {
		out.At = time.Now()
	}
	switch {
	case leg.err != nil && webProblem(leg.err) == facts.WebUntrusted:
		return problem(facts.TLSUntrusted, "%s: %s", at, printable(leg.err.Error()))
	case leg.err != nil:
		return problem(facts.BindFailed, "%s: NTLM: %s", at, printable(leg.err.Error()))
	case answer.Status == http.StatusUnauthorized && leg.authenticated:
		return problem(facts.CredentialRefused, "%s: NTLM: status 401, as a proxy gives too that parts the logon's requests", at)
	case answer.Status == http.StatusUnauthorized:
		return problem(facts.BindFailed, "%s: NTLM: the server sent no challenge", at)
	}
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
func blame(l *facts.Logon, err error) {
	var p *Problem
	if errors.As(err, &p) {
		l.Problem, l.Detail = p.Kind, p.Detail
	}
}
