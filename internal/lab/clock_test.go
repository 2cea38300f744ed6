package lab

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/beevik/ntp"
)

// askTime says in a few words what a client gets from a clock.
func askTime(t *testing.T, c *udpServer) string {
	t.Helper()
	r, err := ntp.QueryWithOptions(c.address.String(), ntp.QueryOptions{Timeout: patience})
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return "silence"
	case err != nil:
		return "garbage"
	case r.IsKissOfDeath():
		return "kiss " + r.KissCode
	case r.Validate() != nil:
		return fmt.Sprintf("leap %d, stratum %d", r.Leap, r.Stratum)
	default:
		return fmt.Sprintf("stratum %d, off by %s", r.Stratum, r.ClockOffset.Round(time.Minute))
	}
}

func TestHealthyClocks(t *testing.T) {
	l := started(t, 1)
	for _, c := range l.offices[0].clocks {
		r, err := ntp.QueryWithOptions(c.address.String(), ntp.QueryOptions{Timeout: patience})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Validate(); err != nil {
			t.Error(err)
		}
		if r.Stratum != 3 || r.Leap != ntp.LeapNoWarning || r.ClockOffset.Abs() > patience {
			t.Errorf("stratum %d, leap %d, offset %s", r.Stratum, r.Leap, r.ClockOffset)
		}
		if age := time.Since(r.ReferenceTime); age < 0 || age > 2*time.Minute {
			t.Errorf("the reference time is %s old", age)
		}
	}
}

func TestReply(t *testing.T) {
	for version := byte(1); version <= 4; version++ {
		request := make([]byte, ntpPacketSize)
		request[0] = version<<3 | ntpModeClient
		copy(request[40:], "transmit")
		reply := clockState{}.reply(request, time.Unix(0, 0))
		if reply[0] != version<<3|ntpModeServer {
			t.Errorf("version %d is answered with %#x", version, reply[0])
		}
		if !bytes.Equal(reply[24:32], []byte("transmit")) {
			t.Errorf("origin % x is not the request's transmit time", reply[24:32])
		}
		if want := []byte{0x83, 0xaa, 0x7e, 0x80, 0, 0, 0, 0}; !bytes.Equal(reply[40:], want) {
			t.Errorf("1970 is % x, want % x (RFC 5905 section 6)", reply[40:], want)
		}
	}
}

// Two clocks that answered each other's answers would never stop.
func TestOnlyRequestsAreAnswered(t *testing.T) {
	l := started(t, 1)
	c := l.offices[0].clocks[insideClock]
	conn, err := net.Dial("udp", c.address.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	short, answer := make([]byte, ntpPacketSize-1), make([]byte, ntpPacketSize)
	short[0], answer[0] = 4<<3|ntpModeClient, 4<<3|ntpModeServer
	for _, p := range [][]byte{{}, short, answer, make([]byte, 4096)} {
		if _, err := conn.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(answer); err == nil {
		t.Errorf("%d bytes came back", n)
	}
	if got, want := askTime(t, c), "stratum 3, off by 0s"; got != want {
		t.Errorf("afterwards the clock says %q, want %q", got, want)
	}
}
