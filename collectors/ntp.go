package collectors

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/beevik/ntp"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/metric"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/reach"
	"github.com/cx700/cx700_exporter/internal/site"
)

const (
	// DefaultMaxOffset is where Kerberos stops accepting a clock (RFC 4120 section 5.2.7.2 leaves it to
	// the site; Windows' default is five minutes).
	DefaultMaxOffset = 5 * time.Minute

	ntpAttemptTimeout = 2 * time.Second
	ntpAttempts       = 2
	// maxTimeServers bounds what one probe asks; it is as many addresses as are kept of a name.
	maxTimeServers = 64
)

var (
	descOffset = metric.NewGauge("cx700_ntp_offset_seconds",
		"A time server's clock less the exporter's; absent when it does not answer or is unsynchronised.",
		`abs(cx700_ntp_offset_seconds) > 60`, "network", "target", "server")
	descStratum = metric.NewGauge("cx700_ntp_stratum",
		"A time server's stratum; 16 and 0 are unsynchronised, or 0 a kiss-o'-death.",
		`cx700_ntp_stratum >= 16 or cx700_ntp_stratum == 0`, "network", "target", "server")
	descRootDistance = metric.NewGauge("cx700_ntp_root_distance_seconds",
		"By how much a time server's clock may be wrong at most, by its own account and the round trip.",
		`cx700_ntp_root_distance_seconds > 1`, "network", "target", "server")
	descRoundTrip = metric.NewGauge("cx700_ntp_round_trip_seconds",
		"How long a time server's answer took.",
		`cx700_ntp_round_trip_seconds > 0.5`, "network", "target", "server")
	descLeap = metric.NewGauge("cx700_ntp_leap_indicator",
		"A time server's leap indicator: 0 none, 1 and 2 a leap second is near, 3 unsynchronised.",
		`cx700_ntp_leap_indicator == 3`, "network", "target", "server")
	descTimeServer = metric.NewGauge("cx700_ntp_server_info",
		"A time server and a name that led to it.",
		`cx700_ntp_offset_seconds * on (network, target, server) group_right cx700_ntp_server_info`,
		"network", "target", "server", "host")
)

// NTP watches the time sources that each firmware would use, in its order.
func NTP() *Collector {
	return &Collector{
		Name: "ntp", Asks: "Does a phone get the right time?", Guide: "6, 18, 25",
		Steps:    []phone.Step{phone.StepTime},
		Interval: time.Minute, Timeout: 10 * time.Second,
		Reasons: []*Reason{
			reasonTimeSourceMissing, reasonTimeUnavailable, reasonTimeOff, reasonTimeServerOff,
			reasonTimeNamesUnanswered, reasonTimeSilent, reasonTimeUnreachable, reasonTimeUnsynchronised,
			reasonTimeKiss, reasonTimeMalformed,
		},
		Metrics: []*metric.Desc{descOffset, descStratum, descRootDistance, descRoundTrip, descLeap, descTimeServer},
		Targets: func(s *site.Site, n site.Network) []Target {
			t := namesTarget("ntp", s, n)
			t.MaxOffset = DefaultMaxOffset
			return []Target{t}
		},
		Probe:   probeNTP,
		Judge:   func(t *Target, seen *facts.Seen) []*Failure { return judgeTime(t, seen.Time) },
		Explain: explainNTP,
	}
}

func probeNTP(ctx context.Context, env *Env, seen *facts.Seen) error {
	names, err := env.Names(ctx)
	if err != nil {
		return err
	}
	servers := timeServers(env.Target, names)
	reach.Parallel(len(servers), func(i int) { askTime(ctx, env, &servers[i]) })
	seen.Time = &facts.Time{Names: names, Servers: servers}
	emitNTP(env, servers)
	return join(judgeTime(env.Target, seen.Time))
}

