package collectors

import (
	"fmt"
	"io"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// explainCertsrv writes where the CAs were found, then for each its address, what its page answers to
// everybody, and what came of our own logon.
func explainCertsrv(w io.Writer, t *Target, seen *facts.Seen) {
	c := seen.Certsrv
	if c == nil {
		return
	}
	if c.Directory == nil {
		fmt.Fprintln(w, "CAs of the site file")
	} else {
		fmt.Fprintf(w, "CAs that Active Directory names (pKIEnrollmentService), logon %s\n", t.Domains.Logon)
		explainWhoNames(w, c.Directory)
	}
	if len(c.Hosts) == 0 {
		fmt.Fprintln(w, "  none")
	}
	for i := range c.Hosts {
		explainCA(w, t, &c.Hosts[i])
	}
}

func explainWhoNames(w io.Writer, d *facts.Directory) {
	for i := range d.Controllers {
		c := &d.Controllers[i]
		switch {
		case c.Read():
			fmt.Fprintf(w, "  %s names %d\n", c.Host, len(c.Services))
		case c.Problem != "":
			fmt.Fprintf(w, "  %s: %s: %s\n", c.Host, c.Problem, c.Detail)
		default:
			fmt.Fprintf(w, "  %s: not shown to us: %s\n", c.Host, c.Detail)
		}
	}
	if len(d.Controllers) == 0 {
		fmt.Fprintln(w, "  no domain controller was found")
	}
}

func explainCA(w io.Writer, t *Target, h *facts.CertsrvHost) {
	fmt.Fprintf(w, "CA %s\n", h.Host)
	if h.Names == nil {
		fmt.Fprintln(w, "  not asked for: it is no host name")
		return
	}
	explainNames(w, h.Names)
	if h.Anonymous == nil {
		return
	}
	fmt.Fprintf(w, "  GET %s\n", phone.CertsrvURL(h.Host))
	explainAnswer(w, "without a logon", h.Anonymous)
	switch l := h.Logon; {
	case l != nil:
		explainLogon(w, t, l)
	case t.Certsrv.Credential == nil && asksForLogon(h.Anonymous):
		fmt.Fprintln(w, "  no credential is configured: the chain is not fetched")
	}
}

func explainAnswer(w io.Writer, how string, a *facts.CertsrvAnswer) {
	fmt.Fprintf(w, "  %s: %s  [%s]\n", how, certsrvText(a), a.Took.Round(10*time.Microsecond))
	for i := range a.Certificates {
		c := &a.Certificates[i]
		fmt.Fprintf(w, "        %s\n", c.Subject)
		fmt.Fprintf(w, "        %s %d, %s, %s to %s\n", c.KeyType, c.KeyBits, c.SignatureAlgorithm,
			c.NotBefore.UTC().Format(time.DateOnly), c.NotAfter.UTC().Format(time.DateOnly))
		fmt.Fprintf(w, "        SHA-256 %s\n", c.SHA256)
	}
}

func explainLogon(w io.Writer, t *Target, l *facts.CertsrvLogon) {
	fmt.Fprintf(w, "  logon with the credential %s", t.Certsrv.Credential.Name)
	if l.Scheme != "" {
		fmt.Fprintf(w, " by %s", l.Scheme)
	}
	if !l.At.IsZero() {
		fmt.Fprintf(w, " at %s, which stands for an hour", l.At.UTC().Format(time.RFC3339))
	}
	fmt.Fprintln(w)
	if l.Problem != "" {
		fmt.Fprintf(w, "        %s: %s\n", l.Problem, l.Detail)
	}
	if l.Answer != nil {
		explainAnswer(w, "logged on", l.Answer)
	}
}
