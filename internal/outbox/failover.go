package outbox

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
)

// nextRoute is where the delivery may fail over to: the next connection of its
// chain that is active, not paused, may send as this sender and carries the
// size; nil when there is none.
func (o *Outbox) nextRoute(ctx context.Context, d *store.Delivery, m *store.Message) *move {
	origin := d.Origin
	if origin == "" {
		origin = d.Route.Connection
	}
	first, err := o.conns.ByID(ctx, origin)
	if err != nil {
		return nil
	}
	for i := d.Route.Position; i < len(first.Fallback); i++ {
		c, err := o.conns.Named(ctx, first.Fallback[i])
		if err != nil || !c.IsActive() || c.ID == d.Route.Connection || !c.AllowsFrom(m.From) {
			continue
		}
		st, err := o.opt.Store.ConnectionState(ctx, c.ID)
		if err != nil || st.PausedUntil.After(time.Now()) {
			continue
		}
		a, err := o.opt.Adapters.Adapter(c)
		if err != nil || (a.MaxSize() > 0 && m.Size > a.MaxSize()) {
			continue
		}
		return &move{origin: origin, route: store.Route{Connection: c.ID, Position: i + 1, Lane: c.Lane(m.From), Limits: c.EffectiveLimits()}}
	}
	return nil
}

// failovers moves what waits behind a pause to its fallback: deliveries of a
// connection that is paused (credential refused, breaker open), of a lane that
// stays paused, or of a lane whose daily budget is spent, where the connection
// says so. Never those whose outcome is unknown.
func (o *Outbox) failovers(ctx context.Context) {
	for pause(ctx, o.opt.Sweep) {
		conns, err := o.conns.All(ctx)
		if err != nil {
			continue // said by others; tried again
		}
		for _, c := range conns {
			if len(c.Fallback) > 0 && ctx.Err() == nil {
				if err := o.failOverFrom(ctx, c); err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrUnavailable) {
					o.opt.Log.Error("deliveries cannot be moved to the fallback", "connection", c.Name, "err", err)
				}
			}
		}
	}
}

func (o *Outbox) failOverFrom(ctx context.Context, c *adapters.Connection) error {
	st, err := o.opt.Store.ConnectionState(ctx, c.ID)
	if err != nil {
		return err
	}
	now := time.Now()
	whole := st.PausedUntil.After(now)
	lanes := make(map[string]bool)
	after := ""
	for {
		page, err := o.opt.Store.List(ctx, store.ListRequest{Filter: store.Filter{Connection: c.ID, States: []store.State{store.Queued}}, After: after, Limit: 500, Oldest: true})
		if err != nil {
			return err
		}
		var todo []store.Entry
		for _, e := range page.Entries {
			move := whole
			if !whole {
				lane := e.Delivery.Route.Lane
				blocked, known := lanes[lane]
				if !known {
					if blocked, err = o.laneBlocked(ctx, c, lane, now); err != nil {
						return err
					}
					lanes[lane] = blocked
				}
				move = blocked
			}
			if move && !e.Delivery.NextAt.After(now.Add(o.opt.FailoverAfter)) {
				todo = append(todo, e)
			}
		}
		o.moveAll(ctx, c, todo)
		if page.Next == "" || (!whole && len(todo) == 0) {
			return nil
		}
		after = page.Next
	}
}

// laneBlocked reports a lane that waits for longer than FailoverAfter, or whose
// budget is spent where that means the fallback.
func (o *Outbox) laneBlocked(ctx context.Context, c *adapters.Connection, key string, now time.Time) (bool, error) {
	l, err := o.opt.Store.Lane(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	spent := l.Limits.RecipientsPerDay > 0 && l.UsedToday(now) >= l.Limits.RecipientsPerDay
	return l.PausedUntil.After(now.Add(o.opt.FailoverAfter)) || spent && c.WhenSpent == "fallback", nil
}

// moveAll takes the steps side by side, so that they share commits.
func (o *Outbox) moveAll(ctx context.Context, c *adapters.Connection, list []store.Entry) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, 32)
	for _, e := range list {
		m := o.nextRoute(ctx, &e.Delivery, &e.Message)
		if m == nil {
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			w := e.Delivery.Word
			w.Origin, w.Failures = m.origin, 0
			now := time.Now()
			err := o.opt.Store.Settle(ctx, store.Step{Delivery: e.Delivery.ID, Epoch: e.Delivery.Epoch, Now: now, State: store.Queued, NextAt: now, Route: &m.route, Word: w})
			switch {
			case err == nil:
				o.opt.Log.Info("moved to the fallback", "delivery", e.Delivery.ID.String(), "from", c.Name, "to", m.route.Connection)
			case errors.Is(err, store.ErrConflict), ctx.Err() != nil: // somebody was faster
			default:
				o.opt.Log.Warn("a delivery cannot be moved to the fallback", "delivery", e.Delivery.ID.String(), "err", err)
			}
		})
	}
	wg.Wait()
}
