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
		p := purge{tx: t, s: s, files: &files}
		records, err := t.Records()
		if err != nil {
			return err
		}
		e := engine.Purge{Tx: records, Schema: s.Schema, R: r, Res: &res, Bodies: p.bodies, Records: p.records}
		return e.Run()
	})
	if err != nil {
		return store.PurgeResult{}, err
	}
	// The rows are gone: what cannot be removed now, Sweep removes later.
	for _, f := range files {
		if err := os.Remove(f); err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.opt.Log.Warn("a spool file past its retention cannot be removed", "file", f, "err", err)
		}
	}
	return res, nil
}

// A purge is the part of one transaction that removes what is old.
type purge struct {
	*tx
	s     *Store
	files *[]string
}

func (p *purge) drop(x engine.PurgeTarget) error {
	spooled := true // a row that the disk has lost must not keep the others
	if err := p.row(`SELECT body IS NULL FROM bodies WHERE msg = ?`, []any{x.Seq}, &spooled); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	p.s.Arrived.Take(x.ID)
	if spooled {
		*p.files = append(*p.files, p.s.spool.path(x.ID))
	}
	return p.exec(`DELETE FROM bodies WHERE msg = ?`, x.Seq)
}

func (p *purge) bodies(found []engine.PurgeTarget) (int, error) {
	for _, x := range found {
		if err := errors.Join(p.drop(x), p.exec(`UPDATE messages SET kept = 0 WHERE seq = ?`, x.Seq)); err != nil {
			return 0, err
		}
	}
	return len(found), nil
}

func (p *purge) records(found []engine.PurgeTarget) (int, error) {
	for _, x := range found {
		if x.Kept {
			if err := p.drop(x); err != nil {
				return 0, err
			}
		}
		if err := errors.Join(
			p.exec(`DELETE FROM attempts WHERE delivery IN (SELECT seq FROM deliveries WHERE msg = ?)`, x.Seq),
			p.exec(`DELETE FROM deliveries WHERE msg = ?`, x.Seq),
			p.exec(`DELETE FROM messages WHERE seq = ?`, x.Seq)); err != nil {
			return 0, err
		}
	}
	return len(found), nil
}
