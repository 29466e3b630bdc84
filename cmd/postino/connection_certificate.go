package main

import (
	"context"

	"github.com/postino-mail/postino/internal/app"
)

type connectionCertificate struct {
	New      certificateNew      `cmd:"" help:"Make key and certificate; the private key stays in the store."`
	Activate certificateActivate `cmd:"" help:"Switch to the new certificate, once a token has proven it."`
	Show     certificateShow     `cmd:"" help:"Show the public parts."`
}

type certificateNew struct {
	connectionFlags
	Name string `arg:"" optional:"" help:"Name or id of a stored connection."`
	File string `help:"JSON of a connection that is stored now, switched off." short:"f" placeholder:"FILE"`
	Days int    `help:"Validity in days, at most 1095." default:"365"`
	Out  string `help:"Write the public part there (.cer) in place of printing it." short:"o" placeholder:"FILE"`

	Replace bool `help:"Discard a certificate that waits to take over."`
}

// Help shows examples below the flags.
func (certificateNew) Help() string {
	return `Examples:
  postino connection certificate new Ufficio --out ufficio.cer
  postino connection certificate new --file ufficio.json --days 730

Upload the public part (postino connection script Ufficio --for entra does it), then activate.
Until then the old credential is used.`
}

func (c *certificateNew) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).CertificateNew(ctx, app.NewCertificate{Name: c.Name, File: c.File, Days: c.Days, Out: c.Out, Replace: c.Replace})
}

type certificateActivate struct {
	connectionName
	CAFile string `help:"PEM file of a further authority to trust." placeholder:"FILE" name:"ca-file" env:"POSTINO_CA_FILE"`
}

// Help shows examples below the flags.
func (certificateActivate) Help() string {
	return "Example:\n  postino connection certificate activate Ufficio"
}

func (c *certificateActivate) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).CertificateActivate(ctx, c.Name, c.CAFile)
}

type certificateShow struct{ connectionName }

// Help shows examples below the flags.
func (certificateShow) Help() string {
	return "Example:\n  postino connection certificate show Ufficio"
}

func (c *certificateShow) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).CertificateShow(ctx, c.Name)
}

type connectionScript struct {
	connectionFlags
	Name string `arg:"" optional:"" help:"Name or id of a stored connection."`
	File string `help:"JSON of a connection; it may still lack values." short:"f" placeholder:"FILE"`
	For  string `help:"entra, exchange (PowerShell) or google (bash)." required:"" enum:"entra,exchange,google" placeholder:"TARGET"`
}

// Help shows examples below the flags.
func (connectionScript) Help() string {
	return `Examples:
  postino connection script Ufficio --for entra > entra.ps1
  postino --lang it connection script Ufficio --for exchange > exchange.ps1
  postino connection script --file google.json --for google > google.sh

The script holds the connection's own values and no secret. It tells where to run it, with which
module and role, and how long it takes to work. It can be run again.`
}

func (c *connectionScript) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).Script(ctx, c.Name, c.File, c.For)
}
