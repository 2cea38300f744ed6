package collectors

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// judgeDifferences compares what the servers say to the same request, but for the time.
func judgeDifferences(t *Target, u *facts.Update, found findings) {
	d := differences{first: map[string]serverSays{}, found: found}
	for i := range u.Servers {
		s := &u.Servers[i]
		d.compare(s.Host, "everybody", anonymousAnswers(t, s))
		d.compare(s.Host, "our account", loggedOnAnswers(s))
	}
}

// differences compares answers to the same request.
type differences struct {
	first map[string]serverSays
	found findings
}

type serverSays struct {
	host     string
	response *phone.UpdateResponse
}

func (d differences) compare(host, asker string, answers []facts.UpdateAnswer) {
	for _, a := range answers {
		request := asker + " " + a.Firmware
		before, again := d.first[request]
		switch {
		case !again:
			d.first[request] = serverSays{host, a.Response}
		case slices.Equal(saysToAll("", before.response), saysToAll("", a.Response)): // they may all name one of them
		default:
			if one, other := firstDifference(saysToAll(before.host, before.response), saysToAll(host, a.Response)); one != other {
				d.found.add(reasonFrontEndsDiffer, fmt.Sprintf("%s: %.200s; %s: %.200s", before.host, one, host, other))
			}
		}
	}
}

// saysToAll is what a response says, line by line, without what may differ: the time, the order of the files, and
// the server's own name in the URLs.
func saysToAll(host string, r *phone.UpdateResponse) []string {
	var files []string
	for _, f := range r.Files {
		files = append(files, fmt.Sprintf("offers %q, BaseURL %q, ExternalBaseURL %q", f.Names(), shown(itself(f.BaseURL, host)), shown(itself(f.ExternalBaseURL, host))))
	}
	slices.Sort(files)
	return append([]string{
		fmt.Sprintf("server %q, service %q, files offered: %d", versionLabel(r.ServerVersion), versionLabel(r.ServiceVersion), len(r.Files)),
	}, files...)
}

func itself(address, host string) string {
	u, err := url.Parse(address)
	if err != nil || host == "" || !strings.EqualFold(u.Hostname(), host) {
		return address
	}
	u.Host = "<itself>"
	return u.Scheme + "://" + u.Host + u.Path
}

func firstDifference(a, b []string) (one, other string) {
	for i := range max(len(a), len(b)) {
		one, other = "nothing more", "nothing more"
		if i < len(a) {
			one = a[i]
		}
		if i < len(b) {
			other = b[i]
		}
		if one != other {
			return one, other
		}
	}
	return "", ""
}
