package state

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	monday  = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	tuesday = monday.AddDate(0, 0, 1)
)

func opened(t *testing.T, path string) *File {
	t.Helper()
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestStateOutlivesTheProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	stop := Stop{Since: monday, Reason: "credential_refused", Secrets: []string{"digest"}}
	err := opened(t, path).Update(func(d *Data) bool {
		d.Stops = map[string]Stop{"reader": stop}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	var got Stop
	opened(t, path).View(func(d *Data) { got = d.Stops["reader"] })
	if diff := cmp.Diff(stop, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	if err != nil || len(left) != 1 {
		t.Errorf("files left: %v, %v", left, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("mode %v, %v: others can read it", info.Mode(), err)
	}
}

func TestUnusableFileIsRefusedAndKept(t *testing.T) {
	for content, want := range map[string]string{
		"":                        "not the exporter's JSON",
		"{":                       "not the exporter's JSON",
		`{"version": 9}`:          "of version 9, this exporter knows 1",
		`[]`:                      "not the exporter's JSON",
		`null`:                    "of version 0, this exporter knows 1",
		`{"version": 1, "roots":`: "move it away to begin anew",
	} {
		path := filepath.Join(t.TempDir(), "state.json")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), path) {
			t.Errorf("%q: %v, want %q", content, err, want)
		}
		if after, err := os.ReadFile(path); err != nil || string(after) != content {
			t.Errorf("%q was changed to %q, %v", content, after, err)
		}
	}
}

// TestUnreadableFileIsLeft: what somebody else wrote meanwhile, and cannot be read, is not overwritten.
func TestUnreadableFileIsLeft(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	f := opened(t, path)
	const garbage = "no JSON"
	if err := os.WriteFile(path, []byte(garbage), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		err := f.Update(func(d *Data) bool {
			d.Stops = map[string]Stop{"reader": {Since: monday}}
			return true
		})
		if err == nil || !strings.Contains(err.Error(), "not the exporter's JSON") {
			t.Errorf("%v, want that the file is no JSON", err)
		}
	}
	f.View(func(d *Data) {
		if !d.Stops["reader"].Since.Equal(monday) {
			t.Error("the change is lost")
		}
	})
	if content, err := os.ReadFile(path); err != nil || string(content) != garbage {
		t.Errorf("overwritten by %q, %v", content, err)
	}
}

func TestFileWithHolesIsTaken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	if err := os.WriteFile(path, []byte(`{"version": 1, "roots": {"a": null, "b": {}}, "stopped_credentials": null}`), 0o600); err != nil {
		t.Fatal(err)
	}
	f := opened(t, path)
	for _, forest := range []string{"a", "b", "c"} {
		if _, err := f.ObserveRoots(forest, monday, time.Minute, []Published{{SHA256: "aa"}}); err != nil {
			t.Error(err)
		}
		if _, known := f.FirstSeen(forest, "aa"); !known {
			t.Errorf("%s: not seen", forest)
		}
	}
}

// TestTwoProcessesKeepEachOthersStops shares a file, as the daemon and a probe by hand do.
func TestTwoProcessesKeepEachOthersStops(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	daemon := opened(t, path)
	probe := opened(t, path)
	stop := func(f *File, name string) {
		err := f.Update(func(d *Data) bool {
			if d.Stops == nil {
				d.Stops = map[string]Stop{}
			}
			d.Stops[name] = Stop{Since: monday}
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	stop(probe, "one")
	stop(daemon, "two")
	for _, f := range []*File{daemon, probe, opened(t, path)} {
		f.View(func(d *Data) {
			if len(d.Stops) != 2 {
				t.Errorf("%v, want both stops", d.Stops)
			}
		})
	}
}

func TestUnwritableFolderIsToldAtOnce(t *testing.T) {
	_, err := Open(filepath.Join(t.TempDir(), "none", "state.json"))
	if err == nil || !strings.Contains(err.Error(), "give the exporter a folder it may write to") {
		t.Errorf("%v", err)
	}
}

func TestRootsThroughARollOver(t *testing.T) {
	const forest = "CN=Configuration,DC=contoso,DC=com"
	path := filepath.Join(t.TempDir(), "state.json")
	first := Published{SHA256: "aa", Subject: "CN=ContosoCA", Object: "CN=ContosoCA,CN=Certification Authorities", DER: []byte("first")}
	second := Published{SHA256: "bb", Subject: "CN=ContosoCA", Object: first.Object, DER: []byte("second")}
	other := Published{SHA256: "cc", Subject: "CN=Other", Object: "CN=Other,CN=Certification Authorities"}
	event := func(c Change, p Published) Event { return Event{Change: c, SHA256: p.SHA256, Subject: p.Subject} }
	replaced := event(Replaced, second)
	replaced.Before = first.SHA256
	steps := []struct {
		name      string
		published []Published
		want      []Event
	}{
		{"what is there at first is no change", []Published{first}, nil},
		{"nothing new", []Published{first}, nil},
		{"renewed in its object", []Published{second}, []Event{replaced}},
		{"seen again by somebody at another controller", []Published{first}, nil},
		{"and not", []Published{second}, nil},
		{"which is seen for long by nobody", []Published{second}, []Event{event(Gone, first)}},
		{"another one beside it", []Published{second, other}, []Event{event(Appeared, other)}},
		{"emptied, perhaps", nil, nil},
		{"emptied", nil, []Event{event(Gone, second), event(Gone, other)}},
		{"still empty", nil, nil},
		{"healed", []Published{second}, []Event{event(Appeared, second)}},
	}
	const interval = 30 * time.Second
	f := opened(t, path)
	for i, s := range steps {
		now := monday.Add(time.Duration(i) * interval)
		got, err := f.ObserveRoots(forest, now, 2*interval, s.published)
		if err != nil {
			t.Fatal(err)
		}
		for i := range s.want {
			s.want[i].Time = now
		}
		if diff := cmp.Diff(s.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", s.name, diff)
		}
	}
	f = opened(t, path) // started anew
	if since, known := f.FirstSeen(forest, "aa"); !known || !since.Equal(monday) {
		t.Errorf("aa first seen %v, %t", since, known)
	}
	if diff := cmp.Diff(map[string][]byte{"aa": []byte("first")}, f.FirstRoots(forest)); diff != "" {
		t.Errorf("what it published at first (-want +got):\n%s", diff)
	}
	if got := f.FirstRoots("CN=Configuration,DC=fabrikam,DC=com"); len(got) > 0 {
		t.Errorf("a forest that was never read published %v", got)
	}
	if _, known := f.FirstSeen(forest, "dd"); known {
		t.Error("dd was never seen")
	}
	if diff := cmp.Diff(map[Change]int{Appeared: 2, Replaced: 1, Gone: 3}, f.ChangeCounts(forest)); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	// What went while the exporter did not run is told once it has looked for long enough.
	for i, want := range []int{0, 0, 1, 0} {
		got, err := f.ObserveRoots(forest, tuesday.Add(time.Duration(i)*interval), 2*interval, nil)
		if err != nil || len(got) != want {
			t.Errorf("look %d after the start: %v, %v, want %d", i, got, err, want)
		}
	}
}

func TestHistoryIsBounded(t *testing.T) {
	f := opened(t, "")
	flapping := Published{SHA256: "aa", Object: "CN=A"}
	const rounds = 2 * maxEvents
	for i := range rounds {
		var published []Published
		if i%2 == 0 {
			published = []Published{flapping}
		}
		if _, err := f.ObserveRoots("forest", monday.Add(time.Duration(i)*time.Minute), time.Minute, published); err != nil {
			t.Fatal(err)
		}
	}
	f.View(func(d *Data) {
		if n := len(d.Roots["forest"].Events); n != maxEvents {
			t.Errorf("%d events are kept, want %d", n, maxEvents)
		}
	})
	if n := f.ChangeCounts("forest"); n[Gone]+n[Appeared] != rounds-1 {
		t.Errorf("counted %v, want %d in all", n, rounds-1)
	}
}
