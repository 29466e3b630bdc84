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
func (o *Outbox) nextRoute(ctx context.Context, d *store.Delivery, m *store.Message, paused func(context.Context, string) bool) *move {
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
		if err != nil || !c.IsActive() || c.ID == d.Route.Connection || !c.AllowsFrom(m.From) || paused(ctx, c.ID) {
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

// paused asks the store; what cannot be asked for is no way out.
func (o *Outbox) paused(ctx context.Context, id string) bool {
	st, err := o.opt.Store.ConnectionState(ctx, id)
	return err != nil || st.PausedUntil.After(time.Now())
}

// failovers moves what waits behind a pause to its fallback: deliveries of a
// connection that is paused (credential refused, breaker open), of a lane that
// stays paused, or that do not fit what is left of a lane's daily budget, where
// the connection says so. Never those whose outcome is unknown.
func (o *Outbox) failovers(ctx context.Context) {
	for pause(ctx, o.opt.Sweep) {
		if err := o.sweep(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrUnavailable) {
			o.opt.Log.Error("it cannot be looked for what should take its fallback", "err", err)
		}
	}
}

// tightBudget is how many recipients a daily budget must leave for every
// delivery to fit surely.
const tightBudget = 1000

// A sweep is one look at all that waits.
type sweep struct {
	*Outbox
	now    time.Time
	pauses map[string]time.Time              // of connections, by id
	chains map[string][]*adapters.Connection // whose fallbacks a connection's mail may take next, by its id
}

func (o *Outbox) sweep(ctx context.Context) error {
	waiting, err := o.opt.Store.Waiting(ctx)
	if err != nil || len(waiting) == 0 {
		return err
	}
	states, err := o.opt.Store.ConnectionStates(ctx)
	if err != nil {
		return err
	}
	s := &sweep{Outbox: o, now: time.Now(), pauses: make(map[string]time.Time, len(states))}
	for _, st := range states {
		s.pauses[st.Connection] = st.PausedUntil
	}
	for _, w := range waiting {
		c, err := o.conns.ByID(ctx, w.Connection)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		all := s.paused(ctx, c.ID) || w.Lane.PausedUntil.After(s.now.Add(o.opt.FailoverAfter))
		limit := w.Lane.Limits.RecipientsPerDay
		tight := c.WhenSpent == "fallback" && limit > 0 && limit-w.Lane.UsedToday(s.now) < tightBudget
		if !all && !tight {
			continue
		}
		open, err := s.wayOut(ctx, c)
		if err != nil {
			return err
		}
		if open {
			if err := s.moveFrom(ctx, c, &w.Lane, all); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *sweep) paused(_ context.Context, id string) bool { return s.pauses[id].After(s.now) }

// wayOut reports that something that waits for c may have somewhere to go:
// where all fallbacks are paused too, a long queue need not be read.
func (s *sweep) wayOut(ctx context.Context, c *adapters.Connection) (bool, error) {
	if s.chains == nil {
		conns, err := s.conns.All(ctx)
		if err != nil {
			return false, err
		}
		s.chains = make(map[string][]*adapters.Connection)
		for _, first := range conns {
			if len(first.Fallback) == 0 {
				continue
			}
			s.chains[first.ID] = append(s.chains[first.ID], first)
			for _, name := range first.Fallback {
				if next, err := s.conns.Named(ctx, name); err == nil {
					s.chains[next.ID] = append(s.chains[next.ID], first)
				}
			}
		}
	}
	for _, first := range s.chains[c.ID] {
		for _, name := range first.Fallback {
			if next, err := s.conns.Named(ctx, name); err == nil && next.ID != c.ID && next.IsActive() && !s.paused(ctx, next.ID) {
				return true, nil
			}
		}
	}
	return false, nil
}

// moveFrom moves what of c waits in the lane: all of it, or what does not fit
// the daily budget.
func (s *sweep) moveFrom(ctx context.Context, c *adapters.Connection, l *store.Lane, all bool) error {
	for after := ""; ctx.Err() == nil; {
		page, err := s.opt.Store.List(ctx, store.ListRequest{Filter: store.Filter{Connection: c.ID, Lane: l.Key, States: []store.State{store.Queued}}, After: after, Limit: 500, Oldest: true})
		if err != nil {
			return err
		}
		var todo []store.Entry
		for _, e := range page.Entries {
			move := all
			if !all {
				fits, _ := l.Fits(s.now, e.Delivery.CountPending())
				move = !fits
			}
			if move && !e.Delivery.NextAt.After(s.now.Add(s.opt.FailoverAfter)) {
				todo = append(todo, e)
			}
		}
		s.moveAll(ctx, c, todo)
		if page.Next == "" || (!all && len(todo) == 0) {
			return nil
		}
		after = page.Next
	}
	return ctx.Err()
}

// moveAll takes the steps side by side, so that they share commits.
func (s *sweep) moveAll(ctx context.Context, c *adapters.Connection, list []store.Entry) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, 32)
	for _, e := range list {
		m := s.nextRoute(ctx, &e.Delivery, &e.Message, s.paused)
		if m == nil {
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			w := e.Delivery.Word
			w.Origin, w.Failures = m.origin, 0
			now := time.Now()
			err := s.opt.Store.Settle(ctx, store.Step{Delivery: e.Delivery.ID, Epoch: e.Delivery.Epoch, Now: now, State: store.Queued, NextAt: now, Route: &m.route, Word: w})
			switch {
			case err == nil:
				s.opt.Log.Info("moved to the fallback", "delivery", e.Delivery.ID.String(), "from", c.Name, "to", m.route.Connection)
			case errors.Is(err, store.ErrConflict), ctx.Err() != nil: // somebody was faster
			default:
				s.opt.Log.Warn("a delivery cannot be moved to the fallback", "delivery", e.Delivery.ID.String(), "err", err)
			}
		})
	}
	wg.Wait()
}
