package site

import (
	"net/netip"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/cx700/cx700_exporter/internal/phone"
)

const (
	dhcpPort       = 67
	winsPort       = 137
	ntpPort        = 123
	maxDHCPServers = 4
	maxSIPServers  = 8
)

var interfaceForm = formOf(`^[^\x00-\x1f\x7f/]{1,63}$`)

// Lease is what the file says that DHCP hands to the phones, beside Domains.
type Lease struct {
	// DNSServers are option 006, WINSServers 044 and NTPServers 042; none where the file does not say.
	DNSServers, WINSServers, NTPServers []netip.AddrPort
	// SIPServers are option 120.
	SIPServers []string
	// VendorClasses are those for which there is an option 043.
	VendorClasses []string
}

// DHCP is how the servers that hand out leases are asked; the zero value is not to ask.
type DHCP struct {
	// Servers are asked one by one; without any, all that hear a broadcast on Interface.
	Servers   []netip.AddrPort
	Interface string
	// Discover asks on Interface for an offer as well, as a phone does, and lets it expire.
	Discover bool
}

// Watched tells whether the file says to ask.
func (d DHCP) Watched() bool { return d.Servers != nil || d.Interface != "" }

// handedOut reads what DHCP hands to the phones.
func (r *reader) handedOut(n *yaml.Node, key string, d *phone.Domains) Lease {
	var l Lease
	r.fields(n, key,
		field{"domain", func(n *yaml.Node, key string) { r.domain(n, key, 2, &d.DHCP) }},
		field{"search", func(n *yaml.Node, key string) { d.Search = r.domains(n, key, maxSearch) }},
		field{"dns_servers", func(n *yaml.Node, key string) { l.DNSServers = r.resolvers(n, key) }},
		field{"wins_servers", func(n *yaml.Node, key string) { l.WINSServers = r.servers4(n, key, maxResolvers, winsPort) }},
		field{"ntp_servers", func(n *yaml.Node, key string) { l.NTPServers = r.servers4(n, key, maxResolvers, ntpPort) }},
		field{"sip_servers", func(n *yaml.Node, key string) { l.SIPServers = r.domains(n, key, maxSIPServers) }},
		field{"vendor_classes", func(n *yaml.Node, key string) {
			r.items(n, key, len(phone.VendorClasses()), func(n *yaml.Node, key string) {
				var class string
				choice(r, n, key, phone.VendorClasses(), &class)
				l.VendorClasses = append(l.VendorClasses, class)
			})
		}},
	)
	return l
}

func (r *reader) domains(n *yaml.Node, key string, most int) []string {
	var out []string
	r.items(n, key, most, func(n *yaml.Node, key string) {
		var domain string
		r.domain(n, key, 1, &domain)
		out = append(out, domain)
	})
	return out
}

// dhcp reads how DHCP servers are asked.
func (r *reader) dhcp(n *yaml.Node, key string) DHCP {
	var d DHCP
	r.fields(n, key,
		field{"servers", func(n *yaml.Node, key string) { d.Servers = r.servers4(n, key, maxDHCPServers, dhcpPort) }},
		field{"interface", func(n *yaml.Node, key string) {
			r.shaped(n, key, interfaceForm, "the name of a network interface, such as eth0", &d.Interface)
		}},
		field{"discover", func(n *yaml.Node, key string) { r.boolean(n, key, &d.Discover) }},
	)
	if n.Kind != yaml.MappingNode {
		return d
	}
	switch {
	case child(n, "servers") == nil && child(n, "interface") == nil:
		r.fault(n, key, "nobody to ask", "write the servers to ask, or the interface on which to broadcast")
	case child(n, "servers") != nil && child(n, "interface") != nil && !d.Discover:
		r.fault(child(n, "interface"), key+".interface", "of no use beside servers", "write discover: true with it, or leave one of them out")
	case d.Discover && child(n, "interface") == nil:
		r.fault(child(n, "discover"), key+".discover", "without an interface", "name the interface on which phones stand, such as eth0")
	}
	return d
}

// servers4 reads addresses of servers that phones, or we in their stead, reach by IPv4 only.
func (r *reader) servers4(n *yaml.Node, key string, most int, port uint16) []netip.AddrPort {
	out := r.servers(n, key, most, port)
	if i := slices.IndexFunc(out, func(a netip.AddrPort) bool { return !a.Addr().Is4() }); i >= 0 {
		r.fault(n, key, out[i].Addr().String()+" is IPv6", "write an IPv4 address; phones know no other")
	}
	return out
}
