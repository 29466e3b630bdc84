package main

import (
	"context"

	"github.com/postino-mail/postino/internal/app"
)

// presetFlags are common to the commands on what is known of providers.
type presetFlags struct {
	JSON bool `help:"Print JSON." name:"json"`
}

func (f presetFlags) jobs(std stdio, cli *commands) app.PresetCommands {
	return app.PresetCommands{JSON: f.JSON, Language: cli.language(), Stdout: std.out}
}

type connectionPresets struct {
	presetFlags
	Name string `arg:"" optional:"" help:"Name of a provider; without it all are listed."`
}

// Help shows examples below the flags.
func (connectionPresets) Help() string {
	return "Examples:\n  postino connection presets\n  postino connection presets aruba-pec\n  postino connection presets --json"
}

func (c *connectionPresets) Run(std stdio, cli *commands) error { return c.jobs(std, cli).List(c.Name) }

type connectionDetect struct {
	presetFlags
	Address string `arg:"" help:"The address that is to send."`
}

// Help shows examples below the flags.
func (connectionDetect) Help() string {
	return `Examples:
  postino connection detect erp@contoso.it
  postino connection detect erp@contoso.it --json

Asks Microsoft, the domain's DNS records and autoconfig file, and Thunderbird's
collection of providers, for at most 5 seconds. Nothing is stored.`
}

func (c *connectionDetect) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).Detect(ctx, c.Address)
}
