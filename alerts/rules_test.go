package alerts

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the rule files and the runbooks anew")

// golden compares text with a file, or writes the file with -update.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s (-want +got); if this is meant, run: go test ./alerts -update\n%s", file, diff)
	}
}

// TestFiles holds the rule files in this folder to the table.
func TestFiles(t *testing.T) {
	files, err := Files(DefaultURLs())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		golden(t, f.Name, string(f.Content))
	}
}
