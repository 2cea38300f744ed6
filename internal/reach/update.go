package reach

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/site"
)

// maxTemplate bounds what is read of a template's file.
const maxTemplate = 64 << 10

// UpdateHost is a server to ask for updates.
type UpdateHost struct {
	Name string
	// Spare tells that phones do without this name.
	Spare bool
}

// UpdateAccess is how the update service is asked.
type UpdateAccess struct {
	Way Way
	// External asks a reverse proxy, by HTTPS, as phones outside do.
	External bool
	site.Update
	// Firmware are the versions for which is asked where there is a POST.
	Firmware []string
}

// Updates asks servers for updates, once for all probes of a round, and logs on to each at most once an
// hour with each credential.
type Updates struct {
	rounds *rounds[*facts.Update]
	logons *webLogons[[]facts.UpdateAnswer]
	files  *webLogons[[]facts.FileAnswer]
	guard  *Guard
}

// NewUpdates returns an Updates whose credentials the guard watches over; Close ends it.
func NewUpdates(g *Guard) *Updates {
	return &Updates{
		rounds: newRounds[*facts.Update](), logons: newWebLogons[[]facts.UpdateAnswer](g),
		files: newWebLogons[[]facts.FileAnswer](g), guard: g,
	}
}

// Close ends what is under way and waits for it.
func (u *Updates) Close() { u.rounds.close() }

// Read asks every server, or returns the answers that another probe of the round got, if it began at due or
// later. It ends after budget with what it has; the error is the context's.
func (u *Updates) Read(ctx context.Context, a UpdateAccess, hosts []UpdateHost, due time.Time, budget time.Duration) (*facts.Update, error) {
	key := fmt.Sprint(a.key(), hosts)
	return u.rounds.get(ctx, key, due, budget, func(ctx context.Context) *facts.Update {
		out := &facts.Update{}
		out.Servers, out.LeftOut = a.servers(ctx, hosts)
		Parallel(len(out.Servers), func(i int) { u.ask(ctx, a, &out.Servers[i]) })
		return out
	})
}

// servers has one for each address behind each name, and one for a name without any: a pool that DNS
// balances has a member at each address, and a phone may meet any of them.
func (a UpdateAccess) servers(ctx context.Context, hosts []UpdateHost) (out []facts.UpdateServer, leftOut []string) {
	names := make([]*facts.Names, len(hosts))
	Parallel(len(hosts), func(i int) { names[i] = a.Way.Resolve(ctx, hosts[i].Name) })
	for i, h := range hosts {
		s := facts.UpdateServer{Host: h.Name, Spare: h.Spare, Names: names[i]}
		addresses := Addresses(names[i])
		if len(addresses) == 0 {
			out = append(out, s)
		}
		if n := len(addresses); n > maxWebAddresses {
			leftOut = append(leftOut, fmt.Sprintf("%s leads to %d addresses; %d are not asked", h.Name, n, n-maxWebAddresses))
		}
		for _, s.Address = range addresses[:min(len(addresses), maxWebAddresses)] {
			out = append(out, s)
		}
	}
	return out, leftOut
}

// key tells accesses apart; credentials by what they are, not where they lie.
func (a UpdateAccess) key() string {
	plain, account := a, ""
	if plain.Credential = nil; a.Credential != nil {
		account = fmt.Sprintf("%+v", *a.Credential)
	}
	return fmt.Sprintf("%+v %s", plain, account)
}

// ask asks one server, where it has an address.
func (u *Updates) ask(ctx context.Context, a UpdateAccess, s *facts.UpdateServer) {
	if !s.Address.IsValid() || ctx.Err() != nil {
		return
	}
	Parallel(2, func(i int) {
		switch {
		case i == 1:
			s.Secure = a.get(ctx, s.Address, httpsPort, a.secureURL(s.Host))
		case !a.External:
			s.Plain = a.get(ctx, s.Address, httpPort, phone.UpdateURL(s.Host))
		}
	})
	if s.Secure.Problem == "" && (s.Plain == nil || s.Plain.Response == nil) {
		handshake := a.Way.handshake(ctx, s.Secure.Address, []string{s.Host}, phoneOffer())
		s.Phone = &handshake
	}
	if s.Plain != nil && s.Plain.Status == http.StatusOK {
		s.Posts = a.posts(ctx, s.Plain.Address, phone.UpdateURL(s.Host))
	}
	if s.Secure.Status == http.StatusUnauthorized && OffersNTLM(s.Secure.WebAnswer) && a.Credential != nil {
		s.Logon = u.logon(ctx, a, s)
	}
}

func (a UpdateAccess) secureURL(host string) string {
	if a.External {
		return phone.UpdateURLExt(host)
	}
	return phone.UpdateURLSecure(host)
}

// Addresses returns those of the only name in a question; none where no resolver settled it.
func Addresses(names *facts.Names) []netip.Addr {
	for _, walk := range names.Walks {
		for _, l := range walk.Lookups {
			if l.Outcome.Settled() {
				return l.Addresses
			}
		}
	}
	return nil
}

func (a UpdateAccess) get(ctx context.Context, address netip.Addr, port uint16, url string) *facts.UpdateAnswer {
	answer := a.once(ctx, netip.AddrPortFrom(address, port), url, "", nil)
	return &answer
}

