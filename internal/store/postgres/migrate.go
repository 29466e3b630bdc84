package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/postino-mail/postino/internal/pause"
	"github.com/postino-mail/postino/internal/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Nodes of this version and of the one before run while the schema changes, and
// afterwards. So a migration waits only briefly for a lock, for everybody else
// waits behind it, and is repeated; it changes one table, adds and takes nothing
// away, and can run twice. One that the version before could not work with
// writes the setting schemaOldest.
const (
	lockFor    = "500"           // milliseconds that a migration waits for a lock
	patience   = 5 * time.Minute // with locks that others have
	lockPauses = time.Second     // between two tries
	othersTurn = 50 * time.Millisecond
	// schemaOldest names the setting with the oldest schema that a version must know
	// to work with this one.
	schemaOldest = "schema_oldest"
)

// migrate brings the schema up to date, forward only. Nodes that start at once
// wait for each other.
func (s *Store) migrate(ctx context.Context) (err error) {
	conf := s.sessionConfig(s.conf.ConnConfig,
		map[string]string{"statement_timeout": "0", "lock_timeout": lockFor, "idle_in_transaction_session_timeout": "0"}, " schema")
	lock, err := pgx.ConnectConfig(ctx, conf)
	if err != nil {
		return unavailable(err)
	}
	defer func() { err = errors.Join(err, lock.Close(context.WithoutCancel(ctx))) }() // gives the lock back too
	if err := schemaLock(ctx, lock); err != nil {
		return unavailable(fmt.Errorf("waiting for another node that changes the schema: %w", err))
	}
	db := stdlib.OpenDB(*conf)
	defer func() { err = errors.Join(err, db.Close()) }()
	sub := s.opt.migrations
	if sub == nil {
		if sub, err = fs.Sub(migrations, "migrations"); err != nil {
			return err
		}
	}
	p, err := goose.NewProvider(goose.DialectPostgres, db, sub)
	if err != nil {
		return fmt.Errorf("the database's schema cannot be read: %w", err)
	}
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return unavailable(fmt.Errorf("the database's schema cannot be read: %w", err))
	}
	if have > want {
		return s.olderThanSchema(ctx, lock, have, want)
	}
	until := time.Now().Add(patience)
	for {
		_, err := p.Up(ctx)
		switch {
		case err == nil:
			return nil
		case !busy(err) || time.Now().After(until) || ctx.Err() != nil:
			return unavailable(fmt.Errorf("the database cannot be brought to schema %d (may the user create tables in it?): %w", want, err))
		}
		s.opt.Log.Info("the schema is changed as soon as a table is free for a moment", "err", err)
		pause.For(ctx, lockPauses)
	}
}

// busy reports that others had what a migration needs.
func busy(err error) bool { return locked(err) || code(err) == "40P01" }

// schemaLock waits until this node alone changes the schema. It asks again and
// again: a statement that waits would keep a snapshot, and the building of an index,
// which the other node may be at, waits for its end.
func schemaLock(ctx context.Context, conn *pgx.Conn) error {
	for {
		var ours bool
		if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock(`+lockKey(`'schema'`)+`)`).Scan(&ours); err != nil || ours {
			return err
		}
		if pause.For(ctx, othersTurn); ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// olderThanSchema decides whether this version works with a schema of a newer one.
func (s *Store) olderThanSchema(ctx context.Context, conn *pgx.Conn, have, want int64) error {
	oldest := int64(0)
	err := conn.QueryRow(ctx, `SELECT value::bigint FROM settings WHERE name = $1`, schemaOldest).Scan(&oldest)
	if err = notFound(err); err != nil && !errors.Is(err, store.ErrNotFound) {
		return unavailable(fmt.Errorf("the database's schema cannot be read: %w", err))
	}
	if oldest > want {
		return fmt.Errorf("the database was written by a newer postino (schema %d, which needs one that knows %d; this one knows %d): install "+
			"that version again", have, oldest, want)
	}
	s.opt.Log.Warn("the database has the schema of a newer postino, which this one can work with: bring all nodes to one version soon",
		"schema", have, "known", want)
	return nil
}

// lockKey is SQL for the key of an advisory lock: a name within this schema,
// as a number. name is SQL too.
func lockKey(name string) string {
	return `hashtextextended('postino.' || current_schema() || '.' || ` + name + `, 0)`
}
