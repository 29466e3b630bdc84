package main

import (
	"context"

	"github.com/postino-mail/postino/internal/app"
)

type connectionRoute struct {
	connectionFlags
	From       string   `help:"Sender in the header." required:"" placeholder:"ADDRESS"`
	Client     string   `help:"Client that submits." placeholder:"NAME"`
	Connection string   `help:"Connection that the client names." placeholder:"NAME"`
	Class      string   `help:"transactional or bulk: the message's class." placeholder:"CLASS"`
	Size       int64    `help:"Size of the message in bytes." placeholder:"N"`
	To         []string `help:"Recipient, once for each." placeholder:"ADDRESS"`
}

// Help shows examples below the flags.
func (connectionRoute) Help() string {
	return `Examples:
  postino connection route --from erp@contoso.it
  postino connection route --from shop@contoso.it --client shop --class bulk --size 30000000 --json

Prints the connection that a message would take, the rule that decides, the fallbacks, and why the others are not
chosen. It decides as for a real message, and stores nothing.`
}

func (c *connectionRoute) Run(ctx context.Context, std stdio, cli *commands) error {
	return c.jobs(std, cli).Route(ctx, app.RouteQuestion{From: c.From, Client: c.Client, Connection: c.Connection, Class: c.Class,
		Size: c.Size, Recipients: c.To})
}
