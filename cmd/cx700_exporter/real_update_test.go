//go:build linux

package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cx700/cx700_exporter/internal/bed"
)

// The sites of the update tests: one that asks without an account, and others that log on outside.
const (
	siteNobody    = "nobody"
	siteAccount   = "account"
	siteWrong     = "wrong"
	siteElsewhere = "elsewhere"
)

// updateSites writes a site file for the guide's front ends and reverse proxy. The account of the site elsewhere may
// not be sent to the reverse proxy; the one of the site wrong has another password.
func updateSites(t *testing.T, r *rig, extra string) string {
	t.Helper()
	dir := t.TempDir()
	for name, secret := range map[string]string{"secret": bed.ProbePassword, "wrong": "Wrong-Passw0rd"} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(secret), 0o600))
	}
	text := `credentials:
  account: {username: 'CONTOSO\probe', password_file: secret, allowed_hosts: [ocsrp.fabrikam.com]}
  wrong: {username: 'CONTOSO\probe', password_file: wrong, allowed_hosts: [ocsrp.fabrikam.com]}
  elsewhere: {username: 'CONTOSO\probe', password_file: secret, allowed_hosts: [pool01.contoso.com, fe02.contoso.com]}
sites:
`
	for _, name := range []string{siteNobody, siteAccount, siteWrong, siteElsewhere} {
		text += fmt.Sprintf(`  - name: %s
    sip_domain: fabrikam.com
    dhcp: {domain: contoso.com, dns_servers: [192.168.7.5]}
    networks:
      internal: {front_ends: [pool01.contoso.com, fe02.contoso.com]}
      external: {resolvers: [203.0.113.5], reverse_proxy: ocsrp.fabrikam.com`, name)
		if name != siteNobody {
			text += fmt.Sprintf(", update: {credential: %s, roots: [%s]}", name, r.RootFile())
		}
		text += "}\n"
	}
	file := filepath.Join(dir, "cx700.yml")
	must(t, os.WriteFile(file, []byte(text+extra), 0o600))
	return file
}

// updateOutcomes probes once each, in processes of their own, and returns what is not good: "collector network site"
// and the last line.
func updateOutcomes(t *testing.T, r *rig, file string, kinds []string, sites ...string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, collector := range kinds {
		for _, network := range []string{"internal", "external"} {
			for _, name := range sites {
				if network == "internal" && name != siteNobody {
					continue // there is no logon inside
				}
				_, text := r.ran(t, "probe", collector, "--site="+name, "--network="+network, "--config.file="+file)
				if outcome := lastLine(text); outcome != goodOutcome {
					out[collector+" "+network+" "+name] = outcome
				}
				if strings.Contains(text, bed.ProbePassword) {
					t.Errorf("the password is in\n%s", text)
				}
			}
		}
	}
	return out
}

// updateBreak is a state of the update service, and what is not good then.
type updateBreak struct {
	name string
	host bed.Host
	set  bed.Update
	want map[string]string
}

// outsideIs gives both sites outside the same outcomes, of update and of firmware.
func outsideIs(update, firmware string) map[string]string {
	out := map[string]string{}
	for _, name := range []string{siteNobody, siteAccount} {
		for collector, outcome := range map[string]string{"update": update, "firmware": firmware} {
			if outcome != "" {
				out[collector+" external "+name] = outcome
			}
		}
	}
	return out
}

// insideIs is an outcome of update inside.
func insideIs(outcome string) map[string]string {
	return map[string]string{"update internal " + siteNobody: outcome}
}

