// Command program sends a message over every kind of connection of a sandbox.
package main

import (
	"context"
	"fmt"
	"github.com/postino-mail/postino/adapters/all"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/mime"
	"log"
)

func main() {
	provider, err := sandbox.Start(sandbox.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer provider.Close()
	sender := all.New(all.Options{RootCAs: provider.CertPool()})
	for _, conn := range provider.Connections("erp@contoso.example") {
		own := mime.Address{Address: conn.FromMailbox()}
		receipt, err := sender.SendDraft(context.Background(), conn, &mime.Draft{From: own, To: []mime.Address{own}, Text: "Ciao"})
		fmt.Println(receipt.Provider, len(provider.Deliveries()), err)
	}
}
