//go:build linux

package bed

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// kinit gets a ticket for a principal from the monitor: with the password,
// or with a keytab if there is none. It returns the ticket cache.
func kinit(t *testing.T, b *Bed, principal, password, keytab string) (string, error) {
	t.Helper()
	cache := "FILE:" + filepath.Join(t.TempDir(), "tickets")
	args := []string{"-c", cache, principal}
	if keytab != "" {
		args = []string{"-c", cache, "-k", "-t", keytab, principal}
	}
	cmd := b.Command(t.Context(), Monitor, "kinit", args...)
	cmd.Env = append(os.Environ(), "KRB5_CONFIG="+b.KerberosConfig())
	cmd.Stdin = strings.NewReader(password + "\n")
	_, err := output(cmd)
	return cache, err
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	b := started(t)
	ctx := t.Context()
	faults := []struct {
		name    string
		do      func() error
		subcode string
	}{
		{"disabled", func() error { return b.DisableAccount(ctx) }, "data 533"},
		{"expired", func() error { return b.ExpireAccount(ctx) }, "data 701"},
		{"old password", func() error { return b.ExpirePassword(ctx) }, "data 532"},
		{"must change", func() error { return b.RequirePasswordChange(ctx) }, "data 773"},
		{"locked", func() error { return b.LockAccount(ctx) }, "data 775"},
		{"changed", func() error { return b.SetPassword(ctx, "An0ther-password") }, "data 52e"},
	}
	for _, f := range faults {
		must(t, f.do())
		binds(t, b, plainLDAP, probeUPN, ProbePassword, f.subcode)
		must(t, b.RestoreAccounts(ctx))
		binds(t, b, plainLDAP, probeUPN, ProbePassword, "")
	}
	must(t, b.DisableAccount(ctx))
	must(t, b.EnableAccount(ctx))
	must(t, b.SetPassword(ctx, "An0ther-password"))
	binds(t, b, plainLDAP, probeUPN, "An0ther-password", "")
	must(t, b.RestoreAccounts(ctx))
}

func TestAccountState(t *testing.T) {
	t.Parallel()
	b := started(t)
	ctx := t.Context()
	fresh, err := b.Account(ctx, DC, Probe)
	must(t, err)
	if fresh.Locked || fresh.BadPasswords != 0 || !fresh.LastLogon.IsZero() {
		t.Errorf("a fresh account is %+v", fresh)
	}
	if life := time.Until(fresh.PasswordExpires).Round(time.Hour); life != 42*24*time.Hour {
		t.Errorf("the password expires in %v", life)
	}

	begin := time.Now().Add(-time.Second)
	_, err = kinit(t, b, string(Probe), ProbePassword, "")
	must(t, err)
	used, err := b.Account(ctx, DC, Probe)
	must(t, err)
	if used.LastLogon.Before(begin) || used.LastLogon.After(time.Now()) || used.Logons != fresh.Logons+1 {
		t.Errorf("after a logon the account is %+v", used)
	}

	must(t, b.LockAfter(ctx, 3))
	for wrong := range 3 {
		binds(t, b, plainLDAP, probeUPN, fmt.Sprint("wrong", wrong), "data 52e")
	}
	binds(t, b, plainLDAP, probeUPN, ProbePassword, "data 775")
	locked, err := b.Account(ctx, DC, Probe)
	must(t, err)
	if !locked.Locked || locked.BadPasswords != 3 {
		t.Errorf("after three wrong passwords the account is %+v", locked)
	}
	must(t, b.RestoreAccounts(ctx))
	restored, err := b.Account(ctx, DC, Probe)
	must(t, err)
	if restored.Locked {
		t.Errorf("the restored account is %+v", restored)
	}

	must(t, b.AgePassword(ctx, 40*24*time.Hour))
	aged, err := b.Account(ctx, DC, Probe)
	must(t, err)
	if left := time.Until(aged.PasswordExpires).Round(time.Hour); left != 2*24*time.Hour {
		t.Errorf("a password of 40 days expires in %v", left)
	}
}

