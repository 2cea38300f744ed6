// Package site reads the site file, cx700.yml: where phones plug in, and which names and servers they
// depend on there. It is strict: a key it does not know is refused, and every fault of a file is told
// in one go, each with its line, its key and what to write instead.
package site

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cx700/cx700_exporter/internal/phone"
)

// Config is a whole site file. It is never changed after Load.
type Config struct {
	Sites []*Site
	// Collectors holds the settings of the collectors that the file names.
	Collectors map[string]CollectorSettings
	// Credentials by name.
	Credentials map[string]*Credential
	// Shard is whose sites these are; the zero value where they are all. Elsewhere has those of the other shards.
	Shard     Shard
	Elsewhere []Elsewhere
}

// Vantage is by what it is told whether the exporter's own network and clock are good, where it stands for one
// network. It is the same for all sites; the zero value is not to look.
type Vantage struct {
	// Names are asked for at Resolvers, any of which may answer.
	Names     []string
	Resolvers []netip.AddrPort
	// TimeServers are compared with the machine's own clock; none, or at least two.
	TimeServers []TimeServer
	// MaxOffset is from which offset on the clock counts as wrong; zero for the default of ntp.
	MaxOffset time.Duration
}

// Watched tells whether the file says to look.
func (v Vantage) Watched() bool { return v.Names != nil || v.TimeServers != nil }

// TimeServer is named, and then found at the vantage's resolvers, or has an address.
type TimeServer struct {
	Name    string
	Address netip.AddrPort
}

// Credential is an account that collectors may log on with. Its secret stays in its file: it is read when
// it is needed and kept nowhere else.
type Credential struct {
	Name string
	// Username as user@domain or DOMAIN\user.
	Username string
	// PasswordFile or KeytabFile holds the secret; one of them is set.
	PasswordFile, KeytabFile string
	// AllowedHosts are the only ones it is sent to: names, or *.domain for all of a domain.
	AllowedHosts []string
}

// Allows tells whether the credential may be sent to a host.
func (c *Credential) Allows(host string) bool {
	return slices.ContainsFunc(c.AllowedHosts, func(allowed string) bool {
		suffix, wild := strings.CutPrefix(allowed, "*")
		return wild && strings.HasSuffix(host, suffix) || host == allowed
	})
}

// BindKind is how a collector logs on to a domain controller.
type BindKind string

// The kinds of bind.
const (
	// BindAnonymous logs on without an account. AD shows such a client nothing, unless it was told to.
	BindAnonymous BindKind = "anonymous"
	// BindLDAPS is a simple bind over TLS, port 636.
	BindLDAPS BindKind = "ldaps"
	// BindStartTLS is a simple bind over TLS begun on port 389.
	BindStartTLS BindKind = "starttls"
	// BindKerberos is a SASL GSSAPI bind without TLS, port 389.
	BindKerberos BindKind = "kerberos"
)

// BindKinds lists the kinds of bind.
func BindKinds() []BindKind {
	return []BindKind{BindAnonymous, BindLDAPS, BindStartTLS, BindKerberos}
}

// Directory is how the domain controllers are read.
type Directory struct {
	// Bind is empty when the file says nothing: controllers are then read as far as they let everybody.
	Bind       BindKind
	Credential *Credential
	// RootFiles hold the roots, in PEM, to which the controllers' certificates must lead; without any
	// they are verified as a browser would, by the roots of this machine.
	RootFiles []string
}

// Certsrv is how the CA's web pages are read.
type Certsrv struct {
	// Credential is used with Kerberos; nil asks anonymously only.
	Credential *Credential
	// NTLMOverHTTP lets the credential's password be used in NTLM over plain HTTP, which others in the
	// network can relay to this very page.
	NTLMOverHTTP bool
	// Hosts are the CAs to ask when Active Directory does not tell.
	Hosts []string
}

