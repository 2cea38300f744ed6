package state

import "testing"

// FuzzState: whatever is in the file, it is read or refused, and what was read is whole.
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
	})
}
