package mime_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/postino-mail/postino/mime"
)

// A message with everything fixed, so that its bytes are always the same;
// leave Date and MessageID empty and they are made.
func ExampleCompose() {
	people, err := mime.ParseAddressList("Contoso ERP <erp@contoso.example>, Niccolò <niccolo@fabrikam.example>")
	if err != nil {
		fmt.Println(err)
		return
	}
	var b strings.Builder
	err = mime.Compose(&b, &mime.Draft{
		From:      people[0],
		To:        people[1:],
		Subject:   "Fattura n. 42",
		Text:      "In allegato la fattura.",
		Date:      time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC),
		MessageID: "42@contoso.example",
	})
	if err != nil {
		fmt.Println(err)
	}
	fmt.Print(strings.ReplaceAll(b.String(), "\r\n", "\n"))
	// Output:
	// From: Contoso ERP <erp@contoso.example>
	// To: =?utf-8?q?Niccol=C3=B2?= <niccolo@fabrikam.example>
	// Subject: Fattura n. 42
	// Date: Sun, 22 Nov 2026 10:00:00 +0000
	// Message-ID: <42@contoso.example>
	// MIME-Version: 1.0
	// Content-Type: text/plain; charset=utf-8
	// Content-Transfer-Encoding: 7bit
	//
	// In allegato la fattura.
}

// An attachment is streamed from its file, whatever its size.
func ExampleCompose_attachment() {
	f, err := os.Create(os.DevNull)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer f.Close()
	people, err := mime.ParseAddressList("scanner@contoso.example, ufficio@contoso.example")
	if err != nil {
		fmt.Println(err)
		return
	}
	err = mime.Compose(f, &mime.Draft{
		From: people[0],
		To:   people[1:],
		HTML: `<p>Ecco la scansione.</p><img src="cid:logo">`, // a text alternative is made from it
		Attachments: []mime.Attachment{
			{Filename: "logo.png", ContentID: "logo", Inline: true, Open: func() (io.ReadCloser, error) {
				return os.Open("../testdata/demo/logo.png")
			}},
			{Filename: "Scansione del 22 novembre.pdf", Open: func() (io.ReadCloser, error) {
				return os.Open("../testdata/demo/fattura.pdf")
			}},
		},
	})
	fmt.Println(err)
	// Output: <nil>
}

// An Error names the field and says what to do, in two languages.
func ExampleError() {
	from, err := mime.ParseAddress("web@contoso.example")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = mime.Build(&mime.Draft{
		From:    from,
		Subject: "Hello\r\nBcc: everybody@example.com",
	})
	var e *mime.Error
	if errors.As(err, &e) {
		fmt.Println(e.Code, e.Field)
		fmt.Println(e.Message.String())
		fmt.Println(e.Message.In("it"))
	}
	// Output:
	// header_injection Subject
	// The value of Subject contains a line end; a header field is one line: remove it.
	// Il valore di Subject contiene un a capo; un'intestazione è una riga sola: toglierlo.
}

func ExampleTextFromHTML() {
	fmt.Print(mime.TextFromHTML(`<p>Totale: <b>12&nbsp;&euro;</b>, <a href="https://contoso.example/p">paga ora</a></p>` +
		`<table><tr><td>Bulloni</td><td>10</td></tr><tr><td>Dadi</td><td>2</td></tr></table>`))
	// Output:
	// Totale: 12 €, paga ora <https://contoso.example/p>
	//
	// Bulloni | 10
	// Dadi | 2
}
