package schedule

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/cx700/cx700_exporter/collectors"
	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/metric"
	"github.com/cx700/cx700_exporter/internal/reach"
)

var (
	descSuccess = metric.NewGauge("cx700_probe_success",
		"Whether the last probe of a target found that phones get through (1), or not, or could not tell (0); "+
			"absent where the exporter lacks a privilege to ask.",
		`cx700_probe_success == 0`, "network", "collector", "target")
	descProbes = metric.NewCounter("cx700_probes_total",
		"Rounds of probes of a target; a change counts once two more probes have confirmed it.",
		`sum by (collector) (rate(cx700_probes_total[5m]))`, "network", "collector", "target")
	descFailures = metric.NewCounter("cx700_probe_failures_total",
		"Rounds in which a target was not successful.",
		`rate(cx700_probe_failures_total[1h]) / rate(cx700_probes_total[1h])`, "network", "collector", "target")
	descLastRun = metric.NewGauge("cx700_probe_last_run_timestamp_seconds",
		"When the last probe of a target ended.",
		`time() - cx700_probe_last_run_timestamp_seconds > 3 * cx700_probe_interval_seconds`,
		"network", "collector", "target")
	descInterval = metric.NewGauge("cx700_probe_interval_seconds",
		"How often a target is probed.",
		`cx700_probe_interval_seconds`, "network", "collector", "target")
	descFailing = metric.NewGauge("cx700_probe_failing",
		"A reason that the last probe of a target found (1), also one that only degrades it; absent when there is none.",
		`count by (reason) (cx700_probe_failing)`, "network", "collector", "target", "reason")
	descDuration = metric.NewHistogram("cx700_probe_duration_seconds",
		"How long probes took.",
		`histogram_quantile(0.9, sum by (collector, le) (rate(cx700_probe_duration_seconds_bucket[1h])))`,
		"network", "collector")
	descQueue = metric.NewHistogram("cx700_probe_queue_seconds",
		"How long probes waited for a free worker after they were due.",
		`histogram_quantile(0.9, sum by (le) (rate(cx700_probe_queue_seconds_bucket[1h]))) > 1`,
		"network", "collector")
)

// Metrics lists the series that the scheduler itself gives.
func Metrics() []*metric.Desc {
	return append(verdictMetrics(),
		descSites, descShard, descSiteTarget, descSitePhones, descSuccess, descFailing, descProbes, descFailures, descLastRun, descInterval,
		descDuration, descQueue)
}

// Report is what one probe left. It is not changed once it is published.
type Report struct {
	Planned  *Planned
	Seen     *facts.Seen
	Failures []*collectors.Failure
	Started  time.Time
	Ended    time.Time
	// Since is when the first of the probes in a row that found the same reasons started.
	Since time.Time
	// Set holds the series; nil in reports of single probes.
	Set *metric.Set

	samples []metric.Sample
	lines   []collectors.Line
	// byFirmware is what each firmware has against what was seen, where that is not the same for all.
	byFirmware map[string][]facts.Finding
}

// Success tells whether no reason stops a phone or blinds us.
func (r *Report) Success() bool {
	return !slices.ContainsFunc(r.Failures, func(f *collectors.Failure) bool { return f.Reason.Effect.Fails() })
}

// found tells whether a reason with an effect was found.
func (r *Report) found(e collectors.Effect) bool {
	return slices.ContainsFunc(r.Failures, func(f *collectors.Failure) bool { return f.Reason.Effect == e })
}

// Worst is the gravest effect found, Notes when there is nothing.
func (r *Report) Worst() collectors.Effect {
	worst := collectors.Notes
	for _, f := range r.Failures {
		worst = max(worst, f.Reason.Effect)
	}
	return worst
}

