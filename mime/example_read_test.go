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
	view, err := m.ForAPI([]string{"anna@fabrikam.example", "archive@contoso.example"})
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
