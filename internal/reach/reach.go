// Package reach is the way out to the servers a phone depends on: the network's own resolvers and the
// phone's walk through the names, and dialling with connect_to. Everything it does is limited in time
// and in size. It never asks the resolver of the machine it runs on.
package reach

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/cx700/cx700_exporter/internal/site"
	"github.com/cx700/cx700_exporter/internal/state"
)

// Way is how one network is reached.
type Way struct {
	Resolvers []netip.AddrPort
	ConnectTo []site.ConnectTo
}

// Divert returns the address to connect to instead of host:port: that of the first connect_to entry
// that matches the address or one of the names that led to it, else the same.
func (w Way) Divert(address string, names ...string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("address %q: %w", address, err)
	}
	for _, c := range w.ConnectTo {
		named := func(name string) bool { return strings.EqualFold(c.Host, name) }
		if c.Host != "" && !named(host) && !slices.ContainsFunc(names, named) || c.Port != "" && c.Port != port {
			continue
		}
		if c.ToHost != "" {
			host = c.ToHost
		}
		if c.ToPort != "" {
			port = c.ToPort
		}
		return net.JoinHostPort(host, port), nil
	}
	return address, nil
}

// Dial connects to an address, by way of connect_to; names are those that led to it. Network is tcp or udp.
// The deadline of the context becomes that of the connection.
func (w Way) Dial(ctx context.Context, network, address string, names ...string) (net.Conn, error) {
	to, err := w.Divert(address, names...)
	if err != nil {
		return nil, err
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, to)
	if err != nil {
		noteExhausted(err)
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return nil, fmt.Errorf("deadline on %s: %w", to, errors.Join(err, conn.Close()))
		}
	}
	return conn, nil
}

// exhausted is the whole process's: so are the files and the memory that it counts the lack of.
var exhausted atomic.Uint64

// Exhausted counts the connections for which this process had no file or the machine no memory. What a probe says of
// servers while it grows is our own trouble.
func Exhausted() uint64 { return exhausted.Load() }

func noteExhausted(err error) {
	for _, lack := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, lack) {
			exhausted.Add(1)
			return
		}
	}
}

// TimedOut tells whether an error of Dial or of its connection means that no answer came in time.
func TimedOut(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout() ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// Unreachable tells whether an error of Dial or of its connection came from the network (no route,
// nothing listens) and not from what was sent over it.
func Unreachable(err error) bool {
	var op *net.OpError
	var call syscall.Errno
	return !TimedOut(err) && errors.As(err, &op) && (errors.As(err, &call) || op.Op == "dial")
}

// Shared is what the probes of one exporter share: walks through the names, connections to domain
// controllers, questions to DHCP servers, logons to web servers, answers of the update service, the turn of downloads, the guard of the
// credentials and the state. Make it with NewShared, Close it at the end.
type Shared struct {
	Walker      *Walker
	Directories *Directories
	Certsrv     *Certsrv
	Exchange    *Exchange
	Updates     *Updates
	Leases      *Leases
	Downloads   *Downloads
	Guard       *Guard
	State       *state.File
}

// NewShared returns what probes share; f holds the state.
func NewShared(log *slog.Logger, f *state.File) *Shared {
	guard := NewGuard(log, f)
	return &Shared{
		Walker: NewWalker(), Directories: NewDirectories(guard), Certsrv: NewCertsrv(guard), Exchange: NewExchange(guard), Updates: NewUpdates(guard),
		Leases:    NewLeases(),
		Downloads: NewDownloads(guard, log), Guard: guard, State: f,
	}
}

// Close ends what is under way and every held connection.
func (s *Shared) Close() {
	s.Leases.Close()
	s.Updates.Close()
	s.Directories.Close()
	s.Walker.Close()
}