func updateBreaks() []updateBreak {
	return []updateBreak{
		{"healthy", bed.Pool, bed.Update{}, map[string]string{}},
		{"no update", bed.Pool, bed.Update{Answer: bed.NoUpdate}, insideIs("noted: front_ends_differ")},
		{"500", bed.Pool, bed.Update{Status: 500}, insideIs("degraded: update_server_error")},
		{"403", bed.Pool, bed.Update{Status: 403}, insideIs("degraded: update_forbidden")},
		{"404", bed.Pool, bed.Update{Status: 404}, insideIs("degraded: update_not_found")},
		{"blank URLs", bed.FrontEnd2, bed.Update{BlankBaseURL: true, BlankExternalBaseURL: true},
			insideIs("degraded: base_url_blank, external_base_url_blank, front_ends_differ")},
		{"other version", bed.FrontEnd2, bed.Update{Version: "1.0.522.103"}, map[string]string{
			"update internal nobody":   "noted: front_ends_differ",
			"firmware internal nobody": "degraded: firmware_not_found",
		}},
		{"entity bomb", bed.Pool, bed.Update{Answer: bed.EntityBomb}, insideIs("degraded: update_unparsable")},
		{"HTML", bed.Pool, bed.Update{Answer: bed.UpdateHTML}, insideIs("degraded: update_unparsable")},
		{"redirect circle", bed.Pool, bed.Update{Answer: bed.RedirectCircle}, insideIs("degraded: update_redirect")},
		{"redirect elsewhere", bed.Pool, bed.Update{Answer: bed.RedirectElsewhere}, insideIs("degraded: update_redirect")},
		{"clock", bed.Pool, bed.Update{Clock: 7 * time.Minute}, insideIs("noted: update_clock_off")},
		{"only 443", bed.Pool, bed.Update{Ports: bed.OnlyTLS}, map[string]string{
			"update internal nobody":   "degraded: update_https_only",
			"firmware internal nobody": "degraded: firmware_unreachable",
		}},
		{"image missing", bed.Pool, bed.Update{Image: bed.ImageMissing},
			map[string]string{"firmware internal nobody": "degraded: firmware_not_found"}},
		{"image elsewhere", bed.Pool, bed.Update{Image: bed.ImageElsewhere},
			map[string]string{"firmware internal nobody": "degraded: firmware_redirect"}},
		{"anonymous outside", bed.ReverseProxy, bed.Update{Access: bed.Anonymous},
			outsideIs("noted: update_anonymous", "noted: firmware_anonymous")},
		{"Basic outside", bed.ReverseProxy, bed.Update{Access: bed.BasicOnly},
			outsideIs("degraded: update_no_ntlm", "degraded: firmware_logon_wanted")},
		{"403 outside", bed.ReverseProxy, bed.Update{Status: 403}, outsideIs("degraded: update_forbidden", "degraded: publishing_half")},
		{"404 outside", bed.ReverseProxy, bed.Update{Status: 404}, outsideIs("degraded: update_not_found", "degraded: publishing_half")},
		{"only the handler", bed.ReverseProxy, bed.Update{Published: bed.OnlyHandler}, outsideIs("", "degraded: firmware_forbidden, publishing_half")},
		{"only the files", bed.ReverseProxy, bed.Update{Published: bed.OnlyFiles}, outsideIs("degraded: update_forbidden", "degraded: publishing_half")},
		{"redirect circle outside", bed.ReverseProxy, bed.Update{Answer: bed.RedirectCircle},
			outsideIs("degraded: update_redirect", "")},
		{"redirect elsewhere outside", bed.ReverseProxy, bed.Update{Answer: bed.RedirectElsewhere},
			outsideIs("degraded: update_redirect", "")},
		{"hardened outside", bed.ReverseProxy, bed.Update{TLS12: true}, outsideIs("degraded: update_hardened", "")},
	}
}

// TestRealUpdate asks real Apaches and a real HAProxy for updates, healthy and with each break alone.
func TestRealUpdate(t *testing.T) {
	r := newRig(t)
	file := updateSites(t, r, "")
	asked := []string{"update", "firmware"}
	for _, b := range updateBreaks() {
		t.Run(b.name, func(t *testing.T) {
			must(t, r.SetUpdate(t.Context(), b.host, b.set))
			if diff := cmp.Diff(b.want, updateOutcomes(t, r, file, asked, siteNobody, siteAccount)); diff != "" {
				t.Errorf("what is not good (-want +got):\n%s", diff)
			}
			must(t, r.RestoreUpdate(t.Context()))
		})
	}
	t.Run("servers stopped", func(t *testing.T) { testUpdateStopped(t, r, file) })
	t.Run("healed", func(t *testing.T) {
		if got := updateOutcomes(t, r, file, asked, siteNobody, siteAccount); len(got) > 0 {
			t.Errorf("healed, but %v", got)
		}
	})
	t.Run("members of one name", func(t *testing.T) { testUpdateMembers(t, r) })
	t.Run("accounts", func(t *testing.T) { testUpdateAccounts(t, r, file) })
	for _, host := range []bed.Host{bed.Pool, bed.FrontEnd2, bed.ReverseProxy, bed.WebOutside} {
		for _, line := range requestsTo(t, r, host) {
			if strings.Contains(line, "/elsewhere") || strings.Contains(line, "/round.upx") || strings.Contains(line, "Basic") {
				t.Errorf("%s was asked: %s", host, line)
			}
		}
	}
}

