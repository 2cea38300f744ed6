//go:build linux

package bed

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// updateServer is an Apache that plays the update service of a front end,
// or what the reverse proxy publishes of it.
type updateServer struct {
	*webServer
	now Update
}

// updateModules are what the update service needs beside the modules of
// apacheHead: the directory of the modules.
const updateModules = `LoadModule ssl_module %[1]s/mod_ssl.so
LoadModule lua_module %[1]s/mod_lua.so
LoadModule ratelimit_module %[1]s/mod_ratelimit.so
AddType application/octet-stream .nbt
AddType application/vnd.ms-pki.seccat .cat
AddType text/xml .xml
Timeout 60
`

// oldTLS is what IIS on Windows 2003 speaks: key file and certificate.
const oldTLS = `SSLEngine On
SSLProtocol TLSv1
SSLCipherSuite AES128-SHA:AES256-SHA
SSLCertificateKeyFile %s
SSLCertificateFile %s
`

// handlerScript answers for ucdevice.upx and keeps what was posted: file,
// type, body, seconds that the clock is wrong. Apache serves no POST itself.
const handlerScript = `function handle(r)
	if r.method == "POST" then
		local file = io.open(%q, "a")
		file:write(r:base64_encode(r:requestbody(nil, 65536) or ""), "\n")
		file:close()
	end
	r.content_type = %q
	local now = os.date("!%%Y-%%m-%%dT%%H:%%M:%%S", os.time() + %d)
	r:puts((([==[%s]==]):gsub("` + nowMark + `", now)))
	return apache2.OK
end
`

// cutOffScript sends less than it announces: length and file.
const cutOffScript = `function handle(r)
	r.content_type = "application/octet-stream"
	r.subprocess_env["nokeepalive"] = "1"
	r.headers_out["Content-Length"] = "%d"
	r:sendfile(%q)
	return apache2.OK
end
`

func (b *Bed) newUpdates() map[Host]*updateServer {
	servers := make(map[Host]*updateServer)
	for _, host := range []Host{Pool, FrontEnd2, WebOutside} {
		s := &updateServer{webServer: b.newWeb(host)}
		s.ready = func(ctx context.Context) error {
			var errs []error
			for _, scheme := range s.schemes() {
				errs = append(errs, b.answersHTTP(ctx, host, scheme))
			}
			return errors.Join(errs...)
		}
		servers[host] = s
	}
	return servers
}

// schemes lists by what the server is reached now.
func (s *updateServer) schemes() []string {
	switch {
	case s.outside() || s.now.Ports == OnlyPlain:
		return []string{"http"}
	case s.now.Ports == OnlyTLS:
		return []string{"https"}
	}
	return []string{"http", "https"}
}

// outside tells whether the server stands behind the reverse proxy.
func (s *updateServer) outside() bool {
	return s.host == WebOutside
}

// first starts the server for the first time.
func (s *updateServer) first(ctx context.Context) error {
	if err := s.prepare(""); err != nil {
		return err
	}
	err := s.write(map[string]string{
		"CPE.cat":      "A signature catalogue of the bed, which signs nothing.\r\n",
		"CPE_desc.xml": "<?xml version=\"1.0\" ?><Description><FileName>CPE.nbt</FileName></Description>\r\n",
		"cut-off.lua":  fmt.Sprintf(cutOffScript, ImageSize, cutImage.path()),
	})
	if err != nil {
		return err
	}
	return s.apply(ctx, Update{})
}

// apply restarts the server with the given answer, unless it answers so.
func (s *updateServer) apply(ctx context.Context, u Update) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running() && !s.paused && s.now == u {
		return nil
	}
	s.now = u
	script := fmt.Sprintf(handlerScript, s.file("posted"), u.contentType(), int(u.Clock/time.Second), u.body())
	if err := s.write(map[string]string{"answer.lua": script}); err != nil {
		return err
	}
	certificates := filepath.Join(string(s.bed.cached), certificatesDir)
	conf := fmt.Sprintf(updateModules, apacheModules())
	for _, scheme := range s.schemes() {
		port, tls := "80", ""
		if scheme == "https" {
			port, tls = "443", fmt.Sprintf(oldTLS,
				filepath.Join(certificates, keyFile(s.host)), filepath.Join(certificates, leafFile(s.host, false)))
		}
		listen := address(s.host) + ":" + port
		conf += fmt.Sprintf("Listen %[1]s\n<VirtualHost %[1]s>\n%[2]s%[3]s</VirtualHost>\n", listen, tls, s.site())
	}
	if err := s.configure(fullName(s.host), conf); err != nil {
		return err
	}
	s.kill()
	return s.start(ctx)
}

