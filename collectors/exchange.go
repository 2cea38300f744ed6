package collectors

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/metric"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/reach"
	"github.com/cx700/cx700_exporter/internal/site"
)

var (
	descExchangeFound = metric.NewGauge("cx700_exchange_found",
		"Whether a place of the phone's order answers for Exchange (1) or none (0); absent when its names were not answered.",
		`cx700_exchange_found == 0`, "network", "target")
	descExchangeOK = metric.NewGauge("cx700_exchange_ok",
		"Whether a server of Exchange answers as phones need it (1) or not (0), one for each address of autodiscover.<SMTP domain> "+
			"(service autodiscover) and of the web services (ews).",
		`cx700_exchange_ok == 0`, "network", "target", "service", "host", "address")
	descExchangeNotAfter = metric.NewGauge("cx700_exchange_certificate_not_after_timestamp_seconds",
		"When the certificate of a server of Exchange expires; it stays when it has.",
		`(cx700_exchange_certificate_not_after_timestamp_seconds - time()) / 86400 < 30`, "network", "target", "host", "address")
)

// Exchange watches Autodiscover and Exchange's web services, from which phones have contacts, call logs and
// voice mail.
func Exchange() *Collector {
	return &Collector{
		Name: "exchange", Asks: "Do phones find Exchange, by A records only, and its web services?", Guide: "4-5, 24-25",
		Steps:    []phone.Step{phone.StepExchange},
		Interval: time.Minute, Timeout: 30 * time.Second,
		Reasons: exchangeReasons(),
		Metrics: []*metric.Desc{descExchangeFound, descExchangeOK, descExchangeNotAfter},
		Targets: exchangeTargets,
		Probe:   probeExchange,
		Explain: explainExchange,
	}
}

func exchangeTargets(s *site.Site, n site.Network) []Target {
	if s.Domains.SMTP == "" {
		return nil
	}
	t := namesTarget("exchange", s, n)
	_, resolvers, _ := strings.Cut(t.Name, "@")
	exchange := n.Exchange
	t.Name, t.Exchange = s.Domains.SMTP+"@"+resolvers, &exchange
	return []Target{t}
}

func probeExchange(ctx context.Context, env *Env, seen *facts.Seen) error {
	t := env.Target
	e := &facts.Exchange{Places: t.Way.AskAutodiscover(ctx, t.Domains.AutodiscoverPlaces())}
	followRedirect(ctx, t, e)
	if !exchangeFound(e) {
		e.Service = t.Way.ResolveService(ctx, t.Domains.AutodiscoverService())
	}
	logOnToExchange(ctx, env, e)
	askWebServices(ctx, t, e)
	seen.Exchange = e
	emitExchange(env, e)
	return join(judgeExchange(t, e))
}

// followRedirect goes where plain HTTP leads, once: the last entry of the phone's order.
func followRedirect(ctx context.Context, t *Target, e *facts.Exchange) {
	for _, place := range e.Places {
		for _, a := range place.Answers {
			if place.Secure || !isRedirect(a.Status) || !leadsToHTTPS(a.Location) {
				continue
			}
			u, why := follow(t, a.Location, func(host string) bool { return host == place.Host })
			if why != "" {
				e.Foreign = fmt.Sprintf("%s leads to %.200q: %s", place.URL, withoutPassword(a.Location), why)
				return
			}
			e.Followed = &facts.AutodiscoverPlace{Host: u.Hostname(), Secure: true, ExchangeServer: t.Way.AskExchange(ctx, u.String())}
			return
		}
	}
}

// places lists those by HTTPS, in the phone's order.
func places(e *facts.Exchange) []*facts.AutodiscoverPlace {
	var out []*facts.AutodiscoverPlace
	for i := range e.Places {
		if e.Places[i].Secure {
			out = append(out, &e.Places[i])
		}
	}
	if e.Followed != nil {
		out = append(out, e.Followed)
	}
	return out
}

