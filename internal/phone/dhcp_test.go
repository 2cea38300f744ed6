package phone

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// rfcSearch is the list contoso.com, fabrikam.com in the form of RFC 3397, the second with a pointer to the
// first's com.
const rfcSearch = "\x07contoso\x03com\x00\x08fabrikam\xc0\x08"

func TestSearch(t *testing.T) {
	for _, tt := range []struct {
		name, raw string
		form      SearchForm
		want      []string
	}{
		{"the guide's text", "contoso.com;dev.contoso.com;corp.microsoft.com", SearchText, []string{"contoso.com", "dev.contoso.com", "corp.microsoft.com"}},
		{"text with a zero at its end, as Windows has it", "Contoso.com; dk\x00", SearchText, []string{"contoso.com", "dk"}},
		{"text of one name", "dk", SearchText, []string{"dk"}},
		{"text that ends in a semicolon", "fabrikam.dk;dk;", SearchText, []string{"fabrikam.dk", "dk"}},
		{"text that begins with a digit, which is a label's length too", "3com.com;dk", SearchText, []string{"3com.com", "dk"}},
		{"labels", "\x02dk\x00", SearchRFC, []string{"dk"}},
		{"labels with a pointer", rfcSearch, SearchRFC, []string{"contoso.com", "fabrikam.com"}},
		{"a pointer to a name with a pointer", "\x03com\x00\x07contoso\xc0\x00\x03dev\xc0\x05", SearchRFC, []string{"com", "contoso.com", "dev.contoso.com"}},
		{"labels of 51 bytes, as many as a digit's code", "\x33" + strings.Repeat("x", 51) + "\x00", SearchRFC, []string{strings.Repeat("x", 51)}},
		{"empty", "", SearchMalformed, nil},
		{"the root", "\x00", SearchMalformed, nil},
		{"a pointer to itself", "\xc0\x00", SearchMalformed, nil},
		{"pointers to each other", "\x01a\xc0\x04\x01b\xc0\x00", SearchMalformed, nil},
		{"a pointer beyond the end", "\x07contoso\xc0\xff", SearchMalformed, nil},
		{"a label beyond the end", "\x3fcontoso", SearchMalformed, nil},
		{"cut off before the end of the last name", rfcSearch[:10], SearchMalformed, nil},
		{"words", "contoso.com, dev.contoso.com", SearchMalformed, nil},
		{"an empty suffix", "contoso.com;;dk", SearchMalformed, nil},
		{"labels with a control character", "\x02a\x01\x00", SearchMalformed, nil},
		{"more names than anybody has", "\x01a\x00" + strings.Repeat("\xc0\x00", maxLabelled), SearchMalformed, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			form, got := DHCPOptions{OptionSearch: []byte(tt.raw)}.Search()
			if diff := cmp.Diff(tt.want, got); form != tt.form || diff != "" {
				t.Errorf("%s, want %s (-want +got):\n%s", form, tt.form, diff)
			}
		})
	}
	if form, got := (DHCPOptions{}).Search(); form != "" || got != nil {
		t.Errorf("absent: %q %v", form, got)
	}
}

func TestDHCPDomain(t *testing.T) {
	for raw, want := range map[string]string{"Contoso.com": "contoso.com", "contoso.com.": "contoso.com", "contoso.com\x00": "contoso.com", "CONTOSO": "contoso", "": ""} {
		if got := (DHCPOptions{OptionDomain: []byte(raw)}).Domain(); got != want {
			t.Errorf("%q: %q, want %q", raw, got, want)
		}
	}
}

func TestDHCPAddresses(t *testing.T) {
	got, err := DHCPOptions{OptionDNSServers: {192, 168, 7, 5, 192, 168, 7, 6}}.Addresses(OptionDNSServers)
	if diff := cmp.Diff([]string{"192.168.7.5", "192.168.7.6"}, AddressTexts(got)); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if got, err := (DHCPOptions{OptionDNSServers: {192, 168, 7}}).Addresses(OptionDNSServers); err == nil {
		t.Errorf("three bytes: %v", got)
	}
}

func TestLeaseTime(t *testing.T) {
	if d, ok := (DHCPOptions{OptionLeaseTime: {0, 0, 14, 16}}).LeaseTime(); !ok || d != time.Hour {
		t.Errorf("%s %t", d, ok)
	}
	if d, ok := (DHCPOptions{OptionLeaseTime: {0, 14, 16}}).LeaseTime(); ok {
		t.Errorf("three bytes: %s", d)
	}
}

