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

// adZone is the zone that the domain controller serves.
const adZone = "contoso.com"

// provisioning is how the domain is made; a change of it makes a new one.
var provisioning = []string{
	"domain", "provision",
	"--realm=CONTOSO.COM", "--domain=CONTOSO", "--server-role=dc",
	"--host-name=dc01", "--host-ip=" + insideNet + "10",
	"--dns-backend=SAMBA_INTERNAL", "--adminpass=Passw0rd-of-the-bed",
	"--option=interfaces=lo",
}

// adRecords are the company's records in the domain's zone.
var adRecords = []struct{ name, data string }{
	{"pool01", insideNet + "81"},
	{"ucupdates-r2", insideNet + "81"},
	{"ntp01", insideNet + "20"},
}

// smbConf is the domain controller's configuration. One process does it all,
// so that stopping it makes the whole controller silent; winbindd is left
// out because its socket's place on the machine cannot be moved.
const smbConf = `[global]
	netbios name = DC01
	realm = CONTOSO.COM
	workgroup = CONTOSO
	server role = active directory domain controller
	server services = rpc, nbt, wrepl, ldap, cldap, kdc, dns
	interfaces = %[2]s
	bind interfaces only = yes
	allow dns updates = nonsecure
	dns forwarder =
	private dir = %[1]s/private
	state directory = %[1]s/state
	cache directory = %[1]s/cache
	lock directory = %[1]s
	pid directory = %[1]s
	ncalrpc dir = %[1]s/ncalrpc
	binddns dir = %[1]s/bind-dns
	log file = %[1]s/log
[sysvol]
	path = %[1]s/state/sysvol
	read only = No
[netlogon]
	path = %[1]s/state/sysvol/contoso.com/scripts
	read only = No
`

func (b *Bed) newDC() *server {
	s := b.newServer(DC)
	s.command = func() (env, argv []string) {
		env = []string{"KRB5_CONFIG=" + filepath.Join(s.dir, "private", "krb5.conf")}
		return env, []string{
			"samba", "-s", filepath.Join(s.dir, "smb.conf"), "-F", "--no-process-group",
			"-M", "single", "--debug-stdout",
		}
	}
	s.ready = func(ctx context.Context) error {
		return b.expect(ctx, DC, "dc01."+adZone, "A", "NOERROR", address(DC))
	}
	return s
}

// startDC starts the domain controller from a copy of the cached domain and
// adds the company's records.
func (b *Bed) startDC(ctx context.Context) error {
	domain, err := provisioned(ctx)
	if err != nil {
		return err
	}
	if err := errors.Join(os.RemoveAll(b.dc.dir), os.MkdirAll(b.dir, 0o700)); err != nil {
		return err
	}
	if _, err := output(exec.CommandContext(ctx, locate("cp"), "-a", domain, b.dc.dir)); err != nil {
		return err
	}
	conf := fmt.Sprintf(smbConf, b.dc.dir, address(DC))
	if err := os.WriteFile(filepath.Join(b.dc.dir, "smb.conf"), []byte(conf), 0o600); err != nil {
		return err
	}
	b.dc.mu.Lock()
	defer b.dc.mu.Unlock()
	if err := b.dc.start(ctx); err != nil {
		return err
	}
	var lines []string
	for _, r := range adRecords {
		lines = append(lines, fmt.Sprintf("update add %s 900 A %s", adName(r.name), r.data))
	}
	return b.updateAD(ctx, lines...)
}

// provisioned returns the directory of a fresh domain, and makes it when
// this user has none of this Samba version and provisioning yet.
func provisioned(ctx context.Context) (string, error) {
	version, err := output(exec.CommandContext(ctx, locate("samba"), "--version"))
	if err != nil {
		return "", err
	}
	parent, err := os.UserCacheDir()
	if err != nil {
		parent = os.TempDir()
	}
	parent = filepath.Join(parent, "cx700-bed")
	key := sha256.Sum256([]byte(version + strings.Join(provisioning, "\n")))
	domain := filepath.Join(parent, fmt.Sprintf("domain-%x", key[:8]))
	if _, err := os.Stat(domain); err == nil {
		return domain, nil
	}
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return "", err
	}
	fresh, err := os.MkdirTemp(parent, "new-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(fresh) }()
	args := append(provisioning, "--targetdir="+fresh)
	if _, err := output(exec.CommandContext(ctx, locate("samba-tool"), args...)); err != nil {
		return "", err
	}
	// Another process may have been faster; its domain is as good.
	if err := os.Rename(fresh, domain); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	return domain, nil
}

// adName makes a name in the domain's zone absolute.
func adName(name string) string {
	name = strings.TrimSuffix(name, ".")
	if name == adZone || strings.HasSuffix(name, "."+adZone) {
		return name + "."
	}
	return name + "." + adZone + "."
}

// updateAD sends a dynamic update to the domain controller.
func (b *Bed) updateAD(ctx context.Context, lines ...string) error {
	cmd := b.Command(ctx, DC, "nsupdate", "-t", "10")
	cmd.Stdin = strings.NewReader(fmt.Sprintf("server %s\nzone %s\n%s\nsend\n",
		address(DC), adZone, strings.Join(lines, "\n")))
	_, err := output(cmd)
	return err
}

// AddADRecord adds a record to the domain's zone contoso.com. The name is
// relative to the zone or in it; data is as in a zone file.
func (b *Bed) AddADRecord(ctx context.Context, name, recordType, data string) error {
	err := b.updateAD(ctx, fmt.Sprintf("update add %s 900 %s %s", adName(name), recordType, data))
	if err != nil {
		return err
	}
	return b.flush(ctx)
}

// DeleteADRecord removes a record from the domain's zone contoso.com; empty
// data removes all records of that name and type.
func (b *Bed) DeleteADRecord(ctx context.Context, name, recordType, data string) error {
	err := b.updateAD(ctx, fmt.Sprintf("update delete %s %s %s", adName(name), recordType, data))
	if err != nil {
		return err
	}
	return b.flush(ctx)
}