// workingPlace is the first at which some address answers as a phone needs it.
func workingPlace(e *facts.Exchange) *facts.AutodiscoverPlace {
	for _, p := range places(e) {
		if workingAnswer(p) != nil {
			return p
		}
	}
	return nil
}

// placesThatCount are those that are meant to be Exchange. The SMTP domain's own web server seldom is, and phones
// go on; and where the redirect of plain HTTP works, HTTPS at the same name is not meant to.
func placesThatCount(t *Target, e *facts.Exchange) []*facts.AutodiscoverPlace {
	working := workingPlace(e)
	return slices.DeleteFunc(places(e), func(p *facts.AutodiscoverPlace) bool {
		switch {
		case p == working, p == e.Followed:
			return false
		case working != nil && working == e.Followed:
			return true
		default:
			return p.Host != t.Domains.AutodiscoverHost()
		}
	})
}

func workingAnswer(p *facts.AutodiscoverPlace) *facts.AutodiscoverAnswer {
	for i := range p.Answers {
		if r, _ := exchangeReason(&p.Answers[i]); r == nil || r.Effect == Notes {
			return &p.Answers[i]
		}
	}
	return nil
}

func exchangeFound(e *facts.Exchange) bool { return workingPlace(e) != nil }

// logOnToExchange logs on at the places that ask for it by NTLM, until one answers as Autodiscover does.
func logOnToExchange(ctx context.Context, env *Env, e *facts.Exchange) {
	if env.Target.Exchange.Credential == nil {
		return
	}
	for _, access := range logonPlaces(env.Target, e) {
		e.Logon = env.Shared.Exchange.Logon(ctx, access)
		if !logsOnElsewhere(e.Logon) {
			return
		}
	}
}

// logonPlaces lists the places that ask for a logon by NTLM and to which the credential may go, in the phone's order; where it
// may go to none of them the first, which says so.
func logonPlaces(t *Target, e *facts.Exchange) []reach.ExchangeAccess {
	var all []reach.ExchangeAccess
	for _, p := range places(e) {
		i := slices.IndexFunc(p.Answers, func(a facts.AutodiscoverAnswer) bool {
			return a.Status == http.StatusUnauthorized && reach.OffersNTLM(a.WebAnswer)
		})
		if i >= 0 {
			all = append(all, reach.ExchangeAccess{Way: t.Way, Host: p.Host, URL: p.URL, Address: p.Answers[i].Address, Exchange: *t.Exchange})
		}
	}
	var allowed []reach.ExchangeAccess
	for _, access := range all {
		if t.Exchange.Credential.Allows(access.Host) {
			allowed = append(allowed, access)
		}
	}
	if allowed == nil {
		return all[:min(len(all), 1)]
	}
	return allowed
}

// logsOnElsewhere tells whether the next place is tried after a logon: where it was accepted by something that is not
// Autodiscover, or no password was sent. An account that may have been refused is not used again.
func logsOnElsewhere(l *facts.AutodiscoverLogon) bool {
	switch l.Problem {
	case "":
		return l.Answer.Problem != "" || l.Answer.Autodiscover == nil
	case facts.TLSUntrusted, facts.BindFailed:
		return l.At.IsZero()
	default:
		return false
	}
}

// askWebServices asks at the URL of the answer, else at the one of the site file.
func askWebServices(ctx context.Context, t *Target, e *facts.Exchange) {
	address, by := "", ""
	if a := settings(e); a != nil {
		address, by = a.EWSURL(t.Network == site.Internal)
	}
	if address == "" && t.Exchange.EWSURL != "" {
		address, by = t.Exchange.EWSURL, "the site file"
	}
	if address == "" {
		return
	}
	e.WebServicesBy = by
	asked := func(host string) bool {
		u, err := url.Parse(t.Exchange.EWSURL)
		return err == nil && host == u.Hostname() || slices.ContainsFunc(places(e), func(p *facts.AutodiscoverPlace) bool { return p.Host == host })
	}
	u, why := follow(t, address, asked)
	if why != "" {
		e.WebServicesForeign = fmt.Sprintf("%.200q by %s: %s", withoutPassword(address), by, why)
		return
	}
	server := t.Way.AskExchange(ctx, u.String())
	e.WebServices = &server
}

