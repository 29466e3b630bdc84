package engine

import (
	"context"
	"errors"

	"github.com/postino-mail/postino/internal/store"
)

// Act implements store.Admin.
func (p Ports) Act(ctx context.Context, a store.Action) (store.ActionResult, error) {
	return act(ctx, a, p.List, func(ids []store.ID) (res store.ActionResult, err error) {
		err = p.DB.Work(ctx, Needs{Deliveries: ids}, func(w Work) (err error) {
			var rows []*DeliveryRow
			for _, id := range ids {
				r, err := w.Delivery(id)
				if errors.Is(err, store.ErrNotFound) && len(a.Deliveries) == 0 {
					continue // purged since it was chosen
				}
				if err != nil {
					return err
				}
				rows = append(rows, r)
			}
			kept, err := p.kept(w, rows)
			if err != nil {
				return err
			}
			if res, err = actOn(w, a, rows, kept); err != nil {
				return err
			}
			return enterAction(ctx, w, &a, rows, res)
		})
		return res, err
	})
}

// actChunk is how many deliveries change in one transaction when a filter
// chooses: a million of them must not stop the submissions.
const actChunk = 500

// act has do change the deliveries that are named, or those that a filter
// chooses, part by part.
func act(ctx context.Context, a store.Action, list func(context.Context, store.ListRequest) (store.Page, error),
	do func([]store.ID) (store.ActionResult, error)) (all store.ActionResult, err error) {
	if err := a.Prepare(); err != nil {
		return all, err
	}
	if len(a.Deliveries) > 0 {
		return do(a.Deliveries)
	}
	req := store.ListRequest{Filter: a.Filter, Oldest: true, After: a.After}
	for {
		req.Limit = min(actChunk, a.Max-all.Changed-all.Skipped)
		p, err := list(ctx, req)
		if err != nil {
			return all, err
		}
		ids := make([]store.ID, 0, len(p.Entries))
		for _, e := range p.Entries {
			ids = append(ids, e.Delivery.ID)
		}
		res, err := do(ids)
		if err != nil {
			return all, err
		}
		all.Changed += res.Changed
		all.Skipped += res.Skipped
		if p.Next == "" {
			return all, nil
		}
		if all.Changed+all.Skipped >= a.Max {
			all.More, all.Next = true, p.Next
			return all, nil
		}
		req.After = p.Next
	}
}

// kept reads of the messages of final deliveries, locked against a purge, which of
// them are there and whether their bytes are.
func (p Ports) kept(w Work, rows []*DeliveryRow) (map[store.ID]bool, error) {
	var ids []any
	for _, r := range rows {
		if r.D.State.Final() {
			ids = append(ids, p.Schema.ID(r.D.Message))
		}
	}
	if len(ids) == 0 { // what waits keeps its bytes
		return nil, nil
	}
	t, err := w.Records()
	if err != nil {
		return nil, err
	}
	kept := map[store.ID]bool{}
	return kept, t.Each(`SELECT id, kept FROM messages WHERE id IN (`+params(1, len(ids))+`) ORDER BY id`+t.Lock(), ids, func(sc Scan) error {
		var id store.ID
		var has bool
		err := sc(p.Schema.To(&id), &has)
		kept[id] = has
		return err
	})
}

// actOn does the verb with deliveries. A final one with a message that is not in kept
// was purged meanwhile.
func actOn(w Work, a store.Action, rows []*DeliveryRow, kept map[store.ID]bool) (res store.ActionResult, err error) {
	for _, r := range rows {
		has, known := kept[r.D.Message]
		if r.D.State.Final() && !known || a.Verb == store.DoRetry && known && !has || !a.Applies(&r.D) ||
			a.Sure && !r.D.UnknownSince.IsZero() {
			res.Skipped++
			continue
		}
		if err := Save(w, a.Now, r, func(d *store.Delivery) { d.Act(a.Verb, a.Now, a.ExpiresAt) }); err != nil {
			return res, err
		}
		res.Changed++
	}
	return res, nil
}