// site is the part of the configuration that all ports share. Paths match
// in any case, as those of IIS do.
func (s *updateServer) site() string {
	u, handler, files := s.now, "/RequestHandler", "/DeviceUpdateFiles_Int"
	if s.outside() {
		handler, files = "/RequestHandlerExt", "/DeviceUpdateFiles_Ext"
	}
	page, stored := matching(handler+"/ucdevice.upx"), files+u.folder()
	var text strings.Builder
	line := func(format string, values ...any) { _, _ = fmt.Fprintf(&text, format+"\n", values...) }
	line("ServerName %s\nRewriteEngine On", fullName(s.host))
	s.detours(line, handler, page, matching(stored+"/CPE.nbt"))
	line("AliasMatch %s %s", page, s.file("answer.lua"))
	line("AliasMatch %s %s", matching(stored+"/CPE.cat"), s.file("CPE.cat"))
	line("AliasMatch %s %s", matching(stored+"/CPE_desc.xml"), s.file("CPE_desc.xml"))
	line("AliasMatch %s %s", matching(files+"/OCInterim/ENU/cpe.nbt"), otherImage.path())
	if u.Image != ImageMissing {
		line("AliasMatch %s %s", matching(stored+"/CPE.nbt"), s.image())
	}
	line("<Files *.lua>\nSetHandler lua-script\n</Files>")
	line("<LocationMatch %s>\n%s</LocationMatch>", matching(stored+"/CPE.nbt"), u.Image.directives())
	line("<Location />\n%s</Location>", s.access())
	return text.String()
}

// matching is the pattern, in quotes, of exactly this path in any case.
func matching(path string) string {
	return `"(?i)^` + regexp.QuoteMeta(path) + `$"`
}

// detours writes the rules that lead away from the files: statuses and
// redirections, which come before any logon, and the image that is cut off.
func (s *updateServer) detours(line func(string, ...any), handler, page, image string) {
	elsewhere := map[Host]string{
		Pool:       "http://" + fullName(FrontEnd2),
		FrontEnd2:  "http://" + fullName(Pool),
		WebOutside: "http://" + address(WebOutside),
	}[s.host] + "/elsewhere"
	origin := ""
	if s.outside() {
		origin = "https://" + proxyName
	}
	if s.now.Status != 0 {
		line("RewriteRule %s - [R=%d]", page, s.now.Status)
	}
	switch s.now.Answer {
	case RedirectCircle:
		line("RewriteRule %s %s%s/round.upx [R=302,L]", page, origin, handler)
		line("RewriteRule %s %s%s/ucdevice.upx [R=302,L]", matching(handler+"/round.upx"), origin, handler)
	case RedirectElsewhere:
		line("RewriteRule %s %s [R=302,L]", page, elsewhere)
	}
	switch s.now.Image {
	case ImageElsewhere:
		line("RewriteRule %s %s [R=302,L]", image, elsewhere)
	case ImageCutOff: // of the whole only: HEAD and parts are as they should be
		line("RewriteCond %%{REQUEST_METHOD} =GET\nRewriteCond %%{HTTP:Range} ^$\nRewriteRule %s %s [L]", image, s.file("cut-off.lua"))
	}
}

// image is the file that is served as CPE.nbt.
func (s *updateServer) image() string {
	switch s.now.Image {
	case ImageCut:
		return cutImage.path()
	case ImageChanged:
		return otherImage.path()
	}
	return wholeImage.path()
}

// directives are how the image is served.
func (i ImageAnswer) directives() string {
	if i == ImageSlow {
		return fmt.Sprintf("SetOutputFilter RATE_LIMIT\nSetEnvIf Request_URI ^ rate-limit=%d\n", SlowRate>>10)
	}
	return ""
}

// access is who may have anything.
func (s *updateServer) access() string {
	switch {
	case !s.outside() || s.now.Access == Anonymous:
		return "Require all granted\n"
	case s.now.Access == BasicOnly:
		return fmt.Sprintf(basicLogon, s.dir)
	}
	return ntlmLogon
}

// posted reads what handlerScript kept.
func (s *updateServer) posted() ([]string, error) {
	text, err := os.ReadFile(s.file("posted"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []string
	for line := range strings.Lines(string(text)) {
		body, err := base64.StdEncoding.DecodeString(strings.TrimSpace(line))
		if err != nil {
			return nil, err
		}
		list = append(list, string(body))
	}
	return list, nil
}
