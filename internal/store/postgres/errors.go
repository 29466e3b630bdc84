package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/postino-mail/postino/internal/store"
)

// A dbError is what the database or the way to it said, as opposed to what the
// store decided. broken: the connection is gone; inDoubt: while the commit was
// under way.
type dbError struct {
	err             error
	broken, inDoubt bool
}

func (e *dbError) Error() string { return e.err.Error() }
func (e *dbError) Unwrap() error { return e.err }

func dbErr(err error) error {
	if err == nil || errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	var d *dbError
	if errors.As(err, &d) {
		return err
	}
	return &dbError{err: err}
}

// code is the server's SQLSTATE, "" when err is not the server's.
func code(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// broke notes whether err came with the end of the connection: nothing came
// from the server, or its last word (PostgreSQL documentation, appendix A:
// class 08, 57P01-57P05 and 25P03 end the session).
func broke(err error, closed bool) error {
	var d *dbError
	if !errors.As(err, &d) {
		return err
	}
	switch c := code(err); c {
	case "":
		d.broken = d.broken || closed
	case "57P01", "57P02", "57P03", "57P05", "25P03":
		d.broken = true
	default:
		d.broken = c[:2] == "08"
	}
	return err
}

// doubtful is broke for the error of a commit.
func doubtful(err *dbError, closed bool) error {
	_ = broke(err, closed)
	err.inDoubt = err.broken
	return err
}

// again reports an error after which the same transaction may well succeed:
// it lost against another one, or its connection was dead before it began.
func again(err error) bool {
	var d *dbError
	if !errors.As(err, &d) || d.inDoubt {
		return false
	}
	switch code(err) {
	case "40001", "40P01":
		return true
	case "23505": // another node has just accepted the same message, unheard
		var e *pgconn.PgError
		return errors.As(err, &e) && e.ConstraintName == "unheard_pkey"
	}
	var refused *pgconn.ConnectError
	return d.broken && !errors.As(err, &refused) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

// locked reports that a lock was waited for in vain.
func locked(err error) bool { return code(err) == "55P03" }

// global reports an error that the next operation would meet as well, so that
// repeating them one by one makes no sense. Classes 22 and 23 are a value's
// fault, and so is what the server did not say.
func global(err error) bool {
	var d *dbError
	if !errors.As(err, &d) {
		return false
	}
	c := code(err)
	if c == "" {
		return d.broken
	}
	return c[:2] != "22" && c[:2] != "23"
}

// unavailable makes err a store.ErrUnavailable with a word on the cause.
func unavailable(err error) error {
	if err == nil || errors.Is(err, store.ErrUnavailable) {
		return err
	}
	hint := "see the cause"
	switch c := code(err); {
	case errors.Is(err, errPooling):
		hint = "the pooler before the database must pool sessions"
	case errors.Is(err, errOld), errors.Is(err, errOther), errors.Is(err, errStandby):
		hint = "no primary of this database was found"
	case c == "":
		hint = "no connection to the database: is the server running and reachable? Sending and receiving go on by themselves when it is"
	case c == "28P01" || c == "28000":
		hint = "the database refuses the login: check user and password in the database URL, and pg_hba.conf"
	case c == "3D000":
		hint = "the database does not exist: create it with createdb"
	case c == "42501":
		hint = "the user may not do this: make it the owner of the database"
	case c == "53100":
		hint = "the disk of the database is full: free some space, sending and receiving go on by themselves"
	case c == "53300":
		hint = "the database has no connection left: raise max_connections, or lower pool_max_conns in the database URL"
	case c == "53200":
		hint = "the database is out of memory"
	case c == "25006":
		hint = "the database is read-only: it is a standby, or default_transaction_read_only is set"
	case c == "55P03" || c == "57014":
		hint = "the database is busy: a lock or an answer took too long"
	case c == "08P01": // what pgbouncer says of all that it does not do
		hint = "a connection pooler before the database refuses this (pgbouncer: pool_mode = session, enough default_pool_size, no parameters " +
			"of its own in the URL), or the address is not a PostgreSQL server's"
	case c[:2] == "57" || c[:2] == "08":
		hint = "the database is stopping or starting: sending and receiving go on by themselves"
	case c[:2] == "XX":
		hint = "the database reports damage: look into the server's log before anything else"
	}
	return fmt.Errorf("%w: %s: %w", store.ErrUnavailable, hint, err)
}

// outward is err as a caller of the ports may see it.
func outward(err error) error {
	switch {
	case global(err):
		return unavailable(err)
	case code(err) == "23505":
		return fmt.Errorf("%w: %w", store.ErrExists, err)
	}
	return err
}
