//go:debug x509negativeserial=1

// Command cx700_exporter watches everything that Polycom CX700 phones need to sign in, and tells
// Prometheus.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/cx700/cx700_exporter/alerts"
	"github.com/cx700/cx700_exporter/collectors"
	"github.com/cx700/cx700_exporter/internal/schedule"
)

// The exit codes.
const (
	exitGood    = 0
	exitBad     = 1 // a phone would be blocked, or the command failed
	exitUnknown = 2 // it could not be told, or is not watched
	exitUsage   = 3 // wrong flags, names that are not there, or a site file that a probe cannot go by
)

type cli struct {
	LogLevel  string `name:"log.level" enum:"debug,info,warn,error" default:"info" help:"Least severity of log lines: ${enum}."`
	LogFormat string `name:"log.format" enum:"logfmt,json" default:"logfmt" help:"Format of log lines: ${enum}."`

	Serve       serveCmd       `cmd:"" default:"withargs" help:"Probe all the time and serve /metrics (the default)."`
	Lab         labCmd         `cmd:"" help:"Start a company on loopback and watch it; for demonstrations and tests."`
	Check       checkCmd       `cmd:"" help:"Go the phones' way once: each step, then who can sign in, what stops the others and what mends it."`
	Probe       probeCmd       `cmd:"" help:"Probe once and explain what was asked and answered."`
	Explain     explainCmd     `cmd:"" help:"Explain a reason, or what a phone's screen says: what leads to it, how to confirm and to mend it."`
	Config      configCmd      `cmd:"" help:"Work with the site file."`
	Trust       trustCmd       `cmd:"" help:"Print the authorities built into the phone, and which of them still live."`
	Rules       rulesCmd       `cmd:"" help:"Print alerts and recording rules for Prometheus."`
	Dashboards  dashboardsCmd  `cmd:"" help:"Print or write the Grafana dashboards."`
	Healthcheck healthcheckCmd `cmd:"" help:"Ask the exporter on this machine whether it is healthy; for containers."`
	Version     versionCmd     `cmd:"" help:"Print the version."`

	kong.Plugins // commands of this system only
}

// environment is what commands run in.
type environment struct {
	ctx    context.Context
	stdout io.Writer
	stderr io.Writer
	log    *slog.Logger
}

// exitCode is the error of a command that has said all there is to say.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// usageError is the error of a command that was asked for something that cannot be.
type usageError struct{ error }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c := cli{Plugins: platformCommands()}
	exited := false
	parser, err := kong.New(&c, kong.Name("cx700_exporter"), kong.Writers(stdout, stderr),
		kong.Description("Would a CX700 phone get through; if not, what stops it first?"),
		helpWords(), kong.Exit(func(int) { exited = true }), kong.ConfigureHelp(kong.HelpOptions{WrapUpperBound: 100}))
	if err != nil {
		fmt.Fprintln(stderr, "cx700_exporter:", err)
		return exitUsage
	}
	command, err := parser.Parse(args)
	if exited { // --help was asked for and given
		return exitGood
	}
	if err != nil {
		fmt.Fprintf(stderr, "%v; try %s --help\n", err, misused(err))
		return exitUsage
	}
	env := &environment{ctx: ctx, stdout: stdout, stderr: stderr, log: newLogger(stderr, c.LogLevel, c.LogFormat)}
	err = command.Run(env, &c)
	var code exitCode
	var usage usageError
	switch {
	case err == nil:
		return exitGood
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &usage):
		fmt.Fprintln(stderr, err)
		return exitUsage
	default:
		fmt.Fprintln(stderr, err)
		return exitBad
	}
}

// misused names the command whose help shows what was wrong. Words that are no command end up with the
// default command, of which their writer did not think.
func misused(err error) string {
	const program = "cx700_exporter"
	var parse *kong.ParseError
	if !errors.As(err, &parse) || parse.Context.Selected() == nil || parse.Context.Command() == "serve" {
		return program
	}
	return program + " " + parse.Context.Selected().Path()
}

// helpWords stand in the help of flags.
func helpWords() kong.Vars {
	return kong.Vars{"concurrency": strconv.Itoa(schedule.DefaultConcurrency), "collectors": collectorNames(),
		"here": siteFileName, "packaged": packagedSiteFile,
		"runbooks": alerts.DefaultURLs().Runbooks, "dashboards": alerts.DefaultURLs().Dashboards}
}

func collectorNames() string {
	var names []string
	for _, c := range collectors.All() {
		names = append(names, c.Name)
	}
	return strings.Join(names, ", ")
}

func newLogger(w io.Writer, level, format string) *slog.Logger {
	var options slog.HandlerOptions
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err == nil { // kong let only good ones through
		options.Level = l
	}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, &options))
	}
	return slog.New(slog.NewTextHandler(w, &options))
}
