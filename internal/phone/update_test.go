package phone

import (
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
)

func TestUpdateURLs(t *testing.T) {
	const host = "pool01.contoso.com"
	for _, c := range []struct{ got, want string }{
		{UpdateURL(host), "http://pool01.contoso.com/RequestHandler/ucdevice.upx"},
		{UpdateURLSecure(host), "https://pool01.contoso.com/RequestHandler/ucdevice.upx"},
		{UpdateURLExt(host), "https://pool01.contoso.com/RequestHandlerExt/ucdevice.upx"},
		{FilesPath + InterimImage, "/DeviceUpdateFiles_Int/OCInterim/ENU/cpe.nbt"},
		{FilesPathExt + CX700().StorePath("3.5.6907.35"), "/DeviceUpdateFiles_Ext/UCPhone/Polycom/CX700/A/ENU/3.5.6907.35/CPE"},
	} {
		if c.got != c.want {
			t.Errorf("%s, want %s", c.got, c.want)
		}
	}
}

func TestUpdateHosts(t *testing.T) {
	both := []string{"ucupdates-r2.contoso.com", "ucupdates-r2.fabrikam.com"}
	if diff := cmp.Diff(both, Domains{DHCP: "contoso.com", SIP: "fabrikam.com"}.UpdateHosts()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(both[:1], Domains{DHCP: "contoso.com", SIP: "contoso.com"}.UpdateHosts()); diff != "" {
		t.Errorf("one domain (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(both[1:], Domains{SIP: "fabrikam.com"}.UpdateHosts()); diff != "" {
		t.Errorf("no DHCP domain (-want +got):\n%s", diff)
	}
}

func TestOfferedVersion(t *testing.T) {
	for url, want := range map[string]string{
		"http://pool01.contoso.com" + FilesPath + CX700().StorePath("3.5.6907.35"):                        "3.5.6907.35",
		"https://rp.contoso.com/deviceupdatefiles_ext/ucphone/polycom/cx700/a/enu/1.0.522.101/cpe/":       "1.0.522.101",
		"http://pool01.contoso.com/DeviceUpdateFiles_Int/UCPhone/Polycom/CX700/A/ENU/CPE":                 "",
		"http://pool01.contoso.com/DeviceUpdateFiles_Int/UCPhone/Polycom/CX700/A/ENU/newest/CPE":          "",
		"http://pool01.contoso.com/DeviceUpdateFiles_Int/UCPhone/Polycom/CX700/A/ENU/3.5.6907.35/CPE/x.y": "",
		"": "",
	} {
		if got := OfferedVersion(url); got != want {
			t.Errorf("%s: %q, want %q", url, got, want)
		}
	}
}

func TestCompareVersions(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"3.5.6907.35", "3.5.6907.35", 0}, {"3.5.6907.35", "3.5.6907.9", 1}, {"1.0.522.101", "1.0.199.123", 1},
		{"1.0.199.123", "3.5.6907.35", -1}, {"3.5", "3.5.0.0", 0}, {"3.5", "3.5.1", -1}, {"", "", 0}, {"", "1", -1}, {"x", "0", 0},
	} {
		if got := CompareVersions(c.a, c.b); got != c.want {
			t.Errorf("%s and %s: %d, want %d", c.a, c.b, got, c.want)
		}
		if got := CompareVersions(c.b, c.a); got != -c.want {
			t.Errorf("%s and %s: %d, want %d", c.b, c.a, got, -c.want)
		}
	}
}

func TestLadder(t *testing.T) {
	for _, c := range []struct {
		firmware, offered string
		want              bool
	}{
		{"1.0.199.123", "1.0.522.101", true}, {"1.0.199.123", "1.0.522.103", true}, {"1.0.199.123", "1.0.199.124", true},
		{"1.0.199.123", "3.5.6907.35", false}, {"1.0.199.123", "1.0.523.0", false}, {"1.0.199.123", "1.0.5220.1", false},
		{"1.0.522.101", "3.5.6907.35", true}, {"3.5.6907.35", "3.5.6907.196", true}, {"1.0.199.123", "", true},
	} {
		f, ok := FindFirmware(c.firmware)
		if !ok {
			t.Fatal(c.firmware)
		}
		if got := f.Takes(c.offered); got != c.want {
			t.Errorf("%s takes %s: %t, want %t", c.firmware, c.offered, got, c.want)
		}
	}
	exact := Firmware{Accepts: "3.5.6907.35"}
	if !exact.Takes("3.5.6907.35") || exact.Takes("3.5.6907.36") {
		t.Error("a limit without .* is not kept to")
	}
}

