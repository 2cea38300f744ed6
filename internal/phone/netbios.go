package phone

import (
	"fmt"
	"strings"
)

const (
	// netBIOSLength is how long a NetBIOS name is, less its last byte, which tells the service.
	netBIOSLength = 15
	// controllersGroup is that byte of the group of a domain's controllers (MS-NBTE section 2.2.1).
	controllersGroup = 0x1c
)

// NetBIOSDomain is the NetBIOS name by which phones would ask WINS for a domain controller: that with which
// users log on, else the first label of the DNS name with which they do. The latter, cut to
// what fits, is AD's default and no more; typed is false for it.
func (d Domains) NetBIOSDomain() (name string, typed bool) {
	first, _, dotted := strings.Cut(d.Logon, ".")
	if dotted {
		first = first[:min(len(first), netBIOSLength)]
	}
	return strings.ToUpper(first), !dotted
}

// NetBIOSControllers encodes the name of the group of a domain's controllers as a question has it (RFC 1001
// section 14.1): padded with spaces, each half of a byte as a letter from A on.
func NetBIOSControllers(domain string) string {
	name := fmt.Sprintf("%-*.*s%c", netBIOSLength, netBIOSLength, domain, controllersGroup)
	out := make([]byte, 0, 2*len(name))
	for _, b := range []byte(name) {
		out = append(out, 'A'+b>>4, 'A'+b&0xf)
	}
	return string(out)
}
