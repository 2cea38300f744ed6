package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/cx700/cx700_exporter/internal/phone"
)

// TestServiceOfAnotherCA lets Exchange and the reverse proxy show certificates of a CA whose root phones do not hold,
// which is told for each phone and by the probes, and heals them.
func TestServiceOfAnotherCA(t *testing.T) {
	p := started(t, "lab", "--fault=exchange_other_ca", "--fault=update_other_ca_outside")
	p.ready()
	var want []string
	for _, fw := range phone.KnownFirmware() {
		want = append(want, fw.Version+" internal enrolled exchange exchange_unknown_root", fw.Version+" internal new exchange exchange_unknown_root",
			fw.Version+" external enrolled update update_unknown_root")
	}
	slices.Sort(want)
	p.eventually("both are told", func() bool { return slices.Equal(refused(p.get("/metrics")), want) })
	for query, texts := range map[string][]string{
		"network=internal&collector=exchange": {"all phones\n    exchange blocked: exchange_unknown_root",
			"? CN=Another ContosoCA,DC=contoso,DC=com, not known here", "exchange_unknown_root (degraded): ", "the pool's root is CN=ContosoCA"},
		"network=external&collector=update": {"update blocked: update_unknown_root", "not watched: enrol_inside_first", "(0x2f0d/0x0)"},
	} {
		body := p.get("/probe?site=headquarters&" + query)
		for _, text := range texts {
			if !strings.Contains(strings.Join(strings.Fields(body), " "), strings.Join(strings.Fields(text), " ")) {
				t.Errorf("%s: %q is not in\n%s", query, text, body)
			}
		}
	}
	if status, body := p.request(http.MethodDelete, "/lab/faults"); status >= 300 {
		t.Fatalf("healing: %d %s", status, body)
	}
	p.eventually("both are healed", func() bool { return len(refused(p.get("/metrics"))) == 0 })
	if code := p.stop(); code != exitGood {
		t.Errorf("stopped with exit code %d:\n%s", code, p.log)
	}
}

// refused lists what a scrape says of services that phones do not trust: firmware, network, phone, step and reason.
func refused(scrape string) []string {
	var out []string
	for line := range strings.Lines(scrape) {
		if labels, is := strings.CutPrefix(line, "cx700_service_refused_info{"); is {
			get := func(name string) string {
				_, after, _ := strings.Cut(labels, name+`="`)
				value, _, _ := strings.Cut(after, `"`)
				return value
			}
			out = append(out, fmt.Sprint(get("firmware"), " ", get("network"), " ", get("phone"), " ", get("step"), " ", get("reason")))
		}
	}
	slices.Sort(out)
	return out
}
