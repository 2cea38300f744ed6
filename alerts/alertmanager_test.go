package alerts

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const alertmanagerExample = "../examples/alertmanager.yml"

// TestAlertmanagerExample has Alertmanager check the example and say which receiver gets what.
func TestAlertmanagerExample(t *testing.T) {
	amtool := tool(t, "amtool")
	if out, err := exec.CommandContext(t.Context(), amtool, "check-config", alertmanagerExample).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	for _, a := range All() {
		want := map[Severity]string{Page: "pager", Warning: "tickets", None: "nobody"}[a.Severity]
		out, err := exec.CommandContext(t.Context(), amtool, "config", "routes", "test", "--config.file="+alertmanagerExample,
			"alertname="+a.Name, "severity="+string(a.Severity), "network=internal").Output() // it has something to say on stderr
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("%s goes to %s, want %s: %v", a.Name, got, want, err)
		}
	}
}

// alertmanager starts a real one with the example or another file, until the test ends.
func alertmanager(t *testing.T, config string) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	cmd := exec.CommandContext(t.Context(), tool(t, "prometheus-alertmanager"), "--config.file="+config, //nolint:gosec // found on the path
		"--storage.path="+t.TempDir(), "--web.listen-address="+address, "--cluster.listen-address=")
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	url = "http://" + address
	for deadline := time.Now().Add(20 * time.Second); ; <-time.After(50 * time.Millisecond) {
		if answer, err := http.Get(url + "/-/ready"); err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return url
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("Alertmanager does not start")
		}
	}
}

type posted struct {
	Labels map[string]string `json:"labels"`
	Status *struct {
		InhibitedBy []string `json:"inhibitedBy"`
	} `json:"status,omitempty"`
}

// firing is an alert of a site on a network, or of an exporter or its job.
type firing struct{ name, site, network, job, instance string }

// everywhere sets an alert off at two sites on two networks; one about exporters at two of one job and one of another.
func everywhere(names ...string) []firing {
	var out []firing
	for _, name := range names {
		switch name {
		case "Cx700QueueLate":
			out = append(out, firing{name: name, job: "in", instance: "a"}, firing{name: name, job: "in", instance: "b"},
				firing{name: name, job: "out", instance: "a"})
			continue
		case "Cx700SitesUnwatched", "Cx700ExporterGone":
			out = append(out, firing{name: name, job: "in"}, firing{name: name, job: "out"})
			continue
		}
		for _, site := range []string{"oslo", "bergen"} {
			for _, network := range []string{"internal", "external"} {
				out = append(out, firing{name: name, site: site, network: network})
			}
		}
	}
	return out
}

// TestInhibition sets off every alert at a real Alertmanager, at two sites and on two networks, beside one that
// inhibits at one of them, and sees which are silent.
func TestInhibition(t *testing.T) {
	var others []string // those that inhibit nothing
	for _, a := range All() {
		if !slices.Contains([]string{"Cx700ExporterDown", "Cx700VantageLost", "Cx700SignInBlocked", "Cx700OneOfMany"}, a.Name) {
			others = append(others, a.Name)
		}
	}
	for _, tt := range []struct {
		name  string
		fires []firing
		want  func(firing) bool
	}{
		{"nothing that inhibits", nil, func(firing) bool { return false }},
		{"one exporter's own network is lost", []firing{{name: "Cx700VantageLost", network: "internal", job: "in", instance: "a"}}, func(f firing) bool {
			return f == firing{name: "Cx700QueueLate", job: "in", instance: "a"}
		}},
		{"an exporter is down", []firing{{name: "Cx700ExporterDown", job: "in", instance: "a"}}, func(f firing) bool {
			return slices.Contains([]firing{{name: "Cx700QueueLate", job: "in", instance: "a"}, {name: "Cx700SitesUnwatched", job: "in"},
				{name: "Cx700ExporterGone", job: "in"}}, f)
		}},
		{"there is no exporter", []firing{{name: "Cx700ExporterDown"}}, func(firing) bool { return false }},
		{"a site is blocked, and many are", []firing{{name: "Cx700SignInBlocked", site: "oslo", network: "internal"}}, func(f firing) bool {
			return f == firing{name: "Cx700SignInFastBurn", site: "oslo", network: "internal"}
		}},
		{"one of many sites is blocked", slices.Concat(everywhere("Cx700SignInBlocked"), []firing{{name: "Cx700OneOfMany", site: "oslo", network: "internal"}}), func(f firing) bool {
			return f.name == "Cx700SignInFastBurn" || f == firing{name: "Cx700SignInBlocked", site: "oslo", network: "internal"}
		}},
		{"many are blocked, and another for another cause", everywhere("Cx700SignInBlocked"), func(f firing) bool {
			return f.name == "Cx700SignInFastBurn"
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			all := slices.Concat(everywhere(others...), tt.fires)
			var want []string
			for _, f := range all {
				if tt.want(f) {
					want = append(want, fmt.Sprint(f))
				}
			}
			slices.Sort(want)
			url := alertmanager(t, alertmanagerExample)
			setOff(t, url, all)
			diff := "nothing was looked at"
			for deadline := time.Now().Add(10 * time.Second); diff != "" && time.Now().Before(deadline); <-time.After(50 * time.Millisecond) {
				diff = cmp.Diff(want, inhibited(t, url, len(all))) // it takes a moment until all are considered
			}
			if diff != "" {
				t.Errorf("silent (-want +got):\n%s", diff)
			}
		})
	}
}