// timeServers lists the addresses of every source in any firmware's order at any resolver, each once and in
// a steady order.
func timeServers(t *Target, names *facts.Names) []facts.TimeServer {
	var out []facts.TimeServer
	for i := range names.Walks {
		view := nameView{&facts.Names{Walks: names.Walks[i : i+1]}}
		for _, source := range t.Domains.TimeSources(phone.SRVFirst, view.find) {
			out = addTimeServers(out, source)
		}
	}
	slices.SortFunc(out, func(a, b facts.TimeServer) int { return a.Address.Compare(b.Address) })
	return out
}

func addTimeServers(out []facts.TimeServer, source phone.TimeSource) []facts.TimeServer {
	for _, a := range source.Addresses {
		address := netip.AddrPortFrom(a, source.Port)
		i := slices.IndexFunc(out, func(s facts.TimeServer) bool { return s.Address == address })
		switch {
		case i >= 0 && !slices.Contains(out[i].Hosts, source.Host):
			out[i].Hosts = append(out[i].Hosts, source.Host)
		case i < 0 && len(out) < maxTimeServers:
			out = append(out, facts.TimeServer{Hosts: []string{source.Host}, Address: address})
		}
	}
	return out
}

// askTime asks one server, a second time when it stays silent, lest a lost packet be a finding.
func askTime(ctx context.Context, env *Env, s *facts.TimeServer) {
	options := ntp.QueryOptions{
		Dialer: func(_, address string) (net.Conn, error) {
			return env.Dial(ctx, "udp", address, s.Hosts...)
		},
	}
	var r *ntp.Response
	var err error
	for left := ntpAttempts; left > 0; left-- {
		// The library puts this in the place of the deadline that Dial has set.
		options.Timeout = ntpAttemptTimeout
		if deadline, ok := ctx.Deadline(); ok {
			options.Timeout = min(options.Timeout, time.Until(deadline)/time.Duration(left))
		}
		r, err = ntp.QueryWithOptions(s.Address.String(), options)
		if err == nil || !reach.TimedOut(err) || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		s.Err, s.Closed = err.Error(), reach.Unreachable(err)
		s.Malformed = !s.Closed && !reach.TimedOut(err)
		return
	}
	s.Offset, s.RoundTrip, s.RootDistance = r.ClockOffset, r.RTT, r.RootDistance
	s.Stratum, s.Leap = r.Stratum, uint8(r.Leap)
	// Stratum 0 without a code is no kiss: chronyd answers so when it has no time itself.
	s.KissCode = r.KissCode
}

func emitNTP(env *Env, servers []facts.TimeServer) {
	for _, s := range servers {
		label := s.Address.String()
		for _, host := range s.Hosts {
			env.Emit(descTimeServer, 1, label, host)
		}
		if s.Err != "" {
			continue
		}
		env.Emit(descStratum, float64(s.Stratum), label)
		env.Emit(descLeap, float64(s.Leap), label)
		env.Emit(descRoundTrip, s.RoundTrip.Seconds(), label)
		if serverReason(s) == nil {
			env.Emit(descOffset, s.Offset.Seconds(), label)
			env.Emit(descRootDistance, s.RootDistance.Seconds(), label)
		}
	}
}

// serverReason tells why a server gives no time; nil when it gives some, be it right or wrong. The
// codes INIT and STEP say that a server is not synchronised yet (RFC 5905 section 7.4).
func serverReason(s facts.TimeServer) *Reason {
	switch {
	case s.Closed:
		return reasonTimeUnreachable
	case s.Malformed:
		return reasonTimeMalformed
	case s.Err != "":
		return reasonTimeSilent
	case s.KissCode != "" && s.KissCode != "INIT" && s.KissCode != "STEP":
		return reasonTimeKiss
	case !s.GivesTime():
		return reasonTimeUnsynchronised
	default:
		return nil
	}
}

