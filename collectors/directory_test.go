package collectors

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/site"
)

// controllerNames is a walk in which contoso.com has two controllers.
func controllerNames() *facts.Names {
	service := phone.Records{Services: []phone.Service{{Target: "dc01.contoso.com", Port: 389}, {Target: "dc02.contoso.com", Port: 389}}}
	address := phone.Records{Addresses: []netip.Addr{netip.MustParseAddr("192.168.7.10")}}
	return &facts.Names{Walks: []facts.Walk{{Lookups: []facts.Lookup{
		{Name: "_ldap._tcp.dc._msdcs.contoso.com", Type: phone.SRV, Outcome: facts.Answered, Records: service},
		{Name: "contoso.com", Type: phone.A, Outcome: facts.Answered, Records: address},
	}}}}
}

func value(s facts.PublishState) facts.PublishedValue {
	v := facts.PublishedValue{State: s}
	if s == facts.Populated {
		v.Certificate = &facts.Certificate{SHA256: strings.Repeat("ab", 32), Subject: "CN=ContosoCA", KeyType: "RSA", KeyBits: 2048}
	}
	return v
}

func root(values ...facts.PublishedValue) facts.AuthorityObject {
	return facts.AuthorityObject{Name: "ContosoCA", DN: "CN=ContosoCA", Container: facts.CertificationAuthorities, Values: values}
}

func goodController(host string) facts.Controller {
	return facts.Controller{
		Host: host, RootDSE: facts.RootDSE{ConfigurationNC: "CN=Configuration,DC=contoso,DC=com"},
		Authorities: []facts.AuthorityObject{root(value(facts.Populated))},
		Services:    []facts.EnrolmentService{{Name: "ContosoCA", Host: "ca01.contoso.com"}},
	}
}

func badController(p facts.ControllerProblem) facts.Controller {
	return facts.Controller{Host: "dc02.contoso.com", Problem: p, Detail: "as seen"}
}

func publishing(values ...facts.PublishedValue) func(*facts.Directory) {
	return func(d *facts.Directory) {
		for i := range d.Controllers {
			d.Controllers[i].Authorities = []facts.AuthorityObject{root(values...)}
		}
	}
}

type directoryCase struct {
	name   string
	change func(*facts.Directory)
	bind   site.BindKind
	want   []string
}

func directoryCases() []directoryCase {
	second := func(c facts.Controller) func(*facts.Directory) {
		return func(d *facts.Directory) { d.Controllers[1] = c }
	}
	every := func(c facts.Controller) func(*facts.Directory) {
		return func(d *facts.Directory) { d.Controllers = []facts.Controller{c, c} }
	}
	denied := facts.Controller{Host: "dc01.contoso.com", Denied: true, Detail: "operations error"}
	cases := []directoryCase{
		{"healthy", func(*facts.Directory) {}, "", nil},
		{"empty", publishing(value(facts.EmptyValue)), "", []string{"root_empty"}},
		{"unparsable", publishing(value(facts.Unparsable)), "", []string{"root_unparsable"}},
		{"empty and unparsable", publishing(value(facts.Unparsable), value(facts.EmptyValue)), "", []string{"root_unparsable"}},
		{"hidden", publishing(value(facts.HiddenValue)), "", []string{"root_hidden"}},
		{"hidden is never called empty", publishing(value(facts.HiddenValue), value(facts.EmptyValue)), "", []string{"root_hidden"}},
		{"populated beside empty", publishing(value(facts.Populated), value(facts.EmptyValue)), "", []string{"ca_object_unusable"}},
		{"no object", func(d *facts.Directory) { d.Controllers[0].Authorities, d.Controllers[1].Authorities = nil, nil }, "", []string{"root_missing"}},
		{"only in AIA", func(d *facts.Directory) {
			for i := range d.Controllers {
				d.Controllers[i].Authorities[0].Container = facts.AIA
			}
		}, "", []string{"root_missing"}},
		{"emptied on one controller", func(d *facts.Directory) {
			d.Controllers[1].Authorities = []facts.AuthorityObject{root(value(facts.EmptyValue))}
		}, "", []string{"ca_object_unusable", "replicating"}},
		{"no enrolment", func(d *facts.Directory) { d.Controllers[0].Services, d.Controllers[1].Services = nil, nil }, "", []string{"enrolment_missing"}},
		{"enrolment without a host", func(d *facts.Directory) { d.Controllers[0].Services[0].Host = "" }, "", []string{"enrolment_host_missing"}},
		{"domain without an address", func(d *facts.Directory) {
			d.Names.Walks[0].Lookups[1] = facts.Lookup{Name: "contoso.com", Type: phone.A, Outcome: facts.Empty}
		}, "", []string{"domain_a_missing"}},
		{"no controller", func(d *facts.Directory) {
			*d = facts.Directory{Names: &facts.Names{Walks: []facts.Walk{{Lookups: []facts.Lookup{
				{Name: "_ldap._tcp.dc._msdcs.contoso.com", Type: phone.SRV, Outcome: facts.NXDomain}}}}}}
		}, "", []string{"dc_not_found"}},
		{"no resolver", func(d *facts.Directory) { *d = facts.Directory{Names: &facts.Names{}} }, "", []string{"dc_names_unanswered"}},
		{"anonymous, since nothing was configured", every(denied), "", []string{"roots_not_watched"}},
		{"anonymous, as configured", every(denied), site.BindAnonymous, []string{"search_denied"}},
		{"an account that sees nothing", every(denied), site.BindLDAPS, []string{"search_denied"}},
		{"one controller unread is no blindness", second(badController(facts.StrongAuthRequired)), "", []string{"dc_not_read"}},
	}
	for problem, reason := range controllerReasons {
		cases = append(cases,
			directoryCase{"one " + string(problem), second(badController(problem)), "", []string{reason.Name}},
			directoryCase{"all " + string(problem), every(badController(problem)), "", []string{reason.Name, "dcs_unavailable"}})
	}
	cases = append(cases, directoryCase{"more controllers than we look at", func(d *facts.Directory) { d.LeftOut = 3 }, "", []string{"dcs_left_out"}})
	for problem, reason := range logonReasons {
		cases = append(cases, directoryCase{"our " + string(problem), every(badController(problem)), "", []string{reason.Name}})
	}
	return cases
}

