package reach

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/labtest"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/site"
)

// proxyHost is a name of httptest's certificate.
const proxyHost = "example.com"

const bareAnswer = `<Response><NumOfFiles>0</NumOfFiles><ServerVersion>3.5.6907.0</ServerVersion></Response>`

// publishing is a reverse proxy as old as the phones, which wants NTLM over TLS 1.0 with RSA key exchange,
// and how it is asked.
type publishing struct {
	*ntlmServer
	*logons
	updates *Updates
	access  UpdateAccess
}

func newPublishing(t *testing.T, then http.HandlerFunc) *publishing {
	t.Helper()
	p := &publishing{ntlmServer: &ntlmServer{challenge: ntlmChallenge(), then: then}, logons: newLogons(t)}
	p.accept.Store(true)
	p.Server = httptest.NewUnstartedServer(p.ntlmServer)
	p.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	p.TLS = &tls.Config{
		MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA},
	}
	p.StartTLS()
	t.Cleanup(p.Close)
	roots := filepath.Join(t.TempDir(), "root.pem")
	content := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Server.Certificate().Raw})
	if err := os.WriteFile(roots, content, 0o600); err != nil {
		t.Fatal(err)
	}
	p.credential.AllowedHosts = []string{proxyHost}
	way := leadingTo(t, p.Listener.Addr().String())
	way.ConnectTo[0].Port = "443"
	names := startResolver(t, answering(proxyHost+". 60 IN A "+caAddress.String()), nil)
	way.Resolvers = []netip.AddrPort{names.AddrPort}
	way.ConnectTo = append([]site.ConnectTo{{Host: names.Addr().String(), Port: fmt.Sprint(names.Port())}}, way.ConnectTo...)
	p.access = UpdateAccess{Way: way, External: true, Update: site.Update{Credential: p.credential, RootFiles: []string{roots}}}
	p.updates = NewUpdates(p.guard)
	t.Cleanup(p.updates.Close)
	return p
}

func (p *publishing) read(t *testing.T) facts.UpdateServer {
	t.Helper()
	u, err := p.updates.Read(t.Context(), p.access, []UpdateHost{{Name: proxyHost}}, time.Now(), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return u.Servers[0]
}

func answered(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }
}

func TestUpdateLogon(t *testing.T) {
	p := newPublishing(t, answered(bareAnswer))
	s := p.read(t)
	if s.Secure.Status != http.StatusUnauthorized || s.Secure.TLS != "TLS 1.0 TLS_RSA_WITH_AES_128_CBC_SHA" || s.Plain != nil {
		t.Errorf("without a logon: %+v, plain %+v", s.Secure, s.Plain)
	}
	if s.Logon == nil || s.Logon.Problem != "" || len(s.Logon.Answers) != 1 || s.Logon.Answers[0].Response == nil {
		t.Fatalf("logged on: %+v", s.Logon)
	}
	if diff := cmp.Diff([]string{"", "", "NTLM", "NTLM"}, p.asked()); diff != "" {
		t.Errorf("schemes of the requests (-want +got):\n%s", diff)
	}
	again := p.read(t)
	if diff := cmp.Diff(s.Logon, again.Logon, sameAddresses); diff != "" || len(p.asked()) != 5 {
		t.Errorf("the second look within the hour logged on again: %v\n%s", p.asked(), diff)
	}
}

