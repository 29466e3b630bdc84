package postgres

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// A syncer makes committed transactions durable. They commit without waiting
// for the disk (or for standbys), so that the locks of their lanes are free at
// once; nobody is told of the commit before one later transaction of the
// syncer, which does wait as the server is set, has made the log durable up to
// its own end, and so theirs. One of these serves all who wait meanwhile.
//
// What another transaction has read and acted upon in between lies before its
// own commit in the log: it is durable whenever that is.
//
// A server that crashed and came back may have forgotten such a commit. Its
// crash ends the syncer's connection: only a connection that was there before
// the commit vouches for it (gen).
type syncer struct {
	s       *Store
	conf    *pgx.ConnConfig
	queue   chan ticket
	gen     atomic.Int64 // of the connection; 0 while there is none
	last    int64
	pending sync.WaitGroup
	done    sync.WaitGroup
}

// A ticket waits for a sync.
type ticket struct {
	gen  int64
	done func(error)
}

// barrier writes a record into the log that no table sees, and waits for it.
const barrier = `SELECT pg_logical_emit_message(true, 'postino', '')`

func openSyncer(ctx context.Context, s *Store, conf *pgx.ConnConfig) (*syncer, error) {
	y := &syncer{s: s, conf: conf.Copy(), queue: make(chan ticket, 4*batchOps)}
	y.conf.RuntimeParams["application_name"] += " sync"
	conn, err := y.connect(ctx)
	if err != nil {
		return nil, unavailable(&dbError{err: err, broken: true})
	}
	y.done.Go(func() { y.run(conn) })
	return y, nil
}

// close ends the syncer; everybody has been served.
func (y *syncer) close() {
	y.pending.Wait()
	y.s.end()
	y.done.Wait()
}

var errNoSync = errors.New("the connection that makes transactions durable is being opened")

// begin gives what a ticket must show, before its transaction commits.
func (y *syncer) begin() (int64, error) {
	if g := y.gen.Load(); g != 0 {
		return g, nil
	}
	return 0, &dbError{err: errNoSync, broken: true}
}

// later calls done when what was committed since begin is durable, or with an
// error when that is in doubt.
func (y *syncer) later(gen int64, done func(error)) {
	y.pending.Add(1)
	y.queue <- ticket{gen, func(err error) {
		defer y.pending.Done()
		done(err)
	}}
}

// wait is later for a caller who waits.
func (y *syncer) wait(gen int64) error {
	res := make(chan error, 1)
	y.later(gen, func(err error) { res <- err })
	return <-res
}

func (y *syncer) connect(ctx context.Context) (*pgx.Conn, error) {
	conn, err := pgx.ConnectConfig(ctx, y.conf)
	if err != nil {
		return nil, err
	}
	y.last++
	y.gen.Store(y.last)
	return conn, nil
}

func (y *syncer) run(conn *pgx.Conn) {
	ctx := y.s.life
	check := time.NewTicker(time.Second)
	defer check.Stop()
	for {
		var err error
		select {
		case t := <-y.queue:
			err = y.sync(conn, t)
		case <-check.C: // a lost connection is better found before it is needed
			if conn != nil {
				pinging, stop := context.WithTimeout(ctx, limit)
				err = conn.Ping(pinging)
				stop()
			}
		case <-ctx.Done():
			y.drop(conn)
			return
		}
		if err != nil && ctx.Err() == nil {
			y.gen.Store(0)
			y.s.opt.Log.Warn("the connection that makes transactions durable was lost; it is opened anew", "error", err)
			y.drop(conn)
			conn = nil
		}
		if conn == nil && ctx.Err() == nil {
			if conn, err = y.connect(ctx); err != nil {
				y.s.opt.Log.Debug("the database cannot be reached", "error", err)
				wait(ctx, 100*time.Millisecond)
			}
		}
	}
}

// sync serves t and all others that wait.
func (y *syncer) sync(conn *pgx.Conn, t ticket) (err error) {
	served := []ticket{t}
	for range len(y.queue) {
		served = append(served, <-y.queue)
	}
	if conn != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(y.s.life), limit)
		defer cancel()
		_, err = conn.Exec(ctx, barrier)
	}
	for _, t := range served {
		switch {
		case err != nil:
			t.done(&dbError{err: err, broken: true, inDoubt: true})
		case t.gen != y.gen.Load():
			t.done(&dbError{err: errNoSync, broken: true, inDoubt: true})
		default:
			t.done(nil)
		}
	}
	return err
}

func (y *syncer) drop(conn *pgx.Conn) {
	if conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(y.s.life), time.Second)
	defer cancel()
	if err := conn.Close(ctx); err != nil {
		y.s.opt.Log.Debug("closing the connection that makes transactions durable", "error", err)
	}
}
