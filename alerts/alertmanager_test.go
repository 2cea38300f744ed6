package alerts

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
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
		want := map[Severity]string{Page: "pager", Warning: "tickets"}[a.Severity]
		out, err := exec.CommandContext(t.Context(), amtool, "config", "routes", "test", "--config.file="+alertmanagerExample,
			"alertname="+a.Name, "severity="+string(a.Severity), "network=internal").Output() // it has something to say on stderr
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("%s goes to %s, want %s: %v", a.Name, got, want, err)
		}
	}
}

// alertmanager starts a real one with the example, until the test ends.
func alertmanager(t *testing.T) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	cmd := exec.CommandContext(t.Context(), tool(t, "prometheus-alertmanager"), "--config.file="+alertmanagerExample, //nolint:gosec // found on the path
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

// TestInhibition sets off every alert at a real Alertmanager, beside those that inhibit, and sees which are silent.
func TestInhibition(t *testing.T) {
	own := []string{"Cx700ExporterDown", "Cx700VantageLost"}
	var everything, ofPhones, warned []string
	for _, a := range All() {
		everything = append(everything, a.Name)
		if a.Severity == Warning && a.Name != "Cx700ExporterDown" {
			warned = append(warned, a.Name)
		}
		for _, prefix := range []string{"SignIn", "ManySites", "NewPhones", "Degraded", "Unknown", "TimeOff", "ServerHardened", "UpdateServiceDown", "BaseURL", "Firmware"} {
			if strings.HasPrefix(a.Name, "Cx700"+prefix) {
				ofPhones = append(ofPhones, a.Name)
			}
		}
	}
	but := func(all []string, left ...string) []string {
		return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return slices.Contains(left, s) })
	}
	for _, tt := range []struct {
		name  string
		fires []string
		want  []string
	}{
		{"nothing that inhibits", but(everything, append(own, "Cx700ManySitesBlocked", "Cx700SignInBlocked")...), nil},
		{"the exporter's own network is lost", but(everything, "Cx700ExporterDown", "Cx700ManySitesBlocked", "Cx700SignInBlocked"),
			but(ofPhones, "Cx700ManySitesBlocked", "Cx700SignInBlocked")},
		{"the exporter is down", but(everything, "Cx700VantageLost", "Cx700ManySitesBlocked", "Cx700SignInBlocked"), but(warned, "Cx700VantageLost")},
		{"a site is blocked", []string{"Cx700SignInBlocked", "Cx700SignInFastBurn", "Cx700RootUnpublished"}, []string{"Cx700SignInFastBurn"}},
		{"many sites are blocked", []string{"Cx700ManySitesBlocked", "Cx700SignInBlocked", "Cx700SignInFastBurn", "Cx700RootUnpublished"},
			[]string{"Cx700SignInBlocked", "Cx700SignInFastBurn"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			slices.Sort(tt.want)
			url := alertmanager(t)
			setOff(t, url, tt.fires)
			diff := "nothing was looked at"
			for deadline := time.Now().Add(10 * time.Second); diff != "" && time.Now().Before(deadline); <-time.After(50 * time.Millisecond) {
				diff = cmp.Diff(tt.want, inhibited(t, url, len(tt.fires))) // it takes a moment until all are considered
			}
			if diff != "" {
				t.Errorf("silent (-want +got):\n%s", diff)
			}
		})
	}
}

// setOff has Alertmanager hear of alerts.
func setOff(t *testing.T, url string, fires []string) {
	t.Helper()
	var all []posted
	for _, a := range All() {
		if slices.Contains(fires, a.Name) {
			l := map[string]string{"alertname": a.Name, "severity": string(a.Severity), "site": "oslo", "network": "internal"}
			if a.Name == "Cx700RootUnpublished" {
				l = map[string]string{"alertname": a.Name, "severity": string(a.Severity), "target": "contoso.com"}
			}
			all = append(all, posted{Labels: l})
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
			out = append(out, a.Labels["alertname"])
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
