//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cx700/cx700_exporter/internal/bed"
)

// realFault is a break of real servers and what the program must say of it: these reasons, as
// network/collector/reason, and no others.
type realFault struct {
	name string
	want []string
	// or holds other sets of reasons that are as true; which it is may change while it is broken.
	or [][]string
	// breaks does the damage, heals undoes it.
	breaks, heals func(context.Context, *bed.Bed) error
	// shows checks other series while it is broken; it may be nil.
	shows func(t *testing.T, scrape string)
	// long keeps it out of the default suite; waits tells that the program waits for answers.
	long, waits bool
}

// slack is for what is not the program's: a busy machine can freeze it for seconds, and with intervals
// as short as here every freeze is a finding. So nothing fails at the first look that displeases, but
// when what is wanted does not come, and stay, in time.
const slack = 10 * time.Second

// steadyRounds is for how many probes of every target in a row the reasons must stay as they are.
func steadyRounds() int {
	if long() {
		return 3
	}
	return 1
}

// holds checks that the reasons wanted are there, and no others.
func (f realFault) holds(t *testing.T, scrape string) error {
	t.Helper()
	err := holds(t, scrape, f.want)
	for _, other := range f.or {
		if err != nil && holds(t, scrape, other) == nil {
			return nil
		}
	}
	return err
}

// testFault breaks, watches and heals. A change must be seen by the first probe that starts after it:
// the one under way ends, the next starts within an interval, and takes its time, which is an interval
// at most.
func testFault(t *testing.T, e *exporter, f realFault, interval time.Duration) (broken, whole time.Duration) {
	const probesUnderWayAndNext = 2
	limit := interval + probesUnderWayAndNext*interval + slack
	healed := false
	defer func() {
		if !healed { // lest the breaks after this one fail as well
			must(t, f.heals(t.Context(), e.rig.Bed))
		}
	}()
	must(t, f.breaks(t.Context(), e.rig.Bed))
	broken = within(t, "the break shows", limit, func() error { return f.holds(t, e.get(t, "/metrics")) })
	scrape := f.stays(t, e, limit)
	if f.shows != nil {
		f.shows(t, scrape)
	}
	if f.or == nil {
		within(t, "the commands tell the same", limit, func() error { return probeCommands(t, e, f.want) })
	}
	must(t, f.heals(t.Context(), e.rig.Bed))
	healed = true
	whole = within(t, "healing heals", limit, func() error { return holds(t, e.get(t, "/metrics"), nil) })
	t.Logf("seen after %s, healed after %s", broken.Round(time.Millisecond), whole.Round(time.Millisecond))
	return broken, whole
}

// prompt holds what was seen to one interval and a probe. It looks at the median: a single fault may meet a
// machine that is busy with something else.
func prompt(t *testing.T, what string, seen []time.Duration, interval time.Duration) {
	t.Helper()
	slices.Sort(seen)
	if len(seen) == 0 || seen[len(seen)/2] > 2*interval {
		t.Errorf("%s was seen after %v; want half of them within %s", what, seen, 2*interval)
	}
}

// stays waits until the reasons were the same for some rounds, and returns the last scrape.
func (f realFault) stays(t *testing.T, e *exporter, limit time.Duration) (scrape string) {
	t.Helper()
	var since map[string]float64
	rounds := 0
	within(t, "the reasons stay", time.Duration(steadyRounds())*limit, func() error {
		scrape = e.get(t, "/metrics")
		if err := f.holds(t, scrape); err != nil {
			t.Logf("disturbed: %v", err)
			since, rounds = nil, 0
			return err
		}
		if since == nil {
			since = lastRuns(t, scrape)
		}
		if err := allNewer(since, lastRuns(t, scrape)); err != nil {
			return err
		}
		since = lastRuns(t, scrape)
		rounds++
		if rounds < steadyRounds() {
			return fmt.Errorf("they stayed for %d rounds, %d are wanted", rounds, steadyRounds())
		}
		return nil
	})
	return scrape
}

// realFaults lists the breaks, each of which is made alone.
func realFaults() []realFault {
	var out []realFault
	out = append(out, recordFaults()...)
	out = append(out, resolverFaults()...)
	out = append(out, clockFaults("internal", bed.NTPInside, false)...)
	out = append(out, secondSource("killed", each([]bed.Host{bed.NTPInside}, kill), "ntp/time_unreachable"),
		secondSource("ahead", skews(bed.NTPInside, 7*time.Minute), "ntp/time_off"))
	return append(out, clockFaults("external", bed.NTPOutside, true)...)
}

// inside prefixes reasons with the internal network.
func inside(reasons ...string) []string { return on("internal", reasons) }