func requestsTo(t *testing.T, r *rig, host bed.Host) []string {
	t.Helper()
	requests, err := r.RequestsTo(host)
	must(t, err)
	return requests
}

// testUpdateStopped stops what serves updates.
func testUpdateStopped(t *testing.T, r *rig, file string) {
	for _, c := range []struct {
		name   string
		breaks func() error
		want   map[string]string
	}{
		{"front end killed", func() error { return r.Kill(bed.FrontEnd2) }, map[string]string{
			"update internal nobody":   "degraded: update_unreachable",
			"firmware internal nobody": "degraded: firmware_unreachable",
		}},
		{"reverse proxy killed", func() error { return r.Kill(bed.ReverseProxy) },
			map[string]string{"update external nobody": "degraded: update_unreachable", "firmware external nobody": "degraded: firmware_unreachable"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			must(t, c.breaks())
			if diff := cmp.Diff(c.want, updateOutcomes(t, r, file, []string{"update", "firmware"}, siteNobody)); diff != "" {
				t.Errorf("what is not good (-want +got):\n%s", diff)
			}
			must(t, r.RestoreUpdate(t.Context()))
		})
	}
}

// testUpdateMembers has DNS lead one name to both front ends, of which the first always answers.
func testUpdateMembers(t *testing.T, r *rig) {
	must(t, r.EditZone(t.Context(), bed.DNSInside, "fabrikam.com", func(text string) string {
		return text + "updates IN A 192.168.7.81\nupdates IN A 192.168.7.83\n"
	}))
	file := siteFile(t, `sites:
  - name: nobody
    sip_domain: fabrikam.com
    dhcp: {domain: contoso.com, dns_servers: [192.168.7.5]}
    networks:
      internal: {front_ends: [updates.fabrikam.com]}
      external: {resolvers: [203.0.113.5], reverse_proxy: ocsrp.fabrikam.com}
collectors:
  firmware_download: {max_bytes_per_second: 1073741824}
`)
	kinds := []string{"update", "firmware", "firmware_download"}
	for _, c := range []struct {
		name   string
		breaks func() error
		want   map[string]string
	}{
		{"both good", func() error { return nil }, map[string]string{}},
		{"one dead", func() error { return r.Kill(bed.FrontEnd2) }, map[string]string{
			"update internal nobody":   "degraded: update_unreachable",
			"firmware internal nobody": "degraded: firmware_unreachable",
		}},
		{"one of another version", func() error { return r.SetUpdate(t.Context(), bed.FrontEnd2, bed.Update{Answer: bed.NoUpdate}) },
			map[string]string{"update internal nobody": "noted: front_ends_differ"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			must(t, c.breaks())
			if diff := cmp.Diff(c.want, updateOutcomes(t, r, file, kinds, siteNobody)); diff != "" {
				t.Errorf("what is not good (-want +got):\n%s", diff)
			}
			must(t, r.RestoreUpdate(t.Context()))
		})
	}
	must(t, r.RestoreZones(t.Context()))
}

// testUpdateAccounts logs on with a wrong password, and with an account that may not be sent to the reverse proxy.
func testUpdateAccounts(t *testing.T, r *rig, file string) {
	ntlm := func() int {
		return len(slices.DeleteFunc(requestsTo(t, r, bed.WebOutside), func(line string) bool { return !strings.HasSuffix(line, " NTLM") }))
	}
	for _, c := range []struct {
		site, want string
		requests   int
	}{
		{siteElsewhere, "unknown: credential_unusable", 0},
		{siteWrong, "unknown: credential_refused", 2}, // the two messages of one logon
		{siteAccount, goodOutcome, 2},
	} {
		before := ntlm()
		_, text := r.ran(t, "probe", "update", "--site="+c.site, "--network=external", "--config.file="+file)
		within(t, "the requests are logged", 5*time.Second, func() error {
			if n := ntlm() - before; n != c.requests {
				return fmt.Errorf("%s: %d requests with NTLM, want %d", c.site, n, c.requests)
			}
			return nil
		})
		if lastLine(text) != c.want {
			t.Errorf("%s: %q, want %q\n%s", c.site, lastLine(text), c.want, text)
		}
		seen, _, _ := strings.Cut(text, "what phones make of it") // which names firmware of that version
		offered := strings.Contains(seen, bed.OfferedVersion)
		if want := c.site == siteAccount; offered != want {
			t.Errorf("%s: the version offered is shown: %t\n%s", c.site, offered, text)
		}
	}
}

