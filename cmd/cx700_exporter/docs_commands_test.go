package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/cx700/cx700_exporter/alerts"
	"github.com/cx700/cx700_exporter/internal/metric"
)

var (
	inlineCode   = regexp.MustCompile("`(cx700_exporter [^` ]+ [^`]+)`") // a single word is the name of a command
	commandLine  = regexp.MustCompile(`^(?:\.[/\\]|go run \./cmd/)?(cx700_exporter(?:\.exe)? .+)$`)
	shellWord    = regexp.MustCompile(`"([^"]*)"|'([^']*)'|(\S+)`)
	queryBlock   = regexp.MustCompile("(?s)```promql\n(.*?)```")
	siteFilePath = regexp.MustCompile(`--config\.file=\S+`)
	ofTheShell   = regexp.MustCompile(`;| +(?:[>&|#])`)
	placeholders = strings.NewReplacer("COLLECTOR", "dns", "SITE", "copenhagen", "REASON", "root_empty", "--shard.count=N", "--shard.count=2",
		"--sites=N", "--sites=2", "<collector>", "dns")
)

// commandsIn lists the commands of this program that a document shows, in lines of their own or within the text.
func commandsIn(text string) (out []string) {
	for line := range strings.Lines(strings.NewReplacer("\\\n", "", "`\n", "").Replace(text)) {
		line = strings.TrimSpace(line)
		if m := commandLine.FindStringSubmatch(line); m != nil {
			out = append(out, m[1])
			continue
		}
		for _, m := range inlineCode.FindAllStringSubmatch(line, -1) {
			out = append(out, m[1])
		}
	}
	return out
}

// words takes a command line apart as a shell does, up to what the shell keeps for itself. The site file is the example.
func words(command string) (out []string) {
	command = siteFilePath.ReplaceAllString(placeholders.Replace(command), "--config.file=cx700.yml")
	if end := ofTheShell.FindStringIndex(command); end != nil {
		command = command[:end[0]]
	}
	for _, m := range shellWord.FindAllStringSubmatch(command, -1)[1:] {
		out = append(out, m[1]+m[2]+m[3])
	}
	return out
}

// TestDocsCommands parses every command of this program that the documents show, and runs those that need no server and
// write no file.
func TestDocsCommands(t *testing.T) {
	files := markdownFiles(t, "../..")
	texts := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts[file] = string(text)
	}
	example, err := filepath.Abs("../../examples/cx700.yml")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	if err := os.Symlink(example, "cx700.yml"); err != nil {
		t.Skip(err)
	}
	parsed, seen := 0, map[string]bool{}
	for _, file := range files {
		for _, command := range commandsIn(texts[file]) {
			args := words(command)
			key := strings.Join(args, " ")
			if seen[key] || len(args) == 0 || args[0] == "service" { // on Windows only
				continue
			}
			seen[key] = true
			parsed++
			p, err := kong.New(&cli{}, kong.Name("cx700_exporter"), helpWords(), kong.Exit(func(int) {}))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.Parse(args); err != nil {
				t.Errorf("%s: %s: %v", file, command, err)
				continue
			}
			if slices.Contains([]string{"explain", "config", "rules", "trust", "version"}, args[0]) {
				if code, _, stderr := ran(t, args...); code != exitGood {
					t.Errorf("%s: %s: exit code %d: %s", file, command, code, stderr)
				}
			}
		}
	}
	if parsed < 30 {
		t.Errorf("only %d commands were found", parsed)
	}
}

// TestDocsQueries holds the queries in the documents to series and labels that there are.
func TestDocsQueries(t *testing.T) {
	catalogue := described(t)
	rules, err := alerts.Whole(alerts.DefaultURLs())
	if err != nil {
		t.Fatal(err)
	}
	promql := parser.NewParser(parser.Options{})
	queries := 0
	for _, file := range markdownFiles(t, "../../docs") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range queryBlock.FindAllStringSubmatch(string(text), -1) {
			queries++
			expr, err := promql.ParseExpr(m[1])
			if err != nil {
				t.Errorf("%s: %v\n%s", file, err, m[1])
				continue
			}
			for _, selectors := range parser.ExtractSelectors(expr) {
				if problem := unknownSelector(catalogue, string(rules), selectors); problem != "" {
					t.Errorf("%s: %s in\n%s", file, problem, m[1])
				}
			}
		}
	}
	if queries < 80 {
		t.Errorf("only %d queries were found", queries)
	}
}

// unknownSelector says what of a selector is neither in the catalogue, nor recorded by the rules, nor Prometheus' own.
func unknownSelector(catalogue map[string]*metric.Desc, rules string, selector []*labels.Matcher) string {
	name := selector[len(selector)-1].Value
	if strings.Contains(name, ":") {
		if !strings.Contains(rules, "record: "+name+"\n") {
			return name + " is not recorded"
		}
		return ""
	}
	if ofOthers(name) {
		return ""
	}
	d := selectedBy(catalogue, name)
	if d == nil {
		return name + " is not in the catalogue"
	}
	for _, m := range selector[:len(selector)-1] {
		if !slices.Contains(d.Labels, m.Name) {
			return name + " has no label " + m.Name
		}
	}
	return ""
}