// TestPostByLogon asks for each firmware by POST once it is logged on.
func TestPostByLogon(t *testing.T) {
	var bodies []string
	p := newPublishing(t, func(w http.ResponseWriter, r *http.Request) {
		content, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		bodies = append(bodies, r.Method+" "+string(content))
		fmt.Fprint(w, bareAnswer)
	})
	p.access.Post.Template = filepath.Join(t.TempDir(), "ask.xml")
	if err := os.WriteFile(p.access.Post.Template, []byte("<f>{firmware}</f>"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.access.Firmware = []string{"1.0.199.123", "3.5.6907.35"}
	s := p.read(t)
	if s.Logon == nil || s.Logon.Problem != "" || len(s.Logon.Answers) != 3 || s.Logon.Answers[2].Firmware != "3.5.6907.35" {
		t.Fatalf("logged on: %+v", s.Logon)
	}
	if diff := cmp.Diff([]string{"GET ", "POST <f>1.0.199.123</f>", "POST <f>3.5.6907.35</f>"}, bodies); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

// TestUpdatesShareARound lets two probes of one round ask once.
func TestUpdatesShareARound(t *testing.T) {
	p := newPublishing(t, answered(bareAnswer))
	p.access.Credential = nil
	due := time.Now()
	for range 2 {
		if _, err := p.updates.Read(t.Context(), p.access, []UpdateHost{{Name: proxyHost}}, due, 10*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(p.asked()); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

func TestUpdateLogonIsNotMade(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*publishing)
		want   facts.ControllerProblem
		asked  int
	}{
		{"to a host that is not allowed", func(p *publishing) { p.credential.AllowedHosts = []string{"dc01.contoso.com"} }, facts.CredentialUnusable, 1},
		{"to a certificate of another root", func(p *publishing) {
			p.access.RootFiles = []string{filepath.Join("testdata", "chain", "certificate.pem")}
		}, facts.TLSUntrusted, 1},
		{"to a server that is too old for this machine's rules", func(p *publishing) { p.access.RootFiles = nil }, facts.BindFailed, 1},
		{"without its roots", func(p *publishing) { p.access.RootFiles = []string{"none.pem"} }, facts.CredentialUnusable, 1},
		{"with a wrong password", func(p *publishing) { p.accept.Store(false) }, facts.CredentialRefused, 4},
		{"with half a challenge", func(p *publishing) { p.challenge = p.challenge[:20] }, facts.BindFailed, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPublishing(t, answered(bareAnswer))
			c.change(p)
			s := p.read(t)
			if s.Logon == nil || s.Logon.Problem != c.want || s.Logon.Answers != nil {
				t.Fatalf("got %+v, want %s", s.Logon, c.want)
			}
			if n := len(p.asked()); n != c.asked {
				t.Errorf("asked %v, want %d requests", p.asked(), c.asked)
			}
			if text := fmt.Sprintf("%+v %s", s.Logon, p.log.String()); strings.Contains(text, password) {
				t.Errorf("the secret is in %s", text)
			}
		})
	}
}

// TestRefusalStopsUpdateLogons: one wrong password is one logon, for the service, its files and images.
func TestRefusalStopsUpdateLogons(t *testing.T) {
	p := newPublishing(t, answered(bareAnswer))
	p.accept.Store(false)
	for range 3 {
		p.read(t)
	}
	file := askFile(t, p.access.Way, imageURL(t))
	if l := p.updates.LogOnToFiles(t.Context(), p.access, []*facts.FirmwareFile{&file}); l.Problem != facts.CredentialRefused {
		t.Errorf("files: %+v", l)
	}
	used := 0
	for _, scheme := range p.asked() {
		if scheme == "NTLM" {
			used++
		}
	}
	if used != 2 {
		t.Errorf("schemes %v: want the two messages of one logon", p.asked())
	}
}

// TestNoRedirectIsFollowed: neither with the account nor without.
func TestNoRedirectIsFollowed(t *testing.T) {
	p := newPublishing(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://elsewhere.example"+r.URL.Path, http.StatusFound)
	})
	s := p.read(t)
	if len(s.Logon.Answers) != 1 || s.Logon.Answers[0].Status != http.StatusFound || len(p.asked()) != 4 {
		t.Errorf("got %+v, asked %v", s.Logon, p.asked())
	}
}

func askFile(t *testing.T, way Way, f FileURL) facts.FirmwareFile {
	t.Helper()
	return way.AskFiles(t.Context(), []FileURL{f})[0]
}

func imageURL(t *testing.T) FileURL {
	t.Helper()
	u, err := url.Parse("https://" + proxyHost + phone.FilesPathExt + phone.InterimImage)
	if err != nil {
		t.Fatal(err)
	}
	return FileURL{URL: u, Kind: facts.InterimFile}
}

// TestFilesByLogon asks for a header and then for the image, each with a logon.
func TestFilesByLogon(t *testing.T) {
	content := strings.Repeat("x", 1<<20)
	p := newPublishing(t, func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "cpe.nbt", time.Time{}, strings.NewReader(content))
	})
	file := askFile(t, p.access.Way, imageURL(t))
	if file.Anonymous == nil || file.Anonymous.Status != http.StatusUnauthorized {
		t.Fatalf("without a logon: %+v", file.Anonymous)
	}
	l := p.updates.LogOnToFiles(t.Context(), p.access, []*facts.FirmwareFile{&file})
	if l.Problem != "" || file.LoggedOn == nil || file.LoggedOn.Size != int64(len(content)) || file.LoggedOn.Method != http.MethodHead {
		t.Fatalf("logged on: %+v, %+v", l, file.LoggedOn)
	}
	d := NewDownloads(p.guard, slog.New(slog.DiscardHandler))
	got := d.Read(t.Context(), DownloadAccess{Way: p.access.Way, Update: p.access.Update, BytesPerSecond: 1 << 30}, file)
	if !got.Complete() || got.Read != int64(len(content)) || got.Announced != -1 {
		t.Errorf("image: %+v", got)
	}
	p.credential.AllowedHosts = []string{"dc01.contoso.com"}
	if got := d.Read(t.Context(), DownloadAccess{Way: p.access.Way, Update: p.access.Update, BytesPerSecond: 1 << 30}, file); got.Problem != facts.WebNoLogon {
		t.Errorf("not allowed: %+v", got)
	}
}

