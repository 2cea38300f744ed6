//go:build linux

package bed

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	insideHandler  = "/RequestHandler/ucdevice.upx"
	outsideHandler = "https://203.0.113.6/RequestHandlerExt/ucdevice.upx"
	storePath      = "/UCPhone/Polycom/CX700/A/ENU/"
	insideImage    = "http://192.168.7.81/DeviceUpdateFiles_Int" + storePath + OfferedVersion + "/CPE/CPE.nbt"
	outsideStore   = "https://203.0.113.6/DeviceUpdateFiles_Ext"
)

// curl runs curl on the monitor, which may speak old TLS and does not
// verify, and returns all that it says.
func curl(t *testing.T, b *Bed, args ...string) (string, error) {
	t.Helper()
	cmd := b.Command(t.Context(), Monitor, "curl", append([]string{"-sSk", "--noproxy", "*", "--max-time", "20"}, args...)...)
	cmd.Env = append(os.Environ(), "OPENSSL_CONF="+b.openSSLConfig())
	return output(cmd)
}

// page gets a page with its header.
func page(t *testing.T, b *Bed, args ...string) string {
	t.Helper()
	text, err := curl(t, b, append([]string{"-i"}, args...)...)
	must(t, err)
	return text
}

// switched sets an answer, which must not take long.
func switched(t *testing.T, b *Bed, host Host, u Update) {
	t.Helper()
	begin := time.Now()
	must(t, b.SetUpdate(t.Context(), host, u))
	if took := time.Since(begin); took > time.Second {
		t.Errorf("%s: %+v took %v", host, u, took)
	}
}

// asked waits until a host's log holds these requests and no others.
func asked(t *testing.T, b *Bed, host Host, want ...string) {
	t.Helper()
	must(t, b.poll(t.Context(), changeTimeout, func(context.Context) error {
		got, err := b.RequestsTo(host)
		if diff := cmp.Diff(want, got); diff != "" {
			return fmt.Errorf("%s: requests (-want +got): %s", host, diff)
		}
		return err
	}))
}

func TestUpdateInside(t *testing.T) {
	t.Parallel()
	b := started(t)
	offer := func(version, base, external string) []string {
		folder := storePath + version + "/CPE"
		if base != "" {
			base += folder
		}
		if external != "" {
			external += folder
		}
		return []string{" 200 ", "<NumOfFiles>1<", "<FileName>CPE.nbt<", "<SignatureFileName>CPE.cat<",
			"<DescriptFile>CPE_desc.xml<", "<BaseURL>" + base + "<", "<ExternalBaseURL>" + external + "<",
			"<ServerVersion>3.5.6907.0<"}
	}
	const base, external = "http://pool01.contoso.com/DeviceUpdateFiles_Int", "https://ocsrp.fabrikam.com/DeviceUpdateFiles_Ext"
	healthy := offer(OfferedVersion, base, external)
	faults := []struct {
		update Update
		parts  []string
	}{
		{Update{}, healthy},
		{Update{Answer: NoUpdate}, []string{" 200 ", "<NumOfFiles>0<", "<ServerVersion>3.5.6907.0<"}},
		{Update{Status: 500}, []string{" 500 "}},
		{Update{Status: 403}, []string{" 403 "}},
		{Update{Status: 404}, []string{" 404 "}},
		{Update{BlankBaseURL: true}, offer(OfferedVersion, "", external)},
		{Update{BlankBaseURL: true, BlankExternalBaseURL: true}, offer(OfferedVersion, "", "")},
		{Update{Version: "1.0.522.103"}, offer("1.0.522.103", base, external)},
		{Update{Answer: EntityBomb}, []string{" 200 ", "text/xml", "<!ENTITY e9 \"&e8;&e8;", "&e9;"}},
		{Update{Answer: UpdateHTML}, []string{" 200 ", "text/html", "<html>"}},
		{Update{Clock: 90 * time.Minute}, []string{"<CurrentTime>" + time.Now().UTC().Add(90*time.Minute).Format("2006-01-02T15")}},
		{Update{Answer: RedirectElsewhere}, []string{" 302 ", "Location: http://fe02.contoso.com/elsewhere"}},
		{Update{Answer: RedirectCircle}, []string{" 302 ", "Location: http://192.168.7.81/RequestHandler/round.upx"}},
	}
	for _, f := range faults {
		switched(t, b, Pool, f.update)
		for _, scheme := range []string{"http://", "https://"} {
			text := page(t, b, scheme+"192.168.7.81"+insideHandler)
			has(t, strings.ReplaceAll(text, "Location: https://192", "Location: http://192"), f.parts...)
		}
		has(t, page(t, b, "http://192.168.7.83"+insideHandler), healthy...)
	}
	for _, offset := range []time.Duration{0, -90 * time.Minute} {
		switched(t, b, FrontEnd2, Update{Clock: offset})
		text := page(t, b, "http://192.168.7.83"+insideHandler)
		_, after, _ := strings.Cut(text, "<CurrentTime>")
		clock, _, _ := strings.Cut(after, "<")
		now, err := time.Parse("2006-01-02T15:04:05", clock)
		must(t, err)
		if off := time.Since(now) + offset; off.Abs() > time.Minute {
			t.Errorf("with a clock wrong by %v CurrentTime is %s", offset, clock)
		}
	}
	if text, err := curl(t, b, "-L", "http://192.168.7.81"+insideHandler); err == nil || !strings.Contains(err.Error(), "redirects") {
		t.Errorf("the circle ends: %v %s", err, text)
	}
	must(t, b.RestoreUpdate(t.Context()))
	has(t, page(t, b, "http://192.168.7.81/requesthandler/UCDevice.upx"), healthy...)
}

