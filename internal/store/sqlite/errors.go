package sqlite

import (
	"database/sql"
	"errors"
	"fmt"

	moderncsqlite "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/postino-mail/postino/internal/store"
)

// A dbError is what SQLite itself said, as opposed to what the store decided.
type dbError struct{ err error }

func (e *dbError) Error() string { return e.err.Error() }
func (e *dbError) Unwrap() error { return e.err }

func dbErr(err error) error {
	if err == nil || errors.Is(err, sql.ErrNoRows) {
		return err
	}
	return &dbError{err}
}

// code is SQLite's primary result code, 0 when err is not SQLite's.
func code(err error) int {
	var e *moderncsqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

// global reports an error that the next operation would meet as well, such as
// a full disk, so that repeating them one by one makes no sense.
func global(err error) bool {
	switch code(err) {
	case 0, lib.SQLITE_CONSTRAINT, lib.SQLITE_MISMATCH, lib.SQLITE_RANGE, lib.SQLITE_TOOBIG, lib.SQLITE_ERROR:
		return false
	}
	return true
}

// unavailable makes err a store.ErrUnavailable with a word on the cause.
func unavailable(err error) error {
	if err == nil || errors.Is(err, store.ErrUnavailable) {
		return err
	}
	hint := "see the cause"
	switch code(err) {
	case lib.SQLITE_FULL:
		hint = "the disk is full: free some space, sending and receiving go on by themselves"
	case lib.SQLITE_READONLY, lib.SQLITE_CANTOPEN, lib.SQLITE_PERM:
		hint = "the data folder is read-only or has the wrong owner"
	case lib.SQLITE_IOERR:
		hint = "the disk reports errors: check it before anything else"
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED:
		hint = "another program keeps the database locked"
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		hint = "the database file is corrupt: restore it from a backup"
	}
	return fmt.Errorf("%w: %s: %w", store.ErrUnavailable, hint, err)
}

// outward is err as a caller of the ports may see it.
func outward(err error) error {
	var d *dbError
	if errors.As(err, &d) {
		return unavailable(err)
	}
	return err
}

// notFound makes the absence of a row the port's word for it.
func notFound(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return store.ErrNotFound
	}
	return dbErr(err)
}
