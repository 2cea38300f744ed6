package main

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cx700/cx700_exporter/internal/lab"
)

// shorterImage is found only by who has read the image before, as TestShorterImage does.
const shorterImage = "firmware_cut"

// TestEveryFaultGivesItsReasons sets each fault of the lab, holds the collectors to finding exactly the
// reasons it is meant to give, and the verdicts to those of testdata/verdicts.txt. Once it is healed, nothing is found
// and every phone is ready.
func TestEveryFaultGivesItsReasons(t *testing.T) {
	golden := &goldenVerdicts{got: map[string]string{}}
	t.Run("faults", func(t *testing.T) {
		for _, f := range lab.Faults() {
			t.Run(f.Name, func(t *testing.T) {
				t.Parallel()
				golden.add(f.Name, tryFault(t, f))
			})
		}
	})
	golden.check(t)
}

// tryFault breaks and heals, and returns the verdicts between.
func tryFault(t *testing.T, f lab.Fault) string {
	company := startedLab(t)
	healthy := probeLab(t, company, nil, "directory").directory()
	if err := company.Set(f.Name); err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{}
	if len(f.Reasons) > 0 && f.Name != shorterImage {
		want[f.Network+"/"+f.Collector] = slices.Sorted(slices.Values(f.Reasons))
	}
	for collector, reasons := range f.Also {
		want[f.Network+"/"+collector] = slices.Sorted(slices.Values(reasons))
	}
	broken := probeLab(t, company, healthy)
	if diff := cmp.Diff(want, broken.reasons()); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
	if err := company.Heal(f.Name); err != nil {
		t.Fatal(err)
	}
	healed := probeLab(t, company, healthy)
	if got := healed.reasons(); len(got) > 0 {
		t.Errorf("healed, but %v", got)
	}
	if got := healed.verdicts(); got != "" {
		t.Errorf("healed, but\n%s", got)
	}
	return broken.verdicts()
}

// TestShorterImage reads the image as a whole, then finds by its header alone that it has become shorter.
func TestShorterImage(t *testing.T) {
	p := started(t, "lab")
	p.eventually("both images are read", func() bool {
		return strings.Count(p.get("/metrics"), "\ncx700_firmware_download_ok{file=\"http://pool01.contoso.com/") == 2
	})
	if status, body := p.request(http.MethodPost, "/lab/faults/"+shorterImage); status >= 300 {
		t.Fatalf("breaking: %d %s", status, body)
	}
	p.eventually("it is shorter", func() bool {
		return slices.Contains(failing(p.get("/metrics")), "internal/firmware/firmware_cut_off")
	})
	if status, body := p.request(http.MethodDelete, "/lab/faults"); status >= 300 {
		t.Fatalf("healing: %d %s", status, body)
	}
	p.eventually("it is whole", func() bool { return len(failing(p.get("/metrics"))) == 0 })
	if code := p.stop(); code != exitGood {
		t.Errorf("stopped with exit code %d:\n%s", code, p.log)
	}
}

// TestLabFaultsWhileItRuns does what the README shows: break something with curl, watch /metrics, heal.
func TestLabFaultsWhileItRuns(t *testing.T) {
	p := started(t, "lab", "--sites=2", "--fault=branch-002:srv_dropped")
	p.ready()
	want := []string{"internal/dns/srv_missing"}
	if got := failing(p.get("/metrics")); !slices.Equal(got, want) {
		t.Errorf("with --fault: %v, want %v", got, want)
	}
	if status, body := p.request(http.MethodDelete, "/lab/faults"); status >= 300 {
		t.Fatalf("healing: %d %s", status, body)
	}
	p.eventually("everything is healed", func() bool { return len(failing(p.get("/metrics"))) == 0 })
	if status, body := p.request(http.MethodPost, "/lab/faults/ntp_off"); status >= 300 {
		t.Fatalf("breaking: %d %s", status, body)
	}
	both := []string{"internal/ntp/time_off", "internal/ntp/time_off"}
	p.eventually("both clocks are off", func() bool { return slices.Equal(failing(p.get("/metrics")), both) })
	p.eventually("the first page tells of it", func() bool { return inOrder(p.get("/"), "2 of 2 sites blocked", "time_off", "is off by ") == nil })
	for fault, want := range map[string]string{"dhcp_no_search": "internal/dhcp/dhcp_search_missing", "exchange_no_ews": "internal/exchange/ews_missing"} {
		if status, body := p.request(http.MethodPost, "/lab/faults/headquarters:"+fault); status >= 300 {
			t.Fatalf("breaking: %d %s", status, body)
		}
		p.eventually(fault+" shows, in the site file or at the next logon", func() bool { return slices.Contains(failing(p.get("/metrics")), want) })
	}
	if status, body := p.request(http.MethodDelete, "/lab/faults"); status >= 300 {
		t.Fatalf("healing: %d %s", status, body)
	}
	p.eventually("everything is healed", func() bool { return len(failing(p.get("/metrics"))) == 0 })
	if code := p.stop(); code != exitGood {
		t.Errorf("stopped with exit code %d:\n%s", code, p.log)
	}
}

// TestTwoFaults names the earlier on the walk; with that healed, the other.
func TestTwoFaults(t *testing.T) {
	for _, tt := range []struct{ first, second, both, then string }{
		{"ntp_off", "pool_expired", "time time_off", "trust link_expired"},
		{"registrar_gone", "sip_403", "registrar registrar_not_found", "signin sip_forbidden"},
		{"pool_hardened", "dhcp_no_dns", "lease dhcp_dns_missing", "lease dhcp_dns_missing"},
		{"pool_hardened", "sip_503", "tls tls_hardened", "signin sip_overloaded"},
	} {
		t.Run(tt.first+" and "+tt.second, func(t *testing.T) {
			t.Parallel()
			company := startedLab(t)
			healthy := probeLab(t, company, nil, "directory").directory()
			if err := errors.Join(company.Set(tt.first), company.Set(tt.second)); err != nil {
				t.Fatal(err)
			}
			if got := probeLab(t, company, healthy).verdicts(); !strings.HasPrefix(got, "  internal: all enrolled and new\n    blocked "+tt.both+"\n") {
				t.Errorf("both:\n%s", got)
			}
			if err := company.Heal(tt.first); err != nil {
				t.Fatal(err)
			}
			if got := probeLab(t, company, healthy).verdicts(); !strings.HasPrefix(got, "  internal: all enrolled and new\n    blocked "+tt.then+"\n") {
				t.Errorf("%s healed:\n%s", tt.first, got)
			}
		})
	}
}

// TestFaultsDoNotHideEachOther sets two faults of which one could be taken for the cure of the other.
func TestFaultsDoNotHideEachOther(t *testing.T) {
	for _, tt := range []struct{ second, want string }{
		{"wildcard", "registrar_not_found"},
		{"wildcard_sip", "registrar_by_wildcard"},
	} {
		company, err := lab.Start(1)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(company.Set("registrar_gone"), company.Set(tt.second)); err != nil {
			t.Fatal(err)
		}
		if got := probeLab(t, company, nil).reasons()["internal/dns"]; !slices.Contains(got, tt.want) {
			t.Errorf("registrar_gone and %s: %v, want %s among them", tt.second, got, tt.want)
		}
		if err := company.Close(); err != nil {
			t.Error(err)
		}
	}
}
