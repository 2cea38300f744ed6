// Package labtest runs the lab in a process of its own for benchmarks, so that they measure the probe and
// not the servers.
package labtest

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	"github.com/cx700/cx700_exporter/internal/lab"
	"github.com/cx700/cx700_exporter/internal/site"
)

// variable tells a process that it is the lab.
const variable = "CX700_LABTEST"

// Main is the first thing that TestMain of a package does which uses Start: in the process that Start
// began, it runs the lab and does not return.
func Main() {
	if os.Getenv(variable) == "" {
		return
	}
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// serve writes the site file of the lab to the output and ends when the input does.
func serve() error {
	company, err := lab.Start(1)
	if err != nil {
		return err
	}
	if _, err := os.Stdout.Write(company.SiteFile()); err != nil {
		return err
	}
	if err := os.Stdout.Close(); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	return company.Close()
}

// Start starts the lab until the test ends and returns its one site.
func Start(t testing.TB) *site.Site {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(self)
	command.Env = append(os.Environ(), variable+"=1")
	command.Stderr = os.Stderr
	input, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	file, err := io.ReadAll(output)
	t.Cleanup(func() {
		input.Close()
		if err := command.Wait(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	config, err := site.Parse("lab.yml", file)
	if err != nil {
		t.Fatal(err)
	}
	return config.Sites[0]
}
