//go:build linux

package bed

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

// Account is the name of an account in the domain (sAMAccountName).
type Account string

// The accounts of the domain that tests may use.
const (
	// Probe is the account with which a monitor reads the directory. Its
	// user principal name is probe@contoso.com.
	Probe Account = "probe"
	// WebAccount runs the web server: it owns HTTP/ca01.contoso.com.
	WebAccount Account = "ca01-web"
	// DCAccount is the account of the domain controllers: it owns
	// ldap/dc01.contoso.com and ldap/dc02.contoso.com.
	DCAccount Account = "DC01$"
)

// ProbePassword is the password of Probe until SetPassword changes it.
const ProbePassword = "Passw0rd-of-the-probe"

const webPassword = "Passw0rd-of-the-web-server"

// Values of the userAccountControl attribute, [MS-ADTS] 2.2.16.
const (
	normalAccount   = 0x200
	accountDisabled = 0x2
	neverExpires    = 0x10000
	lockedOut       = 0x10
)

// lastSetControl lets the attribute pwdLastSet be set to any moment
// (DSDB_CONTROL_PASSWORD_BYPASS_LAST_SET_OID of Samba).
const lastSetControl = "--controls=local_oid:1.3.6.1.4.1.7165.4.3.20:0"

// dn is the account's distinguished name.
func (a Account) dn() string {
	if a == DCAccount {
		return "CN=DC01,OU=Domain Controllers," + adBase
	}
	return "CN=" + string(a) + ",CN=Users," + adBase
}

// principal is the Kerberos principal under which the account's keys are used.
func (a Account) principal() string {
	if a == WebAccount {
		return "HTTP/" + fullName(CA) + "@" + adRealm
	}
	return string(a) + "@" + adRealm
}

// accountsLDIF makes the accounts of a fresh domain. A controller that does
// not register its own names lacks the ones which LDAP clients ask for.
func accountsLDIF() string {
	return newUser(Probe, normalAccount, ProbePassword,
		"userPrincipalName: probe@"+adZone) +
		newUser(WebAccount, normalAccount|neverExpires, webPassword,
			"servicePrincipalName: HTTP/"+fullName(CA)) +
		"dn: " + DCAccount.dn() + "\nchangetype: modify\nadd: servicePrincipalName\n" +
		"servicePrincipalName: ldap/" + fullName(DC) + "\n" +
		"servicePrincipalName: ldap/" + fullName(DC) + "/" + adZone + "\n" +
		"servicePrincipalName: ldap/" + fullName(DC2) + "\n\n"
}

func newUser(account Account, control int, password string, more string) string {
	return fmt.Sprintf("dn: %s\nchangetype: add\nobjectClass: user\nsAMAccountName: %s\n"+
		"unicodePwd:: %s\nuserAccountControl: %d\n%s\n\n",
		account.dn(), account, unicodePwd(password), control, more)
}

// unicodePwd writes a password as the attribute of that name wants it,
// [MS-ADTS] 3.1.1.3.1.5.1, in base64.
func unicodePwd(password string) string {
	var text []byte
	for _, unit := range utf16.Encode([]rune(`"` + password + `"`)) {
		text = binary.LittleEndian.AppendUint16(text, unit)
	}
	return base64.StdEncoding.EncodeToString(text)
}

// replace is the LDIF that gives an attribute a new value.
func replace(dn, attribute, value string) string {
	return fmt.Sprintf("dn: %s\nchangetype: modify\nreplace: %s\n%s: %s\n\n", dn, attribute, attribute, value)
}

// fileTimeEpoch is the start of Windows' time, in seconds of Unix time.
const fileTimeEpoch = -11644473600

// fileTime writes a moment as Windows does: 100 ns since 1601.
func fileTime(t time.Time) string {
	return strconv.FormatInt((t.Unix()-fileTimeEpoch)*1e7, 10)
}

// moment reads what fileTime writes; 0 is the zero time.
func moment(value string) (time.Time, error) {
	ticks, err := strconv.ParseInt(value, 10, 64)
	if err != nil || ticks == 0 {
		return time.Time{}, err
	}
	return time.Unix(ticks/1e7+fileTimeEpoch, ticks%1e7*100), nil
}

// editAccounts makes the same change on every domain controller, for there
// is no replication between them.
func (b *Bed) editAccounts(ctx context.Context, ldif string, options ...string) error {
	for _, s := range b.domainControllers() {
		if err := s.edit(ctx, ldif, options...); err != nil {
			return err
		}
	}
	return nil
}

// DisableAccount disables Probe (sub-code 533).
func (b *Bed) DisableAccount(ctx context.Context) error {
	control := strconv.Itoa(normalAccount | accountDisabled)
	return b.editAccounts(ctx, replace(Probe.dn(), "userAccountControl", control))
}

// EnableAccount undoes DisableAccount.
func (b *Bed) EnableAccount(ctx context.Context) error {
	return b.editAccounts(ctx, replace(Probe.dn(), "userAccountControl", strconv.Itoa(normalAccount)))
}

