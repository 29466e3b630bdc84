package sqlite

import (
	"context"
	"database/sql"
	"sync/atomic"
)

// A checkpointer copies the write-ahead log into the database beside the
// writer, so that no one waits for it. While the writer goes on there is
// always a little more in the log than was copied; when the log has grown to
// logFrames, the writer copies that last little itself, between two
// transactions, and the log begins again.
type checkpointer struct {
	db   *sql.DB
	due  chan struct{} // the writer has written a good deal
	full atomic.Bool   // the writer is asked to finish
	quit chan struct{}
	end  chan struct{}
}

const (
	// logFrames is how many pages the log may hold: 32 MiB, which a start after
	// a crash reads in about a tenth of a second.
	logFrames = 4000
	// checkpointWrites is after how many statements a copy is worth while.
	checkpointWrites = 4000
)

func newCheckpointer(file string) (*checkpointer, error) {
	db, err := sql.Open("sqlite", dsn(file, true))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return &checkpointer{db: db, due: make(chan struct{}, 1), quit: make(chan struct{}), end: make(chan struct{})}, nil
}

func (c *checkpointer) run(s *Store) {
	defer close(c.end)
	for {
		select {
		case <-c.due:
		case <-c.quit:
			return
		}
		var busy, log, done int64
		// PASSIVE waits for no one. The data is synced before the log may be reused.
		if err := c.db.QueryRowContext(context.Background(), "PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &log, &done); err != nil {
			s.opt.Log.Warn("copying the database's log", "err", err)
			continue
		}
		if log > logFrames {
			c.full.Store(true)
		}
	}
}

func (c *checkpointer) stop() error {
	close(c.quit)
	<-c.end
	return c.db.Close()
}

// noteWrites tells the checkpointer of the writer's progress, and finishes its
// work when it asks for that.
func (w *writer) noteWrites(n int) {
	if w.unsaved += n; w.unsaved < checkpointWrites {
		return
	}
	w.unsaved = 0
	if w.s.check.full.CompareAndSwap(true, false) && w.conn != nil {
		var busy, log, done int64
		if err := w.conn.row("PRAGMA wal_checkpoint(PASSIVE)", nil, &busy, &log, &done); err != nil {
			w.s.opt.Log.Warn("copying the database's log", "err", err)
		}
		return
	}
	select {
	case w.s.check.due <- struct{}{}:
	default:
	}
}
