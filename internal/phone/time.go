package phone

import "net/netip"

// NTPPort is the port of the Network Time Protocol (RFC 5905); time.windows.com is asked there.
const NTPPort = 123

// TimeSource is one server the phone may take its time from.
type TimeSource struct {
	// Asked is the name that answered, Host the server it led to.
	Asked string
	Host  string
	Port  uint16
	// Addresses is empty when the target of the SRV record has none.
	Addresses []netip.Addr
}

// TimeSources follows a firmware's time order through what DNS answers (guide pages 6, 18 and 25).
// The phone stays with the first source that answers. DHCP option 042 is not used by any R2 release.
func (d Domains) TimeSources(order TimeOrder, find Find) []TimeSource {
	if order == WindowsFirst {
		return append(d.windowsTime(find), d.serviceTime(find)...)
	}
	return append(d.serviceTime(find), d.windowsTime(find)...)
}

// TimeService is the name of the SRV record that leads to the time servers of a SIP domain.
func TimeService(sipDomain string) string { return srvTime + sipDomain }

func (d Domains) serviceTime(find Find) []TimeSource {
	var out []TimeSource
	asked, records := d.Resolve(find, TimeService(d.SIP), SRV)
	for _, s := range ByPriority(records.Services) {
		out = append(out, TimeSource{Asked: asked, Host: s.Target, Port: s.Port, Addresses: find(s.Target, A).Addresses})
	}
	return out
}

func (d Domains) windowsTime(find Find) []TimeSource {
	asked, records := d.Resolve(find, windowsTime, A)
	if asked == "" {
		return nil
	}
	return []TimeSource{{Asked: asked, Host: asked, Port: NTPPort, Addresses: records.Addresses}}
}
