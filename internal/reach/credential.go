package reach

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
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
	"golang.org/x/crypto/bcrypt"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/site"
	"github.com/cx700/cx700_exporter/internal/state"
)

// maxSecret bounds what is read of a secret's file; keytabs hold some hundred bytes a key.
const maxSecret = 64 << 10

// Guard keeps collectors from locking an account: one that a server refused once is not tried again until
// its secret changes or somebody touches the secret's file. It counts accounts, not entries of the site
// file. It also holds each credential to its allowed hosts, and each account to one logon at a time, so
// that two servers cannot refuse it side by side.
type Guard struct {
	log   *slog.Logger
	state *state.File

	mu          sync.Mutex
	accounts    map[string]*account
	credentials map[string]*credential
}

// account is one account, whatever entries name it. Who has the turn may use the rest.
type account struct {
	turn chan struct{}
	// files holds how each secret's file looked last.
	files map[string]fileLook
	// compared holds which secrets were compared with which digests: to compare is costly on purpose.
	compared map[comparison]bool
	// resumed is when it was last tried again because a file was touched.
	resumed time.Time
}

// fileLook is how a file looked from outside, and whether it held a secret that was refused by the stop of
// that time.
type fileLook struct {
	outside string
	stop    time.Time
	refused bool
}

// comparison is a digest of a secret and the SHA-256 of another, which never leaves the process.
type comparison struct {
	digest  string
	content [sha256.Size]byte
}

// holds tells whether a digest is that of a secret.
func (a *account) holds(digest string, content []byte) bool {
	const most = 256
	key := comparison{digest, sha256.Sum256(content)}
	same, known := a.compared[key]
	if !known {
		same = holds(digest, content)
		if len(a.compared) >= most {
			clear(a.compared)
		}
		a.compared[key] = same
	}
	return same
}

// credential is what is known of one entry of the site file.
type credential struct {
	stop            *state.Stop // nil while it is used
	passwordExpires time.Time
}

// touchHonoured is how long an account rests before a touched file, whose secret is the old one, makes it
// tried again: a file that is written anew all the time must not lock it.
const touchHonoured = time.Hour

// NewGuard returns a guard that remembers stopped accounts in the state file.
func NewGuard(log *slog.Logger, f *state.File) *Guard {
	return &Guard{log: log, state: f, accounts: map[string]*account{}, credentials: map[string]*credential{}}
}

// Secret is what a credential's file holds: a password or a keytab.
type Secret struct {
	Password string
	Keytab   *keytab.Keytab
	sum      secretSum
}

// secretSum tells a secret from another, and never leaves the process.
type secretSum [sha256.Size]byte

// replaced tells whether a credential's file holds another secret by now. From one that cannot be read nothing follows:
// what is held goes on.
func (used secretSum) replaced(c *site.Credential) bool {
	_, _, now, err := readSecret(c)
	return err == nil && now.sum != used
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
	facts.AccountUnknown, facts.CredentialRefused, facts.AccountDisabled, facts.AccountLocked, facts.AccountExpired,
	facts.AccountRevoked, facts.PasswordExpired,
}

// Use lets logon send the credential to a host, unless it may not be sent there or its account was refused
// before. An error of logon that is a *Problem about the account stops the account.
func (g *Guard) Use(ctx context.Context, c *site.Credential, host string, logon func(Secret) error) error {
	if !c.Allows(host) {
		return problem(facts.CredentialUnusable, "credential %s may not be sent to %s: its allowed_hosts do not name it", c.Name, host)
	}
	key := c.Account()
	a := g.account(c.Name, key)
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-ctx.Done():
		return problem(facts.Delayed, "another logon with the account of credential %s took all the time", c.Name)
	}
	outside, content, secret, err := readSecret(c)
	if err != nil {
		return problem(facts.CredentialUnusable, "credential %s: %v", c.Name, err)
	}
	stop := g.stop(key)
	if stop != nil && !a.mayUse(stop, c, outside, content) {
		g.note(c.Name, stop)
		return stopped(c.Name, stop)
	}
	if ctx.Err() != nil { // the secret's look took the time that was left
		return problem(facts.Delayed, "no time was left for the logon with credential %s", c.Name)
	}
	err = logon(secret)
	var p *Problem
	switch {
	case errors.As(err, &p) && slices.Contains(refusals[:], p.Kind):
		stop = g.refuse(key, stop, p, content)
		a.files[secretFile(c)] = fileLook{outside: outside, stop: stop.Since, refused: true}
		g.note(c.Name, stop)
		g.log.Error("credential refused: its account is not tried with this secret until its file changes",
			"credential", c.Name, "host", host, "reason", p.Kind, "err", p.Detail)
	case err == nil:
		g.forgive(key, a, stop, content)
		a.files[secretFile(c)] = fileLook{outside: outside}
		g.note(c.Name, nil)
	}
	return err
}

func secretFile(c *site.Credential) string { return c.PasswordFile + c.KeytabFile }

// mayUse tells whether a stopped account is tried with a secret: with one that was not refused, or when
// somebody touched its file while we watched, which is how an operator says so.
func (a *account) mayUse(stop *state.Stop, c *site.Credential, outside string, content []byte) bool {
	last, watched := a.files[secretFile(c)]
	same := watched && last.outside == outside
	if same && last.stop.Equal(stop.Since) {
		return !last.refused
	}
	refused := slices.ContainsFunc(stop.Secrets, func(digest string) bool { return a.holds(digest, content) })
	a.files[secretFile(c)] = fileLook{outside: outside, stop: stop.Since, refused: refused}
	if !refused {
		return true
	}
	if !watched || same || time.Since(a.resumed) < touchHonoured {
		return false
	}
	a.resumed = time.Now()
	return true
}