func TestUpdatePortsAndControl(t *testing.T) {
	t.Parallel()
	b := started(t)
	closed := func(url string) {
		t.Helper()
		if text, err := curl(t, b, url); err == nil || !strings.Contains(err.Error(), "Couldn't connect") {
			t.Errorf("%s is not closed: %v %s", url, err, text)
		}
	}
	has(t, page(t, b, "-X", "POST", "-d", "<a/>\n", "http://192.168.7.83"+insideHandler), " 200 ", "<NumOfFiles>1<")
	has(t, page(t, b, "-u", "x:y", "https://192.168.7.83"+insideHandler), " 200 ")
	posted, err := b.Posted(FrontEnd2)
	must(t, err)
	if diff := cmp.Diff([]string{"<a/>\n"}, posted); diff != "" {
		t.Errorf("posted (-want +got): %s", diff)
	}
	asked(t, b, FrontEnd2, "POST "+insideHandler+" HTTP/1.1 200 -", "GET "+insideHandler+" HTTP/1.1 200 Basic")
	asked(t, b, Pool)

	switched(t, b, Pool, Update{Ports: OnlyTLS})
	closed("http://192.168.7.81" + insideHandler)
	has(t, page(t, b, "https://192.168.7.81"+insideHandler), " 200 ")
	switched(t, b, Pool, Update{Ports: OnlyPlain})
	closed("https://192.168.7.81" + insideHandler)
	has(t, page(t, b, "http://192.168.7.81"+insideHandler), " 200 ")

	for host, url := range map[Host]string{Pool: "http://192.168.7.81" + insideHandler, ReverseProxy: outsideHandler} {
		must(t, b.Kill(host))
		closed(url)
		must(t, b.Restart(t.Context(), host))
		has(t, page(t, b, url), "HTTP/1.1 ")
		must(t, b.Pause(host))
		if _, err := curl(t, b, "--max-time", "1", url); err == nil || !strings.Contains(err.Error(), "timed out") {
			t.Errorf("a paused server gives %v", err)
		}
	}
	must(t, b.Kill(WebOutside))
	must(t, b.RestoreUpdate(t.Context()))
	has(t, page(t, b, "https://192.168.7.81"+insideHandler), " 200 ")
	has(t, page(t, b, outsideHandler), " 401 ")
	if err := b.SetUpdate(t.Context(), Edge, Update{}); err == nil {
		t.Error("a host without an update service can be set")
	}
}

// speaks lets openssl shake hands, and returns what it says of it.
func speaks(t *testing.T, b *Bed, host Host, options ...string) string {
	t.Helper()
	cmd := b.Command(t.Context(), Monitor, "openssl", append([]string{"s_client", "-connect", address(host) + ":443",
		"-CAfile", b.RootFile(), "-brief"}, options...)...)
	cmd.Env = append(os.Environ(), "OPENSSL_CONF="+b.openSSLConfig())
	text, err := cmd.CombinedOutput()
	return fmt.Sprint(string(text), err)
}

