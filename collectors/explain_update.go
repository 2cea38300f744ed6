package collectors

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/site"
)

// explainUpdate writes for each server its address, what it answers on each port, what a phone's About
// screen would show of it, and what came of our own logon.
func explainUpdate(w io.Writer, t *Target, seen *facts.Seen) {
	if seen.Update == nil {
		return
	}
	for i := range seen.Update.Servers {
		s := &seen.Update.Servers[i]
		if i == 0 || seen.Update.Servers[i-1].Host != s.Host {
			fmt.Fprintf(w, "server %s\n", s.Host)
			explainNames(w, s.Names)
		}
		explainUpdateServer(w, t, s)
	}
}

func explainUpdateServer(w io.Writer, t *Target, s *facts.UpdateServer) {
	if s.Spare && s.Plain == nil && s.Secure == nil {
		fmt.Fprintln(w, "  phones do without this name")
		return
	}
	if s.Address.IsValid() {
		fmt.Fprintf(w, "  address %s\n", s.Address)
	}
	if s.Plain != nil {
		fmt.Fprintf(w, "  GET %s\n", phone.UpdateURL(s.Host))
		explainUpdateAnswer(w, t, s.Plain)
	}
	if s.Secure != nil {
		url := phone.UpdateURLSecure(s.Host)
		if t.Network == site.External {
			url = phone.UpdateURLExt(s.Host)
		}
		fmt.Fprintf(w, "  GET %s, whatever its certificate\n", url)
		explainUpdateAnswer(w, t, s.Secure)
	}
	if s.Phone != nil {
		fmt.Fprintf(w, "        as a phone offers TLS: %s\n", handshakeText(s.Phone))
	}
	if t.Network == site.Internal {
		fmt.Fprintf(w, "  answers on port 80: %s, on 443: %s\n", yesNo(s.Plain), yesNo(s.Secure))
	}
	for i := range s.Posts {
		fmt.Fprintf(w, "  POST as firmware %s (unverified template)\n", s.Posts[i].Firmware)
		explainUpdateAnswer(w, t, &s.Posts[i])
	}
	switch l := s.Logon; {
	case l != nil:
		explainWebLogon(w, t.Update.Credential, l.Logon)
		for i := range l.Answers {
			explainUpdateAnswer(w, t, &l.Answers[i])
		}
	case t.Network == site.External && t.Update.Credential == nil:
		fmt.Fprintln(w, "  no credential is configured: what a phone gets that is signed in is not seen")
	}
	fmt.Fprintf(w, "  phone, not signed in: Last Update Status: %s\n", phoneStatus(t, s))
}

// phoneStatus is what a phone on which nobody is signed in would show of a server. Outside, what is wrong with
// the certificate comes before what is said by HTTP; whether its root is trusted is not looked at here.
func phoneStatus(t *Target, s *facts.UpdateServer) string {
	a := s.Plain
	if t.Network == site.External {
		a = s.Secure
	}
	if a == nil {
		return phone.UpdateStatus(phone.NameUnresolved, 0)
	}
	if t.Network == site.External && cutOff(s.Phone) {
		return phone.UpdateStatus(phone.ChannelFailed, 0)
	}
	if len(a.Served) == 0 {
		return phone.UpdateStatus(a.Failure, a.Status)
	}
	if f := phone.CertificateFailure(a.Served[0], s.Host, a.At); f != phone.NoFailure {
		return phone.UpdateStatus(f, 0)
	}
	return phone.UpdateStatus(a.Failure, a.Status) + ", if the phone trusts the certificate"
}

func yesNo(a *facts.UpdateAnswer) string {
	if a != nil && a.Response != nil {
		return "yes"
	}
	return "no"
}

func explainNames(w io.Writer, names *facts.Names) {
	if names == nil {
		return
	}
	for _, walk := range names.Walks {
		fmt.Fprintf(w, "  resolver %s\n", walk.Resolver)
		for _, l := range walk.Lookups {
			explainLookup(w, l)
		}
	}
}

func explainUpdateAnswer(w io.Writer, t *Target, a *facts.UpdateAnswer) {
	text := updateText(a)
	if a.TLS != "" {
		text += ", " + a.TLS
	}
	fmt.Fprintf(w, "        %s  [%s]\n", text, a.Took.Round(10*time.Microsecond))
	if a.Response == nil {
		return
	}
	if !a.Response.CurrentTime.IsZero() {
		fmt.Fprintf(w, "        CurrentTime %s\n", a.Response.CurrentTime.Format(time.DateTime))
	}
	for _, f := range a.Response.Files {
		fmt.Fprintf(w, "        offers %.60q; BaseURL and ExternalBaseURL:\n", f.Names()[0])
		fmt.Fprint(w, folded("    ", shown(f.BaseURL)), folded("    ", shown(f.ExternalBaseURL)))
		for _, fw := range t.Firmware {
			if a.Firmware == "" || a.Firmware == fw.Version {
				fmt.Fprintf(w, "        firmware %s: %s\n", fw.Version, ladderText(fw, f.Version()))
			}
		}
	}
}

// shown is a URL of an answer, fit for a terminal and a log.
func shown(url string) string {
	if url == "" {
		return "blank"
	}
	return strings.Trim(fmt.Sprintf("%.200q", withoutPassword(url)), `"`)
}

var userInfo = regexp.MustCompile(`//[^/?#]*@`)

// withoutPassword hides what stands before a host: somebody's name and password.
func withoutPassword(url string) string { return userInfo.ReplaceAllString(url, "//***@") }

func ladderText(fw phone.Firmware, version string) string {
	switch {
	case version == "":
		return "no version is in the base URLs"
	case !fw.Takes(version):
		return "cannot install " + version + ", nothing above " + fw.Accepts
	case phone.CompareVersions(version, fw.Version) <= 0:
		return "is not older than " + version
	default:
		return "can install " + version
	}
}

func explainWebLogon(w io.Writer, c *site.Credential, l facts.Logon) {
	fmt.Fprintf(w, "  logon with the credential %s", c.Name)
	if !l.At.IsZero() {
		fmt.Fprintf(w, " by %s at %s, which stands for an hour", l.Scheme, l.At.UTC().Format(time.RFC3339))
	}
	fmt.Fprintln(w)
	if l.Problem != "" {
		fmt.Fprintf(w, "        %s: %s\n", l.Problem, l.Detail)
	}
}
