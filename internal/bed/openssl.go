//go:build linux

package bed

import (
	"os"
	"path/filepath"
)

// openSSLConf lets OpenSSL load a certificate that is signed with SHA-1 and
// speak TLS 1.0, on both sides. A cipher list of the server's own comes too
// late for the former.
const openSSLConf = `openssl_conf = init
[init]
ssl_conf = ssl
[ssl]
system_default = default
[default]
CipherString = ALL:@SECLEVEL=0
MinProtocol = TLSv1
`

// openSSLConfig is the file for the environment variable OPENSSL_CONF.
func (b *Bed) openSSLConfig() string {
	return filepath.Join(b.dir, "openssl.cnf")
}

func (b *Bed) writeOpenSSLConfig() error {
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(b.openSSLConfig(), []byte(openSSLConf), 0o600)
}
