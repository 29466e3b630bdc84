package postgres

import (
	"context"

	"github.com/postino-mail/postino/internal/store"
)

// AppendEvents implements store.Events.
func (s *Store) AppendEvents(ctx context.Context, ev ...store.NewEvent) error {
	return s.do(ctx, nil, func(_ context.Context, t *tx) error {
		t.events = append(t.events, ev...)
		return nil
	})
}

// LastEvent implements store.Events.
func (s *Store) LastEvent(ctx context.Context) (seq int64, err error) {
	err = s.read(ctx, `SELECT last FROM event_seq`, nil, &seq)
	return seq, err
}
