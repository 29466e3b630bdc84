//go:build unix

package outbox_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/graph"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/internal/outbox"
	"github.com/postino-mail/postino/internal/registry"
	"github.com/postino-mail/postino/internal/spool"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/sqlite"
	"github.com/postino-mail/postino/internal/submit"
	"github.com/postino-mail/postino/mime"
	"github.com/postino-mail/postino/tokens/credential"
)

// provider accepts everything after its latency and counts.
type provider struct {
	latency time.Duration
	done    func(conn string)
	sent    atomic.Int64
}

type route struct {
	*provider
	conn *adapters.Connection
}

func (p *provider) Adapter(c *adapters.Connection) (adapters.Adapter, error) { return route{p, c}, nil }

func (r route) Send(ctx context.Context, out adapters.Outgoing) (adapters.Receipt, error) {
	if r.latency > 0 {
		t := time.NewTimer(r.latency)
		defer t.Stop()
		select {
		case <-ctx.Done():
			return adapters.Receipt{}, &adapters.Error{Class: adapters.Unknown}
		case <-t.C:
		}
	}
	r.sent.Add(1)
	if r.done != nil {
		r.done(r.conn.Name)
	}
	return adapters.Receipt{Provider: adapters.Graph, Route: "mime", MessageID: out.Message.MessageID(), Status: 202, At: time.Now()}, nil
}
func (r route) Check(adapters.Outgoing) error { return nil }
func (r route) MaxSize() int64                { return 0 }
func (r route) Probe(context.Context) error   { return nil }
func (r route) Close() error                  { return nil }

// bench is a store with connections, a submitter and, once run, an outbox.
type bench struct {
	*provider
	store  store.Store
	submit *submit.Submitter
	conns  []*gateway.Connection
	sync   time.Duration
	cpu    time.Duration // spent before the measured part
}

// processorTime is what this process has used, which other programs on the
// machine do not change as much as they do the rates.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var r unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// begin starts the clocks.
func (w *bench) begin(b *testing.B) {
	w.cpu = processorTime(b)
	b.ResetTimer()
}

