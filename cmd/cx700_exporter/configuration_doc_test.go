package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/prometheus/common/model"

	"github.com/cx700/cx700_exporter/collectors"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/site"
)

const configurationDoc = "../../docs/configuration.md"

// nowhere is no key of the site file, nor nearly one.
const nowhere = "qqqqqqqqqqqq"

// keysBelow asks the reader of site files itself for the keys that it knows at a place: it lists them where it is given
// one that it does not know. A place is a format, whose verb is for the value there.
func keysBelow(place string) (keys []string) {
	for _, f := range faultsOf(fmt.Sprintf(place, "{"+nowhere+": 1}")) {
		if strings.HasSuffix(f.Key, nowhere) && f.Problem == "unknown key" {
			keys = strings.Split(strings.TrimPrefix(f.Mend, "known here: "), ", ")
		}
	}
	return keys
}

// faultsOf lists what the reader has against a site file. What is at the places of other keys does not matter.
func faultsOf(file string) (out []*site.Fault) {
	_, err := site.Parse("cx700.yml", []byte(file))
	var many interface{ Unwrap() []error }
	if errors.As(err, &many) {
		for _, e := range many.Unwrap() {
			var f *site.Fault
			if errors.As(e, &f) {
				out = append(out, f)
			}
		}
	}
	return out
}

// knownKeys walks all the keys that the reader knows: their names as docs/configuration.md writes them, with the places.
func knownKeys(name, place string, found map[string]string) {
	keys := keysBelow(place)
	for _, key := range keys {
		below := name + "." + key
		inside := fmt.Sprintf(place, "{"+key+": %s}")
		if name == "" {
			below, inside = key, "{"+key+": %s}"
			if key != "sites" {
				inside = "{sites: [{}], " + key + ": %s}"
			}
		}
		found[below] = inside
		switch {
		case keysBelow(inside) != nil:
			knownKeys(below, inside, found)
		case keysBelow(fmt.Sprintf(inside, "[%s]")) != nil:
			knownKeys(below+"[]", fmt.Sprintf(inside, "[%s]"), found)
		case keysBelow(fmt.Sprintf(inside, "{1.2.3: %s}")) != nil:
			knownKeys(below+".NAME", fmt.Sprintf(inside, "{1.2.3: %s}"), found)
		}
	}
}

var (
	oneOf = regexp.MustCompile(`^write one of (.*?)(, or describe it .*)?$`)
	span  = regexp.MustCompile(`(?:^write |no number from )(\S+ to \S+)$`)
	row   = regexp.MustCompile("^\\| `([^`]+)` \\| (.*) \\|$")
	place = regexp.MustCompile("`([^`]+)`")
)

// documentedKeys reads the tables of docs/configuration.md. A heading names the place of its keys, or several of which
// all have them.
func documentedKeys(t *testing.T, text string) map[string]string {
	t.Helper()
	out := map[string]string{}
	var places []string
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") {
			places = placesOf(line)
		}
		if m := row.FindStringSubmatch(line); m != nil {
			for _, p := range places {
				if out[p+m[1]] != "" {
					t.Errorf("%s%s is told twice", p, m[1])
				}
				out[p+m[1]] = m[2]
			}
		}
	}
	return out
}

func placesOf(heading string) (out []string) {
	if heading == "## The file" {
		return []string{""}
	}
	for _, m := range place.FindAllStringSubmatch(heading, -1) {
		if m[1] == "collectors.NAME" { // they have all the same
			for _, c := range collectors.All() {
				out = append(out, "collectors."+c.Name+".")
			}
			continue
		}
		out = append(out, m[1]+".")
	}
	return out
}

// TestConfigurationDocTellsEveryKey holds docs/configuration.md to the keys that the reader of site files knows, and to
// the words and ranges that it takes.
func TestConfigurationDocTellsEveryKey(t *testing.T) {
	text, err := os.ReadFile(configurationDoc)
	if err != nil {
		t.Fatal(err)
	}
	siteFile, _, found := strings.Cut(string(text), "\n## Flags\n")
	if !found {
		t.Fatal("no chapter on flags")
	}
	told := documentedKeys(t, siteFile)
	known := map[string]string{}
	knownKeys("", "%s", known)
	if len(known) < 80 {
		t.Fatalf("the reader was asked for its keys and told only %d", len(known))
	}
	for key, place := range known {
		row, ok := told[key]
		if !ok {
			t.Errorf("%s is read, but not in docs/configuration.md", key)
			continue
		}
		delete(told, key)
		for _, wrong := range []string{nowhere, "[" + nowhere + "]", "0s", "0"} {
			for _, f := range faultsOf(fmt.Sprintf(place, wrong)) {
				if !strings.HasSuffix(strings.TrimSuffix(f.Key, "[0]"), key[strings.LastIndex(key, ".")+1:]) {
					continue
				}
				var words []string
				if m := oneOf.FindStringSubmatch(f.Mend); m != nil {
					words = strings.Split(m[1], ", ")
				}
				for _, text := range []string{f.Problem, f.Mend} {
					if m := span.FindStringSubmatch(text); m != nil {
						words = append(words, m[1])
					}
				}
				for _, word := range words {
					if !strings.Contains(row, word) {
						t.Errorf("%s: the reader takes %q, of which docs/configuration.md says nothing", key, word)
					}
				}
			}
		}
	}
	for key := range told {
		t.Errorf("%s is in docs/configuration.md, but not read", key)
	}
}

