package sqlite

import (
	"context"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// Line implements engine.Work.
func (t *tx) Line(r *deliveryRow, no int) (a engine.AttemptRow, err error) {
	found := false
	q := `SELECT ` + engine.AttemptColumns + engine.AttemptTables + ` WHERE a.delivery = ? AND a.no = ?`
	err = t.each(q, []any{r.Seq, no}, func(sc scan) (err error) {
		found = true
		a, err = engine.ScanAttempt(checked(sc), r.D.ID)
		return err
	})
	if err == nil && !found {
		err = store.ErrNotFound
	}
	return a, err
}

// Stats implements store.Admin.
func (s *Store) Stats(ctx context.Context, now time.Time) (st store.Stats, err error) {
	st.States = map[store.State]int64{}
	var all, open int64
	if err := s.list(ctx, `SELECT state, count(*) FROM deliveries INDEXED BY deliveries_open WHERE state <> 2 AND state <> 4 GROUP BY state`,
		nil, func(sc scan) error {
			var state store.State
			var n int64
			if err := sc(&state, &n); err != nil {
				return dbErr(err)
			}
			st.States[state] = n
			open += n
			return nil
		}); err != nil {
		return st, err
	}
	var leased, oldest int64
	if err := s.read(ctx, `SELECT (SELECT count(*) FROM deliveries),
		(SELECT count(*) FROM deliveries INDEXED BY deliveries_leased WHERE state = 2),
		(SELECT coalesce(min(due_at), 0) FROM flows WHERE queued > 0),
		(SELECT count(*) FROM lanes), (SELECT count(*) FROM lanes WHERE paused_until > ?1),
		(SELECT coalesce(sum(size), 0) FROM messages
		WHERE kept = 1)`, []any{engine.Micros(now)}, &all, &leased, &oldest, &st.Lanes, &st.Paused, &st.BodyBytes); err != nil {
		return st, err
	}
	if leased > 0 {
		st.States[store.Sending] = leased
	}
	if done := all - open - leased; done > 0 {
		st.States[store.Sent] = done
	}
	if oldest > 0 && oldest <= engine.Micros(now) {
		st.OldestDue = engine.At(oldest)
	}
	return st, nil
}