func newBench(b *testing.B, conns int, change func(*gateway.Connection)) *bench {
	b.Helper()
	dir := b.TempDir()
	w := &bench{provider: &provider{}, sync: syncLatency(b, dir)}
	st, err := sqlite.Open(b.Context(), sqlite.Options{Dir: dir, Server: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := st.Close(); err != nil {
			b.Error(err)
		}
	})
	w.store = st
	var wg sync.WaitGroup
	w.conns = make([]*gateway.Connection, conns)
	for part := range 64 {
		wg.Go(func() {
			for i := part; i < conns; i += 64 {
				none := 0
				c := &gateway.Connection{Connection: adapters.Connection{Name: fmt.Sprintf("c%05d", i), Provider: adapters.Graph,
					From:     fmt.Sprintf("c%05d@contoso.it", i),
					Settings: &graph.Settings{Entra: credential.Entra{Tenant: "t", ClientID: "c", ManagedIdentity: true}}}}
				c.Limits.PerMinute, c.Limits.RecipientsPerDay = &none, &none
				if change != nil {
					change(c)
				}
				var err error
				if w.conns[i], err = st.PutConnection(context.Background(), time.Now(), c); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if w.submit, err = submit.New(submit.Options{Store: st, Connections: registry.NewConnections(st), Adapters: w.provider,
		Events: true}); err != nil {
		b.Fatal(err)
	}
	return w
}

// syncLatency is what one durable write of 16 KiB costs on the disk of dir.
func syncLatency(b *testing.B, dir string) time.Duration {
	b.Helper()
	f, err := os.Create(filepath.Join(dir, "latency"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
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

// run runs an outbox until the benchmark ends.
func (w *bench) run(b *testing.B, change func(*outbox.Options)) {
	b.Helper()
	o := outbox.Options{Store: w.store, Adapters: w.provider, Node: "n", Events: true}
	if change != nil {
		change(&o)
	}
	out, err := outbox.New(o)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- out.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
}

// letter is a message of size bytes from the connection.
func letter(c *gateway.Connection, size int) string {
	head := fmt.Sprintf("From: Contoso <%s>\r\nTo: Anna <anna@example.com>\r\nSubject: Fattura 12\r\nDate: Sun, 22 Nov 2026 10:00:00 "+
		"+0100\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n", c.From)
	return head + strings.Repeat(strings.Repeat("x", 76)+"\r\n", max(1, (size-len(head))/78))
}

// take submits n messages of size bytes from so many clients, spread over the
// connections.
func (w *bench) take(b *testing.B, clients, n, size int) {
	letters := make([]string, len(w.conns))
	for i, c := range w.conns {
		letters[i] = letter(c, size)
	}
	var wg sync.WaitGroup
	var next atomic.Int64
	for range clients {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				k := int(i) % len(w.conns)
				c := w.conns[k]
				in, err := spool.Fill(strings.NewReader(letters[k]), w.store.SpoolDir(), 0, 0)
				if err != nil {
					b.Error(err)
					return
				}
				_, err = w.submit.Submit(context.Background(), submit.Request{Message: in, EntryPoint: "smtp",
					Envelope: mime.Envelope{From: mailboxtest.Of(c.From),
						Recipients: []mime.Recipient{{Address: mailboxtest.Of("anna@example.com")}}}})
				if cerr := in.Close(); err != nil || cerr != nil {
					b.Error(err, cerr)
					return
				}
			}
		})
	}
	wg.Wait()
}

// settled waits until n deliveries are done, their outcome in the store.
func (w *bench) settled(b *testing.B, n int) {
	for w.sent.Load() < int64(n) {
		<-time.After(time.Millisecond)
	}
	for {
		st, err := w.store.Stats(context.Background(), time.Now())
		if err != nil {
			b.Fatal(err)
		}
		if st.States[store.Sent] >= int64(n) {
			return
		}
		<-time.After(time.Millisecond)
	}
}

func (w *bench) report(b *testing.B, n int) {
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "msg/s")
	b.ReportMetric(float64((processorTime(b)-w.cpu).Microseconds())/float64(n), "µs-cpu/msg")
	b.ReportMetric(float64(w.sync.Microseconds()), "µs/sync")
}

// BenchmarkPipeline takes messages of 10 KB from 16 submitters through submit,
// store, claim, an adapter that does nothing, and outcome, all syncs in place.
func BenchmarkPipeline(b *testing.B) {
	for _, lanes := range []int{1, 100} {
		b.Run(fmt.Sprintf("lanes=%d", lanes), func(b *testing.B) {
			w := newBench(b, lanes, func(c *gateway.Connection) { none := 0; c.Limits.Concurrency = &none })
			w.run(b, func(o *outbox.Options) { o.Log = slog.New(slog.DiscardHandler) })
			w.begin(b)
			w.take(b, 16, b.N, 10<<10)
			w.settled(b, b.N)
			b.StopTimer()
			w.report(b, b.N)
		})
	}
}

// BenchmarkLane is one mailbox behind a provider that takes 100 ms, four at
// once: 40 messages a second are the limit.
func BenchmarkLane(b *testing.B) {
	w := newBench(b, 1, nil)
	w.latency = 100 * time.Millisecond
	w.take(b, 16, b.N, 2<<10)
	w.begin(b)
	w.run(b, nil)
	w.settled(b, b.N)
	b.StopTimer()
	w.report(b, b.N)
}

// BenchmarkManyLanes is a thousand mailboxes with something to send each, with
// a provider that answers at once and with one that takes 100 ms: the second
// figure is to be 90 % of the first, which is what the processors allow.
func BenchmarkManyLanes(b *testing.B) {
	for _, latency := range []time.Duration{0, 100 * time.Millisecond} {
		b.Run(fmt.Sprint("latency=", latency), func(b *testing.B) {
			w := newBench(b, 1000, nil)
			w.latency = latency
			w.take(b, 64, b.N, 2<<10)
			w.begin(b)
			w.run(b, nil)
			w.settled(b, b.N)
			b.StopTimer()
			w.report(b, b.N)
		})
	}
}
