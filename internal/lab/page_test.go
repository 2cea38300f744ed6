package lab

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// served is a lab behind a web server.
type served struct {
	*Lab
	*httptest.Server
}

func serve(t *testing.T, sites int) served {
	t.Helper()
	l := started(t, sites)
	s := httptest.NewServer(l.Handler())
	t.Cleanup(s.Close)
	return served{l, s}
}

// do sends a request as curl does, and does not follow redirections.
func (s served) do(t *testing.T, method, path string, form url.Values, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := s.Client().Transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}

func TestAPI(t *testing.T) {
	s := serve(t, 2)
	for _, step := range []struct {
		method, path string
		status       int
		active       string
	}{
		{"POST", "/lab/faults/ntp_off", 200, "branch-002:ntp_off headquarters:ntp_off"},
		{"DELETE", "/lab/faults/branch-002:ntp_off", 200, "headquarters:ntp_off"},
		{"POST", "/lab/faults/branch-002:dns_lying", 200, "branch-002:dns_lying headquarters:ntp_off"},
		{"POST", "/lab/faults/branch-009:dns_lying", 404, "branch-002:dns_lying headquarters:ntp_off"},
		{"DELETE", "/lab/faults/nothing", 404, "branch-002:dns_lying headquarters:ntp_off"},
		{"DELETE", "/lab/faults", 200, ""},
		{"GET", "/lab/faults/ntp_off", 405, ""},
		{"PUT", "/lab/faults", 405, ""},
	} {
		answer, body := s.do(t, step.method, step.path, nil)
		if answer.StatusCode != step.status {
			t.Errorf("%s %s: %s, want %d: %s", step.method, step.path, answer.Status, step.status, body)
		}
		if got := strings.Join(s.Active(), " "); got != step.active {
			t.Errorf("%s %s: active %q, want %q", step.method, step.path, got, step.active)
		}
	}
}

func TestList(t *testing.T) {
	s := serve(t, 20)
	for _, spec := range []string{"external_srv_dropped", "branch-002:ntp_off", "branch-003:ntp_off", "branch-004:ntp_off",
		"headquarters:wildcard", "branch-002:wildcard", "branch-003:wildcard", "branch-004:wildcard"} {
		if err := s.Set(spec); err != nil {
			t.Fatal(err)
		}
	}
	answer, body := s.do(t, "GET", "/lab/faults", nil)
	if got := answer.Header.Get("Content-Type"); got != "text/plain; charset=utf-8" {
		t.Errorf("content type %q", got)
	}
	lines := slices.Collect(strings.Lines(body))
	if len(lines) != len(Faults()) {
		t.Errorf("%d lines, want one for each of %d faults", len(lines), len(Faults()))
	}
	column := strings.Index(lines[0], "internal")
	var found []string
	for _, line := range lines {
		if len(line) > 101 || (!strings.HasPrefix(line[column:], "internal") && !strings.HasPrefix(line[column:], "external")) {
			t.Errorf("not aligned, or more than 100 columns: %q", line)
		}
		found = append(found, strings.Join(strings.Fields(line), " "))
	}
	for _, want := range []string{
		"srv_dropped internal dns -",
		"external_srv_dropped external dns every site",
		"ntp_off internal ntp branch-002, branch-003, branch-004",
		"wildcard internal dns branch-002 and 3 more",
	} {
		if !slices.Contains(found, want) {
			t.Errorf("no line %q in\n%s", want, body)
		}
	}
}

func TestForms(t *testing.T) {
	s := serve(t, 2)
	for _, step := range []struct {
		path, site, fault string
		status            int
		location, active  string
	}{
		{"/lab/set", "", "ntp_off", 303, "/lab", "branch-002:ntp_off headquarters:ntp_off"},
		{"/lab/heal", "branch-002", "ntp_off", 303, "/lab?site=branch-002", "headquarters:ntp_off"},
		{"/lab/set", "elsewhere", "ntp_off", 400, "", "headquarters:ntp_off"},
		{"/lab/heal", "", "", 400, "", "headquarters:ntp_off"},
		{"/lab/heal-all", "", "", 303, "/lab", ""},
	} {
		answer, body := s.do(t, "POST", step.path, url.Values{"site": {step.site}, "fault": {step.fault}})
		if answer.StatusCode != step.status || answer.Header.Get("Location") != step.location {
			t.Errorf("%+v: %s to %q: %s", step, answer.Status, answer.Header.Get("Location"), body)
		}
		if got := strings.Join(s.Active(), " "); got != step.active {
			t.Errorf("%+v: active %q", step, got)
		}
	}
}

func TestOtherSitesOfTheWebAreRefused(t *testing.T) {
	s := serve(t, 1)
	for _, header := range [][]string{{"Origin", "https://example.org"}, {"Sec-Fetch-Site", "cross-site"}} {
		for _, path := range []string{"/lab/faults/ntp_off", "/lab/set"} {
			if answer, _ := s.do(t, "POST", path, url.Values{"fault": {"ntp_off"}}, header...); answer.StatusCode != http.StatusForbidden {
				t.Errorf("%s with %v: %s", path, header, answer.Status)
			}
		}
	}
	if got := s.Active(); len(got) > 0 {
		t.Errorf("active: %v", got)
	}
	if answer, _ := s.do(t, "POST", "/lab/set", url.Values{"fault": {"ntp_off"}}, "Origin", s.URL); answer.StatusCode != http.StatusSeeOther {
		t.Errorf("the page itself: %s", answer.Status)
	}
}

func TestPage(t *testing.T) {
	s := serve(t, 2)
	if _, body := s.do(t, "GET", "/lab", nil); !strings.Contains(body, "Nothing is broken.") {
		t.Error("the page of a healthy lab does not say so")
	}
	if err := s.Set("branch-002:ntp_off"); err != nil {
		t.Fatal(err)
	}
	answer, body := s.do(t, "GET", "/lab?site=branch-002", nil)
	if got := answer.Header.Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Errorf("content type %q", got)
	}
	for _, want := range []string{
		"<option selected>branch-002</option>", "<option>headquarters</option>", `<td class="on">branch-002</td>`,
		"Faults that are on: 1.", `value="ntp_off" formaction="/lab/heal">`, `value="srv_dropped" formaction="/lab/heal" disabled>`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in the page", want)
		}
	}
	for _, f := range Faults() {
		if !strings.Contains(body, "<code>"+f.Name+"</code>") {
			t.Errorf("%s is not on the page", f.Name)
		}
	}
	if strings.Contains(body, "<script") || strings.Contains(body, "http://") || strings.Contains(body, "https://") {
		t.Error("the page needs more than itself")
	}
}
