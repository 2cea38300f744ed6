package lab

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// imagePath is where the healthy image is, below the store.
const imagePath = "UCPhone/Polycom/CX700/A/ENU/" + offeredVersion + "/CPE/CPE.nbt"

// request asks a web server without a logon, and follows no redirection. When the body ends early it returns
// what there was and the error.
func request(t *testing.T, w *webServer, method, scheme, path string, header ...string) (*http.Response, string, error) {
	t.Helper()
	transport := &http.Transport{ResponseHeaderTimeout: ldapPatience, TLSClientConfig: &tls.Config{
		InsecureSkipVerify: true, // the CA signs with SHA-1, which crypto/tls refuses
		VerifyConnection: func(s tls.ConnectionState) error {
			root, err := x509.ParseCertificate([]byte(rootCertificate))
			if err != nil {
				return err
			}
			leaf := s.PeerCertificates[0]
			return errors.Join(leaf.VerifyHostname("ocsrp.fabrikam.com"),
				root.CheckSignature(leaf.SignatureAlgorithm, leaf.RawTBSCertificate, leaf.Signature))
		},
	}}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(t.Context(), ldapPatience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, scheme+"://"+w.address.String()+path, nil)
	if err != nil {
		t.Error(err)
		return &http.Response{}, "", nil
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := transport.RoundTrip(r)
	if err != nil {
		return &http.Response{}, "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return answer, string(body), err
}

// offered is what askUpdate says of an answer that offers a version.
func offered(version string) string {
	const folder = "/UCPhone/Polycom/CX700/A/ENU/"
	return "1 file, base http://pool01.contoso.com/DeviceUpdateFiles_Int" + folder + version + "/CPE, " +
		"external https://ocsrp.fabrikam.com/DeviceUpdateFiles_Ext" + folder + version + "/CPE"
}

// inBrief tells silence and garbage from other failures.
func inBrief(err error) string {
	var timeout net.Error
	var address *url.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return "silence"
	case strings.Contains(err.Error(), "malformed HTTP"):
		return "garbage"
	case errors.As(err, &address):
		return address.Err.Error()
	default:
		return err.Error()
	}
}

// askUpdate says in a few words what the request handler answers.
func askUpdate(t *testing.T, w *webServer, scheme, path string) string {
	t.Helper()
	answer, body, err := request(t, w, http.MethodGet, scheme, path)
	contentType := answer.Header.Get("Content-Type")
	switch {
	case err != nil:
		return inBrief(err)
	case answer.StatusCode != http.StatusOK:
		return strings.TrimSpace(fmt.Sprint(answer.StatusCode, " ", answer.Header.Get("WWW-Authenticate"), answer.Header.Get("Location")))
	case contentType != "text/xml":
		return "200 " + contentType
	case strings.Contains(body, "<!ENTITY"):
		return "200 text/xml: entities"
	}
	element := func(name string) string {
		_, after, _ := strings.Cut(body, "<"+name+">")
		value, _, _ := strings.Cut(after, "</"+name+">")
		if value == "" {
			return "none"
		}
		return value
	}
	clock := ""
	if now, err := time.Parse("2006-01-02T15:04:05", element("CurrentTime")); err == nil && time.Since(now) > time.Minute {
		clock = ", slow by " + time.Since(now).Round(time.Minute).String()
	}
	return "200 text/xml: " + element("NumOfFiles") + " file, base " + element("BaseURL") + ", external " + element("ExternalBaseURL") + clock
}

// askImage says in a few words how the image is served.
func askImage(t *testing.T, w *webServer, scheme, path string) string {
	t.Helper()
	answer, body, err := request(t, w, http.MethodGet, scheme, path)
	switch {
	case answer.StatusCode == 0:
		return inBrief(err)
	case answer.StatusCode != http.StatusOK:
		return strings.TrimSpace(fmt.Sprint(answer.StatusCode, " ", answer.Header.Get("WWW-Authenticate")))
	case errors.Is(err, context.DeadlineExceeded) && len(body) == imageSize/3:
		return "200, stalls"
	case errors.Is(err, context.DeadlineExceeded):
		return "200, slow"
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return err.Error()
	}
	if kind := answer.Header.Get("Content-Type"); kind == "text/html" {
		return "200 " + kind
	}
	if !strings.HasPrefix(string(imageBytes()), body[:min(1, len(body))]) {
		return "200, other bytes"
	}
	return fmt.Sprintf("200, %d of %d bytes", len(body), answer.ContentLength)
}

func TestHealthyUpdate(t *testing.T) {
	o := started(t, 1).offices[0]
	for _, w := range o.frontEnds {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			answer, body, err := request(t, w, method, "http", "/requesthandler/UCDevice.upx")
			if err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(body, "<ServerVersion>3.5.6907.0<") {
				t.Errorf("%s: %d, %v, %s", method, answer.StatusCode, err, body)
			}
		}
		if got, want := askImage(t, w, "http", "/DeviceUpdateFiles_Int/OCInterim/ENU/cpe.nbt"), "200, 65536 of 65536 bytes"; got != want {
			t.Errorf("the interim image: %s", got)
		}
		if got := askImage(t, w, "http", "/DeviceUpdateFiles_Int/other"); got != "404" {
			t.Errorf("another file: %s", got)
		}
	}
	for path, want := range map[string]string{"/RequestHandlerExt/ucdevice.upx": "401 NTLM", "/DeviceUpdateFiles_Ext/" + imagePath: "401 NTLM"} {
		if got := askImage(t, o.proxy, "https", path); got != want {
			t.Errorf("outside %s: %s, want %s", path, got, want)
		}
	}
}

func TestImageIsAFile(t *testing.T) {
	l := started(t, 1)
	w, path := l.offices[0].frontEnds[firstFrontEnd], "/DeviceUpdateFiles_Int/"+imagePath
	for _, fault := range []string{"", "firmware_cut_wrong_length", "firmware_slow"} {
		if fault != "" {
			if err := l.Set(fault); err != nil {
				t.Fatal(err)
			}
		}
		answer, _, err := request(t, w, http.MethodHead, "http", path)
		if err != nil || answer.ContentLength != imageSize || answer.Header.Get("ETag") == "" || answer.Header.Get("Last-Modified") == "" ||
			answer.Header.Get("Content-Type") != "application/octet-stream" {
			t.Errorf("%s: HEAD: %v, %v", fault, answer.Header, err)
		}
		answer, body, err := request(t, w, http.MethodGet, "http", path, "Range", "bytes=0-99")
		if err != nil || answer.StatusCode != http.StatusPartialContent || body != string(imageBytes()[:100]) {
			t.Errorf("%s: a part: %d, %d bytes, %v", fault, answer.StatusCode, len(body), err)
		}
	}
}

func TestSlowImage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, r := httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		begin := time.Now()
		trickle(w, r, imageBytes())
		if took := time.Since(begin); took != imageSize>>10*slowly {
			t.Errorf("took %v", took)
		}
		if !bytes.Equal(w.Body.Bytes(), imageBytes()) {
			t.Errorf("%d bytes that are not the image", w.Body.Len())
		}
	})
}

func TestCloseCutsSlowImagesOff(t *testing.T) {
	l, err := Start(1)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Set("firmware_slow"); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	url := "http://" + l.offices[0].frontEnds[firstFrontEnd].address.String() + "/DeviceUpdateFiles_Int/" + imagePath
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if n, err := io.Copy(io.Discard, answer.Body); err == nil || n >= imageSize {
		t.Errorf("%d bytes, %v", n, err)
	}
}
