package main

import (
	"context"

	"github.com/postino-mail/postino/internal/app"
)

type sandboxCommand struct {
	Dir         string   `help:"Folder for CA, connections and delivered mail (default: a temporary one)." type:"path" placeholder:"DIR"`
	Control     string   `help:"Address of the HTTP control (default: the first port, or a free one)." placeholder:"ADDR"`
	Proxy       string   `help:"Answer CONNECT for the vendors' real hosts at this address." placeholder:"ADDR"`
	FirstPort   int      `help:"Listen on this and the next eight ports, not on free ones." placeholder:"N"`
	Directory   string   `help:"JSON file of the mailboxes, rights and people that exist." type:"existingfile" placeholder:"FILE"`
	AnyMailbox  bool     `help:"Every address is a mailbox, and may send as any other."`
	Certificate []string `help:"Certificate to register on the applications (can be repeated)." type:"existingfile" placeholder:"FILE"`
	From        string   `help:"Sender of the connections (default: erp@contoso.it, or the directory's first mailbox)." placeholder:"A"`
	JSON        bool     `help:"Print what was started as one JSON object." name:"json"`
}

// Help shows examples below the flags.
func (sandboxCommand) Help() string {
	return `Examples:
  postino sandbox --dir /tmp/sandbox
  SSL_CERT_FILE=/tmp/sandbox/ca.pem postino send --connection-file /tmp/sandbox/graph.json \
      --from erp@contoso.it --to anna@example.com --subject Ciao --text Prova
  curl http://127.0.0.1:PORT/deliveries

Any program, without a change of its settings, by the vendors' real addresses:
  postino sandbox --dir /tmp/sandbox --first-port 9000 --proxy 127.0.0.1:9010
  HTTPS_PROXY=http://127.0.0.1:9010 SSL_CERT_FILE=/tmp/sandbox/ca.pem program

The mailboxes are the sender of the connections, those asked for by GET
/connections?from=ADDRESS, or those of --directory; any other is refused, and so
is a sender without the right. --any-mailbox takes them all.

Runs until Ctrl-C. Everything listens on 127.0.0.1 only; the secrets it prints open nothing real.`
}

func (c *sandboxCommand) Run(ctx context.Context, std stdio, cli *commands) error {
	return app.RunSandbox(ctx, app.SandboxOptions{
		Dir: c.Dir, Control: c.Control, Proxy: c.Proxy, FirstPort: c.FirstPort, Directory: c.Directory, AnyMailbox: c.AnyMailbox,
		Certificates: c.Certificate, From: c.From, JSON: c.JSON, Language: cli.language(), Stdout: std.out,
	})
}
