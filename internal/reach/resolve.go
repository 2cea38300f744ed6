package reach

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"github.com/miekg/dns"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

const (
	// attemptTimeout is for one packet and its answer; a question is sent twice before it counts as
	// unanswered, so that a lost packet is no finding.
	attemptTimeout = 2 * time.Second
	attempts       = 2
	// attemptShare is which part of the time that is left one attempt may take at most, so that a few
	// names that hang leave time for the others, however short the probe's timeout is.
	attemptShare = 4
	// maxRecords bounds what is kept of one answer.
	maxRecords = 64
	// udpBuffer is larger than the 512 bytes a resolver may send us, to be lenient with those that
	// send more, up to a packet that is not in pieces.
	udpBuffer = 1500
)

// Resolve asks for the addresses of one name as a phone does: it turns to the next resolver only when one
// does not answer. The result has the question to each resolver that was asked.
func (w Way) Resolve(ctx context.Context, name string) *facts.Names {
	return w.resolve(ctx, name, phone.A)
}

func (w Way) resolve(ctx context.Context, name string, t phone.RecordType) *facts.Names {
	names := &facts.Names{Started: time.Now()}
	for _, resolver := range w.Resolvers {
		l := w.ask(ctx, resolver, name, t)
		names.Walks = append(names.Walks, facts.Walk{Resolver: resolver, Lookups: []facts.Lookup{l}})
		if l.Outcome.Settled() || ctx.Err() != nil {
			break
		}
	}
	return names
}

// ask puts one question to one resolver, as a phone does: no EDNS, TCP when the answer is truncated.
func (w Way) ask(ctx context.Context, resolver netip.AddrPort, name string, t phone.RecordType) facts.Lookup {
	started := time.Now()
	l := facts.Lookup{Name: name, Type: t}
	m := question(name, t)
	answer, err := w.askUDP(ctx, resolver, m)
	if err == nil && answer.Truncated {
		answer, err = w.exchange(ctx, "tcp", resolver, m)
		l.OverTCP = true
		if err != nil {
			l.Outcome, l.Detail = facts.Truncated, "over TCP: "+err.Error()
		}
	}
	switch {
	case l.Outcome != "":
	case err != nil:
		l.Outcome, l.Detail = classify(err), err.Error()
	default:
		read(&l, answer)
	}
	l.Took = time.Since(started)
	return l
}

func question(name string, t phone.RecordType) *dns.Msg {
	m := new(dns.Msg)
	qtype := dns.TypeA
	if t == phone.SRV {
		qtype = dns.TypeSRV
	}
	return m.SetQuestion(dns.Fqdn(name), qtype)
}

func (w Way) askUDP(ctx context.Context, resolver netip.AddrPort, m *dns.Msg) (answer *dns.Msg, err error) {
	for range attempts {
		answer, err = w.exchange(ctx, "udp", resolver, m)
		if err == nil || classify(err) != facts.Timeout || ctx.Err() != nil {
			break
		}
	}
	return answer, err
}

// errNoResponse is a packet that is a question itself, as one that comes back from a port that echoes.
var errNoResponse = errors.New("what comes back is no answer")

var errOtherQuestion = errors.New("the answer is to another question")

func (w Way) exchange(ctx context.Context, network string, resolver netip.AddrPort, m *dns.Msg) (*dns.Msg, error) {
	answer, err := w.converse(ctx, network, resolver, m)
	if err != nil {
		return nil, err
	}
	if len(answer.Question) != 1 || answer.Question[0].Qtype != m.Question[0].Qtype ||
		!strings.EqualFold(answer.Question[0].Name, m.Question[0].Name) {
		return nil, errOtherQuestion
	}
	return answer, nil
}

// converse sends a packet and waits for the one with the same number.
func (w Way) converse(ctx context.Context, network string, resolver netip.AddrPort, m *dns.Msg) (*dns.Msg, error) {
	timeout := attemptTimeout
	if deadline, ok := ctx.Deadline(); ok {
		timeout = min(timeout, time.Until(deadline)/attemptShare)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := w.Dial(ctx, network, resolver.String())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	// The library heeds the context's deadline only; this makes it heed its end.
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })()
	client := dns.Client{Net: network}
	answer, _, err := client.ExchangeWithConnContext(ctx, m, &dns.Conn{Conn: conn, UDPSize: udpBuffer})
	switch {
	case err != nil && answer != nil && answer.Id == m.Id && answer.Truncated && answer.Response && network == "udp":
		return answer, nil // cut off in the middle of a record; TCP brings the whole
	case err == nil && !answer.Response:
		return nil, errNoResponse
	default:
		return answer, err
	}
}

func classify(err error) facts.Outcome {
	switch {
	case TimedOut(err):
		return facts.Timeout
	case errors.Is(err, syscall.ENETUNREACH):
		return facts.NoRoute
	case Unreachable(err):
		return facts.Unreachable
	default:
		return facts.Malformed
	}
}

func read(l *facts.Lookup, answer *dns.Msg) {
	switch answer.Rcode {
	case dns.RcodeSuccess:
		readRecords(l, answer.Answer)
	case dns.RcodeNameError:
		l.Outcome = facts.NXDomain
	case dns.RcodeServerFailure:
		l.Outcome, l.Detail = facts.ServFail, "SERVFAIL"
	case dns.RcodeRefused:
		l.Outcome, l.Detail = facts.Refused, "REFUSED"
	default:
		l.Outcome, l.Detail = facts.OtherCode, rcodeName(answer.Rcode)
	}
}

func rcodeName(code int) string {
	if name, ok := dns.RcodeToString[code]; ok {
		return name
	}
	return fmt.Sprintf("response code %d", code)
}

// readRecords keeps the records of the type asked for; aliases (CNAME) on the way to them have other
// owner names, which is as it should be.
func readRecords(l *facts.Lookup, answer []dns.RR) {
	l.Outcome = facts.Empty
	for _, rr := range answer {
		switch r := rr.(type) {
		case *dns.A:
			if a, ok := netip.AddrFromSlice(r.A.To4()); ok && l.Type == phone.A && len(l.Addresses) < maxRecords {
				l.Addresses = append(l.Addresses, a)
			}
		case *dns.SRV:
			if l.Type == phone.SRV && len(l.Services) < maxRecords {
				l.Services = append(l.Services, phone.Service{
					Target: strings.ToLower(strings.TrimSuffix(r.Target, ".")),
					Port:   r.Port, Priority: r.Priority, Weight: r.Weight,
				})
			}
		}
	}
	if !l.None() {
		l.Outcome = facts.Answered
	}
}
