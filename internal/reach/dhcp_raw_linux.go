package reach

import (
	"net"

	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"
)

// rawUDP hears what comes to a port of an interface, whatever address it is for, and broadcasts. It needs
// CAP_NET_RAW.
func rawUDP(name string, port int) (net.PacketConn, error) { return nclient4.NewRawUDPConn(name, port) }
