package store

import (
	"context"
	"time"

	"github.com/postino-mail/postino/mime"
)

// What a Use is of.
const (
	UseOfClient = "client"
	UseOfKey    = "key"
)

// A Use is when a client or a key was used and refused the last time.
type Use struct {
	ID       string `json:"id"`
	Revision int64  `json:"revision"`
	Kind     string `json:"kind"`    // UseOfClient, UseOfKey
	Subject  string `json:"subject"` // id of the client or key

	UsedAt   time.Time `json:"used_at,omitzero"`
	UsedFrom string    `json:"used_from,omitempty"` // address; empty: this machine
	UsedBy   string    `json:"used_by,omitempty"`   // entry point

	RefusedAt   time.Time `json:"refused_at,omitzero"`
	RefusedFrom string    `json:"refused_from,omitempty"`
	RefusedBy   string    `json:"refused_by,omitempty"` // entry point
	Code        string    `json:"code,omitempty"`       // of the refusal
	Reason      mime.Text `json:"reason,omitzero"`
}

// Key is what a Use is found by.
func (u *Use) Key() string { return u.Kind + "/" + u.Subject }

// Merge takes over from next what is later.
func (u *Use) Merge(next *Use) {
	if next.UsedAt.After(u.UsedAt) {
		u.UsedAt, u.UsedFrom, u.UsedBy = next.UsedAt, next.UsedFrom, next.UsedBy
	}
	if next.RefusedAt.After(u.RefusedAt) {
		u.RefusedAt, u.RefusedFrom, u.RefusedBy, u.Code, u.Reason = next.RefusedAt, next.RefusedFrom, next.RefusedBy, next.Code, next.Reason
	}
}

// Uses is the port on when clients and keys were used and refused.
type Uses interface {
	// Uses returns those of the kind by the id of the client or key: of these
	// subjects, of all when there are none.
	Uses(ctx context.Context, kind string, subjects ...string) (map[string]Use, error)
	// SawUses merges what was seen into what is known, all in one transaction. What
	// is of a client or key that does not exist is left out.
	SawUses(ctx context.Context, seen []Use) error
}
