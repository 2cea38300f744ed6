package reach

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
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

func TestRefusedCredentialIsNotSentAgain(t *testing.T) {
	stateFile := filepath.Join(t.TempDir(), "state.json")
	c := testCredential(t, planted+"\n")
	sent := 0
	refuses := func(s Secret) error {
		sent++
		if s.Password != planted {
			t.Errorf("password %q", s.Password)
		}
		return problem(facts.AccountDisabled, "data 533")
	}
	use := func(g *Guard, logon func(Secret) error) error {
		return g.Use(t.Context(), c, "dc01.contoso.com", logon)
	}
	g, log := guardOn(t, stateFile)
	for range 5 {
		if kind := kindOf(t, use(g, refuses)); kind != facts.AccountDisabled {
			t.Errorf("%s, want the reason of the refusal", kind)
		}
	}
	g, _ = guardOn(t, stateFile) // started anew
	if kind := kindOf(t, use(g, refuses)); kind != facts.AccountDisabled || sent != 1 {
		t.Errorf("%s, sent %d times, want once", kind, sent)
	}
	if states := g.States(); len(states) != 1 || states[0].Stop == nil || states[0].Stop.Reason != string(facts.AccountDisabled) {
		t.Errorf("states %+v", states)
	}
	later := time.Now().Add(time.Minute)
	if err := os.Chtimes(c.PasswordFile, later, later); err != nil {
		t.Fatal(err)
	}
	if err := use(g, func(Secret) error { sent++; return nil }); err != nil || sent != 2 {
		t.Errorf("touched: %v, sent %d times, want twice", err, sent)
	}
	if states := g.States(); states[0].Stop != nil {
		t.Errorf("still stopped: %+v", states[0].Stop)
	}
	content, err := os.ReadFile(stateFile)
	if err != nil || strings.Contains(string(content)+log.String(), planted) {
		t.Errorf("the secret is in the state or in the log: %v\n%s\n%s", err, content, log)
	}
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
	if kind := kindOf(t, g.Use(ctx, c, "dc01.contoso.com", func(Secret) error { return nil })); kind != facts.ControllerSilent {
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
		_, s, err := readSecret(&site.Credential{KeytabFile: file})
		if err == nil && (s.Keytab == nil || len(s.Keytab.Entries) == 0) {
			t.Error("a keytab without keys was taken")
		}
	})
}