// TestConfigurationDoc holds the generated parts of docs/configuration.md to the program.
func TestConfigurationDoc(t *testing.T) {
	text, err := os.ReadFile(configurationDoc)
	if err != nil {
		t.Fatal(err)
	}
	doc := string(text)
	doc = inPlace(t, doc, "collectors", collectorTable())
	doc = inPlace(t, doc, "firmware", firmwareTable())
	doc = inPlace(t, doc, "flags", flagTables(t))
	golden(t, configurationDoc, doc)
}

// inPlace puts a generated part in its place in a document.
func inPlace(t *testing.T, doc, name, part string) string {
	t.Helper()
	begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
	before, rest, found := strings.Cut(doc, begin)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("no place for %s", name)
	}
	return before + begin + "\n" + part + "\n" + end + after
}

func collectorTable() string {
	var b strings.Builder
	b.WriteString("| collector | it asks | `interval` | `timeout` |\n|---|---|---|---|\n")
	for _, c := range collectors.All() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", c.Name, cell(c.Asks), model.Duration(c.Interval), model.Duration(c.Timeout))
	}
	return b.String()
}

func firmwareTable() string {
	var b strings.Builder
	b.WriteString("| firmware | `registrar_order` | `time_order` | `update_name` | `strict_srv` | `accepts` | `sha2` | `min_key_bits` | `max_key_bits` |\n" +
		"|---|---|---|---|---|---|---|---|---|\n")
	for _, f := range phone.KnownFirmware() {
		fmt.Fprintf(&b, "| %s | %s | %s | %t | %t | %s | %s | %s | %s |\n", f.Version, f.Registrar, f.Time, f.UpdateName, f.StrictSRV,
			orAny(f.Accepts), f.SHA2, bits(f.MinKeyBits), bits(f.MaxKeyBits))
	}
	return b.String()
}

func orAny(accepts string) string {
	if accepts == "" {
		return "any"
	}
	return "`" + accepts + "`"
}

func bits(n int) string {
	if n == 0 {
		return "none known"
	}
	return fmt.Sprint(n)
}

// flagTables writes the flags of every command out of kong's model; those that several have, once for each.
func flagTables(t *testing.T) string {
	t.Helper()
	parser, err := kong.New(&cli{}, kong.Name("cx700_exporter"), helpWords())
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	var walk func(n *kong.Node)
	walk = func(n *kong.Node) {
		if n.Type == kong.ApplicationNode || n.Leaf() && !n.Hidden {
			b.WriteString(flagTable(n))
		}
		for _, c := range n.Children {
			walk(c)
		}
	}
	walk(parser.Model.Node)
	return strings.TrimSuffix(b.String(), "\n")
}

func flagTable(n *kong.Node) string {
	var b strings.Builder
	title := "`cx700_exporter " + n.Path() + "`"
	help := n.Help
	if n.Type == kong.ApplicationNode {
		title, help = "All commands", "These may stand with every command."
	}
	fmt.Fprintf(&b, "### %s\n\n%s\n\n", title, cell(help))
	var rows []string
	for _, p := range n.Positional {
		rows = append(rows, fmt.Sprintf("| `%s` | | | %s |", p.Summary(), cell(p.Help)))
	}
	for _, f := range n.Flags {
		if f.Hidden {
			continue
		}
		rows = append(rows, fmt.Sprintf("| `--%s` | %s | %s | %s |", f.Name, quotedCode(f.Default), quotedCode(strings.Join(f.Envs, ", ")), cell(f.Help)))
	}
	if rows == nil {
		return b.String()
	}
	b.WriteString("| flag | default | environment | what |\n|---|---|---|---|\n" + strings.Join(rows, "\n") + "\n\n")
	return b.String()
}

func quotedCode(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

// cell keeps a text from ending its cell, or from being taken for HTML.
func cell(s string) string { return strings.NewReplacer("|", `\|`, "<", `\<`, "\n", " ").Replace(s) }

// TestConfigurationDocNamesCollectors compares the collectors that the site file may name with those that there are.
func TestConfigurationDocNamesCollectors(t *testing.T) {
	var names []string
	for _, c := range collectors.All() {
		names = append(names, c.Name)
	}
	read := keysBelow("{sites: [{}], collectors: %s}")
	slices.Sort(names)
	slices.Sort(read)
	if !slices.Equal(names, read) {
		t.Errorf("the site file may name %v, but there are %v", read, names)
	}
}
