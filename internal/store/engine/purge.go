package engine

import (
	"context"

	"github.com/postino-mail/postino/internal/store"
)

// Purge implements store.Admin.
func (r Ports) Purge(ctx context.Context, req store.PurgeRequest) (res store.PurgeResult, err error) {
	if req.Max <= 0 {
		req.Max = 1000
	}
	var files []string
	err = r.DB.Do(ctx, func(t Tx) error {
		res, files = store.PurgeResult{Next: req.After}, nil
		if q := r.Schema.PurgeLock; q != "" {
			var ours bool
			if err := t.Row(q, nil, &ours); err != nil || !ours {
				return err
			}
		}
		return (&purge{Tx: t, Schema: r.Schema, DB: &r.DB, R: req, Res: &res, files: &files}).run()
	})
	if err != nil {
		return store.PurgeResult{}, err
	}
	if len(files) > 0 {
		r.DB.Discard(files)
	}
	return res, nil
}

// A purge is one transaction that removes what is old.
type purge struct {
	Tx     Tx
	Schema Schema
	DB     *DB
	R      store.PurgeRequest
	Res    *store.PurgeResult
	files  *[]string
}

// A PurgeTarget is a message that is to go.
type PurgeTarget struct {
	Seq  int64 // key of its row, where ids are none
	ID   store.ID
	Kept bool // its bytes are there
}

// Oldest is the query for messages of one half of the index from a position on,
// with deliveries that are all final. It asks that of each message by itself, by
// the index on its deliveries: as NOT EXISTS it becomes a join on PostgreSQL, for
// which the planner, who takes the unfinished ones to be none, holds each message
// against all that wait (4.4 s for 1,000 messages beside 8,657 waiting deliveries,
// and 20 ms this way).
func (s Schema) Oldest(lock string) string {
	return `SELECT ` + s.MessageSeq + `, m.id, m.received_at FROM messages m` + s.By("messages_kept") + `
		WHERE m.kept = $1 AND m.received_at >= $2 AND m.received_at < $3
			AND (SELECT d.state FROM deliveries d WHERE ` + s.OfMessage + ` AND d.state < 4 LIMIT 1) IS NULL
		ORDER BY m.received_at LIMIT $4` + lock
}

// run removes a batch of each kind that is asked for.
func (p *purge) run() (err error) {
	if !p.R.Bodies.IsZero() {
		if p.Res.Bodies, err = p.oldest(true, Micros(p.R.Bodies), p.R.Max, &p.Res.Next.Bodies, false); err != nil {
			return err
		}
	}
	if !p.R.Records.IsZero() {
		// The index begins with kept: both halves have their own oldest.
		before := Micros(p.R.Records)
		if p.Res.Records, err = p.oldest(false, before, p.R.Max, &p.Res.Next.Records, true); err != nil {
			return err
		}
		n, err := p.oldest(true, before, p.R.Max-p.Res.Records, &p.Res.Next.RecordsKept, true)
		if err != nil {
			return err
		}
		p.Res.Records += n
	}
	if !p.R.Events.IsZero() {
		if err := p.events(); err != nil {
			return err
		}
	}
	if !p.R.Hours.IsZero() {
		if err := p.hours(); err != nil {
			return err
		}
	}
	if p.R.After.Expired {
		return nil
	}
	return p.expired()
}

// oldest has the driver remove the oldest messages from pos on, locked, and moves
// pos. Remove judges them again: a retry that made a delivery wait in between held
// the lock of its message, and is seen then. The position also keeps each batch
// from walking over the dead entries of those before it, which stay in the index
// while any transaction is older.
func (p *purge) oldest(kept bool, before int64, limit int, pos *int64, records bool) (int, error) {
	if limit <= 0 {
		p.Res.More = true
		return 0, nil
	}
	var found []PurgeTarget
	if err := p.Tx.Each(p.Schema.Oldest(skipLocked(p.Tx)), []any{kept, *pos, before, limit}, func(sc Scan) error {
		x := PurgeTarget{Kept: kept}
		var received int64
		if err := sc(&x.Seq, p.Schema.To(&x.ID), &received); err != nil {
			return err
		}
		found, *pos = append(found, x), max(*pos, received)
		return nil
	}); err != nil {
		return 0, err
	}
	p.Res.More = p.Res.More || len(found) == limit
	if len(found) == 0 {
		return 0, nil
	}
	n, files, err := p.DB.Remove(p.Tx, found, records)
	*p.files = append(*p.files, files...)
	return n, err
}

// events removes those of the next block that are old. Numbers and times go
// together but for clocks that differ: a block that is mostly young is the last,
// those of a clock that was ahead left aside.
func (p *purge) events() error {
	next := &p.Res.Next.Events
	block := 10 * p.R.Max
	var n, last, ahead int64
	if err := p.Tx.Row(`SELECT count(*), coalesce(max(seq), 0), coalesce(sum(CASE WHEN at > $3 THEN 1 ELSE 0 END), 0)
		FROM (SELECT seq, at FROM events WHERE seq > $1 ORDER BY seq LIMIT $2) x`,
		[]any{*next, block, Micros(p.R.Now)}, &n, &last, &ahead); err != nil {
		return err
	}
	last = max(last, *next)
	gone, err := p.Tx.Exec(`DELETE FROM events WHERE seq > $1 AND seq <= $2 AND at < $3`, *next, last, Micros(p.R.Events))
	if err != nil {
		return err
	}
	p.Res.Events, *next = int(gone), last
	p.Res.More = p.Res.More || int(n) == block && int(gone+ahead)*2 > block
	return nil
}

// expired removes idempotency keys and unheard acceptances after their time.
func (p *purge) expired() error {
	keys, err := p.Tx.Exec(`DELETE FROM idempotency WHERE (client, key) IN
		(SELECT client, key FROM idempotency WHERE expires_at < $1 ORDER BY expires_at LIMIT $2`+skipLocked(p.Tx)+`)`, Micros(p.R.Now), p.R.Max)
	if err != nil {
		return err
	}
	unheard, err := p.Tx.Exec(`DELETE FROM unheard WHERE (hour, key) IN
		(SELECT hour, key FROM unheard WHERE hour < $1 ORDER BY hour LIMIT $2`+skipLocked(p.Tx)+`)`, store.HourOf(p.R.Now), p.R.Max)
	if err != nil {
		return err
	}
	p.Res.Expired = int(keys + unheard)
	p.Res.Next.Expired = int(keys) < p.R.Max && int(unheard) < p.R.Max
	p.Res.More = p.Res.More || !p.Res.Next.Expired
	return nil
}