func TestSIPServers(t *testing.T) {
	for raw, want := range map[string]string{
		"\x00\x06pool01\x07contoso\x03com\x00": "[pool01.contoso.com] <nil>",
		"\x01\xc0\xa8\x07\x51":                 "[192.168.7.81] <nil>",
		"\x01\xc0\xa8\x07":                     "[] " + errLength.Error(),
		"\x02\x06pool01\x00":                   "[] neither names nor addresses",
		"":                                     "[] neither names nor addresses",
	} {
		got, err := DHCPOptions{OptionSIPServers: []byte(raw)}.SIPServers()
		if text := fmt.Sprint(got, " ", err); text != want {
			t.Errorf("%q: %s, want %s", raw, text, want)
		}
	}
	if got, err := (DHCPOptions{}).SIPServers(); got != nil || err != nil {
		t.Errorf("absent: %v %v", got, err)
	}
}

func TestVendor(t *testing.T) {
	got, err := DHCPOptions{OptionVendor: []byte("\x01\x0cMS-UC-Client\x00\x0a\x02\x00\x2a\xff\x05")}.Vendor()
	if diff := cmp.Diff([]VendorOption{{1, []byte("MS-UC-Client")}, {10, []byte{0, 42}}}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, raw := range []string{"\x01", "\x01\x02a", "\x01\xff"} {
		if got, err := (DHCPOptions{OptionVendor: []byte(raw)}).Vendor(); err == nil {
			t.Errorf("%q: %v", raw, got)
		}
	}
}

// TestNetBIOSControllers: the guide's company, whose name any tool for NetBIOS writes so.
func TestNetBIOSControllers(t *testing.T) {
	for domain, want := range map[string]string{
		"CONTOSO":                  "EDEPEOFEEPFDEPCACACACACACACACABM",
		"":                         "CACACACACACACACACACACACACACACABM",
		"FIFTEENLETTERSX and more": "EGEJEGFEEFEFEOEMEFFEFEEFFCFDFIBM",
	} {
		if got := NetBIOSControllers(domain); got != want {
			t.Errorf("%q: %s, want %s", domain, got, want)
		}
	}
}

func TestNetBIOSDomain(t *testing.T) {
	for logon, want := range map[string]string{"contoso": "CONTOSO true", "contoso.com": "CONTOSO false", "averyverylongname.com": "AVERYVERYLONGNA false"} {
		name, typed := Domains{Logon: logon}.NetBIOSDomain()
		if got := fmt.Sprint(name, " ", typed); got != want {
			t.Errorf("%s: %s, want %s", logon, got, want)
		}
	}
}

// FuzzDHCPOptions reads the same bytes as each of the options.
func FuzzDHCPOptions(f *testing.F) {
	for _, seed := range []string{rfcSearch, "contoso.com;dk\x00", "\xc0\x00", "\x01\x0cMS-UC-Client\xff", "\x00\x06pool01\x00", strings.Repeat("\x3f", 300)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		before := bytes.Clone(raw)
		form, names := DHCPOptions{OptionSearch: raw}.Search()
		if (form == SearchMalformed) != (names == nil) || form == SearchRFC && len(names) > maxLabelled {
			t.Errorf("%s %q", form, names)
		}
		for _, name := range names {
			if !nameForm().MatchString(name) {
				t.Errorf("%q", name)
			}
		}
		if list, err := (DHCPOptions{OptionDNSServers: raw}).Addresses(OptionDNSServers); err == nil && 4*len(list) != len(raw) {
			t.Errorf("%v of %d bytes", list, len(raw))
		}
		subs, _ := DHCPOptions{OptionVendor: raw}.Vendor()
		size := 0
		for _, s := range subs {
			size += 2 + len(s.Value)
		}
		servers, err := DHCPOptions{OptionSIPServers: raw}.SIPServers()
		if size > len(raw) || err != nil && servers != nil || !bytes.Equal(before, raw) {
			t.Errorf("%d bytes of sub-options in %d, %v %v", size, len(raw), servers, err)
		}
		if i := slices.IndexFunc(servers, func(s string) bool { _, err := netip.ParseAddr(s); return err != nil && !nameForm().MatchString(s) }); i >= 0 {
			t.Errorf("%q", servers[i])
		}
	})
}
