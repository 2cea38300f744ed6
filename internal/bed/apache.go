//go:build linux

package bed

import (
	"context"
	"crypto/sha1" //nolint:gosec // the password file's own format
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// webServer is the Apache that plays the CA's enrolment pages.
type webServer struct {
	*server
}

// apacheConf is Apache's configuration. Its own modules offer Negotiate and
// NTLM as IIS does.
const apacheConf = `ServerRoot %[1]s
DefaultRuntimeDir %[1]s
PidFile %[1]s/apache.pid
ServerName ca01.contoso.com
Listen %[2]s:80
LoadModule mpm_event_module %[3]s/mod_mpm_event.so
LoadModule authn_core_module %[3]s/mod_authn_core.so
LoadModule authn_file_module %[3]s/mod_authn_file.so
LoadModule authz_core_module %[3]s/mod_authz_core.so
LoadModule authz_user_module %[3]s/mod_authz_user.so
LoadModule auth_basic_module %[3]s/mod_auth_basic.so
LoadModule auth_gssapi_module %[3]s/mod_auth_gssapi.so
LoadModule alias_module %[3]s/mod_alias.so
LoadModule mime_module %[3]s/mod_mime.so
LoadModule rewrite_module %[3]s/mod_rewrite.so
LoadModule setenvif_module %[3]s/mod_setenvif.so
TypesConfig /dev/null
ErrorLog /dev/stderr
LogFormat "%%r %%>s %%{scheme}e" plain
CustomLog %[1]s/requests plain
SetEnvIf Authorization ^(\S+) scheme=$1
DocumentRoot %[1]s/pages
RewriteEngine On
RewriteCond %%{QUERY_STRING} !^ReqID=CACert&Renewal=-1&Enc=b64$ [NC]
RewriteRule ^/certsrv/ - [R=404]
%[4]s<Location /certsrv/>
%[5]s</Location>
`

// windowsLogon asks for a logon as IIS does.
const windowsLogon = `AuthType GSSAPI
AuthName certsrv
GssapiConnectionBound On
GssapiAllowedMech krb5
GssapiAllowedMech ntlmssp
Require valid-user
`

// basicLogon asks for a logon by Basic only.
const basicLogon = `AuthType Basic
AuthName certsrv
AuthUserFile %s/users
Require valid-user
`

// apacheModules finds the directory of Apache's modules; it returns an empty
// string if mod_auth_gssapi is not there.
func apacheModules() string {
	for _, dir := range []string{"/usr/lib/apache2/modules", "/usr/lib64/httpd/modules"} {
		if _, err := os.Stat(filepath.Join(dir, "mod_auth_gssapi.so")); err == nil {
			return dir
		}
	}
	return ""
}

func (b *Bed) newWeb() *webServer {
	s := &webServer{server: b.newServer(CA)}
	s.command = s.commandLine
	s.ready = s.answers
	return s
}

func (s *webServer) file(name string) string {
	return filepath.Join(s.dir, name)
}

// commandLine runs Apache as nobody, for it serves nothing as root, with the
// capabilities that its port and the bed's closed directory need. It is one
// process, so that its port is closed when that has ended.
func (s *webServer) commandLine() (env, argv []string) {
	env = []string{
		"KRB5_CONFIG=" + s.bed.KerberosConfig(),
		"KRB5_KTNAME=" + s.file(keytabFile),
		"KRB5RCACHENAME=none:",
		"NTLM_USER_FILE=" + s.file("ntlm-users"),
	}
	const capabilities = "+dac_override,+net_bind_service"
	return env, []string{
		"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
		"--inh-caps=" + capabilities, "--ambient-caps=" + capabilities,
		"--", locate("apache2"), "-X", "-f", s.file("apache.conf"),
	}
}

// answers is one look whether the server answers anything.
func (s *webServer) answers(ctx context.Context) error {
	_, err := s.bed.run(ctx, Monitor, "curl", "-sS", "-o", "/dev/null", "--noproxy", "*",
		"--max-time", "2", "http://"+address(s.host)+"/")
	return err
}

// first starts the server for the first time. The keytab is that of the
// cached domain.
func (s *webServer) first(ctx context.Context) error {
	cached := string(s.bed.cached)
	keytab, err := os.ReadFile(filepath.Join(cached, keytabFile))
	if err != nil {
		return err
	}
	root, err := readRoot(filepath.Join(cached, certificatesDir), rootFile)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.file("pages"), 0o700); err != nil {
		return err
	}
	digest := sha1.Sum([]byte(ProbePassword)) //nolint:gosec // the password file's own format
	files := map[string]string{
		keytabFile:   string(keytab),
		"ntlm-users": fmt.Sprintf("CONTOSO:%s:%s\n", Probe, ProbePassword),
		"users":      fmt.Sprintf("%s:{SHA}%s\n", Probe, base64.StdEncoding.EncodeToString(digest[:])),
	}
	pages, err := certsrvPages(ctx, root)
	if err != nil {
		return err
	}
	for body, text := range pages {
		files[body.page()] = text
	}
	for name, text := range files {
		if err := os.WriteFile(s.file(name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return s.apply(ctx, Certsrv{})
}

// apply restarts the server with the given answer.
func (s *webServer) apply(ctx context.Context, c Certsrv) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	redirect, location := c.directives(s.dir)
	conf := fmt.Sprintf(apacheConf, s.dir, address(s.host), apacheModules(), redirect, location)
	if err := os.WriteFile(s.file("apache.conf"), []byte(conf), 0o600); err != nil {
		return err
	}
	s.kill()
	return s.start(ctx)
}

// Requests lists what the web server on ca01.contoso.com was asked, in
// order: request line, status, and the scheme of the credentials or "-". A
// request is listed just after its answer has been sent. Those for "/" are
// left out: the bed asks for it itself.
func (b *Bed) Requests() ([]string, error) {
	text, err := os.ReadFile(b.web.file("requests"))
	if err != nil {
		return nil, err
	}
	var list []string
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "GET / ") {
			list = append(list, strings.TrimSpace(line))
		}
	}
	return list, nil
}
