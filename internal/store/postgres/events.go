package postgres

import (
	"context"
)

// LastEvent implements store.Events.
func (s *Store) LastEvent(ctx context.Context) (seq int64, err error) {
	err = s.read(ctx, `SELECT last FROM event_seq`, nil, &seq)
	return seq, err
}
