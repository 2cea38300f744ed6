package collectors

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/site"
	"github.com/cx700/cx700_exporter/internal/state"
)

const imageSize = 40000

// file answers as a server with an image does.
func file(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("ETag", `"1"`)
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", fixedTime, strings.NewReader(strings.Repeat("x", imageSize)))
}

// store answers the service with an answer, and files by a handler of their own.
func store(service, files http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == phone.UpdatePath || r.URL.Path == phone.UpdatePathExt {
			service(w, r)
			return
		}
		files(w, r)
	}
}

func TestFirmwareReasonsInside(t *testing.T) {
	const interim = `cx700_firmware_reachable["http://fe01.contoso.com/DeviceUpdateFiles_Int/OCInterim/ENU/cpe.nbt"]`
	for _, c := range []struct {
		name      string
		files     http.HandlerFunc
		want      string
		reachable int
	}{
		{"there", file, "", 1},
		{"not found", status(404), "interim_image_missing", 0},
		{"forbidden", status(403), "firmware_forbidden", 0},
		{"server error", status(500), "firmware_server_error", 0},
		{"redirect", status(302, "Location", "http://elsewhere.example/"), "firmware_redirect", 0},
		{"gone", status(410), "firmware_status", 0},
		{"wants a logon", status(401, wants, "NTLM"), "firmware_logon_wanted", 0},
		{"a page", status(200, "Content-Type", "text/html; charset=utf-8"), "firmware_page", 0},
		{"tiny", body("ten bytes\n"), "firmware_empty", 0},
		{"no length to HEAD", func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodHead {
				w.Header().Set("Content-Length", "0")
				return
			}
			file(w, r)
		}, "", 1},
		{"empty", status(200, "Content-Type", "binary/octet-stream", "Content-Length", "0"), "firmware_empty", 0},
		{"takes no HEAD", func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodHead {
				w.WriteHeader(http.StatusMethodNotAllowed)
				return
			}
			file(w, r)
		}, "", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPages(t, site.Internal, store(body(noFiles), c.files), nil)
			reasons, env, seen := p.probe(t, Firmware())
			if got := strings.Join(reasons, ","); got != c.want {
				t.Errorf("reasons %q, want %q\n%s", got, c.want, p.explain(Firmware(), seen))
			}
			text := strings.Join(samples(env), "\n")
			if want := fmt.Sprintf("%s %d", interim, c.reachable); !strings.Contains(text, want) {
				t.Errorf("%s is missing in\n%s", want, text)
			}
			if sized := strings.Contains(text, fmt.Sprintf("size_bytes[%q] %d", "http://fe01.contoso.com/DeviceUpdateFiles_Int/OCInterim/ENU/cpe.nbt", imageSize)); sized != (c.reachable == 1) {
				t.Errorf("size told: %t\n%s", sized, text)
			}
		})
	}
}

func TestFirmwareReasonsOutside(t *testing.T) {
	asksLogon := status(401, wants, "Negotiate", wants, "NTLM")
	for _, c := range []struct {
		name           string
		service, files http.HandlerFunc
		want           string
	}{
		{"both ask for a logon", asksLogon, asksLogon, ""},
		{"both anonymous", body(noFiles), file, "firmware_anonymous"},
		{"files not published", asksLogon, status(403), "firmware_forbidden,publishing_half"},
		{"files not there", asksLogon, status(404), "interim_image_missing,publishing_half"},
		{"service not published", status(404), asksLogon, "publishing_half"},
		{"nothing published", status(403), status(403), "firmware_forbidden"},
		{"files with Basic", asksLogon, status(401, wants, "Basic"), "firmware_logon_wanted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPages(t, site.External, nil, store(c.service, c.files))
			reasons, _, seen := p.probe(t, Firmware())
			if got := strings.Join(reasons, ","); got != c.want {
				t.Errorf("reasons %q, want %q\n%s", got, c.want, p.explain(Firmware(), seen))
			}
		})
	}
}

