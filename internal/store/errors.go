package store

import "errors"

// The errors of the ports, to be told apart with errors.Is. Their text is safe
// to show.
var (
	// ErrNotFound: no record has this id, name or key.
	ErrNotFound = errors.New("there is no such record")
	// ErrExists: the name or the id is taken.
	ErrExists = errors.New("this name is taken already")
	// ErrConflict: the record was changed by somebody else since it was read,
	// or its state does not allow the action.
	ErrConflict = errors.New("the record has changed meanwhile: read it again")
	// ErrInUse: unfinished deliveries still need the record.
	ErrInUse = errors.New("there are messages under way that need this connection: cancel them or let them end first")
	// ErrLeaseLost: another node owns the delivery now. What the caller did with
	// it is in the ledger and decides nothing.
	ErrLeaseLost = errors.New("the lease on the delivery was lost to another node")
	// ErrNodeLost: the node's heartbeat ran out or a newer process runs under
	// the same node id. The node must stop sending and register again.
	ErrNodeLost = errors.New("this node is no longer registered: its heartbeat ran out, or another process uses the same node id")
	// ErrUnavailable: disk full, read-only, input/output error, no connection to
	// the database. Temporary: the caller says 4xx or 503 and nothing was stored.
	ErrUnavailable = errors.New("the store cannot work at the moment")
	// ErrCorrupt: the stored bytes of a message are missing, cut or changed.
	// Trying again does not help.
	ErrCorrupt = errors.New("the stored bytes of the message are damaged or missing")
	// ErrGone: the bytes were removed by the retention rules, the record is kept.
	ErrGone = errors.New("the bytes of the message were removed when their retention ended")
	// ErrUnderWay: the request with this key began and has no answer yet.
	ErrUnderWay = errors.New("the request with this idempotency key has begun and has no answer yet")
	// ErrIdempotency: the key was used before with another request.
	ErrIdempotency = errors.New("this idempotency key was used with another request")
	// ErrLocked: another server runs on the same data directory.
	ErrLocked = errors.New("another postino server runs on this data directory")
)

// Italian gives the errors above that people see on the command line with their
// words in Italian.
func Italian() map[error]string {
	return map[error]string{
		ErrNotFound:    "il record non esiste",
		ErrExists:      "questo nome è già in uso",
		ErrConflict:    "il record è stato modificato nel frattempo: rileggerlo",
		ErrInUse:       "ci sono messaggi in partenza che usano questa connessione: prima annullarli o attenderne la fine",
		ErrUnavailable: "l'archivio al momento non può lavorare",
		ErrCorrupt:     "il contenuto conservato del messaggio è danneggiato o mancante",
		ErrGone:        "il contenuto del messaggio è stato rimosso al termine della conservazione",
		ErrLocked:      "un altro server postino usa questa cartella dei dati",
	}
}
