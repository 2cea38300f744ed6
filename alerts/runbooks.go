package alerts

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/common/model"

	"github.com/cx700/cx700_exporter/internal/catalogue"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// IndexName is the runbook that lists the others.
const IndexName = "README"

// Runbook gives the runbook of an alert, or the list of them, as Markdown; the files in runbooks/ are the same. It is
// empty where there is no such alert.
func Runbook(name string) string {
	if name == IndexName {
		return index()
	}
	for _, a := range All() {
		if a.Name == name {
			return runbook(a)
		}
	}
	return ""
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

// plain keeps Markdown from reading signs of a text as its own.
var plain = strings.NewReplacer(`\`, `\\`, "*", `\*`, "_", `\_`, "<", `\<`, "`", "\\`", "[", `\[`)

// runbook writes the runbook of an alert.
func runbook(a Alert) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<!-- %s -->\n\n# %s\n\n", fromTable, a.Name)
	fmt.Fprintf(&b, "Severity %s%s. All runbooks and reasons: [index](%s).\n", a.Severity, timing(a), IndexName+".md")
	paragraph := func(title, text string) {
		if text != "" {
			fmt.Fprintf(&b, "\n**%s** %s\n", title, plain.Replace(text))
		}
	}
	paragraph("What has happened.", a.Means)
	paragraph("What to do first.", a.First)
	if a.Quiet != "" {
		paragraph("It keeps quiet", a.Quiet+".")
	}
	fmt.Fprintf(&b, "\n**The condition**\n\n```promql\n%s\n```\n", a.Expr)
	var sections strings.Builder
	for _, c := range catalogue.Causes() {
		if RunbookOf(c) == a.Name {
			sections.WriteString("\n" + section(c))
		}
	}
	if sections.Len() > 0 {
		fmt.Fprintf(&b, "\n**To confirm a reason.** %s\n", catalogue.ConfirmWhere)
	}
	return b.String() + sections.String()
}

// timing says after how long an alert fires and how long it stays.
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

// section tells of one reason what the command explain does.
func section(c catalogue.Cause) string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n%s.\n\n", c.Name, plain.Replace(strings.ToUpper(c.Means[:1])+c.Means[1:]))
	item := func(title, text string) { fmt.Fprintf(&b, "- **%s:** %s\n", title, text) }
	item("Effect", plain.Replace(catalogue.EffectText(c.Effect)))
	item("The phone shows", plain.Replace(c.Screen))
	var commands []string
	for _, p := range c.At {
		if command := "`" + p.Confirm() + "`"; !slices.Contains(commands, command) {
			commands = append(commands, command)
		}
	}
	if commands == nil {
		commands = []string{"see the exporter's log"}
	}
	item("Confirm", strings.Join(commands, " or "))
	item("Mend", plain.Replace(c.Mend))
	item("At the phone", plain.Replace(c.AtPhone))
	item("Hard reset", plain.Replace(c.ResetText()))
	return b.String()
}

// index lists every alert and every reason, each with where it is told.
func index() string {
	var b strings.Builder
	fmt.Fprintf(&b, "<!-- %s -->\n\n# Runbooks\n\nOne for each alert; each reason is told in one of them.\n\n## Alerts\n\n", fromTable)
	for _, a := range All() {
		fmt.Fprintf(&b, "- [%s](%s.md) (%s)\n", a.Name, a.Name, a.Severity)
	}
	b.WriteString("\n## Reasons\n")
	step := "-"
	for _, c := range catalogue.Causes() {
		if len(c.At) > 0 && c.At[0].Step != step {
			step = c.At[0].Step
			fmt.Fprintf(&b, "\n**%s**\n\n", plain.Replace(stepTitle(step)))
		}
		fmt.Fprintf(&b, "- [%s](%s.md#%s): %s\n", c.Name, RunbookOf(c), c.Name, plain.Replace(c.Means))
	}
	return b.String()
}

func stepTitle(step string) string {
	if step == "" {
		return "The exporter itself"
	}
	return "Step " + step
}