func TestFirmwareWithoutAnAnswer(t *testing.T) {
	for _, c := range []struct {
		name    string
		network site.NetworkName
		serve   func(net.Conn)
		rcode   int
		want    string
	}{
		{"silent", site.Internal, waitForEnd, dns.RcodeSuccess, "firmware_silent"},
		{"ends at once", site.Internal, func(net.Conn) {}, dns.RcodeSuccess, "firmware_malformed"},
		{"no TLS", site.External, says("x", nil), dns.RcodeSuccess, "firmware_tls_failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			address := rawPage(t, c.serve).Addr().String()
			p := newPagesAt(t, c.network, c.rcode, address, address)
			reasons, _, seen := p.probe(t, Firmware())
			if got := strings.Join(reasons, ","); got != c.want {
				t.Errorf("reasons %q, want %q\n%s", got, c.want, p.explain(Firmware(), seen))
			}
		})
	}
	unresolved := newPagesAt(t, site.Internal, dns.RcodeServerFailure, "127.0.0.1:9", "127.0.0.1:9")
	for _, c := range []*Collector{Firmware(), FirmwareDownload()} {
		if reasons, env, _ := unresolved.probe(t, c); strings.Join(reasons, ",") != "firmware_names_unanswered" || len(samples(env)) > 0 {
			t.Errorf("%s without names: %v, %v", c.Name, reasons, samples(env))
		}
	}
	p := newPages(t, site.Internal, nil, nil)
	if reasons, _, _ := p.probe(t, Firmware()); strings.Join(reasons, ",") != "firmware_unreachable" {
		t.Errorf("closed: %v", reasons)
	}
}

// TestFirmwareNames holds the reasons that come of a file's name.
func TestFirmwareNames(t *testing.T) {
	names := func(o facts.Outcome) *facts.Names {
		return &facts.Names{Walks: []facts.Walk{{Lookups: []facts.Lookup{{Name: testFrontEnd, Type: phone.A, Outcome: o}}}}}
	}
	target := &Target{Network: site.Internal}
	for o, want := range map[facts.Outcome]*Reason{
		facts.NXDomain: reasonFirmwareUnresolved, facts.Timeout: reasonFirmwareNamesUnanswered, facts.Empty: reasonFirmwareUnresolved,
	} {
		if got, _ := fileReason(target, &facts.FirmwareFile{Host: testFrontEnd, Names: names(o)}); got != want {
			t.Errorf("%s: %+v", o, got)
		}
	}
	if got, _ := fileReason(target, &facts.FirmwareFile{}); got != reasonFirmwareSilent {
		t.Errorf("not asked: %+v", got)
	}
}

