package phone

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Where updates are asked for and kept (CONTRACT section 1.1; guide pages 17, 23, 26 and 31). IIS takes
// these paths in any case of letters, a reverse proxy may not.
const (
	// UpdatePath answers inside, by plain HTTP on port 80.
	UpdatePath = "/RequestHandler/ucdevice.upx"
	// UpdatePathExt answers outside, by HTTPS.
	UpdatePathExt = "/RequestHandlerExt/ucdevice.upx"
	// FilesPath and FilesPathExt hold the files of updates, inside and outside.
	FilesPath    = "/DeviceUpdateFiles_Int"
	FilesPathExt = "/DeviceUpdateFiles_Ext"
	// InterimImage is the image that the server ships with (build 522.103), below one of the two above.
	InterimImage = "/OCInterim/ENU/cpe.nbt"
)

// The files of one update as they are named in the store; an answer may name others.
const (
	ImageFile       = "CPE.nbt"
	SignatureFile   = "CPE.cat"
	DescriptionFile = "CPE_desc.xml"
)

// Build is what the server tells phones apart by, and a folder of its store each (CONTRACT section 1.1).
type Build struct{ Vendor, Model, Revision, Locale string }

// CX700 is the build of this phone (guide page 26).
func CX700() Build { return Build{Vendor: "Polycom", Model: "CX700", Revision: "A", Locale: "ENU"} }

// StorePath is the folder of a version's files, below FilesPath or FilesPathExt. The grammar is inferred
// from the guide's one example.
func (b Build) StorePath(version string) string {
	return "/UCPhone/" + b.Vendor + "/" + b.Model + "/" + b.Revision + "/" + b.Locale + "/" + version + "/CPE"
}

// UpdateURL is where a phone asks a front end for updates: by plain HTTP inside, as the guide's trace has
// it (step 24). Microsoft's texts name port 443 inside as well (CONTRACT section 1.3).
func UpdateURL(host string) string { return "http://" + host + UpdatePath }

// UpdateURLSecure is the same by HTTPS.
func UpdateURLSecure(host string) string { return "https://" + host + UpdatePath }

// UpdateURLExt is where a phone outside asks for updates.
func UpdateURLExt(host string) string { return "https://" + host + UpdatePathExt }

// UpdateHosts lists the names under which phones find the update service when nobody told them another:
// by the domain of DHCP, which decides for OCS 2007 R2, and by the SIP domain, as later texts have it
// (CONTRACT section 1.2).
func (d Domains) UpdateHosts() []string {
	var out []string
	if d.DHCP != "" {
		out = append(out, updateName+d.DHCP)
	}
	if d.SIP != d.DHCP {
		out = append(out, updateName+d.SIP)
	}
	return out
}

var storeForm = regexp.MustCompile(`(?i)/UCPhone/([^/]+)/([^/]+)/[^/]+/[^/]+/(\d{1,5}(?:\.\d{1,5}){1,3})/CPE/?$`)

// OfferedVersion reads the version out of a BaseURL, empty where it holds none. It is the only place known
// to hold one: the element that does is unknown (CONTRACT section 1.5).
func OfferedVersion(baseURL string) string {
	m := storeForm.FindStringSubmatch(baseURL)
	if m == nil {
		return ""
	}
	return m[3]
}

// offeredTo tells whether a base URL leads to the store of a build, as far as it tells.
func (b Build) offeredTo(baseURL string) bool {
	m := storeForm.FindStringSubmatch(baseURL)
	return m == nil || strings.EqualFold(m[1], b.Vendor) && strings.EqualFold(m[2], b.Model)
}

// CompareVersions orders versions such as 3.5.6907.35 by their numbers; parts that are not there count as
// zero, and so does what is no number.
func CompareVersions(a, b string) int {
	for a != "" || b != "" {
		var x, y string
		x, a, _ = strings.Cut(a, ".")
		y, b, _ = strings.Cut(b, ".")
		if c := cmp.Compare(versionPart(x), versionPart(y)); c != 0 {
			return c
		}
	}
	return 0
}

