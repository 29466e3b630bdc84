package engine

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// A Scan reads the columns of the current row.
type Scan func(dst ...any) error

// A Tx runs statements in one transaction. Its errors are the driver's and end
// the transaction; store.ErrNotFound is the absence of a row.
type Tx interface {
	// Exec returns how many rows were changed.
	Exec(q string, args ...any) (int64, error)
	// Row scans the first row.
	Row(q string, args []any, dst ...any) error
	// Each calls f for every row.
	Each(q string, args []any, f func(Scan) error) error
	// Lock is what a SELECT ends with so that the rows stay as they are: " FOR
	// UPDATE", or empty where no one else writes.
	Lock() string
}

// A DB is a driver as the engine uses it.
type DB struct {
	// Read scans one row; store.ErrNotFound when there is none.
	Read func(ctx context.Context, q string, args []any, dst ...any) error
	// List calls f for every row. It may begin again from the first row, after reset.
	List func(ctx context.Context, q string, args []any, reset func(), f func(Scan) error) error
	// Do runs f in a transaction and returns when it is durable. f may run more
	// than once; an error of f undoes what it wrote.
	Do func(ctx context.Context, f func(Tx) error) error
	// Work is Do for a transaction that is shared with other calls, with everything
	// loaded again each time; a KeptError keeps what f wrote.
	Work func(ctx context.Context, n Needs, f func(Work) error) error
	// Claim is one look for something to claim, for the request of w as it is now.
	Claim func(ctx context.Context, w *Waiter) ([]store.Claimed, error)
	// OpenLarge opens a body of so many bytes that is kept apart, after all of it was
	// read once: what is lost must not reach a recipient as a cut message.
	OpenLarge func(ctx context.Context, m *store.Message, size, start int64) (mime.Source, io.Closer, error)
	// CountAll is Read for a query that walks over everything.
	CountAll func(ctx context.Context, q string, args []any, dst ...any) error
	// TakeLarge puts a large body where it is kept, nil: Work does. Stored
	// is told whether a row names its File. An error that leaves that open is
	// store.ErrUnavailable.
	TakeLarge func(ctx context.Context, m *NewMessage) error
	Stored    func(m *NewMessage, named bool, err error)
	// Remove removes the bytes of messages, or everything of them. What waits again
	// meanwhile stays. It returns how many were removed, and the files to be removed
	// once that is durable, by Discard.
	Remove  func(t Tx, found []PurgeTarget, records bool) (n int, files []string, err error)
	Discard func(files []string)
	// Skew is how much later it is by the database's clock than by this machine's;
	// nil: there is one machine.
	Skew func() time.Duration
	// Close is called once; Log tells of what is recovered from.
	Close func() error
	Log   *slog.Logger
	// Edited tells the caches of all nodes that a connection, a client or a key
	// has changed.
	Edited func()
}

// skipLocked is Tx.Lock for rows that others may have.
func skipLocked(t Tx) string {
	if l := t.Lock(); l != "" {
		return l + " SKIP LOCKED"
	}
	return ""
}

// ReadError is the error of a call with a ctx that may have ended, as outward has its
// caller see it.
func ReadError(ctx context.Context, err error, outward func(error) error) error {
	switch {
	case err == nil, errors.Is(err, store.ErrNotFound):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return outward(err)
}

// NonNil returns b for a column that is never NULL.
func NonNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// Micros and At turn times into columns and back; 0 is the zero time.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// At is the time in a column.
func At(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// Never is store.Never as a column.
func Never() int64 { return store.Never().UnixMicro() }

// Fold is the form in which names and addresses are compared.
func Fold(s string) string { return strings.ToLower(s) }