// TestFilesByLogonWithoutHead asks for the first byte where a filter refuses HEAD to the account.
func TestFilesByLogonWithoutHead(t *testing.T) {
	p := newPublishing(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			http.NotFound(w, r)
			return
		}
		http.ServeContent(w, r, "cpe.nbt", time.Time{}, strings.NewReader(strings.Repeat("x", 1000)))
	})
	file := askFile(t, p.access.Way, imageURL(t))
	l := p.updates.LogOnToFiles(t.Context(), p.access, []*facts.FirmwareFile{&file})
	if l.Problem != "" || file.LoggedOn == nil || file.LoggedOn.Size != 1000 || file.LoggedOn.Method != http.MethodGet {
		t.Errorf("logged on: %+v, %+v", l, file.LoggedOn)
	}
}

func TestRangeInsteadOfHead(t *testing.T) {
	for _, c := range []struct {
		name string
		head int
		code int
		size string
		want int64
	}{
		{"part", 501, http.StatusPartialContent, "bytes 0-0/15728640", 15728640},
		{"part of unknown", 405, http.StatusPartialContent, "bytes 0-0/*", -1},
		{"part without a range", 404, http.StatusPartialContent, "", -1},
		{"negative", 403, http.StatusPartialContent, "bytes 0-0/-5", -1},
		{"whole", 500, http.StatusOK, "", 1},
	} {
		var ranged string
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodHead {
				w.WriteHeader(c.head)
				return
			}
			ranged = r.Header.Get("Range")
			w.Header().Set("Content-Range", c.size)
			w.Header().Set("Content-Length", "1")
			w.WriteHeader(c.code)
			_, _ = io.WriteString(w, "x")
		}))
		u, err := url.Parse("http://" + caAddress.String() + "/cpe.nbt")
		if err != nil {
			t.Fatal(err)
		}
		got := askFile(t, leadingTo(t, server.Listener.Addr().String()), FileURL{URL: u})
		server.Close()
		if got.Names != nil || got.Anonymous == nil || got.Anonymous.Size != c.want || ranged != "bytes=0-0" {
			t.Errorf("%s: %+v, Range %q", c.name, got.Anonymous, ranged)
		}
	}
}

