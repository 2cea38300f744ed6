package main

import (
	"net/http"
	"strings"
	"testing"
)

// TestStatusPage holds the first page to saying at once what is wrong, where, and how to mend it.
func TestStatusPage(t *testing.T) {
	for _, c := range []struct {
		args []string
		want []string // in this order
	}{
		{nil, []string{"<h1 class=\"good\">Good: nothing that stops a phone was found</h1>", "<details open>", "Good: 22 of 22 targets", "headquarters"}},
		{[]string{"--sites=2", "--fault=branch-002:srv_dropped"}, []string{
			"Degraded at 1 of 2 sites: phones get through", "<p>branch-002</p>", "dns at branch-002, internal", "srv_missing",
			"create SRV", "Good: 41 of 42 targets", "headquarters"}},
		{[]string{"--sites=3", "--fault=branch-002:srv_dropped", "--fault=branch-003:ntp_off", "--fault=branch-003:wildcard"}, []string{
			"Blocked at 1 of 3 sites: phones would not get through", "<p>branch-003</p>",
			"ntp at branch-003, internal", "time_off", "set that server", "is off by 7m0", "Do not hard reset it",
			"dns at branch-003, internal", "wildcard_misdirects", "wildcard_zone", "Good: 58 of 62 targets"}},
		{[]string{"--fault=ad_ca_empty"}, []string{"Blocked at 1 of 1 sites: new phones would not get through, enrolled ones would",
			"directory at headquarters, internal", "root_empty", "certutil -f -dspublish"}},
	} {
		p := started(t, append([]string{"lab"}, c.args...)...)
		p.reported()
		page := p.get("/")
		rest := page
		for _, want := range c.want {
			_, after, found := strings.Cut(rest, want)
			if !found {
				t.Errorf("%v: no %q, or not in its place:\n%s", c.args, want, page)
				break
			}
			rest = after
		}
		if strings.Contains(page, "<script") || strings.Contains(page, "//") {
			t.Errorf("%v: the page needs more than itself", c.args)
		}
	}
}

// TestFormats asks for /metrics as old and new Prometheus servers do.
func TestFormats(t *testing.T) {
	p := started(t, "lab")
	p.ready()
	for _, c := range []struct{ accept, contentType, want string }{
		{"", "text/plain; version=0.0.4", "\ncx700_probes_total{"},
		{"application/openmetrics-text;version=1.0.0", "application/openmetrics-text; version=1.0.0", "# TYPE cx700_probes counter\n"},
		{"application/openmetrics-text;version=1.0.0", "application/openmetrics-text; version=1.0.0", "\n# EOF\n"},
		{"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
			"application/vnd.google.protobuf", "cx700_probe_duration_seconds"},
	} {
		status, header, body := p.answer(http.MethodGet, "/metrics", http.Header{"Accept": {c.accept}})
		if status != http.StatusOK || !strings.HasPrefix(header.Get("Content-Type"), c.contentType) {
			t.Errorf("%q: status %d, content type %q", c.accept, status, header.Get("Content-Type"))
		}
		if !strings.Contains(body, c.want) {
			t.Errorf("%q: no %q in:\n%s", c.accept, c.want, body)
		}
	}
}
