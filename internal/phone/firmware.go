package phone

import "slices"

// RegistrarOrder names one of the three documented orders in which a phone looks for its registrar.
// They contradict each other, and only the trace was recorded from a real phone.
type RegistrarOrder string

// The documented registrar orders.
const (
	// HelpOrder is the order of guide page 4 and of the OCS 2007 R2 help.
	HelpOrder RegistrarOrder = "help"
	// TraceOrder is what release 1.0.199.123 was recorded doing, guide pages 18 and 19.
	TraceOrder RegistrarOrder = "trace"
	// LyncOrder is the order of Lync Phone Edition. Its DHCP option 120 steps are no DNS questions
	// and are not in the list.
	LyncOrder RegistrarOrder = "lync"
)

// RegistrarOrders lists every documented order.
func RegistrarOrders() []RegistrarOrder {
	return []RegistrarOrder{HelpOrder, TraceOrder, LyncOrder}
}

// TimeOrder says which time source a firmware tries first.
type TimeOrder string

// The documented time orders.
const (
	// SRVFirst asks for _ntp._udp, then falls back to time.windows.com (guide pages 6 and 25).
	SRVFirst TimeOrder = "srv_first"
	// WindowsFirst uses time.windows.com, bare and then with the DNS suffix, before the SRV record
	// (guide pages 18 and 25, release 1.0.199.123).
	WindowsFirst TimeOrder = "windows_first"
)

// TimeOrders lists every documented time order.
func TimeOrders() []TimeOrder { return []TimeOrder{SRVFirst, WindowsFirst} }

// SHA2Rule says what a firmware does with a certificate that is signed with RSA and SHA-2.
type SHA2Rule string

// What firmwares do with SHA-2.
const (
	// SHA2Refused: it cannot verify it.
	SHA2Refused SHA2Rule = "refused"
	// SHA2Doubted: it is taken to verify it, but the sources disagree, which is said beside the verdict.
	SHA2Doubted SHA2Rule = "doubted"
	// SHA2Accepted: it verifies it.
	SHA2Accepted SHA2Rule = "accepted"
)

// SHA2Rules lists what firmwares may do with SHA-2.
func SHA2Rules() []SHA2Rule { return []SHA2Rule{SHA2Refused, SHA2Doubted, SHA2Accepted} }

// Firmware is one release of the phone's software and how it looks for its servers.
type Firmware struct {
	// Version as the phone shows it, for example 3.5.6907.35.
	Version string
	// Registrar is the order of its sign-in lookups.
	Registrar RegistrarOrder
	// Time is the order of its time sources.
	Time TimeOrder
	// UpdateName tells whether a phone on which nobody ever signed in asks for
	// ucupdates-r2.<DHCP domain> (guide page 17).
	UpdateName bool
	// StrictSRV makes the phone pass over an SRV target outside the SIP domain. Communicator does so
	// by default; for the phone it is inferred from the guide's trace, which walks on to sip.<SIP
	// domain> although the SRV record had answered.
	StrictSRV bool
	// Accepts is the highest version it can install, with .* for all builds of one; empty where no limit is
	// known.
	Accepts string
	// SIPUserAgent is how it names itself in SIP, where that is known better than by UserAgent's pattern.
	SIPUserAgent string
	// SHA2 is what it does with certificates signed with SHA-2.
	SHA2 SHA2Rule
	// MinKeyBits and MaxKeyBits are the shortest and the longest RSA key that it takes; 0 where no limit is
	// known.
	MinKeyBits, MaxKeyBits int
}

// KnownFirmware lists the three releases of the guide, oldest first. The registrar order is recorded
// for 1.0.199.123 only; the others follow the help text until a capture tells better. The ladder of updates
// is 1.0.199.123, then a 1.0.522, then whatever is newer (CONTRACT section 8, causes 10 and below). That
// 1.0.199.123 cannot verify SHA-2 is confirmed (guide steps 9 and 20); of later ones the help says that they can
// and a field report that they cannot, and no limit of key lengths is known (CONTRACT section 4).
func KnownFirmware() []Firmware {
	return []Firmware{
		{Version: "1.0.199.123", Registrar: TraceOrder, Time: WindowsFirst, StrictSRV: true, Accepts: "1.0.522.*", SHA2: SHA2Refused},
		{Version: "1.0.522.101", Registrar: HelpOrder, Time: SRVFirst, UpdateName: true, StrictSRV: true, SHA2: SHA2Doubted},
		{Version: "3.5.6907.35", Registrar: HelpOrder, Time: SRVFirst, UpdateName: true, StrictSRV: true, SHA2: SHA2Doubted},
	}
}

// FindFirmware returns the known firmware of that version.
func FindFirmware(version string) (Firmware, bool) {
	all := KnownFirmware()
	i := slices.IndexFunc(all, func(f Firmware) bool { return f.Version == version })
	if i < 0 {
		return Firmware{}, false
	}
	return all[i], true
}
