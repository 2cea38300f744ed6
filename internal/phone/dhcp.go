package phone

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// The options of DHCP that concern a CX700 (CONTRACT section 6.4; RFC 2132, 3361 and 3397).
const (
	OptionDNSServers  = 6
	OptionDomain      = 15
	OptionNTPServers  = 42
	OptionVendor      = 43
	OptionWINSServers = 44
	OptionNodeType    = 46
	OptionLeaseTime   = 51
	OptionOverload    = 52
	OptionServerID    = 54
	OptionSearch      = 119
	OptionSIPServers  = 120
)

// AskedOptions lists what to ask a server for. One that gets a list sends nothing else.
func AskedOptions() []byte {
	return []byte{OptionDNSServers, OptionDomain, OptionNTPServers, OptionVendor, OptionWINSServers, OptionNodeType,
		OptionLeaseTime, OptionServerID, OptionSearch, OptionSIPServers}
}

// The vendor classes, option 060, for which servers hold an option 043 (CONTRACT section 6.4): the VLAN of
// the phone, and where phones that sign in by PIN get their certificate.
const (
	ClassPhone        = "CPE-OCPHONE"
	ClassProvisioning = "MS-UC-Client"
)

// VendorClasses lists them, the phone's own first.
func VendorClasses() []string { return []string{ClassPhone, ClassProvisioning} }

// DHCPOptions are the options of one answer, as they came.
type DHCPOptions map[byte][]byte

// Domain is option 015 in lower case, without a trailing dot and the zero with which some servers end it.
func (o DHCPOptions) Domain() string { return plainName(string(o[OptionDomain])) }

func plainName(s string) string {
	return strings.ToLower(strings.TrimSuffix(strings.TrimSpace(strings.TrimRight(s, "\x00")), "."))
}

var errLength = errors.New("not a whole number of addresses")

// Addresses reads an option that is a list of IPv4 addresses.
func (o DHCPOptions) Addresses(code byte) ([]netip.Addr, error) {
	const size = 4
	raw := o[code]
	if len(raw)%size != 0 {
		return nil, errLength
	}
	var out []netip.Addr
	for ; len(raw) > 0; raw = raw[size:] {
		out = append(out, netip.AddrFrom4([4]byte(raw[:size])))
	}
	return out, nil
}

// LeaseTime is option 051; ok is false where it did not come.
func (o DHCPOptions) LeaseTime() (d time.Duration, ok bool) {
	raw := o[OptionLeaseTime]
	if len(raw) != 4 {
		return 0, false
	}
	return time.Duration(binary.BigEndian.Uint32(raw)) * time.Second, true
}

// SIPServers reads option 120: names, or addresses (RFC 3361 section 3).
func (o DHCPOptions) SIPServers() ([]string, error) {
	raw, there := o[OptionSIPServers]
	if !there {
		return nil, nil
	}
	const names, addresses = 0, 1
	switch {
	case len(raw) > 1 && raw[0] == names:
		return labels(raw[1:])
	case len(raw) > 1 && raw[0] == addresses:
		list, err := DHCPOptions{0: raw[1:]}.Addresses(0)
		return AddressTexts(list), err
	default:
		return nil, errors.New("neither names nor addresses")
	}
}

// AddressTexts writes addresses out.
func AddressTexts(list []netip.Addr) []string {
	var out []string
	for _, a := range list {
		out = append(out, a.String())
	}
	return out
}

// SearchForm is the form in which option 119 came.
type SearchForm string

// The forms of option 119.
const (
	// SearchText is what a Windows server sends that was set up as the guide says (page 3): suffixes with
	// semicolons between them.
	SearchText SearchForm = "text"
	// SearchRFC is that of RFC 3397. Whether a CX700 reads it is not known (CONTRACT section 6.4).
	SearchRFC SearchForm = "rfc3397"
	// SearchMalformed is neither.
	SearchMalformed SearchForm = "malformed"
)

// Search reads option 119. The form is empty where it did not come. A label's length, which is what the
// RFC's form begins with, may look like a digit, so that form is tried first; it never ends as text does.
func (o DHCPOptions) Search() (SearchForm, []string) {
	raw, there := o[OptionSearch]
	if !there {
		return "", nil
	}
	if names, err := labels(raw); err == nil {
		return SearchRFC, names
	}
	var out []string
	for suffix := range strings.SplitSeq(strings.TrimRight(string(raw), "\x00; "), ";") {
		name := plainName(suffix)
		if !nameForm().MatchString(name) {
			return SearchMalformed, nil
		}
		out = append(out, name)
	}
	return SearchText, out
}

// nameForm is a name of letters, digits, hyphens and underscores.
var nameForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*$`)
})

// maxLabelled bounds what is read of names that compression can make many of.
const maxLabelled = 64

// labels reads names in the form of RFC 1035 section 4.1.4, with pointers into the option itself.
func labels(raw []byte) ([]string, error) {
	var out []string
	for off := 0; off < len(raw); {
		name, next, err := dns.UnpackDomainName(raw, off)
		if err != nil {
			return nil, err
		}
		name = plainName(name)
		if !nameForm().MatchString(name) {
			return nil, fmt.Errorf("%.80q is no name", name)
		}
		if len(out) == maxLabelled {
			return nil, fmt.Errorf("more than %d names", maxLabelled)
		}
		out = append(out, name)
		off = next
	}
	if out == nil {
		return nil, errors.New("empty")
	}
	return out, nil
}

// VendorOption is a sub-option of option 043.
type VendorOption struct {
	Code  byte
	Value []byte
}

// Vendor takes option 043 apart (RFC 2132 section 8.4).
func (o DHCPOptions) Vendor() ([]VendorOption, error) {
	const pad, end, header = 0, 255, 2
	var out []VendorOption
	for raw := o[OptionVendor]; len(raw) > 0 && raw[0] != end; {
		if raw[0] == pad {
			raw = raw[1:]
			continue
		}
		if len(raw) < header || len(raw) < header+int(raw[1]) {
			return out, errors.New("a sub-option is longer than the option")
		}
		size := header + int(raw[1])
		out = append(out, VendorOption{raw[0], raw[header:size]})
		raw = raw[size:]
	}
	return out, nil
}
