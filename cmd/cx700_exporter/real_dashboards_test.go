//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/cx700/cx700_exporter/dashboards"
)

// emptyInTheLab are the parts of expressions that have no answer in the test below, and why.
func emptyInTheLab() map[string]string {
	return map[string]string{
		`reason="internal"`: "no probe of the lab fails by a fault of the exporter's own",
		`> 3 * max by (network, collector, target) (cx700_probe_interval_seconds`: "no probe of the lab is late for three intervals",
	}
}

// TestRealDashboards asks a real Prometheus every expression of every dashboard, and both sides of every "or" in them,
// of a lab that is healthy first and then is not: each must have been answered once with something. The lab's
// Prometheus is there twice, since only one that is told to keeps native histograms, and that one no classic ones.
func TestRealDashboards(t *testing.T) {
	if _, err := exec.LookPath("prometheus"); err != nil {
		if os.Getenv("STRICT") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	p := started(t, "lab", "--sites=4", "--web.enable-lifecycle")
	servers := []string{scraping(t, p, "--enable-feature=native-histograms"), scraping(t, p)}
	p.reported()
	within(t, "Prometheus has scraped for a while", 20*time.Second, func() error {
		return answered(t, servers, "count_over_time(cx700_signin_state[1m]) > 3")
	})
	exprs := expressions(t)
	left := unanswered(t, servers, "headquarters", exprs)
	t.Logf("%d expressions and parts of them; healthy, there is no answer to %d", len(exprs), len(left))
	for _, fault := range []string{
		"branch-002:ntp_off", "branch-002:pool_hardened", "branch-002:exchange_other_ca", "branch-002:dhcp_search_text", "branch-003:ad_ca_hidden", "headquarters:ad_ca_wrong",
		"branch-003:update_blank_urls", "branch-004:certsrv_anonymous", "branch-004:ad_ca_many",
	} {
		if status, body := p.request(http.MethodPost, "/lab/faults/"+fault); status != http.StatusOK {
			t.Fatalf("%s: %s", fault, body)
		}
	}
	if status, body := p.request(http.MethodPost, "/-/reload"); status != http.StatusOK {
		t.Fatal(body)
	}
	// Verdicts are counted every half minute.
	within(t, "the rest is answered", time.Minute, func() error {
		left = unanswered(t, servers, "branch-002", left)
		if len(left) > 0 {
			return fmt.Errorf("no answer, healthy or broken:\n%s", strings.Join(left, "\n"))
		}
		return nil
	})
	// All sites are of one forest, and each of its targets tells all its changes.
	within(t, "changes of roots are counted once", time.Minute, func() error {
		return answered(t, servers, fmt.Sprintf("%s > 0.5 and abs(%[1]s - sum(max by (change) (increase(cx700_ad_root_changes_total[10m])))) < 0.1",
			changesOfRoots(t)))
	})
}

// changesOfRoots is the expression of the panel of that name.
func changesOfRoots(t *testing.T) string {
	t.Helper()
	for _, d := range dashboards.All() {
		for _, p := range d.Panels {
			if p.Title == "Changes of roots" {
				return filled(p.Targets[0].Expr, "x", "10m")
			}
		}
	}
	t.Fatal("no panel tells of changes of roots")
	return ""
}

// scrapeConfig writes a configuration by which Prometheus scrapes one program, and returns its file.
func scrapeConfig(t *testing.T, dir, url, interval string) string {
	t.Helper()
	file := filepath.Join(dir, "prometheus.yml")
	must(t, os.WriteFile(file, fmt.Appendf(nil, `global: {scrape_interval: %s}
scrape_configs:
  - job_name: cx700
    static_configs: [{targets: [%q]}]
`, interval, strings.TrimPrefix(url, "http://")), 0o600))
	return file
}

// scraping starts a Prometheus that scrapes a program every other second, and a dead target beside it, and records what the
// rules say, and returns its address. The test is shorter than every month, of which nothing is measured: what is told then is told all the same.
func scraping(t *testing.T, p *process, flags ...string) string {
	t.Helper()
	dir := t.TempDir()
	config := scrapeConfig(t, dir, p.url, "2s")
	rules := hurried().rules(t, p.url+"/runbooks/")
	shorter := strings.ReplaceAll(rules, ">= 0.99", ">= 0")
	if shorter == rules {
		t.Fatal("no rule asks whether a month was measured")
	}
	must(t, os.WriteFile(filepath.Join(dir, "rules.yml"), []byte(shorter), 0o600))
	scrapes, err := os.ReadFile(config)
	must(t, err)
	beside := strings.Replace(string(scrapes), "targets: [", `targets: ["127.0.0.1:9", `, 1)
	must(t, os.WriteFile(config, []byte(beside+"rule_files: [rules.yml]\n"), 0o600))
	log := &lockedBuffer{}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "prometheus", append([]string{"--config.file=" + config,
		"--storage.tsdb.path=" + filepath.Join(dir, "data"), "--web.listen-address=127.0.0.1:0"}, flags...)...)
	cmd.Stderr = log
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	var address string
	within(t, "Prometheus listens", 20*time.Second, func() error {
		m := listening.FindStringSubmatch(log.String())
		if m == nil {
			return errors.New(log.String())
		}
		address = "http://" + m[1]
		return nil
	})
	return address
}

// expressions lists every expression of every dashboard that the lab can answer, and the sides of each "or" in it.
func expressions(t *testing.T) []string {
	t.Helper()
	var out []string
	promql := parser.NewParser(parser.Options{})
	used := map[string]bool{}
	add := func(e parser.Expr) {
		text := e.String()
		for part := range emptyInTheLab() {
			if strings.Contains(text, part) && !strings.Contains(text, " or ") {
				used[part] = true
				return
			}
		}
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	for _, d := range dashboards.All() {
		for _, q := range queriesOf(t, d) {
			expr, err := promql.ParseExpr(filled(q.expr, oneSite, "10m"))
			must(t, err)
			add(expr)
			parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
				if b, ok := n.(*parser.BinaryExpr); ok && b.Op == parser.LOR {
					add(b.LHS)
					add(b.RHS)
				}
				return nil
			})
		}
	}
	for part, why := range emptyInTheLab() {
		if !used[part] {
			t.Errorf("no expression holds %s (%s): take it out of emptyInTheLab", part, why)
		}
	}
	return out
}

// oneSite stands for the one site of a dashboard until it is known.
const oneSite = "SITE"

// unanswered lists the expressions to which no server has an answer.
func unanswered(t *testing.T, servers []string, site string, exprs []string) []string {
	t.Helper()
	var out []string
	for _, expr := range exprs {
		if answered(t, servers, strings.ReplaceAll(expr, oneSite, site)) != nil {
			out = append(out, expr)
		}
	}
	return out
}

// answered asks servers in turn until one has a series, and not NaN. An expression that fails ends the test.
func answered(t *testing.T, servers []string, expr string) error {
	t.Helper()
	for _, server := range servers {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server+"/api/v1/query?query="+url.QueryEscape(expr), nil)
		must(t, err)
		answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
		must(t, err)
		var body struct {
			Error string
			Data  struct {
				Result []struct{ Value, Histogram []any }
			}
		}
		err = json.NewDecoder(answer.Body).Decode(&body)
		answer.Body.Close()
		must(t, err)
		if body.Error != "" {
			t.Fatalf("%s: %s", expr, body.Error)
		}
		for _, r := range body.Data.Result {
			if r.Histogram != nil || len(r.Value) == 2 && r.Value[1] != "NaN" {
				return nil
			}
		}
	}
	return fmt.Errorf("no answer to %s", expr)
}
