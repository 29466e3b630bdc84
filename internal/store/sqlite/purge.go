package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// Purge implements store.Admin.
func (s *Store) Purge(ctx context.Context, r store.PurgeRequest) (store.PurgeResult, error) {
	if r.Max <= 0 {
		r.Max = 1000
	}
	var res store.PurgeResult
	var files []string
	err := s.do(ctx, func(t *tx) error {
		res, files = store.PurgeResult{Next: r.After}, nil
		p := purge{tx: t, s: s, r: r, res: &res, files: &files}
		return p.run()
	})
	if err != nil {
		return store.PurgeResult{}, err
	}
	// The rows are gone: what cannot be removed now, Sweep removes later.
	for _, f := range files {
		if err := os.Remove(f); err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.opt.Log.Warn("a spool file past its retention cannot be removed", "file", f, "error", err)
		}
	}
	return res, nil
}

const notFinal = `EXISTS (SELECT 1 FROM deliveries d WHERE d.msg = m.seq AND d.state < 4)`

// A purge is the part of one transaction that removes what is old.
type purge struct {
	*tx
	s     *Store
	r     store.PurgeRequest
	res   *store.PurgeResult
	files *[]string
}

type purgeTarget struct {
	seq  int64
	id   store.ID
	kept bool
}

func (p *purge) run() error {
	if !p.r.Bodies.IsZero() {
		if err := p.bodies(); err != nil {
			return err
		}
	}
	if !p.r.Records.IsZero() {
		if err := errors.Join(p.records(false, &p.res.Next.Records), p.records(true, &p.res.Next.RecordsKept)); err != nil {
			return err
		}
	}
	if !p.r.Events.IsZero() {
		if err := p.purgeEvents(); err != nil {
			return err
		}
	}
	if p.r.After.Expired {
		return nil
	}
	return p.expired()
}

// find returns the oldest messages from pos on and moves pos.
func (p *purge) find(kept bool, before int64, limit int, pos *int64) (out []purgeTarget, err error) {
	if limit <= 0 {
		p.res.More = true
		return nil, nil
	}
	err = p.each(`SELECT m.seq, m.id, m.received_at FROM messages m INDEXED BY messages_kept
		WHERE m.kept = ? AND m.received_at >= ? AND m.received_at < ? AND NOT `+notFinal+` ORDER BY m.received_at LIMIT ?`,
		[]any{kept, *pos, before, limit}, func(sc scan) error {
			x := purgeTarget{kept: kept}
			var received int64
			if err := sc(&x.seq, &x.id, &received); err != nil {
				return dbErr(err)
			}
			out, *pos = append(out, x), max(*pos, received)
			return nil
		})
	p.res.More = p.res.More || len(out) == limit
	return out, err
}

func (p *purge) drop(x purgeTarget) error {
	spooled := true // a row that the disk has lost must not keep the others
	if err := p.row(`SELECT body IS NULL FROM bodies WHERE msg = ?`, []any{x.seq}, &spooled); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	p.s.recent.Take(x.id)
	if spooled {
		*p.files = append(*p.files, p.s.spool.path(x.id))
	}
	return p.exec(`DELETE FROM bodies WHERE msg = ?`, x.seq)
}

func (p *purge) bodies() error {
	found, err := p.find(true, engine.Micros(p.r.Bodies), p.r.Max, &p.res.Next.Bodies)
	if err != nil {
		return err
	}
	for _, x := range found {
		if err := errors.Join(p.drop(x), p.exec(`UPDATE messages SET kept = 0 WHERE seq = ?`, x.seq)); err != nil {
			return err
		}
	}
	p.res.Bodies = len(found)
	return nil
}

func (p *purge) records(kept bool, pos *int64) error {
	found, err := p.find(kept, engine.Micros(p.r.Records), p.r.Max-p.res.Records, pos)
	if err != nil {
		return err
	}
	for _, x := range found {
		if x.kept {
			if err := p.drop(x); err != nil {
				return err
			}
		}
		if err := errors.Join(
			p.exec(`DELETE FROM attempts WHERE delivery IN (SELECT seq FROM deliveries WHERE msg = ?)`, x.seq),
			p.exec(`DELETE FROM deliveries WHERE msg = ?`, x.seq),
			p.exec(`DELETE FROM messages WHERE seq = ?`, x.seq)); err != nil {
			return err
		}
	}
	p.res.Records += len(found)
	return nil
}

// purgeEvents removes those of the next block that are old. Numbers and times
// go together but for clocks that differ: a block that is mostly young is the last.
func (p *purge) purgeEvents() error {
	block := 10 * p.r.Max
	var n, last int64
	if err := p.row(`SELECT count(*), coalesce(max(seq), 0) FROM (SELECT seq FROM events WHERE seq > ? ORDER BY seq LIMIT ?)`,
		[]any{p.res.Next.Events, block}, &n, &last); err != nil {
		return err
	}
	gone, err := p.change(`DELETE FROM events WHERE seq > ? AND seq <= ? AND at < ?`, p.res.Next.Events, last, engine.Micros(p.r.Events))
	if err != nil {
		return err
	}
	p.res.Events, p.res.Next.Events = int(gone), max(p.res.Next.Events, last)
	p.res.More = p.res.More || int(n) == block && int(gone)*2 > block
	return nil
}

// expired removes idempotency keys and unheard acceptances whose time is over.
func (p *purge) expired() error {
	keys, err := p.change(`DELETE FROM idempotency WHERE (client, key) IN
		(SELECT client, key FROM idempotency WHERE expires_at < ? ORDER BY expires_at LIMIT ?)`, engine.Micros(p.r.Now), p.r.Max)
	if err != nil {
		return err
	}
	unheard, err := p.change(`DELETE FROM unheard WHERE (hour, key) IN
		(SELECT hour, key FROM unheard WHERE hour < ? ORDER BY hour LIMIT ?)`, store.HourOf(p.r.Now), p.r.Max)
	if err != nil {
		return err
	}
	p.res.Expired = int(keys + unheard)
	p.res.Next.Expired = int(keys) < p.r.Max && int(unheard) < p.r.Max
	p.res.More = p.res.More || !p.res.Next.Expired
	return nil
}
