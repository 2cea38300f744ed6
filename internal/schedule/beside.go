package schedule

import (
	"io"
	"slices"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/metric"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/reach"
	"github.com/cx700/cx700_exporter/internal/signin"
)

var descRefused = metric.NewGauge("cx700_service_refused_info",
	"Why a kind of phone does not trust Exchange or the update service (step exchange or update), by the certificates that it is shown; "+
		"only while it does not. Nobody is kept from signing in by that.",
	`cx700_service_refused_info`, "site", "network", "firmware", "phone", "step", "reason")

// addRefusals gives the series of services that a kind of phone does not trust.
func addRefusals(v *signin.Verdict, add func(d *metric.Desc, value float64, labels ...string)) {
	for _, j := range v.Beside {
		if j.Refused != nil {
			add(descRefused, 1, string(j.Step.Name), j.Refused.Name)
		}
	}
}

// Account is what is told of one probe: what each kind of phone makes of the certificates that it saw.
type Account struct {
	*Judged
	telling
	// Looks are the probes on which it is founded.
	Looks []*Planned
}

// JudgedAt finds what is to be told of a probe at a site; nil when nothing is.
func (p *Plan) JudgedAt(siteName string, probed *Planned) *Account {
	for _, g := range p.Judged {
		if g.Network != probed.Target.Network || !slices.Contains(g.Sites, siteName) {
			continue
		}
		if a := g.account(probed); a != nil {
			return a
		}
	}
	return nil
}

func (g *Judged) account(probed *Planned) *Account {
	const title = "what phones make of it"
	only := func(name phone.Step, steps []signin.Step) []signin.Step {
		return slices.DeleteFunc(steps, func(s signin.Step) bool { return s.Name != name })
	}
	a := &Account{Judged: g}
	switch probed {
	case g.Pool:
		a.telling, a.Looks = telling{title: title, steps: signin.Steps()}, g.needs()
	case g.Exchange:
		a.telling, a.Looks = telling{title: title, steps: only(phone.StepExchange, signin.Services()), beside: true}, append(g.needs(), probed)
	case g.Update:
		a.telling = telling{title: title, steps: only(phone.StepUpdate, signin.Services()), beside: true}
		a.Looks = append(g.adNeeds(), probed)
	case g.Directory:
		a.telling = telling{title: "what phones would make of the certificate of LDAPS; they bind by SASL, at the port of the SRV record",
			steps: only("ldaps", signin.Unused()), unused: "no certificate of LDAPS was seen, and phones ask for none"}
		a.Looks = g.adNeeds()
	case g.Certsrv:
		a.telling = telling{title: "what phones would make of the certificate of certsrv by HTTPS; they use plain HTTP",
			steps: only("certsrv", signin.Unused()), unused: "certsrv shows phones no certificate by HTTPS, and they ask for none"}
		a.Looks = g.adNeeds()
	default:
		return nil
	}
	return a
}

// adNeeds lists the probes that tell which roots phones hold.
func (g *Judged) adNeeds() []*Planned {
	return slices.DeleteFunc(g.needs(), func(p *Planned) bool { return p == g.Pool })
}

// Explain writes what each kind of phone makes of the certificates, link by link, and returns the gravest effect.
// Reports are those of look, which may have none.
func (a *Account) Explain(w io.Writer, shared *reach.Shared, look func(*Planned) *Report) phone.Effect {
	seen, at, forest := &facts.Seen{}, time.Time{}, ""
	for _, p := range a.Looks {
		r := look(p)
		if r == nil {
			continue
		}
		seen.Merge(r.Seen)
		at = r.Ended
	}
	if seen.Directory != nil {
		forest = seen.Directory.Forest()
	}
	return a.explain(w, seen, a.profiles(shared, forest), at)
}
