package reach

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/cx700/cx700_exporter/internal/site"
)

func TestDivert(t *testing.T) {
	hostAndPort := site.ConnectTo{Host: "Pool01.contoso.com", Port: "5061", ToHost: "127.0.0.1", ToPort: "15061"}
	hostOnly := site.ConnectTo{Host: "pool01.contoso.com", ToHost: "10.0.0.9"}
	portOnly := site.ConnectTo{Port: "443", ToPort: "8443"}
	all := site.ConnectTo{ToHost: "fd00::1"}
	for _, tt := range []struct {
		name    string
		entries []site.ConnectTo
		address string
		want    string // empty for an error
	}{
		{"no entries", nil, "pool01.contoso.com:5061", "pool01.contoso.com:5061"},
		{"host and port", []site.ConnectTo{hostAndPort}, "pool01.contoso.com:5061", "127.0.0.1:15061"},
		{"the host's case does not matter", []site.ConnectTo{hostOnly}, "POOL01.contoso.com:5061", "10.0.0.9:5061"},
		{"another port", []site.ConnectTo{hostAndPort}, "pool01.contoso.com:443", "pool01.contoso.com:443"},
		{"another host", []site.ConnectTo{hostAndPort, hostOnly}, "pool02.contoso.com:5061", "pool02.contoso.com:5061"},
		{"any host", []site.ConnectTo{portOnly}, "192.168.7.20:443", "192.168.7.20:8443"},
		{"anything, to IPv6", []site.ConnectTo{all}, "192.168.7.20:443", "[fd00::1]:443"},
		{"from IPv6", []site.ConnectTo{{Host: "fd00::2", ToPort: "53"}}, "[fd00::2]:5353", "[fd00::2]:53"},
		{"the first that matches, and only that", []site.ConnectTo{portOnly, hostOnly, all}, "pool01.contoso.com:443", "pool01.contoso.com:8443"},
		{"no port", nil, "pool01.contoso.com", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Way{ConnectTo: tt.entries}.Divert(tt.address)
			if got != tt.want || (err != nil) != (tt.want == "") {
				t.Errorf("%q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func TestDialGoesByConnectTo(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	host, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	w := Way{ConnectTo: []site.ConnectTo{{Host: "pool01.contoso.com", Port: "5061", ToHost: host, ToPort: port}}}
	conn, err := w.Dial(t.Context(), "tcp", "pool01.contoso.com:5061")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := conn.RemoteAddr().String(); got != listener.Addr().String() {
		t.Errorf("connected to %s", got)
	}
}

func TestErrorsOfTheNetwork(t *testing.T) {
	op := func(op string, err error) error { return &net.OpError{Op: op, Net: "tcp", Err: err} }
	call := func(e syscall.Errno) error { return os.NewSyscallError("read", e) }
	for _, tt := range []struct {
		name                  string
		err                   error
		timedOut, unreachable bool
	}{
		{"deadline of the connection", op("read", os.ErrDeadlineExceeded), true, false},
		{"deadline of the context", fmt.Errorf("waiting: %w", context.DeadlineExceeded), true, false},
		{"cancelled", op("dial", context.Canceled), true, false},
		{"refused", op("dial", call(syscall.ECONNREFUSED)), false, true},
		{"refused after sending", op("read", call(syscall.ECONNREFUSED)), false, true},
		{"no route", op("dial", errors.New("no suitable address")), false, true},
		{"bad content", errors.New("overflow unpacking uint16"), false, false},
		{"bad content of a connection", op("read", errors.New("short buffer")), false, false},
	} {
		if TimedOut(tt.err) != tt.timedOut || Unreachable(tt.err) != tt.unreachable {
			t.Errorf("%s: timed out %t, unreachable %t", tt.name, TimedOut(tt.err), Unreachable(tt.err))
		}
	}
}

// TestExhausted tells our own lack of files from servers that refuse.
func TestExhausted(t *testing.T) {
	for call, want := range map[syscall.Errno]uint64{syscall.EMFILE: 1, syscall.ENFILE: 1, syscall.ENOMEM: 1, syscall.ECONNREFUSED: 0} {
		before := Exhausted()
		noteExhausted(&net.OpError{Op: "dial", Err: os.NewSyscallError("socket", call)})
		if got := Exhausted() - before; got != want {
			t.Errorf("%v counts %d times, want %d", call, got, want)
		}
	}
}
