package phone

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUserAgent(t *testing.T) {
	want := []string{
		"CPE/1.0.199.123 OCPhone/1.0.199.123 (Microsoft Office Communicator 2007 Phone Edition)",
		"CPE/1.0.522.101 OCPhone/1.0.522.101 (Microsoft Office Communicator 2007 R2 Phone Edition)",
		"CPE/3.5.6907.35 OCPhone/3.5.6907.35 (Microsoft Office Communicator 2007 R2 Phone Edition)",
	}
	for i, f := range KnownFirmware() {
		if got := f.UserAgent(); got != want[i] {
			t.Errorf("got %s, want %s", got, want[i])
		}
	}
	if got := (Firmware{Version: "1", SIPUserAgent: "other"}).UserAgent(); got != "other" {
		t.Errorf("of a profile: %s", got)
	}
}

// TestEndpointInstance holds the published pairs (MS-SIPRE, MS-SIPAE, and one recorded from Communicator 2007 R2).
func TestEndpointInstance(t *testing.T) {
	for epid, want := range map[string]string{
		"01010101":   "4b1682a8-f968-5701-83fc-7c6741dc6697",
		"c8ca638a15": "34d859db-6585-5f91-a3b4-de853c15347d",
		"8248ca9ebb": "4233fd41-093b-5fd6-b5d2-651ed55969e6",
		"2ebb6f264f": "124841e4-264d-52e8-96c5-d22aa8cdc316",
	} {
		if got := EndpointInstance(epid); got != want {
			t.Errorf("%s: %s, want %s", epid, got, want)
		}
	}
	if a, b := EndpointID("a@b"), EndpointID("a@c"); a == b || len(a) != 10 || a != EndpointID("a@b") {
		t.Errorf("epids %s and %s", a, b)
	}
}

func TestRegister(t *testing.T) {
	text := string(Register{Domain: "fabrikam.com", User: SIPProbe, UserAgent: "agent", Local: "192.0.2.1:4711", CallID: "call", Tag: "tag"}.Bytes())
	if !strings.HasSuffix(text, "\r\n\r\n") || strings.Contains(strings.ReplaceAll(text, "\r\n", ""), "\n") {
		t.Errorf("lines do not end in CR LF:\n%q", text)
	}
	for _, want := range []string{
		"REGISTER sip:fabrikam.com SIP/2.0\r\n", "Via: SIP/2.0/TLS 192.0.2.1:4711\r\n", "CSeq: 1 REGISTER\r\n", "User-Agent: agent\r\n",
		"To: <sip:cx700-exporter-probe@fabrikam.com>\r\n", "Event: registration\r\n", "Supported: gruu-10,", "Expires: 0\r\n", ";epid=", "+sip.instance=\"<urn:uuid:",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if strings.Contains(text, "Authorization") {
		t.Error("credentials in it")
	}
}

func TestParseChallenges(t *testing.T) {
	ntlm := SIPChallenge{Scheme: "NTLM", Realm: "SIP Communications Service", TargetName: "fe01.contoso.com", Version: 4}
	kerberos := SIPChallenge{Scheme: "Kerberos", Realm: "SIP Communications Service", TargetName: "sip/fe01.contoso.com", Version: 4}
	for _, c := range []struct {
		name    string
		headers []string
		want    []SIPChallenge
	}{
		{"each its header", []string{
			`NTLM realm="SIP Communications Service", targetname="fe01.contoso.com", version=4`,
			`Kerberos realm="SIP Communications Service", targetname="sip/fe01.contoso.com", version=4`}, []SIPChallenge{ntlm, kerberos}},
		{"joined, in another order", []string{
			`NTLM opaque="A", version=4, targetname="fe01.contoso.com", realm="SIP Communications Service", Kerberos version=4,realm="SIP Communications Service",targetname="sip/fe01.contoso.com"`},
			[]SIPChallenge{ntlm, kerberos}},
		{"bare", []string{"NTLM"}, []SIPChallenge{{Scheme: "NTLM", Version: 2}}},
		{"a version that is none", []string{"NTLM version=new"}, []SIPChallenge{{Scheme: "NTLM", Version: 2}}},
		{"parameters of nothing", []string{`realm="a", version=3`}, nil},
		{"nothing", []string{"", ",,,", `"`}, nil},
	} {
		if diff := cmp.Diff(c.want, ParseChallenges(c.headers)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
	if got := ParseChallenges([]string{strings.Repeat("A ", 100)}); len(got) != maxChallenges {
		t.Errorf("%d challenges", len(got))
	}
	if kerberos.Host() != "fe01.contoso.com" || ntlm.Host() != "fe01.contoso.com" || !ntlm.Windows() || (SIPChallenge{Scheme: "TLS-DSK"}).Windows() {
		t.Error("hosts or schemes")
	}
}

func TestParseDiagnostics(t *testing.T) {
	got := ParseDiagnostics([]string{
		`17002;reason="Invalid client version";source="fe01.contoso.com"`, `1013.2;source="fe01";reason="Significant time skew detected"`, `1008`,
		"none", `-5;reason="x"`, "9999999;",
	})
	want := []SIPDiagnostic{{17002, "Invalid client version", "fe01.contoso.com"}, {1013, "Significant time skew detected", "fe01"}, {1008, "", ""}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !got[0].BlockedVersion() || got[0].FilterTrouble() || !(SIPDiagnostic{ID: 17001}).FilterTrouble() || (SIPDiagnostic{ID: 17004}).FilterTrouble() ||
		!got[2].NextHop() || !(SIPDiagnostic{ID: 1005}).NoRoute() {
		t.Error("what the numbers mean")
	}
}

func FuzzSIPHeaders(f *testing.F) {
	f.Add(`NTLM realm="SIP Communications Service", targetname="fe01.contoso.com", version=4`)
	f.Add(`17002;reason="Invalid client version";source="fe01.contoso.com"`)
	f.Add(strings.Repeat("NTLM ", 500))
	f.Add(`NTLM realm="` + strings.Repeat(`\"`, 500))
	f.Add("Kerberos targetname=" + strings.Repeat("x", 2000) + ", version=999999999999")
	f.Add("1013.1;reason=" + strings.Repeat("=", 500))
	f.Fuzz(func(t *testing.T, header string) {
		if n := len(ParseChallenges([]string{header, header})); n > maxChallenges {
			t.Errorf("%d challenges", n)
		}
		for _, d := range ParseDiagnostics([]string{header}) {
			if d.ID < 0 || len(d.Reason) > maxSIPValue {
				t.Errorf("%+v", d)
			}
		}
	})
}