// judgeTime follows the time order of each firmware in use up to the first source that gives time.
// A phone does not compare sources: it takes the time of the first that answers.
func judgeTime(t *Target, seen *facts.Time) []*Failure {
	found := findings{}
	view := nameView{seen.Names}
	for _, order := range phone.TimeOrders() {
		var versions []string
		for _, fw := range t.Firmware {
			if fw.Time == order {
				versions = append(versions, fw.Version)
			}
		}
		if versions != nil {
			judgeTimeOrder(t, view, order, seen.Servers, "firmware "+strings.Join(versions, ", "), found)
		}
	}
	return found.failures(NTP().Reasons)
}

func judgeTimeOrder(t *Target, view nameView, order phone.TimeOrder, servers []facts.TimeServer, who string, found findings) {
	sources := t.Domains.TimeSources(order, view.find)
	for _, source := range sources {
		if len(source.Addresses) == 0 && view.settled(source.Host, phone.A) {
			found.add(reasonTimeUnreachable, cmp.Or(source.Host, "the root")+" has no address")
		}
		if judgeTimeSource(t, source, servers, who, found) {
			return
		}
	}
	switch {
	case !timeNamesSettled(t.Domains, view):
		found.add(reasonTimeNamesUnanswered, who)
	case len(sources) == 0:
		found.add(reasonTimeSourceMissing, who)
	default:
		found.add(reasonTimeUnavailable, who)
	}
}

// judgeTimeSource judges every address of a source and tells whether one gives time, so that the phone
// goes no further.
func judgeTimeSource(t *Target, source phone.TimeSource, servers []facts.TimeServer, who string, found findings) bool {
	var off []string
	giving := 0
	for _, s := range servers {
		if !slices.Contains(s.Hosts, source.Host) || s.Address.Port() != source.Port {
			continue
		}
		if r := serverReason(s); r != nil {
			found.add(r, fmt.Sprintf("%s (%s): %s", s.Address, source.Host, timeText(s)))
			continue
		}
		giving++
		if s.Offset.Abs() >= t.MaxOffset {
			off = append(off, fmt.Sprintf("%s (%s) is off by %s", s.Address, source.Host, s.Offset.Round(time.Millisecond)))
		}
	}
	switch {
	case len(off) == 0:
	case len(off) == giving:
		found.add(reasonTimeOff, fmt.Sprintf("%s: %s", who, strings.Join(off, ", ")))
	default:
		found.add(reasonTimeServerOff, strings.Join(off, ", "))
	}
	return giving > 0
}

// timeNamesSettled tells whether the SRV record and its targets were answered. time.windows.com does not
// count: where there is no way to the Internet, failing on it is an answer that phones get as well.
func timeNamesSettled(d phone.Domains, view nameView) bool {
	name := phone.TimeService(d.SIP)
	l, ok := view.lookup(name, phone.SRV)
	return ok && !slices.ContainsFunc(l.Services, func(s phone.Service) bool { return !view.settled(s.Target, phone.A) })
}

// timeText says in a few words what a server answered.
func timeText(s facts.TimeServer) string {
	switch {
	case s.Err != "":
		return s.Err
	case s.KissCode != "":
		return "kiss-o'-death " + s.KissCode
	default:
		return fmt.Sprintf("offset %s, stratum %d, leap indicator %d, root distance %s, round trip %s",
			s.Offset.Round(time.Microsecond), s.Stratum, s.Leap,
			s.RootDistance.Round(time.Microsecond), s.RoundTrip.Round(time.Microsecond))
	}
}

// findings collects what was seen by reason, each text once.
type findings map[*Reason][]string

func (f findings) add(r *Reason, text string) {
	if !slices.Contains(f[r], text) {
		f[r] = append(f[r], text)
	}
}

// failures gives one failure for each reason found, in the order of all.
func (f findings) failures(all []*Reason) []*Failure {
	var out []*Failure
	for _, r := range all {
		if texts := f[r]; texts != nil {
			out = append(out, &Failure{Reason: r, Err: errors.New(strings.Join(texts, "; "))})
		}
	}
	return out
}
