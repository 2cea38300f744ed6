package collectors

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/metric"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/site"
	"github.com/cx700/cx700_exporter/internal/state"
)

// maxListed is for how many certificates a target has series of their own; those in CN=Certification
// Authorities come first.
const maxListed = 10

var (
	descCACertificates = metric.NewGauge("cx700_ad_ca_certificates",
		"Values of cACertificate that a domain controller shows, by container and by what they hold; hidden counts objects. Absent when it cannot be read.",
		`sum by (target) (cx700_ad_ca_certificates{container="certification_authorities",state="populated"}) == 0`,
		"target", "dc", "container", "state")
	descCANotAfter = metric.NewGauge("cx700_ad_ca_certificate_not_after_timestamp_seconds",
		"When a certificate published in Active Directory expires; sha256 is the beginning of its fingerprint.",
		`(cx700_ad_ca_certificate_not_after_timestamp_seconds{container="certification_authorities"} - time()) / 86400 < 30`,
		"target", "container", "sha256")
	descCAInfo = metric.NewGauge("cx700_ad_ca_certificate_info",
		"A certificate published in Active Directory.",
		`cx700_ad_ca_certificate_not_after_timestamp_seconds * on (target, container, sha256) group_left (subject) cx700_ad_ca_certificate_info`,
		"target", "container", "sha256", "fingerprint", "subject", "key", "signature_algorithm", "not_before", "not_after")
	descCAFirstSeen = metric.NewGauge("cx700_ad_ca_certificate_first_seen_timestamp_seconds",
		"Since when the exporter has seen a root in CN=Certification Authorities; kept in the state file.",
		`time() - cx700_ad_ca_certificate_first_seen_timestamp_seconds < 86400`,
		"target", "sha256")
	descCANotListed = metric.NewGauge("cx700_ad_ca_certificates_not_listed",
		"Published certificates without series of their own, because the target has too many; absent when there are none.",
		`cx700_ad_ca_certificates_not_listed > 0`, "target")
	descRootChanges = metric.NewCounter("cx700_ad_root_changes_total",
		"Changes of the roots in CN=Certification Authorities: appeared, replaced (another certificate in the same object) or gone.",
		`increase(cx700_ad_root_changes_total[1d]) > 0`, "target", "change")
	descController = metric.NewGauge("cx700_ad_controller_readable",
		"Whether the exporter could read what a domain controller publishes (1) or not (0).",
		`cx700_ad_controller_readable == 0`, "target", "dc")
	descEnrolment = metric.NewGauge("cx700_ad_enrolment_services",
		"Objects of the class pKIEnrollmentService with a dNSHostName that a domain controller shows; absent when it cannot be read.",
		`cx700_ad_enrolment_services == 0`, "target", "dc")
	descDomain = metric.NewGauge("cx700_ad_domain_info",
		"The domain in which phones find their domain controllers, and the forest's configuration naming context.",
		`cx700_ad_domain_info`, "target", "domain", "configuration")
)

// Directory watches the roots that Active Directory publishes, at every domain controller that a phone
// would find.
func Directory() *Collector {
	return &Collector{
		Name: "directory", Asks: "Does AD publish a root that a new phone can fetch?", Guide: "7-8, 19, 26-27, 42, 48",
		Steps: []phone.Step{phone.StepController, phone.StepRoot}, StepOf: stepOfDirectory,
		Interval: 30 * time.Second, Timeout: 20 * time.Second,
		Reasons: directoryReasons(),
		Metrics: []*metric.Desc{
			descCACertificates, descCANotAfter, descCAInfo, descCAFirstSeen, descCANotListed, descRootChanges,
			descController, descEnrolment, descDomain,
		},
		Targets: func(s *site.Site, n site.Network) []Target {
			if n.Name != site.Internal {
				return nil
			}
			return []Target{directoryTarget("directory", s, n)}
		},
		Probe:   probeDirectory,
		Explain: explainDirectory,
	}
}