func TestUpdateTLS(t *testing.T) {
	t.Parallel()
	b := started(t)
	for host, name := range map[Host]string{Pool: "pool01.contoso.com", FrontEnd2: "fe02.contoso.com"} {
		for _, name := range []string{name, "ucupdates-r2.contoso.com"} {
			has(t, speaks(t, b, host, "-verify_hostname", name), "Protocol version: TLSv1\n", "Ciphersuite: AES256-SHA\n", "Verification: OK")
		}
		has(t, speaks(t, b, host, "-min_protocol", "TLSv1.2"), "alert protocol version")
		has(t, speaks(t, b, host, "-cipher", "ECDHE-RSA-AES128-SHA"), "handshake failure")
	}
	has(t, speaks(t, b, ReverseProxy, "-verify_hostname", "ocsrp.fabrikam.com"), "Protocol version: TLSv1.3", "Verification: OK")
	has(t, speaks(t, b, ReverseProxy, "-max_protocol", "TLSv1.2"), "Protocol version: TLSv1.2")
	has(t, speaks(t, b, ReverseProxy, "-max_protocol", "TLSv1", "-cipher", "AES128-SHA"), "Protocol version: TLSv1\n", "Verification: OK")
	has(t, page(t, b, outsideHandler), " 401 ")
	// A handshake alone is no request.
	asked(t, b, ReverseProxy, "GET /RequestHandlerExt/ucdevice.upx HTTP/1.1 401 -")
	switched(t, b, ReverseProxy, Update{TLS12: true})
	has(t, speaks(t, b, ReverseProxy, "-max_protocol", "TLSv1.1"), "alert protocol version")
	has(t, speaks(t, b, ReverseProxy, "-min_protocol", "TLSv1.2"), "Protocol version: TLSv1.3")
}

func TestUpdateOutside(t *testing.T) {
	t.Parallel()
	b := started(t)
	const interim = outsideStore + "/OCInterim/ENU/cpe.nbt"
	first := page(t, b, outsideHandler)
	has(t, first, " 401 ", "www-authenticate: NTLM\r\n")
	if strings.Count(first, "www-authenticate") != 1 {
		t.Errorf("more than NTLM is offered:\n%s", first)
	}
	has(t, ntlm(t, b, "https", ReverseProxy, "/RequestHandlerExt/ucdevice.upx", ProbePassword), "200", "<NumOfFiles>1<")
	has(t, ntlm(t, b, "https", ReverseProxy, "/RequestHandlerExt/ucdevice.upx", "wrong"), "401")
	const get = "GET /RequestHandlerExt/ucdevice.upx HTTP/1.1 "
	requests := []string{get + "401 -", get + "401 NTLM", get + "200 NTLM", get + "401 NTLM", get + "401 NTLM"}
	asked(t, b, WebOutside, requests...)
	asked(t, b, ReverseProxy, requests...)
	catalogue := "/DeviceUpdateFiles_Ext" + storePath + OfferedVersion + "/CPE/CPE.cat"
	has(t, page(t, b, "https://203.0.113.6"+catalogue), " 401 ")
	has(t, ntlm(t, b, "https", ReverseProxy, catalogue, ProbePassword), "200", "signature catalogue")

	faults := []struct {
		update         Update
		handler, files []string
	}{
		{Update{Access: Anonymous}, []string{" 200 ", "<NumOfFiles>1<"}, []string{" 200 "}},
		{Update{Access: BasicOnly}, []string{" 401 ", "www-authenticate: Basic"}, []string{" 401 ", "Basic"}},
		{Update{Status: 403}, []string{" 403 "}, []string{" 401 "}},
		{Update{Status: 404}, []string{" 404 "}, []string{" 401 "}},
		{Update{Status: 500}, []string{" 500 "}, []string{" 401 "}},
		{Update{Published: OnlyHandler}, []string{" 401 "}, []string{" 403 "}},
		{Update{Published: OnlyFiles}, []string{" 403 "}, []string{" 401 "}},
		{Update{Answer: RedirectCircle}, []string{" 302 ", "location: https://ocsrp.fabrikam.com/RequestHandlerExt/round.upx"}, []string{" 401 "}},
		{Update{Answer: RedirectElsewhere}, []string{" 302 ", "location: http://203.0.113.7/elsewhere"}, []string{" 401 "}},
		{Update{TLS12: true}, []string{" 401 "}, []string{" 401 "}},
	}
	for _, f := range faults {
		switched(t, b, ReverseProxy, f.update)
		handler, files := page(t, b, outsideHandler), page(t, b, "-I", interim)
		has(t, handler, f.handler...)
		has(t, files, f.files...)
		if f.update.Access == BasicOnly && strings.Contains(handler+files, "NTLM") {
			t.Errorf("NTLM is offered:\n%s%s", handler, files)
		}
	}
	must(t, b.RestoreUpdate(t.Context()))
	has(t, page(t, b, outsideHandler), " 401 ", "www-authenticate: NTLM\r\n")
}