// outcome is equal for reports that found the same reasons.
func (r *Report) outcome() string {
	var names []string
	for _, f := range r.Failures {
		if !slices.Contains(names, f.Reason.Name) {
			names = append(names, f.Reason.Name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ",")
}

// under is the report's series under the name that its target has by now: another plan may have told it apart from others.
func (r *Report) under(name string) (*metric.Set, error) {
	if before := r.Planned.Target.Name; before != name {
		return r.Set.Renamed("target", before, name)
	}
	return r.Set, nil
}

// Once probes a target once, outside any schedule: it leaves no trace in the state but a credential that
// was refused. Looks made before due are not used.
func Once(ctx context.Context, shared *reach.Shared, p *Planned, due time.Time) *Report {
	return probe(ctx, p, &collectors.Env{Target: &p.Target, Shared: shared, Due: due})
}

func probe(ctx context.Context, p *Planned, env *collectors.Env) *Report {
	var err error
	if p.Collector.Alone { // its time begins with its turn
		var done func()
		if done, err = env.Shared.Downloads.Turn(ctx); err == nil {
			defer done()
		}
	}
	ctx, cancel := context.WithTimeout(ctx, p.Target.Timeout)
	defer cancel()
	r := &Report{Planned: p, Seen: &facts.Seen{}, Started: time.Now()}
	r.Since = r.Started
	exhausted := reach.Exhausted()
	if err == nil {
		err = guarded(func() error { return p.Collector.Probe(ctx, env, r.Seen) })
	}
	r.samples, r.lines = env.Samples(), env.Lines()
	if reach.Exhausted() > exhausted { // servers seem unreachable then
		r.Seen, r.samples, err = &facts.Seen{}, nil, errExhausted
	}
	r.Failures = collectors.Failures(err)
	if err := guarded(r.judge); err != nil {
		r.Failures = collectors.Failures(err)
	}
	r.Ended = time.Now()
	return r
}

var errExhausted = errors.New("the exporter had no file or no memory for a connection: raise the limit of open files, or lower --probe.concurrency")

// judge tells the firmwares apart, where they differ in what they have against what was seen.
func (r *Report) judge() error {
	c, internal := r.Planned.Collector, collectors.Internal().Name
	fault := slices.ContainsFunc(r.Failures, func(f *collectors.Failure) bool { return f.Reason.Name == internal })
	if c.Judge == nil || len(r.Failures) == 0 || fault {
		return nil
	}
	r.byFirmware = map[string][]facts.Finding{}
	for i := range r.Planned.Target.Firmware {
		one := r.Planned.Target
		one.Firmware = one.Firmware[i : i+1]
		r.byFirmware[one.Firmware[0].Version] = findingsOf(c.Judge(&one, r.Seen))
	}
	return nil
}

// findings are what a firmware has against what was seen.
func (r *Report) findings(firmware string) []facts.Finding {
	if r.byFirmware != nil {
		return r.byFirmware[firmware]
	}
	return findingsOf(r.Failures)
}

func findingsOf(failures []*collectors.Failure) []facts.Finding {
	var out []facts.Finding
	for _, f := range failures {
		out = append(out, facts.Finding{Reason: f.Reason, Seen: f.Err.Error()})
	}
	return out
}

// guarded makes a panic an error: one probe must not end all.
func guarded(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return do()
}

// finish adds the scheduler's own series and closes the set.
func (r *Report) finish(rounds, failed uint64) error {
	t := &r.Planned.Target
	add := func(d *metric.Desc, value float64, more ...string) {
		labels := append([]string{string(t.Network), t.Collector, t.Name}, more...)
		r.samples = append(r.samples, metric.Sample{Desc: d, Value: value, Labels: labels})
	}
	switch {
	case !r.Success():
		add(descSuccess, 0)
	case r.found(collectors.NotWatched): // neither
	default:
		add(descSuccess, 1)
	}
	add(descProbes, float64(rounds))
	add(descFailures, float64(failed))
	add(descLastRun, float64(r.Ended.UnixMilli())/1000)
	add(descInterval, t.Interval.Seconds())
	for name := range strings.SplitSeq(r.outcome(), ",") {
		if name != "" {
			add(descFailing, 1, name)
		}
	}
	var err error
	r.Set, err = metric.NewSet(r.samples)
	r.samples = nil
	return err
}
