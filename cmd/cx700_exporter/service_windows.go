package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/eventlog"
	"golang.org/x/sys/windows/svc/mgr"
)

// serviceName is that of the service, of its account and of its source in the event log.
const serviceName = "cx700_exporter"

// platformCommands are those that only some systems have.
func platformCommands() kong.Plugins {
	return kong.Plugins{&struct {
		Service serviceCmd `cmd:"" help:"Work with the Windows service."`
	}{}}
}

type serviceCmd struct {
	Install   serviceInstallCmd   `cmd:"" help:"Register the service and its source in the event log, with the flags that follow, which are those of serve. Relative paths begin at the program's folder."`
	Uninstall serviceUninstallCmd `cmd:"" help:"Stop the service, and remove it and its source in the event log."`
	Run       serviceRunCmd       `cmd:"" help:"Serve as the service; what the service manager starts."`
}

type serviceInstallCmd struct {
	serveCmd `embed:""`
}

// Run registers the service, under an account of its own that has no right but to be a service. What serve would not
// take is not installed.
func (c *serviceInstallCmd) Run(kongContext *kong.Context) (err error) {
	program, err := enterProgramFolder()
	if err != nil {
		return err
	}
	if _, err := c.plan(); err != nil {
		return err
	}
	args := slices.Clone(kongContext.Args)
	args[slices.Index(args, "install")] = "run"
	manager, err := mgr.Connect()
	if err != nil {
		return fmt.Errorf("service manager: %w; run this as administrator", err)
	}
	defer func() { err = errors.Join(err, manager.Disconnect()) }()
	service, err := manager.CreateService(serviceName, program, mgr.Config{
		DisplayName:      "CX700 exporter",
		Description:      "Tells Prometheus whether Polycom CX700 phones can sign in, and what stops them.",
		StartType:        mgr.StartAutomatic,
		ServiceStartName: `NT SERVICE\` + serviceName,
	}, args...)
	if err != nil {
		return fmt.Errorf("service %s: %w", serviceName, err)
	}
	defer func() { err = errors.Join(err, service.Close()) }()
	if err := setUp(service); err != nil {
		return errors.Join(err, service.Delete())
	}
	return nil
}

// setUp lets the service be started again where it failed, and its events be shown as text.
func setUp(service *mgr.Service) error {
	again := mgr.RecoveryAction{Type: mgr.ServiceRestart, Delay: 5 * time.Second}
	const forgotten = 24 * 60 * 60 // seconds without a failure
	err := service.SetRecoveryActions([]mgr.RecoveryAction{again, again, again}, forgotten)
	if err == nil {
		err = service.SetRecoveryActionsOnNonCrashFailures(true)
	}
	if err != nil && !errors.Is(err, windows.ERROR_INVALID_LEVEL) { // Wine knows no such thing
		return fmt.Errorf("recovery of service %s: %w", serviceName, err)
	}
	if err := eventlog.InstallAsEventCreate(serviceName, eventlog.Error|eventlog.Warning|eventlog.Info); err != nil {
		return fmt.Errorf("event log: %w", err)
	}
	return nil
}

type serviceUninstallCmd struct{}

// Run stops and removes what install made.
func (serviceUninstallCmd) Run(env *environment) (err error) {
	manager, err := mgr.Connect()
	if err != nil {
		return fmt.Errorf("service manager: %w; run this as administrator", err)
	}
	defer func() { err = errors.Join(err, manager.Disconnect()) }()
	service, err := manager.OpenService(serviceName)
	if err != nil {
		return fmt.Errorf("service %s: %w", serviceName, err)
	}
	defer func() { err = errors.Join(err, service.Close()) }()
	if err := stopped(env.ctx, service); err != nil {
		return fmt.Errorf("service %s does not stop: %w", serviceName, err)
	}
	return errors.Join(service.Delete(), eventlog.Remove(serviceName))
}

func stopped(ctx context.Context, service *mgr.Service) error {
	const limit, look = 30 * time.Second, 100 * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if _, err := service.Control(svc.Stop); err != nil && !errors.Is(err, windows.ERROR_SERVICE_NOT_ACTIVE) {
		return err
	}
	for tick := time.Tick(look); ; {
		status, err := service.Query()
		if err != nil || status.State == svc.Stopped {
			return err
		}
		select {
		case <-tick:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

type serviceRunCmd struct {
	serveCmd `embed:""`
}

// Run serves until the service manager says stop.
func (c *serviceRunCmd) Run(env *environment, flags *cli) (err error) {
	if _, err := enterProgramFolder(); err != nil {
		return err
	}
	// When somebody logs off, Windows tells services what the runtime would take for SIGTERM.
	signal.Reset()
	events, err := eventlog.Open(serviceName)
	if err != nil {
		return fmt.Errorf("event log: %w", err)
	}
	defer func() { err = errors.Join(err, events.Close()) }()
	s := &service{log: newEventLogger(events, flags.LogLevel, flags.LogFormat), hangup: make(chan os.Signal, 1)}
	s.serve = func(ctx context.Context) error {
		return c.serve(&environment{ctx: ctx, stdout: env.stdout, stderr: env.stderr, log: s.log}, s.hangup)
	}
	if err := svc.Run(serviceName, s); err != nil {
		return fmt.Errorf("service %s: %w; by hand, use serve", serviceName, err)
	}
	return nil
}

// service answers the service manager while serve runs.
type service struct {
	log    *slog.Logger
	serve  func(context.Context) error
	hangup chan os.Signal
}

// Execute implements svc.Handler. "Parameters changed" (sc control cx700_exporter paramchange) is what SIGHUP is
// elsewhere.
func (s *service) Execute(_ []string, requests <-chan svc.ChangeRequest, status chan<- svc.Status) (specific bool, code uint32) {
	status <- svc.Status{State: svc.StartPending}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- s.serve(ctx) }()
	status <- svc.Status{State: svc.Running, Accepts: svc.AcceptStop | svc.AcceptShutdown | svc.AcceptParamChange}
	for {
		select {
		case err := <-ended:
			if err != nil {
				s.log.Error("stopped", "err", err)
				return true, exitBad
			}
			return false, exitGood
		case r := <-requests:
			switch r.Cmd {
			case svc.Interrogate:
				status <- r.CurrentStatus
			case svc.ParamChange:
				select {
				case s.hangup <- syscall.SIGHUP:
				default: // one is waiting already
				}
			case svc.Stop, svc.Shutdown:
				status <- svc.Status{State: svc.StopPending}
				stop()
			}
		}
	}
}

// enterProgramFolder makes relative paths begin where the program is: services start in Windows' own folder.
func enterProgramFolder() (program string, err error) {
	program, err = os.Executable()
	if err != nil {
		return "", err
	}
	return program, os.Chdir(filepath.Dir(program))
}
