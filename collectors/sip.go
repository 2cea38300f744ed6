package collectors

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/metric"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/reach"
	"github.com/cx700/cx700_exporter/internal/site"
)

const (
	// maxRedirects bounds how often a registrar may lead to another (SIGNIN section 1; the limit is ours).
	maxRedirects      = 3
	sipPort, edgePort = "5061", "443"
)

var (
	descSIPOK = metric.NewGauge("cx700_sip_ok",
		"Whether a registrar takes up the sign-in of a firmware (1) or not (0), as far as that shows before the logon; absent when it was not asked.",
		`cx700_sip_ok == 0`, "network", "target", "address", "firmware")
	descSIPStatus = metric.NewGauge("cx700_sip_status",
		"SIP status of a registrar for a phone that does not log on yet, of the first firmware that gets an answer; 401 is the healthy one. "+
			"Absent without an answer.",
		`cx700_sip_status != 401`, "network", "target", "address")
	descSIPServer = metric.NewGauge("cx700_sip_server_info",
		"What a registrar calls itself; RTC/3.5 is OCS 2007 R2.", `cx700_sip_server_info`, "network", "target", "address", "server")
	descSIPClock = metric.NewGauge("cx700_sip_clock_offset_seconds",
		"A registrar's clock less ours, as its Date says, to a second.", `abs(cx700_sip_clock_offset_seconds) > 60`, "network", "target", "address")
)

// SIP watches how registrars take up a sign-in, as far as that shows without a password.
func SIP() *Collector {
	return &Collector{
		Name: "sip", Asks: "Does the registrar take up the sign-in of each firmware?", Guide: "18-19, 32-33",
		Steps:    []phone.Step{phone.StepSignIn},
		Interval: time.Minute, Timeout: 30 * time.Second,
		Reasons: sipReasons(),
		Metrics: []*metric.Desc{descSIPOK, descSIPStatus, descSIPServer, descSIPClock},
		Targets: func(s *site.Site, n site.Network) []Target {
			t := namesTarget("sip", s, n)
			t.SIPUser = cmp.Or(n.SIPUser, phone.SIPProbe)
			return []Target{t}
		},
		Probe:   probeSIP,
		Judge:   func(t *Target, seen *facts.Seen) []*Failure { return judgeSIP(t, seen.SIP) },
		Explain: explainSIP,
	}
}

func probeSIP(ctx context.Context, env *Env, seen *facts.Seen) error {
	names, err := env.Names(ctx)
	if err != nil {
		return err
	}
	t := env.Target
	s := &facts.SIP{Names: names}
	for _, fw := range t.Firmware {
		s.Routes = append(s.Routes, facts.Route{
			Firmware: fw.Version, Endpoints: t.Domains.Endpoints(fw.Registrar, nameView{names}.find),
		})
	}
	servers, leftOut := poolServers(s.Routes)
	s.LeftOut = leftOut
	if deadline, ok := ctx.Deadline(); ok { // what was seen by then is still judged
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)*8/10)
		defer cancel()
	}
	s.Servers = make([]facts.SIPServer, len(servers))
	reach.Parallel(len(servers), func(i int) {
		s.Servers[i] = facts.SIPServer{Address: servers[i].Address, Hosts: servers[i].Hosts}
		askRegistrar(ctx, env, &s.Servers[i])
	})
	seen.SIP = s
	emitSIP(env, s)
	return join(judgeSIP(t, s))
}

// askRegistrar asks as each firmware; where there is no connection with any, one of them says it.
func askRegistrar(ctx context.Context, env *Env, s *facts.SIPServer) {
	all := make([]facts.SIPAnswer, len(env.Target.Firmware))
	reach.Parallel(len(all), func(i int) { all[i] = askAs(ctx, env, env.Target.Firmware[i], s.Address, s.Hosts[0]) })
	if !slices.ContainsFunc(all, func(a facts.SIPAnswer) bool { return a.Problem != facts.SIPNoConnection }) {
		all = all[:min(1, len(all))]
	}
	s.Answers = all
}

