package state

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
)

// writeTo writes an entry a line, one after the other: the JSON of thousands of places at once would need several times
// their memory.
func (d *Data) writeTo(out io.Writer) error {
	w := &entryWriter{out: bufio.NewWriter(out)}
	w.printf("{\n\"version\": %d", version)
	writeEntries(w, "stopped_accounts", d.Stops)
	writeEntries(w, "roots", d.Roots)
	writeEntries(w, "images", d.Images)
	writeEntries(w, "places", d.Places)
	w.printf("\n}\n")
	if w.err != nil {
		return w.err
	}
	return w.out.Flush()
}

// entryWriter keeps the first error.
type entryWriter struct {
	out *bufio.Writer
	err error
}

func (w *entryWriter) printf(format string, args ...any) {
	if w.err == nil {
		_, w.err = fmt.Fprintf(w.out, format, args...)
	}
}

func (w *entryWriter) json(v any) []byte {
	text, err := json.Marshal(v)
	if w.err == nil {
		w.err = err
	}
	return text
}

func writeEntries[V any](w *entryWriter, name string, entries map[string]V) {
	if len(entries) == 0 {
		return
	}
	begin := fmt.Sprintf(",\n%q: {", name)
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		w.printf("%s\n  %s: %s", begin, w.json(key), w.json(entries[key]))
		begin = ","
	}
	w.printf("\n}")
}
