package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// errPooling: the pooler gives each transaction another session.
var errPooling = errors.New("the connection pooler before the database pools transactions: " +
	"postino keeps state in its sessions (settings, LISTEN, locks), " +
	"so set pool_mode = session for this database in pgbouncer.ini, or connect to the server itself")

// errPoolSize: the pooler has no second session to give.
var errPoolSize = errors.New("the connection pooler before the database gave no second connection while one was open: " +
	"each node keeps several, so raise default_pool_size (and max_db_connections, where it is set) in pgbouncer.ini " +
	"to the connections of all nodes, pool_max_conns of the URL and two more for each")

// checkPooler tells whether what stands between this node and the server keeps
// a session for a connection. While c is open, a second connection gets a
// server's process of its own, and c keeps its own; where transactions are
// pooled, the process that c left idle is the next to be given out.
func (s *Store) checkPooler(ctx context.Context, c *pgconn.PgConn, want map[string]string) error {
	if err := sameSettings(ctx, c, want); err != nil {
		return err
	}
	s.pooler.Lock()
	defer s.pooler.Unlock()
	if s.pooled { // found out once
		return nil
	}
	conf := s.conf.ConnConfig.Copy()
	conf.ValidateConnect = nil
	other, err := pgx.ConnectConfig(ctx, conf)
	if err != nil {
		return fmt.Errorf("a second connection through the pooler: %w", err)
	}
	defer func() { _ = other.Close(context.WithoutCancel(ctx)) }() // it was only to be looked at
	for range 3 {                                                  // another client of the pooler may come in between
		before, err := backend(ctx, c)
		if err != nil {
			return err
		}
		if err := beginSoon(ctx, other); err != nil {
			return err
		}
		theirs, err := backend(ctx, other.PgConn())
		if err != nil {
			return err
		}
		after, err := backend(ctx, c)
		if err != nil {
			return err
		}
		if _, err := other.Exec(ctx, `ROLLBACK`); err != nil {
			return err
		}
		if before == theirs || before != after {
			return errPooling
		}
	}
	s.pooled = true
	return nil
}

// secondServer is how long a pooler may take to find a server for a second
// connection while a first one is open.
const secondServer = 3 * time.Second

// beginSoon begins a transaction on the second connection. One that a pooler of
// sessions has no server for waits; one of statements is refused.
func beginSoon(ctx context.Context, other *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, secondServer)
	defer cancel()
	_, err := other.Exec(ctx, `BEGIN`)
	switch {
	case err == nil:
		return nil
	case pgconn.Timeout(err) || ctx.Err() != nil:
		return fmt.Errorf("%w: %w", errPoolSize, err)
	}
	return fmt.Errorf("%w: %w", errPooling, err)
}

func backend(ctx context.Context, c *pgconn.PgConn) (string, error) {
	r := c.ExecParams(ctx, `SELECT pg_backend_pid()`, nil, nil, nil, nil).Read()
	if r.Err != nil {
		return "", r.Err
	}
	if len(r.Rows) != 1 {
		return "", errors.New("the server does not give the id of its process")
	}
	return string(r.Rows[0][0]), nil
}

// sameSettings reads again what setAll has set.
func sameSettings(ctx context.Context, c *pgconn.PgConn, want map[string]string) error {
	for name, value := range want {
		r := c.ExecParams(ctx, `SELECT current_setting($1)`, [][]byte{[]byte(name)}, nil, nil, nil).Read()
		if r.Err != nil {
			return r.Err
		}
		if len(r.Rows) != 1 || string(r.Rows[0][0]) != value {
			return fmt.Errorf("%w (the setting %s did not stay)", errPooling, name)
		}
	}
	return nil
}