// once sends one request without a logon over a connection of its own.
func (a UpdateAccess) once(ctx context.Context, address netip.AddrPort, url, firmware string, body []byte) facts.UpdateAnswer {
	ctx, cancel := context.WithTimeout(ctx, webTimeout)
	defer cancel()
	request, err := updateRequest(ctx, url, body)
	if err != nil {
		return facts.UpdateAnswer{Firmware: firmware, WebAnswer: badRequest(address, err)}
	}
	transport := a.Way.transport(ctx, address, observingTLS())
	defer transport.CloseIdleConnections()
	return readUpdate(transport, request, address, firmware)
}

func updateRequest(ctx context.Context, url string, body []byte) (*http.Request, error) {
	if body == nil {
		return webRequest(ctx, http.MethodGet, url, nil)
	}
	request, err := webRequest(ctx, http.MethodPost, url, strings.NewReader(string(body)))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "text/xml; charset=utf-8") // what phones write there is not known
	return request, nil
}

func readUpdate(by http.RoundTripper, request *http.Request, address netip.AddrPort, firmware string) facts.UpdateAnswer {
	out := facts.UpdateAnswer{Firmware: firmware}
	out.WebAnswer = exchange(by, request, address, func(response *http.Response, answer *facts.WebAnswer) error {
		if response.StatusCode != http.StatusOK {
			return nil
		}
		content, err := io.ReadAll(io.LimitReader(response.Body, phone.MaxUpdateAnswer+1))
		if err != nil {
			return err
		}
		if out.Response, err = phone.ParseUpdateResponse(content); err != nil {
			answer.Detail = printable(err.Error())
		}
		return nil
	})
	out.At = time.Now()
	return out
}

// posts asks for each firmware as a phone with it would.
func (a UpdateAccess) posts(ctx context.Context, address netip.AddrPort, url string) []facts.UpdateAnswer {
	if a.Post.Template == "" {
		return nil
	}
	out := make([]facts.UpdateAnswer, len(a.Firmware))
	template, err := readTemplate(a.Post.Template)
	Parallel(len(out), func(i int) {
		if err != nil {
			out[i] = facts.UpdateAnswer{Firmware: a.Firmware[i], WebAnswer: badRequest(address, err)}
			return
		}
		out[i] = a.once(ctx, address, url, a.Firmware[i], fill(template, a.Post, a.Firmware[i]))
	})
	return out
}

func readTemplate(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxTemplate+1))
	if err == nil && len(content) > maxTemplate {
		err = fmt.Errorf("%s: larger than %d KiB: no template of a request", path, maxTemplate>>10)
	}
	return string(content), err
}

// fill puts the phone into a template.
func fill(template string, p site.UpdatePost, firmware string) []byte {
	var pairs []string
	for _, v := range [][2]string{
		{"{mac}", p.MAC}, {"{serial}", p.Serial}, {"{vendor}", p.Vendor}, {"{model}", p.Model},
		{"{revision}", p.Revision}, {"{locale}", p.Locale}, {"{firmware}", firmware},
	} {
		var escaped strings.Builder
		_ = xml.EscapeText(&escaped, []byte(v[1])) // a Builder takes everything
		pairs = append(pairs, v[0], escaped.String())
	}
	return []byte(strings.NewReplacer(pairs...).Replace(template))
}

// logon logs on to a server that asked for it and gets the real answers, or what came of it before while
// that stands.
func (u *Updates) logon(ctx context.Context, a UpdateAccess, s *facts.UpdateServer) *facts.UpdateLogon {
	out := &facts.UpdateLogon{}
	out.Answers, out.Logon = u.logons.logon(ctx, fmt.Sprint(a.key(), s.Host, s.Address), a.Credential, s.Host,
		func(ctx context.Context, secret Secret, l *facts.Logon) ([]facts.UpdateAnswer, error) {
			return a.logOn(ctx, secret, s, l)
		})
	return out
}

func (a UpdateAccess) logOn(ctx context.Context, secret Secret, s *facts.UpdateServer, l *facts.Logon) ([]facts.UpdateAnswer, error) {
	address := s.Secure.Address
	secure, err := verifiedBy(s.Host, a.RootFiles)
	if err != nil {
		return nil, err
	}
	transport := a.Way.transport(ctx, address, secure)
	defer transport.CloseIdleConnections()
	ask := func(firmware string, body []byte) (answer facts.UpdateAnswer, err error) {
		request, err := updateRequest(ctx, a.secureURL(s.Host), body)
		if err != nil {
			return answer, problem(facts.BindFailed, "%s: %s", s.Host, printable(err.Error()))
		}
		err = ntlm(transport, request, a.Credential.Username, secret, address, l, func(by http.RoundTripper) facts.WebAnswer {
			answer = readUpdate(by, request, address, firmware)
			return answer.WebAnswer
		})
		return answer, err
	}
	first, err := ask("", nil)
	if err != nil {
		return nil, err
	}
	out := []facts.UpdateAnswer{first}
	if a.Post.Template == "" {
		return out, nil
	}
	template, err := readTemplate(a.Post.Template)
	for _, firmware := range a.Firmware {
		answer := facts.UpdateAnswer{Firmware: firmware}
		if err != nil {
			answer.WebAnswer = badRequest(address, err)
		} else if answer, err = ask(firmware, fill(template, a.Post, firmware)); err != nil {
			return out, err
		}
		out = append(out, answer)
	}
	return out, nil
}
