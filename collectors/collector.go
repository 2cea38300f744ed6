// Package collectors holds one file for each thing a CX700 phone needs. A collector says what it asks,
// in which closed set of ways it can fail, which series it gives and how it probes. It reports what it
// saw, also what it does not like; collectors never call each other.
package collectors

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

// Collector watches one thing the phone needs.
type Collector struct {
	// Name is its key in the site file, its label value and its file's name.
	Name string
	// Asks is the question it answers, in one sentence.
	Asks string
	// Guide names the pages of the deployment guide it goes by.
	Guide    string
	Interval time.Duration
	Timeout  time.Duration
	// Reasons lists every way it can fail.
	Reasons []*Reason
	Metrics []*metric.Desc
	// Targets lists what a phone at the site depends on, as seen from the network.
	Targets func(*site.Site, site.Network) []Target
	// Alone has its probes run one at a time: they move much data. They take no worker while they wait, and
	// nobody starts one by asking for a page.
	Alone bool
	// Probe looks at one target once and fills its own field of Seen. It returns nil, failures (one
	// *Failure or several joined by errors.Join), or another error, which is our own fault.
	Probe func(context.Context, *Env, *facts.Seen) error
	// Steps are those of the phone's that it looks at; none where it looks at the exporter's own place. StepOf tells
	// the step by the reason, where that is not the first.
	Steps  []phone.Step
	StepOf func(*Reason) phone.Step
	// Judge says what phones of the target's firmware have against what a probe saw; nil where it is the same for
	// every firmware.
	Judge func(*Target, *facts.Seen) []*Failure
	// Explain writes what was seen, question by question, in at most 100 columns.
	Explain func(io.Writer, *Target, *facts.Seen)
}

// All lists the collectors in the order in which a phone meets what they watch, and then the one that watches the
// exporter itself.
func All() []*Collector {
	return []*Collector{
		DHCP(), NTP(), DNS(), Directory(), WINS(), Certsrv(), Pool(), SIP(), Exchange(), Update(), Firmware(), FirmwareDownload(),
		Vantage(),
	}
}

// StepBy tells on which step of a phone a reason bears; empty where it bears on the exporter's own place.
func (c *Collector) StepBy(r *Reason) phone.Step {
	switch {
	case c.StepOf != nil:
		return c.StepOf(r)
	case len(c.Steps) > 0:
		return c.Steps[0]
	default:
		return ""
	}
}

// Target is one dependency of phones, as seen from one network. Sites with equal targets share them.
type Target struct {
	Collector string
	Network   site.NetworkName
	// Name is the target's label value.
	Name     string
	Way      reach.Way
	Domains  phone.Domains
	Firmware []phone.Firmware
	// MaxOffset is from which offset on a clock counts as wrong; set for ntp and vantage only.
	MaxOffset time.Duration
	// Vantage is by what the exporter's own network and clock are told; nil but for vantage.
	Vantage *site.Vantage
	// Directory is how domain controllers are read; set for directory and certsrv only.
	Directory site.Directory
	// Certsrv is how CAs' web pages are read; set for certsrv only.
	Certsrv site.Certsrv
	// DHCP is how its servers are asked; set for dhcp only. Lease is what they hand out, by the site file; nil
	// but for dhcp and wins.
	DHCP  site.DHCP
	Lease *site.Lease
	// FrontEnds and Update are how the update service is asked; nil but for update, firmware and
	// firmware_download.
	FrontEnds []string
	Update    *site.Update
	// SIPUser is the name, left of the SIP domain, as whom registrars are asked; set for sip only.
	SIPUser string
	// Exchange is how Exchange is asked; nil but for exchange.
	Exchange *site.Exchange
	// MaxBytesPerSecond is how fast an image is read; set for firmware_download only.
	MaxBytesPerSecond int
	Interval          time.Duration
	Timeout           time.Duration
}

// Key tells targets apart: equal keys are the same probe. It is a digest of all that makes the target what it is, whose
// text would be two kilobytes for each.
func (t *Target) Key() string {
	sum := sha256.Sum256(textOf(t))
	return hex.EncodeToString(sum[:])
}