// TestRealPost asks the real handler as a phone, by POST.
func TestRealPost(t *testing.T) {
	r := newRig(t)
	template, err := filepath.Abs("../../examples/ucdevice-request.xml")
	must(t, err)
	file := siteFile(t, fmt.Sprintf(`sites:
  - name: guide
    sip_domain: fabrikam.com
    dhcp: {domain: contoso.com, dns_servers: [192.168.7.5]}
    networks: {internal: {front_ends: [pool01.contoso.com], update: {post: {template: %s}}}}
`, template))
	_, text := r.ran(t, "probe", "update", "--site=guide", "--config.file="+file)
	if lastLine(text) != goodOutcome {
		t.Errorf("%s", text)
	}
	posted, err := r.Posted(bed.Pool)
	must(t, err)
	for _, version := range []string{"1.0.199.123", "1.0.522.101", "3.5.6907.35"} {
		ofIt := func(body string) bool {
			return strings.Contains(body, "<Version>"+version+"</Version>") && strings.Contains(body, "<MACAddress>02-00-00-00-00-01</MACAddress>") &&
				strings.Contains(body, "<SerialNumber></SerialNumber>")
		}
		if !slices.ContainsFunc(posted, ofIt) {
			t.Errorf("no POST as a phone with %s in %q", version, posted)
		}
	}
}

// TestRealDownload reads whole images of 15 MiB.
func TestRealDownload(t *testing.T) {
	r := newRig(t)
	file := updateSites(t, r, `collectors:
  firmware: {interval: 1s}
  firmware_download: {interval: 3s, max_bytes_per_second: 1073741824}
`)
	for _, c := range []struct {
		name string
		host bed.Host
		set  bed.Update
		want map[string]string
	}{
		{"healthy", bed.Pool, bed.Update{}, map[string]string{}},
		{"cut off", bed.Pool, bed.Update{Image: bed.ImageCutOff}, map[string]string{"firmware_download internal nobody": "degraded: firmware_cut_off"}},
		{"slow", bed.Pool, bed.Update{Image: bed.ImageSlow}, map[string]string{"firmware_download internal nobody": "degraded: firmware_stalled"}},
		{"cut off outside", bed.ReverseProxy, bed.Update{Image: bed.ImageCutOff},
			map[string]string{"firmware_download external account": "degraded: firmware_cut_off"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			must(t, r.SetUpdate(t.Context(), c.host, c.set))
			got := updateOutcomes(t, r, file, []string{"firmware_download"}, siteNobody, siteAccount)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("what is not good (-want +got):\n%s", diff)
			}
			must(t, r.RestoreUpdate(t.Context()))
		})
	}
	t.Run("under the same version", func(t *testing.T) { testImageChanges(t, r, file) })
}

// testImageChanges lets the image become another and then a shorter one, under the same version.
func testImageChanges(t *testing.T, r *rig, file string) {
	e := r.serve(t, file)
	image := `network="internal",target="pool01.contoso.com+fe02.contoso.com@192.168.7.5"`
	changes := func() float64 {
		for labels, n := range series(t, e.get(t, "/metrics"), "cx700_firmware_changes_total") {
			if strings.HasSuffix(labels, image) && strings.Contains(labels, "/CPE/CPE.nbt") && strings.Contains(labels, "pool01") {
				return n
			}
		}
		return -1
	}
	waitFor := func(what string, want float64) {
		t.Helper()
		within(t, what, 30*time.Second, func() error {
			if n := changes(); n != want {
				return fmt.Errorf("%v changes, want %v", n, want)
			}
			return nil
		})
	}
	waitFor("the image is read", 0)
	must(t, r.SetUpdate(t.Context(), bed.Pool, bed.Update{Image: bed.ImageChanged}))
	waitFor("the image is another", 1)
	if !strings.Contains(e.log.String(), "firmware changed under the same version") {
		t.Errorf("the log does not tell of it")
	}
	must(t, r.SetUpdate(t.Context(), bed.Pool, bed.Update{Image: bed.ImageCut}))
	within(t, "the image is shorter", 10*time.Second, func() error {
		if !slices.Contains(failing(e.get(t, "/metrics")), "internal/firmware/firmware_cut_off") {
			return errors.New("not told")
		}
		return nil
	})
	must(t, r.RestoreUpdate(t.Context()))
	speeds := series(t, e.get(t, "/metrics"), "cx700_firmware_download_bytes_per_second")
	if len(speeds) == 0 || slices.Min(slices.Collect(maps.Values(speeds))) < 1<<20 {
		t.Errorf("bytes per second: %v", speeds)
	}
}
