package sqlite

import (
	"errors"
	"io/fs"
	"os"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// remove removes the bytes of messages, or everything of them.
func (s *Store) remove(t engine.Tx, found []engine.PurgeTarget, records bool) (n int, files []string, err error) {
	for _, x := range found {
		var queries []string
		if x.Kept {
			spooled := true // a row that the disk has lost must not keep the others
			if err := t.Row(`SELECT body IS NULL FROM bodies WHERE msg = $1`, []any{x.Seq}, &spooled); err != nil &&
				!errors.Is(err, store.ErrNotFound) {
				return 0, nil, err
			}
			s.Arrived.Take(x.ID)
			if spooled {
				files = append(files, s.spool.path(x.ID))
			}
			queries = append(queries, `DELETE FROM bodies WHERE msg = $1`)
		}
		if records {
			queries = append(queries, `DELETE FROM search WHERE rowid IN (SELECT seq FROM deliveries WHERE msg = $1)`,
				`DELETE FROM search_flows WHERE (flow, seq) IN (SELECT flow, seq FROM deliveries WHERE msg = $1)`,
				`DELETE FROM attempts WHERE delivery IN (SELECT seq FROM deliveries WHERE msg = $1)`,
				`DELETE FROM deliveries WHERE msg = $1`, `DELETE FROM messages WHERE seq = $1`)
		} else {
			queries = append(queries, `UPDATE messages SET kept = 0 WHERE seq = $1`)
		}
		for _, q := range queries {
			if _, err := t.Exec(q, x.Seq); err != nil {
				return 0, nil, err
			}
		}
	}
	return len(found), files, nil
}

// removed removes spool files without rows: what cannot be removed now,
// Sweep removes later.
func (s *Store) removed(files []string) {
	for _, f := range files {
		if err := os.Remove(f); err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.opt.Log.Warn("a spool file past its retention cannot be removed", "file", f, "err", err)
		}
	}
}
