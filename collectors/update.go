package collectors

import (
	"context"
	"fmt"
	"net/http"
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
	// maxVersionsListed bounds for how many versions there are series.
	maxVersionsListed = 8
	// maxVersionLabel bounds the length of a version that a server made up.
	maxVersionLabel = 63
	// maxUpdateClock is from which offset on a server's coarse clock is told of; Kerberos' usual limit.
	maxUpdateClock = 5 * time.Minute
)

var (
	descUpdateInfo = metric.NewGauge("cx700_update_server_info",
		"The versions that a server for updates tells; two series are front ends that differ. 3.5 is OCS 2007 R2.",
		`count by (network, target) (cx700_update_server_info) > 1`, "network", "target", "server_version", "service_version")
	descBaseURL = metric.NewGauge("cx700_update_base_url_populated",
		"Whether all updates offered have the base URL for phones inside (internal) or outside (external); absent without an offer.",
		`cx700_update_base_url_populated == 0`, "network", "target", "url")
	descUpdateOK = metric.NewGauge("cx700_update_ok",
		"Whether a server for updates answers as phones need it (1) or not (0), one for each address of its name; absent when that was not answered.",
		`cx700_update_ok == 0`, "network", "target", "host", "address")
	descUpdateStatus = metric.NewGauge("cx700_update_http_status",
		"HTTP status of the update service for somebody who does not log on: 200 inside, 401 outside when healthy; absent without an answer.",
		`cx700_update_http_status{address=~".*:80"} != 200`, "network", "target", "host", "address")
	descUpdateOffered = metric.NewGauge("cx700_update_offered_info",
		"A version that the update service offers.",
		`cx700_update_offered_info`, "network", "target", "version")
)

// Update watches the service that phones ask for new firmware.
func Update() *Collector {
	return &Collector{
		Name: "update", Asks: "Do phones get an answer when they ask for new firmware?", Guide: "17, 20, 23, 26, 31",
		Steps:    []phone.Step{phone.StepUpdate},
		Interval: time.Minute, Timeout: 20 * time.Second,
		Reasons: updateReasons(),
		Metrics: []*metric.Desc{descUpdateInfo, descBaseURL, descUpdateOK, descUpdateStatus, descUpdateOffered},
		Targets: func(s *site.Site, n site.Network) []Target { return updateTargets("update", s, n) },
		Probe:   probeUpdate,
		Judge:   func(t *Target, seen *facts.Seen) []*Failure { return judgeUpdate(t, seen.Update) },
		Explain: explainUpdate,
	}
}

// updateTargets gives the target of collectors that depend on the update service: outside only where the
// site file names the reverse proxy.
func updateTargets(collector string, s *site.Site, n site.Network) []Target {
	if n.Name == site.External && n.ReverseProxy == "" {
		return nil
	}
	t := namesTarget(collector, s, n)
	_, resolvers, _ := strings.Cut(t.Name, "@")
	switch {
	case n.Name == site.External:
		t.Name = n.ReverseProxy + "@" + resolvers
	case n.FrontEnds != nil:
		t.Name = strings.Join(n.FrontEnds, "+") + "@" + resolvers
	}
	update := n.Update
	t.FrontEnds, t.Update = n.FrontEnds, &update
	return []Target{t}
}

func probeUpdate(ctx context.Context, env *Env, seen *facts.Seen) error {
	u, err := env.Update(ctx)
	if err != nil {
		return err
	}
	seen.Update = u
	emitUpdate(env, u)
	return join(judgeUpdate(env.Target, u))
}

