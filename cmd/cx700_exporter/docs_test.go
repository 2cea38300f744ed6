package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

var (
	policyPort = regexp.MustCompile(`\{port: (\d+), protocol: (\w+)\}`)
	portRow    = regexp.MustCompile(`^\| (?:\w|,).* \| ((?:UDP|TCP)(?:, TCP)?) \| ([^|]*) \| [^|]* \|$`)
	aPort      = regexp.MustCompile(`\b\d{2,5}\b`)
	mdLink     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
)

// TestNetworkDoc compares the ports of docs/network.md, inside and outside, with those that the chart's NetworkPolicy opens
// there.
func TestNetworkDoc(t *testing.T) {
	policy, err := os.ReadFile("../../helm/cx700-exporter/templates/networkpolicy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../docs/network.md")
	if err != nil {
		t.Fatal(err)
	}
	everywhere, insideOnly, _ := strings.Cut(string(policy), `{{- if ne $instance.network "external" }}`)
	_, inside, _ := strings.Cut(string(text), "\n## From the exporter, inside\n")
	inside, outside, _ := strings.Cut(inside, "\n## From the exporter, outside\n")
	for network, c := range map[string]struct{ policy, page string }{
		"inside": {everywhere + insideOnly, inside}, "outside": {everywhere, outside},
	} {
		opened, told := map[string]bool{}, portsTold(c.page)
		for _, m := range policyPort.FindAllStringSubmatch(c.policy, -1) {
			opened[m[2]+" "+m[1]] = true
		}
		if len(opened) == 0 {
			t.Errorf("%s: the chart opens nothing", network)
		}
		for port := range opened {
			if !told[port] {
				t.Errorf("%s: the chart opens %s, of which docs/network.md says nothing", network, port)
			}
		}
		for port := range told {
			if !opened[port] {
				t.Errorf("%s: docs/network.md tells of %s, which the chart does not open", network, port)
			}
		}
	}
}

// portsTold reads the rows of a table of docs/network.md.
func portsTold(page string) map[string]bool {
	told := map[string]bool{}
	for line := range strings.Lines(page) {
		m := portRow.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		ports, _, _ := strings.Cut(m[2], "from port") // the rest is its own
		for _, protocol := range strings.Split(m[1], ", ") {
			for _, port := range aPort.FindAllString(ports, -1) {
				if port != "123" || protocol == "UDP" { // vantage has both in one row
					told[protocol+" "+port] = true
				}
			}
		}
	}
	return told
}

// TestDocsLinks follows every link between the Markdown files, to the heading that it names.
func TestDocsLinks(t *testing.T) {
	const root = "../.."
	files := markdownFiles(t, root)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range mdLink.FindAllStringSubmatch(string(text), -1) {
			if err := followed(file, m[1]); err != nil {
				t.Errorf("%s: %s: %v", file, m[1], err)
			}
		}
	}
	index, err := os.ReadFile(filepath.Join(root, "docs/README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if name := filepath.Base(file); filepath.Base(filepath.Dir(file)) == "docs" && name != "README.md" && !strings.Contains(string(index), "("+name+")") {
			t.Errorf("%s is not in docs/README.md", file)
		}
	}
}

func markdownFiles(t *testing.T, root string) (out []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && path != filepath.Join(root, ".ci") && strings.HasPrefix(d.Name(), "."):
			return filepath.SkipDir
		case strings.HasSuffix(path, ".md"):
			out = append(out, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// followed looks for the file of a link, and for the heading in it.
func followed(from, link string) error {
	if strings.Contains(link, "://") {
		return nil
	}
	path, anchor, _ := strings.Cut(link, "#")
	to := from
	if path != "" {
		to = filepath.Join(filepath.Dir(from), path)
	}
	if _, err := os.Stat(to); err != nil || anchor == "" {
		return err
	}
	text, err := os.ReadFile(to)
	if err != nil {
		return err
	}
	var anchors []string
	for line := range strings.Lines(string(text)) {
		if heading, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			anchors = append(anchors, anchorOf(heading))
		}
	}
	if !slices.Contains(anchors, anchor) {
		return fmt.Errorf("there is no heading #%s", anchor)
	}
	return nil
}

// anchorOf is how GitHub names a heading in links.
func anchorOf(heading string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(strings.TrimSpace(heading)) {
		switch {
		case r == ' ':
			b.WriteRune('-')
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			b.WriteRune(r)
		}
	}
	return b.String()
}
