package store

import (
	"strconv"

	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// A ConnectionEdit is one of several changes of connections that are made together.
type ConnectionEdit struct {
	Put    *gateway.Connection // as PutConnection takes it
	Remove *gateway.Connection // with ID and the Revision as it was read; nil where Put is set
}

// MostEdits bounds the connections that there are already and that one
// transaction changes: PostgreSQL has some thousand locks for all transactions
// together (max_locks_per_transaction). What is new needs none.
const MostEdits = 2000

// ErrTooManyEdits refuses more than MostEdits.
var ErrTooManyEdits = texterr.New(mime.NewText("store.too_many_edits",
	"more than {most} connections would change in one transaction: split the file", "most", MostEdits))

// name of the connection.
func (e ConnectionEdit) name() string {
	if e.Put != nil {
		return e.Put.Name
	}
	return e.Remove.Name
}

// An EditError says which of several edits could not be made; nothing was changed.
type EditError struct {
	Name string // of the connection
	Err  error
}

// NewEditError is the error of an edit; nil where err is nil.
func NewEditError(e ConnectionEdit, err error) error {
	if err == nil {
		return nil
	}
	return &EditError{Name: e.name(), Err: err}
}

// Error is the English text.
func (e *EditError) Error() string { return e.In("en") }

// In is the text in a language.
func (e *EditError) In(lang string) string {
	return mime.NewText("store.edit_failed", "connection {connection}: {reason}", "connection", strconv.Quote(e.Name), "reason",
		texterr.In(e.Err, lang)).In(lang)
}

func (e *EditError) Unwrap() error { return e.Err }
