package collectors

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
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
		Interval: time.Minute, Timeout: 20 * time.Second,
		Reasons: updateReasons(),
		Metrics: []*metric.Desc{descUpdateInfo, descBaseURL, descUpdateOK, descUpdateStatus, descUpdateOffered},
		Targets: func(s *site.Site, n site.Network) []Target { return updateTargets("update", s, n) },
		Probe:   probeUpdate,
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
	t.FrontEnds, t.Update = n.FrontEnds, n.Update
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
		case s.Spare && !(settled && l.None()):
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

// judgeUpdate says in which ways phones get no answer, or none that helps them.
func judgeUpdate(t *Target, u *facts.Update) []*Failure {
	found := findings{}
	resolved := false
	count := counted(t, u)
	for i := range u.Servers {
		s := &u.Servers[i]
		if r, text := updateServerReason(t, s); r != nil && (slices.Contains(count, s) || r == reasonUpdateUnresolved) {
			found.add(r, s.Host+": "+text)
		}
		judgePosts(t, s, found)
		if r, text := updateLogonReason(t, s); r != nil {
			found.add(r, s.Host+": "+text)
		}
		l, settled := nameView{s.Names}.lookup(s.Host, phone.A)
		resolved = resolved || !settled || !l.None()
		for _, a := range updateAnswers(t, s) {
			judgeResponse(t, s.Host, &a, found)
		}
	}
	if !resolved && found[reasonUpdateUnresolved] == nil {
		found.add(reasonUpdateUnresolved, "no name of the update service has an address")
	}
	judgeDifferences(t, u, found)
	for _, host := range u.LeftOut {
		found.add(reasonUpdateLeftOut, host)
	}
	return found.failures(Update().Reasons)
}

// updateServerReason says what is to be said of one server's answer to somebody who does not log on.
func updateServerReason(t *Target, s *facts.UpdateServer) (r *Reason, seen string) {
	l, settled := nameView{s.Names}.lookup(s.Host, phone.A)
	switch {
	case !settled:
		return reasonUpdateNamesUnanswered, "no resolver answers its name"
	case l.None() && s.Spare:
		return nil, ""
	case l.None():
		return reasonUpdateUnresolved, "A " + string(l.Outcome)
	case t.Network == site.External && s.Secure != nil:
		if text := refusedCertificate(t, s.Host, s.Secure.Served, s.Secure.At); text != "" {
			return reasonUpdateCertificate, fmt.Sprintf("at %s: %s", s.Secure.Address, text)
		}
		return outsideReason(s.Secure), updateText(s.Secure)
	case s.Plain == nil:
		return reasonUpdateSilent, "no time was left to ask"
	}
	r = insideReason(s.Plain)
	if r == nil {
		return nil, ""
	}
	if s.Secure != nil && s.Secure.Response != nil && s.Plain.Status < http.StatusInternalServerError {
		return reasonUpdateHTTPSOnly, updateText(s.Plain) + "; " + updateText(s.Secure)
	}
	return r, updateText(s.Plain)
}

func insideReason(a *facts.UpdateAnswer) *Reason {
	switch {
	case a.Status == http.StatusUnauthorized:
		return reasonUpdateLogonWanted
	case isRedirect(a.Status) && leadsToHTTPS(a.Location):
		return reasonUpdateHTTPSOnly
	}
	return updateAnswerReason(a)
}

func outsideReason(a *facts.UpdateAnswer) *Reason {
	switch {
	case a.Status == http.StatusUnauthorized && reach.OffersNTLM(a.WebAnswer):
		return nil
	case a.Status == http.StatusUnauthorized:
		return reasonUpdateNoNTLM
	case a.Status == http.StatusOK && a.Response != nil:
		return reasonUpdateAnonymous
	}
	return updateAnswerReason(a)
}

