//go:build linux

package bed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// clock is the state of a time server.
type clock struct {
	offset         time.Duration
	unsynchronised bool
}

// healthy is the clock of a good time server.
var healthy = clock{}

// chronyServer is a time server whose clock can be falsified.
type chronyServer struct {
	*server
	clock clock
}

func (b *Bed) newChrony() map[Host]*chronyServer {
	servers := make(map[Host]*chronyServer)
	for _, host := range []Host{NTPInside, NTPOutside} {
		s := &chronyServer{server: b.newServer(host)}
		s.command = s.commandLine
		s.ready = s.answers
		servers[host] = s
	}
	return servers
}

// faketimeLibrary finds the library which shifts a program's clock.
func faketimeLibrary() string {
	for _, pattern := range []string{
		"/usr/lib/*/faketime/libfaketime.so.1",
		"/usr/lib*/faketime/libfaketime.so.1",
	} {
		if found, err := filepath.Glob(pattern); err == nil && len(found) > 0 {
			return found[0]
		}
	}
	return ""
}

func (s *chronyServer) configFile() string {
	return filepath.Join(s.dir, "chrony.conf")
}

func (s *chronyServer) socket() string {
	return filepath.Join(s.dir, "run", "chronyd.sock")
}

// commandLine loads the clock-shifting library itself: the faketime program
// would stand between the bed and the daemon.
func (s *chronyServer) commandLine() (env, argv []string) {
	if s.clock.offset != 0 {
		env = []string{
			"LD_PRELOAD=" + faketimeLibrary(),
			fmt.Sprintf("FAKETIME=%+fs", s.clock.offset.Seconds()),
		}
	}
	return env, []string{"chronyd", "-d", "-x", "-u", "root", "-f", s.configFile()}
}

// config is the daemon's configuration: a stratum of its own makes it
// synchronised, and without any source it is not.
func (s *chronyServer) config() string {
	lines := []string{
		"allow",
		"cmdport 0",
		"bindaddress " + address(s.host),
		"bindcmdaddress " + s.socket(),
		"pidfile " + filepath.Join(s.dir, "run", "chronyd.pid"),
	}
	if !s.clock.unsynchronised {
		lines = append(lines, "local stratum 3")
	}
	return strings.Join(lines, "\n") + "\n"
}

// apply restarts the daemon with the given clock.
func (s *chronyServer) apply(ctx context.Context, c clock) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kill()
	s.clock = c
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(s.configFile(), []byte(s.config()), 0o600); err != nil {
		return err
	}
	return s.start(ctx)
}

// answers asks the daemon through its socket whether its state is the
// wanted one; by then its network port is open.
func (s *chronyServer) answers(ctx context.Context) error {
	text, err := s.bed.run(ctx, s.host, "chronyc", "-h", s.socket(), "tracking")
	if err != nil {
		return err
	}
	if strings.Contains(text, "Not synchronised") != s.clock.unsynchronised {
		return errors.New("chronyd is in the wrong state:\n" + text)
	}
	return nil
}

// SkewClock lets the time server serve a time which is wrong by offset, as
// synchronised as before.
func (b *Bed) SkewClock(ctx context.Context, host Host, offset time.Duration) error {
	return b.setClock(ctx, host, clock{offset: offset})
}

// Unsynchronise lets the time server answer that it is not synchronised
// (leap indicator 3).
func (b *Bed) Unsynchronise(ctx context.Context, host Host) error {
	return b.setClock(ctx, host, clock{unsynchronised: true})
}

// HealNTP undoes SkewClock, Unsynchronise, Pause and Kill.
func (b *Bed) HealNTP(ctx context.Context, host Host) error {
	return b.setClock(ctx, host, healthy)
}

func (b *Bed) setClock(ctx context.Context, host Host, c clock) error {
	s, ok := b.chrony[host]
	if !ok {
		return fmt.Errorf("bed: %q is no time server", host)
	}
	return s.apply(ctx, c)
}
