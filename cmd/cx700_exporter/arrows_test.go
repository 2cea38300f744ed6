package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/cx700/cx700_exporter/"

// arrows lists, for each package, the others of this module that its own code may import. They point one
// way: cmd -> web -> schedule -> collectors -> facts -> phone. The lab serves the commands and the tests
// only, the bed the tests only. A new package is written down here first.
func arrows() map[string][]string {
	return map[string][]string{
		"cmd/cx700_exporter": {
			"alerts", "collectors", "dashboards", "internal/catalogue", "internal/check", "internal/lab", "internal/metric", "internal/phone", "internal/reach", "internal/schedule",
			"internal/signin", "internal/site", "internal/spell", "internal/state", "internal/web",
		},
		"alerts":             {"collectors", "internal/catalogue", "internal/phone", "internal/schedule"},
		"internal/catalogue": {"collectors", "internal/metric", "internal/phone", "internal/schedule", "internal/signin"},
		"internal/web":       {"alerts", "collectors", "internal/check", "internal/facts", "internal/phone", "internal/schedule", "internal/signin"},
		"internal/check":     {"internal/phone", "internal/reach", "internal/schedule", "internal/signin", "internal/site", "internal/state"},
		"internal/schedule": {
			"collectors", "internal/facts", "internal/metric", "internal/phone", "internal/reach", "internal/signin", "internal/site", "internal/state",
		},
		"collectors":        {"internal/facts", "internal/metric", "internal/phone", "internal/reach", "internal/site", "internal/state"},
		"internal/signin":   {"internal/facts", "internal/phone"},
		"internal/reach":    {"internal/facts", "internal/phone", "internal/site", "internal/state"},
		"internal/state":    {},
		"internal/certtest": {},                                // for tests
		"internal/labtest":  {"internal/lab", "internal/site"}, // for benchmarks
		"internal/site":     {"internal/phone", "internal/spell"},
		"internal/facts":    {"internal/phone"},
		"internal/lab":      {"internal/phone", "internal/spell"},
		"internal/lab/pki":  {}, // a command that makes the lab's certificates
		"internal/bed":      {},
		"internal/metric":   {},
		"dashboards":        {},
		"internal/phone":    {},
		"internal/spell":    {},
	}
}

// source is one Go file of this module that is no test.
type source struct {
	pkg, file string
	syntax    *ast.File
	imports   []string
}

// sources parses every file of the module but its tests, whatever platform it is for.
func sources(t *testing.T) []source {
	t.Helper()
	var out []source
	files := token.NewFileSet()
	const root = "../.."
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		syntax, err := parser.ParseFile(files, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		s := source{file: filepath.ToSlash(relative), syntax: syntax}
		s.pkg = path.Dir(s.file)
		for _, i := range syntax.Imports {
			imported, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			s.imports = append(s.imports, imported)
		}
		out = append(out, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestArrowsPointOneWay(t *testing.T) {
	allowed := arrows()
	followed := 0
	for _, s := range sources(t) {
		to, known := allowed[s.pkg]
		if !known {
			t.Errorf("%s: say in arrows which packages %s may import", s.file, s.pkg)
			continue
		}
		for _, imported := range s.imports {
			own, ours := strings.CutPrefix(imported, module)
			if !ours {
				continue
			}
			followed++
			if !slices.Contains(to, own) {
				t.Errorf("%s imports %s, which is no arrow of the design", s.file, own)
			}
		}
	}
	if followed == 0 {
		t.Error("no import was looked at")
	}
}

// TestPurePackagesNeitherAskNorLookAtTheClock holds what the phone does, and what was seen of its world, to
// tables and pure functions.
func TestPurePackagesNeitherAskNorLookAtTheClock(t *testing.T) {
	pure := []string{"internal/facts", "internal/phone", "internal/signin"}
	packages := regexp.MustCompile(`^(net|net/http|net/smtp|os|os/.*|io/fs|io/ioutil|syscall|crypto/rand|math/rand.*|log.*|crypto/tls|plugin|unsafe)$`)
	clock := []string{"Now", "Since", "Until", "After", "AfterFunc", "Sleep", "Tick", "NewTicker", "NewTimer"}
	looked := 0
	for _, s := range sources(t) {
		if !slices.Contains(pure, s.pkg) {
			continue
		}
		looked++
		for _, imported := range s.imports {
			if packages.MatchString(imported) {
				t.Errorf("%s imports %s: no I/O and no chance there", s.file, imported)
			}
		}
		for _, name := range selected(s.syntax, "time") {
			if slices.Contains(clock, name) {
				t.Errorf("%s uses time.%s: take the moment as an argument", s.file, name)
			}
		}
	}
	if looked == 0 {
		t.Error("no file was looked at")
	}
}

// TestOldTLSLivesInOnePlace keeps what the phone's age needs and everybody else must not have (TLS 1.0, RSA
// key exchange, certificates that nobody verifies) in reach, and in the servers of the lab and the bed.
func TestOldTLSLivesInOnePlace(t *testing.T) {
	home := []string{"internal/reach", "internal/lab", "internal/bed"}
	old := regexp.MustCompile(`^(VersionSSL30|VersionTLS10|VersionTLS11|TLS_RSA_.*|TLS_.*_SHA|InsecureCipherSuites)$`)
	looked := 0
	for _, s := range sources(t) {
		if slices.Contains(home, s.pkg) {
			continue
		}
		looked++
		for _, name := range selected(s.syntax, "tls") {
			if old.MatchString(name) {
				t.Errorf("%s uses tls.%s: that lives in internal/reach only", s.file, name)
			}
		}
		ast.Inspect(s.syntax, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && id.Name == "InsecureSkipVerify" {
				t.Errorf("%s uses InsecureSkipVerify: that lives in internal/reach only", s.file)
			}
			return true
		})
	}
	if looked == 0 {
		t.Error("no file was looked at")
	}
}

// selected lists what a file takes from a package, by the name the package goes by there.
func selected(f *ast.File, pkg string) []string {
	var out []string
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && x.Name == pkg {
				out = append(out, s.Sel.Name)
			}
		}
		return true
	})
	return out
}
