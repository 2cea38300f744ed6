package facts

import (
	"net/netip"
	"time"
)

// WINS is what WINS servers know of the domain controllers.
type WINS struct {
	// Names is the walk by which DNS finds them.
	Names *Names
	// Domain is the NetBIOS name that was asked for.
	Domain  string
	Servers []WINSServer
}

// WINSServer is the answer of one server to the question for the domain's controllers.
type WINSServer struct {
	Address netip.AddrPort
	// Outcome reads as that of a question to DNS, whose codes WINS shares (RFC 1002 section 4.2.6).
	Outcome   Outcome
	Addresses []netip.Addr
	Detail    string
	Took      time.Duration
}
