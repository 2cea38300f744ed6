//go:build linux

package bed

import (
	"fmt"
	"os"
	"path/filepath"
)

// krb5Conf leads Kerberos to the first domain controller by its address, and
// leaves names as they are given. It uses TCP at once: an answer too long for
// UDP is asked for again, and the controller counts two logons.
const krb5Conf = `[libdefaults]
	default_realm = %[1]s
	dns_lookup_kdc = false
	dns_lookup_realm = false
	dns_canonicalize_hostname = false
	rdns = false
	udp_preference_limit = 1
	allow_weak_crypto = true
[realms]
	%[1]s = {
		kdc = %[2]s
	}
[domain_realm]
	.%[3]s = %[1]s
`

// KerberosConfig is a krb5.conf for programs on hosts inside.
func (b *Bed) KerberosConfig() string {
	return filepath.Join(b.dir, "krb5.conf")
}

func (b *Bed) writeKerberosConfig() error {
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return err
	}
	text := fmt.Sprintf(krb5Conf, adRealm, address(DC), adZone)
	return os.WriteFile(b.KerberosConfig(), []byte(text), 0o600)
}
