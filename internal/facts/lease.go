package facts

import (
	"net/netip"
	"time"

	"github.com/cx700/cx700_exporter/internal/phone"
)

// LeaseQuestion is how a DHCP server was asked.
type LeaseQuestion string

// The questions to a DHCP server (RFC 2131 section 3.1 and 3.4). A lease is never requested.
const (
	Inform   LeaseQuestion = "INFORM"
	Discover LeaseQuestion = "DISCOVER"
)

// LeaseProblem is why a question has no answer.
type LeaseProblem string

// The ways to have no answer.
const (
	// LeaseSilent: none came in time.
	LeaseSilent LeaseProblem = "silent"
	// LeaseUnreachable: the server's machine says that nothing listens there, or there is no route to it.
	LeaseUnreachable LeaseProblem = "unreachable"
	// LeaseMalformed: what came is no DHCP.
	LeaseMalformed LeaseProblem = "malformed"
	// LeaseNotPermitted: we lack the privilege to ask.
	LeaseNotPermitted LeaseProblem = "not_permitted"
	// LeaseNotAsked: our own machine is in the way: a port that is taken, an interface that is not there.
	LeaseNotAsked LeaseProblem = "not_asked"
)

// Lease is what DHCP servers hand out.
type Lease struct {
	Answers []LeaseAnswer
}

// LeaseAnswer is what one server says to one question; several may answer a broadcast.
type LeaseAnswer struct {
	Question LeaseQuestion
	// Class is the vendor class that was asked with, option 060.
	Class string
	// Server is the one that was asked; of a broadcast the one that answered, by option 054, else by its address; not
	// valid where a broadcast was not answered.
	Server netip.Addr
	// Problem is empty when there is an answer; the fields below are then valid.
	Problem LeaseProblem
	Detail  string
	Options phone.DHCPOptions
	// Offered is the address in answer to a DISCOVER. It is left to expire.
	Offered netip.Addr
	Took    time.Duration
}
