package postgres

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/postino-mail/postino/internal/pause"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// list calls f for every row of a query; it may begin again from the first
// row, after begin.
func (s *Store) list(ctx context.Context, q string, args []any, begin func(), f func(scan) error) error {
	return s.reading(ctx, func(conn *pgxpool.Conn) error {
		begin()
		return query(ctx, conn, q, args, f)
	})
}

// reading runs f on a connection, once more when that one turns out to be dead.
func (s *Store) reading(ctx context.Context, f func(*pgxpool.Conn) error) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	var err error
	for try := 1; ; try++ {
		if err = s.withConn(ctx, f); !again(err) || try == tries || ctx.Err() != nil {
			return engine.ReadError(ctx, notFound(err), outward)
		}
	}
}

// alone runs f in a transaction of its own; f may run more than once. It is
// for what is rare and small: records, settings, nodes.
func (s *Store) alone(ctx context.Context, f func(context.Context, pgx.Tx) error) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	for try := 1; ; try++ {
		err := s.withConn(ctx, func(conn *pgxpool.Conn) error { return once(ctx, conn, f) })
		if !again(err) || try == tries || ctx.Err() != nil {
			return engine.ReadError(ctx, notFound(err), outward)
		}
		waitAgain(ctx, try)
	}
}

// waitAgain waits before a transaction begins again, at random, so that those that met
// do not meet again: longer with each try.
func waitAgain(ctx context.Context, try int) {
	pause.For(ctx, time.Duration(rand.Int64N(int64(time.Millisecond)<<min(try, 6))))
}

func once(ctx context.Context, conn *pgxpool.Conn, f func(context.Context, pgx.Tx) error) error {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return dbErr(err)
	}
	if err := f(ctx, tx); err != nil {
		rollback(ctx, conn)
		return err
	}
	// From here on the caller's patience must not put the result in doubt.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	replicated := watchCommit(conn.Conn().PgConn())
	if err := tx.Commit(ctx); err != nil {
		return doubtful(&dbError{err: err}, conn.Conn().IsClosed())
	}
	if !replicated() {
		return errNotReplicated()
	}
	return nil
}

// taken makes a violated uniqueness the port's word for it.
func taken(err error) error {
	var e *pgconn.PgError
	if errors.As(err, &e) && e.Code == "23505" {
		return store.ErrExists
	}
	return dbErr(err)
}

// notFound makes the absence of a row the port's word for it.
func notFound(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return store.ErrNotFound
	}
	return dbErr(err)
}

// countAll scans one row of a query that reads everything.
func (s *Store) countAll(ctx context.Context, q string, args []any, dst ...any) error {
	return s.reading(ctx, func(conn *pgxpool.Conn) error {
		b := &pgx.Batch{}
		b.Queue(`BEGIN`)
		b.Queue(`SET LOCAL enable_seqscan = on`)
		b.Queue(q, args...).Query(each(func(sc scan) error { return sc(dst...) }))
		b.Queue(`COMMIT`)
		return dbErr(conn.SendBatch(ctx, b).Close())
	})
}