// TestFirmwareOfTheAnswer looks for the three files of an offer and a configured path, and for nothing else.
func TestFirmwareOfTheAnswer(t *testing.T) {
	p := newPages(t, site.Internal, store(body(offer(testBase, testBaseExt)), file), nil)
	p.target.Update.Paths = []string{"/extra/CPE.nbt"}
	reasons, env, seen := p.probe(t, Firmware())
	if len(reasons) > 0 {
		t.Errorf("reasons %v\n%s", reasons, p.explain(Firmware(), seen))
	}
	var got []string
	for _, f := range seen.Firmware.Files {
		got = append(got, string(f.Kind)+" "+f.URL)
	}
	want := []string{
		"interim http://fe01.contoso.com/DeviceUpdateFiles_Int/OCInterim/ENU/cpe.nbt", "configured http://fe01.contoso.com/extra/CPE.nbt",
		"offered " + testBase + "/CPE.nbt", "offered " + testBase + "/CPE.cat", "offered " + testBase + "/CPE_desc.xml",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	const images = 3
	if n := len(samples(env)); n != len(want)+images {
		t.Errorf("%d series, want %d", n, len(want)+images)
	}
	text := p.explain(Firmware(), seen)
	for _, want := range []string{"file CPE.nbt of 3.5.6907.35 on fe01.contoso.com (offered)", "in " + testBase + "/", "HEAD: status 200", "40000 bytes", `ETag "1"`, "of 2009-06-04 06:22:03"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
}

// TestFirmwareShrinks: a file that is smaller than what was read of it before is cut off, under one version.
func TestFirmwareShrinks(t *testing.T) {
	p := newPages(t, site.Internal, store(body(offer(testBase, testBaseExt)), file), nil)
	err := p.shared.State.ObserveImage(imageKey(p.target, testBase+"/CPE.nbt", netip.MustParseAddrPort("192.0.2.7:80")), state.Image{SHA256: "a", Size: 1, Largest: imageSize + 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*Collector{Firmware(), FirmwareDownload()} {
		if reasons, _, seen := p.probe(t, c); strings.Join(reasons, ",") != "firmware_cut_off" {
			t.Errorf("%s: %v\n%s", c.Name, reasons, p.explain(c, seen))
		}
	}
}

// TestForeignBaseURLs: no answer aims the exporter at another place.
func TestForeignBaseURLs(t *testing.T) {
	for base, foreign := range map[string]bool{
		testBase:                              false,
		"http://files.contoso.com/a":          false,
		"http://192.0.2.7/a":                  false,
		"HTTP://FE01.contoso.com:80/a/":       false,
		"https://dl.fabrikam.com/a":           false,
		"http://192.0.2.8/a":                  true,
		"http://evil.example/a":               true,
		"http://contoso.com.evil.example/a":   true,
		"http://evilcontoso.com/a":            true,
		"http://fe01.contoso.com:8080/a":      true,
		"http://user@fe01.contoso.com/a":      true,
		"http://fe01.contoso.com/a?b=c":       true,
		"ftp://fe01.contoso.com/a":            true,
		"file:///etc/passwd":                  true,
		"//fe01.contoso.com/a":                true,
		"http://[::1]/a":                      true,
		"http://localhost/a":                  true,
		"http://%zz/":                         true,
		"http://a b.contoso.com/":             true,
		strings.Repeat("http://a.b/", 100):    true,
		"http://fe01.contoso.com/" + "#x":     true,
		"javascript:alert(1)//fe.contoso.com": true,
	} {
		t.Run(base[:min(len(base), 40)], func(t *testing.T) {
			p := newPages(t, site.Internal, store(body(offer(base, "https://x.contoso.com/")), file), nil)
			p.target.Way.ConnectTo[0].Host = "192.0.2.7"
			reasons, _, seen := p.probe(t, Firmware())
			if got := strings.Contains(strings.Join(reasons, ","), "base_url_foreign"); got != foreign {
				t.Errorf("foreign: %t, reasons %v, files %+v", got, reasons, seen.Firmware.Files)
			}
			for _, f := range seen.Firmware.Files {
				if foreign && f.Kind == facts.OfferedFile {
					t.Errorf("%s was asked for", f.URL)
				}
			}
		})
	}
	for _, name := range []string{"../CPE.nbt", "a/b", "..", ".hidden", "a?b", strings.Repeat("a", 65)} {
		l := &fileList{target: &Target{Domains: phone.Domains{SIP: "contoso.com"}}, update: &facts.Update{}, most: 3, listed: map[string]bool{}}
		l.offered(phone.UpdateFile{Image: name, BaseURL: "http://fe01.contoso.com/a"})
		if len(l.foreign) != 1 || len(l.files) != 2 {
			t.Errorf("%q: foreign %v, files %v", name, l.foreign, l.files)
		}
	}
}

// TestFilesBeyondTheBound: what is not looked for is told, and the files of the site file are not among it.
func TestFilesBeyondTheBound(t *testing.T) {
	var files strings.Builder
	for i := range maxFiles {
		fmt.Fprintf(&files, "<File><FileName>%d.nbt</FileName><BaseURL>%s</BaseURL><ExternalBaseURL>https://x/</ExternalBaseURL></File>", i, testBase)
	}
	p := newPages(t, site.Internal, store(body("<R>"+files.String()+"</R>"), file), nil)
	p.target.Update.Paths = []string{"/extra/CPE.nbt"}
	reasons, _, seen := p.probe(t, Firmware())
	// Each offer has an image of its own, and all share a signature and a description.
	if got := strings.Join(reasons, ","); got != "firmware_left_out" || len(seen.Firmware.Files) != maxFiles || seen.Firmware.LeftOut != 4 {
		t.Errorf("reasons %s, %d files, %d left out", got, len(seen.Firmware.Files), seen.Firmware.LeftOut)
	}
	for i, want := range []facts.FileKind{facts.InterimFile, facts.ConfiguredFile, facts.OfferedFile} {
		if got := seen.Firmware.Files[i].Kind; got != want {
			t.Errorf("file %d is %s, want %s", i, got, want)
		}
	}
	if text := p.explain(Firmware(), seen); !strings.Contains(text, "4 more files were not looked for") {
		t.Errorf("not told:\n%s", text)
	}
}