// TestDownloadIsPaced holds that no byte comes sooner than the rate allows, and that a time too short for it is
// not taken for the server's fault.
func TestDownloadIsPaced(t *testing.T) {
	const rate = 4 << 20
	server := httptest.NewServer(answered(strings.Repeat("x", rate/5)))
	defer server.Close()
	d := NewDownloads(nil, slog.New(slog.DiscardHandler))
	got := d.Read(t.Context(), plainDownload(t, server, rate), plainFile())
	if !got.Complete() || got.Took < 200*time.Millisecond || got.BytesPerSecond() > rate {
		t.Errorf("%d bytes in %s, %.0f a second", got.Read, got.Took, got.BytesPerSecond())
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if got := d.Read(ctx, plainDownload(t, server, 1<<10), plainFile()); got.Problem != facts.WebOwnLimit || got.Read == 0 {
		t.Errorf("without the time for it: %+v", got)
	}
}

// TestDownloadIsGivenUp: a server that drips keeps nobody's turn, and one that never ends is left.
func TestDownloadIsGivenUp(t *testing.T) {
	drips := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			if _, err := io.WriteString(w, "x"); err != nil || http.NewResponseController(w).Flush() != nil {
				return
			}
			select {
			case <-tick.C:
			case <-r.Context().Done():
				return
			}
		}
	}))
	defer drips.Close()
	d := NewDownloads(nil, slog.New(slog.DiscardHandler))
	d.stall = 200 * time.Millisecond
	if got := d.Read(t.Context(), plainDownload(t, drips, 1<<30), plainFile()); got.Problem == "" || got.Read == 0 || got.Took > 5*time.Second {
		t.Errorf("dripping: %+v", got)
	}
	large := httptest.NewServer(answered(strings.Repeat("x", 1<<20)))
	defer large.Close()
	d.stall, d.most = time.Minute, 1<<19
	if got := d.Read(t.Context(), plainDownload(t, large, 1<<30), plainFile()); got.Problem == "" || got.Complete() {
		t.Errorf("larger than an image: %+v", got)
	}
}

func plainDownload(t testing.TB, server *httptest.Server, rate int) DownloadAccess {
	t.Helper()
	address, err := netip.ParseAddrPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return DownloadAccess{BytesPerSecond: rate, Way: Way{ConnectTo: []site.ConnectTo{
		{Host: caAddress.String(), ToHost: address.Addr().String(), ToPort: fmt.Sprint(address.Port())}}}}
}

func plainFile() facts.FirmwareFile {
	return facts.FirmwareFile{URL: "http://fe01.contoso.com/cpe.nbt", Host: "fe01.contoso.com", Anonymous: &facts.FileAnswer{
		Size: -1, WebAnswer: facts.WebAnswer{Address: netip.AddrPortFrom(caAddress, 80)}}}
}

func TestDownloadsTakeTurns(t *testing.T) {
	d := NewDownloads(nil, nil)
	done, err := d.Turn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Turn(ctx); err == nil {
		t.Error("two at a time")
	}
	done()
	if _, err := d.Turn(t.Context()); err != nil {
		t.Errorf("after the first: %v", err)
	}
}

func TestDownloadsForget(t *testing.T) {
	d := NewDownloads(nil, nil)
	now := time.Now()
	for i := range 2 * downloadsKept {
		d.keep(fmt.Sprint(i), heldDownload{facts.Download{At: now.Add(time.Duration(i)), SHA256: "a"}, "one"})
	}
	if _, ok := d.kept("0", DownloadAccess{Owner: "other", Fresh: time.Hour}); ok || len(d.held) != downloadsKept {
		t.Errorf("held %d, the oldest among them: %t", len(d.held), ok)
	}
	newest := fmt.Sprint(2*downloadsKept - 1)
	if _, ok := d.kept(newest, DownloadAccess{Owner: "other", Fresh: time.Hour}); !ok {
		t.Error("the newest is gone")
	}
	if _, ok := d.kept(newest, DownloadAccess{Owner: "other"}); ok {
		t.Error("an old one is taken where none may be")
	}
	d.keep("torn", heldDownload{facts.Download{At: now}, "one"})
	if _, ok := d.kept("torn", DownloadAccess{Owner: "other", Fresh: time.Hour}); ok {
		t.Error("a failure is handed on")
	}
	if _, ok := d.kept(newest, DownloadAccess{Owner: "one", Fresh: time.Hour}); ok {
		t.Error("a download is confirmed by itself")
	}
}

