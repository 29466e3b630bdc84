package gmail_test

import (
	"context"
	"fmt"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/gmail"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/mime"
	"github.com/postino-mail/postino/tokens"
)

// One message through a Google Workspace mailbox, with a service account that
// has domain-wide delegation. The sandbox stands in for Google here.
func ExampleNew() {
	google, err := sandbox.Start(sandbox.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer google.Close()
	cache := tokens.NewCache(tokens.Options{HTTPClient: google.HTTPClient()})
	defer cache.Close()
	conn := google.GmailConnection("erp@contoso.example") // adapters.Decode in a real program
	a, err := gmail.New(conn, gmail.Options{Tokens: cache, HTTPClient: google.HTTPClient()})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer a.Close()
	people, err := mime.ParseAddressList("erp@contoso.example, anna@fabrikam.example")
	if err != nil {
		fmt.Println(err)
		return
	}
	msg, err := mime.Build(&mime.Draft{From: people[0], To: people[1:], Subject: "Ciao", Text: "Prova"})
	if err != nil {
		fmt.Println(err)
		return
	}
	receipt, err := a.Send(context.Background(), adapters.Outgoing{Message: msg,
		Envelope: mime.Envelope{From: people[0].Address, Recipients: []mime.Recipient{{Address: people[1].Address}}}})
	if err != nil {
		fmt.Println(adapters.AsError(err).Hint.In("it"))
		return
	}
	fmt.Println(receipt.Route, receipt.Status)
	// Output: media 200
}
