package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// Purge implements store.Admin.
func (s *Store) Purge(ctx context.Context, r store.PurgeRequest) (res store.PurgeResult, err error) {
	if r.Max <= 0 {
		r.Max = 1000
	}
	err = s.alone(ctx, func(ctx context.Context, tx pgx.Tx) error {
		res = store.PurgeResult{Next: r.After}
		// One node at a time: two would only share the work and double the load.
		var ours bool
		if err := tx.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock(`+lockKey(`'purge'`)+`)`).Scan(&ours); err != nil || !ours {
			return dbErr(err)
		}
		p := purge{recordsTx{ctx, tx}}
		e := engine.Purge{Tx: p.recordsTx, Schema: s.Schema, R: r, Res: &res, Bodies: p.bodies, Records: p.records}
		return e.Run()
	})
	if err != nil {
		return store.PurgeResult{}, err
	}
	return res, nil
}

// A purge is one transaction of a round.
type purge struct{ recordsTx }

func messageIDs(found []engine.PurgeTarget) [][16]byte {
	out := make([][16]byte, len(found))
	for i, x := range found {
		out[i] = x.ID
	}
	return out
}

func (p purge) bodies(found []engine.PurgeTarget) (int, error) {
	n, err := p.Exec(`WITH gone AS (UPDATE messages m SET kept = false, head = NULL, body = NULL
			WHERE m.id = ANY($1) AND (SELECT d.state FROM deliveries d WHERE d.msg = m.id AND d.state < 4 LIMIT 1) IS NULL RETURNING m.id),
		parts AS (DELETE FROM chunks USING gone WHERE chunks.message = gone.id)
		SELECT FROM gone`, messageIDs(found))
	return int(n), err
}

func (p purge) records(found []engine.PurgeTarget) (int, error) {
	ids := messageIDs(found)
	if _, err := p.Exec(`WITH gone AS (DELETE FROM deliveries WHERE msg = ANY($1) AND state >= 4 RETURNING id)
		DELETE FROM attempts WHERE delivery IN (SELECT id FROM gone)`, ids); err != nil {
		return 0, err
	}
	n, err := p.Exec(`WITH gone AS (DELETE FROM messages m
			WHERE m.id = ANY($1) AND (SELECT d.state FROM deliveries d WHERE d.msg = m.id LIMIT 1) IS NULL RETURNING m.id),
		parts AS (DELETE FROM chunks USING gone WHERE chunks.message = gone.id)
		SELECT FROM gone`, ids)
	return int(n), err
}
