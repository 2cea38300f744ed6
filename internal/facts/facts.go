// Package facts holds what was seen of a phone's dependencies, as plain types. It judges nothing: what
// a fact means for a phone is said by the collectors' reasons and by the verdict.
package facts

import (
	"net/netip"
	"time"

	"github.com/cx700/cx700_exporter/internal/phone"
)

// Seen is what one probe saw; each collector fills its own field.
type Seen struct {
	Names     *Names
	Time      *Time
	Directory *Directory
	Certsrv   *Certsrv
	Pool      *Pool
	Update    *Update
	Firmware  *Firmware
	Downloads *Downloads
	Exchange  *Exchange
	SIP       *SIP
	Lease     *Lease
	WINS      *WINS
	Vantage   *Vantage
	// Findings are what collectors have against what they saw, by the step that it concerns. A step for which nobody
	// was asked is not in it.
	Findings map[phone.Step][]Finding
	// Stale tells when a step was last looked at, where that is too long ago.
	Stale map[phone.Step]time.Time
	// LostVantage is what is wrong with the place from which we look.
	LostVantage []Finding
}

// Merge takes over what another probe saw.
func (s *Seen) Merge(o *Seen) {
	s.Names, s.Time, s.Directory, s.Certsrv = either(o.Names, s.Names), either(o.Time, s.Time), either(o.Directory, s.Directory), either(o.Certsrv, s.Certsrv)
	s.Pool, s.Update, s.Firmware, s.Downloads = either(o.Pool, s.Pool), either(o.Update, s.Update), either(o.Firmware, s.Firmware), either(o.Downloads, s.Downloads)
	s.Exchange, s.SIP, s.Lease, s.WINS = either(o.Exchange, s.Exchange), either(o.SIP, s.SIP), either(o.Lease, s.Lease), either(o.WINS, s.WINS)
}

func either[T any](a, b *T) *T {
	if a != nil {
		return a
	}
	return b
}

// Finding is a reason and what was seen of it.
type Finding struct {
	Reason *phone.Reason
	Seen   string
}

// Outcome is how a DNS question ended.
type Outcome string

// The outcomes of a DNS question (RFC 1035 section 4.1.1 for the response codes).
const (
	// Answered: the record is there.
	Answered Outcome = "answered"
	// NXDomain: the name does not exist (response code 3).
	NXDomain Outcome = "nxdomain"
	// Empty: the name exists without a record of that type.
	Empty Outcome = "empty"
	// ServFail: the resolver could not find out (response code 2).
	ServFail Outcome = "servfail"
	// Refused: the resolver does not want to answer us (response code 5).
	Refused Outcome = "refused"
	// Timeout: no answer in time.
	Timeout Outcome = "timeout"
	// Unreachable: the address cannot be reached or nothing listens there.
	Unreachable Outcome = "unreachable"
	// NoRoute: our own machine has no route to the address.
	NoRoute Outcome = "no_route"
	// Truncated: too long for UDP, and TCP did not bring the rest.
	Truncated Outcome = "truncated"
	// Malformed: an answer that is no DNS, or not to this question.
	Malformed Outcome = "malformed"
	// OtherCode: any other response code.
	OtherCode Outcome = "other_code"
	// NotAsked: no time was left for the question, since the answers before took so long.
	NotAsked Outcome = "not_asked"
)

// Settled tells whether the outcome says something about the name: that it has the record, or that it
// has not. Everything else says something about the resolver only.
func (o Outcome) Settled() bool { return o == Answered || o == NXDomain || o == Empty }

// Names is one walk through every name the phone asks for, made at each resolver.
type Names struct {
	Started time.Time
	// Walks has one entry for each resolver, in the order of the site file.
	Walks []Walk
}

// Walk is what one resolver answered.
type Walk struct {
	Resolver netip.AddrPort
	Lookups  []Lookup
}

// Lookup is one question and its answer.
type Lookup struct {
	Name string
	Type phone.RecordType
	// Random marks a made-up name, asked to find wildcard records.
	Random bool
	// OverTCP tells that the answer did not fit into UDP.
	OverTCP bool
	Outcome Outcome
	phone.Records
	// Detail is the error behind an outcome that is not settled.
	Detail string
	Took   time.Duration
}

// Time is what was seen of the time sources.
type Time struct {
	// Names is the walk by which the sources were found.
	Names   *Names
	Servers []TimeServer
}

// TimeServer is one address of a time source and its answer (RFC 5905).
type TimeServer struct {
	// Hosts are the names that led to the address.
	Hosts   []string
	Address netip.AddrPort
	// Err is empty when an answer came; the fields below are then valid.
	Err string
	// Closed tells that the address refused the packet rather than kept silent.
	Closed bool
	// Malformed tells that what came is no valid NTP answer.
	Malformed bool
	// Offset is the server's clock less ours.
	Offset       time.Duration
	RoundTrip    time.Duration
	RootDistance time.Duration
	Stratum      uint8
	// Leap is the leap indicator; 3 means unsynchronised.
	Leap uint8
	// KissCode is set on a kiss-o'-death packet, for example RATE or DENY.
	KissCode string
}

// GivesTime tells whether the server answered and is synchronised (RFC 5905 section 7.3; stratum 0 is a
// kiss-o'-death, or none).
func (s *TimeServer) GivesTime() bool {
	const unsynchronised = 3 // leap indicator
	return s.Err == "" && s.Leap != unsynchronised && s.Stratum > 0 && s.Stratum < 16
}
