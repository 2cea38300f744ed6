package reach

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/version"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

const (
	certsrvPort = 80
	// certsrvTimeout is for one address: to connect, and to answer one request.
	certsrvTimeout = 4 * time.Second
	// maxCAAddresses bounds how many addresses of a CA are tried.
	maxCAAddresses = 4
	// maxChainFile and maxHeader bound what is read of an answer.
	maxChainFile = 1 << 20
	maxHeader    = 64 << 10
	// maxSchemes bounds how many offers of a logon are kept.
	maxSchemes = 8
)

// AskCertsrv asks a CA's web page for its chain, without logging on, at the first address that answers.
// A redirect is not followed.
func (w Way) AskCertsrv(ctx context.Context, host string, addresses []netip.Addr) *facts.CertsrvAnswer {
	var out *facts.CertsrvAnswer
	for _, a := range addresses[:min(len(addresses), maxCAAddresses)] {
		out = w.askChain(ctx, host, netip.AddrPortFrom(a, certsrvPort), "")
		if out.Problem == "" || ctx.Err() != nil {
			break
		}
	}
	return out
}

// askChain sends one request, with what authorization says.
func (w Way) askChain(ctx context.Context, host string, address netip.AddrPort, authorization string) *facts.CertsrvAnswer {
	ctx, cancel := context.WithTimeout(ctx, certsrvTimeout)
	defer cancel()
	request, err := chainRequest(ctx, host)
	if err != nil {
		return &facts.CertsrvAnswer{Address: address, Problem: facts.CertsrvMalformed, Detail: printable(err.Error())}
	}
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	transport := w.chainTransport(ctx, address)
	defer transport.CloseIdleConnections()
	return readChain(transport, request, address)
}

func chainRequest(ctx context.Context, host string) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, phone.CertsrvURL(host), nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", "cx700_exporter/"+cmp.Or(version.Version, "unknown"))
	return request, nil
}

// chainTransport connects to one address only, whatever a request says, and for as long as the context
// goes on: the one that http.Transport hands to its dialler knows no deadline. A transport by itself
// follows no redirects, keeps no cookies and reads no proxy from the environment.
func (w Way) chainTransport(ctx context.Context, address netip.AddrPort) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		DialContext: func(_ context.Context, _, named string) (net.Conn, error) {
			host, _, _ := net.SplitHostPort(named) // as the transport has joined it
			return w.Dial(ctx, "tcp", address.String(), host)
		},
		Protocols: protocols, DisableCompression: true, MaxResponseHeaderBytes: maxHeader,
	}
}

func readChain(by http.RoundTripper, request *http.Request, address netip.AddrPort) *facts.CertsrvAnswer {
	started := time.Now()
	out := &facts.CertsrvAnswer{Address: address}
	defer func() { out.Took = time.Since(started) }()
	response, err := by.RoundTrip(request)
	if err != nil {
		out.Problem, out.Detail = chainProblem(err), printable(err.Error())
		return out
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK {
		content, err := io.ReadAll(io.LimitReader(response.Body, maxChainFile+1))
		if err != nil {
			out.Problem, out.Detail = chainProblem(err), "in the middle of the answer: "+printable(err.Error())
			return out
		}
		out.Certificates, out.Detail = readCertificates(content, response.Header.Get("Content-Type"))
	}
	out.Status = response.StatusCode
	out.Schemes = schemesOf(response.Header.Values("WWW-Authenticate"))
	out.Location = printable(response.Header.Get("Location"))
	return out
}

func readCertificates(content []byte, contentType string) (found []facts.Certificate, detail string) {
	chain, err := parseChain(content)
	if len(content) > maxChainFile {
		chain, err = nil, fmt.Errorf("more than %d KiB", maxChainFile>>10)
	}
	if err != nil {
		return nil, printable(fmt.Sprintf("%s, Content-Type %s", err, cmp.Or(contentType, "not given")))
	}
	for _, c := range chain {
		found = append(found, facts.CertificateOf(c))
	}
	return found, ""
}

func chainProblem(err error) facts.CertsrvProblem {
	var op *net.OpError
	switch {
	case TimedOut(err):
		return facts.CertsrvSilent
	case errors.As(err, &op) && op.Op == "dial":
		return facts.CertsrvUnreachable
	default:
		return facts.CertsrvMalformed
	}
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
