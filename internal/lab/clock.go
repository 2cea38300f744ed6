package lab

import (
	"encoding/binary"
	"time"
)

// The NTP packet (RFC 5905 section 7.3).
const (
	ntpPacketSize  = 48
	ntpEpoch       = 2208988800 // seconds from 1900 to 1970
	ntpVersionBits = 7 << 3
	ntpModeBits    = 7
	ntpModeClient  = 3
	ntpModeServer  = 4
	leapUnknown    = 3 << 6
)

// startClock starts an NTP server.
func startClock(current func() clockState) (*udpServer, error) {
	return startUDP(func(request []byte) []byte {
		if len(request) < ntpPacketSize || request[0]&ntpModeBits != ntpModeClient {
			return nil
		}
		return current().reply(request[:ntpPacketSize], time.Now())
	})
}

// reply answers a request as a server of stratum 3 would (RFC 5905 section 7.3), nil when it stays mute.
func (s clockState) reply(request []byte, now time.Time) []byte {
	now = now.Add(s.offset)
	p := make([]byte, ntpPacketSize)
	p[0] = request[0]&ntpVersionBits | ntpModeServer
	p[1] = 3 // stratum
	p[2], p[3] = 6, 0xe9
	binary.BigEndian.PutUint32(p[4:], 1<<6) // root delay, a millisecond
	binary.BigEndian.PutUint32(p[8:], 1<<7) // root dispersion
	copy(p[12:], []byte{10, 70, 0, 1})      // reference
	putTime(p[16:], now.Add(-time.Minute))
	copy(p[24:32], request[40:48]) // the request's transmit time comes back as origin
	putTime(p[32:], now)
	putTime(p[40:], now)
	switch s.mode {
	case mute:
		return nil
	case unsynchronised:
		p[0] |= leapUnknown
		p[1] = 16
	case kisses:
		p[0] |= leapUnknown
		p[1] = 0
		copy(p[12:], "RATE")
	case babbles:
		return []byte("HTTP/1.0 400 Bad Request\r\n\r\n")
	}
	return p
}

func putTime(b []byte, t time.Time) {
	binary.BigEndian.PutUint32(b, uint32(t.Unix()+ntpEpoch))
	binary.BigEndian.PutUint32(b[4:], uint32(uint64(t.Nanosecond())<<32/uint64(time.Second)))
}