// textOf is the JSON of a part of a target, which is all values: a test holds it to that.
func textOf(part any) []byte {
	text, err := json.Marshal(part)
	if err != nil {
		panic(err)
	}
	return text
}

// Credentials lists those with which probes of the target may log on.
func (t *Target) Credentials() []*site.Credential {
	all := []*site.Credential{t.Directory.Credential, t.Certsrv.Credential}
	if t.Update != nil {
		all = append(all, t.Update.Credential)
	}
	if t.Exchange != nil {
		all = append(all, t.Exchange.Credential)
	}
	return slices.DeleteFunc(all, func(c *site.Credential) bool { return c == nil })
}

// Credentialled tells that probes of the target log on with an account.
func (t *Target) Credentialled() bool { return len(t.Credentials()) > 0 }

// Round is equal for targets that need the same walk through the names. Their probes start together,
// so that the walk is made once. DHCP needs none, and many sites may have a server of their own.
func (t *Target) Round() string { return string(textOf([]any{t.Way, t.Domains, t.DHCP.Servers})) }

// namesTarget is the target of collectors that depend on the phone's names.
func namesTarget(collector string, s *site.Site, n site.Network) Target {
	domains := s.Domains
	domains.ReverseProxy = n.ReverseProxy
	if n.Name != site.Internal {
		domains.Logon = ""
	}
	name := domains.SIP
	if domains.DHCP != domains.SIP {
		name += "/" + domains.DHCP
	}
	return Target{
		Collector: collector, Network: n.Name, Name: name + "@" + serverNames(n.Resolvers, dnsPort),
		Way:     reach.Way{Resolvers: n.Resolvers, ConnectTo: n.ConnectTo},
		Domains: domains, Firmware: s.Firmware,
	}
}

// The ports of servers that are named without one.
const (
	dnsPort  = 53
	dhcpPort = 67
	winsPort = 137
	ntpPort  = 123
)

// serverNames names servers in a target, with their port where it is not the usual one.
func serverNames(servers []netip.AddrPort, port uint16) string {
	var out []string
	for _, s := range servers {
		if s.Port() == port {
			out = append(out, s.Addr().String())
		} else {
			out = append(out, s.String())
		}
	}
	return strings.Join(out, "+")
}

// Env is what a probe works with.
type Env struct {
	Target *Target
	Shared *reach.Shared
	// Due is when the probe was to start; looks made before it are not used.
	Due time.Time
	// Scheduled tells a probe of the schedule from one on demand, which leaves no trace in the state.
	Scheduled bool

	samples []metric.Sample
	lines   []Line
}

// Line is something that a probe has to say in the log, once.
type Line struct {
	Message string
	// Args are keys and values, as slog takes them.
	Args []any
}

// Say leaves a line for the log.
func (e *Env) Say(message string, args ...any) {
	e.lines = append(e.lines, Line{message, args})
}

// Lines returns what the probe has to say in the log.
func (e *Env) Lines() []Line { return e.lines }

// namesBudget is how long the walk through the names may take. Two silent questions end it at a resolver,
// after four tries of two seconds.
const namesBudget = 8 * time.Second

// Names makes the phone's walk through the names, or shares the one of this round.
func (e *Env) Names(ctx context.Context) (*facts.Names, error) {
	// The walk ends before the probe does, so that what it found is still judged. Collectors share a walk that
	// ends in time for each of them.
	budget := min(namesBudget, e.Target.Timeout*8/10)
	return e.Shared.Walker.Walk(ctx, e.Target.Way, e.Target.Domains, e.Due, budget)
}

// Directory reads the domain controllers of the phones' logon domain, or shares the look of this round.
func (e *Env) Directory(ctx context.Context) (*facts.Directory, error) {
	names, err := e.Names(ctx)
	if err != nil {
		return nil, err
	}
	return e.Shared.Directories.Read(ctx, e.Target.Way, e.Target.Domains, e.Target.Directory,
		names, nameView{names}.find, e.Due, e.Target.Timeout)
}

// updateAccess is how the target's servers for updates are asked.
func (e *Env) updateAccess() reach.UpdateAccess {
	t := e.Target
	out := reach.UpdateAccess{Way: t.Way, External: t.Network == site.External, Update: *t.Update}
	for _, f := range t.Firmware {
		out.Firmware = append(out.Firmware, f.Version)
	}
	return out
}