// directoryTarget is the target of collectors that depend on Active Directory.
func directoryTarget(collector string, s *site.Site, n site.Network) Target {
	t := namesTarget(collector, s, n)
	_, resolvers, _ := strings.Cut(t.Name, "@")
	t.Name = s.Domains.Logon + "@" + resolvers
	t.Directory = n.Directory
	t.Firmware = nil // all of them find and read it the same way
	return t
}

// stepOfDirectory tells the way to a controller from what is published there, which is also what our own logon is for.
func stepOfDirectory(r *Reason) phone.Step {
	switch r {
	case reasonControllerNotFound, reasonControllerNamesUnanswered, reasonDomainAMissing, reasonControllersUnavailable,
		reasonControllerUnresolved, reasonControllerUnreachable, reasonControllerSilent, reasonControllerMalformed,
		reasonControllersLeftOut:
		return phone.StepController
	default:
		return phone.StepRoot
	}
}

func directoryReasons() []*Reason {
	out := []*Reason{
		reasonControllerNotFound, reasonControllerNamesUnanswered, reasonDomainAMissing, reasonControllersUnavailable,
		reasonRootEmpty, reasonRootUnparsable, reasonRootMissing, reasonRootHidden,
		reasonControllerUnresolved, reasonControllerUnreachable, reasonControllerSilent, reasonControllerMalformed,
		reasonObjectUnusable, reasonReplicating, reasonEnrolmentMissing, reasonEnrolmentHostMissing,
		reasonRootsNotWatched, reasonSearchDenied, reasonControllerNotRead, reasonControllersLeftOut,
	}
	for _, kind := range slices.Sorted(maps.Keys(logonReasons)) {
		if r := logonReasons[kind]; !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	return out
}

func probeDirectory(ctx context.Context, env *Env, seen *facts.Seen) error {
	directory, err := env.Directory(ctx)
	if err != nil {
		return err
	}
	seen.Directory = directory
	if err := observeRoots(env, directory); err != nil {
		env.Say("the roots of this round are not in the state file", "err", err)
	}
	emitDirectory(env, directory)
	return join(judgeDirectory(env.Target, directory))
}

// observeRoots takes note of the roots. That one is gone counts only when every controller was read.
func observeRoots(env *Env, d *facts.Directory) error {
	forest := d.Forest()
	if !env.Scheduled || forest == "" {
		return nil
	}
	patience := patienceWith(d, env.Target.Interval)
	var published []state.Published
	for _, c := range certificatesOf(d, facts.CertificationAuthorities) {
		published = append(published, state.Published{SHA256: c.SHA256, Subject: c.Subject, Object: c.object, DER: c.der})
	}
	events, err := env.Shared.State.ObserveRoots(forest, time.Now(), patience, published)
	for _, e := range events {
		args := []any{"change", e.Change, "sha256", e.SHA256, "subject", e.Subject}
		if e.Before != "" {
			args = append(args, "before", e.Before)
		}
		env.Say("published root changed: enrolled phones keep what they hold", args...)
	}
	return err
}

// patienceWith is for how long a root must be seen nowhere until it counts as gone: for two rounds, since
// another look of the same time may meet a controller that has not got the change yet; longer where a
// controller was not read; for ever where something is hidden from us.
func patienceWith(d *facts.Directory, interval time.Duration) time.Duration {
	const rounds = 2
	patience := rounds * interval
	for i := range d.Controllers {
		c := &d.Controllers[i]
		hides := func(o facts.AuthorityObject) bool {
			return slices.ContainsFunc(o.Values, func(v facts.PublishedValue) bool { return v.State == facts.HiddenValue })
		}
		switch {
		case c.Denied, slices.ContainsFunc(c.Authorities, hides):
			return math.MaxInt64
		case !c.Read():
			patience = max(patience, time.Hour)
		}
	}
	return patience
}

// listed is a certificate and the object that holds it.
type listed struct {
	*facts.Certificate
	der       []byte
	container facts.Container
	object    string
}

// certificatesOf lists the certificates that any controller shows in a container, each once.
func certificatesOf(d *facts.Directory, in facts.Container) []listed {
	var out []listed
	for i := range d.Controllers {
		for _, o := range d.Controllers[i].Authorities {
			for _, v := range o.Values {
				again := slices.ContainsFunc(out, func(l listed) bool { return v.Certificate != nil && l.SHA256 == v.Certificate.SHA256 })
				if v.State == facts.Populated && o.Container == in && !again {
					out = append(out, listed{v.Certificate, der(v), in, o.DN})
				}
			}
		}
	}
	return out
}

func der(v facts.PublishedValue) []byte {
	if v.X509 == nil {
		return nil
	}
	return v.X509.Raw
}

// fingerprint is as much of a certificate's fingerprint as labels carry.
func fingerprint(sha256 string) string { return sha256[:min(len(sha256), 16)] }

func emitDirectory(env *Env, d *facts.Directory) {
	forest := d.Forest()
	if d.Domain != "" {
		env.Emit(descDomain, 1, d.Domain, forest)
	}
	for i := range d.Controllers {
		emitController(env, &d.Controllers[i])
	}
	var all []listed
	for _, container := range facts.Containers() {
		all = append(all, certificatesOf(d, container)...)
	}
	for _, c := range all[:min(len(all), maxListed)] {
		emitPublished(env, forest, c)
	}
	if more := len(all) - maxListed; more > 0 {
		env.Emit(descCANotListed, float64(more))
	}
	if forest == "" {
		return
	}
	counts := env.Shared.State.ChangeCounts(forest)
	for _, change := range state.Changes() {
		env.Emit(descRootChanges, float64(counts[change]), string(change))
	}
}

func emitPublished(env *Env, forest string, c listed) {
	short := fingerprint(c.SHA256)
	env.Emit(descCANotAfter, float64(c.NotAfter.Unix()), string(c.container), short)
	env.Emit(descCAInfo, 1, string(c.container), short, c.SHA256, c.Subject,
		fmt.Sprintf("%s %d", c.KeyType, c.KeyBits), c.SignatureAlgorithm,
		c.NotBefore.UTC().Format(time.RFC3339), c.NotAfter.UTC().Format(time.RFC3339))
	if since, known := env.Shared.State.FirstSeen(forest, c.SHA256); known && c.container == facts.CertificationAuthorities {
		env.Emit(descCAFirstSeen, float64(since.Unix()), short)
	}
}

func emitController(env *Env, c *facts.Controller) {
	if !c.Read() {
		env.Emit(descController, 0, c.Host)
		return
	}
	env.Emit(descController, 1, c.Host)
	hosts := 0
	for _, s := range c.Services {
		if s.Host != "" {
			hosts++
		}
	}
	env.Emit(descEnrolment, float64(hosts), c.Host)
	counts := map[facts.Container]map[facts.PublishState]int{facts.CertificationAuthorities: {}, facts.AIA: {}, facts.NTAuth: {}}
	for _, o := range c.Authorities {
		if counts[o.Container] == nil {
			counts[o.Container] = map[facts.PublishState]int{}
		}
		for _, v := range o.Values {
			counts[o.Container][v.State]++
		}
	}
	for _, container := range slices.Sorted(maps.Keys(counts)) {
		for _, s := range facts.PublishStates() {
			env.Emit(descCACertificates, float64(counts[container][s]), c.Host, string(container), string(s))
		}
	}
}

// judgeDirectory says in which ways the directory fails new phones, and what kept us from seeing it.
func judgeDirectory(t *Target, d *facts.Directory) []*Failure {
	found := findings{}
	view := nameView{d.Names}
	if d.Domain == "" {
		reason := reasonControllerNotFound
		for _, domain := range t.Domains.LogonDomains() {
			if !view.settled(phone.ControllerService(domain), phone.SRV) {
				reason = reasonControllerNamesUnanswered
			}
		}
		found.add(reason, "logon "+t.Domains.Logon+", asked in "+strings.Join(t.Domains.LogonDomains(), ", "))
		return found.failures(Directory().Reasons)
	}
	if l, ok := view.lookup(d.Domain, phone.A); ok && l.None() {
		found.add(reasonDomainAMissing, fmt.Sprintf("A %s: %s", d.Domain, l.Outcome))
	}
	if d.LeftOut > 0 {
		found.add(reasonControllersLeftOut, fmt.Sprintf("%d of %d", d.LeftOut, d.LeftOut+len(d.Controllers)))
	}
	read := slices.ContainsFunc(d.Controllers, func(c facts.Controller) bool { return c.Read() })
	judgeControllers(t, d, read, found)
	if read {
		judgePublished(d, found)
		judgeEnrolment(d, found)
	}
	return found.failures(Directory().Reasons)
}

func judgeControllers(t *Target, d *facts.Directory, read bool, found findings) {
	lost := 0
	for i := range d.Controllers {
		c := &d.Controllers[i]
		where := c.Host
		if c.Detail != "" {
			where += ": " + c.Detail
		}
		reason := controllerReasons[c.Problem]
		switch {
		case c.Read():
		case reason != nil:
			lost++
			found.add(reason, where)
		case read:
			found.add(reasonControllerNotRead, where)
		case c.Denied && t.Directory.Bind == "":
			found.add(reasonRootsNotWatched, where)
		case c.Denied:
			found.add(reasonSearchDenied, where)
		default:
			found.add(logonReasons[c.Problem], where)
		}
	}
	if lost == len(d.Controllers) {
		found.add(reasonControllersUnavailable, fmt.Sprintf("%d of %d in %s", lost, lost, d.Domain))
	}
}

// judgePublished looks at CN=Certification Authorities on all controllers that could be read. One that has
// a root is enough: the others are about to get it.
func judgePublished(d *facts.Directory, found findings) {
	counts := map[facts.PublishState]int{}
	var unusable []string
	var sets []string
	for i := range d.Controllers {
		c := &d.Controllers[i]
		if !c.Read() {
			continue
		}
		var set []string
		for _, o := range c.Authorities {
			if o.Container != facts.CertificationAuthorities {
				continue
			}
			for _, v := range o.Values {
				counts[v.State]++
				if v.Certificate != nil {
					set = append(set, v.Certificate.SHA256)
				} else {
					unusable = append(unusable, fmt.Sprintf("CN=%s at %s is %s", o.Name, c.Host, stateText(v)))
				}
			}
		}
		slices.Sort(set)
		sets = append(sets, strings.Join(slices.Compact(set), " "))
	}
	seen := cmp.Or(strings.Join(unusable, ", "), "no object in CN=Certification Authorities")
	switch {
	case counts[facts.Populated] > 0 && unusable != nil:
		found.add(reasonObjectUnusable, seen)
	case counts[facts.Populated] > 0:
	case counts[facts.HiddenValue] > 0:
		found.add(reasonRootHidden, seen)
	case counts[facts.Unparsable] > 0:
		found.add(reasonRootUnparsable, seen)
	case counts[facts.EmptyValue] > 0:
		found.add(reasonRootEmpty, seen)
	default:
		found.add(reasonRootMissing, seen)
	}
	if len(slices.Compact(slices.Sorted(slices.Values(sets)))) > 1 {
		found.add(reasonReplicating, fmt.Sprintf("%d controllers of %s differ", len(sets), d.Domain))
	}
}

func stateText(v facts.PublishedValue) string {
	switch {
	case v.State == facts.HiddenValue:
		return "hidden"
	case v.Detail != "":
		return fmt.Sprintf("%s (%d bytes: %s)", v.State, v.Size, v.Detail)
	default:
		return fmt.Sprintf("%s (%d bytes)", v.State, v.Size)
	}
}

func judgeEnrolment(d *facts.Directory, found findings) {
	services := 0
	for i := range d.Controllers {
		for _, s := range d.Controllers[i].Services {
			services++
			if s.Host == "" {
				found.add(reasonEnrolmentHostMissing, fmt.Sprintf("CN=%s at %s", s.Name, d.Controllers[i].Host))
			}
		}
	}
	if services == 0 {
		found.add(reasonEnrolmentMissing, "no object of that class in "+d.Domain)
	}
}
