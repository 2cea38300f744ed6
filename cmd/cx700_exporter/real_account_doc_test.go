//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/cx700/cx700_exporter/internal/bed"
)

var (
	shellBlock  = regexp.MustCompile("(?s)```sh\n(.*?)```")
	newPassword = regexp.MustCompile(`^samba-tool user create \S+ '([^']+)'`)
)

// TestRealAccountDoc makes the account as docs/account.md says for Samba, command by command, reads Active Directory with
// it, and sees that it may write nothing.
func TestRealAccountDoc(t *testing.T) {
	r := newRig(t)
	var commands []string
	text, err := os.ReadFile("../../docs/account.md")
	must(t, err)
	for _, block := range shellBlock.FindAllStringSubmatch(string(text), -1) {
		for line := range strings.Lines(strings.ReplaceAll(block[1], "\\\n", "")) {
			if strings.HasPrefix(line, "samba-tool ") {
				commands = append(commands, strings.TrimSpace(line))
			}
		}
	}
	password := ""
	dir := t.TempDir()
	tried := false
	for _, command := range commands {
		if m := newPassword.FindStringSubmatch(command); m != nil {
			password = m[1]
		}
		if strings.Contains(command, "user disable") {
			tried = true
			r.tryAccount(t, dir, password)
		}
		cmd := exec.CommandContext(t.Context(), "sh", "-c", command+" --configfile='"+r.SambaConfig()+"'")
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
	if !tried {
		t.Errorf("the account was never tried; of docs/account.md were run: %q", commands)
	}
}

// tryAccount reads with the account by its password and by the keytab, and tries to write.
func (r *rig) tryAccount(t *testing.T, dir, password string) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(dir, "reader"), []byte(password+"\n"), 0o600))
	file := filepath.Join(dir, "cx700.yml")
	must(t, os.WriteFile(file, fmt.Appendf(nil, `credentials:
  by-password: {username: cx700-reader@contoso.com, password_file: reader, allowed_hosts: ["*.contoso.com"]}
  by-keytab: {username: cx700-reader@contoso.com, keytab_file: reader.keytab, allowed_hosts: ["*.contoso.com"]}
sites:
  - name: ldaps
    sip_domain: fabrikam.com
    dhcp: {domain: contoso.com, dns_servers: [192.168.7.5]}
    networks: {internal: {directory: {credential: by-password, bind: ldaps, roots: [%[1]s]}}}
  - name: kerberos
    sip_domain: fabrikam.com
    dhcp: {domain: contoso.com, dns_servers: [192.168.7.5]}
    networks: {internal: {directory: {credential: by-keytab, bind: kerberos, roots: [%[1]s]}}}
`, r.RootFile()), 0o600))
	for _, site := range []string{"ldaps", "kerberos"} {
		code, out := r.ran(t, "probe", "directory", "--site", site, "--config.file="+file, "--state.file="+filepath.Join(dir, "state.json"))
		if code != exitGood || !strings.Contains(out, "populated") {
			t.Errorf("%s: exit code %d:\n%s", site, code, out)
		}
	}
	change := "dn: CN=Certification Authorities,CN=Public Key Services,CN=Services,CN=Configuration,DC=contoso,DC=com\n" +
		"changetype: modify\nreplace: description\ndescription: changed\n"
	cmd := r.Command(t.Context(), bed.Monitor, "ldapmodify", "-x", "-H", "ldaps://192.168.7.10", "-D", "cx700-reader@contoso.com", "-w", password)
	cmd.Env = append(os.Environ(), "LDAPTLS_REQCERT=never")
	cmd.Stdin = strings.NewReader(change)
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "Insufficient access (50)") {
		t.Errorf("the account is to be refused when it writes: %v\n%s", err, out)
	}
}
