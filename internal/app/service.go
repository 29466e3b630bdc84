package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/postino-mail/postino/internal/config"
	"github.com/postino-mail/postino/internal/private"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/internal/winservice"
	"github.com/postino-mail/postino/mime"
)

// ServiceCommands are the jobs of `postino service`.
type ServiceCommands struct {
	Manager  winservice.Manager // nil: that of the system
	Language string
	Stdout   io.Writer
}

// ServiceSpec is what the flags say of a service that is installed.
type ServiceSpec struct {
	Config, Data, CAFile, Account string
}

// do does work and prints the state after it.
func (k ServiceCommands) do(work func(winservice.Control) error) error {
	if k.Manager == nil {
		m, err := winservice.System()
		if err != nil {
			return serviceFault(err)
		}
		k.Manager = m
	}
	c := winservice.Control{Manager: k.Manager}
	if err := work(c); err != nil {
		return serviceFault(err)
	}
	state, err := k.Manager.State()
	if err != nil {
		return serviceFault(err)
	}
	_, err = fmt.Fprintf(k.Stdout, "%s: %s\n", winservice.Name, serviceState(state).In(k.Language))
	return err
}

func serviceFault(err error) error {
	var known *ExitError
	switch {
	case errors.As(err, &known), errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, winservice.ErrDenied):
		return exit(ExitNoPerm, err)
	case errors.Is(err, winservice.ErrSlow):
		return exit(ExitTempFail, err)
	}
	return exit(ExitUnavailable, err)
}

func serviceState(s winservice.State) mime.Text {
	switch s {
	case winservice.Stopped:
		return text("service.state_stopped", "installed, stopped")
	case winservice.Starting:
		return text("service.state_starting", "starting")
	case winservice.Running:
		return text("service.state_running", "running")
	case winservice.Stopping:
		return text("service.state_stopping", "stopping")
	}
	return text("service.state_removed", "not installed")
}

// Install installs the service.
func (k ServiceCommands) Install(s ServiceSpec) error {
	return k.do(func(c winservice.Control) error {
		program, err := os.Executable()
		if err != nil {
			return err
		}
		args, data, err := s.args(os.Getenv("ProgramData"))
		if err != nil {
			return err
		}
		if err := c.Install(winservice.Spec{Program: program, Args: args, Account: s.Account,
			Description: text("service.description",
				"Outbound mail gateway: takes mail in from programs and devices, and sends it.").In(k.Language)}); err != nil {
			return err
		}
		// Now, not before: Windows knows the user of a service once there is the service.
		if err := dataFolder(data, s.Account); err != nil {
			return errors.Join(texterr.Wrap(text("service.data_folder", "the data folder cannot be made ready for the service"), err),
				k.Manager.Remove())
		}
		return nil
	})
}

// dataFolder makes the folder of the store, and lets the user of the service in: else who
// writes there first, as 'postino setup' does, would keep it for itself.
func dataFolder(data, account string) error {
	if err := private.MkdirAll(data); err != nil || account == "" {
		return err
	}
	return private.Admit(data, account)
}

// args are those of the server. A service has no folder of its own to start from: each
// path is absolute.
func (s *ServiceSpec) args(programData string) (args []string, data string, err error) {
	conf, err := config.Load(s.Config, func(string) string { return "" }) // a service has not the variables of a command prompt
	if err == nil {
		err = conf.Validate()
	}
	if err != nil {
		return nil, "", exit(ExitConfig, err)
	}
	data = s.Data
	if data == "" && s.Config != "" {
		data = conf.Data
	}
	if data == "" || data == config.Default().Data {
		if data = filepath.Join(programData, "postino", "data"); programData == "" {
			return nil, "", wrong(ExitUsage, text("service.no_folder",
				"the variable ProgramData is missing: name the folder of the store with --data"))
		}
	}
	if !filepath.IsAbs(data) {
		return nil, "", wrong(ExitConfig, text("service.relative", "data {value} in the configuration depends on where the service starts: "+
			"write the whole path", "value", strconv.Quote(data)))
	}
	args = []string{"serve", "--data", data}
	for _, flag := range [][2]string{{"--config", s.Config}, {"--ca-file", s.CAFile}} {
		if flag[1] == "" {
			continue
		}
		file, err := filepath.Abs(flag[1])
		if err != nil {
			return nil, "", err
		}
		args = append(args, flag[0], file)
	}
	return args, data, nil
}

// Start starts the service.
func (k ServiceCommands) Start(ctx context.Context) error {
	return k.do(func(c winservice.Control) error { return c.Start(ctx) })
}

// Stop stops the service.
func (k ServiceCommands) Stop(ctx context.Context) error {
	return k.do(func(c winservice.Control) error { return c.Stop(ctx) })
}

// Status says what the service does.
func (k ServiceCommands) Status() error {
	return k.do(func(c winservice.Control) error {
		_, err := c.State()
		return err
	})
}

// Remove stops the service and removes it.
func (k ServiceCommands) Remove(ctx context.Context) error {
	return k.do(func(c winservice.Control) error { return c.Remove(ctx) })
}
