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

// webServer is an Apache.
type webServer struct {
	*server
}

// apacheHead begins every configuration: directory, directory of the
// modules, name of the server. Its own modules offer Negotiate and NTLM as
// IIS does.
const apacheHead = `ServerRoot %[1]s
DefaultRuntimeDir %[1]s
PidFile %[1]s/apache.pid
ServerName %[3]s
LoadModule mpm_event_module %[2]s/mod_mpm_event.so
LoadModule authn_core_module %[2]s/mod_authn_core.so
LoadModule authn_file_module %[2]s/mod_authn_file.so
LoadModule authz_core_module %[2]s/mod_authz_core.so
LoadModule authz_user_module %[2]s/mod_authz_user.so
LoadModule auth_basic_module %[2]s/mod_auth_basic.so
LoadModule auth_gssapi_module %[2]s/mod_auth_gssapi.so
LoadModule alias_module %[2]s/mod_alias.so
LoadModule mime_module %[2]s/mod_mime.so
LoadModule rewrite_module %[2]s/mod_rewrite.so
LoadModule setenvif_module %[2]s/mod_setenvif.so
TypesConfig /dev/null
ErrorLog /dev/stderr
LogFormat "%%r %%>s %%{scheme}e" plain
CustomLog %[1]s/requests plain
SetEnvIf Authorization ^(\S+) scheme=$1
DocumentRoot %[1]s/pages
RewriteEngine On
`

// ntlmLogon asks for a logon by NTLM.
const ntlmLogon = `AuthType GSSAPI
AuthName bed
GssapiConnectionBound On
GssapiAllowedMech ntlmssp
Require valid-user
`

// windowsLogon asks for a logon as IIS does.
const windowsLogon = ntlmLogon + "GssapiAllowedMech krb5\n"

// basicLogon asks for a logon by Basic only.
const basicLogon = `AuthType Basic
AuthName bed
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

func (b *Bed) newWeb(host Host) *webServer {
	s := &webServer{server: b.newServer(host)}
	s.command = s.commandLine
	s.ready = func(ctx context.Context) error { return b.answersHTTP(ctx, host, "http") }
	return s
}

// answersHTTP is one look whether a web server answers anything at all.
func (b *Bed) answersHTTP(ctx context.Context, host Host, scheme string) error {
	cmd := b.Command(ctx, Monitor, "curl", "-sSk", "-o", "/dev/null", "--noproxy", "*",
		"--max-time", "2", scheme+"://"+address(host)+"/")
	cmd.Env = append(os.Environ(), "OPENSSL_CONF="+b.openSSLConfig())
	_, err := output(cmd)
	return err
}

// file names a file of the server.
func (s *server) file(name string) string {
	return filepath.Join(s.dir, name)
}

// write writes files of the server: content by name.
func (s *server) write(files map[string]string) error {
	for name, text := range files {
		if err := os.WriteFile(s.file(name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// commandLine runs Apache as nobody, for it serves nothing as root, with the
// capabilities that its ports and the bed's closed directory need. It is one
// process, so that its ports are closed when that has ended.
func (s *webServer) commandLine() (env, argv []string) {
	env = []string{
		"KRB5_CONFIG=" + s.bed.KerberosConfig(),
		"KRB5_KTNAME=" + s.file(keytabFile),
		"KRB5RCACHENAME=none:",
		"NTLM_USER_FILE=" + s.file("ntlm-users"),
		"OPENSSL_CONF=" + s.bed.openSSLConfig(),
	}
	const capabilities = "+dac_override,+net_bind_service"
	return env, []string{
		"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
		"--inh-caps=" + capabilities, "--ambient-caps=" + capabilities,
		"--", locate("apache2"), "-X", "-f", s.file("apache.conf"),
	}
}

// prepare makes what every web server needs: its directory, a keytab file of
// its own, which may be empty, and Probe's password in two formats.
func (s *webServer) prepare(keytab string) error {
	if err := os.MkdirAll(s.file("pages"), 0o700); err != nil {
		return err
	}
	digest := sha1.Sum([]byte(ProbePassword)) //nolint:gosec // the password file's own format
	return s.write(map[string]string{
		keytabFile:   keytab,
		"ntlm-users": fmt.Sprintf("CONTOSO:%s:%s\n", Probe, ProbePassword),
		"users":      fmt.Sprintf("%s:{SHA}%s\n", Probe, base64.StdEncoding.EncodeToString(digest[:])),
	})
}

// configure writes the configuration: what comes after the head.
func (s *webServer) configure(name, rest string) error {
	head := fmt.Sprintf(apacheHead, s.dir, apacheModules(), name)
	return s.write(map[string]string{"apache.conf": head + rest})
}

// requests reads what a web server was asked from its log, and leaves out
// the questions of answersHTTP.
func (s *webServer) requests() ([]string, error) {
	text, err := os.ReadFile(s.file("requests"))
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
