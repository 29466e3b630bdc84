package engine

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// searchSeen is the setting with the mark up to which records of the index were
// compared with the deliveries.
const searchSeen = "search_seen"

// gaps adds what a node of a version without the index has written, beside those
// that have it, and enters what such a node has moved to another subqueue. Each
// delivery is looked at once, when its making is so long ago that no clock and no
// transaction puts another one before it.
func (p *Ports) gaps(ctx context.Context, most int) (more bool, err error) {
	x := &p.Schema.Words
	if x.Gaps == "" {
		return false, nil
	}
	hi := store.FirstID(time.Now().Add(-timeSlack)).String()
	var mark string
	err = p.DB.Read(ctx, `SELECT value FROM settings WHERE name = $1`, []any{searchSeen}, &mark)
	if errors.Is(err, store.ErrNotFound) { // what is older is indexed with all the rest
		return false, p.fill(ctx, nil, "", hi)
	}
	if err != nil {
		return false, err
	}
	from, err := p.Schema.ParseMark(mark)
	if err != nil {
		return false, err
	}
	to, err := p.Schema.ParseMark(hi)
	if err != nil || compareKeys(from, to) >= 0 {
		return false, err
	}
	var last DeliveryRow
	err = p.DB.Read(ctx, `SELECT id FROM deliveries WHERE id > $1 AND id < $2 ORDER BY id OFFSET `+strconv.Itoa(most-1)+` LIMIT 1`,
		[]any{from, to}, p.Schema.To(&last.D.ID))
	switch {
	case errors.Is(err, store.ErrNotFound):
	case err != nil:
		return false, err
	default:
		more, hi = true, last.D.ID.String()
		if to, err = p.Schema.ParseMark(hi); err != nil {
			return false, err
		}
	}
	var keys []any
	if err := p.DB.List(ctx, x.Gaps, []any{from, to}, func() { keys = nil }, func(sc Scan) error {
		key, err := p.Schema.scanKey(sc, &DeliveryRow{})
		keys = append(keys, key)
		return err
	}); err != nil {
		return false, err
	}
	var rows []found
	if len(keys) > 0 {
		w := &where{}
		w.and(p.Schema.Cursor+" "+x.In, x.Keys(keys))
		l := &listing{p: p, oldest: true}
		if rows, _, err = l.read(ctx, `deliveries d`, w, nil, len(keys)); err != nil {
			return false, err
		}
	}
	return more, p.fill(ctx, rows, mark, hi)
}

// fill writes the records of rows and moves the mark, unless another process has
// moved it, or a row was changed since it was read: then the next call looks again.
func (p *Ports) fill(ctx context.Context, rows []found, before, after string) error {
	x := &p.Schema.Words
	return p.DB.Do(ctx, func(t Tx) error {
		var ours bool
		if err := t.Row(x.Lock, nil, &ours); err != nil || !ours {
			return err
		}
		var now string
		err := t.Row(`SELECT value FROM settings WHERE name = $1`, []any{searchSeen}, &now)
		if err != nil && !errors.Is(err, store.ErrNotFound) || now != before {
			return err
		}
		for i := range rows {
			e, err := p.entry(&rows[i])
			if err != nil {
				return err
			}
			if n, err := t.Exec(x.Put, e.key, e.terms, e.recipients); err != nil || n == 0 {
				return err
			}
		}
		_, err = t.Exec(setSetting, searchSeen, after)
		return err
	})
}
