package reach

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/labtest"
	"github.com/cx700/cx700_exporter/internal/site"
	"github.com/cx700/cx700_exporter/internal/state"
)

func TestMain(m *testing.M) {
	labtest.Main()
	goleak.VerifyTestMain(m)
}

const planted = "s3cret-of-the-test"

// account writes a secret and returns the credential that uses it.
func testCredential(t *testing.T, content string) *site.Credential {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return &site.Credential{Name: "reader", Username: "reader@contoso.com", PasswordFile: file, AllowedHosts: []string{"*.contoso.com"}}
}

// guardOn returns a guard that remembers in a file, and what it logs.
func guardOn(t *testing.T, path string) (*Guard, *bytes.Buffer) {
	t.Helper()
	f, err := state.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	log := &bytes.Buffer{}
	return NewGuard(slog.New(slog.NewTextHandler(log, nil)), f), log
}

func kindOf(t *testing.T, err error) facts.ControllerProblem {
	t.Helper()
	var p *Problem
	if !errors.As(err, &p) {
		t.Fatalf("%v is no problem", err)
	}
	return p.Kind
}

// accountServer counts what it is sent and knows one password; an empty one is that of a disabled account.
type accountServer struct {
	password string
	sent     []string
}

func (s *accountServer) logon(secret Secret) error {
	s.sent = append(s.sent, secret.Password)
	switch s.password {
	case "":
		return problem(facts.AccountDisabled, "data 533")
	case secret.Password:
		return nil
	default:
		return problem(facts.CredentialRefused, "data 52e")
	}
}

// touch sets a file's time to so many minutes from now.
func touch(t *testing.T, c *site.Credential, minutes int) {
	t.Helper()
	when := time.Now().Add(time.Duration(minutes) * time.Minute)
	if err := os.Chtimes(c.PasswordFile, when, when); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, c *site.Credential, password string) {
	t.Helper()
	if err := os.WriteFile(c.PasswordFile, []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestRefusedAccountIsNotTriedAgain(t *testing.T) {
	stateFile := filepath.Join(t.TempDir(), "state.json")
	c := testCredential(t, planted+"\n")
	server := &accountServer{}
	try := func(g *Guard, want facts.ControllerProblem, sent int) {
		t.Helper()
		err := g.Use(t.Context(), c, "dc01.contoso.com", server.logon)
		if want == "" && err != nil || want != "" && kindOf(t, err) != want {
			t.Errorf("%v, want %q", err, want)
		}
		if len(server.sent) != sent {
			t.Errorf("sent %d times, want %d", len(server.sent), sent)
		}
	}
	g, log := guardOn(t, stateFile)
	for range 5 {
		try(g, facts.AccountDisabled, 1)
	}
	for minutes := 1; minutes < 4; minutes++ { // started anew, with the same secret in a new file
		g, _ = guardOn(t, stateFile)
		touch(t, c, minutes)
		try(g, facts.AccountDisabled, 1)
		try(g, facts.AccountDisabled, 1)
	}
	touch(t, c, 10)
	try(g, facts.AccountDisabled, 2) // touched under our eyes, but nothing was mended
	touch(t, c, 11)
	try(g, facts.AccountDisabled, 2) // not twice an hour
	server.password = "another"
	write(t, c, "another")
	touch(t, c, 12)
	try(g, "", 3) // a new secret
	if states := g.States(); len(states) != 1 || states[0].Stop != nil {
		t.Errorf("states %+v", states)
	}
	write(t, c, planted)
	touch(t, c, 13)
	try(g, facts.AccountDisabled, 3) // the old one again
	content, err := os.ReadFile(stateFile)
	if err != nil || strings.Contains(string(content)+log.String(), planted) {
		t.Errorf("the secret is in the state or in the log: %v\n%s\n%s", err, content, log)
	}
}

// TestEntriesOfOneAccountCountTogether names one account in several ways: it is refused once.
func TestEntriesOfOneAccountCountTogether(t *testing.T) {
	g, _ := guardOn(t, "")
	server := &accountServer{password: "right"}
	for i, username := range []string{"reader@contoso.com", `CONTOSO\reader`, "READER@Contoso.com", `contoso.com\Reader`} {
		c := testCredential(t, "wrong")
		c.Name, c.Username = fmt.Sprint("entry", i), username
		if err := g.Use(t.Context(), c, "dc01.contoso.com", server.logon); kindOf(t, err) != facts.CredentialRefused {
			t.Error(err)
		}
	}
	right := testCredential(t, "right")
	for range 3 { // an entry with the right secret is used, and does not bring the wrong one back
		if err := g.Use(t.Context(), right, "dc01.contoso.com", server.logon); err != nil {
			t.Error(err)
		}
		wrong := testCredential(t, "wrong")
		if err := g.Use(t.Context(), wrong, "dc01.contoso.com", server.logon); err == nil {
			t.Error("the wrong secret works")
		}
	}
	if wrong := slices.Index(server.sent[1:], "wrong"); wrong >= 0 || len(server.sent) != 4 {
		t.Errorf("sent %q, want the wrong one once and the right one three times", server.sent)
	}
}

// TestMendedAccountIsUsedByAllItsEntries disables an account that several entries have used, mends it, and
// touches their files.
func TestMendedAccountIsUsedByAllItsEntries(t *testing.T) {
	g, _ := guardOn(t, filepath.Join(t.TempDir(), "state.json"))
	server := &accountServer{password: planted}
	entries := []*site.Credential{testCredential(t, planted), testCredential(t, planted), testCredential(t, planted)}
	all := func(want facts.ControllerProblem) {
		t.Helper()
		for i, c := range entries {
			c.Name = fmt.Sprint("entry", i)
			err := g.Use(t.Context(), c, "dc01.contoso.com", server.logon)
			if want == "" && err != nil || want != "" && kindOf(t, err) != want {
				t.Errorf("%s: %v, want %q", c.Name, err, want)
			}
		}
	}
	all("")
	server.password, server.sent = "", nil
	all(facts.AccountDisabled)
	all(facts.AccountDisabled)
	if len(server.sent) != 1 {
		t.Errorf("the disabled account was tried %d times, want once", len(server.sent))
	}
	server.password = planted
	all(facts.AccountDisabled)
	for _, c := range entries {
		touch(t, c, 1)
	}
	all("")
}

func TestOtherFailuresStopNothing(t *testing.T) {
	g, _ := guardOn(t, "")
	c := testCredential(t, planted)
	sent := 0
	for _, err := range []error{
		problem(facts.ControllerSilent, "x"), problem(facts.StrongAuthRequired, "x"), problem(facts.KerberosClock, "x"),
		problem(facts.TLSUntrusted, "x"), errors.New("x"),
	} {
		if got := g.Use(t.Context(), c, "dc01.contoso.com", func(Secret) error { sent++; return err }); !errors.Is(got, err) {
			t.Errorf("%v became %v", err, got)
		}
	}
	if sent != 5 {
		t.Errorf("sent %d times, want 5", sent)
	}
}

// TestTwoServersCannotRefuseSideBySide lets many logons go at once: one of them is sent, none after it.
func TestTwoServersCannotRefuseSideBySide(t *testing.T) {
	g, _ := guardOn(t, "")
	c := testCredential(t, planted)
	var mu sync.Mutex
	sent := 0
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			err := g.Use(t.Context(), c, "dc01.contoso.com", func(Secret) error {
				mu.Lock()
				defer mu.Unlock()
				sent++
				return problem(facts.CredentialRefused, "data 52e")
			})
			if err == nil {
				t.Error("no error")
			}
		})
	}
	wg.Wait()
	if sent != 1 {
		t.Errorf("the account was refused %d times, want once", sent)
	}
}

