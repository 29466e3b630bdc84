package adapters_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/all"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/mime"
)

// A Go program sends one message with the public packages alone: the message
// is built once, the connection decides the route. The sandbox stands in for
// the providers here; without it, leave RootCAs out and read the connection with
// all.ParseConnection.
func Example() {
	provider, err := sandbox.Start(sandbox.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer provider.Close()

	sender := all.New(all.Options{RootCAs: provider.CertPool()}) // once for the whole program
	defer sender.Close()

	people, err := mime.ParseAddressList("Contoso ERP <erp@contoso.example>, Niccolò <niccolo@fabrikam.example>, archivio@contoso.example")
	if err != nil {
		fmt.Println(err)
		return
	}
	msg, err := mime.Build(&mime.Draft{
		From:    people[0],
		To:      people[1:2],
		Bcc:     people[2:],
		Subject: "Fattura n. 42",
		HTML:    "<p>In allegato la fattura.</p>", // the text alternative is made from it
		Attachments: []mime.Attachment{{Filename: "Fattura 42.pdf", Open: func() (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader([]byte("%PDF-1.7 ..."))), nil // os.Open of a real program
		}}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	envelope, err := msg.Envelope() // as the header says; it may be any other
	if err != nil {
		fmt.Println(err)
		return
	}
	out := adapters.Outgoing{Message: msg, Envelope: envelope}

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, conn := range []*adapters.Connection{
		provider.GraphConnection("erp@contoso.example"),
		provider.GmailConnection("erp@contoso.example"),
		provider.SMTPConnection("erp@contoso.example"),
	} {
		receipt, err := sender.Send(ctx, conn, out)
		if err != nil {
			e := adapters.AsError(err)
			fmt.Println(e.Class, e.Message.In("it"), e.Hint.In("it"))
			continue
		}
		fmt.Println(receipt.Provider, receipt.Route, receipt.Status, len(receipt.Recipients), "recipients")
	}
	// Output:
	// graph mime 202 2 recipients
	// gmail media 200 2 recipients
	// smtp smtp 250 2 recipients
}

// Every failure has a class that says what happens next, and a sentence and a
// hint in two languages.
func ExampleError() {
	err := error(&adapters.Error{Class: adapters.Throttled, ProviderCode: "ApplicationThrottled", RetryAfter: 17 * time.Second,
		Message: adapters.Text{Code: "gmail.too_many_at_once"}})
	var e *adapters.Error
	if errors.As(err, &e) && e.Class == adapters.Throttled {
		fmt.Println("wait", e.RetryAfter, "-", e.Message.In("it"))
	}
	// Output: wait 17s - troppe richieste contemporanee per questa casella
}

// The answer to a send was lost: no one knows whether the message left. The
// provider is asked; to send again blindly might send twice.
func ExampleVerifier() {
	provider, err := sandbox.Start(sandbox.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer provider.Close()
	provider.Inject(sandbox.Fault{Service: "gmail", Op: "send", After: true, Reset: true, Times: 1})

	sender := all.New(all.Options{RootCAs: provider.CertPool()})
	defer sender.Close()
	conn := provider.GmailConnection("erp@contoso.example")
	people, err := mime.ParseAddressList("erp@contoso.example, niccolo@fabrikam.example")
	if err != nil {
		fmt.Println(err)
		return
	}
	msg, err := mime.Build(&mime.Draft{
		From:    people[0],
		To:      people[1:],
		Subject: "Fattura n. 42",
		Text:    "In allegato la fattura.",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	envelope, err := msg.Envelope()
	if err != nil {
		fmt.Println(err)
		return
	}
	out := adapters.Outgoing{Message: msg, Envelope: envelope}
	began := time.Now()
	_, failure := sender.Send(context.Background(), conn, out)
	fmt.Println(adapters.ClassOf(failure))
	if failure == nil {
		return
	}

	adapter, err := sender.Adapter(conn)
	if err != nil {
		fmt.Println(err)
		return
	}
	if v, ok := adapter.(adapters.Verifier); ok { // plain SMTP cannot be asked
		verdict, _, err := v.Verify(context.Background(),
			adapters.VerifyRequest{Outgoing: out, ProviderID: adapters.AsError(failure).ProviderID, Since: began})
		fmt.Println(verdict, err)
	}
	// Output:
	// unknown
	// sent <nil>
}
