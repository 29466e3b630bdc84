package submit

import (
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/internal/spool"
	"github.com/postino-mail/postino/mime"
)

// BenchmarkPrepare is all that a message of 10 KB to one recipient costs
// between an entry point and the store: spool, check, completion, route, limits, event.
func BenchmarkPrepare(b *testing.B) {
	for _, c := range []*gateway.Connection{graphConn("Graph", "erp@contoso.it", nil), smtpConn("SMTP", "erp@contoso.it", nil)} {
		b.Run(c.Name, func(b *testing.B) {
			w := newWorld(b, nil, c)
			raw := "From: Contoso <erp@contoso.it>\r\nTo: Anna <anna@example.com>\r\nSubject: Fattura 12\r\nDate: Sun, 22 Nov 2026 10:00:00 " +
				"+0100\r\n" +
				"Message-ID: <12@contoso.it>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n" +
				strings.Repeat(strings.Repeat("x", 76)+"\r\n", 130)
			r := Request{EntryPoint: "smtp", Envelope: mime.Envelope{From: mailboxtest.Of("erp@contoso.it"),
				Recipients: []mime.Recipient{{Address: mailboxtest.Of("anna@example.com")}}}}
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				in, err := spool.Fill(strings.NewReader(raw), w.store.SpoolDir(), 0, 0)
				if err != nil {
					b.Fatal(err)
				}
				r.Message = in
				if _, err := w.prepare(b.Context(), &r, time.Now(), false); err != nil {
					b.Fatal(err)
				}
				if err := in.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
