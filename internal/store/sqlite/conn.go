package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"reflect"

	moderncsqlite "modernc.org/sqlite"

	"github.com/postino-mail/postino/internal/store"
)

// A conn is the writer's connection, on the driver itself: database/sql's pool,
// locks and conversions would be a good part of what a small statement costs,
// and there is only one goroutine here.
type conn struct {
	c     driver.Conn
	stmts map[string]*stmt
}

// A stmt is a prepared statement. Its texts are constants of this package, so
// the number of statements is bounded.
type stmt struct {
	driver.Stmt
	args []driver.NamedValue // used again by every call
}

func openConn(dsn string) (*conn, error) {
	c, err := new(moderncsqlite.Driver).Open(dsn)
	if err != nil {
		return nil, err
	}
	return &conn{c: c, stmts: map[string]*stmt{}}, nil
}

func (c *conn) close() error {
	var errs []error
	for _, st := range c.stmts {
		errs = append(errs, st.Close())
	}
	return errors.Join(append(errs, c.c.Close())...)
}

// prepare gives the statement with its arguments bound.
func (c *conn) prepare(q string, args []any) (*stmt, error) {
	st := c.stmts[q]
	if st == nil {
		s, err := c.c.Prepare(q)
		if err != nil {
			return nil, err
		}
		st = &stmt{Stmt: s}
		c.stmts[q] = st
	}
	st.args = st.args[:0]
	for i, a := range args {
		v, err := value(a)
		if err != nil {
			return nil, err
		}
		st.args = append(st.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return st, nil
}

func (c *conn) exec(q string, args []any) (driver.Result, error) {
	st, err := c.prepare(q, args)
	if err != nil {
		return nil, err
	}
	x, ok := st.Stmt.(driver.StmtExecContext)
	if !ok {
		return nil, errDriver
	}
	return x.ExecContext(context.Background(), st.args)
}

// row scans the first row of a query; sql.ErrNoRows when there is none.
func (c *conn) row(q string, args []any, dst ...any) error {
	found := false
	err := c.each(q, args, func(sc scan) error {
		if found {
			return nil
		}
		found = true
		return sc(dst...)
	})
	if err == nil && !found {
		err = sql.ErrNoRows
	}
	return err
}

// each calls f for every row of a query. What f gives is returned as it is,
// what SQLite says as a dbError.
func (c *conn) each(q string, args []any, f func(scan) error) (err error) {
	st, err := c.prepare(q, args)
	if err != nil {
		return dbErr(err)
	}
	x, ok := st.Stmt.(driver.StmtQueryContext)
	if !ok {
		return dbErr(errDriver)
	}
	rows, err := x.QueryContext(context.Background(), st.args)
	if err != nil {
		return dbErr(err)
	}
	defer func() { err = errors.Join(err, dbErr(rows.Close())) }()
	src := make([]driver.Value, len(rows.Columns()))
	sc := func(dst ...any) error {
		if len(dst) != len(src) {
			return fmt.Errorf("%d columns for %d variables", len(src), len(dst))
		}
		for i := range dst {
			if err := assign(dst[i], src[i]); err != nil {
				return fmt.Errorf("column %d: %w", i, err)
			}
		}
		return nil
	}
	for {
		switch err := rows.Next(src); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return dbErr(err)
		}
		if err := f(sc); err != nil {
			return err
		}
	}
}

var errDriver = errors.New("the SQLite driver lacks an interface that it used to have")

// value is a as the driver takes it.
func value(a any) (driver.Value, error) {
	switch v := a.(type) {
	case nil, int64, string, []byte, bool:
		return v, nil
	case int:
		return int64(v), nil
	case store.ID:
		return v[:], nil
	}
	return driver.DefaultParameterConverter.ConvertValue(a)
}

// assign stores a column in a variable, as database/sql's Scan does for the
// types that occur here.
func assign(dst any, src driver.Value) error {
	switch d := dst.(type) {
	case sql.Scanner:
		return d.Scan(src)
	case *int64:
		if v, ok := src.(int64); ok {
			*d = v
			return nil
		}
	case *[]byte:
		switch v := src.(type) {
		case nil:
			*d = nil
			return nil
		case []byte:
			*d = v
			return nil
		case string:
			*d = []byte(v)
			return nil
		}
	case *bool:
		if v, ok := src.(int64); ok {
			*d = v != 0
			return nil
		}
	default:
		v := reflect.ValueOf(dst).Elem()
		switch s := src.(type) {
		case int64:
			if v.CanInt() {
				v.SetInt(s)
				return nil
			}
		case string:
			if v.Kind() == reflect.String {
				v.SetString(s)
				return nil
			}
		}
	}
	return fmt.Errorf("a %T does not go into a %T", src, dst)
}
