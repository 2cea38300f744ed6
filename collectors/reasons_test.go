package collectors

import (
	"context"
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cx700/cx700_exporter/internal/site"
)

var snakeCase = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)

// TestReasonsAreComplete: each reason is a label, a heading and a word for `explain` at once, so that no
// two may share a name, and each has to say all that a reader needs.
func TestReasonsAreComplete(t *testing.T) {
	byName := map[string]*Reason{"internal": Internal()}
	of := map[string]string{}
	for _, c := range All() {
		if len(c.Reasons) == 0 {
			t.Errorf("%s cannot fail", c.Name)
		}
		for i, r := range c.Reasons {
			if slices.Index(c.Reasons, r) != i {
				t.Errorf("%s lists %s twice", c.Name, r.Name)
			}
			if !snakeCase.MatchString(r.Name) {
				t.Errorf("%q of %s is no label value in snake_case", r.Name, c.Name)
			}
			if other := byName[r.Name]; other != nil && *other != *r {
				t.Errorf("%s means one thing to %s and another to %s", r.Name, c.Name, of[r.Name])
			}
			byName[r.Name], of[r.Name] = r, c.Name
		}
	}
	for name, r := range byName {
		for what, text := range map[string]string{"Means": r.Means, "Screen": r.Screen, "Mend": r.Mend, "AtPhone": r.AtPhone} {
			if text == "" || strings.TrimSpace(text) != text || strings.HasSuffix(text, ".") || strings.Contains(text, "\n") {
				t.Errorf("%s of %s is %q; want one line without a full stop", what, name, text)
			}
		}
		if r.Effect < Notes || r.Effect > Blocks {
			t.Errorf("%s has effect %d", name, r.Effect)
		}
	}
}

func TestEffects(t *testing.T) {
	var got []string
	for e := Notes; e <= Blocks; e++ {
		got = append(got, fmt.Sprint(e, " ", e.Fails()))
	}
	if diff := cmp.Diff([]string{"noted false", "not watched false", "degraded false", "unknown true", "blocked true", "blocked true"}, got); diff != "" {
		t.Errorf("mildest first (-want +got):\n%s", diff)
	}
}

func TestFailures(t *testing.T) {
	silent, off := fail(reasonTimeSilent, "no answer"), fail(reasonTimeOff, "by an hour")
	foreign := errors.New("out of sockets")
	for _, tt := range []struct {
		name string
		err  error
		want []string
	}{
		{"none", nil, nil},
		{"none joined", join(nil), nil},
		{"one", silent, []string{"time_silent: no answer"}},
		{"joined", join([]*Failure{silent, off}), []string{"time_silent: no answer", "time_off: by an hour"}},
		{"joined twice", errors.Join(join([]*Failure{silent}), off), []string{"time_silent: no answer", "time_off: by an hour"}},
		{"wrapped", fmt.Errorf("server one: %w", silent), []string{"time_silent: no answer"}},
		{"foreign", foreign, []string{"internal: out of sockets"}},
		{"foreign beside one", errors.Join(silent, foreign), []string{"time_silent: no answer", "internal: out of sockets"}},
		{"the context's", fmt.Errorf("waiting: %w", context.DeadlineExceeded), []string{"internal: waiting: context deadline exceeded"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, f := range Failures(tt.err) {
				got = append(got, f.Error())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if internal := Failures(foreign)[0]; !errors.Is(internal, foreign) || internal.Reason.Effect != Blinds {
		t.Errorf("a foreign error became %+v; want it kept, as a blind spot of ours", internal)
	}
}

func TestTargetKey(t *testing.T) {
	a, b := contosoTarget("dns", "internal"), contosoTarget("dns", "internal")
	if a.Key() != b.Key() || a.Round() != b.Round() {
		t.Error("equal targets have different keys")
	}
	b.Collector = "ntp"
	if a.Key() == b.Key() || a.Round() != b.Round() {
		t.Error("targets of two collectors should share their round and nothing else")
	}
	b.Domains.DHCP = ""
	if a.Round() == b.Round() {
		t.Error("other domains, but one round")
	}
}

// TestTargetKeyOfSettings: targets are equal by what their settings say, not by where these are held.
func TestTargetKeyOfSettings(t *testing.T) {
	reader := func() *site.Credential { return &site.Credential{Name: "reader"} }
	settings := func() *Target {
		return &Target{
			Vantage: &site.Vantage{Names: []string{"contoso.com"}}, Lease: &site.Lease{SIPServers: []string{"pool01.contoso.com"}},
			Update: &site.Update{Credential: reader()}, Exchange: &site.Exchange{Credential: reader()},
			Directory: site.Directory{Credential: reader()}, Certsrv: site.Certsrv{Credential: reader()},
		}
	}
	key := settings().Key()
	if again := settings().Key(); again != key {
		t.Error("equal settings give different keys")
	}
	known := map[string]int{key: -1}
	for i, change := range []func(*Target){
		func(t *Target) { t.Vantage = nil }, func(t *Target) { t.Vantage.Names[0] = "fabrikam.com" },
		func(t *Target) { t.Lease = nil }, func(t *Target) { t.Lease.SIPServers[0] = "pool02.contoso.com" },
		func(t *Target) { t.Update = nil }, func(t *Target) { t.Update.Paths = []string{"/CPE.nbt"} }, func(t *Target) { t.Update.Credential.Name = "other" },
		func(t *Target) { t.Exchange = nil }, func(t *Target) { t.Exchange.EWSURL = "https://mail.contoso.com" },
		func(t *Target) { t.Directory.Bind = site.BindKerberos }, func(t *Target) { t.Certsrv.Hosts = []string{"ca.contoso.com"} },
	} {
		changed := settings()
		change(changed)
		if other, again := known[changed.Key()]; again {
			t.Errorf("change %d has the key of %d", i, other)
		}
		known[changed.Key()] = i
	}
}

// TestTargetKeyHasAll: what JSON leaves out would not tell targets apart.
func TestTargetKeyHasAll(t *testing.T) {
	var expect func(of reflect.Type, path string)
	expect = func(of reflect.Type, path string) {
		switch {
		case of.Implements(reflect.TypeFor[encoding.TextMarshaler]()):
		case of.Kind() == reflect.Pointer, of.Kind() == reflect.Slice, of.Kind() == reflect.Map:
			expect(of.Elem(), path)
		case of.Kind() == reflect.Struct:
			for _, f := range reflect.VisibleFields(of) {
				if !f.IsExported() || f.Tag.Get("json") != "" || f.Anonymous && reaches(of, f.Type) < f.Type.NumField() {
					t.Errorf("%s.%s is not in a key as it is", path, f.Name)
				}
				expect(f.Type, path+"."+f.Name)
			}
		}
	}
	expect(reflect.TypeFor[Target](), "Target")
}

// reaches counts the fields of an embedded struct that no other hides.
func reaches(of, embedded reflect.Type) (n int) {
	for i := range embedded.NumField() {
		if f, found := of.FieldByName(embedded.Field(i).Name); found && len(f.Index) > 1 {
			n++
		}
	}
	return n
}
