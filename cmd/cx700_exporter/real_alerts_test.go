//go:build linux

package main

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cx700/cx700_exporter/alerts"
)

// faultAlerts are faults and the alerts that they are to set off at their site; nothing else may fire there.
type faultAlerts map[string]string

// shortAlerts hold one of each kind; longAlerts the rest of what LONG=1 tries, a few at a
// time, lest a busy machine be late with all of them.
var (
	shortAlerts = faultAlerts{
		"ad_ca_empty":       "RootUnpublished",
		"ad_ca_hidden":      "RootHidden",
		"ad_account_locked": "AccountStopped Unknown",
		"pool_hardened":     "SignInBlocked", // ServerHardened is quiet: the page is out
		"ntp_one_off":       "Degraded TimeOff",
		"update_blank_urls": "BaseURLBlank",
		"update_down":       "UpdateServiceDown", // FirmwareMissing is quiet
	}
	longAlerts = []faultAlerts{
		{
			"ad_ca_wrong": "RootUnpublished", "ad_ca_gone": "RootUnpublished", "ad_ca_garbage": "RootUnpublished",
			"dc_down": "NewPhonesBlocked", "dc_srv_dropped": "NewPhonesBlocked", "ad_domain_a_dropped": "NewPhonesBlocked",
		},
		{
			"ad_denied": "Unknown", "ad_password_expired": "AccountStopped Unknown", "registrar_gone": "SignInBlocked",
			"srv_dropped": "Degraded", "dns_one_silent": "Degraded", "dns_silent": "SignInBlocked",
		},
		{
			"ntp_off": "SignInBlocked", "ntp_silent": "SignInBlocked", "pool_down": "SignInBlocked", "pool_early": "SignInBlocked",
			"sip_403": "SignInBlocked", "external_ntp_silent": "SignInBlocked",
		},
		{
			"exchange_hardened": "ServerHardened", "proxy_hardened": "ServerHardened", "exchange_down": "", "certsrv_403": "Degraded", "firmware_missing": "FirmwareMissing",
			"firmware_stalls": "FirmwareCutOff", "update_403_outside": "UpdateServiceDown", "ucupdates_dropped": "UpdateServiceDown",
		},
		{
			"pool_ends_soon": "SignInEnds", "pool_member_expired": "Degraded SignInEnded", "rollover_ahead": "RollOver",
			"ad_aia_empty": "CACertificateEmptied", "ad_replicating": "ControllersDisagree", "ad_password_ends": "AccountPasswordEnds",
		},
	}
)

// TestRealAlerts has a real Prometheus scrape a lab of many sites and a real Alertmanager hear of it: each fault sets off
// its alerts and no other, nothing fires on sites that are well, and all ends when it is healed.
func TestRealAlerts(t *testing.T) {
	needsPrometheus(t)
	t.Run("a few", func(t *testing.T) { tryAlerts(t, shortAlerts) })
	if !long() {
		return
	}
	for i, faults := range longAlerts {
		t.Run(fmt.Sprint("more ", i+1), func(t *testing.T) { tryAlerts(t, faults) })
	}
	t.Run("many sites", tryManySites)
	t.Run("a replaced image", tryReplacedImage)
	t.Run("the objective", tryObjective)
	t.Run("the exporter itself", tryExporters)
	t.Run("one is blind", tryOneBlind)
	t.Run("a root that nobody can read", tryUnreadRoot)
	t.Run("one shard", tryOneShard)
	t.Run("few workers", tryFewWorkers)
	t.Run("every alert was set off", func(t *testing.T) {
		for _, a := range alerts.All() {
			if name := strings.TrimPrefix(a.Name, "Cx700"); toldOf[name] == 0 && name != "ExporterGone" { // which looks back on a day
				t.Errorf("%s was never set off", a.Name)
			}
		}
	})
}

// needsPrometheus skips where Prometheus or Alertmanager is missing, or fails with STRICT=1.
func needsPrometheus(t *testing.T) {
	t.Helper()
	for _, tool := range []string{"prometheus", "prometheus-alertmanager"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("STRICT") == "1" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
}

func tryAlerts(t *testing.T, faults faultAlerts) {
	m := newMonitored(t, len(faults)+2)
	want := m.breaksAll(faults)
	m.until("the alerts fire, and no other", 2*time.Minute, want)
	m.stay(want)
	m.until("they still fire", time.Minute, want)
	m.recorded(slices.ContainsFunc(slices.Collect(maps.Values(want)), func(all []string) bool { return slices.Contains(all, "SignInBlocked") }))
	m.blinds(want)
	m.heals()
	m.until("all is healed", 2*time.Minute, map[string][]string{})
	m.until("Alertmanager has heard of it", 30*time.Second, map[string][]string{}, m.heard)
	m.exporters[0].stop()
	m.began("", "stopped")
	m.until("the exporter is down", 30*time.Second, map[string][]string{"": {"ExporterDown"}})
}

// breaksAll breaks a site for each fault, and returns what is to fire. The first and the last site stay well.
func (m *monitored) breaksAll(faults faultAlerts) map[string][]string {
	m.t.Helper()
	want := map[string][]string{}
	for i, name := range slices.Sorted(maps.Keys(faults)) {
		site := fmt.Sprintf("branch-%03d", i+2)
		if alerts := strings.Fields(faults[name]); len(alerts) > 0 {
			want[site] = alerts
		}
		m.breaks(site + ":" + name)
		m.t.Logf("%s: %s, to set off %v", site, name, want[site])
	}
	return want
}

// recorded asks for every series of the objective. Those of what was lost are there while phones are blocked, and the
// budget of a month is not: nothing of it was measured yet.
func (m *monitored) recorded(lost bool) {
	m.t.Helper()
	names := records.FindAllStringSubmatch(m.rules, -1)
	if len(names) == 0 {
		m.t.Error("no rule records anything")
	}
	for _, name := range names {
		there := !strings.Contains(name[1], "budget_left") && (lost || !strings.Contains(name[1], "lost_"))
		m.within(fmt.Sprintf("%s is there: %t", name[1], there), 30*time.Second, func() error {
			_, body := m.request(http.MethodGet, m.prometheus+"/api/v1/query?query="+url.QueryEscape(name[1]))
			if is := strings.Contains(body, `"site":`); is != there {
				return fmt.Errorf("%.300s", body)
			}
			return nil
		})
	}
}

// blinds loses the exporter's own network: what that makes unknown is not told, the root is.
func (m *monitored) blinds(fired map[string][]string) {
	if !slices.ContainsFunc(slices.Collect(maps.Values(fired)), func(all []string) bool { return slices.Contains(all, "RootUnpublished") }) {
		return
	}
	clear(m.causes)
	m.breaks("vantage_lost")
	defer m.heals("vantage_lost")
	var left map[string][]string
	m.within("the lost network is told, what it makes unknown is not", 60*time.Second, func() error {
		left = m.fired()
		m.measure(left)
		all := slices.Concat(slices.Collect(maps.Values(left))...)
		if !slices.Contains(all, "VantageLost") || slices.Contains(all, "Unknown") || slices.Contains(all, "TimeOff") {
			return fmt.Errorf("%v", left)
		}
		return nil
	})
	m.stay(left)
	if !slices.ContainsFunc(m.alertsOf(m.alertmanager+"/api/v2/alerts"), func(a firing) bool {
		return a.Labels["alertname"] == "Cx700RootUnpublished" && len(a.Status.InhibitedBy) == 0
	}) {
		m.t.Error("Alertmanager is silent of the root")
	}
}
