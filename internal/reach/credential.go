package reach

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jcmturner/gokrb5/v8/keytab"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/site"
	"github.com/cx700/cx700_exporter/internal/state"
)

// maxSecret bounds what is read of a secret's file; keytabs hold some hundred bytes a key.
const maxSecret = 64 << 10

// Guard keeps collectors from locking an account: a credential that a server refused once is not sent
// again until its secret changes. It also holds each credential to its allowed hosts, and to one logon at
// a time, so that two servers cannot refuse it side by side.
type Guard struct {
	log   *slog.Logger
	state *state.File

	mu       sync.Mutex
	accounts map[string]*account
}

type account struct {
	turn            chan struct{}
	passwordExpires time.Time
}

// NewGuard returns a guard that remembers stopped credentials in the state file.
func NewGuard(log *slog.Logger, f *state.File) *Guard {
	return &Guard{log: log, state: f, accounts: map[string]*account{}}
}

// Secret is what a credential's file holds; one of both is set.
type Secret struct {
	Password string
	Keytab   *keytab.Keytab
}

// Problem is why a server could not be used, in the closed set of facts.
type Problem struct {
	Kind   facts.ControllerProblem
	Detail string
}

func (p *Problem) Error() string { return p.Detail }

func problem(kind facts.ControllerProblem, format string, args ...any) *Problem {
	return &Problem{Kind: kind, Detail: fmt.Sprintf(format, args...)}
}

// refusals are the problems that say something about the account, after which it is not tried again.
var refusals = [...]facts.ControllerProblem{
	facts.CredentialRefused, facts.AccountDisabled, facts.AccountLocked, facts.AccountExpired,
	facts.AccountRevoked, facts.PasswordExpired,
}

// Use lets logon send the credential to a host, unless it may not be sent there or was refused before. An
// error of logon that is a *Problem about the account stops the credential.
func (g *Guard) Use(ctx context.Context, c *site.Credential, host string, logon func(Secret) error) error {
	if !c.Allows(host) {
		return problem(facts.CredentialUnusable, "credential %s may not be sent to %s: its allowed_hosts do not name it", c.Name, host)
	}
	a := g.account(c.Name)
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-ctx.Done():
		return problem(facts.ControllerSilent, "another logon with credential %s took all the time", c.Name)
	}
	stamp, secret, err := readSecret(c)
	if err != nil {
		return problem(facts.CredentialUnusable, "credential %s: %v", c.Name, err)
	}
	if stop := g.stop(c.Name); stop != nil {
		if stop.Secret == stamp {
			return stopped(c.Name, stop)
		}
		g.change(c.Name, nil)
		g.log.Info("credential is used again: its secret changed", "credential", c.Name)
	}
	err = logon(secret)
	var p *Problem
	if errors.As(err, &p) && slices.Contains(refusals[:], p.Kind) {
		g.change(c.Name, &state.Stop{Since: time.Now(), Reason: string(p.Kind), Detail: p.Detail, Secret: stamp})
		g.log.Error("credential refused: it is not used until its secret's file changes",
			"credential", c.Name, "host", host, "reason", p.Kind, "err", p.Detail)
	}
	return err
}

// stopped is the problem of a credential that is not sent any more: still the one for which it was refused.
func stopped(name string, s *state.Stop) *Problem {
	kind := facts.ControllerProblem(s.Reason)
	if !slices.Contains(refusals[:], kind) {
		kind = facts.CredentialRefused
	}
	return problem(kind, "credential %s was refused on %s and is not tried again until its secret's file changes; then: %s",
		name, s.Since.UTC().Format(time.RFC3339), printable(s.Detail))
}

func (g *Guard) account(name string) *account {
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.accounts[name]
	if a == nil {
		a = &account{turn: make(chan struct{}, 1)}
		g.accounts[name] = a
	}
	return a
}

func (g *Guard) stop(name string) *state.Stop {
	var out *state.Stop
	g.state.View(func(d *state.Data) {
		if s, ok := d.Stops[name]; ok {
			out = &s
		}
	})
	return out
}

func (g *Guard) change(name string, s *state.Stop) {
	err := g.state.Update(func(d *state.Data) bool {
		if s == nil {
			delete(d.Stops, name)
			return true
		}
		if d.Stops == nil {
			d.Stops = map[string]state.Stop{}
		}
		d.Stops[name] = *s
		return true
	})
	if err != nil {
		g.log.Error("a stopped credential is remembered until the exporter ends only", "err", err)
	}
}

// PasswordExpires takes note of when a credential's password ends; a zero time means that it is not known
// or never.
func (g *Guard) PasswordExpires(name string, when time.Time) {
	a := g.account(name)
	g.mu.Lock()
	defer g.mu.Unlock()
	a.passwordExpires = when
}

// CredentialState is what is known of a credential.
type CredentialState struct {
	Name string
	// Stop is nil while the credential is used.
	Stop            *state.Stop
	PasswordExpires time.Time
}

// States tells of every credential that was to be used, in the order of their names.
func (g *Guard) States() []CredentialState {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []CredentialState
	for name, a := range g.accounts {
		out = append(out, CredentialState{Name: name, Stop: g.stop(name), PasswordExpires: a.passwordExpires})
	}
	slices.SortFunc(out, func(a, b CredentialState) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// readSecret reads a credential's file, and a stamp that changes with the file and names no part of it.
func readSecret(c *site.Credential) (stamp string, s Secret, err error) {
	path := c.PasswordFile + c.KeytabFile
	f, err := os.Open(path)
	if err != nil {
		return "", s, fmt.Errorf("its secret cannot be read: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", s, fmt.Errorf("its secret cannot be read: %w", err)
	}
	content, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", s, fmt.Errorf("its secret cannot be read: %w", err)
	}
	stamp = fmt.Sprintf("%s %s %d %s", c.Username, path, info.Size(), info.ModTime().UTC().Format(time.RFC3339Nano))
	switch {
	case len(content) > maxSecret:
		return stamp, s, fmt.Errorf("%s is larger than 64 KiB: it is no secret's file", path)
	case c.KeytabFile != "":
		s.Keytab = keytab.New()
		if err := unmarshalKeytab(s.Keytab, content); err != nil {
			return stamp, Secret{}, fmt.Errorf("%s is no keytab", path)
		}
	default:
		line, rest, _ := bytes.Cut(content, []byte("\n"))
		s.Password = string(bytes.TrimSuffix(line, []byte("\r")))
		if s.Password == "" || len(bytes.TrimSpace(rest)) > 0 {
			return stamp, Secret{}, fmt.Errorf("%s does not hold one line with the password", path)
		}
	}
	return stamp, s, nil
}

// unmarshalKeytab parses a keytab. The library's parser was not made for hostile bytes.
func unmarshalKeytab(k *keytab.Keytab, content []byte) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("no keytab")
		}
	}()
	if err := k.Unmarshal(content); err != nil {
		return err
	}
	if len(k.Entries) == 0 {
		return errors.New("no keys in it")
	}
	return nil
}
