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

	"go.yaml.in/yaml/v3"
)

const chart = "cx700-exporter"

var flagGiven = regexp.MustCompile(`--[a-z][a-z.-]+`)

// TestIgnored: a line of .helmignore that has no slash at its head also drops folders and files below templates/.
func TestIgnored(t *testing.T) {
	for line := range strings.Lines(read(t, filepath.Join(chart, ".helmignore"))) {
		line = strings.TrimSpace(line)
		if line != "/ci/" && line != "/tests/" {
			t.Errorf(".helmignore: %q is neither /ci/ nor /tests/", line)
		}
	}
}

// TestFlags: docs/configuration.md has every flag of the program.
func TestFlags(t *testing.T) {
	known := read(t, "../docs/configuration.md")
	for _, path := range []string{"_pod.tpl", "tests/check.yaml"} {
		flags := flagGiven.FindAllString(read(t, filepath.Join(chart, "templates", path)), -1)
		if len(flags) == 0 {
			t.Errorf("%s gives no flag", path)
		}
		for _, f := range flags {
			if !strings.Contains(known, "\n| `"+f+"` |") {
				t.Errorf("%s: there is no flag %s", path, f)
			}
		}
	}
}

// schema is what a test reads of values.schema.json.
type schema struct {
	Ref         string            `yaml:"$ref"`
	Items       *schema           `yaml:"items"`
	Properties  map[string]schema `yaml:"properties"`
	Definitions map[string]schema `yaml:"definitions"`
}

// TestValues: values.yaml has each key of the schema, and a template uses it; it tells of each key of an instance.
func TestValues(t *testing.T) {
	var root schema
	var values map[string]any
	text := read(t, filepath.Join(chart, "values.yaml"))
	for what, into := range map[string]any{text: &values, read(t, filepath.Join(chart, "values.schema.json")): &root} {
		if err := yaml.Unmarshal([]byte(what), into); err != nil {
			t.Fatal(err)
		}
	}
	templates := ""
	for _, pattern := range []string{"*.tpl", "*.yaml", "tests/*.yaml"} {
		for _, path := range globbed(t, filepath.Join(chart, "templates", pattern)) {
			templates += read(t, path)
		}
	}
	word := func(text, key string) bool { return regexp.MustCompile(`\b` + key + `\b`).MatchString(text) }
	for key, property := range root.Properties {
		if _, there := values[key]; !there && key != "global" {
			t.Errorf("values.yaml has no %s", key)
		}
		if key != "global" && !word(templates, key) {
			t.Errorf("no template uses %s", key)
		}
		if name, referred := strings.CutPrefix(property.Ref, "#/definitions/"); referred {
			property = root.Definitions[name]
		}
		for below := range property.Properties {
			given, _ := values[key].(map[string]any)
			if _, there := given[below]; !there && key != "config" && key != "capabilities" {
				t.Errorf("values.yaml has no %s.%s", key, below)
			}
		}
	}
	if root.Properties["instances"].Items == nil {
		t.Fatal("the schema has no instances")
	}
	for key := range root.Properties["instances"].Items.Properties {
		if !word(text, key) {
			t.Errorf("values.yaml does not tell of %s of an instance", key)
		}
		if !word(templates, key) {
			t.Errorf("no template uses %s of an instance", key)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func globbed(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: %d files, %v", pattern, len(paths), err)
	}
	return paths
}

// TestEveryTemplateRenders: each file below templates/ gives an object with the default values or with those of ci/.
func TestEveryTemplateRenders(t *testing.T) {
	if _, err := exec.LookPath("helm"); err != nil {
		t.Skip("there is no helm on PATH")
	}
	rendered := map[string]bool{}
	for _, values := range append([]string{filepath.Join(chart, "values.yaml")}, globbed(t, filepath.Join(chart, "ci", "*-values.yaml"))...) {
		out, err := exec.CommandContext(t.Context(), "helm", "template", "rel", chart, "--kube-version=1.30.0", "--values="+values).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", values, err, out)
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
