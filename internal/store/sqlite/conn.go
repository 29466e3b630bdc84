package sqlite

import (
	"context"
	"database/sql"
	"errors"
)

// A conn is the writer's connection, pinned: a transaction must not go on on
// another one.
type conn struct {
	db *sql.DB
	c  *sql.Conn
	// Texts are constants of the store, so the number of statements is bounded.
	stmts map[string]*sql.Stmt
}

func openConn(dsn string) (*conn, error) {
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	c, err := db.Conn(context.Background())
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &conn{db, c, map[string]*sql.Stmt{}}, nil
}

func (c *conn) close() error {
	var errs []error
	for _, st := range c.stmts {
		errs = append(errs, st.Close())
	}
	return errors.Join(append(errs, c.c.Close(), c.db.Close())...)
}

func (c *conn) prepare(q string) (*sql.Stmt, error) {
	st := c.stmts[q]
	if st == nil {
		var err error
		if st, err = c.c.PrepareContext(context.Background(), q); err != nil {
			return nil, err
		}
		c.stmts[q] = st
	}
	return st, nil
}

func (c *conn) exec(q string, args ...any) (sql.Result, error) {
	st, err := c.prepare(q) //nolint:sqlclosecheck // close does
	if err != nil {
		return nil, err
	}
	return st.ExecContext(context.Background(), args...)
}

// row scans the first row of a query; sql.ErrNoRows when there is none.
func (c *conn) row(q string, args []any, dst ...any) error {
	st, err := c.prepare(q) //nolint:sqlclosecheck // close does
	if err != nil {
		return err
	}
	return st.QueryRowContext(context.Background(), args...).Scan(dst...)
}

// each calls f for every row of a query. What f returns is returned as it is,
// what SQLite says as a dbError.
func (c *conn) each(q string, args []any, f func(scan) error) error {
	st, err := c.prepare(q) //nolint:sqlclosecheck // close does
	if err != nil {
		return dbErr(err)
	}
	rows, err := st.QueryContext(context.Background(), args...)
	return eachRow(rows, err, f)
}
