//go:build linux

package bed

import (
	"context"
	"fmt"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// started starts a bed; it skips the test, or with STRICT=1 fails it, when
// this machine cannot.
func started(t *testing.T) *Bed {
	t.Helper()
	if missing := Missing(); len(missing) > 0 {
		if os.Getenv("STRICT") == "1" {
			t.Fatalf("missing: %s", strings.Join(missing, ", "))
		}
		t.Skipf("missing: %s", strings.Join(missing, ", "))
	}
	begin := time.Now()
	b, err := Start(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("started in %v", time.Since(begin).Round(time.Millisecond))
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// must fails the test on an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// patience is how many seconds dig waits: longer than the ten after which
// BIND gives up on a silent domain controller.
const patience = "12"

// dig asks a name server from the monitor.
func dig(t *testing.T, b *Bed, host Host, name, recordType string, options ...string) (string, error) {
	t.Helper()
	args := append([]string{"@" + address(host), "+tries=1", "+time=" + patience,
		"+noall", "+comments", "+answer", name, recordType}, options...)
	return b.run(t.Context(), Monitor, "dig", args...)
}

// answers checks the response code and, if given, a line of the answer.
func answers(t *testing.T, b *Bed, host Host, name, recordType, code, data string) {
	t.Helper()
	reply, err := dig(t, b, host, name, recordType)
	if err != nil {
		t.Errorf("%s: %s %s: %v", host, name, recordType, err)
		return
	}
	fields := strings.Join(strings.Fields(reply), " ")
	if !strings.Contains(reply, "status: "+code+",") || !strings.Contains(fields, recordType+" "+data) && data != "" {
		t.Errorf("%s: %s %s: want %s %q, got\n%s", host, name, recordType, code, data, reply)
	}
}

func TestRecords(t *testing.T) {
	b := started(t)
	inside := []struct{ name, recordType, code, data string }{
		{"sip.fabrikam.com", "A", "NOERROR", "192.168.7.81"},
		{"autodiscover.fabrikam.com", "A", "NOERROR", "192.168.7.82"},
		{"_sipinternaltls._tcp.fabrikam.com", "SRV", "NOERROR", "0 0 5061 pool01.contoso.com."},
		{"_ntp._udp.fabrikam.com", "SRV", "NOERROR", "0 0 123 ntp01.contoso.com."},
		{"time.windows.com", "A", "NOERROR", "192.168.7.20"},
		{"pool01.contoso.com", "A", "NOERROR", "192.168.7.81"},
		{"fe02.contoso.com", "A", "NOERROR", "192.168.7.83"},
		{"ucupdates-r2.contoso.com", "A", "NOERROR", "192.168.7.81"},
		{"ntp01.contoso.com", "A", "NOERROR", "192.168.7.20"},
		{"dc01.contoso.com", "A", "NOERROR", "192.168.7.10"},
		{"ca01.contoso.com", "A", "NOERROR", "192.168.7.15"},
		{"_ldap._tcp.dc._msdcs.contoso.com", "SRV", "NOERROR", "0 100 389 dc01.contoso.com."},
		{"nothing.contoso.com", "A", "NXDOMAIN", ""},
		{"nothing.fabrikam.com", "A", "NXDOMAIN", ""},
		{"www.example.org", "A", "NXDOMAIN", ""},
	}
	for _, r := range inside {
		answers(t, b, DNSInside, r.name, r.recordType, r.code, r.data)
		answers(t, b, DNSInside2, r.name, r.recordType, r.code, r.data)
	}
	outside := []struct{ name, recordType, code, data string }{
		{"sip.fabrikam.com", "A", "NOERROR", "203.0.113.81"},
		{"autodiscover.fabrikam.com", "A", "NOERROR", "203.0.113.82"},
		{"ocsrp.fabrikam.com", "A", "NOERROR", "203.0.113.6"},
		{"_sip._tls.fabrikam.com", "SRV", "NOERROR", "0 0 443 sip.fabrikam.com."},
		{"_ntp._udp.fabrikam.com", "SRV", "NOERROR", "0 0 123 time.windows.com."},
		{"time.windows.com", "A", "NOERROR", "203.0.113.20"},
		{"ucupdates-r2.contoso.com", "A", "NOERROR", "203.0.113.6"},
		{"pool01.contoso.com", "A", "NXDOMAIN", ""},
		{"_sipinternaltls._tcp.fabrikam.com", "SRV", "NXDOMAIN", ""},
		{"www.example.org", "A", "NXDOMAIN", ""},
	}
	for _, r := range outside {
		answers(t, b, DNSOutside, r.name, r.recordType, r.code, r.data)
	}
	answers(t, b, DC, "pool01.contoso.com", "A", "NOERROR", "192.168.7.81")
}

func TestNetwork(t *testing.T) {
	b := started(t)
	for _, closed := range []string{address(Edge), address(ReverseProxy), address(Pool) + ":5060"} {
		_, err := b.Get(t.Context(), Monitor, "http://"+closed+"/")
		if err == nil || !strings.Contains(err.Error(), "Couldn't connect") {
			t.Errorf("%s: a closed port gives %v", closed, err)
		}
	}
	for host, other := range map[Host]Host{DNSInside: DNSOutside, DNSOutside: DNSInside} {
		if _, err := b.run(t.Context(), host, "ip", "route", "get", address(other)); err == nil {
			t.Errorf("%s has a way to %s", host, other)
		}
	}
	links, err := exec.CommandContext(t.Context(), locate("ip"), "-o", "link", "show", "type", "veth").Output()
	must(t, err)
	if strings.Contains(string(links), "cx") {
		t.Errorf("cards in the machine's own network:\n%s", links)
	}
}

func TestGet(t *testing.T) {
	b := started(t)
	file := filepath.Join(t.TempDir(), "hello.txt")
	must(t, os.WriteFile(file, []byte("hello"), 0o600))
	cmd := b.Command(t.Context(), Edge, os.Args[0], "-test.run=^TestServeHelper$")
	cmd.Env = append(os.Environ(), "BED_SERVE="+filepath.Dir(file))
	must(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Wait() })
	t.Cleanup(func() { _ = b.Close() })
	must(t, b.poll(t.Context(), changeTimeout, func(ctx context.Context) error {
		body, err := b.Get(ctx, Monitor, "http://"+address(Edge)+"/hello.txt")
		if err == nil && body != "hello" {
			return fmt.Errorf("body %q", body)
		}
		return err
	}))
	if _, err := b.Get(t.Context(), Monitor, "http://"+address(Edge)+"/absent"); err == nil {
		t.Error("a 404 is no error")
	}
}

// TestServeHelper is not a test: TestGet runs it as a web server.
func TestServeHelper(t *testing.T) {
	dir := os.Getenv("BED_SERVE")
	if dir == "" {
		t.Skip("is run by TestGet")
	}
	listener, err := net.Listen("tcp", ":80")
	must(t, err)
	must(t, http.Serve(listener, http.FileServer(http.Dir(dir)))) //nolint:gosec // lives as long as the test
}

func TestZonesAndADRecords(t *testing.T) {
	b := started(t)
	ctx := t.Context()
	for _, host := range []Host{DNSInside, DNSOutside} {
		must(t, b.EditZone(ctx, host, "fabrikam.com", func(text string) string {
			return strings.ReplaceAll(text, "sip\tIN A\t", "sip\tIN A\t10.0.0.9\nother\tIN A\t")
		}))
		answers(t, b, host, "sip.fabrikam.com", "A", "NOERROR", "10.0.0.9")
	}
	must(t, b.EditZone(ctx, DNSOutside, "ucupdates-r2.contoso.com", func(text string) string {
		return strings.ReplaceAll(text, "ucupdates-r2", "gone")
	}))
	answers(t, b, DNSOutside, "ucupdates-r2.contoso.com", "A", "NXDOMAIN", "")
	must(t, b.RestoreZones(ctx))
	answers(t, b, DNSInside, "sip.fabrikam.com", "A", "NOERROR", "192.168.7.81")
	answers(t, b, DNSOutside, "sip.fabrikam.com", "A", "NOERROR", "203.0.113.81")
	answers(t, b, DNSOutside, "ucupdates-r2.contoso.com", "A", "NOERROR", "203.0.113.6")
	if err := b.EditZone(ctx, DNSInside, "contoso.com", strings.ToUpper); err == nil {
		t.Error("the domain's zone can be edited in BIND")
	}

	answers(t, b, DNSInside, "new.contoso.com", "A", "NXDOMAIN", "")
	must(t, b.AddADRecord(ctx, "new", "A", "192.168.7.99"))
	answers(t, b, DNSInside, "new.contoso.com", "A", "NOERROR", "192.168.7.99")
	must(t, b.DeleteADRecord(ctx, "new.contoso.com", "A", "192.168.7.99"))
	answers(t, b, DNSInside, "new.contoso.com", "A", "NXDOMAIN", "")
	must(t, b.AddADRecord(ctx, "_x._tcp", "SRV", "0 0 1 pool01.contoso.com."))
	answers(t, b, DNSInside2, "_x._tcp.contoso.com", "SRV", "NOERROR", "0 0 1 pool01.contoso.com.")
	must(t, b.DeleteADRecord(ctx, "_x._tcp", "SRV", ""))
	answers(t, b, DNSInside2, "_x._tcp.contoso.com", "SRV", "NXDOMAIN", "")
}

func TestDNSFaults(t *testing.T) {
	b := started(t)
	ctx := t.Context()
	for _, host := range []Host{DNSInside, DNSOutside} {
		must(t, b.Refuse(ctx, host))
		answers(t, b, host, "sip.fabrikam.com", "A", "REFUSED", "")
		answers(t, b, host, "www.example.org", "A", "REFUSED", "")
		must(t, b.HealDNS(ctx, host))
		answers(t, b, host, "sip.fabrikam.com", "A", "NOERROR", "")

		must(t, b.ServFail(ctx, host, "fabrikam.com"))
		answers(t, b, host, "sip.fabrikam.com", "A", "SERVFAIL", "")
		answers(t, b, host, "time.windows.com", "A", "NOERROR", "")
		must(t, b.HealDNS(ctx, host))
		answers(t, b, host, "sip.fabrikam.com", "A", "NOERROR", "")

		must(t, b.ServFail(ctx, host, "contoso.com"))
		answers(t, b, host, "ucupdates-r2.contoso.com", "A", "SERVFAIL", "")
		must(t, b.HealDNS(ctx, host))
		answers(t, b, host, "ucupdates-r2.contoso.com", "A", "NOERROR", "")

		silentAndClosed(t, b, host, "fabrikam.com")
	}
	must(t, b.ServFail(ctx, DNSInside, "."))
	answers(t, b, DNSInside, "www.example.org", "A", "SERVFAIL", "")
	must(t, b.HealDNS(ctx, DNSInside))
	answers(t, b, DNSInside, "www.example.org", "A", "NXDOMAIN", "")
}

// silentAndClosed pauses, resumes, kills and restarts a name server.
func silentAndClosed(t *testing.T, b *Bed, host Host, zone string) {
	t.Helper()
	must(t, b.Pause(host))
	if reply, err := dig(t, b, host, zone, "SOA", "+time=1"); err == nil || !strings.Contains(reply, "timed out") {
		t.Errorf("%s: a paused server gives %v %s", host, err, reply)
	}
	must(t, b.Resume(host))
	answers(t, b, host, zone, "SOA", "NOERROR", "")
	must(t, b.Kill(host))
	if reply, err := dig(t, b, host, zone, "SOA"); err == nil || !strings.Contains(reply, "connection refused") {
		t.Errorf("%s: a killed server gives %v %s", host, err, reply)
	}
	must(t, b.Restart(t.Context(), host))
	answers(t, b, host, zone, "SOA", "NOERROR", "")
}

func TestDCFaults(t *testing.T) {
	t.Parallel()
	b := started(t)
	must(t, b.Pause(DC))
	answers(t, b, DNSInside, "pool01.contoso.com", "A", "SERVFAIL", "")
	answers(t, b, DNSInside, "sip.fabrikam.com", "A", "NOERROR", "")
	must(t, b.Resume(DC))
	answers(t, b, DNSInside, "pool01.contoso.com", "A", "NOERROR", "192.168.7.81")
	must(t, b.Kill(DC))
	answers(t, b, DNSInside, "pool01.contoso.com", "A", "SERVFAIL", "")
	must(t, b.Restart(t.Context(), DC))
	answers(t, b, DNSInside, "pool01.contoso.com", "A", "NOERROR", "192.168.7.81")
	silentAndClosed(t, b, DC, "contoso.com")
}

var wrongBy = regexp.MustCompile(`System clock wrong by (-?[0-9.]+) seconds`)

// clockOf measures a time server with chronyd from the monitor.
func clockOf(t *testing.T, b *Bed, host Host) (float64, error) {
	t.Helper()
	cmd := b.Command(t.Context(), Monitor, "chronyd", "-Q", "-t", "3",
		"server "+address(host)+" iburst maxsamples 1", "pidfile "+filepath.Join(t.TempDir(), "pid"))
	text, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("%w: %s", err, text)
	}
	found := wrongBy.FindSubmatch(text)
	if found == nil {
		return 0, fmt.Errorf("no offset in: %s", text)
	}
	return strconv.ParseFloat(string(found[1]), 64)
}

// clockIs checks that a time server is synchronised and wrong by offset.
func clockIs(t *testing.T, b *Bed, host Host, offset float64) {
	t.Helper()
	got, err := clockOf(t, b, host)
	if err != nil || math.Abs(got-offset) > 0.1 {
		t.Errorf("%s: clock wrong by %v, want %v (%v)", host, got, offset, err)
	}
}

func TestNTPFaults(t *testing.T) {
	b := started(t)
	for _, host := range []Host{NTPInside, NTPOutside} {
		t.Run(string(host), func(t *testing.T) {
			t.Parallel()
			ntpFaults(t, b, host)
		})
	}
}

// ntpFaults switches every fault of a time server on and off.
func ntpFaults(t *testing.T, b *Bed, host Host) {
	t.Helper()
	ctx := t.Context()
	clockIs(t, b, host, 0)
	must(t, b.SkewClock(ctx, host, 420*time.Second))
	clockIs(t, b, host, 420)
	if leap := leapOf(t, b, host); leap != 0 {
		t.Errorf("%s: skewed, but leap is %d", host, leap)
	}
	must(t, b.SkewClock(ctx, host, -1500*time.Millisecond))
	clockIs(t, b, host, -1.5)
	must(t, b.Unsynchronise(ctx, host))
	if leap := leapOf(t, b, host); leap != 3 {
		t.Errorf("%s: unsynchronised, but leap is %d", host, leap)
	}
	must(t, b.HealNTP(ctx, host))
	if leap := leapOf(t, b, host); leap != 0 {
		t.Errorf("%s: healed, but leap is %d", host, leap)
	}
	must(t, b.Pause(host))
	if _, err := clockOf(t, b, host); err == nil {
		t.Errorf("%s: a paused time server answers", host)
	}
	must(t, b.HealNTP(ctx, host))
	clockIs(t, b, host, 0)
	must(t, b.Kill(host))
	if leap := leapOf(t, b, host); leap != -1 {
		t.Errorf("%s: a killed time server answers", host)
	}
	must(t, b.Restart(ctx, host))
	clockIs(t, b, host, 0)
}

// leapOf asks a time server once and returns its leap indicator; -1 stands
// for a closed port.
func leapOf(t *testing.T, b *Bed, host Host) int {
	t.Helper()
	cmd := b.Command(t.Context(), Monitor, os.Args[0], "-test.run=^TestLeapHelper$", "-test.v")
	cmd.Env = append(os.Environ(), "BED_LEAP="+address(host))
	text, err := cmd.CombinedOutput()
	must(t, err)
	found := regexp.MustCompile(`leap=(-?\d)`).FindSubmatch(text)
	if found == nil {
		t.Fatalf("%s: %s", host, text)
	}
	leap, err := strconv.Atoi(string(found[1]))
	must(t, err)
	return leap
}

// TestLeapHelper is not a test: leapOf runs it in the monitor's namespace.
func TestLeapHelper(t *testing.T) {
	addr := os.Getenv("BED_LEAP")
	if addr == "" {
		t.Skip("is run by leapOf")
	}
	conn, err := net.Dial("udp", net.JoinHostPort(addr, "123"))
	must(t, err)
	defer func() { _ = conn.Close() }()
	must(t, conn.SetDeadline(time.Now().Add(changeTimeout)))
	packet := make([]byte, 48)
	packet[0] = 4<<3 | 3 // version 4, client
	_, err = conn.Write(packet)
	must(t, err)
	_, err = conn.Read(packet)
	switch {
	case err == nil:
		fmt.Printf("leap=%d\n", packet[0]>>6)
	case strings.Contains(err.Error(), "connection refused"):
		fmt.Println("leap=-1")
	default:
		t.Fatal(err)
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	b := started(t)
	sleeper := b.Command(t.Context(), Monitor, "sleep", "600")
	must(t, sleeper.Start())
	must(t, b.Close())
	if err := sleeper.Wait(); err == nil {
		t.Error("what ran on the monitor was not killed")
	}
	must(t, b.Close())
	list, err := exec.CommandContext(t.Context(), locate("ip"), "netns", "list").Output()
	must(t, err)
	if strings.Contains(string(list), b.prefix) {
		t.Errorf("namespaces left:\n%s", list)
	}
	for _, s := range b.servers() {
		if s.running() {
			t.Errorf("%s still runs", s.host)
		}
	}
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	must(t, err)
	for _, file := range lines {
		if text, err := os.ReadFile(file); err == nil && strings.Contains(string(text), b.dir) {
			t.Errorf("still runs: %q", text)
		}
	}
	if err := b.Restart(t.Context(), DNSInside); err == nil {
		t.Error("a closed bed can be used")
	}
}
