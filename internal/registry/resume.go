package registry

import (
	"context"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// Resume ends the pause of a connection, closes its breaker, and ends the
// pauses of the lanes in which its mail waits: somebody says that the cause is
// gone.
func Resume(ctx context.Context, s store.Store, id string, now time.Time) error {
	if err := s.ChangeConnection(ctx, now, id,
		store.ConnectionChange{PauseUntil: &now, Breaker: &store.Breaker{State: "closed"}}); err != nil {
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