// settings are what Autodiscover told our account; nil where it did not.
func settings(e *facts.Exchange) *phone.Autodiscover {
	if e.Logon == nil || e.Logon.Answer == nil || e.Logon.Answer.Autodiscover == nil || e.Logon.Answer.Autodiscover.Protocols == nil {
		return nil
	}
	return e.Logon.Answer.Autodiscover
}

// exchangeReason says what is to be said of one answer by HTTPS, to somebody who does not log on.
func exchangeReason(a *facts.AutodiscoverAnswer) (r *Reason, seen string) {
	if a.Problem != "" {
		return exchangeProblems[a.Problem], webText(a.WebAnswer)
	}
	if cutOff(a.Phone) {
		return reasonExchangeHardened, cutOffText(a.Phone, &a.WebAnswer)
	}
	switch {
	case a.Status == http.StatusUnauthorized && reach.OffersNTLM(a.WebAnswer):
		return nil, ""
	case a.Status == http.StatusUnauthorized:
		r = reasonExchangeNoNTLM
	case a.Status == http.StatusOK && a.Autodiscover != nil:
		r = reasonExchangeAnonymous
	case a.Status == http.StatusOK:
		r = reasonExchangePage
	default:
		r = exchangeStatuses.of(a.Status)
	}
	return r, webText(a.WebAnswer)
}

// ewsReason says what is to be said of one answer of the web services.
func ewsReason(a *facts.AutodiscoverAnswer) (r *Reason, seen string) {
	r, seen = exchangeReason(a)
	if r == nil || r == reasonExchangeHardened || r == reasonExchangeNoNTLM {
		return r, seen
	}
	return reasonEWSFailed, webText(a.WebAnswer)
}

func emitExchange(env *Env, e *facts.Exchange) {
	t := env.Target
	working := workingPlace(e)
	if working != nil || exchangeNamesSettled(e) {
		env.Emit(descExchangeFound, oneIf(working != nil))
	}
	once := exchangeSeries{env: env, emitted: map[[3]string]bool{}}
	for _, p := range placesThatCount(t, e) {
		once.emit("autodiscover", p.Host, p.Answers, exchangeReason)
	}
	if w := e.WebServices; w != nil {
		once.emit("ews", hostOf(w.URL), w.Answers, ewsReason)
	}
}

// exchangeSeries gives each series once, whatever leads to a server twice.
type exchangeSeries struct {
	env     *Env
	emitted map[[3]string]bool
}

