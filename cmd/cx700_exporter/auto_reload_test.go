package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cx700/cx700_exporter/internal/lab"
)

// TestSiteFileIsReadAgainWhenItChanges: by itself, also where Kubernetes puts another folder in place, once for each
// change; a file that is faulty or gone is told once, and the one before stays.
func TestSiteFileIsReadAgainWhenItChanges(t *testing.T) {
	company, err := lab.Start(2)
	must(t, err)
	defer company.Close()
	dir := t.TempDir()
	current := filepath.Join(dir, "..data")
	file := filepath.Join(dir, "lab.yml")
	must(t, os.Symlink(filepath.Join("..data", "lab.yml"), file))
	versions := 0
	mount := func(content string) {
		t.Helper()
		versions++
		version := filepath.Join(dir, "..version"+strings.Repeat("i", versions))
		must(t, os.Mkdir(version, 0o755))
		must(t, os.WriteFile(filepath.Join(version, "lab.yml"), []byte(content), 0o600))
		must(t, os.Symlink(filepath.Base(version), current+".new"))
		must(t, os.Rename(current+".new", current))
	}
	whole := string(company.SiteFile())
	mount(whole)
	p := started(t, "serve", "--config.file="+file, "--config.auto-reload-interval=1s")
	told := func(message string, times int) {
		t.Helper()
		p.eventually(message, func() bool { return strings.Count(p.log.String(), message) == times })
	}
	const taken, refused = "site file taken over", "site file not taken over"
	told(taken, 1)
	mount(strings.ReplaceAll(whole, "name: branch-002", "name: branch-renamed"))
	told(taken, 2)
	p.eventually("the site has its new name", func() bool { return strings.Contains(p.get("/metrics"), `site="branch-renamed"`) })

	mount(whole + "nonsense: true\n")
	told(refused, 1)
	must(t, os.Remove(current))
	told(refused, 2)
	if scrape := p.get("/metrics"); !strings.Contains(scrape, `site="branch-renamed"`) || !strings.Contains(scrape, "cx700_config_last_reload_successful 0") {
		t.Error("the site file before did not stay")
	}
	mount(whole)
	told(taken, 3)
	if log := p.log.String(); strings.Count(log, refused) != 2 {
		t.Errorf("told again and again:\n%s", log)
	}
}