func TestKerberos(t *testing.T) {
	t.Parallel()
	b := started(t)
	ctx := t.Context()
	keytab := filepath.Join(t.TempDir(), "probe.keytab")
	must(t, b.ExportKeytab(ctx, Probe, keytab))
	sessionKey(t, b, ProbePassword, "", "aes256-cts-hmac-sha1-96")
	sessionKey(t, b, "", keytab, "aes256-cts-hmac-sha1-96")
	must(t, b.SetPassword(ctx, "An0ther-password"))
	kerberosRefuses(t, b, "", keytab, "Preauthentication failed")
	must(t, b.RestoreAccounts(ctx))
	must(t, b.UseRC4(ctx, DC))
	sessionKey(t, b, ProbePassword, "", "DEPRECATED:arcfour-hmac")
	must(t, b.HealDC(ctx, DC))
	sessionKey(t, b, ProbePassword, "", "aes256-cts-hmac-sha1-96")

	kerberosRefuses(t, b, "wrong", "", "Password incorrect")
	must(t, b.DisableAccount(ctx))
	kerberosRefuses(t, b, ProbePassword, "", "revoked")
	must(t, b.RestoreAccounts(ctx))
	if _, err := kinit(t, b, "nobody", "wrong", ""); err == nil || !strings.Contains(err.Error(), "not found in Kerberos database") {
		t.Errorf("an unknown principal gives %v", err)
	}
}

// kerberosRefuses checks that Probe gets no ticket.
func kerberosRefuses(t *testing.T, b *Bed, password, keytab, complaint string) {
	t.Helper()
	if _, err := kinit(t, b, string(Probe), password, keytab); err == nil || !strings.Contains(err.Error(), complaint) {
		t.Errorf("want %q, got %v", complaint, err)
	}
}

// sessionKey logs on by Kerberos, binds to LDAP with it and checks the
// encryption of the LDAP ticket's session key.
func sessionKey(t *testing.T, b *Bed, password, keytab, encryption string) {
	t.Helper()
	cache, err := kinit(t, b, string(Probe), password, keytab)
	must(t, err)
	env := []string{"KRB5_CONFIG=" + b.KerberosConfig(), "KRB5CCNAME=" + cache}
	text, err := b.named(t, env, "ldapsearch", "-LLL", "-Q", "-Y", "GSSAPI", "-H", plainLDAP, "-b", adBase, "-s", "base", "dc")
	if err != nil || !strings.Contains(text, "dc: contoso") {
		t.Fatalf("GSSAPI bind: %v %s", err, text)
	}
	text, err = b.named(t, env, "klist", "-e")
	must(t, err)
	_, ticket, _ := strings.Cut(text, "ldap/dc01.contoso.com@CONTOSO.COM")
	if !strings.Contains(ticket, "Etype (skey, tkt): "+encryption+",") {
		t.Errorf("want a session key of %s:\n%s", encryption, text)
	}
}

func TestLogons(t *testing.T) {
	t.Parallel()
	b := started(t)
	none, err := b.Logons(DC)
	must(t, err)
	binds(t, b, plainLDAP, probeUPN, ProbePassword, "")
	binds(t, b, plainLDAP, `CONTOSO\probe`, "wrong", "data 52e")
	sessionKey(t, b, ProbePassword, "", "aes256-cts-hmac-sha1-96")
	_, err = kinit(t, b, string(Probe), "wrong", "")
	if err == nil {
		t.Error("a wrong password gives a ticket")
	}
	got, err := b.Logons(DC)
	must(t, err)
	want := []Logon{
		{probeUPN, "LDAP", "NT_STATUS_OK"},
		{`CONTOSO\probe`, "LDAP", "NT_STATUS_WRONG_PASSWORD"},
		{"probe@CONTOSO.COM", "Kerberos KDC", "NT_STATUS_OK"},
		{"probe", "LDAP", "NT_STATUS_OK"},
		{"probe@CONTOSO.COM", "Kerberos KDC", "NT_STATUS_WRONG_PASSWORD"},
	}
	if diff := cmp.Diff(want, got[len(none):]); diff != "" {
		t.Errorf("logons (-want +got):\n%s", diff)
	}
}