func TestUpdateStatus(t *testing.T) {
	for _, c := range []struct {
		failure NetFailure
		status  int
		want    string
	}{
		{NoFailure, 200, "(0x00/0)"}, {NoFailure, 0, "(0x00/0)"}, {NoFailure, 401, "(0x00/0x191)"}, {NoFailure, 403, "(0x00/0x193)"},
		{NoFailure, 404, "(0x00/0x194)"}, {NoFailure, 500, "(0x00/0x1f4)"}, {TimedOut, 0, "(0x2ee2/0x0)"},
		{InvalidURL, 0, "(0x2ee5/0x0)"}, {NameUnresolved, 0, "(0x2ee7/0x0)"}, {CannotConnect, 0, "(0x2efd/0x0)"},
		{Aborted, 200, "(0x2efe/0x0)"}, {Reset, 0, "(0x2eff/0x0)"}, {DateInvalid, 0, "(0x2f05/0x0)"},
		{NameInvalid, 0, "(0x2f06/0x0)"}, {UnknownCA, 0, "(0x2f0d/0x0)"}, {ChannelFailed, 0, "(0x2f7d/0x0)"},
	} {
		if got := UpdateStatus(c.failure, c.status); got != c.want {
			t.Errorf("%q %d: %s, want %s", c.failure, c.status, got, c.want)
		}
	}
	numbers := map[int]NetFailure{}
	for _, f := range NetFailures() {
		if other, again := numbers[f.WinInet()]; again {
			t.Errorf("%q and %q have one number", f, other)
		}
		numbers[f.WinInet()] = f
	}
}

func TestClockError(t *testing.T) {
	now := time.Date(2009, time.June, 4, 6, 22, 3, 0, time.UTC)
	for _, c := range []struct{ off, want time.Duration }{
		{0, 0}, {2 * time.Hour, 0}, {-7 * time.Hour, 0}, {5*time.Hour + 45*time.Minute, 0}, {14 * time.Hour, 0},
		{6 * time.Minute, 6 * time.Minute}, {2*time.Hour - 6*time.Minute, -6 * time.Minute},
		{15 * time.Hour, 15 * time.Hour}, {-400 * 24 * time.Hour, -400 * 24 * time.Hour},
	} {
		if got := ClockError(now.Add(c.off), now); got != c.want {
			t.Errorf("off by %s: %s, want %s", c.off, got, c.want)
		}
	}
}

// noUpdate is the answer that guide page 31 prints, in elements and a namespace that are made up.
const noUpdate = `<?xml version="1.0" encoding="utf-8"?>
<Response xmlns="http://example.com/ucdevice"><NumOfFiles>0</NumOfFiles><CurrentTime>2009-06-04T06:22:03</CurrentTime>
<ServerVersion>3.5.6907.0</ServerVersion><ServiceVersion>3.5.6907.0</ServiceVersion></Response>`

