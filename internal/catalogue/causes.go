package catalogue

import (
	"slices"
	"strings"

	"github.com/cx700/cx700_exporter/collectors"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/signin"
)

// Place is a step of the phone's walk and what looks at it; no step for the exporter itself, no collector where only the
// verdict shows what is made of several.
type Place struct{ Step, Collector string }

// Confirm is the command that shows what is seen there.
func (p Place) Confirm() string {
	if p.Collector == "" {
		return "cx700_exporter check --site SITE"
	}
	return "cx700_exporter probe " + p.Collector + " --site SITE"
}

// ConfirmWhere says where that command tells what the alert does.
const ConfirmWhere = "Run the command where the exporter runs, as root or as its user, in a container behind `docker exec NAME` or " +
	"`kubectl exec POD --`: there it finds the exporter's site file and its state file, by which it tries no account that was refused " +
	"and knows which roots phones hold. Elsewhere name both with `--config.file` and `--state.file`. SITE is a site that the alert " +
	"names; write `--network` as the exporter has it. Or ask the exporter itself for `/probe?site=SITE&collector=COLLECTOR`."

// trustStep is where the pool's chain is judged, once it is known which roots phones get.
const trustStep = "trust"

// Places lists the phone's walk in its order, and at the end what watches the exporter itself.
func Places() []Place {
	return []Place{
		{"lease", "dhcp"}, {"time", "ntp"}, {"registrar", "dns"}, {"tls", "pool"}, {"domain_controller", "wins"},
		{"domain_controller", "directory"}, {"root", "certsrv"}, {trustStep, "pool"}, {"signin", "sip"}, {"signin", ""}, {"exchange", "exchange"},
		{"update", "update"}, {"firmware", "firmware"}, {"firmware", "firmware_download"}, {"", "vantage"},
	}
}

// Cause is a reason and where on the walk it is met; nowhere for one that only a running exporter meets.
type Cause struct {
	*phone.Reason
	At []Place
}

// Causes lists every reason once, in the order of the walk.
func Causes() []Cause {
	var out []Cause
	add := func(r *phone.Reason, at ...Place) {
		if i := slices.IndexFunc(out, func(c Cause) bool { return c.Name == r.Name }); i >= 0 {
			out[i].At = append(out[i].At, at...)
			return
		}
		out = append(out, Cause{r, at})
	}
	for _, p := range Places() {
		for _, c := range collectors.All() {
			for _, r := range c.Reasons {
				if c.Name == p.Collector && p.Step != trustStep {
					add(r, p)
				}
			}
		}
		for _, r := range signin.Reasons() {
			if p == judgedAt(r) {
				add(r, p)
			}
		}
	}
	add(signin.TooOld())
	add(collectors.Internal())
	return out
}

// NoReset says why not to reset a phone before it is known which of several reasons it is.
const NoReset = "do not hard reset it before you know which it is: that wipes the certificates that it holds, and helps only a phone that " +
	"lacks a root which is published now"

// judgedAt is where the judgement finds a reason, and what shows the chains behind it.
func judgedAt(r *phone.Reason) Place {
	kind, _, _ := strings.Cut(r.Name, "_")
	switch kind {
	case "tls":
		return Place{"tls", "pool"}
	case "sip":
		return Place{"signin", ""}
	case "exchange", "update":
		return Place{kind, kind}
	default:
		return Place{trustStep, "pool"}
	}
}

// EffectText says what a reason does to phones.
func EffectText(e phone.Effect) string {
	switch e {
	case phone.Notes:
		return "noted: it stops nobody"
	case phone.Degrades:
		return "degraded: phones get through, but not everything in their order is good"
	case phone.Blinds:
		return "unknown: it only keeps the exporter from telling"
	case phone.BlocksNew:
		return "blocked: new and reset phones"
	case phone.Blocks:
		return "blocked: every phone"
	default:
		return e.String()
	}
}
