package helm

import (
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const chart = "cx700-exporter"

var flagGiven = regexp.MustCompile(`--[a-z][a-z.-]+`)

// TestIgnored: a line of .helmignore that has no slash at its head also drops folders and files below templates/.
func TestIgnored(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(chart, ".helmignore"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line != "/ci/" && line != "/tests/" {
			t.Errorf(".helmignore: %q is neither /ci/ nor /tests/", line)
		}
	}
}

// TestFlags: docs/configuration.md has every flag of the program.
func TestFlags(t *testing.T) {
	known, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"_pod.tpl", "tests/check.yaml"} {
		text, err := os.ReadFile(filepath.Join(chart, "templates", path))
		if err != nil {
			t.Fatal(err)
		}
		flags := flagGiven.FindAllString(string(text), -1)
		if len(flags) == 0 {
			t.Errorf("%s gives no flag", path)
		}
		for _, f := range flags {
			if !strings.Contains(string(known), "\n| `"+f+"` |") {
				t.Errorf("%s: there is no flag %s", path, f)
			}
		}
	}
}

// TestEveryTemplateRenders: each file below templates/ gives an object with the default values or with those of ci/.
func TestEveryTemplateRenders(t *testing.T) {
	if _, err := exec.LookPath("helm"); err != nil {
		t.Skip("there is no helm on PATH")
	}
	values, err := filepath.Glob(filepath.Join(chart, "ci", "*-values.yaml"))
	if err != nil || len(values) == 0 {
		t.Fatalf("%d files of values, %v", len(values), err)
	}
	rendered := map[string]bool{}
	for _, args := range append([][]string{nil}, prefixed("--values=", values)...) {
		out, err := exec.CommandContext(t.Context(), "helm", append([]string{"template", "rel", chart, "--kube-version=1.30.0"}, args...)...).CombinedOutput()
		if err != nil {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
		for line := range strings.Lines(string(out)) {
			if source, ok := strings.CutPrefix(strings.TrimSpace(line), "# Source: "); ok {
				rendered[source] = true
			}
		}
	}
	templates := templateFiles(t)
	if got := slices.Sorted(maps.Keys(rendered)); !slices.Equal(got, templates) {
		t.Errorf("objects come from\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(templates, "\n"))
	}
}

func prefixed(prefix string, values []string) (out [][]string) {
	for _, v := range values {
		out = append(out, []string{prefix + v})
	}
	return out
}

// templateFiles are those that give objects, sorted.
func templateFiles(t *testing.T) (out []string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(chart, "templates"), func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".yaml" {
			out = append(out, filepath.ToSlash(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}
