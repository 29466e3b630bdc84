package store

import (
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// The errors of the ports, to be told apart with errors.Is. Their text is safe
// to show.
var (
	// ErrNotFound: no record has this id, name or key.
	ErrNotFound = texterr.New(mime.NewText("store.not_found", "there is no such record"))
	// ErrExists: the name or the id is taken.
	ErrExists = texterr.New(mime.NewText("store.exists", "this name is taken already"))
	// ErrConflict: the record was changed by someone else since it was read,
	// or its state does not allow the action.
	ErrConflict = texterr.New(mime.NewText("store.conflict", "the record has changed meanwhile: read it again"))
	// ErrInUse: unfinished deliveries still need the record.
	ErrInUse = texterr.New(mime.NewText("store.in_use", "there are messages under way that need this connection: cancel them or let them "+
		"end first"))
	// ErrLeaseLost: another node owns the delivery now. What the caller did with
	// it is in the ledger and decides nothing.
	ErrLeaseLost = texterr.New(mime.NewText("store.lease_lost", "the lease on the delivery was lost to another node"))
	// ErrNodeLost: the node's heartbeat ran out or a newer process runs under
	// the same node id. The node must stop sending and register again.
	ErrNodeLost = texterr.New(mime.NewText("store.node_gone",
		"this node is no longer registered: its heartbeat ran out, or another process uses the same node id"))
	// ErrUnavailable: disk full, read-only, input/output error, no connection to
	// the database. Temporary: the caller says 4xx or 503 and nothing was stored.
	ErrUnavailable = texterr.New(mime.NewText("store.unavailable", "the store cannot work at the moment"))
	// ErrCorrupt: the stored bytes of a message are missing, cut or changed.
	// Trying again does not help.
	ErrCorrupt = texterr.New(mime.NewText("store.corrupt", "the stored bytes of the message are corrupt or missing"))
	// ErrGone: the bytes were removed by the retention rules, the record is kept.
	ErrGone = texterr.New(mime.NewText("store.gone", "the bytes of the message were removed when their retention ended"))
	// ErrUnderWay: the request with this key began and has no answer yet.
	ErrUnderWay = texterr.New(mime.NewText("store.request_under_way", "the request with this idempotency key has begun and has no answer yet"))
	// ErrIdempotency: the key was used before with another request.
	ErrIdempotency = texterr.New(mime.NewText("store.idempotency", "this idempotency key was used with another request"))
	// ErrLocked: another server runs on the same data directory.
	ErrLocked = texterr.New(mime.NewText("store.locked", "another postino server runs on this data directory"))
)