// download gets a URL into a file and returns its content.
func download(t *testing.T, b *Bed, url string, args ...string) ([]byte, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "image")
	_, failure := curl(t, b, append([]string{"-f", "-o", file, url}, args...)...)
	content, err := os.ReadFile(file)
	if failure == nil {
		must(t, err)
	}
	return content, failure
}

func TestImages(t *testing.T) {
	t.Parallel()
	b := started(t)
	read := func(file string) []byte {
		content, err := os.ReadFile(file)
		must(t, err)
		return content
	}
	image, other := read(b.ImageFile()), read(b.OtherImageFile())
	if len(image) != ImageSize || len(other) != ImageSize || bytes.Equal(image, other) {
		t.Fatalf("images of %d and %d bytes", len(image), len(other))
	}
	outside := outsideStore + storePath + OfferedVersion + "/CPE/CPE.nbt"
	for url, host := range map[string]Host{insideImage: Pool, outside: ReverseProxy} {
		serves := func(i ImageAnswer, want []byte, wrong string) {
			t.Helper()
			switched(t, b, host, Update{Image: i, Access: Anonymous})
			got, err := download(t, b, url)
			if !bytes.Equal(got, want) || (err == nil) != (wrong == "") || err != nil && !strings.Contains(err.Error(), wrong) {
				t.Errorf("%s %q: %d bytes, want %d; %v, want %q", host, i, len(got), len(want), err, wrong)
			}
		}
		serves("", image, "")
		serves(ImageCut, image[:CutImageSize], "")
		serves(ImageCutOff, image[:CutImageSize], "transfer closed")
		has(t, strings.ToLower(page(t, b, "-I", url)), " 200 ", "content-length: "+strconv.Itoa(ImageSize))
		serves(ImageChanged, other, "")
		serves(ImageMissing, nil, "404")
		switched(t, b, host, Update{Image: ImageElsewhere, Access: Anonymous})
		has(t, page(t, b, url), " 302 ", "/elsewhere")
		switched(t, b, host, Update{Image: ImageSlow, Access: Anonymous})
		if got, err := download(t, b, url, "--max-time", "2"); err == nil || len(got) == 0 || len(got) > 4*SlowRate {
			t.Errorf("%s: slow: %d bytes in two seconds, %v", host, len(got), err)
		}
	}
	must(t, b.RestoreUpdate(t.Context()))
	folder := strings.TrimSuffix(insideImage, "CPE.nbt")
	has(t, page(t, b, "-I", insideImage), " 200 ", "Content-Type: application/octet-stream", "ETag: ", "Last-Modified: ", "Accept-Ranges: bytes")
	has(t, page(t, b, "-I", "-r", "0-99", insideImage), " 206 ")
	has(t, page(t, b, folder+"cpe.cat"), " 200 ", "signature catalogue")
	has(t, page(t, b, folder+"CPE_desc.xml"), " 200 ", "text/xml", "<FileName>CPE.nbt<")
	got, err := download(t, b, "http://192.168.7.83/DeviceUpdateFiles_Int/OCInterim/ENU/cpe.nbt")
	if err != nil || !bytes.Equal(got, other) {
		t.Errorf("interim: %d bytes, %v", len(got), err)
	}
}
