package fallback_test

import (
	"context"
	"fmt"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/mime"
)

// A message may be accepted for some and refused for others: the receipt says
// who. The sandbox stands in for the server and refuses unknown+550@.
func ExampleNew() {
	server, err := sandbox.Start(sandbox.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	conn := server.SMTPConnection("erp@contoso.example") // adapters.Decode in a real program
	a, err := fallback.New(conn, fallback.Options{RootCAs: server.CertPool()})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer a.Close()
	people, err := mime.ParseAddressList("erp@contoso.example, anna@fabrikam.example, unknown+550@fabrikam.example")
	if err != nil {
		fmt.Println(err)
		return
	}
	msg, err := mime.Build(&mime.Draft{From: people[0], To: people[1:2], Subject: "Ciao", Text: "Prova"})
	if err != nil {
		fmt.Println(err)
		return
	}
	receipt, err := a.Send(context.Background(), adapters.Outgoing{Message: msg, Envelope: mime.Envelope{From: people[0].Address,
		Recipients: []mime.Recipient{{Address: people[1].Address}, {Address: people[2].Address}}}})
	if err != nil {
		fmt.Println(adapters.AsError(err).Hint.In("it"))
		return
	}
	for _, r := range receipt.Recipients {
		if r.Err != nil {
			fmt.Println(r.Address, r.Err.Class, r.Err.Status)
			continue
		}
		fmt.Println(r.Address, "accepted")
	}
	// Output:
	// anna@fabrikam.example accepted
	// unknown+550@fabrikam.example permanent 550
}