const benchmarkImage = 15 << 20

// imageServer serves an image of 15 MiB.
func imageServer(b *testing.B) *httptest.Server {
	b.Helper()
	piece := make([]byte, 256<<10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(benchmarkImage))
		for range benchmarkImage / len(piece) {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	}))
	b.Cleanup(server.Close)
	return server
}

// BenchmarkDownload reads an image of 15 MiB and throws it away, once as the exporter does and once with
// nothing but net/http: what is allocated must not grow with the image. The sum alone is a part of both,
// and so is the server, which is in this process.
func BenchmarkDownload(b *testing.B) {
	b.Run("exporter", benchmarkDownload)
	b.Run("sum", func(b *testing.B) {
		piece := make([]byte, downloadBuffer)
		b.SetBytes(benchmarkImage)
		done := labtest.CPU(b)
		for b.Loop() {
			sum := sha256.New()
			for range benchmarkImage / len(piece) {
				sum.Write(piece)
			}
			sum.Sum(nil)
		}
		done()
	})
	b.Run("plain", func(b *testing.B) {
		server := imageServer(b)
		b.SetBytes(benchmarkImage)
		b.ReportAllocs()
		done := labtest.CPU(b)
		for b.Loop() {
			response, err := http.Get(server.URL)
			if err != nil {
				b.Fatal(err)
			}
			sum := sha256.New()
			n, err := io.CopyBuffer(struct{ io.Writer }{sum}, struct{ io.Reader }{response.Body}, make([]byte, downloadBuffer))
			if err != nil || n != benchmarkImage {
				b.Fatal(n, err)
			}
			response.Body.Close()
		}
		done()
		http.DefaultClient.CloseIdleConnections()
	})
}

func benchmarkDownload(b *testing.B) {
	d := NewDownloads(nil, slog.New(slog.DiscardHandler))
	access := plainDownload(b, imageServer(b), math.MaxInt) // what the rate costs is not what is measured
	b.SetBytes(benchmarkImage)
	b.ReportAllocs()
	done := labtest.CPU(b)
	for b.Loop() {
		if got := d.Read(b.Context(), access, plainFile()); got.Read != benchmarkImage {
			b.Fatal(got)
		}
	}
	done()
}

// TestDownloadHoldsNoImage holds the benchmark to its promise.
func TestDownloadHoldsNoImage(t *testing.T) {
	if testing.Short() {
		t.Skip("reads hundreds of MiB")
	}
	const most = 1 << 20
	if r := testing.Benchmark(benchmarkDownload); r.N == 0 || r.AllocedBytesPerOp() >= most {
		t.Errorf("%d bytes allocated for an image of 15 MiB, want less than 1 MiB", r.AllocedBytesPerOp())
	}
}

func TestNamesOfAnUnknownServer(t *testing.T) {
	names := startResolver(t, code(dns.RcodeNameError), nil)
	way := Way{Resolvers: []netip.AddrPort{names.AddrPort}}
	if got := askFile(t, way, imageURL(t)); got.Anonymous != nil || got.Names == nil || got.Answer() != nil {
		t.Errorf("got %+v", got)
	}
}

// TestOneQuestionForAServer: files of one server share what its resolvers said.
func TestOneQuestionForAServer(t *testing.T) {
	names := startResolver(t, code(dns.RcodeNameError), nil)
	way := Way{Resolvers: []netip.AddrPort{names.AddrPort}}
	files := way.AskFiles(t.Context(), []FileURL{imageURL(t), imageURL(t)})
	if files[0].Names == nil || files[0].Names != files[1].Names || len(names.questions()) != 1 {
		t.Errorf("asked %q, got %+v", names.questions(), files)
	}
}