// updateAnswerReason says what is to be said of an answer on either side.
func updateAnswerReason(a *facts.UpdateAnswer) *Reason {
	switch {
	case a.Problem != "":
		return updateProblems[a.Problem]
	case a.Status == http.StatusOK && a.Response != nil:
		return nil
	case a.Status == http.StatusOK:
		return reasonUpdateUnparsable
	default:
		return updateStatuses.of(a.Status)
	}
}

func isRedirect(status int) bool {
	return status >= http.StatusMultipleChoices && status < http.StatusBadRequest
}

func leadsToHTTPS(location string) bool {
	to, err := url.Parse(location)
	return err == nil && strings.EqualFold(to.Scheme, "https")
}

// updateLogonReason says what came of our own logon.
func updateLogonReason(t *Target, s *facts.UpdateServer) (r *Reason, seen string) {
	l := s.Logon
	if l == nil {
		return nil, ""
	}
	if r := webLogonReason(l.Logon); r != nil {
		return r, l.Detail
	}
	for i := range l.Answers {
		if r := updateAnswerReason(&l.Answers[i]); r != nil && l.Answers[i].Firmware == "" {
			return r, "logged on with " + t.Update.Credential.Name + ": " + updateText(&l.Answers[i])
		}
	}
	return nil, ""
}

// webLogonReason says why a logon by NTLM over TLS came to nothing, nil when it did not.
func webLogonReason(l facts.Logon) *Reason {
	return ntlmReason(l, reasonUpdateUntrusted, reasonUpdateLogonFailed)
}

// ntlmReason is webLogonReason for servers of any kind.
func ntlmReason(l facts.Logon, untrusted, failed *Reason) *Reason {
	switch {
	case l.Problem == "":
		return nil
	case slices.Contains(updateLogonProblems[:], l.Problem):
		return logonReasons[l.Problem]
	case l.Problem == facts.TLSUntrusted:
		return untrusted
	default:
		return failed
	}
}

// judgeResponse looks at what one answer says.
func judgeResponse(t *Target, host string, a *facts.UpdateAnswer, found findings) {
	if now := a.Response.CurrentTime; !now.IsZero() {
		if off := phone.ClockError(now, a.At); off.Abs() > maxUpdateClock {
			found.add(reasonUpdateClockOff, fmt.Sprintf("%s: CurrentTime %s, off by about %s", host, now.Format(time.DateTime), off.Round(time.Minute)))
		}
	}
	if a.Response.NumOfFiles > 0 && len(a.Response.Files) == 0 {
		found.add(reasonUpdateNotUnderstood, fmt.Sprintf("%s: NumOfFiles is %d, but no FileName is in the answer", host, a.Response.NumOfFiles))
	}
	for _, f := range a.Response.Files {
		judgeBaseURLs(t, host, f, found)
	}
	for _, fw := range t.Firmware {
		if a.Firmware == "" || a.Firmware == fw.Version {
			judgeLadder(host, fw, a.Response.Files, found)
		}
	}
}

// judgePosts says where the answer to a POST is of no use, although the one to a GET is. The template is not verified,
// so that this is no fault of the server's.
func judgePosts(t *Target, s *facts.UpdateServer, found findings) {
	posts := slices.Clone(s.Posts)
	if s.Logon != nil {
		posts = append(posts, s.Logon.Answers...)
	}
	for i := range posts {
		p := &posts[i]
		r := updateAnswerReason(p)
		switch {
		case p.Firmware == "" || r == nil:
		case p.Problem == facts.WebBadRequest:
			found.add(reasonUpdateTemplate, p.Detail)
		default:
			found.add(reasonUpdatePostRefused, fmt.Sprintf("%s, as firmware %s: %s", s.Host, p.Firmware, updateText(p)))
		}
	}
}