// ExpireAccount lets Probe have expired a day ago (sub-code 701).
func (b *Bed) ExpireAccount(ctx context.Context) error {
	yesterday := fileTime(time.Now().Add(-24 * time.Hour))
	return b.editAccounts(ctx, replace(Probe.dn(), "accountExpires", yesterday))
}

// ExpirePassword makes the password of Probe a year old, which is too old
// (sub-code 532).
func (b *Bed) ExpirePassword(ctx context.Context) error {
	return b.AgePassword(ctx, 365*24*time.Hour)
}

// AgePassword makes the password of Probe as old as given. The domain lets a
// password live for 42 days.
func (b *Bed) AgePassword(ctx context.Context, age time.Duration) error {
	return b.editAccounts(ctx, passwordSet(time.Now().Add(-age)), lastSetControl)
}

// passwordSet is the LDIF, to be used with lastSetControl, that sets when
// Probe got its password.
func passwordSet(t time.Time) string {
	return replace(Probe.dn(), "pwdLastSet", fileTime(t))
}

// RequirePasswordChange lets Probe have to change its password at the next
// logon (sub-code 773).
func (b *Bed) RequirePasswordChange(ctx context.Context) error {
	return b.editAccounts(ctx, replace(Probe.dn(), "pwdLastSet", "0"))
}

// LockAccount locks Probe out, as too many wrong passwords do (sub-code 775).
func (b *Bed) LockAccount(ctx context.Context) error {
	return b.editAccounts(ctx, replace(Probe.dn(), "lockoutTime", fileTime(time.Now())))
}

// LockAfter lets the domain lock an account after so many wrong passwords;
// 0, which is the default, means never.
func (b *Bed) LockAfter(ctx context.Context, wrong int) error {
	return b.editAccounts(ctx, replace(adBase, "lockoutThreshold", strconv.Itoa(wrong)))
}

// SetPassword gives Probe another password. Keytabs written before are void.
func (b *Bed) SetPassword(ctx context.Context, password string) error {
	return b.editAccounts(ctx, passwordLDIF(password))
}

func passwordLDIF(password string) string {
	return "dn: " + Probe.dn() + "\nchangetype: modify\nreplace: unicodePwd\nunicodePwd:: " +
		unicodePwd(password) + "\n\n"
}

// RestoreAccounts undoes all changes of accounts. It gives Probe its
// password anew: keytabs written before hold an older key version.
func (b *Bed) RestoreAccounts(ctx context.Context) error {
	return b.editAccounts(ctx, strings.Join([]string{
		replace(adBase, "lockoutThreshold", "0"),
		replace(Probe.dn(), "userAccountControl", strconv.Itoa(normalAccount)),
		replace(Probe.dn(), "accountExpires", "0"),
		replace(Probe.dn(), "lockoutTime", "0"),
		passwordLDIF(ProbePassword),
	}, ""))
}

// ExportKeytab writes the present keys of an account to a file.
func (b *Bed) ExportKeytab(ctx context.Context, account Account, file string) error {
	return b.dc.domain().exportKeytab(ctx, smbConfFile, account, file)
}

// SambaConfig is the file of the domain controller by which Samba's tools work on its own files: --configfile.
func (b *Bed) SambaConfig() string { return filepath.Join(string(b.dc.domain()), smbConfFile) }

// AccountState is what a domain controller knows of an account.
type AccountState struct {
	// Locked tells that the account is locked out.
	Locked bool
	// BadPasswords counts the wrong passwords since the last good one.
	BadPasswords int
	// Logons counts the successful logons by Kerberos: a simple bind is none
	// to Samba.
	Logons int
	// LastLogon is the last of these; the zero time means never.
	LastLogon time.Time
	// PasswordExpires is when the password becomes too old.
	PasswordExpires time.Time
}

// Account reads what the domain controller on the host knows of an account.
func (b *Bed) Account(ctx context.Context, host Host, account Account) (AccountState, error) {
	s, err := b.domainController(host)
	if err != nil {
		return AccountState{}, err
	}
	text, err := s.domain().database(ctx, smbConfFile, "ldbsearch", "", "-b", account.dn(), "-s", "base",
		"badPwdCount", "logonCount", "lastLogon",
		"msDS-User-Account-Control-Computed", "msDS-UserPasswordExpiryTimeComputed")
	if err != nil {
		return AccountState{}, err
	}
	values := make(map[string]string)
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			values[name] = value
		}
	}
	control, errControl := strconv.Atoi(values["msDS-User-Account-Control-Computed"])
	bad, errBad := strconv.Atoi(values["badPwdCount"])
	logons, errLogons := strconv.Atoi(values["logonCount"])
	last, errLast := moment(values["lastLogon"])
	expires, errExpires := moment(values["msDS-UserPasswordExpiryTimeComputed"])
	return AccountState{
		Locked: control&lockedOut != 0, BadPasswords: bad, Logons: logons,
		LastLogon: last, PasswordExpires: expires,
	}, errors.Join(errControl, errBad, errLogons, errLast, errExpires)
}
