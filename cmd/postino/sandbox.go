package main

import (
	"context"

	"github.com/postino-mail/postino/internal/app"
)

type sandboxCommand struct {
	Dir     string `help:"Folder for CA, connections and delivered mail (default: a temporary one)." type:"path" placeholder:"DIR"`
	Control string `help:"Address of the HTTP control." default:"127.0.0.1:0"`
	From    string `help:"Sender of the ready-made connections." default:"erp@contoso.it"`
	JSON    bool   `help:"Print what was started as one JSON object." name:"json"`
}

// Help shows examples below the flags.
func (sandboxCommand) Help() string {
	return `Examples:
  postino sandbox --dir /tmp/sandbox
  SSL_CERT_FILE=/tmp/sandbox/ca.pem postino send --connection-file /tmp/sandbox/graph.json \
      --from erp@contoso.it --to anna@example.com --subject Ciao --text Prova
  curl http://127.0.0.1:PORT/deliveries

Runs until Ctrl-C. Everything listens on 127.0.0.1 only; the secrets it prints open nothing real.`
}

func (c *sandboxCommand) Run(ctx context.Context, std stdio) error {
	return app.RunSandbox(ctx, app.SandboxOptions{Dir: c.Dir, Control: c.Control, From: c.From, JSON: c.JSON, Stdout: std.out})
}