func (s exchangeSeries) emit(service, host string, answers []facts.AutodiscoverAnswer,
	reason func(*facts.AutodiscoverAnswer) (*Reason, string),
) {
	for i := range answers {
		a := &answers[i]
		labels, server := [3]string{service, host, a.Address.String()}, [3]string{"", host, a.Address.String()}
		if s.emitted[labels] {
			continue
		}
		r, _ := reason(a)
		s.env.Emit(descExchangeOK, oneIf(r == nil || r.Effect == Notes), labels[:]...)
		if len(a.Served) > 0 && !s.emitted[server] {
			s.env.Emit(descExchangeNotAfter, float64(a.Served[0].NotAfter.Unix()), server[1:]...)
		}
		s.emitted[labels], s.emitted[server] = true, true
	}
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// exchangeNamesSettled tells whether it is known where every place is.
func exchangeNamesSettled(e *facts.Exchange) bool {
	return !slices.ContainsFunc(e.Places, func(p facts.AutodiscoverPlace) bool {
		return !(nameView{p.Names}).settled(p.Host, phone.A)
	})
}

// judgeExchange says in which ways phones do not find Exchange, and what kept us from seeing it.
func judgeExchange(t *Target, e *facts.Exchange) []*Failure {
	found := findings{}
	working := workingPlace(e)
	if working == nil {
		judgeNotFound(t, e, found)
	}
	for _, p := range placesThatCount(t, e) {
		judgePlace(p, found)
	}
	if e.Foreign != "" && working == nil {
		found.add(reasonExchangeRedirectForeign, e.Foreign)
	}
	judgeExchangeLogon(t, e, found)
	judgeWebServices(e, found)
	return found.failures(Exchange().Reasons)
}

func judgePlace(p *facts.AutodiscoverPlace, found findings) {
	for i := range p.Answers {
		if r, text := exchangeReason(&p.Answers[i]); r != nil {
			found.add(r, p.URL+": "+text)
		}
	}
}

// judgeNotFound says why no place of the order works, where that lies in the names.
func judgeNotFound(t *Target, e *facts.Exchange, found findings) {
	host := t.Domains.AutodiscoverHost()
	for _, p := range e.Places {
		l, settled := nameView{p.Names}.lookup(p.Host, phone.A)
		switch {
		case !settled:
			found.add(reasonExchangeNamesUnanswered, p.Host+": no resolver answers the name")
		case p.Host != host || !l.None():
		case hasService(e.Service, t.Domains.AutodiscoverService()):
			found.add(reasonAutodiscoverSRVOnly, "A "+host+" "+string(l.Outcome)+", but SRV "+t.Domains.AutodiscoverService()+" is there")
		default:
			found.add(reasonAutodiscoverUnresolved, "A "+host+" "+string(l.Outcome))
		}
	}
}

func hasService(names *facts.Names, name string) bool {
	if names == nil {
		return false
	}
	l, settled := nameView{names}.lookup(name, phone.SRV)
	return settled && !l.None()
}

// judgeExchangeLogon says what came of our own logon.
func judgeExchangeLogon(t *Target, e *facts.Exchange, found findings) {
	l := e.Logon
	switch {
	case l == nil:
		return
	case l.Problem != "":
		found.add(ntlmReason(l.Logon, reasonExchangeUntrusted, reasonExchangeLogonFailed), l.Detail)
		return
	case l.Answer.Problem != "" || l.Answer.Status != http.StatusOK || l.Answer.Autodiscover == nil:
		r, text := exchangeReason(l.Answer)
		if r != nil {
			found.add(r, "logged on with "+t.Exchange.Credential.Name+": "+text)
		}
		return
	}
	switch a := l.Answer.Autodiscover; {
	case a.ErrorCode != "" || a.RedirectAddr != "" || a.RedirectURL != "":
		found.add(reasonAutodiscoverRefuses, autodiscoverText(a))
	case e.WebServicesBy == "" || e.WebServicesBy == "the site file":
		found.add(reasonEWSMissing, autodiscoverText(a))
	}
}

func judgeWebServices(e *facts.Exchange, found findings) {
	if e.WebServicesForeign != "" {
		found.add(reasonEWSForeign, e.WebServicesForeign)
	}
	w := e.WebServices
	if w == nil {
		return
	}
	host := hostOf(w.URL)
	l, settled := nameView{w.Names}.lookup(host, phone.A)
	switch {
	case !settled:
		found.add(reasonExchangeNamesUnanswered, host+": no resolver answers the name")
	case l.None():
		found.add(reasonEWSFailed, w.URL+": A "+host+" "+string(l.Outcome))
	}
	for i := range w.Answers {
		if r, text := ewsReason(&w.Answers[i]); r != nil {
			found.add(r, w.URL+": "+text)
		}
	}
}

// autodiscoverText says in a few words what Autodiscover told our account.
func autodiscoverText(a *phone.Autodiscover) string {
	switch {
	case a.ErrorCode != "":
		return fmt.Sprintf("error %.20q: %.200q", a.ErrorCode, a.Message)
	case a.RedirectAddr != "":
		return fmt.Sprintf("leads to the mailbox %.200q", a.RedirectAddr)
	case a.RedirectURL != "":
		return fmt.Sprintf("leads to %.200q", withoutPassword(a.RedirectURL))
	}
	var types []string
	for _, p := range a.Protocols {
		types = append(types, fmt.Sprintf("%.20q", p.Type))
	}
	return "protocols: " + strings.Join(types, ", ")
}