// TestOneCauseIsOnePage blocks 200 sites at one step and another site at another, and counts what people get.
func TestOneCauseIsOnePage(t *testing.T) {
	fires := []firing{
		{name: "Cx700ManySitesBlocked", network: "internal"}, {name: "Cx700SignInBlocked", site: "alone", network: "internal"},
		{name: "Cx700RootUnpublished"},
	}
	for i := range 200 {
		for _, name := range []string{"Cx700SignInBlocked", "Cx700SignInFastBurn", "Cx700OneOfMany"} {
			fires = append(fires, firing{name: name, site: fmt.Sprint("branch-", i), network: "internal"})
		}
	}
	messages := make(chan string, 100)
	people := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var message struct {
			Alerts []struct{ Labels map[string]string }
		}
		if err := json.NewDecoder(r.Body).Decode(&message); err != nil || len(message.Alerts) == 0 {
			t.Errorf("a message without alerts: %v", err)
			return
		}
		first := message.Alerts[0].Labels
		messages <- fmt.Sprintf("%s: %d of %s, the first at %q", r.URL.Path, len(message.Alerts), first["alertname"], first["site"])
	}))
	t.Cleanup(people.Close)
	example, err := os.ReadFile(alertmanagerExample)
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "alertmanager.yml")
	if err := os.WriteFile(config, bytes.ReplaceAll(example, []byte("http://localhost:9094"), []byte(people.URL)), 0o600); err != nil {
		t.Fatal(err)
	}
	setOff(t, alertmanager(t, config), fires)
	want := []string{
		`/page: 1 of Cx700ManySitesBlocked, the first at ""`, `/page: 1 of Cx700RootUnpublished, the first at ""`,
		`/page: 1 of Cx700SignInBlocked, the first at "alone"`,
	}
	var got []string
	for deadline := time.After(20 * time.Second); ; { // twice the longest group_wait of a page
		select {
		case m := <-messages:
			got = append(got, m)
			continue
		case <-deadline:
		}
		break
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

// setOff has Alertmanager hear of alerts.
func setOff(t *testing.T, url string, fires []firing) {
	t.Helper()
	var all []posted
	for _, a := range All() {
		for _, f := range fires {
			if f.name == a.Name {
				all = append(all, posted{Labels: map[string]string{"alertname": a.Name, "severity": string(a.Severity),
					"site": f.site, "network": f.network, "job": f.job, "instance": f.instance}})
			}
		}
	}
	body, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.Post(url+"/api/v2/alerts", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("status %d", answer.StatusCode)
	}
}

// inhibited lists the alerts that Alertmanager keeps silent, of so many that it has.
func inhibited(t *testing.T, url string, all int) []string {
	t.Helper()
	var got []posted
	if err := fetch(url+"/api/v2/alerts", &got); err != nil || len(got) != all {
		t.Fatalf("%d alerts came, want %d: %v", len(got), all, err)
	}
	var out []string
	for _, a := range got {
		if len(a.Status.InhibitedBy) > 0 {
			out = append(out, fmt.Sprint(firing{a.Labels["alertname"], a.Labels["site"], a.Labels["network"], a.Labels["job"], a.Labels["instance"]}))
		}
	}
	slices.Sort(out)
	return out
}

func fetch(url string, into any) error {
	answer, err := http.Get(url)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %s", answer.StatusCode, body)
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(body, into)
}
