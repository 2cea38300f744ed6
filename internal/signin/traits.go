package signin

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// Trait is something about a phone's dependencies that stays as it is as long as nobody changes it.
type Trait struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Change is a trait that is another than before; one side is empty where it came or went.
type Change struct {
	Name   string `json:"name"`
	Before string `json:"before"`
	Now    string `json:"now"`
}

// Traits lists what may be behind a verdict that became another: certificates, roots, records, versions. What was not
// answered is left out, and so are names of others, which change on their own.
func Traits(seen *facts.Seen, d phone.Domains) []Trait {
	t := &traits{}
	t.names(seen.Names, d)
	if seen.Pool != nil {
		for i := range seen.Pool.Servers {
			t.server(&seen.Pool.Servers[i])
		}
	}
	if seen.Directory != nil && seen.Directory.Forest() != "" {
		var roots []string
		for _, r := range publishedIn(&facts.Seen{Directory: seen.Directory}).roots {
			roots = append(roots, certificateText(r.Certificate))
		}
		t.add("roots in Active Directory", roots...)
	}
	if seen.SIP != nil {
		for _, s := range seen.SIP.Servers {
			for _, a := range s.Answers[:min(1, len(s.Answers))] {
				t.add("registrar at "+s.Address.String(), a.Server)
			}
		}
	}
	if seen.Update != nil {
		for i := range seen.Update.Servers {
			t.update(&seen.Update.Servers[i])
		}
	}
	return t.all
}

// noValue is the value of what has none.
const noValue = "none"

type traits struct{ all []Trait }

// add notes a trait of one or several values, whose order does not matter; none at all is a value too.
func (t *traits) add(name string, values ...string) {
	slices.Sort(values)
	value := strings.Join(slices.Compact(values), ", ")
	if value == "" {
		value = noValue
	}
	t.all = append(t.all, Trait{name, value})
}

func (t *traits) names(n *facts.Names, d phone.Domains) {
	if n == nil {
		return
	}
	for _, w := range n.Walks {
		for _, l := range w.Lookups {
			own := phone.Within(l.Name, d.SIP) || phone.Within(l.Name, d.DHCP) || phone.Within(l.Name, d.Logon)
			if l.Random || !own || !l.Outcome.Settled() {
				continue
			}
			var values []string
			for _, s := range l.Services {
				values = append(values, fmt.Sprintf("%s:%d", s.Target, s.Port))
			}
			for _, a := range l.Addresses {
				values = append(values, a.String())
			}
			t.add(fmt.Sprintf("%s %s at %s", l.Type, l.Name, w.Resolver.Addr()), values...)
		}
	}
}

func (t *traits) server(s *facts.PoolServer) {
	h := s.Phone
	if h.Problem != "" {
		h = s.Modern
	}
	if len(h.Served) > 0 {
		t.add("certificate at "+s.Address.String(), certificateText(h.Served[0]))
		var others []string
		for _, c := range h.Served[1:] {
			others = append(others, certificateText(c))
		}
		t.add("certificates served besides at "+s.Address.String(), others...)
	}
	if s.Phone.Problem == "" {
		t.add("TLS for phones at "+s.Address.String(), s.Phone.Version+" "+s.Phone.Suite)
	}
}

func (t *traits) update(s *facts.UpdateServer) {
	for _, a := range []*facts.UpdateAnswer{s.Plain, s.Secure} {
		if a == nil || a.Response == nil {
			continue
		}
		t.add("update service of "+s.Host, a.Response.ServerVersion)
		var offered []string
		for _, f := range a.Response.Files {
			offered = append(offered, f.Version())
		}
		t.add("firmware offered by "+s.Host, offered...)
		return
	}
}

func certificateText(c *x509.Certificate) string {
	return fmt.Sprintf("%s until %s (SHA-256 %.16s)", subject(c), c.NotAfter.UTC().Format(time.DateOnly), phone.Fingerprint(c))
}

// Changes compares traits. Those that are not known now are passed over.
func Changes(before, now []Trait) []Change {
	was := map[string]string{}
	for _, t := range before {
		was[t.Name] = t.Value
	}
	var out []Change
	for _, t := range now {
		old, known := was[t.Name]
		asked := known || before != nil && t.Value != noValue // a name that was not asked for then, and leads nowhere, has not changed
		if t.Value != old && asked {
			out = append(out, Change{t.Name, old, t.Value})
		}
	}
	return out
}
