package reach

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
)

// FileURL is a file to look for. Its scheme is http or https and its port the usual one of that.
type FileURL struct {
	URL  *url.URL
	Kind facts.FileKind
}

// port is where the file's server listens.
func (f FileURL) port() uint16 {
	if f.URL.Scheme == "https" {
		return httpsPort
	}
	return httpPort
}

// secure is the TLS by which anybody may look at the file.
func (f FileURL) secure() *tls.Config {
	if f.URL.Scheme == "https" {
		return observingTLS()
	}
	return nil
}

// fileServer is where a file's host was found. The question is nil where the URL holds an address.
type fileServer struct {
	names     *facts.Names
	addresses []netip.Addr
}

func (w Way) fileServer(ctx context.Context, host string) fileServer {
	if a, err := netip.ParseAddr(host); err == nil {
		return fileServer{addresses: []netip.Addr{a}}
	}
	names := w.Resolve(ctx, host)
	return fileServer{names, Addresses(names)}
}

// AskFiles asks for the headers of files side by side, each at every address of its server. The name of each
// server is asked for once. A redirect is not followed.
func (w Way) AskFiles(ctx context.Context, files []FileURL) []facts.FirmwareFile {
	servers := map[string]func() fileServer{}
	for _, f := range files {
		if host := f.URL.Hostname(); servers[host] == nil {
			servers[host] = sync.OnceValue(func() fileServer { return w.fileServer(ctx, host) })
		}
	}
	out := make([][]facts.FirmwareFile, len(files))
	Parallel(len(files), func(i int) { out[i] = w.askFile(ctx, files[i], servers[files[i].URL.Hostname()]()) })
	return slices.Concat(out...)
}

// askFile gives one file for each address of its server, and one where there is none.
func (w Way) askFile(ctx context.Context, f FileURL, s fileServer) []facts.FirmwareFile {
	out := make([]facts.FirmwareFile, max(1, min(len(s.addresses), maxWebAddresses)))
	Parallel(len(out), func(i int) {
		out[i] = facts.FirmwareFile{URL: f.URL.String(), Host: f.URL.Hostname(), Kind: f.Kind, Names: s.names}
		if i < len(s.addresses) && ctx.Err() == nil {
			answer := w.askHeader(ctx, f, netip.AddrPortFrom(s.addresses[i], f.port()))
			out[i].Anonymous = &answer
		}
	})
	return out
}

func (w Way) askHeader(ctx context.Context, f FileURL, address netip.AddrPort) facts.FileAnswer {
	ctx, cancel := context.WithTimeout(ctx, webTimeout)
	defer cancel()
	transport := w.transport(ctx, address, f.secure())
	defer transport.CloseIdleConnections()
	ask := func(method string) (facts.FileAnswer, error) {
		request, err := fileRequest(ctx, method, f.URL.String())
		if err != nil {
			return facts.FileAnswer{Method: method, Size: -1, WebAnswer: badRequest(address, err)}, nil
		}
		return readHeader(transport, request, address), nil
	}
	answer, _ := headOrGet(ask) // ask gives no error
	return answer
}

// headOrGet asks by HEAD, and by a GET for the first byte where the answer may be to HEAD only: filters refuse
// that method with all sorts of statuses (IIS' request filtering with 404), with silence, or with no length. Phones
// are known to use GET.
func headOrGet(ask func(method string) (facts.FileAnswer, error)) (facts.FileAnswer, error) {
	answer, err := ask(http.MethodHead)
	refused := answer.Status >= http.StatusBadRequest && answer.Status != http.StatusUnauthorized
	lengthless := answer.Status == http.StatusOK && answer.Size <= 0
	if err != nil || !refused && !lengthless && answer.Problem != facts.WebMalformed && answer.Problem != facts.WebSilent {
		return answer, err
	}
	return ask(http.MethodGet)
}

// fileRequest asks for a header, by GET for the first byte only.
func fileRequest(ctx context.Context, method, url string) (*http.Request, error) {
	request, err := webRequest(ctx, method, url, nil)
	if err == nil && method == http.MethodGet {
		request.Header.Set("Range", "bytes=0-0")
	}
	return request, err
}

func readHeader(by http.RoundTripper, request *http.Request, address netip.AddrPort) facts.FileAnswer {
	out := facts.FileAnswer{Method: request.Method, Size: -1}
	out.WebAnswer = exchange(by, request, address, func(response *http.Response, _ *facts.WebAnswer) error {
		describe(response, &out)
		return nil
	})
	out.At = time.Now()
	return out
}

// describe takes what the header tells of a file.
func describe(response *http.Response, out *facts.FileAnswer) {
	header := response.Header
	out.ContentType, out.ETag = printable(header.Get("Content-Type")), printable(header.Get("ETag"))
	if t, err := http.ParseTime(header.Get("Last-Modified")); err == nil {
		out.LastModified = t
	}
	out.Size = response.ContentLength
	if response.StatusCode == http.StatusPartialContent {
		out.Size = -1
		if _, size, ok := strings.Cut(header.Get("Content-Range"), "/"); ok {
			if n, err := strconv.ParseInt(size, 10, 64); err == nil && n >= 0 {
				out.Size = n
			}
		}
	}
}

// LogOnToFiles asks for the headers of files at one address with the account, or returns what came of it
// before while that stands. It must be called only where the anonymous answers ask for a logon.
func (u *Updates) LogOnToFiles(ctx context.Context, a UpdateAccess, files []*facts.FirmwareFile) facts.Logon {
	first := files[0]
	key := fmt.Sprint(a.key(), first.Anonymous.Address)
	for _, f := range files {
		key += " " + f.URL
	}
	answers, logon := u.files.logon(ctx, key, a.Credential, first.Host,
		func(ctx context.Context, secret Secret, l *facts.Logon) ([]facts.FileAnswer, error) {
			return a.fileHeaders(ctx, secret, files, l)
		})
	for i := range answers {
		files[i].LoggedOn = &answers[i]
	}
	return logon
}

func (a UpdateAccess) fileHeaders(ctx context.Context, secret Secret, files []*facts.FirmwareFile, l *facts.Logon) ([]facts.FileAnswer, error) {
	address := files[0].Anonymous.Address
	secure, err := verifiedBy(files[0].Host, a.RootFiles)
	if err != nil {
		return nil, err
	}
	transport := a.Way.transport(ctx, address, secure)
	defer transport.CloseIdleConnections()
	var out []facts.FileAnswer
	for _, f := range files {
		answer, err := headOrGet(func(method string) (answer facts.FileAnswer, err error) {
			request, err := fileRequest(ctx, method, f.URL)
			if err != nil {
				return answer, problem(facts.BindFailed, "%s: %s", f.URL, printable(err.Error()))
			}
			err = ntlm(transport, request, a.Credential.Username, secret, address, l, func(by http.RoundTripper) facts.WebAnswer {
				answer = readHeader(by, request, address)
				return answer.WebAnswer
			})
			return answer, err
		})
		if err != nil {
			return out, err
		}
		out = append(out, answer)
	}
	return out, nil
}
