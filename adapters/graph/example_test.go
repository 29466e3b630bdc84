package graph_test

import (
	"context"
	"fmt"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/graph"
	"github.com/postino-mail/postino/mime"
	"github.com/postino-mail/postino/tokens"
)

// A program that sends one message through a Microsoft 365 mailbox.
func ExampleNew() {
	send := func(ctx context.Context, msg *mime.Message) error {
		known := adapters.Providers{adapters.Graph: graph.NewSettings}
		conn, err := adapters.Decode([]byte(`{"name":"Ufficio","provider":"graph","from":"erp@contoso.it",
			"graph":{"tenant":"contoso.it","client_id":"00000000-0000-0000-0000-000000000000","client_secret":"..."}}`), known)
		if err != nil {
			return err
		}
		cache := tokens.NewCache(tokens.Options{})
		defer cache.Close()
		a, err := graph.New(conn, graph.Options{Tokens: cache})
		if err != nil {
			return err
		}
		defer a.Close()
		out := adapters.Outgoing{Message: msg}
		for _, r := range msg.Recipients() {
			out.Envelope.Recipients = append(out.Envelope.Recipients, mime.Recipient{Address: r})
		}
		receipt, err := a.Send(ctx, out)
		if err != nil {
			e := adapters.AsError(err)
			return fmt.Errorf("%s: %s", e.Message.In("it"), e.Hint.In("it"))
		}
		fmt.Println(receipt.MessageID, receipt.RequestID)
		return nil
	}
	_ = send // needs a tenant
}
