package sqlite

import (
	"database/sql"
	"errors"

	"github.com/postino-mail/postino/internal/store"
)

// Kept implements engine.Work.
func (t *tx) Kept(rows []*deliveryRow) (map[store.ID]bool, error) {
	kept := map[store.ID]bool{}
	for _, r := range rows {
		if !r.D.State.Final() { // what waits keeps its bytes
			continue
		}
		has := true
		if err := t.row(`SELECT kept FROM messages WHERE seq = ?`, []any{r.Msg}, &has); err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, err
		}
		kept[r.D.ID] = has
	}
	return kept, nil
}
