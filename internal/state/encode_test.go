package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestWrittenAsJSON: entry by entry it is what the JSON of the whole would be.
func TestWrittenAsJSON(t *testing.T) {
	for name, d := range map[string]*Data{"empty": {Version: version}, "full": filled(2)} {
		var text bytes.Buffer
		if err := d.writeTo(&text); err != nil {
			t.Fatal(err)
		}
		whole, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		var want, got any
		if err := errors.Join(json.Unmarshal(whole, &want), json.Unmarshal(text.Bytes(), &got)); err != nil {
			t.Fatalf("%v\n%s", err, &text)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-whole +by entry):\n%s", name, diff)
		}
	}
}

// TestWriteErrors: a full disk is told.
func TestWriteErrors(t *testing.T) {
	if err := filled(1000).writeTo(full{}); !errors.Is(err, errFull) {
		t.Errorf("%v, want %v", err, errFull)
	}
}

var errFull = errors.New("the disk is full")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

// BenchmarkWrite writes what is known of a thousand sites.
func BenchmarkWrite(b *testing.B) {
	d := filled(1000)
	b.ReportAllocs()
	for b.Loop() {
		if err := d.writeTo(io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}

// filled has so many entries of each kind.
func filled(n int) *Data {
	d := &Data{Version: version, Stops: map[string]Stop{}, Roots: map[string]*Roots{}, Images: map[string]Image{}, Places: map[string]Place{}}
	for i := range n {
		key := fmt.Sprintf("entry %d \"<\\\n%%s ü", i)
		d.Stops[key] = Stop{Since: monday, Reason: "credential_refused", Detail: key, Secrets: []string{"$2a$"}}
		d.Roots[key] = &Roots{Began: monday, Seen: map[string]Root{key: {Subject: key, FirstSeen: monday, Certificate: []byte(key)}}, Counts: map[Change]int{Gone: i}}
		d.Images[key] = Image{SHA256: key, Size: 15 << 20, Seen: monday}
		d.Places[key] = Place{ReadyAt: monday, Ready: []Trait{{"root", key}}, Days: map[string]Day{"4.0.7577.4444 new": {End: 1, Pieces: "rrr-"}}}
	}
	return d
}
