package schedule

import (
	"cmp"
	"slices"

	"github.com/cx700/cx700_exporter/internal/metric"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/signin"
)

var (
	descState = metric.NewGauge("cx700_signin_state",
		"Whether a kind of phone can sign in: 1 for the state that holds (ready, degraded, blocked or unknown), 0 for the others; "+
			"absent where there is no verdict.",
		`cx700_signin_state{state="blocked"} == 1`, "site", "network", "firmware", "phone", "state")
	descStep = metric.NewGauge("cx700_signin_step_ok",
		"Whether a kind of phone gets through a step (1) or not (0), absent while that is not known, not reached or not needed; "+
			"exchange, update and firmware are 1 only while all of them is good.",
		`cx700_signin_step_ok == 0`, "site", "network", "firmware", "phone", "step")
	descBlocked = metric.NewGauge("cx700_signin_blocked_info",
		"The first step at which a kind of phone is stopped, and why; only while it is.",
		`cx700_signin_blocked_info`, "site", "network", "firmware", "phone", "step", "reason")
	descValidUntil = metric.NewGauge("cx700_signin_valid_until_timestamp_seconds",
		"When the first certificate ends of those by which a kind of phone gets to its registrar; absent while that is not known.",
		`(cx700_signin_valid_until_timestamp_seconds - time()) / 86400 < 30`, "site", "network", "firmware", "phone")
	descTicks = metric.NewCounter("cx700_signin_ticks_total",
		"Times that a verdict was counted, twice a minute.",
		`1 - increase(cx700_signin_bad_ticks_total[1h]) / increase(cx700_signin_ticks_total[1h])`, "site", "network", "firmware", "phone")
	descBadTicks = metric.NewCounter("cx700_signin_bad_ticks_total",
		"Times that a verdict was counted while it was blocked.",
		`increase(cx700_signin_bad_ticks_total[1h]) > 0`, "site", "network", "firmware", "phone")
	descUnknownTicks = metric.NewCounter("cx700_signin_unknown_ticks_total",
		"Times that a verdict was counted while it was unknown, which is neither good nor bad.",
		`increase(cx700_signin_unknown_ticks_total[1d]) / increase(cx700_signin_ticks_total[1d]) > 0.01`, "site", "network", "firmware", "phone")
	descObjective = metric.NewGauge("cx700_signin_objective_ratio",
		"The part of the time in which phones of a site are to be able to sign in, by the site file.",
		`cx700_signin_objective_ratio`, "site")
	descUpdateReady = metric.NewGauge("cx700_update_ready",
		"Whether a firmware would get new firmware wherever it is sent for it (1) or not everywhere (0); absent while that is not known.",
		`cx700_update_ready == 0`, "site", "network", "firmware")
	descPoolTrusted = metric.NewGauge("cx700_pool_trusted",
		"Whether a kind of phone trusts a registrar by its certificates (1) or not (0); absent while that is not known or not watched.",
		`cx700_pool_trusted == 0`, "site", "network", "address", "firmware", "phone")
)

func verdictMetrics() []*metric.Desc {
	return []*metric.Desc{
		descState, descStep, descBlocked, descValidUntil, descTicks, descBadTicks, descUnknownTicks, descObjective,
		descUpdateReady, descRefused, descPoolTrusted, descRollOver, descReason,
	}
}

// samples are the series of a judgement, at each of its sites.
func (s *Scheduler) samples(g *judgement) []metric.Sample {
	const aboutEach = 20 // of a kind of phone at a site
	out := make([]metric.Sample, 0, aboutEach*len(g.verdicts)*len(g.Sites))
	for _, v := range g.verdicts {
		for _, name := range g.Sites {
			add := func(d *metric.Desc, value float64, labels ...string) {
				all := make([]string, 0, 4+len(labels))
				all = append(append(all, name, string(g.Network), v.Firmware, string(v.Kind)), labels...)
				out = append(out, metric.Sample{Desc: d, Value: value, Labels: all})
			}
			addTrusted(v, name, string(g.Network), &out)
			addRollOver(v, func(d *metric.Desc, value float64, strands ...string) {
				out = append(out, metric.Sample{Desc: d, Value: value,
					Labels: append([]string{name, string(g.Network), v.Firmware}, strands...)})
			})
			if v.Kind == phone.Enrolled {
				if ready, known := v.UpdateReady(); known {
					out = append(out, metric.Sample{Desc: descUpdateReady, Value: number(ready),
						Labels: []string{name, string(g.Network), v.Firmware}})
				}
			}
			if v.State == signin.NoVerdict {
				continue
			}
			addVerdict(v, add)
			addRefusals(v, add)
			good, bad, unknown := s.tracks.counts(trackOf(name, g.Network, v))
			add(descTicks, float64(good+bad+unknown))
			add(descBadTicks, float64(bad))
			add(descUnknownTicks, float64(unknown))
		}
	}
	return out
}

func addVerdict(v *signin.Verdict, add func(d *metric.Desc, value float64, labels ...string)) {
	for _, state := range signin.Readinesses() {
		add(descState, number(v.State == state), string(state))
	}
	for _, j := range v.Walk {
		if j.Through() || j.State == signin.Blocked {
			add(descStep, number(j.Through()), string(j.Step.Name))
		}
	}
	for _, j := range v.Beside {
		if j.Through() || j.State == signin.Blocked {
			add(descStep, number(j.State == signin.OK), string(j.Step.Name))
		}
	}
	if v.State == signin.Stopped {
		add(descBlocked, 1, string(v.At.Step.Name), cmp.Or(v.Why.Reason.Name, "none"))
	}
	if v.Ends != nil {
		add(descValidUntil, float64(v.Ends.NotAfter.Unix()))
	}
}

func addTrusted(v *signin.Verdict, name, network string, out *[]metric.Sample) {
	trusted, refused := v.Addresses()
	for i, address := range slices.Concat(trusted, refused) {
		*out = append(*out, metric.Sample{Desc: descPoolTrusted, Value: number(i < len(trusted)),
			Labels: []string{name, network, address.String(), v.Firmware, string(v.Kind)}})
	}
}

func number(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