// updateHosts lists the servers to ask: those of the site file, else those that phones find.
func updateHosts(t *Target, find phone.Find) []reach.UpdateHost {
	var out []reach.UpdateHost
	add := func(name string, spare bool) {
		if name != "" && !slices.ContainsFunc(out, func(h reach.UpdateHost) bool { return h.Name == name }) {
			out = append(out, reach.UpdateHost{Name: name, Spare: spare})
		}
	}
	switch {
	case t.Network == site.External:
		add(t.Domains.ReverseProxy, false)
	case t.FrontEnds != nil:
		for _, host := range t.FrontEnds {
			add(host, false)
		}
	default:
		asked := slices.ContainsFunc(t.Firmware, func(f phone.Firmware) bool { return f.UpdateName })
		for i, host := range t.Domains.UpdateHosts() {
			add(host, i > 0 || !asked)
		}
		for _, f := range t.Firmware {
			add(pool(t.Domains, f.Registrar, find), true)
		}
	}
	return out
}

// pool is the host to which the first SRV record in a registrar order leads. It serves updates as well, also
// where phones pass it over as a registrar, because it lies outside the SIP domain.
func pool(d phone.Domains, order phone.RegistrarOrder, find phone.Find) string {
	for _, e := range d.Endpoints(order, find) {
		if e.From.Type == phone.SRV && e.Usable(false) {
			return e.Host
		}
	}
	return ""
}

// updateAnswers returns what a server says to the phones of this network: to everybody, and to our account.
func updateAnswers(t *Target, s *facts.UpdateServer) []facts.UpdateAnswer {
	return append(anonymousAnswers(t, s), loggedOnAnswers(s)...)
}

func anonymousAnswers(t *Target, s *facts.UpdateServer) []facts.UpdateAnswer {
	var out []facts.UpdateAnswer
	if first := firstAnswer(t, s); first != nil {
		out = append(out, *first)
	}
	return understood(append(out, s.Posts...))
}

func loggedOnAnswers(s *facts.UpdateServer) []facts.UpdateAnswer {
	if s.Logon == nil {
		return nil
	}
	return understood(slices.Clone(s.Logon.Answers))
}

func understood(answers []facts.UpdateAnswer) []facts.UpdateAnswer {
	return slices.DeleteFunc(answers, func(a facts.UpdateAnswer) bool { return a.Response == nil })
}

// firstAnswer is the one that a phone would get: from port 80 inside, and from 443 where that is the only
// one; from 443 outside.
func firstAnswer(t *Target, s *facts.UpdateServer) *facts.UpdateAnswer {
	if t.Network == site.External || s.Plain == nil || s.Plain.Response == nil && s.Secure != nil && s.Secure.Response != nil {
		return s.Secure
	}
	return s.Plain
}

// counted lists the servers whose trouble is phones' trouble. Phones do without spare names: a wildcard record or a
// pool without a web server is no fault while the name that they use is there. Where that has no address, the spare
// names that answer as the service count, and all of them where none does.
func counted(t *Target, u *facts.Update) []*facts.UpdateServer {
	var own, working, spare []*facts.UpdateServer
	for i := range u.Servers {
		s := &u.Servers[i]
		r, _ := updateServerReason(t, s)
		l, settled := nameView{s.Names}.lookup(s.Host, phone.A)
		switch {
		case !s.Spare && (!settled || !l.None()):
			own = append(own, s)
		case s.Spare && (!settled || !l.None()):
			spare = append(spare, s)
			if r == nil || r.Effect == Notes {
				working = append(working, s)
			}
		}
	}
	switch {
	case own != nil:
		return append(own, working...)
	case working != nil:
		return working
	default:
		return spare
	}
}

func emitUpdate(env *Env, u *facts.Update) {
	t := env.Target
	count := counted(t, u)
	versions, offered := map[[2]string]bool{}, map[string]bool{}
	var inside, outside baseURLs
	for i := range u.Servers {
		s := &u.Servers[i]
		emitServer(env, s, slices.Contains(count, s))
		for _, a := range updateAnswers(t, s) {
			pair := [2]string{versionLabel(a.Response.ServerVersion), versionLabel(a.Response.ServiceVersion)}
			if len(versions) < maxVersionsListed && !versions[pair] {
				versions[pair] = true
				env.Emit(descUpdateInfo, 1, pair[0], pair[1])
			}
			for _, f := range a.Response.Files {
				inside.take(f.BaseURLTold, f.BaseURL)
				outside.take(f.ExternalBaseURLTold, f.ExternalBaseURL)
				if v := f.Version(); v != "" && f.ForBuild(phone.CX700()) && len(offered) < maxVersionsListed && !offered[v] {
					offered[v] = true
					env.Emit(descUpdateOffered, 1, v)
				}
			}
		}
	}
	inside.emit(env, "internal")
	outside.emit(env, "external")
}

