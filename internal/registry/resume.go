package registry

import (
	"context"
	"errors"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
)

// Resume ends the pause of a connection, closes its breaker, and ends the
// pauses of the lanes in which its mail waits: somebody says that the cause is
// gone.
func Resume(ctx context.Context, s store.Store, id string, now time.Time) error {
	if err := s.ChangeConnection(ctx, now, id, store.ConnectionChange{PauseUntil: &now, Breaker: &store.Breaker{State: "closed"}}); err != nil {
		return err
	}
	waiting, err := s.Waiting(ctx)
	if err != nil {
		return err
	}
	for _, w := range waiting {
		if w.Connection == id && w.Lane.PausedUntil.After(now) {
			if err := s.ChangeLane(ctx, now, w.Lane.Key, store.LaneChange{PauseUntil: &now, Shorten: true}); err != nil {
				return err
			}
		}
	}
	return nil
}

// LaneOf is the lane of a connection that sends for one mailbox; nil when it
// sends for several, or has sent nothing yet.
func LaneOf(ctx context.Context, s store.Lanes, c *adapters.Connection) (*store.Lane, error) {
	if c.Provider != adapters.SMTP && c.Mailbox("") == "" {
		return nil, nil
	}
	l, err := s.Lane(ctx, c.Lane(""))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return l, err
}
