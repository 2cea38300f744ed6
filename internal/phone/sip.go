package phone

import (
	"crypto/sha1" //nolint:gosec // what the endpoint's identity is made of
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// SIPProbe is the user as whom the exporter asks the registrar: nobody's name.
const SIPProbe = "cx700-exporter-probe"

// UserAgent is how the phone names itself in SIP: the pattern of later releases, inferred for these (CONTRACT
// section 5.3), unless a profile says otherwise.
func (f Firmware) UserAgent() string {
	if f.SIPUserAgent != "" {
		return f.SIPUserAgent
	}
	product := "Microsoft Office Communicator 2007 R2 Phone Edition"
	if CompareVersions(f.Version, "1.0.522") < 0 {
		product = "Microsoft Office Communicator 2007 Phone Edition"
	}
	return fmt.Sprintf("CPE/%[1]s OCPhone/%[1]s (%[2]s)", f.Version, product)
}

// Register is a request to register that carries no credentials: the first message of a sign-in (CONTRACT
// section 5.1). It has Expires: 0, so that a registrar that would take it binds nothing.
type Register struct {
	Domain, User, UserAgent string
	// Local is the address and port from which it is sent.
	Local string
	// CallID and Tag tell this dialogue from others.
	CallID, Tag string
}

// Bytes is the message as it goes over the wire, in the shape recorded from Communicator 2007 R2.
func (r Register) Bytes() []byte {
	epid := EndpointID(r.User + "@" + r.Domain)
	return []byte("REGISTER sip:" + r.Domain + " SIP/2.0\r\n" +
		"Via: SIP/2.0/TLS " + r.Local + "\r\n" +
		"Max-Forwards: 70\r\n" +
		"From: <sip:" + r.User + "@" + r.Domain + ">;tag=" + r.Tag + ";epid=" + epid + "\r\n" +
		"To: <sip:" + r.User + "@" + r.Domain + ">\r\n" +
		"Call-ID: " + r.CallID + "\r\n" +
		"CSeq: 1 REGISTER\r\n" +
		"Contact: <sip:" + r.Local + ";transport=tls>;methods=\"INVITE, MESSAGE, INFO, OPTIONS, BYE, CANCEL, NOTIFY, ACK, REFER, BENOTIFY\"" +
		";proxy=replace;+sip.instance=\"<urn:uuid:" + EndpointInstance(epid) + ">\"\r\n" +
		"User-Agent: " + r.UserAgent + "\r\n" +
		"Supported: gruu-10, adhoclist, msrtc-event-categories\r\n" +
		"Supported: ms-forking\r\n" +
		"ms-keep-alive: UAC;hop-hop=yes\r\n" +
		"Event: registration\r\n" +
		"Expires: 0\r\n" +
		"Content-Length: 0\r\n\r\n")
}

// EndpointID is the epid of an endpoint: the same for the same user for ever, so that no run is a new endpoint.
func EndpointID(user string) string {
	sum := sha1.Sum([]byte("cx700_exporter " + user))
	return hex.EncodeToString(sum[:5])
}

// EndpointInstance is the UUID that must follow from an epid (MS-SIPRE; its published pairs are in the tests): a
// name-based UUID, version 5, with both the name space and itself in the layout of a GUID.
func EndpointInstance(epid string) string {
	space := []byte{0x03, 0xfb, 0xac, 0xfc, 0x73, 0x8a, 0xef, 0x46, 0x91, 0xb1, 0xe5, 0xeb, 0xee, 0xab, 0xa4, 0xfe}
	sum := sha1.Sum(append(space, epid...))
	first, second, third := binary.LittleEndian.Uint32(sum[0:]), binary.LittleEndian.Uint16(sum[4:]), binary.LittleEndian.Uint16(sum[6:])
	const version, variant = 5, 0x80
	return fmt.Sprintf("%08x-%04x-%04x-%02x%02x-%x", first, second, third&0x0fff|version<<12, sum[8]&0x3f|variant, sum[9], sum[10:16])
}

// SIPChallenge is one scheme of logon that a registrar offers (MS-SIPAE).
type SIPChallenge struct {
	Scheme, Realm, TargetName string
	// Version of the protocol; 2 where it is not told.
	Version int
}

// Windows tells whether it is a scheme by which the account of a Windows domain logs on.
func (c SIPChallenge) Windows() bool {
	return strings.EqualFold(c.Scheme, "NTLM") || strings.EqualFold(c.Scheme, "Kerberos")
}

// Host is the server's own name for itself: targetname, for Kerberos without its "sip/".
func (c SIPChallenge) Host() string {
	if service, host, ok := strings.Cut(c.TargetName, "/"); ok && strings.EqualFold(service, "sip") {
		return host
	}
	return c.TargetName
}

const (
	maxChallenges  = 8
	maxDiagnostics = 8
	maxSIPValue    = 256
)

// challengePart is a scheme, or a parameter with its value, in quotes or bare.
var challengePart = regexp.MustCompile(`([A-Za-z0-9-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+)))?`)

// ParseChallenges reads the headers WWW-Authenticate or Proxy-Authenticate. Several challenges may stand in one,
// and their parameters in any order (MS-SIPAE). What cannot be read is left out.
func ParseChallenges(headers []string) []SIPChallenge {
	var out []SIPChallenge
	for _, h := range headers {
		for _, m := range challengePart.FindAllStringSubmatch(h, -1) {
			name, value := m[1], bounded(m[2]+m[3])
			switch {
			case !strings.Contains(m[0], "="):
				if len(out) == maxChallenges {
					return out
				}
				out = append(out, SIPChallenge{Scheme: bounded(name), Version: 2})
			case len(out) > 0:
				out[len(out)-1].set(strings.ToLower(name), value)
			}
		}
	}
	return out
}

func (c *SIPChallenge) set(name, value string) {
	switch name {
	case "realm":
		c.Realm = value
	case "targetname":
		c.TargetName = value
	case "version":
		if n, err := strconv.ParseUint(value, 10, 8); err == nil {
			c.Version = int(n)
		}
	}
}

func bounded(s string) string { return strings.ToValidUTF8(s[:min(len(s), maxSIPValue)], "") }

// SIPDiagnostic is what a server says of an answer in ms-diagnostics (MS-OCER).
type SIPDiagnostic struct {
	// ID is the number without its sub-number.
	ID             int
	Reason, Source string
}

var diagnosticForm = regexp.MustCompile(`^\s*(\d{1,6})(?:\.\d+)?\s*(?:;|$)`)

// ParseDiagnostics reads the headers ms-diagnostics and ms-diagnostics-public. What cannot be read is left out.
func ParseDiagnostics(headers []string) []SIPDiagnostic {
	var out []SIPDiagnostic
	for _, h := range headers {
		m := diagnosticForm.FindStringSubmatch(h)
		if m == nil || len(out) == maxDiagnostics {
			continue
		}
		d := SIPDiagnostic{}
		d.ID, _ = strconv.Atoi(m[1]) // six digits
		for _, p := range challengePart.FindAllStringSubmatch(h, -1) {
			switch strings.ToLower(p[1]) {
			case "reason":
				d.Reason = bounded(p[2] + p[3])
			case "source":
				d.Source = bounded(p[2] + p[3])
			}
		}
		out = append(out, d)
	}
	return out
}

// The numbers of ms-diagnostics that say something about phones or about the registrar (MS-OCER sections 8.2, 8.5
// and 8.16, by way of SIGNIN section 9).
const (
	DiagnosticTimeSkew          = 1013
	diagnosticNoRoute           = 1005
	diagnosticNoRouteNow        = 1007
	diagnosticFilterFirst       = 17000
	diagnosticFilterLast        = 17003
	diagnosticVersion           = 17002
	diagnosticVersionDeclined   = 17003
	diagnosticVersionWarned     = 17004
	diagnosticSRVNotResolved    = 1008
	diagnosticNextHopUntrusted  = 1010
	diagnosticPreviousHopSilent = 1011
	diagnosticANotResolved      = 1014
)

// BlockedVersion tells that the client version filter declines this release.
func (d SIPDiagnostic) BlockedVersion() bool {
	return d.ID == diagnosticVersion || d.ID == diagnosticVersionDeclined
}

// FilterTrouble tells that the client version filter declines for another reason: it is overloaded, or does not
// understand the User-Agent.
func (d SIPDiagnostic) FilterTrouble() bool {
	return d.ID >= diagnosticFilterFirst && d.ID <= diagnosticFilterLast && !d.BlockedVersion()
}

// WarnedVersion tells that the client version filter lets the release in and sends its user to a page.
func (d SIPDiagnostic) WarnedVersion() bool { return d.ID == diagnosticVersionWarned }

// AboutUser tells that the server knows no such user as asked, does not let him in from outside, or has him elsewhere:
// it says nothing about other users.
func (d SIPDiagnostic) AboutUser() bool {
	return slices.Contains([]int{1003, 4003, 4004, 4005, 4006, 4141}, d.ID)
}

// AboutRequest tells that the server finds fault with the request itself: its endpoint identifier (4010 to 4012), what
// it supports (2057), or its event (4055).
func (d SIPDiagnostic) AboutRequest() bool {
	return slices.Contains([]int{4010, 4011, 4012, 2057, 4055}, d.ID)
}

// NoRoute tells that the server does not serve the SIP domain, or cannot just now.
func (d SIPDiagnostic) NoRoute() bool {
	return d.ID == diagnosticNoRoute || d.ID == diagnosticNoRouteNow
}

// NextHop tells that the server cannot go on to the next one: its name, or its certificate.
func (d SIPDiagnostic) NextHop() bool {
	return slices.Contains([]int{diagnosticSRVNotResolved, diagnosticNextHopUntrusted, diagnosticPreviousHopSilent, diagnosticANotResolved}, d.ID)
}
