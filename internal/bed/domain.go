//go:build linux

package bed

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	// adZone is the zone that the domain controller serves.
	adZone = "contoso.com"
	// adRealm is the domain's Kerberos realm.
	adRealm = "CONTOSO.COM"
	// adBase is the root of the domain's naming context.
	adBase = "DC=contoso,DC=com"
)

// contentVersion is raised when the content of a fresh domain changes by
// other means than its provisioning and its LDIF.
const contentVersion = "6"

// What a domain's directory holds of the bed's own.
const (
	certificatesDir = "certificates"
	keytabFile      = "web.keytab"
)

// provisioning is how the domain is made; a change of it makes a new one.
var provisioning = []string{
	"domain", "provision",
	"--realm=" + adRealm, "--domain=CONTOSO", "--server-role=dc",
	"--host-name=dc01", "--host-ip=" + insideNet + "10",
	"--dns-backend=SAMBA_INTERNAL", "--adminpass=Passw0rd-of-the-bed",
	"--option=interfaces=lo",
}

// domain is the directory of a domain controller's files.
type domain string

// tool prepares a Samba tool that works on the domain's own files.
func (d domain) tool(ctx context.Context, conf, name string, args ...string) *exec.Cmd {
	args = append(args, "--configfile="+filepath.Join(string(d), conf))
	return exec.CommandContext(ctx, locate(name), args...)
}

// database runs one of the ldb tools on the directory's database. A running
// domain controller sees the change at once.
func (d domain) database(ctx context.Context, conf, name, input string, args ...string) (string, error) {
	cmd := d.tool(ctx, conf, name, append(args, "-H", filepath.Join(string(d), "private", "sam.ldb"))...)
	cmd.Stdin = strings.NewReader(input)
	return output(cmd)
}

// fresh makes a domain with all that the bed keeps in it.
func (d domain) fresh(ctx context.Context) error {
	args := append(provisioning, "--targetdir="+string(d))
	if _, err := output(exec.CommandContext(ctx, locate("samba-tool"), args...)); err != nil {
		return err
	}
	certificates := filepath.Join(string(d), certificatesDir)
	if err := makeCertificates(certificates); err != nil {
		return err
	}
	root, err := readRoot(certificates, rootFile)
	if err != nil {
		return err
	}
	const conf = "etc/smb.conf"
	text := accountsLDIF() + publishedLDIF(root)
	if _, err := d.database(ctx, conf, "ldbmodify", text); err != nil {
		return err
	}
	return d.exportKeytab(ctx, conf, WebAccount, filepath.Join(string(d), keytabFile))
}

// exportKeytab writes the account's present keys to a file.
func (d domain) exportKeytab(ctx context.Context, conf string, account Account, file string) error {
	_, err := output(d.tool(ctx, conf, "samba-tool", "domain", "exportkeytab", file,
		"--principal="+account.principal()))
	return err
}

// cacheDir is where this user's beds keep what takes long to make.
func cacheDir() string {
	parent, err := os.UserCacheDir()
	if err != nil {
		parent = os.TempDir()
	}
	return filepath.Join(parent, "cx700-bed")
}

// provisioned returns a fresh domain, and makes it when this user has none
// of this Samba version and content yet.
func provisioned(ctx context.Context) (domain, error) {
	version, err := output(exec.CommandContext(ctx, locate("samba"), "--version"))
	if err != nil {
		return "", err
	}
	parent := cacheDir()
	content := contentVersion + version + strings.Join(provisioning, "\n") + accountsLDIF() + publishedLDIF(nil)
	key := sha256.Sum256([]byte(content))
	kept := filepath.Join(parent, fmt.Sprintf("domain-%x", key[:8]))
	if _, err := os.Stat(kept); err == nil {
		return domain(kept), nil
	}
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return "", err
	}
	fresh, err := os.MkdirTemp(parent, "new-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(fresh) }()
	if err := domain(fresh).fresh(ctx); err != nil {
		return "", err
	}
	// Another process may have been faster; its domain is as good.
	if err := os.Rename(fresh, kept); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	return domain(kept), nil
}
