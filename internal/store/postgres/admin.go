package postgres

import (
	"github.com/postino-mail/postino/internal/store"
)

// Kept implements engine.Work: it locks the messages of final deliveries against a purge and says
// of each that is still there whether its bytes are.
func (t unit) Kept(rows []*deliveryRow) (map[store.ID]bool, error) {
	var ids [][16]byte
	for _, r := range rows {
		if r.D.State.Final() {
			ids = append(ids, r.D.Message)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	found, err := t.conn.Query(t.ctx, `SELECT id, kept FROM messages WHERE id = ANY($1) ORDER BY id FOR KEY SHARE`, ids)
	if err != nil {
		return nil, dbErr(err)
	}
	kept := map[store.ID]bool{}
	err = each(func(sc scan) error {
		var id [16]byte
		var has bool
		err := sc(&id, &has)
		kept[id] = has
		return err
	})(found)
	for _, r := range rows {
		if has, ok := kept[r.D.Message]; ok {
			kept[r.D.ID] = has
		}
	}
	return kept, dbErr(err)
}
