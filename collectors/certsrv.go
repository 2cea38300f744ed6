package collectors

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/metric"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/reach"
	"github.com/cx700/cx700_exporter/internal/site"
)

const (
	// maxCAs bounds how many CAs one probe asks, and maxChainListed for how many certificates of each there
	// are series.
	maxCAs         = 8
	maxChainListed = 8
)

// hostForm is what is asked for in DNS and put into a URL; the directory may hold anything.
var hostForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*$`)
})

var (
	descCertsrvOK = metric.NewGauge("cx700_certsrv_ok",
		"Whether a CA's web page asks for a Windows logon or hands out a chain (1) or not (0); absent when its name was not answered.",
		`cx700_certsrv_ok == 0`, "target", "host")
	descCertsrvStatus = metric.NewGauge("cx700_certsrv_http_status",
		"HTTP status of a CA's web page for somebody who does not log on; 401 is the healthy one. Absent when there was no answer.",
		`cx700_certsrv_http_status != 401`, "target", "host")
	descCertsrvNotAfter = metric.NewGauge("cx700_certsrv_certificate_not_after_timestamp_seconds",
		"When a certificate expires that a CA's web page hands out; sha256 is the beginning of its fingerprint. Absent when it was not fetched.",
		`(cx700_certsrv_certificate_not_after_timestamp_seconds - time()) / 86400 < 30`, "target", "host", "sha256")
)

// Certsrv watches the web pages of the CAs that Active Directory names, phones' second way to a root.
func Certsrv() *Collector {
	return &Collector{
		Name: "certsrv", Asks: "Does the CA's web page hand out the root, phones' second way?", Guide: "7-8, 19, 48",
		Steps:    []phone.Step{phone.StepRoot},
		Interval: 5 * time.Minute, Timeout: 20 * time.Second,
		Reasons: certsrvReasons(),
		Metrics: []*metric.Desc{descCertsrvOK, descCertsrvStatus, descCertsrvNotAfter},
		Targets: func(s *site.Site, n site.Network) []Target {
			if n.Name != site.Internal {
				return nil
			}
			t := directoryTarget("certsrv", s, n)
			t.Certsrv = n.Certsrv
			return []Target{t}
		},
		Probe:   probeCertsrv,
		Explain: explainCertsrv,
	}
}

func probeCertsrv(ctx context.Context, env *Env, seen *facts.Seen) error {
	directory := sync.OnceValues(func() (*facts.Directory, error) { return env.Directory(ctx) })
	c := &facts.Certsrv{}
	if len(env.Target.Certsrv.Hosts) == 0 {
		var err error
		if c.Directory, err = directory(); err != nil {
			return err
		}
	}
	for _, host := range caHosts(env.Target, c.Directory) {
		c.Hosts = append(c.Hosts, facts.CertsrvHost{Host: host})
	}
	errs := make([]error, len(c.Hosts))
	reach.Parallel(len(c.Hosts), func(i int) { errs[i] = askCA(ctx, env, &c.Hosts[i], directory) })
	if err := errors.Join(errs...); err != nil {
		return err
	}
	seen.Certsrv = c
	emitCertsrv(env, c)
	return join(judgeCertsrv(env.Target, c))
}

// caHosts lists the CAs of the site file, else those of the directory, each once.
func caHosts(t *Target, d *facts.Directory) []string {
	all := t.Certsrv.Hosts
	if d != nil {
		for i := range d.Controllers {
			for _, s := range d.Controllers[i].Services {
				all = append(all, s.Host)
			}
		}
	}
	var out []string
	for _, host := range all {
		if host != "" && !slices.Contains(out, host) && len(out) < maxCAs {
			out = append(out, host)
		}
	}
	return out
}

// askCA asks one page without a logon, always, and with one where it wants that and we may.
func askCA(ctx context.Context, env *Env, h *facts.CertsrvHost, directory func() (*facts.Directory, error)) error {
	if !hostForm().MatchString(h.Host) {
		return nil
	}
	h.Names = env.Resolve(ctx, h.Host)
	l, _ := nameView{h.Names}.lookup(h.Host, phone.A)
	reach.Parallel(2, func(i int) {
		if i == 0 {
			h.Anonymous = env.Target.Way.AskCertsrv(ctx, h.Host, l.Addresses)
		} else if len(l.Addresses) > 0 {
			h.Secure = env.Target.Way.ShownByHTTPS(ctx, h.Host, l.Addresses[0])
		}
	})
	if h.Anonymous == nil || h.Anonymous.Status != http.StatusUnauthorized {
		return nil
	}
	access := &reach.CertsrvAccess{
		Way: env.Target.Way, Host: h.Host, Anonymous: h.Anonymous, Certsrv: env.Target.Certsrv,
	}
	if !access.May() {
		return nil
	}
	d, err := directory()
	if err != nil {
		return err
	}
	access.DefaultNC, access.KDCs = keyCentres(d, env.Target.Certsrv.Credential)
	h.Logon = env.Shared.Certsrv.Logon(ctx, access)
	return nil
}

// keyCentres returns the naming context of the phones' logon domain and the addresses of its controllers,
// on which the Kerberos service runs, as far as the credential may be sent there; those that could be read
// first.
func keyCentres(d *facts.Directory, credential *site.Credential) (defaultNC string, addresses []netip.Addr) {
	var others []netip.Addr
	for i := range d.Controllers {
		c := &d.Controllers[i]
		defaultNC = cmp.Or(defaultNC, c.RootDSE.DefaultNC)
		if !credential.Allows(c.Host) {
			continue
		}
		l, _ := nameView{d.Names}.lookup(c.Host, phone.A)
		if c.Read() {
			addresses = append(addresses, l.Addresses...)
		} else {
			others = append(others, l.Addresses...)
		}
	}
	return defaultNC, append(addresses, others...)
}

func emitCertsrv(env *Env, c *facts.Certsrv) {
	for i := range c.Hosts {
		h := &c.Hosts[i]
		r, _ := hostReason(h)
		switch {
		case r == reasonCertsrvNamesUnanswered:
		case r != nil && r.Effect == Degrades:
			env.Emit(descCertsrvOK, 0, h.Host)
		default:
			env.Emit(descCertsrvOK, 1, h.Host)
		}
		if h.Anonymous != nil && h.Anonymous.Status != 0 {
			env.Emit(descCertsrvStatus, float64(h.Anonymous.Status), h.Host)
		}
		chain := fetchedChain(h)
		for _, certificate := range chain[:min(len(chain), maxChainListed)] {
			env.Emit(descCertsrvNotAfter, float64(certificate.NotAfter.Unix()), h.Host, fingerprint(certificate.SHA256))
		}
	}
}

// fetchedChain returns what the page handed out: to us, or to everybody.
func fetchedChain(h *facts.CertsrvHost) []facts.Certificate {
	switch {
	case h.Logon != nil && h.Logon.Answer != nil:
		return h.Logon.Answer.Certificates
	case h.Anonymous != nil:
		return h.Anonymous.Certificates
	default:
		return nil
	}
}

// judgeCertsrv says in which ways the second way fails, and what kept us from seeing it.
func judgeCertsrv(t *Target, c *facts.Certsrv) []*Failure {
	found := findings{}
	if len(c.Hosts) == 0 {
		judgeNoCA(t, c.Directory, found)
	}
	for i := range c.Hosts {
		h := &c.Hosts[i]
		if r, text := hostReason(h); r != nil {
			found.add(r, h.Host+": "+text)
		}
		if h.Logon == nil && t.Certsrv.Credential != nil && asksForLogon(h.Anonymous) {
			found.add(reasonCertsrvNTLMOnly, h.Host+": "+certsrvText(h.Anonymous))
		}
	}
	return found.failures(Certsrv().Reasons)
}

// judgeNoCA finds nothing wrong where Active Directory was read and names no CA: the directory collector
// says so, with what is wrong about it.
func judgeNoCA(t *Target, d *facts.Directory, found findings) {
	read := slices.ContainsFunc(d.Controllers, func(c facts.Controller) bool { return c.Read() })
	switch {
	case read:
	case t.Directory.Bind == "":
		found.add(reasonCertsrvNotWatched, "no domain controller of "+t.Domains.Logon+" could be read without an account")
	default:
		found.add(reasonCertsrvHostUnknown, "no domain controller of "+t.Domains.Logon+" could be read")
	}
}

func asksForLogon(a *facts.CertsrvAnswer) bool {
	return a != nil && a.Status == http.StatusUnauthorized && reach.OffersLogon(a.WebAnswer)
}

// hostReason says what is to be said of one CA, nil when all is well.
func hostReason(h *facts.CertsrvHost) (r *Reason, seen string) {
	if h.Names == nil {
		return reasonCertsrvUnresolved, "what Active Directory holds in dNSHostName is no host name"
	}
	l, settled := nameView{h.Names}.lookup(h.Host, phone.A)
	switch {
	case !settled:
		return reasonCertsrvNamesUnanswered, "no resolver answers its name"
	case l.None():
		return reasonCertsrvUnresolved, "A " + string(l.Outcome)
	}
	if r := answerReason(h.Anonymous); r != nil {
		return r, certsrvText(h.Anonymous)
	}
	if h.Logon == nil {
		return nil, ""
	}
	return logonReason(h.Logon)
}

// logonReason says what came of our own logon.
func logonReason(l *facts.CertsrvLogon) (r *Reason, seen string) {
	seen = "logged on by " + l.Scheme
	if !l.At.IsZero() {
		seen += " at " + l.At.UTC().Format(time.RFC3339)
	}
	switch {
	case slices.Contains(certsrvLogonProblems[:], l.Problem):
		return logonReasons[l.Problem], l.Detail
	case l.Problem != "" || l.Answer == nil:
		return reasonCertsrvLogonFailed, l.Detail
	case l.Answer.Status == http.StatusUnauthorized:
		return reasonCertsrvLogonRefused, seen + ": " + certsrvText(l.Answer)
	case l.Answer.Certificates != nil:
		return nil, ""
	default:
		return answerReason(l.Answer), seen + ": " + certsrvText(l.Answer)
	}
}

// answerReason says what is to be said of an answer to somebody who did not log on.
func answerReason(a *facts.CertsrvAnswer) *Reason {
	switch {
	case a.Problem == facts.WebUnreachable:
		return reasonCertsrvUnreachable
	case a.Problem == facts.WebSilent:
		return reasonCertsrvSilent
	case a.Problem != "":
		return reasonCertsrvMalformed
	case a.Status == http.StatusOK && a.Certificates != nil:
		return reasonCertsrvAnonymous
	case a.Status == http.StatusOK:
		return reasonCertsrvNoCertificate
	case asksForLogon(a):
		return nil
	case a.Status == http.StatusUnauthorized:
		return reasonCertsrvNoWindowsLogon
	case isRedirect(a.Status) && leadsToHTTPS(a.Location):
		return reasonCertsrvHTTPSOnly
	default:
		return certsrvStatuses.of(a.Status)
	}
}

// certsrvText says in a few words what a page answered.
func certsrvText(a *facts.CertsrvAnswer) string {
	plain := a.WebAnswer
	if a.Problem == "" && a.Detail != "" {
		plain.Detail = "no certificate: " + a.Detail
	}
	text := webText(plain)
	if a.Certificates != nil {
		text += fmt.Sprintf(", certificates: %d", len(a.Certificates))
	}
	return text
}