func versionPart(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}

// Takes tells whether the firmware can install a version at all: nothing above what it accepts (guide pages
// 20 and 31: 1.0.199.123 needs a 1.0.522 first, which then takes 3.5.6907).
func (f Firmware) Takes(version string) bool {
	limit, wild := strings.CutSuffix(f.Accepts, ".*")
	switch {
	case f.Accepts == "" || version == "":
		return true
	case wild && strings.HasPrefix(version+".", limit+"."):
		return true
	default:
		return CompareVersions(version, limit) <= 0
	}
}

// NetFailure is a failure below HTTP, as the phone's HTTP client, WinInet, tells them apart.
type NetFailure string

// The failures of WinInet that a probe can meet too (CONTRACT section 1.7). Those of TLS are the standard
// numbers, inferred to appear the same way.
const (
	NoFailure      NetFailure = ""
	TimedOut       NetFailure = "timeout"
	InvalidURL     NetFailure = "invalid_url"
	NameUnresolved NetFailure = "name_not_resolved"
	CannotConnect  NetFailure = "cannot_connect"
	Aborted        NetFailure = "aborted"
	Reset          NetFailure = "reset"
	DateInvalid    NetFailure = "certificate_date"
	NameInvalid    NetFailure = "certificate_name"
	UnknownCA      NetFailure = "unknown_authority"
	ChannelFailed  NetFailure = "secure_channel"
)

// NetFailures lists every failure.
func NetFailures() []NetFailure {
	return []NetFailure{
		NoFailure, TimedOut, InvalidURL, NameUnresolved, CannotConnect, Aborted, Reset, DateInvalid, NameInvalid,
		UnknownCA, ChannelFailed,
	}
}

// WinInet is the number by which the phone shows the failure, 0 for none.
func (f NetFailure) WinInet() int {
	switch f {
	case TimedOut:
		return 12002
	case InvalidURL:
		return 12005
	case NameUnresolved:
		return 12007
	case CannotConnect:
		return 12029
	case Aborted:
		return 12030
	case Reset:
		return 12031
	case DateInvalid:
		return 12037
	case NameInvalid:
		return 12038
	case UnknownCA:
		return 12045
	case ChannelFailed:
		return 12157
	default:
		return 0
	}
}

// CertificateFailure is how WinInet names what is wrong with the dates or the name of a server's own
// certificate. Its root is not looked at.
func CertificateFailure(leaf *x509.Certificate, host string, at time.Time) NetFailure {
	switch match := MatchName(leaf, host); {
	case at.Before(leaf.NotBefore), at.After(leaf.NotAfter):
		return DateInvalid
	case match == NameMismatch:
		return NameInvalid
	default:
		return NoFailure
	}
}

// UpdateStatus is what the phone's About screen shows as Last Update Status: WinInet's number, then the
// status of HTTP, both in hex, and (0x00/0) when all went well.
func UpdateStatus(f NetFailure, httpStatus int) string {
	const good = 200
	switch {
	case f == NoFailure && (httpStatus == good || httpStatus == 0):
		return "(0x00/0)"
	case f != NoFailure:
		httpStatus = 0
	}
	return fmt.Sprintf("(0x%02x/0x%x)", f.WinInet(), httpStatus)
}

const (
	quarter = 15 * time.Minute
	// widestZone is how far local time may be from UTC.
	widestZone = 14 * time.Hour
)

// ClockError says by how much a server's CurrentTime is off. It has no zone suffix, and whether it is UTC
// or local time is unknown, so that an offset of whole quarters of an hour up to 14 hours counts as a zone
// (CONTRACT section 1.5). What it finds lies within seven and a half minutes, or beyond every zone.
func ClockError(server, now time.Time) time.Duration {
	off := server.Sub(now)
	if off.Abs() > widestZone+quarter/2 {
		return off
	}
	return off - off.Round(quarter)
}