func judgeBaseURLs(t *Target, host string, f phone.UpdateFile, found findings) {
	switch {
	case t.Network != site.Internal:
	case !f.BaseURLTold:
		found.add(reasonUpdateNotUnderstood, host+": no element BaseURL is found for "+f.Names()[0])
	case f.BaseURL == "":
		found.add(reasonBaseURLBlank, host+": no BaseURL beside "+f.Names()[0])
	}
	switch {
	case !f.ExternalBaseURLTold:
		found.add(reasonUpdateNotUnderstood, host+": no element ExternalBaseURL is found for "+f.Names()[0])
	case f.ExternalBaseURL == "":
		found.add(reasonExternalBaseURLBlank, host+": no ExternalBaseURL beside "+f.Names()[0])
	}
}

// judgeLadder tells whether a firmware can install one of the versions of an answer to it. A GET does not
// tell to whom a version is offered: to all, unless another of its versions is a step that the firmware can take.
func judgeLadder(host string, fw phone.Firmware, files []phone.UpdateFile, found findings) {
	highest := ""
	for _, f := range files {
		v := f.Version()
		if !f.ForBuild(phone.CX700()) {
			continue
		}
		if v != "" && fw.Takes(v) && phone.CompareVersions(v, fw.Version) > 0 {
			return
		}
		if !fw.Takes(v) && phone.CompareVersions(v, highest) > 0 {
			highest = v
		}
	}
	if highest != "" {
		found.add(reasonLadderUnreachable, fmt.Sprintf("%s: offers %s, firmware %s takes nothing above %s", host, highest, fw.Version, fw.Accepts))
	}
}

// judgeDifferences compares what the servers say to the same request, but for the time.
func judgeDifferences(t *Target, u *facts.Update, found findings) {
	d := differences{first: map[string]serverSays{}, found: found}
	for i := range u.Servers {
		s := &u.Servers[i]
		d.compare(s.Host, "everybody", anonymousAnswers(t, s))
		d.compare(s.Host, "our account", loggedOnAnswers(s))
	}
}

// differences compares answers to the same request.
type differences struct {
	first map[string]serverSays
	found findings
}

type serverSays struct {
	host     string
	response *phone.UpdateResponse
}

func (d differences) compare(host, asker string, answers []facts.UpdateAnswer) {
	for _, a := range answers {
		request := asker + " " + a.Firmware
		before, again := d.first[request]
		switch {
		case !again:
			d.first[request] = serverSays{host, a.Response}
		case slices.Equal(comparable("", before.response), comparable("", a.Response)): // they may all name one of them
		default:
			if one, other := firstDifference(comparable(before.host, before.response), comparable(host, a.Response)); one != other {
				d.found.add(reasonFrontEndsDiffer, fmt.Sprintf("%s: %.200s; %s: %.200s", before.host, one, host, other))
			}
		}
	}
}

// comparable is what a response says, line by line, without what may differ: the time, the order of the files, and
// the server's own name in the URLs.
func comparable(host string, r *phone.UpdateResponse) []string {
	var files []string
	for _, f := range r.Files {
		files = append(files, fmt.Sprintf("offers %q, BaseURL %q, ExternalBaseURL %q", f.Names(), shown(itself(f.BaseURL, host)), shown(itself(f.ExternalBaseURL, host))))
	}
	slices.Sort(files)
	return append([]string{
		fmt.Sprintf("server %q, service %q, files offered: %d", versionLabel(r.ServerVersion), versionLabel(r.ServiceVersion), len(r.Files)),
	}, files...)
}

func itself(address, host string) string {
	u, err := url.Parse(address)
	if err != nil || host == "" || !strings.EqualFold(u.Hostname(), host) {
		return address
	}
	u.Host = "<itself>"
	return u.Scheme + "://" + u.Host + u.Path
}

func firstDifference(a, b []string) (one, other string) {
	for i := range max(len(a), len(b)) {
		one, other = "nothing more", "nothing more"
		if i < len(a) {
			one = a[i]
		}
		if i < len(b) {
			other = b[i]
		}
		if one != other {
			return one, other
		}
	}
	return "", ""
}

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
	where, query, asks := strings.Cut(withoutPassword(location), "?")
	if asks && query != "" {
		where += "?..."
	}
	return where
}
