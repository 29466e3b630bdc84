package api

import (
	"context"
	"slices"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// Message implements store.Messages: a message is an operator's when one of its
// deliveries is by a connection of theirs.
func (s confined) Message(ctx context.Context, id store.ID) (*store.Message, error) {
	if err := s.seesMessage(ctx, id); err != nil {
		return nil, err
	}
	return s.all.Message(ctx, id)
}

// Content implements store.Messages.
func (s confined) Content(ctx context.Context, id store.ID) (store.Content, error) {
	if err := s.seesMessage(ctx, id); err != nil {
		return nil, err
	}
	return s.all.Content(ctx, id)
}

func (s confined) seesMessage(ctx context.Context, id store.ID) error {
	if caller(ctx).owner() == "" {
		return nil
	}
	list, err := s.Deliveries(ctx, id)
	if err == nil && len(list) == 0 {
		err = store.ErrNotFound
	}
	return err
}

// List implements store.Admin.
func (s confined) List(ctx context.Context, r store.ListRequest) (store.Page, error) {
	own, limited, err := s.own(ctx)
	if err != nil {
		return store.Page{}, err
	}
	if limited {
		r.Narrow(own)
	}
	return s.all.List(ctx, r)
}

// Count implements store.Admin.
func (s confined) Count(ctx context.Context, f store.Filter, most int) (store.Count, error) {
	own, limited, err := s.own(ctx)
	if err != nil {
		return store.Count{}, err
	}
	if limited {
		f.Narrow(own)
	}
	return s.all.Count(ctx, f, most)
}

// IndexSearch implements store.Admin.
func (s confined) IndexSearch(ctx context.Context, most int) (bool, error) {
	if err := forOthers(ctx); err != nil {
		return false, err
	}
	return s.all.IndexSearch(ctx, most)
}

// SumHours implements store.Admin.
func (s confined) SumHours(ctx context.Context, now time.Time) (bool, error) {
	if err := forOthers(ctx); err != nil {
		return false, err
	}
	return s.all.SumHours(ctx, now)
}

// Delivery implements store.Admin.
func (s confined) Delivery(ctx context.Context, id store.ID) (*store.Delivery, error) {
	own, limited, err := s.own(ctx)
	if err != nil {
		return nil, err
	}
	d, err := s.all.Delivery(ctx, id)
	if err == nil && limited && !slices.Contains(own, d.Route.Connection) {
		return nil, store.ErrNotFound
	}
	return d, err
}

// Deliveries implements store.Admin.
func (s confined) Deliveries(ctx context.Context, message store.ID) ([]store.Delivery, error) {
	own, limited, err := s.own(ctx)
	if err != nil {
		return nil, err
	}
	list, err := s.all.Deliveries(ctx, message)
	return slices.DeleteFunc(list, func(d store.Delivery) bool { return limited && !slices.Contains(own, d.Route.Connection) }), err
}

// Attempts implements store.Admin.
func (s confined) Attempts(ctx context.Context, delivery store.ID) ([]store.Attempt, error) {
	if _, err := s.Delivery(ctx, delivery); err != nil {
		return nil, err
	}
	return s.all.Attempts(ctx, delivery)
}

// Act implements store.Admin.
func (s confined) Act(ctx context.Context, a store.Action) (store.ActionResult, error) {
	own, limited, err := s.own(ctx)
	if err != nil {
		return store.ActionResult{}, err
	}
	if limited {
		for _, id := range a.Deliveries {
			if _, err := s.Delivery(ctx, id); err != nil {
				return store.ActionResult{}, err
			}
		}
		a.Filter.Narrow(own)
	}
	return s.all.Act(ctx, a)
}

// Stats implements store.Admin.
func (s confined) Stats(ctx context.Context, now time.Time) (store.Stats, error) {
	if err := forOthers(ctx); err != nil {
		return store.Stats{}, err
	}
	return s.all.Stats(ctx, now)
}

// Purge implements store.Admin.
func (s confined) Purge(ctx context.Context, r store.PurgeRequest) (store.PurgeResult, error) {
	if err := forOthers(ctx); err != nil {
		return store.PurgeResult{}, err
	}
	return s.all.Purge(ctx, r)
}

// Sweep implements store.Admin.
func (s confined) Sweep(ctx context.Context, age time.Duration) (int, error) {
	if err := forOthers(ctx); err != nil {
		return 0, err
	}
	return s.all.Sweep(ctx, age)
}

// Lane implements store.Lanes.
func (s confined) Lane(ctx context.Context, key string) (*store.Lane, error) {
	if err := s.seesLane(ctx, key); err != nil {
		return nil, err
	}
	return s.all.Lane(ctx, key)
}

// Lanes implements store.Lanes.
func (s confined) Lanes(ctx context.Context, after string, limit int) ([]store.Lane, error) {
	own, limited, err := s.own(ctx)
	if err != nil {
		return nil, err
	}
	if limited {
		return s.all.LanesAmong(ctx, own, after, limit)
	}
	return s.all.Lanes(ctx, after, limit)
}

// LanesAmong implements store.Lanes.
func (s confined) LanesAmong(ctx context.Context, connections []string, after string, limit int) ([]store.Lane, error) {
	own, limited, err := s.own(ctx)
	if err != nil {
		return nil, err
	}
	if limited {
		connections = slices.DeleteFunc(slices.Clone(connections), func(id string) bool { return !slices.Contains(own, id) })
	}
	return s.all.LanesAmong(ctx, connections, after, limit)
}

// Waiting implements store.Lanes.
func (s confined) Waiting(ctx context.Context) ([]store.Waiting, error) {
	own, limited, err := s.own(ctx)
	if err != nil {
		return nil, err
	}
	all, err := s.all.Waiting(ctx)
	return slices.DeleteFunc(all, func(w store.Waiting) bool { return limited && !slices.Contains(own, w.Connection) }), err
}

// ChangeLane implements store.Lanes.
func (s confined) ChangeLane(ctx context.Context, now time.Time, key string, c store.LaneChange) error {
	if err := s.seesLane(ctx, key); err != nil {
		return err
	}
	return s.all.ChangeLane(ctx, now, key, c)
}

// seesLane lets an operator to a lane in which mail of theirs waits.
func (s confined) seesLane(ctx context.Context, key string) error {
	if caller(ctx).owner() == "" {
		return nil
	}
	waiting, err := s.Waiting(ctx)
	if err == nil && !slices.ContainsFunc(waiting, func(w store.Waiting) bool { return w.Lane.Key == key }) {
		err = store.ErrNotFound
	}
	return err
}

// AppendEvents implements store.Events.
func (s confined) AppendEvents(ctx context.Context, ev ...store.NewEvent) error {
	if err := forOthers(ctx); err != nil {
		return err
	}
	return s.all.AppendEvents(ctx, ev...)
}

// Events implements store.Events.
func (s confined) Events(ctx context.Context, after int64, limit int, client string, types []string) ([]store.Event, error) {
	own, limited, err := s.own(ctx)
	if err != nil {
		return nil, err
	}
	if limited {
		list, _, err := s.all.EventsAmong(ctx, own, after, limit, types)
		return list, err
	}
	return s.all.Events(ctx, after, limit, client, types)
}

// EventsAmong implements store.Events.
func (s confined) EventsAmong(ctx context.Context, connections []string, after int64, limit int, types []string) ([]store.Event, int64,
	error) {
	own, limited, err := s.own(ctx)
	if err != nil {
		return nil, after, err
	}
	if limited {
		connections = own
	}
	return s.all.EventsAmong(ctx, connections, after, limit, types)
}

// LastEvent implements store.Events.
func (s confined) LastEvent(ctx context.Context) (int64, error) { return s.all.LastEvent(ctx) }

// Webhook implements store.Events: those of clients and of all get the events of
// others, so they are the administrators'.
func (s confined) Webhook(ctx context.Context, id string) (*store.Webhook, error) {
	h, err := s.all.Webhook(ctx, id)
	if owner := caller(ctx).owner(); err == nil && owner != "" && h.Person != owner {
		return nil, store.ErrNotFound
	}
	return h, err
}

// Webhooks implements store.Events.
func (s confined) Webhooks(ctx context.Context) ([]store.Webhook, error) {
	all, err := s.all.Webhooks(ctx)
	owner := caller(ctx).owner()
	return slices.DeleteFunc(all, func(h store.Webhook) bool { return owner != "" && h.Person != owner }), err
}

// PutWebhook implements store.Events.
func (s confined) PutWebhook(ctx context.Context, w store.Webhook) (*store.Webhook, error) {
	if err := s.mayChangeWebhook(ctx, w.ID); err != nil {
		return nil, err
	}
	if owner := caller(ctx).owner(); owner != "" && (w.Person != owner || w.Client != owner) {
		return nil, forOthers(ctx)
	}
	return s.all.PutWebhook(ctx, w)
}

// mayChangeWebhook refuses one that is not the operator's; empty: a new one.
func (s confined) mayChangeWebhook(ctx context.Context, id string) error {
	if caller(ctx).owner() == "" || id == "" {
		return nil
	}
	_, err := s.Webhook(ctx, id)
	return err
}

// DeleteWebhook implements store.Events.
func (s confined) DeleteWebhook(ctx context.Context, id string) error {
	if err := s.mayChangeWebhook(ctx, id); err != nil {
		return err
	}
	return s.all.DeleteWebhook(ctx, id)
}

// LanesByKey implements store.Lanes.
func (s confined) LanesByKey(ctx context.Context, keys []string) ([]store.Lane, error) {
	own, limited, err := s.own(ctx)
	if err != nil {
		return nil, err
	}
	all, err := s.all.LanesByKey(ctx, keys)
	if err != nil || !limited {
		return all, err
	}
	seen := map[string]bool{}
	for after := ""; ; {
		part, err := s.all.LanesAmong(ctx, own, after, 1000)
		if err != nil {
			return nil, err
		}
		for i := range part {
			after = part[i].Key
			seen[after] = true
		}
		if len(part) < 1000 {
			break
		}
	}
	return slices.DeleteFunc(all, func(l store.Lane) bool { return !seen[l.Key] }), nil
}

// Move implements store.Admin: from one connection of theirs to another.
func (s confined) Move(ctx context.Context, m store.Move) (store.ActionResult, error) {
	own, limited, err := s.own(ctx)
	if err != nil {
		return store.ActionResult{}, err
	}
	if limited {
		if !slices.Contains(own, m.To) {
			return store.ActionResult{}, store.ErrNotFound
		}
		for i := range m.Deliveries {
			if _, err := s.Delivery(ctx, m.Deliveries[i].Delivery); err != nil {
				return store.ActionResult{}, err
			}
		}
	}
	return s.all.Move(ctx, m)
}
