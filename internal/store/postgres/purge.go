package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/postino-mail/postino/internal/store"
)

// Purge implements store.Admin.
func (s *Store) Purge(ctx context.Context, r store.PurgeRequest) (res store.PurgeResult, err error) {
	if r.Max <= 0 {
		r.Max = 1000
	}
	err = s.alone(ctx, func(ctx context.Context, tx pgx.Tx) error {
		res = store.PurgeResult{}
		return purge(ctx, tx, r, &res)
	})
	if err != nil {
		return store.PurgeResult{}, err
	}
	return res, nil
}

const notFinal = `EXISTS (SELECT FROM deliveries d WHERE d.msg = m.id AND d.state < 4)`

func purge(ctx context.Context, tx pgx.Tx, r store.PurgeRequest, res *store.PurgeResult) error {
	// Locked first and judged again by a later statement: a retry that made
	// a delivery wait in between held the lock of its message, and is seen now.
	lock := func(q string, before int64) (ids [][16]byte, err error) {
		rows, err := tx.Query(ctx, q, before, r.Max)
		if err != nil {
			return nil, dbErr(err)
		}
		ids, err = pgx.CollectRows(rows, pgx.RowTo[[16]byte])
		res.More = res.More || len(ids) == r.Max
		return ids, dbErr(err)
	}
	count := func(q string, args ...any) (int, error) {
		tag, err := tx.Exec(ctx, q, args...)
		return int(tag.RowsAffected()), dbErr(err)
	}
	if !r.Bodies.IsZero() {
		ids, err := lock(`SELECT m.id FROM messages m WHERE m.kept AND m.received_at < $1 AND NOT `+notFinal+` ORDER BY m.received_at LIMIT $2 FOR UPDATE SKIP LOCKED`, us(r.Bodies))
		if err != nil {
			return err
		}
		if res.Bodies, err = count(`WITH gone AS (UPDATE messages m SET kept = false, head = NULL, body = NULL WHERE m.id = ANY($1) AND NOT `+notFinal+` RETURNING m.id),
			parts AS (DELETE FROM chunks USING gone WHERE chunks.message = gone.id)
			SELECT FROM gone`, ids); err != nil {
			return err
		}
	}
	if !r.Records.IsZero() {
		oldest := func(kept string) string {
			return `(SELECT m.id FROM messages m WHERE ` + kept + ` AND m.received_at < $1 AND NOT ` + notFinal + ` ORDER BY m.received_at LIMIT $2)`
		}
		// The index begins with kept: both halves have their own oldest.
		ids, err := lock(`SELECT id FROM messages WHERE id IN (SELECT id FROM (`+oldest(`NOT m.kept`)+` UNION ALL `+oldest(`m.kept`)+`) x LIMIT $2) FOR UPDATE SKIP LOCKED`, us(r.Records))
		if err != nil {
			return err
		}
		if _, err := count(`WITH gone AS (DELETE FROM deliveries WHERE msg = ANY($1) AND state >= 4 RETURNING id)
			DELETE FROM attempts USING gone WHERE attempts.delivery = gone.id`, ids); err != nil {
			return err
		}
		if res.Records, err = count(`WITH gone AS (DELETE FROM messages m WHERE m.id = ANY($1) AND NOT EXISTS (SELECT FROM deliveries d WHERE d.msg = m.id) RETURNING m.id),
			parts AS (DELETE FROM chunks USING gone WHERE chunks.message = gone.id)
			SELECT FROM gone`, ids); err != nil {
			return err
		}
	}
	if !r.Events.IsZero() {
		var err error
		if res.Events, err = count(`DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE at < $1 ORDER BY seq LIMIT $2)`, us(r.Events), 10*r.Max); err != nil {
			return err
		}
		res.More = res.More || res.Events == 10*r.Max
	}
	if _, err := count(`DELETE FROM unheard WHERE hour < $1`, store.HourOf(r.Now)); err != nil {
		return err
	}
	_, err := count(`DELETE FROM idempotency WHERE expires_at < $1`, us(r.Now))
	return err
}
