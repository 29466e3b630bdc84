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
		p := purge{tx: tx, r: r, res: &res}
		return p.run(ctx)
	})
	if err != nil {
		return store.PurgeResult{}, err
	}
	return res, nil
}

// allFinal is asked of each message by itself, by the index on unfinished
// deliveries. As NOT EXISTS it becomes a join, for which the planner, who takes
// the unfinished ones to be none, holds each message against all that wait: 4.4 s
// for 1,000 messages beside 8,657 waiting deliveries, and 20 ms this way.
const allFinal = `(SELECT d.state FROM deliveries d WHERE d.msg = m.id AND d.state < 4 LIMIT 1) IS NULL`

// oldest are the messages of one half of the index from a position on.
const oldest = `SELECT m.id, m.received_at FROM messages m
	WHERE m.kept = $1 AND m.received_at >= $2 AND m.received_at < $3 AND ` + allFinal + `
	ORDER BY m.received_at LIMIT $4 FOR UPDATE SKIP LOCKED`

// A purge is one transaction of a round.
type purge struct {
	tx  pgx.Tx
	r   store.PurgeRequest
	res *store.PurgeResult
}

func (p *purge) run(ctx context.Context) error {
	// One node at a time: two would only share the work and double the load.
	var ours bool
	if err := p.tx.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock(`+lockKey(`'purge'`)+`)`).Scan(&ours); err != nil || !ours {
		return dbErr(err)
	}
	if !p.r.Bodies.IsZero() {
		if err := p.bodies(ctx); err != nil {
			return err
		}
	}
	if !p.r.Records.IsZero() {
		// The index begins with kept: both halves have their own oldest.
		if err := p.records(ctx, false, &p.res.Next.Records); err != nil {
			return err
		}
		if err := p.records(ctx, true, &p.res.Next.RecordsKept); err != nil {
			return err
		}
	}
	if !p.r.Events.IsZero() {
		if err := p.events(ctx); err != nil {
			return err
		}
	}
	if p.r.After.Expired {
		return nil
	}
	return p.expired(ctx)
}

// lock locks the oldest messages from pos on and moves pos. What is done with
// them is judged again by a later statement: a retry that made a delivery wait
// in between held the lock of its message, and is seen then. The position also
// keeps each batch from walking over the dead entries of those before it, which
// stay in the index while any transaction is older.
func (p *purge) lock(ctx context.Context, kept bool, before int64, limit int, pos *int64) (ids [][16]byte, err error) {
	if limit <= 0 {
		p.res.More = true
		return nil, nil
	}
	rows, err := p.tx.Query(ctx, oldest, kept, *pos, before, limit)
	if err != nil {
		return nil, dbErr(err)
	}
	var id [16]byte
	var received int64
	if _, err := pgx.ForEachRow(rows, []any{&id, &received}, func() error {
		ids, *pos = append(ids, id), max(*pos, received)
		return nil
	}); err != nil {
		return nil, dbErr(err)
	}
	p.res.More = p.res.More || len(ids) == limit
	return ids, nil
}

func (p *purge) count(ctx context.Context, q string, args ...any) (int, error) {
	tag, err := p.tx.Exec(ctx, q, args...)
	return int(tag.RowsAffected()), dbErr(err)
}

func (p *purge) bodies(ctx context.Context) error {
	ids, err := p.lock(ctx, true, engine.Micros(p.r.Bodies), p.r.Max, &p.res.Next.Bodies)
	if err != nil || len(ids) == 0 {
		return err
	}
	p.res.Bodies, err = p.count(ctx, `WITH gone AS (UPDATE messages m SET kept = false, head = NULL, body = NULL
			WHERE m.id = ANY($1) AND `+allFinal+` RETURNING m.id),
		parts AS (DELETE FROM chunks USING gone WHERE chunks.message = gone.id)
		SELECT FROM gone`, ids)
	return err
}

func (p *purge) records(ctx context.Context, kept bool, pos *int64) error {
	ids, err := p.lock(ctx, kept, engine.Micros(p.r.Records), p.r.Max-p.res.Records, pos)
	if err != nil || len(ids) == 0 {
		return err
	}
	if _, err := p.count(ctx, `WITH gone AS (DELETE FROM deliveries WHERE msg = ANY($1) AND state >= 4 RETURNING id)
		DELETE FROM attempts WHERE delivery IN (SELECT id FROM gone)`, ids); err != nil {
		return err
	}
	n, err := p.count(ctx, `WITH gone AS (DELETE FROM messages m
			WHERE m.id = ANY($1) AND (SELECT d.state FROM deliveries d WHERE d.msg = m.id LIMIT 1) IS NULL RETURNING m.id),
		parts AS (DELETE FROM chunks USING gone WHERE chunks.message = gone.id)
		SELECT FROM gone`, ids)
	p.res.Records += n
	return err
}

// events removes those of the next block that are old. Numbers and times go
// together but for clocks that differ: a block that is mostly young is the last.
func (p *purge) events(ctx context.Context) error {
	block := 10 * p.r.Max
	var n, last int64
	if err := p.tx.QueryRow(ctx, `SELECT count(*), coalesce(max(seq), $1)
		FROM (SELECT seq FROM events WHERE seq > $1 ORDER BY seq LIMIT $2) x`,
		p.res.Next.Events, block).Scan(&n, &last); err != nil {
		return dbErr(err)
	}
	gone, err := p.count(ctx, `DELETE FROM events WHERE seq > $1 AND seq <= $2 AND at < $3`,
		p.res.Next.Events, last, engine.Micros(p.r.Events))
	if err != nil {
		return err
	}
	p.res.Events, p.res.Next.Events = gone, last
	p.res.More = p.res.More || int(n) == block && gone*2 > block
	return nil
}

// expired removes idempotency keys and unheard acceptances whose time is over.
func (p *purge) expired(ctx context.Context) error {
	keys, err := p.count(ctx, `DELETE FROM idempotency WHERE (client, key) IN
		(SELECT client, key FROM idempotency WHERE expires_at < $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)`,
		engine.Micros(p.r.Now), p.r.Max)
	if err != nil {
		return err
	}
	unheard, err := p.count(ctx, `DELETE FROM unheard WHERE (hour, key) IN
		(SELECT hour, key FROM unheard WHERE hour < $1 ORDER BY hour LIMIT $2 FOR UPDATE SKIP LOCKED)`, store.HourOf(p.r.Now), p.r.Max)
	if err != nil {
		return err
	}
	p.res.Expired = keys + unheard
	p.res.Next.Expired = keys < p.r.Max && unheard < p.r.Max
	p.res.More = p.res.More || !p.res.Next.Expired
	return nil
}