// noDirectory are reasons beside which no name in Active Directory is answered: nobody knows the domain controllers,
// nor from them the CA, nor the servers for updates.
func noDirectory(reasons ...string) []string {
	return inside(append(reasons, "directory/dc_names_unanswered", "certsrv/certsrv_host_unknown",
		"update/update_names_unanswered", "firmware/firmware_names_unanswered", "firmware_download/firmware_names_unanswered")...)
}

// noSignIn are reasons beside which no name of the SIP domain is answered either.
func noSignIn() []string {
	return inside("ntp/time_names_unanswered", "pool/pool_names_unanswered", "sip/sip_names_unanswered", "exchange/exchange_names_unanswered")
}

// noNamesOutside are reasons beside which the reverse proxy's name is not answered.
func noNamesOutside(reasons ...string) []string {
	return outside(append(reasons, "pool/pool_names_unanswered", "sip/sip_names_unanswered", "exchange/exchange_names_unanswered", "update/update_names_unanswered", "firmware/firmware_names_unanswered",
		"firmware_download/firmware_names_unanswered")...)
}

func outside(reasons ...string) []string { return on("external", reasons) }

func on(network string, reasons []string) []string {
	var out []string
	for _, r := range reasons {
		out = append(out, network+"/"+r)
	}
	return out
}

// edits changes a zone at the given servers, by a replacement in its text for each pair.
func edits(zone string, hosts []bed.Host, pairs ...string) func(context.Context, *bed.Bed) error {
	return func(ctx context.Context, b *bed.Bed) error {
		var errs []error
		for _, h := range hosts {
			errs = append(errs, b.EditZone(ctx, h, zone, strings.NewReplacer(pairs...).Replace))
		}
		return errors.Join(errs...)
	}
}

func restore(ctx context.Context, b *bed.Bed) error { return b.RestoreZones(ctx) }

var (
	insideResolvers  = []bed.Host{bed.DNSInside, bed.DNSInside2}
	outsideResolvers = []bed.Host{bed.DNSOutside}
)

// recordFaults are records that are missing, or lead to the wrong place. A record goes by being renamed.
func recordFaults() []realFault {
	const (
		zone    = "fabrikam.com"
		sipA    = "\nsip\t"
		srv     = "\n_sipinternaltls."
		srvOut  = "\n_sip._tls"
		srvTime = "\n_ntp._udp"
	)
	in := func(name string, want []string, pairs ...string) realFault {
		return realFault{name: name, want: want, breaks: edits(zone, insideResolvers, pairs...), heals: restore}
	}
	out := func(name string, want []string, pairs ...string) realFault {
		return realFault{name: name, want: want, breaks: edits(zone, outsideResolvers, pairs...), heals: restore, long: true}
	}
	later := func(f realFault) realFault {
		f.long = true
		return f
	}
	return []realFault{
		in("srv dropped", inside("dns/srv_missing"), srv, "\nx"+srv[1:]),
		later(in("sip dropped, SRV in the SIP domain", inside("dns/sip_a_missing"),
			sipA, "\npool\t", "pool01.contoso.com.", "pool")),
		in("sip dropped, SRV outside the SIP domain",
			inside("dns/sip_a_missing", "dns/srv_outside_sip_domain", "pool/pool_outside_sip_domain", "sip/sip_no_connection"), sipA, "\nx\t"),
		in("registrar names gone", inside("dns/registrar_not_found", "dns/sip_a_missing", "dns/srv_missing", "pool/pool_no_registrar",
			"sip/sip_no_connection"),
			sipA, "\nx\t", srv, "\nx"+srv[1:]),
		in("ntp SRV dropped", inside("dns/time_srv_missing"), srvTime, "\nx"),
		in("SRV target without address", inside("dns/srv_target_unresolved"), "pool01.", "gone."),
		later(in("ntp SRV target without address",
			inside("dns/srv_target_unresolved", "ntp/time_unreachable"), "ntp01.", "gone.")),
		later(in("autodiscover dropped", inside("dns/autodiscover_missing", "exchange/autodiscover_unresolved"), "\nautodiscover\t", "\nx\t")),
		out("srv dropped outside", outside("dns/srv_missing"), srvOut, "\nx"),
		out("sip dropped outside", outside("dns/registrar_not_found", "dns/sip_a_missing", "dns/srv_target_unresolved", "pool/pool_no_registrar",
			"sip/sip_no_connection"),
			sipA, "\nx\t"),
		out("ntp SRV dropped outside", outside("dns/time_srv_missing"), srvTime, "\nx"),
		out("reverse proxy dropped outside", outside("dns/reverse_proxy_missing", "update/update_unresolved"), "\nocsrp\t", "\nx\t"),
		{name: "no time source is named", want: inside("dns/time_srv_missing", "ntp/time_source_missing"), long: true,
			breaks: both(edits(zone, insideResolvers, srvTime, "\nx"), edits("time.windows.com", insideResolvers, "@\tIN A\t", "x\tIN A\t")),
			heals:  restore},
		{name: "lying resolver", want: inside("dns/resolvers_disagree"),
			breaks: edits(zone, insideResolvers[1:], "192.168.7.81", "192.168.7.66"), heals: restore},
		{name: "ucupdates-r2 dropped", want: inside("dns/update_name_missing", "update/update_unresolved"),
			breaks: deletesAD("ucupdates-r2"), heals: addsAD("ucupdates-r2")},
		{name: "ucupdates-r2 dropped outside", want: outside("dns/update_name_missing"),
			breaks: edits("contoso.com", outsideResolvers, "\nucupdates-r2\t", "\nx\t"), heals: restore},
		{name: "wildcard in the DHCP domain", want: inside("dns/wildcard_misdirects", "dns/wildcard_zone"),
			breaks: addsAD("*"), heals: deletesAD("*")},
	}
}

