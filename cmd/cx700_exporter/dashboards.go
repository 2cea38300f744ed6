package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/cx700/cx700_exporter/dashboards"
)

type dashboardsCmd struct {
	Name      string `arg:"" optional:"" help:"A dashboard to print, such as signin; without it they are listed."`
	OutputDir string `placeholder:"DIR" help:"Write dashboards into this directory, which is made, instead of printing."`
}

// Run lists, prints or writes the dashboards.
func (c *dashboardsCmd) Run(env *environment) error {
	chosen := dashboards.All()
	if c.Name != "" {
		one, err := dashboardNamed(c.Name)
		if err != nil {
			return usageError{err}
		}
		chosen = []*dashboards.Dashboard{one}
	}
	for _, d := range chosen {
		if c.Name == "" && c.OutputDir == "" {
			fmt.Fprintf(env.stdout, "%-19s  %s\n", d.UID, d.Title)
			continue
		}
		text, err := d.JSON()
		if err != nil {
			return err
		}
		if c.OutputDir == "" {
			_, err = env.stdout.Write(text)
		} else {
			err = c.write(env, d.UID+".json", text)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *dashboardsCmd) write(env *environment, name string, text []byte) error {
	if err := os.MkdirAll(c.OutputDir, 0o755); err != nil {
		return err
	}
	file := filepath.Join(c.OutputDir, name)
	if err := os.WriteFile(file, text, 0o644); err != nil {
		return err
	}
	_, err := fmt.Fprintln(env.stdout, file)
	return err
}

// dashboardNamed finds a dashboard by its uid, or what that says after cx700-.
func dashboardNamed(name string) (*dashboards.Dashboard, error) {
	var names []string
	for _, d := range dashboards.All() {
		short := strings.TrimPrefix(d.UID, "cx700-")
		if name == d.UID || name == short {
			return d, nil
		}
		names = append(names, short)
	}
	return nil, fmt.Errorf("%q is no dashboard; choose among %s", name, strings.Join(names, ", "))
}
