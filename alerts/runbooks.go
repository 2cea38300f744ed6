package alerts

import (
	"slices"
	"strings"

	"github.com/prometheus/common/model"

	"github.com/cx700/cx700_exporter/internal/catalogue"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// IndexName is the runbook that lists the others.
const IndexName = "README"

// Book is a runbook, however it is written: as Markdown in runbooks/, as HTML on the exporter's pages. In its texts code
// stands between backticks.
type Book struct {
	Alert
	// Timing says after how long the alert fires and how long it stays.
	Timing string
	Told   []Told
	// Confirm says where the commands of the sections are to be run; empty where there are none.
	Confirm  string
	Sections []Section
}

// Told is a text and what stands in bold before it.
type Told struct{ Title, Text string }

// Section tells of one reason what the command explain does.
type Section struct {
	Name, Means string
	Told        []Told
}

// Runbook gives the runbook of an alert; nil where there is no such alert.
func Runbook(name string) *Book {
	for _, a := range All() {
		if a.Name == name {
			return runbook(a)
		}
	}
	return nil
}

// toldBy names the alert in whose runbook a reason is told, where neither its step nor what it does to phones decides.
var toldBy = map[string]string{
	"root_empty": "Cx700RootUnpublished", "root_unparsable": "Cx700RootUnpublished", "root_missing": "Cx700RootUnpublished",
	"rollover_strands_new": "Cx700RootUnpublished", "unknown_root": "Cx700RootUnpublished", "root_only_in_aia": "Cx700RootUnpublished",
	"root_hidden": "Cx700RootHidden", "search_denied": "Cx700RootHidden",
	"rollover_strands_enrolled": "Cx700RollOver", "enrolled_root_not_seen": "Cx700RollOver",
	"ca_object_unusable": "Cx700CACertificateEmptied", "replicating": "Cx700ControllersDisagree",
	"link_expired": "Cx700SignInEnded", "pool_certificate_expired": "Cx700SignInEnded",
	"time_off": "Cx700TimeOff", "time_server_off": "Cx700TimeOff", "sip_time_skew": "Cx700TimeOff", "sip_clock_off": "Cx700TimeOff",
	"pool_hardened": "Cx700ServerHardened", "tls_hardened": "Cx700ServerHardened", "exchange_hardened": "Cx700ServerHardened",
	"update_hardened": "Cx700ServerHardened",
	"base_url_blank":  "Cx700BaseURLBlank", "external_base_url_blank": "Cx700BaseURLBlank",
	"firmware_cut_off": "Cx700FirmwareCutOff", "firmware_stalled": "Cx700FirmwareCutOff", "firmware_empty": "Cx700FirmwareCutOff",
	"images_differ": "Cx700FirmwareCutOff", "firmware_slow": "Cx700FirmwareCutOff",
	"credential_refused": "Cx700AccountStopped", "account_disabled": "Cx700AccountStopped", "account_expired": "Cx700AccountStopped",
	"account_locked": "Cx700AccountStopped", "account_revoked": "Cx700AccountStopped", "account_unknown": "Cx700AccountStopped",
	"credential_unusable": "Cx700AccountStopped", "password_expired": "Cx700AccountPasswordEnds",
	"vantage_lost": "Cx700VantageLost", "vantage_clock_off": "Cx700VantageLost", "vantage_reference_silent": "Cx700VantageLost",
	"vantage_reference_off": "Cx700VantageLost",
	"results_too_old":       "Cx700ResultsTooOld", "probe_delayed": "Cx700QueueLate", "internal": "Cx700ProbeInternalErrors",
}

// RunbookOf names the alert in whose runbook a reason is told.
func RunbookOf(c catalogue.Cause) string {
	step := ""
	if len(c.At) > 0 {
		step = c.At[0].Step
	}
	switch {
	case toldBy[c.Name] != "":
		return toldBy[c.Name]
	case step == string(phone.StepUpdate), strings.HasPrefix(c.Name, "update_"):
		return "Cx700UpdateServiceDown"
	case step == string(phone.StepFirmware):
		return "Cx700FirmwareMissing"
	case c.Effect == phone.Blocks:
		return "Cx700SignInBlocked"
	case c.Effect == phone.BlocksNew:
		return "Cx700NewPhonesBlocked"
	case c.Effect == phone.Blinds, c.Effect == phone.NotWatched:
		return "Cx700Unknown"
	default:
		return "Cx700Degraded"
	}
}

// TellsOf names the alert in whose runbook the reason of that name is told; empty where there is no such reason.
func TellsOf(reason string) string {
	for _, c := range catalogue.Causes() {
		if c.Name == reason {
			return RunbookOf(c)
		}
	}
	return ""
}

func runbook(a Alert) *Book {
	b := &Book{Alert: a, Timing: timing(a), Told: []Told{{"What has happened.", a.Means}, {"What to do first.", a.First}}}
	if a.Quiet != "" {
		b.Told = append(b.Told, Told{"It keeps quiet", a.Quiet + "."})
	}
	for _, c := range catalogue.Causes() {
		if RunbookOf(c) == a.Name {
			b.Confirm = catalogue.ConfirmWhere
			b.Sections = append(b.Sections, section(c))
		}
	}
	return b
}

func timing(a Alert) string {
	out := ""
	if a.For > 0 {
		out += ", once it has lasted for " + model.Duration(a.For).String()
	}
	if a.KeepFiring > 0 {
		out += ", and for " + model.Duration(a.KeepFiring).String() + " after its end"
	}
	return out
}

func section(c catalogue.Cause) Section {
	var commands []string
	for _, p := range c.At {
		if command := "`" + p.Confirm() + "`"; !slices.Contains(commands, command) {
			commands = append(commands, command)
		}
	}
	if commands == nil {
		commands = []string{"see the exporter's log"}
	}
	return Section{c.Name, strings.ToUpper(c.Means[:1]) + c.Means[1:] + ".", []Told{
		{"Effect", catalogue.EffectText(c.Effect)},
		{"The phone shows", c.Screen},
		{"Confirm", strings.Join(commands, " or ")},
		{"Mend", c.Mend},
		{"At the phone", c.AtPhone},
		{"Hard reset", c.ResetText()},
	}}
}

// Step is a part of the index: the reasons that are met at one step of the phone's walk.
type Step struct {
	Title   string
	Reasons []catalogue.Cause
}

// Steps lists every reason once, in the order of the walk.
func Steps() []Step {
	var out []Step
	step := "-"
	for _, c := range catalogue.Causes() {
		if len(c.At) > 0 && c.At[0].Step != step {
			step = c.At[0].Step
			out = append(out, Step{Title: stepTitle(step)})
		}
		last := &out[len(out)-1]
		last.Reasons = append(last.Reasons, c)
	}
	return out
}

func stepTitle(step string) string {
	if step == "" {
		return "The exporter itself"
	}
	return "Step " + step
}
