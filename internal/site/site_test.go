package site

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/cx700/cx700_exporter/internal/phone"
)

var update = flag.Bool("update", false, "write the .want files anew")

// TestRefused holds one file for each rule. Beside it stands every fault it is refused for.
func TestRefused(t *testing.T) {
	files, err := filepath.Glob("testdata/refused/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatal("no fixtures:", err)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".yml"), func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			cfg, err := Parse("cx700.yml", data)
			if err == nil || cfg != nil {
				t.Fatal("taken")
			}
			got := err.Error() + "\n"
			wantFile := strings.TrimSuffix(path, ".yml") + ".want"
			if *update {
				if err := os.WriteFile(wantFile, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(wantFile)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFaultHasItsParts(t *testing.T) {
	_, err := Parse("cx700.yml", []byte("sites:\n  - name: a\n    sip_domain: fabrikam.com\n    dhcp: {domain: contoso, dns_servers: [192.168.7.5]}\n"))
	var f *Fault
	if !errors.As(err, &f) {
		t.Fatalf("%v is no *Fault", err)
	}
	want := &Fault{Place: Place{File: "cx700.yml", Line: 4, Key: "sites[0].dhcp.domain"},
		Problem: `"contoso" has no dot`, Mend: "write the full name, such as contoso.com"}
	if diff := cmp.Diff(want, f); diff != "" {
		t.Error(diff)
	}
}

func TestLoadTellsWhyNot(t *testing.T) {
	for name, want := range map[string]string{
		filepath.Join(t.TempDir(), "none.yml"): "no such file or directory; name the site file with --config.file",
		t.TempDir():                            "is a directory",
	} {
		_, err := Load(name)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), name+": ") {
			t.Errorf("%v does not begin with the file and say %q", err, want)
		}
	}
	big := filepath.Join(t.TempDir(), "big.yml")
	if err := os.WriteFile(big, make([]byte, maxFileSize+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(big); err == nil || !strings.Contains(err.Error(), "larger than 64 MiB") {
		t.Errorf("a big file: %v", err)
	}
}

func TestAccepted(t *testing.T) {
	cfg, err := Load("testdata/accepted/everything_odd.yml")
	if err != nil {
		t.Fatal(err)
	}
	newest, _ := phone.FindFirmware("3.5.6907.35")
	newest.Time, newest.Accepts = phone.WindowsFirst, "4.0.*"
	newest.SIPUserAgent = "CPE/x (y)"
	newest.SHA2, newest.MinKeyBits, newest.MaxKeyBits = phone.SHA2Accepted, 1024, 4096
	changed := phone.KnownFirmware()
	for i, f := range changed {
		if f.Version == newest.Version {
			changed[i] = newest
		}
	}
	address := netip.MustParseAddrPort
	reader := &Credential{Name: "reader", Username: `CONTOSO\cx700 reader`, PasswordFile: "testdata/accepted/secrets/reader",
		AllowedHosts: []string{"*.contoso.com", "dc9.fabrikam.com"}}
	machine := &Credential{Name: "machine", Username: "cx700$@contoso.com", KeytabFile: "/etc/cx700.keytab",
		AllowedHosts: []string{"ca01.contoso.com"}}
	want := &Config{
		Sites: []*Site{{
			Name: "2nd_floor.copenhagen-1",
			Domains: phone.Domains{SIP: "xn--smrrebrd-64af.example", DHCP: "ad.contoso.com",
				Search: []string{"dk", "xn--strae-oqa.example", "contoso.com"}, Logon: "contoso"},
			Lease: Lease{
				DNSServers: []netip.AddrPort{address("192.168.7.5:53"), address("192.168.7.6:5353"), address("[fd00:7::5]:53"),
					address("[fd00:7::6]:53"), address("[fd00:7::7]:5353"), address("192.168.7.9:53")},
				WINSServers: []netip.AddrPort{address("192.168.7.10:137"), address("192.168.7.11:1137")},
				NTPServers:  []netip.AddrPort{address("192.168.7.20:123")},
				SIPServers:  []string{"pool01.contoso.com"}, VendorClasses: []string{"MS-UC-Client", "CPE-OCPHONE"},
			},
			Firmware: []phone.Firmware{newest}, Objective: 0.9,
			EnrolledRoots: EnrolledRoots{Files: []string{"testdata/accepted/roots/old.pem"},
				Fingerprints: []string{"ebd41040e4bb3ec742c9e381d31ef2a41a48b6685c96e7cef3c1df6cd4331c99"}},
			Networks: []Network{{
				Name: Internal, Resolvers: []netip.AddrPort{address("127.0.0.1:1053")},
				ConnectTo: []ConnectTo{
					{Host: "pool01.contoso.com", Port: "443", ToHost: "::1", ToPort: "8443"},
					{Host: "fd00::1", ToHost: "192.0.2.7"},
					{},
				},
				Directory: Directory{Bind: BindLDAPS, Credential: reader,
					RootFiles: []string{"testdata/accepted/ca.pem", "/etc/ssl/old.pem"}},
				Certsrv: Certsrv{Credential: machine, Hosts: []string{"ca01.contoso.com"}},
				DHCP: DHCP{Servers: []netip.AddrPort{address("192.168.7.2:67"), address("192.168.7.3:1067")},
					Interface: "Ethernet 2", Discover: true},
				FrontEnds: []string{"fe01.contoso.com"},
				Update: Update{Credential: reader, RootFiles: []string{"/etc/ssl/old.pem"}, Paths: []string{"/a/b.nbt"},
					Post: UpdatePost{Template: "testdata/accepted/ask.xml", MAC: "02-00-00-00-00-01", Build: phone.Build{
						Vendor: "Polycom", Model: "CX700", Revision: "B", Locale: "ENU"}}},
				SIPUser: "nobody.at.all",
				Exchange: Exchange{Credential: reader, RootFiles: []string{"testdata/accepted/ca.pem"}, Mailbox: "probe+1@mail.fabrikam.com",
					EWSURL: "https://mail.fabrikam.com/EWS/Exchange.asmx"},
				Vantage: Vantage{Names: []string{"a.root-servers.net"}, Resolvers: []netip.AddrPort{address("127.0.0.1:1053")},
					TimeServers: []TimeServer{{Address: address("[fd00:7::20]:123")}, {Address: address("192.168.7.20:1123")},
						{Name: "ntp01.contoso.com"}},
					MaxOffset: 24 * time.Hour},
			}},
		}, {
			Name:     "outside-only",
			Domains:  phone.Domains{SIP: "fabrikam.com", SMTP: "fabrikam.com", DHCP: "contoso.com", Logon: "contoso.com"},
			Firmware: changed, Objective: 0.995,
			Networks: []Network{{Name: External, Resolvers: []netip.AddrPort{address("198.51.100.53:53")}, Update: Update{
				Post: UpdatePost{Template: "/ask.xml", MAC: "0A-00-00-00-00-0f", Serial: "1", Build: phone.CX700()}},
				Vantage: Vantage{Names: []string{"example.com"}, Resolvers: []netip.AddrPort{address("198.51.100.54:53")},
					MaxOffset: 24 * time.Hour}}},
		}},
		Collectors: map[string]CollectorSettings{
			"dhcp":              {Interval: 5 * time.Minute},
			"wins":              {Timeout: time.Second},
			"dns":               {Interval: time.Second, Timeout: 100 * time.Millisecond},
			"firmware_download": {MaxBytesPerSecond: 65536},
			"ntp":               {MaxOffset: 24 * time.Hour}, "certsrv": {Interval: 10 * time.Minute},
		},
		Credentials: map[string]*Credential{"reader": reader, "machine": machine},
	}
	if diff := cmp.Diff(want, cfg, cmpopts.EquateComparable(netip.AddrPort{}), cmpopts.IgnoreTypes(Place{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestResolvers(t *testing.T) {
	for text, want := range map[string]string{
		"192.168.7.5":        "192.168.7.5:53",
		"192.168.7.6:5353":   "192.168.7.6:5353",
		"fd00:7::5":          "[fd00:7::5]:53",
		"[fd00:7::6]":        "[fd00:7::6]:53",
		"[fd00:7::7]:5353":   "[fd00:7::7]:5353",
		"::ffff:192.168.7.9": "192.168.7.9:53",
	} {
		if got, err := parseServer(text, 53); err != nil || got.String() != want {
			t.Errorf("%s: %v, %v, want %s", text, got, err, want)
		}
	}
}

// TestVantageByResolversOfAllSites has none in its own block: each that a site names is asked, up to eight.
func TestVantageByResolversOfAllSites(t *testing.T) {
	file := "vantage: {internal: {names: [a.root-servers.net]}, external: {time_servers: [192.0.2.1, 192.0.2.2]}}\nsites:\n"
	for i := range 6 {
		file += fmt.Sprintf("  - name: s%d\n    sip_domain: fabrikam.com\n    dhcp: {domain: contoso.com, dns_servers: [10.0.0.1, 10.0.%d.2, 10.0.%[1]d.3]}\n", i, i)
		file += "    networks: {external: {resolvers: [198.51.100.53]}}\n"
	}
	cfg, err := Parse("cx700.yml", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	const want = "[10.0.0.1:53 10.0.0.2:53 10.0.0.3:53 10.0.1.2:53 10.0.1.3:53 10.0.2.2:53 10.0.2.3:53 10.0.3.2:53]"
	for _, s := range cfg.Sites {
		if got := fmt.Sprint(s.Networks[0].Vantage.Resolvers); got != want {
			t.Errorf("%s: %s, want %s", s.Name, got, want)
		}
		if got := s.Networks[1].Vantage; got.Resolvers != nil || !got.Watched() {
			t.Errorf("%s: %+v, want no resolver, since no name is asked", s.Name, got)
		}
	}
}

func TestCredentialIsSentToItsHostsOnly(t *testing.T) {
	c := &Credential{AllowedHosts: []string{"dc01.contoso.com", "*.fabrikam.com"}}
	for host, want := range map[string]bool{
		"dc01.contoso.com": true, "dc02.contoso.com": false, "xdc01.contoso.com": false, "dc01.contoso.com.evil.example": false,
		"dc01.fabrikam.com": true, "a.b.fabrikam.com": true, "fabrikam.com": false, "evilfabrikam.com": false, "": false,
	} {
		if got := c.Allows(host); got != want {
			t.Errorf("%q: %t, want %t", host, got, want)
		}
	}
}

// TestExamples loads what is in examples/, and holds the commented one to showing every key.
func TestExamples(t *testing.T) {
	for _, name := range []string{"minimal", "guide", "cx700"} {
		cfg, err := Load("../../examples/" + name + ".yml")
		if err != nil {
			t.Error(err)
		} else if len(cfg.Sites) == 0 || len(cfg.Sites[0].Networks) == 0 {
			t.Errorf("%s.yml watches nothing", name)
		}
	}
	lines, err := os.ReadFile("../../examples/minimal.yml")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(lines), "\n"); n > 5 {
		t.Errorf("minimal.yml has %d lines; five make a site", n)
	}
	data, err := os.ReadFile("../../examples/cx700.yml")
	if err != nil {
		t.Fatal(err)
	}
	// An unknown key that is near to none is answered with all that are known in its place.
	_, err = Parse("cx700.yml", []byte(`
zzzzzzzz: 1
firmware_profiles: {1.0.0.1: {zzzzzzzz: 1}}
collectors: {zzzzzzzz: 1, dns: {zzzzzzzz: 1}, ntp: {zzzzzzzz: 1}, firmware_download: {zzzzzzzz: 1}}
credentials: {reader: {zzzzzzzz: 1}}
vantage: {zzzzzzzz: 1, internal: {zzzzzzzz: 1}}
sites:
  - zzzzzzzz: 1
    dhcp: {zzzzzzzz: 1}
    networks: {zzzzzzzz: 1, internal: {zzzzzzzz: 1, dhcp: {zzzzzzzz: 1}, directory: {zzzzzzzz: 1}, certsrv: {zzzzzzzz: 1}, update: {zzzzzzzz: 1, post: {zzzzzzzz: 1}}, exchange: {zzzzzzzz: 1}, sip: {zzzzzzzz: 1}}, external: {zzzzzzzz: 1}}
`))
	places := regexp.MustCompile(`known here: (.*)`).FindAllStringSubmatch(err.Error(), -1)
	if len(places) != 21 {
		t.Fatalf("%d places with keys, want 21:\n%v", len(places), err)
	}
	for _, p := range places {
		for key := range strings.SplitSeq(p[1], ", ") {
			if !regexp.MustCompile(`(?m)^[ #-]*` + key + `:`).Match(data) {
				t.Errorf("examples/cx700.yml does not show %s", key)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*/*.yml")
	if err != nil || len(files) == 0 {
		f.Fatal("no seeds:", err)
	}
	for _, path := range append(files, "../../examples/cx700.yml") {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, err := Parse("cx700.yml", data)
		if (cfg == nil) == (err == nil) {
			t.Fatalf("cfg %v, err %v", cfg, err)
		}
		if err != nil && !utf8.ValidString(err.Error()) {
			t.Errorf("a message that is no UTF-8: %q", err)
		}
		if cfg == nil {
			return
		}
		for _, s := range cfg.Sites {
			if s.Name == "" || s.Domains.SIP == "" || s.Domains.DHCP == "" || len(s.Networks) == 0 || len(s.Firmware) == 0 {
				t.Errorf("an incomplete site was taken: %+v", s)
			}
			for _, n := range s.Networks {
				if len(n.Resolvers) == 0 || len(n.Resolvers) > maxResolvers {
					t.Errorf("%d resolvers", len(n.Resolvers))
				}
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	var file strings.Builder
	file.WriteString("sites:\n")
	const sites = 1000
	for i := range sites {
		fmt.Fprintf(&file, "  - name: site-%d\n    sip_domain: fabrikam.com\n"+
			"    dhcp: {domain: contoso.com, dns_servers: [10.%d.%d.5]}\n", i, i/250, i%250)
	}
	data := []byte(file.String())
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse("cx700.yml", data); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/sites, "ns/site")
}