func askAs(ctx context.Context, env *Env, fw phone.Firmware, address netip.AddrPort, host string) facts.SIPAnswer {
	t := env.Target
	ask := func(address netip.AddrPort, host string) facts.SIPAnswer {
		a := t.Way.Register(ctx, address, host, phone.Register{Domain: t.Domains.SIP, User: t.SIPUser, UserAgent: fw.UserAgent()})
		a.Firmware = fw.Version
		return a
	}
	first := ask(address, host)
	last := &first
	for hops := 0; last.Problem == "" && sipRedirect(last.Status); hops++ {
		if hops == maxRedirects {
			last.NotFollowed = fmt.Sprintf("more than %d redirects", maxRedirects)
			break
		}
		to, foreign, unanswered, why := redirected(ctx, env, last.Contacts)
		if to == nil {
			last.NotFollowed, last.Foreign, last.LeftOut = why, foreign, unanswered
			break
		}
		last.Next = askInTurn(ctx, to, ask)
		last = last.Next
		if last.Problem == facts.SIPNoConnection {
			last.LeftOut += unanswered
		}
		last.Foreign = foreign && last.Problem == facts.SIPNoConnection
	}
	return first
}

// sipLead is an address to which a redirect leads, and the name behind which it is.
type sipLead struct {
	address netip.AddrPort
	host    string
}

// askInTurn asks addresses until a connection comes about. Not all at once: each registrar that leads there does so, as
// each firmware.
func askInTurn(ctx context.Context, to []sipLead, ask func(netip.AddrPort, string) facts.SIPAnswer) *facts.SIPAnswer {
	var last facts.SIPAnswer
	for i, lead := range to[:min(len(to), maxPoolServers)] {
		last = ask(lead.address, lead.host)
		if last.Problem != "" && ctx.Err() != nil { // it had not its whole time
			last.LeftOut = len(to) - i
			return &last
		}
		if last.Problem != facts.SIPNoConnection {
			return &last
		}
	}
	last.LeftOut = max(0, len(to)-maxPoolServers)
	return &last
}

func sipRedirect(status int) bool { return status == 301 || status == 302 }

// redirected finds the registrars to which another one leads: in the site's own domains only. Foreign tells that some
// are another's, unanswered how many names no resolver answered; why says why there is none.
func redirected(ctx context.Context, env *Env, contacts []string) (to []sipLead, foreign bool, unanswered int, why string) {
	if len(contacts) == 0 {
		return nil, false, 0, "it does not say where to"
	}
	var wrong []string
	if more := len(contacts) - maxPoolServers; more > 0 {
		contacts, foreign, wrong = contacts[:maxPoolServers], true, []string{fmt.Sprintf("%d more are not looked for", more)}
	}
	for _, contact := range contacts {
		host, port, other, why := redirectHost(env.Target, contact)
		foreign = foreign || other
		if why != "" {
			wrong = append(wrong, why)
			continue
		}
		names := env.Resolve(ctx, host)
		addresses := slices.SortedFunc(slices.Values(reach.Addresses(names)), netip.Addr.Compare) // DNS turns them round
		switch {
		case len(addresses) > 0:
		case nameView{names}.settled(host, phone.A):
			wrong = append(wrong, host+" has no address")
		default:
			unanswered++
			wrong = append(wrong, "no resolver answers "+host)
		}
		for _, a := range addresses {
			to = append(to, sipLead{netip.AddrPortFrom(a, port), host})
		}
	}
	return to, foreign, unanswered, strings.Join(wrong, "; ")
}

