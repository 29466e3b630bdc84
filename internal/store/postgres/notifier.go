package postgres

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postino-mail/postino/internal/pause"
	"github.com/postino-mail/postino/internal/store/engine"
)

// A notifier wakes the claims of this process when another has made something
// claimable, and the others' when this one has. One connection of its own
// listens and rings; when it is lost it is opened again. A ring that got lost is
// made up for within a second: lanes that are due earlier than a second ago
// wake the claims too.
//
// Ringing is apart from the transactions: NOTIFY inside one would make all
// commits of the database wait for each other.
type notifier struct {
	s    *Store
	conf *pgx.ConnConfig
	ring chan struct{} // something to tell the others
	edit atomic.Bool   // and that is an edit
	done sync.WaitGroup
	last int64 // when the first lane was ready a second ago
}

// poll is how often the lanes are looked at; ringPause is how often at most the
// notifier is rung.
const (
	poll      = time.Second
	ringPause = 20 * time.Millisecond
)

const channel = `'postino.' || current_schema()`

// openNotifier returns once this store hears the notifier.
func openNotifier(ctx context.Context, s *Store) (*notifier, error) {
	b := &notifier{s: s, conf: s.sessionConfig(s.conf.ConnConfig, nil, " notifier"), ring: make(chan struct{}, 1)}
	conn, err := b.connect(ctx)
	if err != nil {
		return nil, unavailable(err)
	}
	b.done.Go(func() { b.run(conn) })
	return b, nil
}

func (b *notifier) close() {
	b.s.end()
	b.done.Wait()
}

// tell wakes the other nodes soon.
func (b *notifier) tell() {
	select {
	case b.ring <- struct{}{}:
	default:
	}
}

// The words of a ring: records were changed, caches must look again; something
// is claimable.
const (
	payloadEdit  = "edit"
	payloadReady = "ready"
)

// tellEdit has the other nodes look at the records again.
func (b *notifier) tellEdit() {
	b.edit.Store(true)
	b.tell()
}

func (b *notifier) connect(ctx context.Context) (*pgx.Conn, error) {
	conn, err := pgx.ConnectConfig(ctx, b.conf)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, `DO $$ BEGIN EXECUTE format('LISTEN %I', `+channel+`); END $$`); err != nil {
		b.drop(conn)
		return nil, err
	}
	return conn, nil
}

func (b *notifier) drop(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(b.s.life), time.Second)
	defer cancel()
	if err := conn.Close(ctx); err != nil {
		b.s.opt.Log.Debug("closing the connection that listens", "err", err)
	}
}

func (b *notifier) run(conn *pgx.Conn) {
	ctx := b.s.life
	for ctx.Err() == nil {
		if conn == nil {
			var err error
			if conn, err = b.connect(ctx); err != nil {
				b.s.opt.Log.Debug("the database cannot be listened to; asking it each second", "err", err)
				b.s.Changed.All()
				pause.For(ctx, poll)
				continue
			}
			b.s.Changed.All() // whatever was missed
			b.s.watchers.tell()
		}
		if err := b.serve(ctx, conn); err != nil && ctx.Err() == nil {
			b.s.opt.Log.Warn("the connection that listens to the database was lost; it is opened again", "err", err)
		}
		b.drop(conn)
		conn = nil
	}
	if conn != nil {
		b.drop(conn)
	}
}

// serve works until the connection fails. A connection is read from in one
// place at a time: rings that come while it listens end the listening.
func (b *notifier) serve(ctx context.Context, conn *pgx.Conn) error {
	for ctx.Err() == nil {
		if b.s.primary.old(conn.PgConn()) {
			return errOld
		}
		heard, rung, err := b.listen(ctx, conn)
		if err != nil {
			return err
		}
		switch {
		case heard != "":
			if heard == payloadEdit {
				b.s.watchers.tell()
			}
			b.s.Changed.All()
		case rung:
			payload := payloadReady
			edit := b.edit.Swap(false)
			if edit {
				payload = payloadEdit
			}
			if _, err := conn.Exec(ctx, `SELECT pg_notify(`+channel+`, $1)`, payload); err != nil {
				b.edit.Store(edit || b.edit.Load()) // with the next connection
				b.tell()
				return err
			}
			pause.For(ctx, ringPause)
		default:
			if err := b.look(ctx, conn); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// listen waits for a ring from elsewhere, a wish to ring, or a second.
func (b *notifier) listen(ctx context.Context, conn *pgx.Conn) (heard string, rung bool, err error) {
	listening, stop := context.WithTimeout(ctx, poll)
	defer stop()
	var watching sync.WaitGroup
	watching.Go(func() {
		select {
		case <-b.ring:
			rung = true
			stop()
		case <-listening.Done():
		}
	})
	n, err := conn.WaitForNotification(listening)
	stop()
	watching.Wait()
	switch {
	case err == nil:
		if rung {
			b.tell() // in the next round
		}
		if n.PID == own(conn) {
			return "", false, nil
		}
		if n.Payload == "" { // of the version before
			return payloadReady, false, nil
		}
		return n.Payload, false, nil
	case ctx.Err() == nil && listening.Err() != nil && !conn.IsClosed():
		return "", rung, nil
	}
	return "", rung, err
}

// own is the id by which the server calls this connection: a pooler has given it
// another one.
func own(conn *pgx.Conn) uint32 {
	if is := identityOf(conn.PgConn()); is.pid != 0 {
		return is.pid
	}
	return conn.PgConn().PID()
}

// look wakes the claims when something is due that was not a second ago.
func (b *notifier) look(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var first int64
	if err := conn.QueryRow(ctx, engine.FirstReady).Scan(&first); err != nil {
		return err
	}
	if first != b.last {
		b.last = first
		b.s.Changed.All()
	}
	return nil
}