func both(first, second func(context.Context, *bed.Bed) error) func(context.Context, *bed.Bed) error {
	return func(ctx context.Context, b *bed.Bed) error { return errors.Join(first(ctx, b), second(ctx, b)) }
}

func deletesAD(name string) func(context.Context, *bed.Bed) error {
	return func(ctx context.Context, b *bed.Bed) error { return b.DeleteADRecord(ctx, name, "A", "") }
}

func addsAD(name string) func(context.Context, *bed.Bed) error {
	return func(ctx context.Context, b *bed.Bed) error { return b.AddADRecord(ctx, name, "A", "192.168.7.81") }
}

// each does something to several servers.
func each(hosts []bed.Host, do func(context.Context, *bed.Bed, bed.Host) error) func(context.Context, *bed.Bed) error {
	return func(ctx context.Context, b *bed.Bed) error {
		var errs []error
		for _, h := range hosts {
			errs = append(errs, do(ctx, b, h))
		}
		return errors.Join(errs...)
	}
}

func pause(_ context.Context, b *bed.Bed, h bed.Host) error  { return b.Pause(h) }
func resume(_ context.Context, b *bed.Bed, h bed.Host) error { return b.Resume(h) }
func kill(_ context.Context, b *bed.Bed, h bed.Host) error   { return b.Kill(h) }
func restart(ctx context.Context, b *bed.Bed, h bed.Host) error {
	return b.Restart(ctx, h)
}
func refuse(ctx context.Context, b *bed.Bed, h bed.Host) error  { return b.Refuse(ctx, h) }
func healDNS(ctx context.Context, b *bed.Bed, h bed.Host) error { return b.HealDNS(ctx, h) }
func failSIP(ctx context.Context, b *bed.Bed, h bed.Host) error {
	return b.ServFail(ctx, h, "fabrikam.com")
}

func skews(host bed.Host, by time.Duration) func(context.Context, *bed.Bed) error {
	return func(ctx context.Context, b *bed.Bed) error { return b.SkewClock(ctx, host, by) }
}

// resolverFaults are name servers, the domain controller's among them, that do not serve.
func resolverFaults() []realFault {
	first, second := insideResolvers[:1], insideResolvers[1:]
	dc := []bed.Host{bed.DC}
	all := func(reason string) []string {
		return append(noDirectory("dns/registrar_unresolved", "dns/"+reason), noSignIn()...)
	}
	return []realFault{
		{name: "domain controller killed", want: noDirectory("dns/resolver_servfail"), breaks: each(dc, kill), heals: each(dc, restart)},
		// BIND waits for ten seconds before it answers SERVFAIL, also to who asks again meanwhile.
		{name: "domain controller silent", want: noDirectory("dns/resolver_timeout"),
			or:     [][]string{noDirectory("dns/resolver_servfail"), noDirectory("dns/resolver_timeout", "dns/resolver_servfail")},
			breaks: each(dc, pause), heals: each(dc, resume), waits: true},
		{name: "SIP zone fails", want: inside("dns/registrar_unresolved", "dns/resolver_servfail", "pool/pool_names_unanswered",
			"sip/sip_names_unanswered", "exchange/exchange_names_unanswered"),
			breaks: each(insideResolvers, failSIP), heals: each(insideResolvers, healDNS)},
		{name: "SIP zone fails at one", want: inside("dns/resolver_servfail"), long: true,
			breaks: each(first, failSIP), heals: each(first, healDNS)},
		{name: "SIP zone fails outside", want: noNamesOutside("dns/registrar_unresolved", "dns/resolver_servfail"), long: true,
			breaks: each(outsideResolvers, failSIP), heals: each(outsideResolvers, healDNS)},
		{name: "first resolver silent", want: inside("dns/resolver_timeout"), breaks: each(first, pause), heals: each(first, resume), waits: true},
		{name: "second resolver silent", want: inside("dns/resolver_timeout"), long: true,
			breaks: each(second, pause), heals: each(second, resume), waits: true},
		{name: "first resolver refuses", want: inside("dns/resolver_refused"), breaks: each(first, refuse), heals: each(first, healDNS)},
		{name: "second resolver refuses", want: inside("dns/resolver_refused"), long: true,
			breaks: each(second, refuse), heals: each(second, healDNS)},
		{name: "first resolver killed", want: inside("dns/resolver_unreachable"), breaks: each(first, kill), heals: each(first, healDNS)},
		{name: "second resolver killed", want: inside("dns/resolver_unreachable"), long: true,
			breaks: each(second, kill), heals: each(second, healDNS)},
		{name: "all resolvers silent", want: all("resolver_timeout"), waits: true,
			breaks: each(insideResolvers, pause), heals: each(insideResolvers, resume)},
		{name: "all resolvers refuse", want: append(noDirectory("dns/registrar_unknown", "dns/resolver_refused"), noSignIn()...), long: true,
			breaks: each(insideResolvers, refuse), heals: each(insideResolvers, healDNS)},
		{name: "all resolvers killed", want: all("resolver_unreachable"), long: true,
			breaks: each(insideResolvers, kill), heals: each(insideResolvers, healDNS)},
		{name: "resolver outside silent", long: true, waits: true,
			want:   noNamesOutside("dns/registrar_unresolved", "dns/resolver_timeout", "ntp/time_names_unanswered"),
			breaks: each(outsideResolvers, pause), heals: each(outsideResolvers, resume)},
	}
}

