// Package winservice is the gateway as a service of Windows: what installs, starts, stops
// and removes it, and what runs inside it. The rules stand on any system, over the
// interfaces Manager and stateReporter; system_windows.go alone talks to Windows, with
// golang.org/x/sys/windows/svc, which the program has anyway.
package winservice

import (
	"context"
	"errors"
	"time"

	"github.com/postino-mail/postino/internal/pause"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// Name is what Windows calls the service and the source of its events.
const Name = "postino"

// A State is what the service does.
type State string

// The states.
const (
	NotInstalled State = ""
	Stopped      State = "stopped"
	Starting     State = "starting"
	Running      State = "running"
	Stopping     State = "stopping"
)

// Errors of the commands.
var (
	ErrElsewhere = texterr.New(mime.NewText("service.elsewhere", "only Windows has this kind of service: on Linux the package brings "+
		"a unit of systemd, which 'systemctl enable --now postino' starts and 'systemctl status postino' shows (docs/operation.md)"))
	ErrInstalled = texterr.New(mime.NewText("service.installed", "the service is installed already: remove it first "+
		"('postino service remove')"))
	ErrNotInstalled = texterr.New(mime.NewText("service.not_installed", "the service is not installed: see 'postino service install --help'"))
	ErrEnded        = texterr.New(mime.NewText("service.ended", "the service ended while it started: the event viewer says why, under "+
		"Windows Logs, Application, source postino"))
	ErrSlow   = texterr.New(mime.NewText("service.slow", "the service takes longer than a minute: ask again with 'postino service status'"))
	ErrDenied = texterr.New(mime.NewText("service.denied", "Windows lets only administrators do this: open the command prompt with "+
		"'Run as administrator'"))
)

// A Spec is what is installed.
type Spec struct {
	Program     string // absolute path
	Args        []string
	Account     string // empty: LocalSystem; else one without a password, such as NT SERVICE\postino
	Description string
}

// A Manager is the service manager of the system. Its calls return at once; State tells
// how far they are.
type Manager interface {
	Install(s Spec) error
	Start() error
	Stop() error
	Remove() error
	State() (State, error) // NotInstalled: there is none
}

// Patience bounds how long a command waits; a stop takes 35 s at most.
const (
	patience = time.Minute
	interval = 200 * time.Millisecond
)

// A Control does what the commands say.
type Control struct {
	Manager Manager
	Pause   func(ctx context.Context) error // between two looks at the state; nil: 200 ms
}

// Install installs the service, stopped.
func (c Control) Install(s Spec) error {
	state, err := c.Manager.State()
	if err != nil {
		return err
	}
	if state != NotInstalled {
		return ErrInstalled
	}
	return c.Manager.Install(s)
}

// State is what the service does; the error is ErrNotInstalled where there is none.
func (c Control) State() (State, error) {
	state, err := c.Manager.State()
	if err == nil && state == NotInstalled {
		err = ErrNotInstalled
	}
	return state, err
}

// Start starts the service and returns once it takes mail in.
func (c Control) Start(ctx context.Context) error {
	state, err := c.State()
	if err != nil {
		return err
	}
	if state == Stopping {
		if err := c.wait(ctx, Stopped); err != nil {
			return err
		}
		state = Stopped
	}
	if state == Stopped {
		if err := c.Manager.Start(); err != nil {
			return err
		}
	}
	return c.wait(ctx, Running)
}

// Stop stops the service and returns once what was in flight is finished or released.
func (c Control) Stop(ctx context.Context) error {
	state, err := c.State()
	if err != nil {
		return err
	}
	if state == Starting { // Windows passes no stop on to a service that starts
		if err := c.wait(ctx, Running); errors.Is(err, ErrEnded) {
			return nil // it ended by itself
		} else if err != nil {
			return err
		}
		state = Running
	}
	if state == Running {
		if err := c.Manager.Stop(); err != nil {
			return err
		}
	}
	return c.wait(ctx, Stopped)
}

// Remove stops the service and removes it; its data stay.
func (c Control) Remove(ctx context.Context) error {
	if err := c.Stop(ctx); err != nil {
		return err
	}
	return c.Manager.Remove()
}

// wait returns once the service is in the state. ErrEnded: it stopped instead.
func (c Control) wait(ctx context.Context, until State) error {
	wait := c.Pause
	if wait == nil {
		wait = func(ctx context.Context) error { return pause.For(ctx, interval) }
	}
	for range patience / interval {
		state, err := c.State()
		switch {
		case err != nil:
			return err
		case state == until:
			return nil
		case state == Stopped:
			return ErrEnded
		}
		if err := wait(ctx); err != nil {
			return err
		}
	}
	return ErrSlow
}
