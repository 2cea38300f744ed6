package reach

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

const (
	// sipTimeout is for one registrar: to connect, for the handshake, and for its answer.
	sipTimeout = 4 * time.Second
	// maxSIPMessage bounds one message, and maxSIPMessages how many come before the answer.
	maxSIPMessage  = 64 << 10
	maxSIPMessages = 8
)

// Register sends one request to register, without credentials, over TLS as a phone has it, and reads the answer.
// Nothing is left on the server: the request binds nothing, and no second one follows.
func (w Way) Register(ctx context.Context, address netip.AddrPort, host string, r phone.Register) (out facts.SIPAnswer) {
	ctx, cancel := context.WithTimeout(ctx, sipTimeout)
	defer cancel()
	started := time.Now()
	out.Host, out.Address = host, address
	defer func() { out.At, out.Took = time.Now(), time.Since(started) }()
	conn, err := w.Dial(ctx, "tcp", address.String(), host)
	if err != nil {
		out.Problem, out.Detail = facts.SIPNoConnection, printable(err.Error())
		return out
	}
	defer conn.Close()
	// The deadline of the context does not end a read; this does.
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })()
	secured := tls.Client(conn, phoneOffer())
	if err := secured.HandshakeContext(ctx); err != nil {
		out.Problem, out.Detail = facts.SIPNoConnection, string(handshakeProblem(err))+": "+printable(err.Error())
		return out
	}
	out.Served = secured.ConnectionState().PeerCertificates
	r.Local, r.CallID, r.Tag = conn.LocalAddr().String(), strings.ToLower(rand.Text()), strings.ToLower(rand.Text()[:10])
	if _, err := secured.Write(r.Bytes()); err != nil {
		out.Problem, out.Detail = sipProblem(err), printable(err.Error())
		return out
	}
	answer, err := readResponse(secured)
	if err != nil {
		out.Problem, out.Detail = sipProblem(err), printable(err.Error())
		return out
	}
	describeResponse(answer, &out)
	return out
}

// errNoSIP is what is read that is no SIP.
var errNoSIP = errors.New("no SIP")

func sipProblem(err error) facts.SIPProblem {
	var op *net.OpError
	switch {
	case errors.Is(err, errNoSIP):
		return facts.SIPMalformed
	case TimedOut(err):
		return facts.SIPSilent
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &op):
		return facts.SIPClosed
	default:
		return facts.SIPMalformed
	}
}

// readResponse reads messages until a final response comes. Servers send requests of their own in between.
func readResponse(from io.Reader) (answer *sip.Response, err error) {
	defer func() {
		// The library's parser was not made for hostile bytes.
		if p := recover(); p != nil {
			answer, err = nil, fmt.Errorf("%w: %v", errNoSIP, p)
		}
	}()
	parser := sip.NewParser()
	parser.MaxMessageLength = maxSIPMessage
	stream := parser.NewSIPStream()
	defer stream.Close()
	buffer := make([]byte, 4<<10)
	var message sip.Message
	for seen, read, parsed := 0, 0, 0; seen < maxSIPMessages; {
		if message == nil {
			addPhrase(stream.Buffer())
		}
		before := parsed
		message, parsed, err = stream.ParseNext()
		switch {
		case err == nil:
			seen++
			if r, ok := message.(*sip.Response); ok && !r.IsProvisional() {
				return r, nil
			}
			message, parsed = nil, 0
			continue
		case message != nil && parsed > before && ofOneHeader(err): // which is passed over
			continue
		case !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF): // EOF: nothing is there yet
			return nil, fmt.Errorf("%w: %w", errNoSIP, err)
		case read > maxSIPMessages*maxSIPMessage:
			return nil, fmt.Errorf("%w: too much of it", errNoSIP)
		}
		n, err := from.Read(buffer)
		read += n
		if n > 0 {
			_, _ = stream.Write(buffer[:n]) // a buffer takes everything
			continue
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%w: %d messages, and none is a final response", errNoSIP, maxSIPMessages)
}

// bareStatus is a first line without a phrase, and without the blank before it, which the library's parser wants.
var bareStatus = regexp.MustCompile(`^((?:\r\n)*SIP/2\.0 \d{3})\r\n`)

// addPhrase adds an empty phrase to a first line that has none.
func addPhrase(unread *bytes.Buffer) {
	if found := bareStatus.FindSubmatch(unread.Bytes()); found != nil {
		rest := append(append(bytes.Clone(found[1]), " \r\n"...), unread.Bytes()[len(found[0]):]...)
		unread.Reset()
		unread.Write(rest)
	}
}

// ofOneHeader tells whether an error of the parser, past the first line, is of one header only. Not so those of the end
// of the headers and of the body.
func ofOneHeader(err error) bool {
	return !slices.ContainsFunc([]error{io.ErrUnexpectedEOF, sip.ErrParseLineNoCRLF, sip.ErrParseReadBodyIncomplete, sip.ErrMessageTooLarge},
		func(other error) bool { return errors.Is(err, other) })
}

func describeResponse(r *sip.Response, out *facts.SIPAnswer) {
	values := func(names ...string) (all []string) {
		for _, name := range names {
			for _, h := range r.GetHeaders(name) {
				all = append(all, h.Value())
			}
		}
		return all
	}
	first := func(name string) string {
		if all := values(name); len(all) > 0 {
			return printable(all[0])
		}
		return ""
	}
	out.Status, out.Phrase, out.Server = r.StatusCode, printable(r.Reason), first("Server")
	if t, err := http.ParseTime(first("Date")); err == nil {
		out.Date = t
	}
	out.Challenges = phone.ParseChallenges(values("WWW-Authenticate", "Proxy-Authenticate"))
	out.Diagnostics = phone.ParseDiagnostics(values("ms-diagnostics", "ms-diagnostics-public"))
	if r.IsRedirection() {
		out.Contacts = contacts(r)
	}
}

// contacts are where a redirect leads, what it prefers first (RFC 3261 section 8.1.3.4).
func contacts(r *sip.Response) (hosts []string) {
	var all []*sip.ContactHeader
	for _, h := range r.GetHeaders("Contact") {
		if c, ok := h.(*sip.ContactHeader); ok && !c.Address.Wildcard {
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, func(a, b *sip.ContactHeader) int { return cmp.Compare(preference(b), preference(a)) })
	for _, c := range all {
		host := printable(c.Address.Host)
		if c.Address.Port > 0 {
			host += fmt.Sprintf(":%d", c.Address.Port)
		}
		hosts = append(hosts, host)
	}
	return hosts
}

// preference is the q value; one that does not say it is as good as any.
func preference(c *sip.ContactHeader) float64 {
	q, err := strconv.ParseFloat(c.Params.GetOr("q", "1"), 64)
	if err != nil {
		return 1
	}
	return q
}