// secondSource lets time.windows.com inside lead to the time server outside, and then breaks the one
// inside: phones that take the SRV record's server get nothing or a wrong time from it, and those that
// prefer time.windows.com never see it.
func secondSource(name string, breaks func(context.Context, *bed.Bed) error, reasons ...string) realFault {
	return realFault{
		name: "clock " + name + ", second source good", want: inside(reasons...), long: true,
		breaks: both(edits("time.windows.com", insideResolvers, "192.168.7.20", "203.0.113.20"), breaks),
		heals:  both(restore, func(ctx context.Context, b *bed.Bed) error { return b.HealNTP(ctx, bed.NTPInside) }),
	}
}

// clockFaults are those of one time server, which is all that its network has.
func clockFaults(network string, host bed.Host, long bool) []realFault {
	heal := func(ctx context.Context, b *bed.Bed) error { return b.HealNTP(ctx, host) }
	fault := func(name string, breaks func(context.Context, *bed.Bed) error, reasons ...string) realFault {
		return realFault{name: "clock " + name + ", " + network, want: on(network, reasons), breaks: breaks, heals: heal, long: long}
	}
	silent := fault("silent", each([]bed.Host{host}, pause), "ntp/time_unavailable", "ntp/time_silent")
	silent.waits = true
	ahead := fault("ahead", skews(host, 7*time.Minute), "ntp/time_off")
	ahead.long, ahead.shows = false, showsOffset(network, 7*time.Minute)
	behind := fault("behind", skews(host, -7*time.Minute), "ntp/time_off")
	behind.shows = showsOffset(network, -7*time.Minute)
	unsynchronised := fault("unsynchronised",
		func(ctx context.Context, b *bed.Bed) error { return b.Unsynchronise(ctx, host) },
		"ntp/time_unavailable", "ntp/time_unsynchronised")
	unsynchronised.shows = func(t *testing.T, scrape string) {
		if leap := ofNetwork(t, scrape, "cx700_ntp_leap_indicator", network); !slices.Equal(leap, []float64{3}) {
			t.Errorf("leap indicators: %v, want one of 3", leap)
		}
		if offset := ofNetwork(t, scrape, "cx700_ntp_offset_seconds", network); len(offset) > 0 {
			t.Errorf("offsets of a server that has no time: %v", offset)
		}
	}
	return []realFault{
		ahead, behind, unsynchronised,
		fault("killed", each([]bed.Host{host}, kill), "ntp/time_unavailable", "ntp/time_unreachable"),
		silent,
	}
}

// showsOffset checks the offset of the network's only time server.
func showsOffset(network string, want time.Duration) func(*testing.T, string) {
	return func(t *testing.T, scrape string) {
		got := ofNetwork(t, scrape, "cx700_ntp_offset_seconds", network)
		if len(got) != 1 || math.Abs(got[0]-want.Seconds()) > 0.5 {
			t.Errorf("offsets: %v, want one of %v", got, want.Seconds())
		}
	}
}

// ofNetwork returns the values of a family on one network.
func ofNetwork(t *testing.T, scrape, name, network string) []float64 {
	t.Helper()
	var out []float64
	for labels, value := range series(t, scrape, name) {
		if strings.Contains(labels, `network="`+network+`"`) {
			out = append(out, value)
		}
	}
	return out
}
