package main

import (
	"context"
	"os"

	"github.com/postino-mail/postino/internal/app"
)

// sendmailCommand only stands in the help: its arguments are not kong's to
// read, see run.
type sendmailCommand struct {
	Args []string `arg:"" optional:"" passthrough:"" help:"As of sendmail(1): -t -i -f -F -oi -bs -bp -N -R -V."`
}

// Help shows examples below the flags.
func (sendmailCommand) Help() string {
	return `Examples:
  printf 'To: anna@example.com\nSubject: Prova\n\nCiao\n' | postino sendmail -t -f erp@contoso.it
  ln -s /usr/local/bin/postino /usr/sbin/sendmail     # PHP mail(), cron and mailx find it

The message goes to the server at POSTINO_SMTP (127.0.0.1:2525). While it is down, the message is left
in the maildrop (POSTINO_MAILDROP, /var/spool/postino where that folder exists, else DATA/maildrop),
from which the server takes it when it is back. Exit codes as in sysexits.h.`
}

func (c *sendmailCommand) Run(ctx context.Context, std stdio, cli *commands) error {
	return app.Sendmail(ctx, app.SendmailOptions{Args: c.Args, Getenv: os.Getenv, Language: cli.language(), Stdin: std.in, Stdout: std.out})
}