func TestLogonWaitsForItsTurnInBoundedTime(t *testing.T) {
	g, _ := guardOn(t, "")
	c := testCredential(t, planted)
	began, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		err := g.Use(t.Context(), c, "dc01.contoso.com", func(Secret) error {
			close(began)
			<-release
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-began
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if kind := kindOf(t, g.Use(ctx, c, "dc01.contoso.com", func(Secret) error { return nil })); kind != facts.Delayed {
		t.Error(kind)
	}
	close(release)
	wg.Wait()
}

func TestUnusableSecrets(t *testing.T) {
	for name, c := range map[string]*site.Credential{
		"empty":     testCredential(t, ""),
		"two lines": testCredential(t, planted+"\nand more\n"),
		"too large": testCredential(t, strings.Repeat("x", maxSecret+1)),
		"missing":   {Name: "x", Username: "a@b.c", PasswordFile: filepath.Join(t.TempDir(), "none"), AllowedHosts: []string{"*.contoso.com"}},
		"folder":    {Name: "x", Username: "a@b.c", PasswordFile: t.TempDir(), AllowedHosts: []string{"*.contoso.com"}},
	} {
		g, _ := guardOn(t, "")
		err := g.Use(t.Context(), c, "dc01.contoso.com", func(Secret) error { t.Errorf("%s: sent", name); return nil })
		if kind := kindOf(t, err); kind != facts.CredentialUnusable || strings.Contains(err.Error(), planted) {
			t.Errorf("%s: %s, %v", name, kind, err)
		}
	}
	garbage := testCredential(t, "\x05\x02garbage")
	garbage.KeytabFile, garbage.PasswordFile = garbage.PasswordFile, ""
	g, _ := guardOn(t, "")
	if kind := kindOf(t, g.Use(t.Context(), garbage, "dc01.contoso.com", nil)); kind != facts.CredentialUnusable {
		t.Error(kind)
	}
	if err := g.Use(t.Context(), testCredential(t, planted), "dc01.evil.example", nil); kindOf(t, err) != facts.CredentialUnusable {
		t.Error(err)
	}
}

func FuzzKeytab(f *testing.F) {
	f.Add([]byte("\x05\x02"))
	f.Add([]byte("\x05\x02\x00\x00\x00\x10\x00\x01\x00\x03abc\x00\x01x\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, content []byte) {
		file := filepath.Join(t.TempDir(), "keytab")
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, s, err := readSecret(&site.Credential{KeytabFile: file})
		if err == nil && (s.Keytab == nil || len(s.Keytab.Entries) == 0) {
			t.Error("a keytab without keys was taken")
		}
	})
}
