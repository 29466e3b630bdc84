package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/all"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/mime"
)

func letter() *mime.Draft {
	people, err := mime.ParseAddressList("Contoso ERP <erp@contoso.example>, Anna <anna@example.com>, archive@contoso.example")
	if err != nil {
		fmt.Println(err)
		return &mime.Draft{}
	}
	return &mime.Draft{
		From:    people[0],
		To:      people[1:2],
		Bcc:     people[2:],
		Subject: "Invoice 42",
		Text:    "See the attachment.",
	}
}

// A test sends over each provider and looks at what arrived.
func Example() {
	s, err := sandbox.Start(sandbox.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	sender := all.New(all.Options{RootCAs: s.CertPool()})
	defer sender.Close()

	const from = "erp@contoso.example"
	for _, conn := range []*adapters.Connection{s.GraphConnection(from), s.GmailConnection(from), s.SMTPConnection(from)} {
		if _, err := sender.SendDraft(context.Background(), conn, letter()); err != nil {
			fmt.Println(err)
		}
	}
	for _, d := range s.Deliveries() {
		fmt.Println(d.Service, d.Route, d.Subject, d.Recipients)
	}
	// Output:
	// graph mime Invoice 42 [anna@example.com archive@contoso.example]
	// gmail media Invoice 42 [anna@example.com archive@contoso.example]
	// smtp data Invoice 42 [anna@example.com archive@contoso.example]
}

// Faults show what a program does when its provider fails: here Graph asks for a
// pause, and then accepts a message without ever answering.
func ExampleSandbox_Inject() {
	s, err := sandbox.Start(sandbox.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	sender := all.New(all.Options{RootCAs: s.CertPool()})
	defer sender.Close()

	s.Inject(sandbox.Fault{Service: "graph", Op: "sendMail", Times: 1, Status: 429, RetryAfter: 30e9})
	s.Inject(sandbox.Fault{Service: "graph", Op: "sendMail", Times: 1, After: true, Reset: true})
	conn := s.GraphConnection("erp@contoso.example")
	for range 2 {
		_, err := sender.SendDraft(context.Background(), conn, letter())
		var failure *adapters.Error
		if errors.As(err, &failure) {
			fmt.Println(failure.Class, failure.RetryAfter)
		}
	}
	fmt.Println("requests:", s.Counters()["graph.sendMail"], "delivered:", len(s.Deliveries()))
	// Output:
	// throttled 30s
	// unknown 0s
	// requests: 2 delivered: 1
}

// OpenShown is the message as a recipient sees it.
func ExampleSandbox_OpenShown() {
	s, err := sandbox.Start(sandbox.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	sender := all.New(all.Options{RootCAs: s.CertPool()})
	defer sender.Close()

	if _, err := sender.SendDraft(context.Background(), s.GmailConnection("erp@contoso.example"), letter()); err != nil {
		fmt.Println(err)
		return
	}
	for name, open := range map[string]func(sandbox.Delivery) (io.ReadCloser, error){"received": s.Open, "shown": s.OpenShown} {
		r, err := open(s.Deliveries()[0])
		if err != nil {
			fmt.Println(err)
			return
		}
		data, err := io.ReadAll(r)
		fmt.Println(name, "names the hidden recipient:", strings.Contains(string(data), "archive@contoso.example"), errors.Join(err, r.Close()))
	}
	// Unordered output:
	// received names the hidden recipient: true <nil>
	// shown names the hidden recipient: false <nil>
}
