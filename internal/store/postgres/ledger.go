package postgres

import (
	"context"
	"encoding/json"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// countAll gives how many deliveries there are, how many are leased, and those
// that are neither leased nor done by state: what is done is by far the most,
// and the rest has an index.
const countAll = `SELECT (SELECT count(*) FROM deliveries), (SELECT count(*) FROM deliveries WHERE state = 2),
	(SELECT coalesce(json_object_agg(state, n), '{}') FROM (SELECT state, count(*) AS n FROM deliveries WHERE state <> 2 AND state <> 4
	GROUP BY state) x),
	(SELECT coalesce(min(due_at), 0) FROM flows WHERE queued > 0),
	(SELECT count(*) FROM lanes), (SELECT count(*) FROM lanes WHERE paused_until > $1),
	(SELECT coalesce(sum(size), 0)::bigint FROM messages WHERE kept)`

// Stats implements store.Admin.
func (s *Store) Stats(ctx context.Context, now time.Time) (st store.Stats, err error) {
	var all, leased, oldest int64
	var states []byte
	if err := s.reading(ctx, together(ctx, func(b *pgx.Batch) {
		b.Queue(`BEGIN`)
		b.Queue(`SET LOCAL enable_seqscan = on`) // who counts everything reads everything
		b.Queue(countAll, engine.Micros(now)).Query(each(func(sc scan) error {
			return sc(&all, &leased, &states, &oldest, &st.Lanes, &st.Paused, &st.BodyBytes)
		}))
		b.Queue(`COMMIT`)
	})); err != nil {
		return st, err
	}
	open := map[int]int64{}
	if err := json.Unmarshal(states, &open); err != nil {
		return st, err
	}
	st.States = map[store.State]int64{store.Sending: leased, store.Sent: all - leased}
	for state, n := range open {
		st.States[store.State(state)] = n
		st.States[store.Sent] -= n
	}
	maps.DeleteFunc(st.States, func(_ store.State, n int64) bool { return n == 0 })
	if oldest > 0 && oldest <= engine.Micros(now) {
		st.OldestDue = engine.At(oldest)
	}
	return st, nil
}
