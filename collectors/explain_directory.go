package collectors

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// explainDirectory writes the walk to the controllers name by name, then what each of them publishes.
func explainDirectory(w io.Writer, t *Target, seen *facts.Seen) {
	d := seen.Directory
	if d == nil {
		return
	}
	explainControllerWalk(w, t, d)
	for i := range d.Controllers {
		explainController(w, &d.Controllers[i])
	}
}

func explainControllerWalk(w io.Writer, t *Target, d *facts.Directory) {
	fmt.Fprintf(w, "domain controllers for the logon %s, in the phone's order\n", t.Domains.Logon)
	view := nameView{d.Names}
	found := false
	for i, domain := range t.Domains.LogonDomains() {
		answer := "no resolver answers"
		if l, ok := view.lookup(phone.ControllerService(domain), phone.SRV); ok {
			answer = string(l.Outcome)
			if !l.None() {
				answer = servicesText(l.Services)
			}
		}
		switch {
		case found:
			answer += " (not asked by the phone: it has found one)"
		case domain == d.Domain:
			found = true
		}
		fmt.Fprintf(w, "  %d. SRV %s\n        %s\n", i+1, phone.ControllerService(domain), answer)
	}
	if d.Domain == "" {
		return
	}
	answer := "no resolver answers"
	if l, ok := view.lookup(d.Domain, phone.A); ok {
		answer = answerText(l, true)
	}
	fmt.Fprintf(w, "  A of the AD domain %s\n        %s\n", d.Domain, answer)
}

func servicesText(services []phone.Service) string {
	var out []string
	for _, s := range phone.ByPriority(services) {
		out = append(out, fmt.Sprintf("%s:%d", s.Target, s.Port))
	}
	return strings.Join(out, ", ")
}

func explainController(w io.Writer, c *facts.Controller) {
	fmt.Fprintf(w, "controller %s", c.Host)
	if c.Address.IsValid() {
		fmt.Fprintf(w, " at %s, bind %s", c.Address, c.Bind)
	}
	fmt.Fprintln(w)
	if !c.Read() {
		kind := string(c.Problem)
		if kind == "" {
			kind = "not shown to us"
		}
		fmt.Fprintf(w, "  %s: %s\n", kind, c.Detail)
		return
	}
	fmt.Fprintf(w, "  configuration %s\n", c.RootDSE.ConfigurationNC)
	if !c.PasswordExpires.IsZero() {
		fmt.Fprintf(w, "  the account's password expires %s\n", c.PasswordExpires.Format(time.RFC3339))
	}
	for _, o := range c.Authorities {
		fmt.Fprintf(w, "  %s  CN=%s\n", o.Container, o.Name)
		for _, v := range o.Values {
			explainValue(w, v)
		}
	}
	for _, s := range c.Services {
		host := s.Host
		if host == "" {
			host = "no dNSHostName"
		}
		fmt.Fprintf(w, "  pKIEnrollmentService  CN=%s at %s\n", s.Name, host)
	}
}

func explainValue(w io.Writer, v facts.PublishedValue) {
	c := v.Certificate
	if c == nil {
		fmt.Fprintf(w, "        %s\n", stateText(v))
		return
	}
	fmt.Fprintf(w, "        %s: %s\n", v.State, c.Subject)
	fmt.Fprintf(w, "        %s %d, %s, %s to %s\n", c.KeyType, c.KeyBits, c.SignatureAlgorithm,
		c.NotBefore.UTC().Format(time.DateOnly), c.NotAfter.UTC().Format(time.DateOnly))
	fmt.Fprintf(w, "        SHA-256 %s\n", c.SHA256)
}
