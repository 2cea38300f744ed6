//go:build linux

package bed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
)

// errClosed is what starting a server in a closed bed gives.
var errClosed = errors.New("bed: is closed")

// spawner starts processes from one thread which lives as long as the bed:
// the kernel sends the parent-death signal when the starting thread ends,
// not the process.
type spawner struct {
	work chan func()
	done chan struct{}
}

func newSpawner() *spawner {
	s := &spawner{work: make(chan func()), done: make(chan struct{})}
	go func() {
		runtime.LockOSThread()
		for {
			select {
			case job := <-s.work:
				job()
			case <-s.done:
				return
			}
		}
	}()
	return s
}

// start starts the command on the spawner's thread.
func (s *spawner) start(cmd *exec.Cmd) error {
	result := make(chan error, 1)
	select {
	case s.work <- func() { result <- cmd.Start() }:
		return <-result
	case <-s.done:
		return errClosed
	}
}

func (s *spawner) close() {
	close(s.done)
}

// server is one daemon on one host.
type server struct {
	bed  *Bed
	host Host
	dir  string
	// command gives the daemon's environment (beside the usual one) and
	// command line.
	command func() (env, argv []string)
	// ready is one look whether the daemon answers as it should.
	ready func(ctx context.Context) error

	mu     sync.Mutex
	cmd    *exec.Cmd
	exited chan struct{}
	paused bool
}

func (b *Bed) newServer(host Host) *server {
	return &server{bed: b, host: host, dir: filepath.Join(b.dir, string(host))}
}

func (s *server) logFile() string {
	return filepath.Join(s.dir, "log")
}

// running tells whether the daemon is there, stopped or not. The caller
// holds mu, as for all the following.
func (s *server) running() bool {
	if s.cmd == nil {
		return false
	}
	select {
	case <-s.exited:
		return false
	default:
		return true
	}
}

// start starts the daemon and waits until it is ready.
func (s *server) start(ctx context.Context) error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	env, argv := s.command()
	cmd := s.bed.Command(context.WithoutCancel(ctx), s.host, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Dir = s.dir
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := s.bed.spawner.start(cmd); err != nil {
		return err
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	s.cmd, s.exited, s.paused = cmd, exited, false
	return s.wait(ctx)
}

// wait polls until the daemon is ready, and gives up when it ends.
func (s *server) wait(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	exited := s.exited
	go func() {
		select {
		case <-exited:
			cancel(errors.New("the server ended"))
		case <-ctx.Done():
		}
	}()
	if err := s.bed.poll(ctx, startTimeout, s.ready); err != nil {
		return s.explain(errors.Join(err, context.Cause(ctx)))
	}
	return nil
}

// explain adds the end of the daemon's log to an error.
func (s *server) explain(err error) error {
	text, readErr := os.ReadFile(s.logFile())
	if readErr != nil {
		return fmt.Errorf("bed: %s: %w", s.host, err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	lines = lines[max(0, len(lines)-15):]
	return fmt.Errorf("bed: %s: %w; end of its log:\n%s", s.host, err, strings.Join(lines, "\n"))
}

// signal sends a signal to the daemon and its children.
func (s *server) signal(sig syscall.Signal) error {
	if !s.running() {
		return fmt.Errorf("bed: %s: the server does not run", s.host)
	}
	return syscall.Kill(-s.cmd.Process.Pid, sig)
}

// kill ends the daemon, if it runs, and waits for that.
func (s *server) kill() {
	if s.signal(syscall.SIGKILL) == nil {
		<-s.exited
	}
	s.paused = false
}

// Pause stops the host's server so that it is silent: its ports stay open,
// and nothing answers. The inside name servers wait ten seconds for a paused
// domain controller before they answer SERVFAIL for its zone; for a killed
// one they do so at once.
func (b *Bed) Pause(host Host) error {
	return b.control(host, func(s *server) error {
		err := s.signal(syscall.SIGSTOP)
		s.paused = err == nil
		return err
	})
}

// Resume lets a paused server go on.
func (b *Bed) Resume(host Host) error {
	return b.control(host, func(s *server) error {
		err := s.signal(syscall.SIGCONT)
		s.paused = false
		return err
	})
}

// Kill ends the host's server, so that its ports are closed.
func (b *Bed) Kill(host Host) error {
	return b.control(host, func(s *server) error {
		if !s.running() {
			return fmt.Errorf("bed: %s: the server does not run", s.host)
		}
		s.kill()
		return nil
	})
}

// Restart starts the host's server again, in the state it was told to be in
// last, and waits until it answers. A running server is killed first.
func (b *Bed) Restart(ctx context.Context, host Host) error {
	return b.control(host, func(s *server) error {
		s.kill()
		return s.start(ctx)
	})
}

// control changes a server under its lock. When that was the domain
// controller, the inside name servers forget what they know from it.
func (b *Bed) control(host Host, change func(s *server) error) error {
	s, err := b.server(host)
	if err != nil {
		return err
	}
	s.mu.Lock()
	err = change(s)
	s.mu.Unlock()
	if err != nil || host != DC {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), changeTimeout)
	defer cancel()
	return b.flush(ctx)
}
