package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"

	"github.com/postino-mail/postino/internal/store"
)

// Purge implements store.Admin.
func (s *Store) Purge(ctx context.Context, r store.PurgeRequest) (store.PurgeResult, error) {
	if r.Max <= 0 {
		r.Max = 1000
	}
	var res store.PurgeResult
	var files []string
	err := s.do(ctx, func(t *tx) error {
		res, files = store.PurgeResult{}, nil
		return t.purge(s, r, &res, &files)
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

func (t *tx) purge(s *Store, r store.PurgeRequest, res *store.PurgeResult, files *[]string) error {
	type target struct {
		seq  int64
		id   store.ID
		kept bool
	}
	find := func(q string, before int64) (out []target, err error) {
		err = t.each(q, []any{before, r.Max}, func(sc scan) error {
			var x target
			if err := sc(&x.seq, &x.id, &x.kept); err != nil {
				return dbErr(err)
			}
			out = append(out, x)
			return nil
		})
		res.More = res.More || len(out) == r.Max
		return out, err
	}
	drop := func(x target) error {
		spooled := true // a row that the disk has lost must not keep the others
		if err := t.row(`SELECT body IS NULL FROM bodies WHERE msg = ?`, []any{x.seq}, &spooled); err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		s.recent.Take(x.id)
		if spooled {
			*files = append(*files, s.spool.path(x.id))
		}
		return t.exec(`DELETE FROM bodies WHERE msg = ?`, x.seq)
	}
	if !r.Bodies.IsZero() {
		found, err := find(`SELECT m.seq, m.id, m.kept FROM messages m INDEXED BY messages_kept WHERE m.kept = 1 AND m.received_at < ? AND NOT `+notFinal+` ORDER BY m.received_at LIMIT ?`, us(r.Bodies))
		if err != nil {
			return err
		}
		for _, x := range found {
			if err := errors.Join(drop(x), t.exec(`UPDATE messages SET kept = 0 WHERE seq = ?`, x.seq)); err != nil {
				return err
			}
		}
		res.Bodies = len(found)
	}
	if !r.Records.IsZero() {
		found, err := find(`SELECT m.seq, m.id, m.kept FROM messages m INDEXED BY messages_kept WHERE m.kept IN (0, 1) AND m.received_at < ? AND NOT `+notFinal+` LIMIT ?`, us(r.Records))
		if err != nil {
			return err
		}
		for _, x := range found {
			if x.kept {
				if err := drop(x); err != nil {
					return err
				}
			}
			if err := errors.Join(
				t.exec(`DELETE FROM attempts WHERE delivery IN (SELECT seq FROM deliveries WHERE msg = ?)`, x.seq),
				t.exec(`DELETE FROM deliveries WHERE msg = ?`, x.seq),
				t.exec(`DELETE FROM messages WHERE seq = ?`, x.seq)); err != nil {
				return err
			}
		}
		res.Records = len(found)
	}
	if !r.Events.IsZero() {
		n, err := t.change(`DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE at < ? ORDER BY seq LIMIT ?)`, us(r.Events), 10*r.Max)
		if err != nil {
			return err
		}
		res.Events = int(n)
		res.More = res.More || res.Events == 10*r.Max
	}
	return errors.Join(t.exec(`DELETE FROM idempotency WHERE expires_at < ?`, us(r.Now)),
		t.exec(`DELETE FROM unheard WHERE hour < ?`, store.HourOf(r.Now)))
}
