package reach

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/common/version"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

const (
	httpPort  = 80
	httpsPort = 443
	// webTimeout is for one address: to connect, and to answer one request.
	webTimeout = 4 * time.Second
	// maxWebAddresses bounds how many addresses of a web server are asked, maxTried how many one after the other.
	maxWebAddresses = 8
	maxTried        = 4
	// maxHeader bounds what is read of an answer's header.
	maxHeader = 64 << 10
	// maxSchemes bounds how many offers of a logon are kept.
	maxSchemes = 8

	schemeNegotiate = "Negotiate"
	schemeNTLM      = "NTLM"
)

// OffersLogon tells whether a scheme is offered by which Windows logs on: Negotiate, or NTLM (CONTRACT
// sections 1.6 and 2.1).
func OffersLogon(a facts.WebAnswer) bool { return offers(a, schemeNegotiate) || offers(a, schemeNTLM) }

// OffersNTLM tells whether NTLM is offered, the one by which phones log on outside.
func OffersNTLM(a facts.WebAnswer) bool { return offers(a, schemeNTLM) }

func offers(a facts.WebAnswer, scheme string) bool {
	return slices.ContainsFunc(a.Schemes, func(s string) bool { return strings.EqualFold(s, scheme) })
}

// webRequest is a request with our own User-Agent.
func webRequest(ctx context.Context, method, url string, body io.Reader) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", "cx700_exporter/"+cmp.Or(version.Version, "unknown"))
	return request, nil
}

// transport connects to one address only, whatever a request says, and for as long as the context goes on:
// the one that http.Transport hands to its dialler knows no deadline. A transport by itself follows no
// redirects, keeps no cookies and reads no proxy from the environment. TLS is made by the configuration,
// nil where requests are for plain HTTP.
func (w Way) transport(ctx context.Context, address netip.AddrPort, secure *tls.Config) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	dial := func(_ context.Context, _, named string) (net.Conn, error) {
		host, _, _ := net.SplitHostPort(named) // as the transport has joined it
		return w.Dial(ctx, "tcp", address.String(), host)
	}
	return &http.Transport{
		DialContext: dial,
		DialTLSContext: func(_ context.Context, network, to string) (net.Conn, error) {
			conn, err := dial(ctx, network, to)
			if err != nil {
				return nil, err
			}
			secured := tls.Client(conn, secure)
			if err := secured.HandshakeContext(ctx); err != nil {
				return nil, &handshakeError{errors.Join(err, conn.Close())}
			}
			return secured, nil
		},
		Protocols: protocols, DisableCompression: true, MaxResponseHeaderBytes: maxHeader,
	}
}

// handshakeError is the failure of a TLS handshake.
type handshakeError struct{ error }

func (e *handshakeError) Unwrap() error { return e.error }

// firstToAnswer asks one address after the other until one answers by HTTP, and returns what the last one
// said; nil where there is none to ask.
func firstToAnswer[T any](ctx context.Context, addresses []netip.Addr, port uint16, ask func(netip.AddrPort) (T, facts.WebProblem)) *T {
	var out *T
	for _, address := range addresses[:min(len(addresses), maxTried)] {
		answer, problem := ask(netip.AddrPortFrom(address, port))
		if out = &answer; problem == "" || ctx.Err() != nil {
			break
		}
	}
	return out
}

// badRequest is the answer to a request that could not be made.
func badRequest(address netip.AddrPort, err error) facts.WebAnswer {
	return facts.WebAnswer{
		Address: address, Problem: facts.WebBadRequest, Failure: phone.InvalidURL, Detail: printable(err.Error()),
	}
}

// exchange sends a request and has the body of the answer read.
func exchange(by http.RoundTripper, request *http.Request, address netip.AddrPort,
	read func(*http.Response, *facts.WebAnswer) error,
) (out facts.WebAnswer) {
	started := time.Now()
	out.Address = address
	defer func() { out.Took = time.Since(started) }()
	response, err := by.RoundTrip(request)
	if err != nil {
		out.Problem, out.Failure, out.Detail = webProblem(err), netFailure(err), printable(err.Error())
		return out
	}
	defer response.Body.Close()
	out.Schemes = schemesOf(response.Header.Values("WWW-Authenticate"))
	out.Location = printable(response.Header.Get("Location"))
	if t := response.TLS; t != nil {
		out.TLS = tls.VersionName(t.Version) + " " + tls.CipherSuiteName(t.CipherSuite)
		out.Served = t.PeerCertificates
	}
	if err := read(response, &out); err != nil {
		out.Problem, out.Failure = webProblem(err), netFailure(err)
		out.Detail = "in the middle of the answer: " + printable(err.Error())
		return out
	}
	out.Status = response.StatusCode
	return out
}

func webProblem(err error) facts.WebProblem {
	var op *net.OpError
	var handshake *handshakeError
	switch {
	case TimedOut(err):
		return facts.WebSilent
	case strings.Contains(err.Error(), untrustedMark), isVerification(err):
		return facts.WebUntrusted
	case errors.As(err, &handshake):
		return facts.WebTLSFailed
	case errors.As(err, &op) && op.Op == "dial":
		return facts.WebUnreachable
	default:
		return facts.WebMalformed
	}
}

func isVerification(err error) bool {
	var verification *tls.CertificateVerificationError
	return errors.As(err, &verification)
}

// netFailure names a failure as a phone's HTTP client would (CONTRACT section 1.7).
func netFailure(err error) phone.NetFailure {
	switch webProblem(err) {
	case facts.WebSilent:
		return phone.TimedOut
	case facts.WebUnreachable:
		return phone.CannotConnect
	case facts.WebTLSFailed:
		return phone.ChannelFailed
	case facts.WebUntrusted:
		return phone.UnknownCA
	}
	if errors.Is(err, syscall.ECONNRESET) {
		return phone.Reset
	}
	return phone.Aborted
}

var (
	quotedText = regexp.MustCompile(`"[^"]*"`)
	schemeForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,31}$`)
)

// schemesOf lists the schemes in the headers WWW-Authenticate, each once. One header may hold several,
// with their parameters between them (RFC 9110 section 11.6.1).
func schemesOf(headers []string) []string {
	var out []string
	for _, h := range headers {
		for part := range strings.SplitSeq(quotedText.ReplaceAllString(h, ""), ",") {
			scheme, _, _ := strings.Cut(strings.TrimSpace(part), " ")
			if schemeForm.MatchString(scheme) && !slices.Contains(out, scheme) && len(out) < maxSchemes {
				out = append(out, scheme)
			}
		}
	}
	return out
}
