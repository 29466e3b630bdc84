package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/url"
	"path/filepath"
	"slices"

	_ "modernc.org/sqlite" // the driver

	"github.com/postino-mail/postino/internal/filelock"
	"github.com/postino-mail/postino/internal/private"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// Options of a store; all but Dir may be zero.
type Options struct {
	// Dir is the data folder; it is made with mode 0700 when it is missing.
	Dir string
	// Server takes the folder for a server: a second one gets
	// store.ErrLocked. Commands leave it false and work beside the server.
	Server bool
	// Sealer keeps the connections' secrets; nil: none can be stored.
	Sealer store.Sealer
	// Inline is the size up to which bodies live in the database; 0: 64 KiB.
	Inline int64
	// Log tells of what the store recovers from by itself; nil: silent.
	Log *slog.Logger

	files   files        // for tests: faults of the file system
	fault   func() error // for tests: asked in place of every commit
	maxPage int          // for tests: a full disk
}

// A Store implements store.Store.
type Store struct {
	engine.Ports
	opt     Options
	dir     string
	opened  []io.Closer // the last one is closed first
	spool   *spoolDir
	readers *sql.DB
	w       *writer
	check   *checkpointer
}

var _ store.Store = (*Store)(nil)

// Open opens or makes the store in o.Dir and brings its schema up to date.
// Errors tell the administrator what to do.
func Open(ctx context.Context, o Options) (_ *Store, err error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.files == nil {
		o.files = osFiles{}
	}
	if err := private.MkdirAll(o.Dir); err != nil {
		return nil, fmt.Errorf("the data folder cannot be made: %w", err)
	}
	s := &Store{opt: o, dir: o.Dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.release())
		}
	}()
	if o.Server {
		lock, err := filelock.Lock(filepath.Join(o.Dir, "server.lock"))
		if err != nil {
			var path *fs.PathError
			if errors.As(err, &path) { // not locked by another: it could not be made
				return nil, unavailable(fmt.Errorf("the data folder is read-only or has the wrong owner: %w", err))
			}
			return nil, fmt.Errorf("%w: %s (%w)", store.ErrLocked, o.Dir, err)
		}
		s.opened = append(s.opened, lock)
	}
	if s.spool, err = openSpool(filepath.Join(o.Dir, "spool"), o.files); err != nil {
		return nil, err
	}
	s.opened = append(s.opened, &s.spool.incoming)
	s.Ports = engine.New(s.db(), rowSchema(), o.Sealer, o.Inline)
	if err := migrate(ctx, s.file()); err != nil {
		return nil, err
	}
	if s.readers, err = sql.Open("sqlite", dsn(s.file(), false)); err != nil {
		return nil, fmt.Errorf("the database cannot be opened: %w", err)
	}
	s.opened = append(s.opened, s.readers)
	s.readers.SetMaxOpenConns(8)
	s.readers.SetMaxIdleConns(8)
	s.w = newWriter(s)
	s.Stop = s.w.Quit
	if err := s.w.open(); err != nil {
		return nil, unavailable(err)
	}
	if s.check, err = newCheckpointer(s.file()); err != nil {
		s.w.drop()
		return nil, unavailable(err)
	}
	go s.check.run(s)
	go s.w.run()
	return s, nil
}

func (s *Store) file() string { return filepath.Join(s.dir, "postino.db") }

// dsn names the database for the driver. busy_timeout is how long a command
// and the server wait for each other.
func dsn(file string, write bool) string {
	q := url.Values{}
	q.Add("_pragma", "busy_timeout(10000)")
	if write {
		q.Add("_pragma", "journal_mode(WAL)")
		q.Add("_pragma", "synchronous(FULL)")
		q.Add("_pragma", "wal_autocheckpoint(0)")
		q.Add("_pragma", "journal_size_limit(67108864)")
		// What is written next lies in few pages, and a cached page takes half as
		// much again in the allocator: more only costs memory and page faults.
		q.Add("_pragma", "cache_size(-4096)")
	} else {
		q.Add("_pragma", "query_only(1)")
		q.Add("_pragma", "cache_size(-512)")
	}
	u := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(file), RawQuery: q.Encode()}
	return u.String()
}

func (s *Store) release() (err error) {
	for _, c := range slices.Backward(s.opened) {
		err = errors.Join(err, c.Close())
	}
	return err
}
