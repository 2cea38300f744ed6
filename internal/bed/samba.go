//go:build linux

package bed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// adRecords are the company's records in the domain's zone.
var adRecords = []struct{ name, data string }{
	{"pool01", insideNet + "81"},
	{"fe02", insideNet + "83"},
	{"ucupdates-r2", insideNet + "81"},
	{"ntp01", insideNet + "20"},
	{"ca01", insideNet + "15"},
}

// smbConf is a domain controller's configuration. One process does it all,
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
	wins support = yes
	wins server = %[2]s
	log level = 1 auth_json_audit:4
	private dir = %[1]s/private
	state directory = %[1]s/state
	cache directory = %[1]s/cache
	lock directory = %[1]s
	pid directory = %[1]s
	ncalrpc dir = %[1]s/ncalrpc
	binddns dir = %[1]s/bind-dns
	log file = %[1]s/log
	tls enabled = yes
	tls keyfile = %[1]s/certificates/%[3]s
	tls certfile = %[1]s/certificates/%[4]s
	tls cafile = %[1]s/certificates/root.pem
	ldap server require strong auth = %[5]s
	old password allowed period = 0
	kdc supported enctypes = %[6]s
[sysvol]
	path = %[1]s/state/sysvol
	read only = No
[netlogon]
	path = %[1]s/state/sysvol/contoso.com/scripts
	read only = No
`

// smbConfFile is the configuration's name in the domain controller's directory.
const smbConfFile = "smb.conf"

// dcServer is a domain controller.
type dcServer struct {
	*server
	ldap ldapSettings
}

func (b *Bed) newDC(host Host) *dcServer {
	s := &dcServer{server: b.newServer(host)}
	s.command = func() (env, argv []string) {
		env = []string{"KRB5_CONFIG=" + filepath.Join(s.dir, "private", "krb5.conf")}
		return env, []string{
			"samba", "-s", filepath.Join(s.dir, smbConfFile), "-F", "--no-process-group",
			"-M", "single", "--debug-stdout",
		}
	}
	s.ready = func(ctx context.Context) error {
		return b.expect(ctx, host, "dc01."+adZone, "A", "NOERROR", address(DC))
	}
	return s
}

// domain is where the domain controller keeps its files.
func (s *dcServer) domain() domain {
	return domain(s.dir)
}

// certificates is where the domain controller keeps its certificates.
func (s *dcServer) certificates() string {
	return filepath.Join(s.dir, certificatesDir)
}

// configure writes the domain controller's configuration.
func (s *dcServer) configure() error {
	text := fmt.Sprintf(smbConf, s.dir, address(s.host),
		keyFile(s.host), leafFile(s.host, s.ldap.modern), s.ldap.strongAuth(), s.ldap.encryption())
	return os.WriteFile(filepath.Join(s.dir, smbConfFile), []byte(text), 0o600)
}

// first starts the domain controller from a copy of the cached domain.
func (s *dcServer) first(ctx context.Context) error {
	if err := errors.Join(os.RemoveAll(s.dir), os.MkdirAll(s.bed.dir, 0o700)); err != nil {
		return err
	}
	if _, err := output(exec.CommandContext(ctx, locate("cp"), "-a", string(s.bed.cached), s.dir)); err != nil {
		return err
	}
	s.ldap = ldapSettings{}
	if err := s.configure(); err != nil {
		return err
	}
	// The cached domain may be older than a password may get.
	if err := s.edit(ctx, passwordSet(time.Now()), lastSetControl); err != nil {
		return err
	}
	return s.start(ctx)
}

// discard forgets the domain controller, which must not run.
func (s *dcServer) discard() error {
	return os.RemoveAll(s.dir)
}

// edit changes the domain controller's directory by LDIF, live.
func (s *dcServer) edit(ctx context.Context, ldif string, options ...string) error {
	_, err := s.domain().database(ctx, smbConfFile, "ldbmodify", ldif, options...)
	return err
}

// startDC starts the first domain controller and adds the company's records.
func (b *Bed) startDC(ctx context.Context) error {
	b.dc.mu.Lock()
	defer b.dc.mu.Unlock()
	if err := b.dc.first(ctx); err != nil {
		return err
	}
	var lines []string
	for _, r := range adRecords {
		lines = append(lines, fmt.Sprintf("update add %s 900 A %s", adName(r.name), r.data))
	}
	return b.updateAD(ctx, adZone, lines...)
}

// domainController finds the domain controller of a host, which must have
// been started once.
func (b *Bed) domainController(host Host) (*dcServer, error) {
	for _, s := range b.domainControllers() {
		if s.host == host {
			return s, nil
		}
	}
	return nil, fmt.Errorf("bed: %q is no domain controller, or was not added", host)
}

// domainControllers lists the domain controllers that were started once.
func (b *Bed) domainControllers() []*dcServer {
	var list []*dcServer
	for _, s := range []*dcServer{b.dc, b.dc2} {
		if _, err := os.Stat(filepath.Join(s.dir, smbConfFile)); err == nil {
			list = append(list, s)
		}
	}
	return list
}

// fullName is a host's name in the domain, without the final dot.
func fullName(host Host) string {
	return string(host) + "." + adZone
}

// adName makes a name in the domain's zone absolute.
func adName(name string) string {
	name = strings.TrimSuffix(name, ".")
	if name == adZone || strings.HasSuffix(name, "."+adZone) {
		return name + "."
	}
	return name + "." + adZone + "."
}

// adZoneOf is the zone of an absolute name: the locator's records have a
// zone of their own.
func adZoneOf(name string) string {
	if locator := "_msdcs." + adZone; strings.HasSuffix("."+name, "."+locator+".") {
		return locator
	}
	return adZone
}

// updateAD sends a dynamic update to the domain controller.
func (b *Bed) updateAD(ctx context.Context, zone string, lines ...string) error {
	cmd := b.Command(ctx, DC, "nsupdate", "-t", "10")
	cmd.Stdin = strings.NewReader(fmt.Sprintf("server %s\nzone %s\n%s\nsend\n",
		address(DC), zone, strings.Join(lines, "\n")))
	_, err := output(cmd)
	return err
}

// AddADRecord adds a record to the domain's zone contoso.com. The name is
// relative to the zone or in it; data is as in a zone file.
func (b *Bed) AddADRecord(ctx context.Context, name, recordType, data string) error {
	name = adName(name)
	err := b.updateAD(ctx, adZoneOf(name), fmt.Sprintf("update add %s 900 %s %s", name, recordType, data))
	if err != nil {
		return err
	}
	return b.flush(ctx)
}

// DeleteADRecord removes a record from the domain's zone contoso.com; empty
// data removes all records of that name and type.
func (b *Bed) DeleteADRecord(ctx context.Context, name, recordType, data string) error {
	name = adName(name)
	err := b.updateAD(ctx, adZoneOf(name), fmt.Sprintf("update delete %s %s %s", name, recordType, data))
	if err != nil {
		return err
	}
	return b.flush(ctx)
}
