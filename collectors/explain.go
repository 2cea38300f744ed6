package collectors

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// explainDNS writes the walk question by question, resolver by resolver, and where it leads.
func explainDNS(w io.Writer, t *Target, seen *facts.Seen) {
	if seen.Names == nil {
		return
	}
	for _, walk := range seen.Names.Walks {
		fmt.Fprintf(w, "resolver %s\n", walk.Resolver)
		for _, l := range walk.Lookups {
			explainLookup(w, l)
		}
	}
	view := nameView{seen.Names}
	for _, fw := range t.Firmware {
		fmt.Fprintf(w, "registrar of firmware %s (order %s)\n", fw.Version, fw.Registrar)
		chosen := false
		for _, e := range t.Domains.Endpoints(fw.Registrar, view.find) {
			mark := "  passed over"
			if !chosen && e.Usable(fw.StrictSRV) {
				mark, chosen = "  first      ", true
			} else if e.Usable(fw.StrictSRV) {
				mark = "  next       "
			}
			fmt.Fprintf(w, "%s  %s:%d%s  by %s\n", mark, e.Host, e.Port, whyPassedOver(e, fw), e.Asked)
		}
		if !chosen {
			fmt.Fprintln(w, "  none")
		}
	}
}

func whyPassedOver(e phone.Endpoint, fw phone.Firmware) string {
	switch {
	case len(e.Addresses) == 0:
		return " (no address)"
	case fw.StrictSRV && e.OutsideSIPDomain:
		return " (outside the SIP domain)"
	default:
		return ""
	}
}

func explainLookup(w io.Writer, l facts.Lookup) {
	answer := []string{string(l.Outcome)}
	if l.Outcome == facts.Answered {
		answer = nil
	}
	for _, s := range l.Services {
		answer = append(answer, fmt.Sprintf("%s:%d priority %d weight %d", s.Target, s.Port, s.Priority, s.Weight))
	}
	for _, a := range l.Addresses {
		answer = append(answer, a.String())
	}
	name := l.Name
	if l.Random {
		name += " (made up, to find wildcards)"
	}
	fmt.Fprintf(w, "  %-3s %s\n", l.Type, name)
	text := strings.Join(answer, ", ")
	if l.Detail != "" {
		text += ": " + l.Detail
	}
	if l.OverTCP {
		text += ", over TCP"
	}
	fmt.Fprintf(w, "        %s", text)
	if l.Took > 0 {
		fmt.Fprintf(w, "  [%s]", l.Took.Round(10*time.Microsecond))
	}
	fmt.Fprintln(w)
}

// explainNTP writes how the sources were found and what each answered.
func explainNTP(w io.Writer, t *Target, seen *facts.Seen) {
	if seen.Time == nil {
		return
	}
	fmt.Fprintln(w, "names of time sources")
	asks := map[string]bool{}
	for _, q := range t.Domains.Questions() {
		if q.Use == phone.ForTime {
			asks[q.Name] = true
		}
	}
	for _, walk := range seen.Time.Names.Walks {
		fmt.Fprintf(w, "resolver %s\n", walk.Resolver)
		for _, l := range walk.Lookups {
			if asks[l.Name] {
				explainLookup(w, l)
			}
		}
	}
	view := nameView{seen.Time.Names}
	for _, order := range phone.TimeOrders() {
		fmt.Fprintf(w, "sources in the order %s\n", order)
		for i, source := range t.Domains.TimeSources(order, view.find) {
			fmt.Fprintf(w, "  %d. %s port %d, by %s\n", i+1, source.Host, source.Port, source.Asked)
		}
	}
	fmt.Fprintln(w, "servers")
	for _, s := range seen.Time.Servers {
		fmt.Fprintf(w, "  %s (%s)\n        %s\n", s.Address, strings.Join(s.Hosts, ", "), timeText(s))
	}
	if len(seen.Time.Servers) == 0 {
		fmt.Fprintln(w, "  none")
	}
}
