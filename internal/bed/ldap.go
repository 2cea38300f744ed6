//go:build linux

package bed

import "context"

// ldapSettings is how a domain controller serves LDAP. The zero value is a
// controller of Windows 2003 to 2012 with its defaults.
type ldapSettings struct {
	strict bool
	modern bool
	rc4    bool
}

// encryption is the value of "kdc supported enctypes": 0 stands for all.
func (l ldapSettings) encryption() string {
	if l.rc4 {
		return "rc4-hmac"
	}
	return "0"
}

func (l ldapSettings) strongAuth() string {
	if l.strict {
		return "yes"
	}
	return "no"
}

// RequireStrongAuth restarts the domain controller so that it demands signed
// or encrypted binds, as a hardened one does; HealDC undoes it.
func (b *Bed) RequireStrongAuth(ctx context.Context, host Host) error {
	return b.setLDAP(ctx, host, func(l *ldapSettings) { l.strict = true })
}

// UseSHA256 restarts the domain controller with a certificate that is signed
// with SHA-256 instead of SHA-1, by the same root; HealDC undoes it.
func (b *Bed) UseSHA256(ctx context.Context, host Host) error {
	return b.setLDAP(ctx, host, func(l *ldapSettings) { l.modern = true })
}

// UseRC4 restarts the domain controller with a KDC that knows only RC4, as
// one of Windows 2003 does: every session key is RC4. HealDC undoes it.
func (b *Bed) UseRC4(ctx context.Context, host Host) error {
	return b.setLDAP(ctx, host, func(l *ldapSettings) { l.rc4 = true })
}

// HealDC undoes RequireStrongAuth, UseSHA256, UseRC4, Pause and Kill. What was
// changed in the directory stays: see RestoreDirectory and RestoreAccounts.
func (b *Bed) HealDC(ctx context.Context, host Host) error {
	return b.setLDAP(ctx, host, func(l *ldapSettings) { *l = ldapSettings{} })
}

func (b *Bed) setLDAP(ctx context.Context, host Host, change func(*ldapSettings)) error {
	s, err := b.domainController(host)
	if err != nil {
		return err
	}
	return b.control(host, func(*server) error {
		change(&s.ldap)
		if err := s.configure(); err != nil {
			return err
		}
		s.kill()
		return s.start(ctx)
	})
}
