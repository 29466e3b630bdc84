package sqlite

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// syncLatency is what one durable write of 16 KiB costs on the disk of dir.
func syncLatency(b *testing.B, dir string) time.Duration {
	b.Helper()
	f, err := os.Create(filepath.Join(dir, "latency"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := f.Close(); err != nil {
			b.Error(err)
		}
	}()
	const n = 50
	buf := make([]byte, 16<<10)
	start := time.Now()
	for range n {
		if _, err := f.Write(buf); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(start) / n
}

// They are parsed when a message is read, which is before the store.
var benchFrom, benchTo = mailboxtest.Of("erp@contoso.it"), mailboxtest.Of("anna@example.com")

func benchMessage(lane string, body []byte, now time.Time) store.NewMessage {
	env := mime.Envelope{From: benchFrom, Recipients: []mime.Recipient{{Address: benchTo}}}
	return store.NewMessage{
		Message: store.Message{MessageID: "<1@contoso.it>", Subject: "Fattura", From: benchFrom, Envelope: env,
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

// BenchmarkPipeline takes messages of 10 KB from 16 submitters through submit,
// claim, reading the bytes and finish, every step durable.
func BenchmarkPipeline(b *testing.B) {
	for _, lanes := range []int{1, 100} {
		b.Run(fmt.Sprintf("lanes=%d", lanes), func(b *testing.B) {
			dir := b.TempDir()
			latency := syncLatency(b, dir)
			s := open(b, Options{Dir: dir})
			body := make([]byte, 10<<10)
			ctx := context.Background()
			node, _, err := s.Register(ctx, "n", time.Now(), time.Now().Add(time.Hour))
			if err != nil {
				b.Fatal(err)
			}
			var wg sync.WaitGroup
			var sent atomic.Int64
			b.ResetTimer()
			var next atomic.Int64
			for range 16 {
				wg.Go(func() {
					for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
						now := time.Now()
						if _, err := s.Submit(ctx,
							store.Submission{Now: now, Messages: []store.NewMessage{benchMessage(fmt.Sprint("lane-", i%int64(lanes)), body, now)}}); err != nil {
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
						sent.Add(1)
					}
				})
			}
			for claimed := 0; claimed < b.N; {
				cc, err := s.Claim(ctx, store.ClaimRequest{Node: node, Now: time.Now(), Max: 64, Wait: time.Minute})
				if err != nil {
					b.Fatal(err)
				}
				for _, c := range cc {
					work <- c
				}
				claimed += len(cc)
			}
			close(work)
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
			b.ReportMetric(float64(latency.Microseconds()), "µs/sync")
			b.ReportMetric(float64(s.w.commits.Load())/float64(b.N), "syncs/msg")
		})
	}
}

// BenchmarkIndexSearch is what the index of words costs a message: all that a second of
// quick submission leaves is added in batches of the usual size.
func BenchmarkIndexSearch(b *testing.B) {
	s := open(b, Options{Dir: b.TempDir()})
	now := time.Now()
	for i := 0; i < b.N; {
		sub := store.Submission{Now: now}
		for range min(500, b.N-i) {
			m := benchMessage("lane", []byte("x"), now)
			m.MessageID, m.Subject = fmt.Sprintf("<%d@contoso.it>", i), fmt.Sprintf("Fattura %d del cliente %d", i, i%977)
			m.From = mailboxtest.Of(fmt.Sprintf("erp@customer%d.example", i%5000))
			sub.Messages, i = append(sub.Messages, m), i+1
		}
		if _, err := s.Submit(b.Context(), sub); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	for more := true; more; {
		var err error
		if more, err = s.IndexSearch(b.Context(), 300); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSubmit stores messages of 10 KB that nothing claims, without the index of
// words. On a machine that others use, count: the instructions of two runs of -benchtime
// 500x and 2500x under valgrind --tool=callgrind, with GOMAXPROCS=1, GOGC=off and
// GODEBUG=asyncpreemptoff=1.
func BenchmarkSubmit(b *testing.B) {
	for _, submitters := range []int{1, 16} {
		b.Run(fmt.Sprintf("submitters=%d", submitters), func(b *testing.B) {
			s := open(b, Options{Dir: b.TempDir()})
			b.ReportAllocs()
			b.ResetTimer()
			submitAll(b, s, b.N, submitters)
			b.ReportMetric(float64(s.w.commits.Load())/float64(b.N), "syncs/msg")
		})
	}
}

func submitAll(b *testing.B, s *Store, n, submitters int) {
	body := make([]byte, 10<<10)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range submitters {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				now := time.Now()
				if _, err := s.Submit(b.Context(),
					store.Submission{Now: now, Messages: []store.NewMessage{benchMessage(fmt.Sprint("lane-", i%10), body, now)}}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkClaim claims messages that wait, 64 at a time.
func BenchmarkClaim(b *testing.B) {
	s := open(b, Options{Dir: b.TempDir()})
	node, _, err := s.Register(b.Context(), "n", time.Now(), time.Now().Add(time.Hour))
	if err != nil {
		b.Fatal(err)
	}
	submitAll(b, s, b.N, 16)
	b.ReportAllocs()
	b.ResetTimer()
	for claimed := 0; claimed < b.N; {
		cc, err := s.Claim(b.Context(), store.ClaimRequest{Node: node, Now: time.Now(), Max: 64})
		if err != nil || len(cc) == 0 {
			b.Fatal(len(cc), err)
		}
		claimed += len(cc)
	}
}
