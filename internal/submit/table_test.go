package submit

import (
	"fmt"
	"testing"

	"github.com/postino-mail/postino/adapters"
)

// BenchmarkRoute chooses among 10,000 connections, as a hosted service does for
// each message.
func BenchmarkRoute(b *testing.B) {
	var conns []*adapters.Connection
	for i := range 10_000 {
		conns = append(conns, &adapters.Connection{ID: fmt.Sprint(i), Name: fmt.Sprint("c", i), Provider: adapters.SMTP,
			From: fmt.Sprintf("erp@customer%d.example", i), SMTP: &adapters.SMTPSettings{Host: "h"}})
	}
	t := newTable(conns)
	for _, from := range []string{"erp@customer9999.example", "anna@customer9999.example"} {
		b.Run(from, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if c, err := t.choose(routing{from: from}); err != nil || c.ID != "9999" {
					b.Fatal(c, err)
				}
			}
		})
	}
}