func TestJudgeDirectory(t *testing.T) {
	produced := map[string]bool{}
	for _, tt := range directoryCases() {
		t.Run(tt.name, func(t *testing.T) {
			d := &facts.Directory{Names: controllerNames(), Domain: "contoso.com",
				Controllers: []facts.Controller{goodController("dc01.contoso.com"), goodController("dc02.contoso.com")}}
			tt.change(d)
			target := &Target{Domains: phone.Domains{Logon: "contoso.com"}, Directory: site.Directory{Bind: tt.bind}}
			var got []string
			for _, f := range judgeDirectory(target, d) {
				got = append(got, f.Reason.Name)
				produced[f.Reason.Name] = true
			}
			slices.Sort(got)
			slices.Sort(tt.want)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	for _, r := range Directory().Reasons {
		if !produced[r.Name] {
			t.Errorf("no case gives %s", r.Name)
		}
	}
}

// TestEveryProblemHasAReason holds the two maps to the closed set of facts.
func TestEveryProblemHasAReason(t *testing.T) {
	for _, p := range facts.ControllerProblems() {
		_, phones := controllerReasons[p]
		_, ours := logonReasons[p]
		if phones == ours {
			t.Errorf("%s: a reason for phones %t, one of our own %t; want one of both", p, phones, ours)
		}
	}
	if n := len(controllerReasons) + len(logonReasons); n != len(facts.ControllerProblems()) {
		t.Errorf("%d reasons for %d problems", n, len(facts.ControllerProblems()))
	}
}

func TestExplainDirectoryFitsATerminal(t *testing.T) {
	c := goodController("dc01.contoso.com")
	c.Authorities = append(c.Authorities, root(value(facts.HiddenValue), value(facts.EmptyValue)))
	c.PasswordExpires = time.Date(2027, 1, 5, 0, 0, 0, 0, time.UTC)
	d := &facts.Directory{Names: controllerNames(), Domain: "contoso.com",
		Controllers: []facts.Controller{c, badController(facts.CredentialRefused)}}
	var out strings.Builder
	explainDirectory(&out, &Target{Domains: phone.Domains{Logon: "contoso.com"}}, &facts.Seen{Directory: d})
	for _, want := range []string{
		"1. SRV _ldap._tcp.dc._msdcs.contoso.com", "dc01.contoso.com:389, dc02.contoso.com:389", "192.168.7.10",
		"certification_authorities  CN=ContosoCA", "populated: CN=ContosoCA", "hidden", "empty (0 bytes)",
		"pKIEnrollmentService  CN=ContosoCA at ca01.contoso.com", "credential_refused: as seen", "expires 2027-01-05",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, &out)
		}
	}
}

func TestListedCertificatesAreBounded(t *testing.T) {
	d := &facts.Directory{Controllers: []facts.Controller{goodController("dc01.contoso.com")}}
	for i := range 3 * maxListed {
		v := value(facts.Populated)
		v.Certificate.SHA256 = fmt.Sprintf("%064x", i)
		d.Controllers[0].Authorities = append(d.Controllers[0].Authorities, root(v))
	}
	env := testEnv(t)
	emitDirectory(env, d)
	count, more := 0, 0.0
	for _, s := range env.Samples() {
		switch s.Desc {
		case descCANotAfter:
			count++
		case descCANotListed:
			more = s.Value
		}
	}
	if count != maxListed || more != 2*maxListed+1 {
		t.Errorf("%d are listed and %v are not, want %d and %d", count, more, maxListed, 2*maxListed+1)
	}
}

func TestPatience(t *testing.T) {
	const interval = 30 * time.Second
	good, unread := goodController("dc01.contoso.com"), badController(facts.ControllerSilent)
	hiding := goodController("dc02.contoso.com")
	hiding.Authorities = append(hiding.Authorities, root(value(facts.HiddenValue)))
	for _, tt := range []struct {
		name        string
		controllers []facts.Controller
		want        time.Duration
	}{
		{"all read", []facts.Controller{good, good}, 2 * interval},
		{"one not read", []facts.Controller{good, unread}, time.Hour},
		{"one hides something", []facts.Controller{good, hiding}, math.MaxInt64},
		{"one shows us nothing", []facts.Controller{good, {Denied: true}}, math.MaxInt64},
	} {
		if got := patienceWith(&facts.Directory{Controllers: tt.controllers}, interval); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}