// updateBudget is how long it may take to ask the servers for updates: each of four addresses, on two ports
// side by side, a POST and a logon.
const updateBudget = 16 * time.Second

// Update asks the servers that hand out updates, or shares the answers of this round.
func (e *Env) Update(ctx context.Context) (*facts.Update, error) {
	t := e.Target
	var names *facts.Names
	find := func(string, phone.RecordType) phone.Records { return phone.Records{} }
	if t.FrontEnds == nil && t.Network == site.Internal {
		var err error
		if names, err = e.Names(ctx); err != nil {
			return nil, err
		}
		find = nameView{names}.find
	}
	budget := updateBudget
	if deadline, ok := ctx.Deadline(); ok { // what was seen by then is still judged
		budget = min(budget, time.Until(deadline)*8/10)
	}
	u, err := e.Shared.Updates.Read(ctx, e.updateAccess(), updateHosts(t, find), e.Due, budget)
	if err != nil {
		return nil, err
	}
	out := *u
	out.Names = names
	return &out, nil
}

// Resolve asks for the addresses of one name outside the walk.
func (e *Env) Resolve(ctx context.Context, name string) *facts.Names {
	return e.Target.Way.Resolve(ctx, name)
}

// Dial connects by the target's way out; names are those that led to the address.
func (e *Env) Dial(ctx context.Context, network, address string, names ...string) (net.Conn, error) {
	return e.Target.Way.Dial(ctx, network, address, names...)
}

// Emit gives a series. Its network and its target are stamped on it, where it has these labels, which come first;
// labels are the values that follow them.
func (e *Env) Emit(d *metric.Desc, value float64, labels ...string) {
	var all []string
	if slices.Contains(d.Labels, "network") {
		all = append(all, string(e.Target.Network))
	}
	if slices.Contains(d.Labels, "target") {
		all = append(all, e.Target.Name)
	}
	e.samples = append(e.samples, metric.Sample{Desc: d, Value: value, Labels: append(all, labels...)})
}

// Samples returns what the probe gave.
func (e *Env) Samples() []metric.Sample { return e.samples }

// Effect says what a reason does to a phone.
type Effect = phone.Effect

// The effects, mildest first.
const (
	Notes      = phone.Notes
	NotWatched = phone.NotWatched
	Degrades   = phone.Degrades
	Blinds     = phone.Blinds
	BlocksNew  = phone.BlocksNew
	Blocks     = phone.Blocks
)

// Reason is one way in which a dependency fails.
type Reason = phone.Reason

// Internal is the reason of probes that failed by our own fault.
func Internal() *Reason {
	return &Reason{
		Name: "internal", Effect: Blinds,
		Means:   "the probe itself failed; this says nothing about the phones",
		Screen:  "nothing",
		Mend:    "look at the exporter's log and report what it says",
		AtPhone: "nothing",
	}
}

// Failure is a reason with what was seen.
type Failure struct {
	Reason *Reason
	Err    error
}

func (f *Failure) Error() string { return f.Reason.Name + ": " + f.Err.Error() }

func (f *Failure) Unwrap() error { return f.Err }

func fail(r *Reason, format string, args ...any) *Failure {
	return &Failure{Reason: r, Err: fmt.Errorf(format, args...)}
}

func join(failures []*Failure) error {
	errs := make([]error, len(failures))
	for i, f := range failures {
		errs[i] = f
	}
	return errors.Join(errs...)
}

// Failures takes the error of a probe apart. What is no failure becomes one with the reason internal.
func Failures(err error) []*Failure {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var out []*Failure
		for _, e := range joined.Unwrap() {
			out = append(out, Failures(e)...)
		}
		return out
	}
	f := new(Failure)
	switch {
	case !errors.As(err, &f):
		return []*Failure{{Reason: Internal(), Err: err}}
	case f == nil || f.Reason == nil:
		return []*Failure{{Reason: Internal(), Err: errors.New("a failure without a reason")}}
	default:
		return []*Failure{f}
	}
}
