package reach

import (
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/netip"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// maxChainFile bounds what is read of an answer.
const maxChainFile = 1 << 20

// AskCertsrv asks a CA's web page for its chain, without logging on, at the first address that answers.
// A redirect is not followed.
func (w Way) AskCertsrv(ctx context.Context, host string, addresses []netip.Addr) *facts.CertsrvAnswer {
	return firstToAnswer(ctx, addresses, httpPort, func(at netip.AddrPort) (facts.CertsrvAnswer, facts.WebProblem) {
		answer := w.askChain(ctx, host, at, "")
		return *answer, answer.Problem
	})
}

// askChain sends one request, with what authorization says.
func (w Way) askChain(ctx context.Context, host string, address netip.AddrPort, authorization string) *facts.CertsrvAnswer {
	ctx, cancel := context.WithTimeout(ctx, webTimeout)
	defer cancel()
	request, err := chainRequest(ctx, host)
	if err != nil {
		return &facts.CertsrvAnswer{WebAnswer: badRequest(address, err)}
	}
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	transport := w.transport(ctx, address, nil)
	defer transport.CloseIdleConnections()
	return readChain(transport, request, address)
}

func chainRequest(ctx context.Context, host string) (*http.Request, error) {
	return webRequest(ctx, http.MethodGet, phone.CertsrvURL(host), nil)
}

func readChain(by http.RoundTripper, request *http.Request, address netip.AddrPort) *facts.CertsrvAnswer {
	out := &facts.CertsrvAnswer{}
	out.WebAnswer = exchange(by, request, address, func(response *http.Response, answer *facts.WebAnswer) error {
		if response.StatusCode != http.StatusOK {
			return nil
		}
		content, err := io.ReadAll(io.LimitReader(response.Body, maxChainFile+1))
		if err == nil {
			out.Chain, answer.Detail = readCertificates(content, response.Header.Get("Content-Type"))
		}
		for _, c := range out.Chain {
			out.Certificates = append(out.Certificates, facts.CertificateOf(c))
		}
		return err
	})
	return out
}

func readCertificates(content []byte, contentType string) (found []*x509.Certificate, detail string) {
	chain, err := parseChain(content)
	if len(content) > maxChainFile {
		chain, err = nil, fmt.Errorf("more than %d KiB", maxChainFile>>10)
	}
	if err != nil {
		return nil, printable(fmt.Sprintf("%s, Content-Type %s", err, cmp.Or(contentType, "not given")))
	}
	return chain, ""
}
