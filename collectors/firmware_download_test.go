package collectors

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/site"
)

const interimURL = "http://" + testFrontEnd + phone.FilesPath + phone.InterimImage

// TestDownloadComplete reads the image of an offer and the interim one, each once.
func TestDownloadComplete(t *testing.T) {
	var gets atomic.Int32
	p := newPages(t, site.Internal, store(body(offer(testBase, testBaseExt)), func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			gets.Add(1)
		}
		file(w, r)
	}), nil)
	p.target.Interval = time.Hour
	reasons, env, seen := p.probe(t, FirmwareDownload())
	if len(reasons) > 0 || len(seen.Downloads.Images) != 2 {
		t.Fatalf("reasons %v\n%s", reasons, p.explain(FirmwareDownload(), seen))
	}
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Repeat("x", imageSize))))
	for _, d := range seen.Downloads.Images {
		if !d.Complete() || d.Read != imageSize || d.Size != imageSize || d.SHA256 != sum {
			t.Errorf("got %+v", d)
		}
	}
	text := strings.Join(samples(env), "\n")
	for _, want := range []string{
		fmt.Sprintf(`cx700_firmware_download_ok[%q] 1`, fileLabel(interimURL)),
		fmt.Sprintf(`cx700_firmware_changes_total[%q] 0`, fileLabel(interimURL)),
		fmt.Sprintf(`cx700_firmware_download_bytes_per_second[%q] `, fileLabel(interimURL)),
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing in\n%s", want, text)
		}
	}
	p.target.Name = "another target with the same server"
	if _, _, again := p.probe(t, FirmwareDownload()); gets.Load() != 2 || len(again.Downloads.Images) != 2 {
		t.Errorf("%d images read for two targets with one server, want 2", gets.Load())
	}
	explained := p.explain(FirmwareDownload(), seen)
	for _, want := range []string{"image CPE.nbt of 3.5.6907.35 on fe01.contoso.com (offered)", "in " + testBase + "/", "SHA-256 ", "read 40000 bytes of 40000"} {
		if !strings.Contains(explained, want) {
			t.Errorf("%q is missing in\n%s", want, explained)
		}
	}
}

// rawStore answers HEAD as if all were well, the service with an offer, and a GET of an image with raw bytes.
func rawStore(t *testing.T, image string, then func(net.Conn)) string {
	t.Helper()
	return rawPage(t, func(conn net.Conn) {
		reader := bufio.NewReader(conn)
		for {
			request, err := http.ReadRequest(reader)
			if err != nil {
				return
			}
			switch {
			case strings.HasSuffix(request.URL.Path, ".upx"):
				fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(noFiles), noFiles)
			case request.Method == http.MethodHead:
				fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", imageSize)
			default:
				fmt.Fprint(conn, image)
				if then != nil {
					then(conn)
				}
				return
			}
		}
	}).Addr().String()
}

