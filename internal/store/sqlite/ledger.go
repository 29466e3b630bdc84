package sqlite

import (
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// Line implements engine.Work.
func (t *tx) Line(r *deliveryRow, no int) (a engine.AttemptRow, err error) {
	found := false
	q := `SELECT ` + engine.AttemptColumns + engine.AttemptTables + ` WHERE a.delivery = ? AND a.no = ?`
	err = t.Each(q, []any{r.Seq, no}, func(sc scan) (err error) {
		found = true
		a, err = engine.ScanAttempt(sc, r.D.ID)
		return err
	})
	if err == nil && !found {
		err = store.ErrNotFound
	}
	return a, err
}