func TestParseUpdateResponse(t *testing.T) {
	bare := &UpdateResponse{NumOfFiles: 0, ServerVersion: "3.5.6907.0", ServiceVersion: "3.5.6907.0",
		CurrentTime: time.Date(2009, time.June, 4, 6, 22, 3, 0, time.UTC)}
	file := UpdateFile{Image: "CPE.nbt", Signature: "CPE.cat", Description: "CPE_desc.xml", BaseURL: "http://a/", ExternalBaseURL: "https://b/",
		BaseURLTold: true, ExternalBaseURLTold: true}
	const fields = `<FileName>CPE.nbt</FileName><SignatureFileName>CPE.cat</SignatureFileName><DescriptFile>CPE_desc.xml</DescriptFile>` +
		`<BaseURL>http://a/</BaseURL><ExternalBaseURL>https://b/</ExternalBaseURL>`
	two := &UpdateResponse{NumOfFiles: 2, Files: []UpdateFile{file, file}}
	blank := file
	blank.BaseURL, blank.ExternalBaseURL = "", ""
	for _, c := range []struct {
		name, text string
		want       *UpdateResponse
	}{
		{"the guide's", noUpdate, bare},
		{"with a byte order mark", "\ufeff" + noUpdate, bare},
		{"in UTF-16", utf16Text(noUpdate, true), bare},
		{"in UTF-16 without a mark, high byte first", utf16Text(noUpdate, false), bare},
		{"in capitals, with prefixes", `<u:RESPONSE xmlns:u="x"><u:NUMOFFILES> 3 </u:NUMOFFILES></u:RESPONSE>`, &UpdateResponse{NumOfFiles: 3}},
		{"as attributes", `<Response ServerVersion="4.0"><File FileName="CPE.nbt" BaseURL="http://a/"/></Response>`,
			&UpdateResponse{NumOfFiles: -1, ServerVersion: "4.0", Files: []UpdateFile{{Image: "CPE.nbt", BaseURL: "http://a/", BaseURLTold: true}}}},
		{"two in wrappers", "<Response><NumOfFiles>2</NumOfFiles><Fs><F>" + fields + "</F><F>" + fields + "</F></Fs></Response>", two},
		{"two without wrappers", "<Response>" + fields + fields + "<NumOfFiles>2</NumOfFiles></Response>", two},
		{"blank base URLs", "<R><F>" + strings.NewReplacer("http://a/", " ", "https://b/", "").Replace(fields) + "</F></R>",
			&UpdateResponse{NumOfFiles: -1, Files: []UpdateFile{blank}}},
		{"base URLs in a wrapper", "<R><F>" + strings.Replace(fields, "<BaseURL>", "<URLs><BaseURL>", 1) + "</URLs></F></R>",
			&UpdateResponse{NumOfFiles: -1, Files: []UpdateFile{file}}},
		{"base URLs in wrappers of two without", "<R><NumOfFiles>2</NumOfFiles>" +
			strings.Repeat(strings.Replace(fields, "<BaseURL>", "<URLs><BaseURL>", 1)+"</URLs>", 2) + "</R>", two},
		{"base URLs before the names, in a wrapper", "<R><Us><BaseURL>http://a/</BaseURL></Us><F><FileName>x.nbt</FileName></F></R>",
			&UpdateResponse{NumOfFiles: -1, Files: []UpdateFile{{Image: "x.nbt", BaseURL: "http://a/", BaseURLTold: true}}}},
		{"a base URL for two", "<R><BaseURL>http://a/</BaseURL><F><FileName>x.nbt</FileName></F><F><FileName>y.nbt</FileName></F></R>",
			&UpdateResponse{NumOfFiles: -1, Files: []UpdateFile{{Image: "x.nbt", BaseURL: "http://a/", BaseURLTold: true},
				{Image: "y.nbt", BaseURL: "http://a/", BaseURLTold: true}}}},
		{"one of two without", "<R><F><FileName>x.nbt</FileName></F><F>" + fields + "</F></R>",
			&UpdateResponse{NumOfFiles: -1, Files: []UpdateFile{{Image: "x.nbt"}, file}}},
		{"values that are none", `<R><NumOfFiles>-1</NumOfFiles><CurrentTime>noon</CurrentTime><ServerVersion>é</ServerVersion></R>`,
			&UpdateResponse{NumOfFiles: -1, ServerVersion: "é"}},
		{"in Latin-1", "<R><ServerVersion>\xe9</ServerVersion></R>", &UpdateResponse{NumOfFiles: -1, ServerVersion: "é"}},
		{"text around elements", "<R>a<B>b<C>c</C>d</B>e<ServerVersion>4.0</ServerVersion>f</R>", &UpdateResponse{NumOfFiles: -1, ServerVersion: "4.0"}},
		{"a zone", `<R><NumOfFiles>0</NumOfFiles><CurrentTime>2009-06-04T08:22:03+02:00</CurrentTime></R>`,
			&UpdateResponse{CurrentTime: bare.CurrentTime}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseUpdateResponse([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if diff := cmp.Diff([]string{"CPE.nbt", "other.cat", "CPE_desc.xml"}, UpdateFile{Signature: "other.cat"}.Names()); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

func utf16Text(text string, little bool) string {
	var out []byte
	units := utf16.Encode([]rune(text))
	if little {
		units = append([]uint16{0xfeff}, units...)
	}
	for _, u := range units {
		low, high := byte(u), byte(u>>8)
		if little {
			out = append(out, low, high)
		} else {
			out = append(out, high, low)
		}
	}
	return string(out)
}

func hostileAnswers() map[string]string {
	return map[string]string{
		"a DOCTYPE":          `<!DOCTYPE r [<!ENTITY a "b">]><r><NumOfFiles>0</NumOfFiles></r>`,
		"an HTML page":       `<html><head/></html>`,
		"no XML":             `<r><NumOfFiles>&lol;</NumOfFiles></r>`,
		"XML, but none of":   `<r/>`,
		"nested more":        strings.Repeat("<a>", 40),
		"more than 256 KiB":  strings.Repeat(" ", MaxUpdateAnswer+1),
		"more than 64 files": "<r>" + strings.Repeat(`<f FileName="a"/>`, 65) + "</r>",
		"bytes in one value": `<r ServerVersion="` + strings.Repeat("a", 4000) + `"/>`,
		"in one element":     `<r>` + strings.Repeat("a", 4000) + `</r>`,
		"half a character":   "\xff\xfe<",
	}
}

func TestParseUpdateResponseRefuses(t *testing.T) {
	for want, text := range hostileAnswers() {
		if got, err := ParseUpdateResponse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, %v", want, got, err)
		}
	}
	for _, text := range []string{"", "plain words", "<r><NumOfFiles>0</NumOfFiles>", "\xff\xfe"} {
		if got, err := ParseUpdateResponse([]byte(text)); err == nil {
			t.Errorf("%q was taken: %+v", text, got)
		}
	}
}

func FuzzParseUpdateResponse(f *testing.F) {
	f.Add([]byte(noUpdate))
	f.Add([]byte(utf16Text(noUpdate, true)))
	for _, text := range hostileAnswers() {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		got, err := ParseUpdateResponse(content)
		if (got == nil) == (err == nil) {
			t.Fatalf("%+v, %v", got, err)
		}
		if got == nil {
			return
		}
		if len(got.Files) > maxUpdateFiles || got.NumOfFiles < -1 || len(got.ServerVersion) > 2*maxXMLText {
			t.Errorf("beyond the limits: %+v", got)
		}
		for _, file := range got.Files {
			if len(file.Names()) != 3 {
				t.Errorf("%d names", len(file.Names()))
			}
		}
	})
}