// redirectHost takes apart where a redirect leads.
func redirectHost(t *Target, contact string) (host string, port uint16, foreign bool, why string) {
	host, service := contact, sipPort
	if h, p, err := net.SplitHostPort(contact); err == nil {
		host, service = h, p
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	switch {
	case !ownHost(t, host):
		return "", 0, true, fmt.Sprintf("%.100q lies in none of the site's domains", host)
	case service != sipPort && service != edgePort:
		return "", 0, true, fmt.Sprintf("%.100q has another port than %s or %s", contact, sipPort, edgePort)
	}
	return host, netip.MustParseAddrPort("0.0.0.0:" + service).Port(), false, ""
}

func emitSIP(env *Env, s *facts.SIP) {
	for i := range s.Servers {
		server := &s.Servers[i]
		address := server.Address.String()
		for j := range server.Answers {
			a := &server.Answers[j]
			if a.Problem == facts.SIPNoConnection {
				continue
			}
			if r, _ := sipReason(a); r == nil || r.Effect != Blinds {
				env.Emit(descSIPOK, oneIf(r == nil || r.Effect == Notes), address, a.Firmware)
			}
		}
		if a := answered(server); a != nil {
			env.Emit(descSIPStatus, float64(a.Status), address)
			env.Emit(descSIPServer, 1, address, versionLabel(a.Server))
			if !a.Date.IsZero() {
				env.Emit(descSIPClock, sipClock(a).Seconds(), address)
			}
		}
	}
}

// answered is the first answer of a registrar that is one.
func answered(s *facts.SIPServer) *facts.SIPAnswer {
	i := slices.IndexFunc(s.Answers, func(a facts.SIPAnswer) bool { return a.Status != 0 })
	if i < 0 {
		return nil
	}
	return &s.Answers[i]
}

// sipClock is by how much a registrar's clock is off, to a second.
func sipClock(a *facts.SIPAnswer) time.Duration {
	off := a.Date.Sub(a.At)
	if off > -time.Second && off <= 0 {
		return 0 // Date has whole seconds
	}
	return off.Round(time.Second)
}

// judgeSIP says for which firmware registrars take up no sign-in, or not everywhere.
func judgeSIP(t *Target, s *facts.SIP) []*Failure {
	found := findings{}
	for _, fw := range t.Firmware {
		route := facts.RouteOf(s.Routes, fw.Version)
		j := &registrarJudge{
			target: t, view: nameView{s.Names}, servers: map[netip.AddrPort]serverState{}, found: found, spoken: true,
			reasons: registrarReasons{
				// That there is no registrar is said by the collectors dns and pool.
				unavailable: reasonSIPUnavailable, noRegistrar: reasonSIPNoConnection, outside: reasonSIPNoConnection,
				namesUnanswered: reasonSIPNamesUnanswered, notAllAsked: reasonSIPNotAllAsked,
			},
		}
		connected := connectedOn(s, fw, route)
		for k := range s.Servers {
			if a := s.Servers[k].AnswerTo(fw.Version); a != nil {
				r, text := sipReason(a)
				j.servers[s.Servers[k].Address] = serverState{
					reason: r, text: fmt.Sprintf("%s at %s: %s", fw.Version, s.Servers[k].Address, text),
					aside: connected && a.Problem == facts.SIPNoConnection,
				}
			}
		}
		j.route(fw, route)
	}
	for i := range s.Servers {
		noteSIP(t, &s.Servers[i], found)
	}
	if s.LeftOut > 0 {
		found.add(reasonSIPLeftOut, fmt.Sprintf("%d of %d addresses are not asked", s.LeftOut, len(s.Servers)+s.LeftOut))
	}
	return found.failures(sipReasons())
}

// connectedOn tells whether TLS comes about with some registrar on the route of a firmware.
func connectedOn(s *facts.SIP, fw phone.Firmware, route []phone.Endpoint) bool {
	return slices.ContainsFunc(s.Servers, func(server facts.SIPServer) bool {
		a := server.AnswerTo(fw.Version)
		return a != nil && a.Problem != facts.SIPNoConnection && slices.ContainsFunc(route, func(e phone.Endpoint) bool {
			return e.Usable(fw.StrictSRV) && e.Port == server.Address.Port() && slices.Contains(e.Addresses, server.Address.Addr())
		})
	})
}

// sipReason says why a registrar does not take up a sign-in; nil when it does.
func sipReason(a *facts.SIPAnswer) (r *Reason, seen string) {
	last := a.Last()
	switch {
	case last.LeftOut > 0 && last.NotFollowed != "":
		return reasonSIPNotAllAsked, fmt.Sprintf("%s (%s)", sipText(last), last.NotFollowed)
	case last.LeftOut > 0:
		return reasonSIPNotAllAsked, fmt.Sprintf("%s leads to %s, of which %s; not asked: %d more addresses",
			sipText(a), last.Host, sipText(last), last.LeftOut)
	case last != a && last.Foreign && last.Problem == facts.SIPNoConnection:
		return reasonSIPRedirectForeign, fmt.Sprintf("%s, of which %s at %s: %s", sipText(a), last.Host, last.Address, last.Detail)
	case last != a && last.Problem == facts.SIPNoConnection:
		return reasonSIPRedirectLost, fmt.Sprintf("%s leads to %s at %s: %s", sipText(a), last.Host, last.Address, last.Detail)
	}
	seen = sipText(last)
	if last.NotFollowed != "" {
		seen += " (" + last.NotFollowed + ")"
	}
	return answerReasonSIP(last), seen
}

func answerReasonSIP(a *facts.SIPAnswer) *Reason {
	said := func(about func(phone.SIPDiagnostic) bool) bool { return slices.ContainsFunc(a.Diagnostics, about) }
	switch {
	case a.Problem != "":
		return sipProblems[a.Problem]
	case said(phone.SIPDiagnostic.BlockedVersion):
		return reasonSIPVersionBlocked
	case said(phone.SIPDiagnostic.FilterTrouble):
		return reasonSIPFilterTrouble
	case said(func(d phone.SIPDiagnostic) bool { return d.ID == phone.DiagnosticTimeSkew }):
		return reasonSIPTimeSkew
	case said(phone.SIPDiagnostic.NoRoute):
		return reasonSIPNoRoute
	case said(phone.SIPDiagnostic.NextHop):
		return reasonSIPNextHop
	case said(phone.SIPDiagnostic.AboutUser):
		return reasonSIPUserUnknown
	case said(phone.SIPDiagnostic.AboutRequest), a.Status == 406:
		return reasonSIPRequestDeclined
	case sipRedirect(a.Status) && a.Foreign:
		return reasonSIPRedirectForeign
	case sipRedirect(a.Status) && strings.HasPrefix(a.NotFollowed, "more than"):
		return reasonSIPRedirectCircle
	case sipRedirect(a.Status):
		return reasonSIPRedirectLost
	default:
		return sipStatusReason(a)
	}
}

func sipStatusReason(a *facts.SIPAnswer) *Reason {
	switch {
	case a.Status == 401 || a.Status == 407:
		if !slices.ContainsFunc(a.Challenges, func(c phone.SIPChallenge) bool { return c.Windows() }) {
			return reasonSIPNoLogon
		}
		return nil
	case a.Status == 200: // noted apart
		return nil
	case a.Status == 403:
		return reasonSIPForbidden
	case a.Status == 404:
		return reasonSIPUserUnknown
	case a.Status == 489:
		return reasonSIPEvent
	case a.Status == 503:
		return reasonSIPOverloaded
	case a.Status == 504:
		return reasonSIPNextHop
	case a.Status >= 500 && a.Status < 600:
		return reasonSIPServerError
	default:
		return reasonSIPStatus
	}
}

var sipProblems = map[facts.SIPProblem]*Reason{
	facts.SIPNoConnection: reasonSIPNoConnection,
	facts.SIPSilent:       reasonSIPSilent,
	facts.SIPClosed:       reasonSIPClosed,
	facts.SIPMalformed:    reasonSIPMalformed,
}

// noteSIP looks at what does not keep the registrar from taking up a sign-in.
func noteSIP(t *Target, s *facts.SIPServer, found findings) {
	for i := range s.Answers {
		a := s.Answers[i].Last()
		if a.Status == 200 {
			found.add(reasonSIPAnonymous, fmt.Sprintf("%s: %s", s.Address, sipText(a)))
		}
		if slices.ContainsFunc(a.Diagnostics, phone.SIPDiagnostic.WarnedVersion) {
			found.add(reasonSIPVersionWarned, fmt.Sprintf("%s at %s: %s", a.Firmware, s.Address, sipText(a)))
		}
		if a.LeftOut > 0 && a.NotFollowed == "" {
			found.add(reasonSIPLeftOut, fmt.Sprintf("%s: %d addresses are not asked", a.Host, a.LeftOut))
		}
		hosts := s.Hosts
		if a != &s.Answers[i] {
			hosts = []string{a.Host}
		}
		if name := strangeName(a, hosts); name != "" && t.Network == site.Internal { // an Access Edge hands on what the pool says
			found.add(reasonSIPTargetName, fmt.Sprintf("%s: targetname %.100q", a.Address, name))
		}
	}
}

// strangeName is a name that a registrar gives itself and neither its certificate nor hosts have; empty without one.
func strangeName(a *facts.SIPAnswer, hosts []string) string {
	for _, c := range a.Challenges {
		name := c.Host()
		led := slices.ContainsFunc(hosts, func(h string) bool { return strings.EqualFold(h, name) })
		if name != "" && !led && len(a.Served) > 0 && phone.MatchName(a.Served[0], name) == phone.NameMismatch {
			return name
		}
	}
	return ""
}

// sipText says in a few words what a registrar answered.
func sipText(a *facts.SIPAnswer) string {
	if a.Problem != "" {
		return fmt.Sprintf("%s: %s", a.Problem, a.Detail)
	}
	text := fmt.Sprintf("%d %.40s", a.Status, a.Phrase)
	var schemes []string
	for _, c := range a.Challenges {
		schemes = append(schemes, fmt.Sprintf("%.20s %d", c.Scheme, c.Version))
	}
	if schemes != nil {
		text += ", offers " + strings.Join(schemes, ", ")
	}
	for _, d := range a.Diagnostics {
		text += fmt.Sprintf(", ms-diagnostics %d", d.ID)
		if d.Reason != "" {
			text += fmt.Sprintf(" %.80q", d.Reason)
		}
	}
	if a.Contacts != nil {
		text += fmt.Sprintf(", leads to %.100q", strings.Join(a.Contacts, ", "))
	}
	return text
}
