package engine

import (
	"context"
	"errors"

	"github.com/postino-mail/postino/internal/store"
)

// Move implements store.Admin. The connections that it names are locked against
// their removal.
func (p Ports) Move(ctx context.Context, m store.Move) (res store.ActionResult, err error) {
	m.Now = store.Micro(m.Now)
	ids := make([]store.ID, len(m.Deliveries))
	for i := range m.Deliveries {
		ids[i] = m.Deliveries[i].Delivery
	}
	err = p.DB.Work(ctx, Needs{Deliveries: ids, Connections: []string{m.To}}, func(w Work) (err error) {
		t, err := w.Records()
		if err != nil {
			return err
		}
		var there bool
		if err := t.Row(`SELECT EXISTS (SELECT 1 FROM connections WHERE id = $1)`, []any{m.To}, &there); err != nil {
			return err
		}
		if !there { // removed since it was chosen
			return store.ErrNotFound
		}
		if res, err = move(w, m); err != nil || res.Changed == 0 {
			return err
		}
		return enter(ctx, t, store.AuditEntry{Action: store.AuditMoved, Kind: store.KindQueue, Count: res.Changed, Skipped: res.Skipped,
			Changes: []store.Change{store.ChangeOf("connection", m.From, m.To)}})
	})
	return res, err
}

// move gives deliveries their new routes.
func move(w Work, m store.Move) (res store.ActionResult, err error) {
	for _, moved := range m.Deliveries {
		r, err := w.Delivery(moved.Delivery)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return store.ActionResult{}, err
		}
		if err != nil || r.Corrupt || !r.D.Movable() || r.D.Route.Connection != m.From {
			res.Skipped++
			continue
		}
		var line AttemptRow
		if err := Save(w, m.Now, r, func(d *store.Delivery) { line.Attempt = d.Move(moved, m.Now) }); err != nil {
			return store.ActionResult{}, err
		}
		line.Subqueue = r.Subqueue
		if err := w.Attempt(r, line); err != nil {
			return store.ActionResult{}, err
		}
		w.Append(moved.Events)
		res.Changed++
	}
	return res, nil
}