func TestDownloadReasons(t *testing.T) {
	half := strings.Repeat("x", imageSize/2)
	for _, c := range []struct {
		name, image string
		then        func(net.Conn)
		want        string
	}{
		{"whole", fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", imageSize, half+half), nil, ""},
		{"cut off with a wrong length", fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", imageSize, half), nil, "firmware_cut_off"},
		{"cut off with a right length", fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", imageSize/2, half), nil, "firmware_cut_off"},
		{"cut off in a chunk", fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s", imageSize, half), nil, "firmware_cut_off"},
		{"stops", fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", imageSize, half), waitForEnd, "firmware_stalled"},
		{"never begins", "", waitForEnd, "firmware_silent"},
		{"a page", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>", nil, "firmware_page"},
		{"forbidden", "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", nil, "firmware_forbidden"},
		{"gone meanwhile", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", nil, "firmware_not_found"},
		{"server error", "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", nil, "firmware_server_error"},
		{"redirect", "HTTP/1.1 302 Found\r\nLocation: http://elsewhere.example/\r\nContent-Length: 0\r\n\r\n", nil, "firmware_redirect"},
		{"status", "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n", nil, "firmware_status"},
		{"wants a logon", "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", nil, "firmware_logon_wanted"},
		{"no HTTP", "SSH-2.0-x\r\n", nil, "firmware_malformed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPagesAt(t, site.Internal, dns.RcodeSuccess, rawStore(t, c.image, c.then), "127.0.0.1:9")
			p.target.Timeout = time.Second
			reasons, env, seen := p.probe(t, FirmwareDownload())
			if got := strings.Join(reasons, ","); got != c.want {
				t.Errorf("reasons %q, want %q\n%s", got, c.want, p.explain(FirmwareDownload(), seen))
			}
			ok := 0
			if c.want == "" {
				ok = 1
			}
			want := fmt.Sprintf(`cx700_firmware_download_ok[%q] %d`, fileLabel(interimURL), ok)
			if text := strings.Join(samples(env), "\n"); !strings.Contains(text, want) {
				t.Errorf("%s is missing in\n%s", want, text)
			}
		})
	}
}

func TestDownloadReasonsOfFacts(t *testing.T) {
	target := &Target{MaxBytesPerSecond: 1 << 20}
	whole := facts.Download{URL: testBase + "/CPE.nbt", Kind: facts.OfferedFile, SHA256: "a", Read: 100, Announced: -1,
		FileAnswer: facts.FileAnswer{Size: 100, WebAnswer: facts.WebAnswer{Status: 200, Took: 2 * time.Second}}}
	change := func(f func(*facts.Download)) *facts.Download {
		d := whole
		f(&d)
		return &d
	}
	for _, c := range []struct {
		name string
		d    *facts.Download
		want *Reason
	}{
		{"slow", &whole, reasonDownloadSlow},
		{"quick", change(func(d *facts.Download) { d.Took = time.Millisecond }), nil},
		{"smaller than before", change(func(d *facts.Download) { d.Largest = 101 }), reasonDownloadCutOff},
		{"smaller than before, but of no version", change(func(d *facts.Download) {
			d.Largest, d.Kind, d.Took = 101, facts.InterimFile, time.Millisecond
		}), nil},
		{"no logon", change(func(d *facts.Download) { d.Problem = facts.WebNoLogon }), reasonUpdateLogonFailed},
		{"unreachable", change(func(d *facts.Download) { d.Problem, d.Read = facts.WebUnreachable, 0 }), reasonFirmwareUnreachable},
		{"TLS", change(func(d *facts.Download) { d.Problem, d.Read = facts.WebTLSFailed, 0 }), reasonFirmwareTLSFailed},
		{"empty", change(func(d *facts.Download) { d.Size, d.Read, d.Took = 0, 0, time.Millisecond }), nil},
	} {
		if got, text := downloadReason(target, c.d); got != c.want {
			t.Errorf("%s: %+v (%s), want %+v", c.name, got, text, c.want)
		}
	}
	target.MaxBytesPerSecond = 1024
	if got, _ := downloadReason(target, &whole); got != nil {
		t.Errorf("as slow as the site file wants it: %+v", got)
	}
	other := change(func(d *facts.Download) {
		d.URL, d.SHA256 = "http://fe02.contoso.com"+strings.TrimPrefix(d.URL, "http://"+testFrontEnd), "b"
	})
	found := findings{}
	judgeSizes(&facts.Downloads{Images: []facts.Download{whole, *other, whole}}, found)
	if fs := found.failures(FirmwareDownload().Reasons); len(fs) != 1 || fs[0].Reason != reasonImagesDiffer {
		t.Errorf("two images of one version: %v", fs)
	}
}

func TestNoImage(t *testing.T) {
	p := newPages(t, site.Internal, store(body(noFiles), status(404)), nil)
	reasons, env, _ := p.probe(t, FirmwareDownload())
	if diff := cmp.Diff([]string{"no_image"}, reasons); diff != "" || len(samples(env)) > 0 {
		t.Errorf("reasons (-want +got):\n%s series %v", diff, samples(env))
	}
}

// TestDownloadNotWatched: outside, without an account, a wish for a logon is healthy and nothing is said.
func TestDownloadNotWatched(t *testing.T) {
	asks := status(401, wants, "NTLM")
	p := newPages(t, site.External, nil, store(asks, asks))
	reasons, env, _ := p.probe(t, FirmwareDownload())
	if len(reasons) > 0 || len(samples(env)) > 0 {
		t.Errorf("reasons %v, series %v", reasons, samples(env))
	}
	// With an account that may not be used, that is what keeps us from it.
	p.target.Update.Credential = &site.Credential{Name: "reader", AllowedHosts: []string{"dc01.contoso.com"}}
	for _, c := range []*Collector{Update(), Firmware(), FirmwareDownload()} {
		if reasons, _, _ := p.probe(t, c); !slices.Equal(reasons, []string{"credential_unusable"}) {
			t.Errorf("%s with such an account: %v", c.Name, reasons)
		}
	}
}

// TestImageChanges lets bytes change under one version: an event, once, that only the schedule leaves.
func TestImageChanges(t *testing.T) {
	var content atomic.Value
	content.Store("one")
	p := newPages(t, site.Internal, store(body(noFiles), func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "x.nbt", fixedTime, strings.NewReader(content.Load().(string)))
	}), nil)
	p.target.Interval = time.Nanosecond // so that each probe reads anew
	changes := func(scheduled bool) (string, int) {
		t.Helper()
		env := &Env{Target: p.target, Shared: p.shared, Due: time.Now(), Scheduled: scheduled}
		seen := &facts.Seen{}
		if err := probeFirmwareDownload(t.Context(), env, seen); err != nil {
			t.Error(err)
		}
		for _, s := range samples(env) {
			if strings.HasPrefix(s, descFirmwareChanges.Name) {
				return s[strings.LastIndexByte(s, ' ')+1:], len(env.Lines())
			}
		}
		return "", len(env.Lines())
	}
	type result struct {
		count string
		lines int
	}
	check := func(what string, scheduled bool, want result) {
		t.Helper()
		count, lines := changes(scheduled)
		if diff := cmp.Diff(want, result{count, lines}, cmp.AllowUnexported(result{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	check("first", true, result{"0", 0})
	check("the same", true, result{"0", 0})
	content.Store("two")
	check("on demand", false, result{"1", 0})
	check("changed", true, result{"1", 1})
	check("the same again", true, result{"1", 0})
	content.Store("one")
	check("back", true, result{"2", 1})
}

// TestImagesBeyondTheBound: what phones are offered is read first, and what is not read is told.
func TestImagesBeyondTheBound(t *testing.T) {
	there := func(kind facts.FileKind, i int) facts.FirmwareFile {
		return facts.FirmwareFile{Kind: kind, URL: fmt.Sprintf("http://fe01.contoso.com/%d.NBT", i),
			Anonymous: &facts.FileAnswer{WebAnswer: facts.WebAnswer{Status: 200}}}
	}
	f := &facts.Firmware{Files: []facts.FirmwareFile{{URL: "http://fe01.contoso.com/x.nbt"}, {URL: "http://fe01.contoso.com/a.cat",
		Anonymous: &facts.FileAnswer{WebAnswer: facts.WebAnswer{Status: 200}}}}}
	for i, kind := range []facts.FileKind{facts.InterimFile, facts.ConfiguredFile, facts.OfferedFile} {
		f.Files = append(f.Files, there(kind, i))
	}
	var got []string
	for _, file := range images(f) {
		got = append(got, string(file.Kind))
	}
	if diff := cmp.Diff([]string{"offered", "configured", "interim"}, got); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
	d := &facts.Downloads{Firmware: f, LeftOut: 2, Images: []facts.Download{{FileAnswer: facts.FileAnswer{WebAnswer: facts.WebAnswer{Status: 200}}}}}
	if fs := judgeDownloads(&Target{}, d); len(fs) != 1 || fs[0].Reason != reasonFirmwareLeftOut {
		t.Errorf("two that were not read: %v", fs)
	}
	var text strings.Builder
	explainFirmwareDownload(&text, &Target{}, &facts.Seen{Downloads: &facts.Downloads{Firmware: &facts.Firmware{Update: &facts.Update{}}, LeftOut: 2}})
	if !strings.Contains(text.String(), "2 more images were not read") {
		t.Errorf("not told:\n%s", text.String())
	}
}

// TestOwnLimitBlinds: a rate of our own that is too low for the time says nothing of the server.
func TestOwnLimitBlinds(t *testing.T) {
	p := newPages(t, site.Internal, store(body(noFiles), func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "x.nbt", fixedTime, strings.NewReader(strings.Repeat("x", 1<<20)))
	}), nil)
	p.target.MaxBytesPerSecond = 1 << 10
	reasons, env, seen := p.probe(t, FirmwareDownload())
	if got := strings.Join(reasons, ","); got != "download_limited" || !reasonDownloadLimited.Effect.Fails() {
		t.Errorf("reasons %q\n%s", got, p.explain(FirmwareDownload(), seen))
	}
	if text := strings.Join(samples(env), "\n"); strings.Contains(text, "cx700_firmware_download_ok") {
		t.Errorf("told of a server that is not known:\n%s", text)
	}
}

// TestDownloadsRunAlone: they move much data.
func TestDownloadsRunAlone(t *testing.T) {
	for _, c := range All() {
		if c.Alone != (c.Name == "firmware_download") {
			t.Errorf("%s: alone %t", c.Name, c.Alone)
		}
	}
}

// TestPageIsNoImage: a page in the stead of an image, once, is no change of it.
func TestPageIsNoImage(t *testing.T) {
	p := newPages(t, site.Internal, body(noFiles), nil)
	env := &Env{Target: p.target, Shared: p.shared, Scheduled: true}
	image := facts.Download{URL: interimURL, SHA256: "a", Read: imageSize, FileAnswer: facts.FileAnswer{WebAnswer: facts.WebAnswer{Status: 200}}}
	page := image
	page.SHA256, page.ContentType = "b", "text/html"
	for _, d := range []*facts.Download{&image, &page, &image} {
		if err := observeImage(env, d); err != nil {
			t.Fatal(err)
		}
		if d.Changes != 0 || d.Before != "" {
			t.Errorf("a page counts as a change: %+v", d)
		}
	}
}

func TestFolded(t *testing.T) {
	url := "https://ocsrp.fabrikam.com" + phone.FilesPathExt + phone.CX700().StorePath("3.5.6907.35") + "/" + strings.Repeat("x", 150)
	text := folded("  in ", url)
	for line := range strings.Lines(text) {
		if len(line) > 100 {
			t.Errorf("more than 100 columns: %s", line)
		}
	}
	if joined := strings.ReplaceAll(strings.ReplaceAll(text, "\n", ""), " ", ""); joined != "in"+url {
		t.Errorf("got %s", joined)
	}
}
