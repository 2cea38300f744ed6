package main

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

// TestStatusPage holds the first page and those of sites to saying at once what is wrong, where, and how to mend it.
func TestStatusPage(t *testing.T) {
	for _, c := range []struct {
		args []string
		page string
		want []string // in this order
	}{
		{nil, "/", []string{"<h1 class=\"good\">Ready: phones can sign in at 1 of 1 site", "headquarters</a> <small>20 phones"}},
		{nil, "/site/headquarters", []string{">headquarters: ready</h1>", ">ready</b> all phones", "The phones' walk", "registrar</h4>", "root</h4>",
			"external network", ">ready</b> enrolled phones", "enrol_inside_first", "CN=pool01.contoso.com"}},
		{[]string{"--sites=2", "--fault=branch-002:srv_dropped"}, "/", []string{
			"1 of 2 sites degraded", "phones can sign in", "branch-002</a>", "registrar: srv_missing", "headquarters</a>", "What is wrong", "create SRV"}},
		{[]string{"--sites=3", "--fault=branch-002:srv_dropped", "--fault=branch-003:ntp_off", "--fault=branch-003:wildcard"}, "/", []string{
			"1 of 3 sites blocked, up to 20 phones", "branch-003</a>", "time: time_off", "branch-002</a>", "headquarters</a>", "is off by ", "set that server"}},
		{[]string{"--sites=3", "--fault=branch-003:ntp_off", "--fault=branch-003:wildcard"}, "/site/branch-003", []string{
			">blocked</b> all phones, at time: time_off", "What was found", "is off by ", "A hard reset makes it worse", "wildcard_misdirects",
			"The last trouble", "The last 24 hours", ">dns</a>", "wildcard_zone"}},
		{[]string{"--fault=ad_bind_refused"}, "/", []string{"<h1 class=\"unknown\">", "Account headquarters: <b class=\"unknown\">stopped</b>, since ", "credential_refused"}},
		{[]string{"--fault=exchange_hardened"}, "/", []string{
			"Ready: phones can sign in at 1 of 1 site", "Beside the sign-in", "exchange_hardened", "allow TLS 1.0"}},
	} {
		p := started(t, append([]string{"lab"}, c.args...)...)
		var page string
		p.eventually(fmt.Sprintf("%s of %v has all in its place", c.page, c.args), func() bool {
			page = strings.ReplaceAll(p.get(c.page), "<wbr>", "")
			return inOrder(page, c.want...) == nil
		})
		if strings.Contains(page, "<script") || strings.Contains(page, " style=") {
			t.Errorf("%v: the page needs more than itself", c.args)
		}
	}
}

// TestProbeNow is for who logged on to the pages, by the password of the web configuration.
func TestProbeNow(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "web.yml")
	if err := os.WriteFile(file, fmt.Appendf(nil, "basic_auth_users:\n  reader: %s\n", hash), 0o600); err != nil {
		t.Fatal(err)
	}
	const ask = "/site/headquarters/probe"
	open := started(t, "lab")
	if status, body := open.request(http.MethodPost, ask); status != http.StatusForbidden {
		t.Errorf("without web authentication: status %d: %s", status, body)
	}
	if strings.Contains(open.get("/site/headquarters"), "<form") {
		t.Error("offered without web authentication")
	}
	p := started(t, "lab", "--web.config.file="+file)
	for _, c := range []struct {
		user, password, origin string
		want                   int
	}{
		{"", "", "", http.StatusUnauthorized},
		{"reader", "wrong", "", http.StatusUnauthorized},
		{"reader", "secret", "https://evil.example", http.StatusForbidden},
		{"reader", "secret", "", http.StatusOK}, // of the page to which it leads back
	} {
		header := http.Header{}
		if c.user != "" {
			header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(c.user+":"+c.password)))
		}
		if c.origin != "" {
			header.Set("Origin", c.origin)
		}
		status, _, body := p.answer(http.MethodPost, ask, header)
		if status != c.want {
			t.Errorf("%+v: status %d: %s", c, status, body)
		}
		if told := strings.Contains(body, "probes started now"); told != (c.want == http.StatusOK) {
			t.Errorf("%+v: tells that probes started: %v", c, told)
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
