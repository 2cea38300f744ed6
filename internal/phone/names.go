package phone

import (
	"net/netip"
	"slices"
	"strings"
)

// RecordType is the type of a DNS record the phone asks for.
type RecordType string

// The record types the phone asks for. It knows IPv4 only.
const (
	A   RecordType = "A"
	SRV RecordType = "SRV"
)

// Use is what the phone needs a name for.
type Use string

// What names are for.
const (
	ForSignIn    Use = "sign-in"
	ForTime      Use = "time"
	ForUpdate    Use = "update"
	ForExchange  Use = "exchange"
	ForDirectory Use = "directory"
	ForProxy     Use = "reverse proxy"
)

// Service is the content of one SRV record (RFC 2782).
type Service struct {
	Target                 string
	Port, Priority, Weight uint16
}

// Records is what a name answered.
type Records struct {
	Addresses []netip.Addr
	Services  []Service
}

// None tells whether the name answered with nothing a phone could use.
func (r Records) None() bool { return len(r.Addresses) == 0 && len(r.Services) == 0 }

// Find gives the records of one exact name, empty when it has none.
type Find func(name string, t RecordType) Records

// Domains are the domains from which the phone builds the names it asks for, in lower case and
// without a trailing dot.
type Domains struct {
	// SIP is the right side of the sign-in address.
	SIP string
	// SMTP is the right side of the primary e-mail address; empty where there is no Exchange.
	SMTP string
	// DHCP is the domain of DHCP option 015.
	DHCP string
	// Search are the suffixes of DHCP option 119.
	Search []string
	// ReverseProxy is the name in ExternalBaseURL; empty where it is not known.
	ReverseProxy string
	// Logon is what users type at the phone for their domain: a DNS name (contoso.com\user, or
	// user@contoso.com) or a NetBIOS name (CONTOSO\user). Empty outside, where phones ask no directory.
	Logon string
}

// Suffixes returns what the phone appends to a name that failed: the domain of DHCP option 015, then
// those of option 119, each once (guide pages 3 and 42).
func (d Domains) Suffixes() []string {
	var out []string
	for _, s := range append([]string{d.DHCP}, d.Search...) {
		if s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// Question is one DNS question of the phone.
type Question struct {
	Name string
	Type RecordType
	Use  Use
	// Suffixed tells that the phone asks again with each DNS suffix appended when the name fails.
	Suffixed bool
}

// The names that the phone asks for, less their domain.
const (
	srvInternalTLS = "_sipinternaltls._tcp."
	srvInternalTCP = "_sipinternal._tcp."
	srvExternalTLS = "_sip._tls."
	srvExternalTCP = "_sip._tcp."
	srvTime        = "_ntp._udp."
	windowsTime    = "time.windows.com"
	updateName     = "ucupdates-r2."
	autodiscover   = "autodiscover."
)

// Questions lists every question that some firmware asks on its way, each once: the union of the
// guide's Step 1.2 table and of all sign-in and time orders. Targets of SRV records are not in it,
// since they are known only from the answers.
func (d Domains) Questions() []Question {
	list := []Question{
		{srvInternalTLS + d.SIP, SRV, ForSignIn, true},
		{srvInternalTCP + d.SIP, SRV, ForSignIn, true},
		{srvExternalTLS + d.SIP, SRV, ForSignIn, true},
		{srvExternalTCP + d.SIP, SRV, ForSignIn, true},
		{"sipinternal." + d.SIP, A, ForSignIn, true},
		{"sip." + d.SIP, A, ForSignIn, true},
		{"sipexternal." + d.SIP, A, ForSignIn, true},
		{srvTime + d.SIP, SRV, ForTime, true},
		{windowsTime, A, ForTime, true},
	}
	if d.DHCP != "" {
		list = append(list, Question{updateName + d.DHCP, A, ForUpdate, false})
	}
	if d.SIP != d.DHCP {
		list = append(list, Question{updateName + d.SIP, A, ForUpdate, false})
	}
	if d.SMTP != "" {
		list = append(list, Question{autodiscover + d.SMTP, A, ForExchange, true})
	}
	proxy := Question{d.ReverseProxy, A, ForProxy, false}
	// The proxy may well go by one of the names above, such as ucupdates-r2.<DHCP domain>.
	same := func(q Question) bool { return q.Name == proxy.Name && q.Type == proxy.Type }
	if proxy.Name != "" && !slices.ContainsFunc(list, same) {
		list = append(list, proxy)
	}
	return append(list, d.directoryQuestions()...)
}

// Required lists the records that the guide's Step 1.2 table asks an administrator to create, for
// phones inside or outside the firewall (guide pages 24 and 25). The update name is needed only where
// some firmware in use asks for it.
func (d Domains) Required(inside bool, inUse []Firmware) []Question {
	registrar := srvExternalTLS
	if inside {
		registrar = srvInternalTLS
	}
	names := []string{registrar + d.SIP, srvTime + d.SIP, "sip." + d.SIP}
	if d.SMTP != "" {
		names = append(names, autodiscover+d.SMTP)
	}
	asksUpdate := slices.ContainsFunc(inUse, func(f Firmware) bool { return f.UpdateName })
	if d.DHCP != "" && asksUpdate {
		names = append(names, updateName+d.DHCP)
	}
	if !inside && d.ReverseProxy != "" {
		names = append(names, d.ReverseProxy)
	}
	var out []Question
	for _, q := range d.Questions() {
		if slices.Contains(names, q.Name) {
			out = append(out, q)
		}
	}
	return out
}

// Resolve asks for a name as the phone does: as it is, then with each suffix appended, until one
// answers. It returns the name that answered, empty when none did.
func (d Domains) Resolve(find Find, name string, t RecordType) (asked string, r Records) {
	if r = find(name, t); !r.None() {
		return name, r
	}
	for _, suffix := range d.Suffixes() {
		asked = name + "." + suffix
		if r = find(asked, t); !r.None() {
			return asked, r
		}
	}
	return "", Records{}
}

// Within tells whether a host name lies in a domain.
func Within(host, domain string) bool {
	return host == domain || strings.HasSuffix(host, "."+domain)
}
