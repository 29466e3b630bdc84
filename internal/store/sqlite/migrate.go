package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/postino-mail/postino/internal/filelock"
	"github.com/postino-mail/postino/internal/pause"
)

//go:embed migrations/*.sql
var migrations embed.FS

// schemaWait is how long a process waits for another one that makes the
// database or changes its schema.
const schemaWait = time.Minute

// lockSchema has one process at a time look at the schema and change it: a
// server and a command are often started together on a new folder.
func lockSchema(ctx context.Context, dir string) (*os.File, error) {
	end := time.Now().Add(schemaWait)
	for {
		lock, err := filelock.Lock(filepath.Join(dir, "schema.lock"))
		if err == nil {
			return lock, nil
		}
		var path *fs.PathError
		if errors.As(err, &path) { // not locked by another: it could not be made
			return nil, fmt.Errorf("the data folder is read-only or has the wrong owner: %w", err)
		}
		if time.Now().After(end) {
			return nil, fmt.Errorf("another postino is bringing the database up to date: try again later: %w", err)
		}
		if err := pause.For(ctx, 10*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// migrate brings the schema up to date, forward only.
func migrate(ctx context.Context, file string) (err error) {
	lock, err := lockSchema(ctx, filepath.Dir(file))
	if err != nil {
		return unavailable(err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if info, serr := os.Stat(file); errors.Is(serr, fs.ErrNotExist) || serr == nil && info.Size() == 0 {
		if err := create(ctx, file); err != nil {
			return unavailable(fmt.Errorf("the database %s cannot be made: %w", file, err))
		}
	}
	db, err := sql.Open("sqlite", dsn(file, true))
	if err != nil {
		return fmt.Errorf("the database cannot be opened: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, sub)
	if err != nil {
		return fmt.Errorf("the database's schema cannot be read: %w", err)
	}
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return unavailable(fmt.Errorf("the database %s cannot be read: %w", file, err))
	}
	if have > want {
		return fmt.Errorf("the database %s was written by a newer postino (schema %d, this one knows %d): install that version again", file,
			have, want)
	}
	if _, err := p.Up(ctx); err != nil {
		return unavailable(fmt.Errorf("the database %s cannot be brought to schema %d: %w", file, want, err))
	}
	return nil
}

// create makes an empty database. Its pages are larger than usual, so that a
// message of 10 KB is two of them: that halves the writes to the log. The
// size can be chosen only here, before the log mode.
func create(ctx context.Context, file string) (err error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	u := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(file), RawQuery: "_pragma=page_size(8192)"}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close(), syncDir(filepath.Dir(file))) }()
	// Something must be written for the size to stay: "post", for file(1).
	_, err = db.ExecContext(ctx, "PRAGMA application_id = 0x706f7374")
	return err
}
