package state

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// FuzzState: whatever is in the file, it is read or refused, and what was read is whole, and the same once it is written.
func FuzzState(f *testing.F) {
	f.Add([]byte(`{"version":1}`))
	f.Add([]byte(`{"version":1,"roots":{"contoso.com":null},"stops":{"a":{}}}`))
	f.Add([]byte(`{"version":99}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		file := &File{path: "state.json"}
		if file.parse(content) != nil {
			return
		}
		for forest, r := range file.data.Roots {
			if r == nil || r.Seen == nil || r.Counts == nil {
				t.Errorf("%q: %+v", forest, r)
			}
		}
		var written bytes.Buffer
		if err := file.data.writeTo(&written); err != nil {
			return // a time of the year 10000, which JSON has no form for
		}
		again := &File{path: "state.json"}
		if err := again.parse(written.Bytes()); err != nil {
			t.Fatalf("%v\n%s", err, &written)
		}
		if diff := cmp.Diff(file.data, again.data, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("(-read +written and read):\n%s", diff)
		}
	})
}
