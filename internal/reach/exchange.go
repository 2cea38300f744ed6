package reach

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/site"
)

// Exchange logs on to Autodiscover, to each server at most once an hour with each credential.
type Exchange struct {
	logons *webLogons[*facts.AutodiscoverAnswer]
}

// NewExchange returns an Exchange whose credentials the guard watches over.
func NewExchange(g *Guard) *Exchange {
	return &Exchange{logons: newWebLogons[*facts.AutodiscoverAnswer](g)}
}

// LogOnEvery has logons stand for another time than an hour, 0 for none: for the lab, which locks no account.
func (e *Exchange) LogOnEvery(d time.Duration) { e.logons.stands = d }

// AskAutodiscover asks at places side by side, without a logon. No redirect is followed.
func (w Way) AskAutodiscover(ctx context.Context, places []phone.AutodiscoverPlace) []facts.AutodiscoverPlace {
	out := make([]facts.AutodiscoverPlace, len(places))
	Parallel(len(places), func(i int) {
		out[i] = facts.AutodiscoverPlace{Host: places[i].Host, Secure: places[i].Secure, ExchangeServer: w.AskExchange(ctx, places[i].URL())}
	})
	return out
}

// AskExchange asks for one URL at each address of its host, without a logon. The URL is one of http or https
// with the usual port.
func (w Way) AskExchange(ctx context.Context, address string) facts.ExchangeServer {
	out := facts.ExchangeServer{URL: address}
	u, err := url.Parse(address)
	if err != nil {
		out.Answers = []facts.AutodiscoverAnswer{{WebAnswer: badRequest(netip.AddrPort{}, err)}}
		return out
	}
	port := uint16(httpPort)
	if u.Scheme == "https" {
		port = httpsPort
	}
	out.Names = w.Resolve(ctx, u.Hostname())
	addresses := Addresses(out.Names)
	out.Answers = make([]facts.AutodiscoverAnswer, min(len(addresses), maxWebAddresses))
	Parallel(len(out.Answers), func(i int) {
		at := netip.AddrPortFrom(addresses[i], port)
		out.Answers[i] = w.getAutodiscover(ctx, address, at)
		if port == httpsPort && out.Answers[i].Problem == "" {
			phone := w.handshake(ctx, at, []string{u.Hostname()}, phoneOffer())
			out.Answers[i].Phone = &phone
		}
	})
	return out
}

func (w Way) getAutodiscover(ctx context.Context, url string, at netip.AddrPort) facts.AutodiscoverAnswer {
	ctx, cancel := context.WithTimeout(ctx, webTimeout)
	defer cancel()
	request, err := webRequest(ctx, http.MethodGet, url, nil)
	if err != nil {
		return facts.AutodiscoverAnswer{WebAnswer: badRequest(at, err)}
	}
	transport := w.transport(ctx, at, observingTLS())
	defer transport.CloseIdleConnections()
	return readAutodiscover(transport, request, at)
}

func readAutodiscover(by http.RoundTripper, request *http.Request, at netip.AddrPort) facts.AutodiscoverAnswer {
	out := facts.AutodiscoverAnswer{}
	out.WebAnswer = exchange(by, request, at, func(response *http.Response, answer *facts.WebAnswer) error {
		if response.StatusCode != http.StatusOK {
			return nil
		}
		content, err := io.ReadAll(io.LimitReader(response.Body, phone.MaxAutodiscoverAnswer+1))
		if err != nil {
			return err
		}
		if out.Autodiscover, err = phone.ParseAutodiscover(content); err != nil {
			answer.Detail = printable(err.Error())
		}
		return nil
	})
	out.At = time.Now()
	return out
}

// ResolveService asks for one SRV record, at each resolver until one answers.
func (w Way) ResolveService(ctx context.Context, name string) *facts.Names {
	return w.resolve(ctx, name, phone.SRV)
}

// ExchangeAccess is a server of Autodiscover that asked for a logon, and what may be used there.
type ExchangeAccess struct {
	Way     Way
	Host    string
	URL     string
	Address netip.AddrPort
	site.Exchange
}

// Logon logs on by NTLM over verified TLS and asks for the mailbox's settings, or returns what came of it before
// while that stands.
func (e *Exchange) Logon(ctx context.Context, a ExchangeAccess) *facts.AutodiscoverLogon {
	out := &facts.AutodiscoverLogon{URL: a.URL}
	key := fmt.Sprint(a.Way, a.URL, a.Address, *a.Credential, a.RootFiles, a.Mailbox)
	out.Answer, out.Logon = e.logons.logon(ctx, key, a.Credential, a.Host, a.logOn)
	return out
}

func (a ExchangeAccess) logOn(ctx context.Context, secret Secret, l *facts.Logon) (*facts.AutodiscoverAnswer, error) {
	secure, err := verifiedBy(a.Host, a.RootFiles)
	if err != nil {
		return nil, err
	}
	request, err := webRequest(ctx, http.MethodPost, a.URL, bytes.NewReader(phone.AutodiscoverRequest(a.Mailbox)))
	if err != nil {
		return nil, problem(facts.BindFailed, "%s: %s", a.Host, printable(err.Error()))
	}
	request.Header.Set("Content-Type", "text/xml; charset=utf-8")
	transport := a.Way.transport(ctx, a.Address, secure)
	defer transport.CloseIdleConnections()
	var answer facts.AutodiscoverAnswer
	err = ntlm(transport, request, a.Credential.Username, secret, a.Address, l, func(by http.RoundTripper) facts.WebAnswer {
		answer = readAutodiscover(by, request, a.Address)
		return answer.WebAnswer
	})
	if err != nil {
		return nil, err
	}
	return &answer, nil
}
