package engine

import (
	"context"

	"github.com/postino-mail/postino/internal/store"
)

func alerts() table[store.Alert] {
	return table[store.Alert]{name: "alerts", id: func(a *store.Alert) *string { return &a.ID },
		rev: func(a *store.Alert) *int64 { return &a.Revision }, lookup: func(a *store.Alert) string { return a.Key }}
}

// Alerts implements store.Alerts.
func (r Ports) Alerts(ctx context.Context) ([]store.Alert, error) {
	return alerts().all(ctx, r.DB)
}

// PutAlert implements store.Alerts.
func (r Ports) PutAlert(ctx context.Context, in store.Alert, ev ...store.NewEvent) (out *store.Alert, err error) {
	err = r.DB.Work(ctx, Needs{Edits: true}, func(w Work) error {
		t, err := w.Records()
		if err != nil {
			return err
		}
		a := in
		out = &a
		if err := alerts().write(ctx, t, out); err != nil {
			return err
		}
		w.Append(ev)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// DeleteAlert implements store.Alerts.
func (r Ports) DeleteAlert(ctx context.Context, id string) error {
	return alerts().edit(ctx, r.DB, func(t Tx) error { return alerts().remove(ctx, t, id) })
}
