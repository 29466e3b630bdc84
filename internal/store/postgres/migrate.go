package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the schema up to date, forward only. Nodes that start at once
// wait for each other.
func (s *Store) migrate(ctx context.Context) (err error) {
	conf := s.sessionConfig(s.conf.ConnConfig, map[string]string{"statement_timeout": "0", "lock_timeout": "0", "idle_in_transaction_session_timeout": "0"}, " schema")
	lock, err := pgx.ConnectConfig(ctx, conf)
	if err != nil {
		return unavailable(err)
	}
	defer func() { err = errors.Join(err, lock.Close(context.WithoutCancel(ctx))) }() // gives the lock back too
	if _, err := lock.Exec(ctx, `SELECT pg_advisory_lock(`+lockKey(`'schema'`)+`)`); err != nil {
		return unavailable(fmt.Errorf("waiting for another node that changes the schema: %w", err))
	}
	db := stdlib.OpenDB(*conf)
	defer func() { err = errors.Join(err, db.Close()) }()
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
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
		return fmt.Errorf("the database was written by a newer postino (schema %d, this one knows %d): install that version again", have, want)
	}
	if _, err := p.Up(ctx); err != nil {
		return unavailable(fmt.Errorf("the database cannot be brought to schema %d (may the user create tables in it?): %w", want, err))
	}
	return nil
}

// lockKey is SQL for the key of an advisory lock: a name within this schema,
// as a number. name is SQL too.
func lockKey(name string) string {
	return `hashtextextended('postino.' || current_schema() || '.' || ` + name + `, 0)`
}
