//go:build !linux

package reach

import (
	"errors"
	"net"
)

// rawUDP is for Linux only.
func rawUDP(string, int) (net.PacketConn, error) {
	return nil, errors.New("DISCOVER is sent on Linux only")
}
