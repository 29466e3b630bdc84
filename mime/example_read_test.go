package mime_test

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/postino-mail/postino/mime"
)

// What an old program hands over becomes a message that every route can carry;
// the API view shows exactly the people of the envelope.
func ExampleAccept() {
	raw := "From: erp@contoso.example\n" +
		"To: Anna <anna@fabrikam.example>, bruno@fabrikam.example\n" +
		"Bcc: archive@contoso.example\n" +
		"Message-ID: <42@contoso.example>\n" +
		"Subject: Fattura n. 42\n\nIn allegato la fattura.\n"
	m, err := mime.Accept(mime.Bytes([]byte(raw)), mime.AcceptOptions{
		Lenient: true, // bare line feeds are repaired
		Now:     func() time.Time { return time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	var envelope []mime.Mailbox
	for _, addr := range []string{"anna@fabrikam.example", "archive@contoso.example"} {
		mailbox, err := mime.ParseMailbox(addr)
		if err != nil {
			fmt.Println(err)
			return
		}
		envelope = append(envelope, mailbox)
	}
	view, err := m.ForAPI(envelope)
	if err != nil {
		fmt.Println(err)
		return
	}
	b, err := io.ReadAll(mime.NewReader(view))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(strings.ReplaceAll(string(b), "\r\n", "\n"))
	// Output:
	// From: erp@contoso.example
	// To: Anna <anna@fabrikam.example>
	// Bcc: archive@contoso.example
	// X-Postino-Not-Sent: bruno@fabrikam.example
	// Message-ID: <42@contoso.example>
	// Subject: Fattura n. 42
	// Date: Sun, 22 Nov 2026 10:00:00 +0000
	//
	// In allegato la fattura.
}

// received is what another program sent.
const received = "From: =?utf-8?q?Niccol=C3=B2?= <niccolo@fabrikam.example>\r\n" +
	"To: erp@contoso.example\r\n" +
	"Subject: =?utf-8?q?Fattura_n=C2=B0_42?=\r\n" +
	"MIME-Version: 1.0\r\n" +
	"Content-Type: multipart/mixed; boundary=b\r\n\r\n" +
	"--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" +
	"La fattura =C3=A8 allegata.\r\n" +
	"--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename*=utf-8''n%C2%B042.pdf\r\n" +
	"Content-Transfer-Encoding: base64\r\n\r\nJVBERi0xLjc=\r\n--b--\r\n"

// Read looks at the header alone; names and subject come decoded.
func ExampleRead() {
	m, err := mime.Read(mime.Bytes([]byte(received)), mime.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.From()[0].Name, m.From()[0].Address)
	fmt.Println(m.Subject())
	fmt.Println(m.Recipients())
	// Output:
	// Niccolò niccolo@fabrikam.example
	// Fattura n° 42
	// [erp@contoso.example]
}

// Structure reads the body once; Open decodes one part as a stream.
func ExampleMessage_Structure() {
	m, err := mime.Read(mime.Bytes([]byte(received)), mime.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	root, err := m.Structure()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(root.MediaType)
	for _, p := range root.Parts {
		content, err := io.ReadAll(m.Open(p))
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s %q: %s\n", p.MediaType, p.Filename, content)
	}
	// Output:
	// multipart/mixed
	// text/plain "": La fattura è allegata.
	// application/pdf "n°42.pdf": %PDF-1.7
}