// baseURLs tells whether those of all offers are filled in.
type baseURLs struct{ told, blank bool }

func (b *baseURLs) take(told bool, url string) {
	b.told, b.blank = b.told || told, b.blank || told && url == ""
}

func (b *baseURLs) emit(env *Env, which string) {
	if b.told {
		env.Emit(descBaseURL, oneIf(!b.blank), which)
	}
}

func emitServer(env *Env, s *facts.UpdateServer, counts bool) {
	r, _ := updateServerReason(env.Target, s)
	l, settled := nameView{s.Names}.lookup(s.Host, phone.A)
	if counts && settled || settled && l.None() && !s.Spare {
		env.Emit(descUpdateOK, oneIf(r == nil || r.Effect != Degrades), s.Host, updateAddress(env.Target, s))
	}
	for _, a := range []*facts.UpdateAnswer{s.Plain, s.Secure} {
		if a != nil && a.Status != 0 {
			env.Emit(descUpdateStatus, float64(a.Status), s.Host, a.Address.String())
		}
	}
}

// updateAddress is where phones of this network ask a server; empty where it has no address.
func updateAddress(t *Target, s *facts.UpdateServer) string {
	switch {
	case !s.Address.IsValid():
		return ""
	case t.Network == site.External:
		return netip.AddrPortFrom(s.Address, 443).String()
	default:
		return netip.AddrPortFrom(s.Address, 80).String()
	}
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

func versionLabel(v string) string { return strings.ToValidUTF8(v[:min(len(v), maxVersionLabel)], "") }

// updateText says in a few words what the service answered.
func updateText(a *facts.UpdateAnswer) string {
	text := webText(a.WebAnswer)
	if a.Response != nil {
		text += ", " + responseText(a.Response)
	}
	return text
}

func responseText(r *phone.UpdateResponse) string {
	text := fmt.Sprintf("server %q, service %q, files offered: %d", versionLabel(r.ServerVersion), versionLabel(r.ServiceVersion), len(r.Files))
	if r.NumOfFiles >= 0 && r.NumOfFiles != len(r.Files) {
		text += fmt.Sprintf(" (NumOfFiles says %d)", r.NumOfFiles)
	}
	for _, f := range r.Files[:min(len(r.Files), maxVersionsListed)] {
		if v := f.Version(); v != "" {
			text += ", " + v
		}
	}
	return text
}

// webText says in a few words what a web server answered.
func webText(a facts.WebAnswer) string {
	if a.Problem != "" {
		return fmt.Sprintf("%s at %s: %s", a.Problem, a.Address, a.Detail)
	}
	text := fmt.Sprintf("status %d at %s", a.Status, a.Address)
	switch {
	case a.Status == http.StatusUnauthorized && len(a.Schemes) == 0:
		text += ", offers no logon"
	case a.Status == http.StatusUnauthorized:
		text += ", offers " + strings.Join(a.Schemes, ", ")
	case a.Location != "":
		text += ", leads to " + shownLocation(a.Location)
	case a.Detail != "":
		text += ": " + a.Detail
	}
	return text
}

// shownLocation is where a redirect leads, without what may be secret in it: a password, and what is asked for.
func shownLocation(location string) string {
	const longest = 80
	shown := withoutPassword(location)
	where := shown
	if i := strings.IndexAny(shown, "?#"); i >= 0 {
		where = shown[:i]
	}
	if len(where) > longest || len(shown) > len(where)+1 {
		where = where[:min(len(where), longest)] + "..."
	}
	return where
}
