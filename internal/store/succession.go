package store

import (
	"context"
	"time"

	"github.com/postino-mail/postino/internal/gateway"
)

// A Succession is kept while a connection has a successor beside it, so that it
// can be taken back.
type Succession struct {
	Old       string              `json:"old"` // ids
	Successor string              `json:"successor"`
	At        time.Time           `json:"at"`
	From      string              `json:"from"` // what the old one had
	Aliases   []string            `json:"aliases,omitempty"`
	Default   gateway.DefaultMode `json:"default,omitempty"`
	Class     string              `json:"class,omitempty"`
}

// Successions is the port on connections that another one takes over from.
type Successions interface {
	// Succeed stores next, a new connection without ID, as successor of old (its
	// Revision as it was read, or ErrConflict): it becomes the default where old
	// was, takes old's place in the chains of fallbacks and with the clients, and
	// has old, and behind it old's fallbacks, as its own. Old keeps neither sender
	// addresses nor class, so that nothing is routed to it. All in one
	// transaction. ErrExists: the name is taken, or old has a successor already.
	Succeed(ctx context.Context, now time.Time, old, next *gateway.Connection) (*gateway.Connection, error)
	// TakeBack undoes a Succeed in one transaction: old is routed to as before, and
	// the successor is inactive. ErrNotFound: old has no successor.
	TakeBack(ctx context.Context, now time.Time, old string) (*Succession, error)
}