// Exchange is how Autodiscover and Exchange's web services are asked for.
type Exchange struct {
	// Credential logs on by NTLM, over TLS that is verified; nil asks anonymously only.
	Credential *Credential
	// RootFiles hold the roots, in PEM, to which the server's certificate must lead before a password goes
	// out; without any it is verified as a browser would, by the roots of this machine.
	RootFiles []string
	// Mailbox is the e-mail address for whose settings is asked with the credential.
	Mailbox string
	// EWSURL is where the web services are when no answer tells; empty where that is not known.
	EWSURL string
}

// Update is how the update service and the files of updates are asked for.
type Update struct {
	// Credential logs on by NTLM, over TLS that is verified; nil asks anonymously only.
	Credential *Credential
	// RootFiles hold the roots, in PEM, to which the server's certificate must lead before a password goes
	// out; without any it is verified as a browser would, by the roots of this machine.
	RootFiles []string
	// Paths are files to look for beside those of the answer, on every server.
	Paths []string
	// Post asks as phones do; off without a template.
	Post UpdatePost
}

// UpdatePost is the phone that a POST tells the update service of. The elements of a real phone's request
// are not known (CONTRACT section 1.4), so that the template is the user's.
type UpdatePost struct {
	// Template is the path of the file; empty where there is no POST.
	Template string
	// MAC is a locally administered one and Serial empty by default, so that nobody's real phone appears
	// in the server's audit log.
	MAC, Serial string
	phone.Build
}

// CollectorSettings overrides a collector's defaults; zero values leave them.
type CollectorSettings struct {
	Interval time.Duration
	Timeout  time.Duration
	// MaxOffset is for ntp only: from this offset on a clock counts as wrong.
	MaxOffset time.Duration
	// MaxBytesPerSecond is for firmware_download only: how fast an image is read at most.
	MaxBytesPerSecond int
	// Place is for faults that show only beside the collector's defaults.
	Place Place
}

// Site is a place where phones plug in.
type Site struct {
	Name string
	// Domains as the phone learns them, without the reverse proxy, which belongs to a network.
	Domains phone.Domains
	// Lease is what else DHCP hands to the phones, by the file.
	Lease Lease
	// Firmware in use at the site.
	Firmware []phone.Firmware
	// Phones is how many stand there, 0 when the file does not say.
	Phones int
	// Objective is the part of the time in which phones are to be able to sign in, such as 0.995.
	Objective float64
	// EnrolledRoots are those that enrolled phones hold.
	EnrolledRoots EnrolledRoots
	// EnrolledRootsAt is for faults that show when their files are read.
	EnrolledRootsAt Place
	// Networks that are watched: internal, external or both, in this order.
	Networks []Network
}

// EnrolledRoots are the roots that enrolled phones hold. Without any they are taken to hold what Active
// Directory published when the state file began.
type EnrolledRoots struct {
	// Files hold certificates in PEM.
	Files []string
	// Fingerprints are SHA-256 in hex, in lower case: of certificates that a server serves or AD publishes.
	Fingerprints []string
}

// NetworkName says where a probe stands.
type NetworkName string

// The two networks.
const (
	Internal NetworkName = "internal"
	External NetworkName = "external"
)

// Network is a site's dependencies as seen from one side of the firewall.
type Network struct {
	Name NetworkName
	// Resolvers are asked each, port 53 unless the file says otherwise.
	Resolvers []netip.AddrPort
	// ReverseProxy is the name under which updates are published, external only.
	ReverseProxy string
	// ConnectTo diverts connections, as curl's option of that name does.
	ConnectTo []ConnectTo
	// Directory and Certsrv are internal only.
	Directory Directory
	Certsrv   Certsrv
	// DHCP is internal only.
	DHCP DHCP
	// FrontEnds are the servers that answer for updates, internal only; without any they are found as phones
	// find them.
	FrontEnds []string
	Update    Update
	Exchange  Exchange
	// SIPUser is the name, left of the SIP domain, as whom registrars are asked; empty for one that is nobody's.
	SIPUser string
	// Vantage is that of the exporter, the same in every site.
	Vantage Vantage
}

// ConnectTo diverts connections for a host and port to others. An empty Host or Port matches all; an
// empty ToHost or ToPort keeps the original.
type ConnectTo struct {
	Host, Port     string
	ToHost, ToPort string
}
