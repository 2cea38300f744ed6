package collectors

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// explainSIP writes the registrars in the order of each firmware, and for each address what it answers each.
func explainSIP(w io.Writer, t *Target, seen *facts.Seen) {
	s := seen.SIP
	if s == nil {
		return
	}
	explainRoutes(w, t, s.Routes)
	fmt.Fprintf(w, "REGISTER without credentials, as sip:%s@%s\n", t.SIPUser, t.Domains.SIP)
	for i := range s.Servers {
		server := &s.Servers[i]
		fmt.Fprintf(w, "server %s (%s)\n", server.Address, strings.Join(server.Hosts, ", "))
		for j := range server.Answers {
			explainSIPAnswer(w, &server.Answers[j])
		}
	}
	if s.LeftOut > 0 {
		fmt.Fprintf(w, "not asked: %d more addresses\n", s.LeftOut)
	}
	fmt.Fprintln(w, "a client version filter that declines only after the logon cannot be seen so")
}

func explainSIPAnswer(w io.Writer, a *facts.SIPAnswer) {
	if a.Problem == facts.SIPNoConnection {
		fmt.Fprintf(w, "  %s\n", sipText(a))
		return
	}
	fmt.Fprintf(w, "  firmware %s\n", a.Firmware)
	for ; a != nil; a = a.Next {
		fmt.Fprintf(w, "    %s\n      %s  [%s]\n", a.Address, sipText(a), a.Took.Round(10*time.Microsecond))
		if a.NotFollowed != "" {
			fmt.Fprintf(w, "      not followed: %s\n", a.NotFollowed)
		}
		if a.LeftOut > 0 {
			fmt.Fprintf(w, "      not asked: %d more addresses of %.60s\n", a.LeftOut, a.Host)
		}
		if a.Server != "" {
			fmt.Fprintf(w, "      Server: %.80s\n", a.Server)
		}
		if !a.Date.IsZero() {
			fmt.Fprintf(w, "      Date: %s, off by %s\n", a.Date.UTC().Format(time.DateTime), sipClock(a))
		}
		for _, c := range a.Challenges {
			fmt.Fprintf(w, "      %.20s version %d for %.60q, realm %.40q\n", c.Scheme, c.Version, c.TargetName, c.Realm)
			// Behind a load balancer or an Access Edge it is another server's name than the certificate's.
			if name := c.Host(); name != "" && len(a.Served) > 0 && phone.MatchName(a.Served[0], name) == phone.NameMismatch {
				fmt.Fprintln(w, "        which is not a name of the certificate")
			}
		}
	}
}
