// Package helm holds the chart to what it carries copies of, since a chart cannot reach outside its folder.
package helm

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "copy the files into the chart anew")

// TestCopies: the chart installs the rules and dashboards as they are.
func TestCopies(t *testing.T) {
	for from, to := range map[string]string{
		"../alerts/*.rules.yml": "cx700-exporter/files/rules", "../dashboards/*.json": "cx700-exporter/files/dashboards",
	} {
		originals, err := filepath.Glob(from)
		if err != nil || len(originals) == 0 {
			t.Fatalf("%s: %d files, %v", from, len(originals), err)
		}
		for _, path := range originals {
			copied := filepath.Join(to, filepath.Base(path))
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if *update {
				if err := os.WriteFile(copied, want, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if got, err := os.ReadFile(copied); err != nil || string(got) != string(want) {
				t.Errorf("%s is not a copy of %s (%v); run: go test ./helm -update", copied, path, err)
			}
		}
		copies, err := filepath.Glob(filepath.Join(to, "*"))
		if err != nil || len(copies) != len(originals) {
			t.Errorf("%s has %d files, want %d (%v)", to, len(copies), len(originals), err)
		}
	}
}
