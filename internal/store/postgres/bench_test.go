package postgres

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// commitLatency is what one small durable transaction costs on the server.
func commitLatency(b *testing.B, s *Store) time.Duration {
	b.Helper()
	const n = 50
	start := time.Now()
	for range n {
		if err := s.Ping(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(start) / n
}

func benchMessage(lane string, body []byte, now time.Time) store.NewMessage {
	env := mime.Envelope{From: mailboxtest.Of("erp@contoso.it"),
		Recipients: []mime.Recipient{{Address: mailboxtest.Of("anna@example.com")}}}
	return store.NewMessage{
		Message: store.Message{MessageID: "<1@contoso.it>", Subject: "Fattura", From: mailboxtest.Of("erp@contoso.it"), Envelope: env,
			Client: "c", EntryPoint: "smtp", Class: "transactional", ReceivedAt: now},
		Head: []byte("From: erp@contoso.it\r\nSubject: Fattura\r\n\r\n"), Body: mime.Bytes(body),
		Deliveries: []store.NewDelivery{{Route: store.Route{Connection: "x", Lane: lane}, Recipients: env.Recipients,
			ExpiresAt: now.Add(72 * time.Hour)}},
	}
}

func benchFinish(c store.Claimed, now time.Time) store.Finish {
	rs := c.Delivery.Recipients
	for i := range rs {
		rs[i].State, rs[i].At = store.RecipientSent, now
	}
	return store.Finish{Lease: c.Lease,
		Outcome: store.Outcome{EndedAt: now, Class: adapters.Accepted,
			Receipt: &adapters.Receipt{Provider: adapters.SMTP, Route: "smtp", Reply: "250 2.0.0 queued", Status: 250, At: now}},
		Transition: store.Transition{Now: now, State: store.Sent, Recipients: rs, Progress: store.Progress{Class: adapters.Accepted}}}
}

// BenchmarkPipeline takes messages of 10 KB from 16 submitters (and from 64)
// through submit, claim, reading the bytes and finish, every step durable as
// the server is set.
func BenchmarkPipeline(b *testing.B) {
	for _, p := range []struct{ submitters, lanes int }{{16, 1}, {16, 100}, {64, 100}} {
		b.Run(fmt.Sprintf("submitters=%d/lanes=%d", p.submitters, p.lanes), func(b *testing.B) {
			s := open(b, Options{})
			latency := commitLatency(b, s)
			body := make([]byte, 10<<10)
			ctx := context.Background()
			node, _, err := s.Register(ctx, "n", time.Now(), time.Now().Add(time.Hour))
			if err != nil {
				b.Fatal(err)
			}
			var wg sync.WaitGroup
			b.ResetTimer()
			var next atomic.Int64
			for range p.submitters {
				wg.Go(func() {
					for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
						now := time.Now()
						if _, err := s.Submit(ctx,
							store.Submission{Now: now,
								Messages: []store.NewMessage{benchMessage(fmt.Sprint("lane-", i%int64(p.lanes)), body, now)}}); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			work := make(chan store.Claimed, 256)
			for range 64 {
				wg.Go(func() {
					for c := range work {
						m, err := s.Content(ctx, c.Message.ID)
						if err == nil {
							err = m.Close()
						}
						if err == nil {
							err = s.Finish(ctx, benchFinish(c, time.Now()))
						}
						if err != nil {
							b.Error(err)
						}
					}
				})
			}
			for claimed := 0; claimed < b.N && !b.Failed(); {
				cc, err := s.Claim(ctx, store.ClaimRequest{Node: node, Now: time.Now(), Max: 64, Wait: time.Second})
				if err != nil {
					b.Error(err)
					break
				}
				for _, c := range cc {
					work <- c
				}
				claimed += len(cc)
			}
			close(work)
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
			b.ReportMetric(float64(latency.Microseconds()), "µs/commit")
		})
	}
}
