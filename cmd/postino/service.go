package main

import (
	"context"

	"github.com/postino-mail/postino/internal/app"
)

type serviceCommand struct {
	Install serviceInstall `cmd:"" help:"Install the service; it starts with Windows."`
	Start   serviceStart   `cmd:"" help:"Start the service, and wait until it takes mail in."`
	Stop    serviceStop    `cmd:"" help:"Stop the service, and wait until what is in flight is finished or released."`
	Status  serviceStatus  `cmd:"" help:"Say what the service does."`
	Remove  serviceRemove  `cmd:"" help:"Stop the service and remove it; its data stay."`
}

func (std stdio) service(cli *commands) app.ServiceCommands {
	return app.ServiceCommands{Language: cli.language(), Stdout: std.out}
}

type serviceInstall struct {
	Config  string `help:"Configuration file (TOML)." placeholder:"FILE" type:"existingfile"`
	Data    string `help:"Folder of the store (default: that of the configuration, or %ProgramData%)." placeholder:"DIR" type:"path"`
	CAFile  string `help:"PEM file of a further authority to trust." placeholder:"FILE" name:"ca-file" type:"existingfile"`
	Account string `help:"Account without a password, such as 'NT SERVICE\\postino' (default: LocalSystem)." placeholder:"ACCOUNT"`
}

// Help shows examples below the flags.
func (serviceInstall) Help() string {
	return `Examples:
  postino service install
  postino service install --config C:\ProgramData\postino\postino.toml
  postino service install --account "NT SERVICE\postino"

Wants the rights of an administrator. Windows starts the service again when it fails. Warnings and
errors of its log are in the event viewer, under Windows Logs, Application, source postino.`
}

func (c *serviceInstall) Run(std stdio, cli *commands) error {
	return std.service(cli).Install(app.ServiceSpec{Config: c.Config, Data: c.Data, CAFile: c.CAFile, Account: c.Account})
}

type serviceStart struct{}

// Run starts the service.
func (*serviceStart) Run(ctx context.Context, std stdio, cli *commands) error {
	return std.service(cli).Start(ctx)
}

type serviceStop struct{}

// Run stops the service.
func (*serviceStop) Run(ctx context.Context, std stdio, cli *commands) error {
	return std.service(cli).Stop(ctx)
}

type serviceStatus struct{}

// Run says what the service does.
func (*serviceStatus) Run(std stdio, cli *commands) error { return std.service(cli).Status() }

type serviceRemove struct{}

// Run removes the service.
func (*serviceRemove) Run(ctx context.Context, std stdio, cli *commands) error {
	return std.service(cli).Remove(ctx)
}