// refuse stops an account. All secrets that were refused are remembered.
func (g *Guard) refuse(key string, before *state.Stop, p *Problem, content []byte) *state.Stop {
	const most = 16
	next := &state.Stop{Since: time.Now(), Reason: string(p.Kind), Detail: p.Detail, Secrets: []string{digestOf(content)}}
	if before != nil {
		next.Secrets = append(slices.Clone(before.Secrets[max(0, len(before.Secrets)-most+1):]), next.Secrets...)
	}
	g.change(key, next)
	return next
}

// forgive takes a secret that works off those that were refused.
func (g *Guard) forgive(key string, a *account, stop *state.Stop, content []byte) {
	if stop == nil {
		return
	}
	left := slices.DeleteFunc(slices.Clone(stop.Secrets), func(digest string) bool { return a.holds(digest, content) })
	switch {
	case len(left) == 0:
		g.change(key, nil)
	case len(left) < len(stop.Secrets):
		next := *stop
		next.Secrets = left
		g.change(key, &next)
	}
}

// stopped is the problem of a credential that is not sent any more: still the one for which its account was
// refused.
func stopped(name string, s *state.Stop) *Problem {
	kind := facts.ControllerProblem(s.Reason)
	if !slices.Contains(refusals[:], kind) {
		kind = facts.CredentialRefused
	}
	return problem(kind, "the account of credential %s was refused on %s and is not tried again until its secret's file changes; then: %s",
		name, s.Since.UTC().Format(time.RFC3339), printable(s.Detail))
}

func (g *Guard) account(name, key string) *account {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.credentials[name] == nil {
		g.credentials[name] = &credential{}
	}
	a := g.accounts[key]
	if a == nil {
		a = &account{turn: make(chan struct{}, 1), files: map[string]fileLook{}, compared: map[comparison]bool{}}
		g.accounts[key] = a
	}
	return a
}

// note remembers whether a credential is stopped.
func (g *Guard) note(name string, stop *state.Stop) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.credentials[name].stop = stop
}

func (g *Guard) stop(key string) *state.Stop {
	var out *state.Stop
	g.state.View(func(d *state.Data) {
		if s, ok := d.Stops[key]; ok {
			out = &s
		}
	})
	return out
}

func (g *Guard) change(key string, s *state.Stop) {
	err := g.state.Update(func(d *state.Data) bool {
		_, was := d.Stops[key]
		if s == nil {
			delete(d.Stops, key)
			return was
		}
		if d.Stops == nil {
			d.Stops = map[string]state.Stop{}
		}
		d.Stops[key] = *s
		return true
	})
	if err != nil {
		g.log.Error("a stopped account is remembered until the exporter ends only", "err", err)
	}
}

// PasswordExpires takes note of when the password of a credential that logged on ends; a zero time means
// never.
func (g *Guard) PasswordExpires(name string, when time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c := g.credentials[name]; c != nil {
		c.passwordExpires = when
	}
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
	for name, c := range g.credentials {
		out = append(out, CredentialState{Name: name, Stop: c.stop, PasswordExpires: c.passwordExpires})
	}
	slices.SortFunc(out, func(a, b CredentialState) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// digestOf makes a digest of a secret that is too costly to guess by.
func digestOf(content []byte) string {
	digest, err := bcrypt.GenerateFromPassword(shortened(content), bcrypt.DefaultCost)
	if err != nil {
		return "" // holds for no secret
	}
	return string(digest)
}

func holds(digest string, content []byte) bool {
	return bcrypt.CompareHashAndPassword([]byte(digest), shortened(content)) == nil
}

// shortened fits a keytab or a long password into what bcrypt takes.
func shortened(content []byte) []byte {
	sum := sha256.Sum256(content)
	return []byte(base64.StdEncoding.EncodeToString(sum[:]))
}

// readSecret reads a credential's file: how it looks from outside, its content, and what that means.
func readSecret(c *site.Credential) (outside string, content []byte, s Secret, err error) {
	path := secretFile(c)
	f, err := os.Open(path)
	if err != nil {
		return "", nil, s, fmt.Errorf("its secret cannot be read: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", nil, s, fmt.Errorf("its secret cannot be read: %w", err)
	}
	content, err = io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", nil, s, fmt.Errorf("its secret cannot be read: %w", err)
	}
	outside = fmt.Sprint(info.Size(), info.ModTime().UnixNano())
	switch {
	case len(content) > maxSecret:
		return outside, content, s, fmt.Errorf("%s is larger than 64 KiB: it is no secret's file", path)
	case c.KeytabFile != "":
		s.Keytab = keytab.New()
		if err := unmarshalKeytab(s.Keytab, content); err != nil {
			return outside, content, Secret{}, fmt.Errorf("%s is no keytab", path)
		}
	default:
		line, rest, _ := bytes.Cut(content, []byte("\n"))
		s.Password = string(bytes.TrimSuffix(line, []byte("\r")))
		if s.Password == "" || len(bytes.TrimSpace(rest)) > 0 {
			return outside, content, Secret{}, fmt.Errorf("%s does not hold one line with the password", path)
		}
		content = []byte(s.Password)
	}
	s.sum = sha256.Sum256(content)
	return outside, content, s, nil
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
