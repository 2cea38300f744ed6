package phone

import "strings"

const (
	// netBIOSLength is how long a NetBIOS name is, less its last byte, which tells the service.
	netBIOSLength = 15
	// controllersGroup is that byte of the group of a domain's controllers (MS-NBTE section 2.2.1).
	controllersGroup = 0x1c
)

// NetBIOSDomain is the NetBIOS name by which phones would ask WINS for a domain controller: that with which
// users log on, else the first label of the DNS name with which they do. The latter is AD's default and no
// more; typed is false for it.
func (d Domains) NetBIOSDomain() (name string, typed bool) {
	first, _, dotted := strings.Cut(d.Logon, ".")
	return strings.ToUpper(first), !dotted
}

// NetBIOSControllers encodes the name of the group of a domain's controllers as a question has it (RFC 1001
// section 14.1): padded with spaces, each half of a byte as a letter from A on. ok is false for a name that
// does not fit.
func NetBIOSControllers(domain string) (label string, ok bool) {
	if domain == "" || len(domain) > netBIOSLength {
		return "", false
	}
	padded := domain + strings.Repeat(" ", netBIOSLength-len(domain)) + string(rune(controllersGroup))
	out := make([]byte, 0, 2*len(padded))
	for _, b := range []byte(padded) {
		out = append(out, 'A'+b>>4, 'A'+b&0xf)
	}
	return string(out), true
}
