//go:build linux

package bed

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// named runs a program on the monitor with the names of the domain's hosts
// in a hosts file of its own.
func (b *Bed) named(t *testing.T, env []string, name string, args ...string) (string, error) {
	t.Helper()
	hosts := filepath.Join(t.TempDir(), "hosts")
	var text strings.Builder
	for _, host := range []Host{DC, DC2, CA} {
		text.WriteString(address(host) + " " + fullName(host) + "\n")
	}
	must(t, os.WriteFile(hosts, []byte(text.String()), 0o600))
	cmd := b.Command(t.Context(), Monitor, "sh", append([]string{
		"-c", `mount --bind "$0" /etc/hosts && exec "$@"`, hosts, name}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	return output(cmd)
}

// bind logs on with ldapsearch and reads one entry.
func bind(t *testing.T, b *Bed, url, user, password string, more ...string) (string, error) {
	t.Helper()
	args := append([]string{"-LLL", "-x", "-H", url, "-D", user, "-w", password, "-b", adBase, "-s", "base"}, more...)
	return b.named(t, []string{"LDAPTLS_REQCERT=never"}, "ldapsearch", append(args, "dc")...)
}

// binds checks the outcome of a bind: complaint is part of the error, or
// empty for success.
func binds(t *testing.T, b *Bed, url, user, password, complaint string, more ...string) {
	t.Helper()
	text, err := bind(t, b, url, user, password, more...)
	switch {
	case complaint == "" && (err != nil || !strings.Contains(text, "dc: contoso")):
		t.Errorf("%s as %s: %v %s", url, user, err, text)
	case complaint != "" && (err == nil || !strings.Contains(err.Error(), complaint)):
		t.Errorf("%s as %s: want %q, got %v", url, user, complaint, err)
	}
}

const (
	plainLDAP = "ldap://dc01.contoso.com"
	tlsLDAP   = "ldaps://dc01.contoso.com"
	probeUPN  = "probe@contoso.com"
)

// signature connects to LDAPS, verifies the chain against the bed's root and
// returns what the certificate is signed with.
func signature(t *testing.T, b *Bed, host Host) string {
	t.Helper()
	text, err := b.named(t, nil, "sh", "-c",
		`openssl s_client -connect "$0":636 -verify_hostname "$0" -CAfile "$1" -verify_return_error \
			-cipher DEFAULT@SECLEVEL=0 </dev/null | openssl x509 -noout -text`, fullName(host), b.RootFile())
	must(t, err)
	_, after, _ := strings.Cut(text, "Signature Algorithm: ")
	algorithm, _, _ := strings.Cut(after, "\n")
	return algorithm
}

func TestLDAP(t *testing.T) {
	t.Parallel()
	b := started(t)
	ctx := t.Context()
	binds(t, b, plainLDAP, probeUPN, ProbePassword, "")
	binds(t, b, plainLDAP, `CONTOSO\probe`, ProbePassword, "")
	binds(t, b, plainLDAP, probeUPN, ProbePassword, "", "-ZZ")
	binds(t, b, tlsLDAP, probeUPN, ProbePassword, "")
	binds(t, b, plainLDAP, probeUPN, "wrong", "data 52e")
	if got := signature(t, b, DC); got != "sha1WithRSAEncryption" {
		t.Errorf("signed with %s", got)
	}

	must(t, b.UseSHA256(ctx, DC))
	if got := signature(t, b, DC); got != "sha256WithRSAEncryption" {
		t.Errorf("signed with %s", got)
	}
	must(t, b.RequireStrongAuth(ctx, DC))
	binds(t, b, plainLDAP, probeUPN, ProbePassword, "Strong(er) authentication required")
	binds(t, b, plainLDAP, probeUPN, ProbePassword, "", "-ZZ")
	binds(t, b, tlsLDAP, probeUPN, ProbePassword, "")
	must(t, b.HealDC(ctx, DC))
	binds(t, b, plainLDAP, probeUPN, ProbePassword, "")
	if got := signature(t, b, DC); got != "sha1WithRSAEncryption" {
		t.Errorf("healed, but signed with %s", got)
	}

	root, err := exec.CommandContext(ctx, "openssl", "x509", "-noout", "-text", "-in", b.RootFile()).Output()
	must(t, err)
	for _, want := range []string{"sha1WithRSAEncryption", "2048 bit", "CA:TRUE"} {
		if !strings.Contains(string(root), want) {
			t.Errorf("the root lacks %s:\n%s", want, root)
		}
	}
}
