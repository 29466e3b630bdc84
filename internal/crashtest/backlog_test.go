//go:build linux

package crashtest

import (
	"database/sql"
	"fmt"
	"net/smtp"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite" // for a reader of the database beside the server

	"github.com/postino-mail/postino/internal/app"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// A server with a million queued deliveries in ten thousand lanes begins to
// send, and to take mail in, as soon as an empty one: after a clean stop, after
// kill -9, and after kill -9 with a log that somebody's long reading kept from
// being copied into the database.
func TestStartOnBacklog(t *testing.T) {
	scale(t)
	const lanes, total = 10_000, 1_000_000
	w := newWorld(t, app.Storage{Data: filepath.Join(t.TempDir(), "data")}, 1)
	n := w.nodes[0]
	w.stop(t)
	w.firsts(t, "an empty queue", 0)
	w.stop(t)
	begin := time.Now()
	w.backlog(t, lanes, total)
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d deliveries in %d lanes made in %v: %d MB", total, lanes, time.Since(begin).Round(time.Second), w.bytes(t, "")>>20)

	w.firsts(t, "after a clean stop", 0)
	sent := len(w.sandbox.Deliveries())
	<-time.After(5 * time.Second)
	t.Logf("sends %d a second, %d MB resident", (len(w.sandbox.Deliveries())-sent)/5, resident(t, n.cmd.Process.Pid)>>20)
	if err := n.kill(); err != nil {
		t.Fatal(err)
	}
	w.firsts(t, "after kill -9", w.bytes(t, "-wal"))

	release := w.reader(t)
	<-time.After(30 * time.Second)
	if err := n.kill(); err != nil {
		t.Fatal(err)
	}
	release()
	w.firsts(t, "after kill -9 beside a long reader", w.bytes(t, "-wal"))
	w.stop(t)
}

// firsts starts the server and measures until it has acknowledged a message
// and until a provider has one.
func (w *world) firsts(t *testing.T, story string, log int64) {
	t.Helper()
	n, known := w.nodes[0], len(w.sandbox.Deliveries())
	begin := time.Now()
	stamp := func() string {
		return fmt.Sprintf("%4d ms (%d ms of processor time)", time.Since(begin).Milliseconds(), processor(t, n.cmd.Process.Pid).Milliseconds())
	}
	var acked, arrived string
	var watching sync.WaitGroup
	within := func(what func() bool) string {
		for time.Since(begin) < time.Minute {
			if what() {
				return stamp()
			}
			<-time.After(time.Millisecond)
		}
		t.Errorf("%s: nothing happens within a minute", story)
		return "never"
	}
	watching.Go(func() { acked = within(func() bool { return w.sends(n) }) })
	watching.Go(func() { arrived = within(func() bool { return len(w.sandbox.DeliveriesSince(known)) > 0 }) })
	if err := n.start(); err != nil {
		t.Fatal(err)
	}
	open := stamp()
	watching.Wait()
	t.Logf("%s (log of %d MB): listeners open after %s, first submission acknowledged after %s, first delivery at a provider after %s",
		story, log>>20, open, acked, arrived)
}

// sends reports whether the server took one message.
func (w *world) sends(n *node) bool {
	conn, err := smtp.Dial(n.smtp)
	if err != nil {
		return false
	}
	one := &client{conn: conn}
	defer one.close()
	return one.overSMTP(w.senders[0], message(w.senders[0], "first", 1)) == nil
}

// backlog makes deliveries by the store's own Submit, in batches.
func (w *world) backlog(t *testing.T, lanes, total int) {
	t.Helper()
	const batch = 2000
	w.many(t, lanes)
	conns, err := w.store.Connections(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for i := 0; i < total; i += batch {
		sub := store.Submission{Now: now}
		for j := i; j < min(i+batch, total); j++ {
			c := conns[j%len(conns)]
			env := mime.Envelope{From: mailboxtest.Of(c.From), Recipients: []mime.Recipient{{Address: mailboxtest.Of(rcpt)}}}
			token := fmt.Sprintf("b%07d", j)
			sub.Messages = append(sub.Messages, store.NewMessage{
				Message: store.Message{MessageID: "<" + token + "@crash.example>", Subject: token, From: mailboxtest.Of(c.From),
					Envelope: env, EntryPoint: entrySMTP,
					Class: "transactional", ReceivedAt: now},
				Head: []byte(head(c.From, token) + "\r\n"), Body: mime.Bytes([]byte("x\r\n")),
				Deliveries: []store.NewDelivery{{Route: store.Route{Connection: c.ID, Lane: c.Lane(mailboxtest.Of(c.From)),
					Limits: c.EffectiveLimits()},
					Recipients: env.Recipients,
					NextAt:     now, ExpiresAt: now.Add(72 * time.Hour)}},
			})
		}
		if _, err := w.store.Submit(t.Context(), sub); err != nil {
			t.Fatal(err)
		}
	}
}

// database is the file of the embedded store.
func (w *world) database(t *testing.T) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(w.where.Data, "*.db"))
	if err != nil || len(found) != 1 {
		t.Fatalf("the database in %s: %v, %v", w.where.Data, found, err)
	}
	return found[0]
}

// bytes is the size of the database or, with a suffix, of a file beside it.
func (w *world) bytes(t *testing.T, suffix string) int64 {
	t.Helper()
	st, err := os.Stat(w.database(t) + suffix)
	if err != nil {
		t.Fatal(err)
	}
	return st.Size()
}

// reader begins to read the database, as a backup does, until release.
func (w *world) reader(t *testing.T) (release func()) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+w.database(t)+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	tx, err := db.BeginTx(t.Context(), nil)
	if err == nil {
		var n int
		err = tx.QueryRowContext(t.Context(), "SELECT count(*) FROM sqlite_schema").Scan(&n)
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}
