package outbox

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/pause"
	"github.com/postino-mail/postino/internal/store"
)

// failovers moves what waits behind a pause to its fallback: deliveries of a
// connection that is paused (credential refused, breaker open), of a lane that
// stays paused, or that do not fit what is left of a lane's daily budget, where
// the connection says so. Never those with an unknown outcome.
func (o *Outbox) failovers(ctx context.Context) {
	for pause.For(ctx, o.opt.Sweep) == nil {
		if err := o.sweep(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrUnavailable) {
			o.opt.Log.Error("the check for mail that should take its fallback failed", "err", err)
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
	pauses map[string]time.Time             // of connections, by id
	lanes  map[string]*store.Lane           // by key; nil: there is none
	chains map[string][]*gateway.Connection // by the id of a connection: those with a chain of fallbacks that its mail may be on
}

func (o *Outbox) sweep(ctx context.Context) error {
	states, err := o.opt.Store.ConnectionStates(ctx)
	if err != nil {
		return err
	}
	o.adoptBreakers(ctx, states)
	waiting, err := o.opt.Store.Waiting(ctx)
	if err != nil {
		return err
	}
	s := &sweep{Outbox: o, now: time.Now(), pauses: make(map[string]time.Time, len(states)), lanes: make(map[string]*store.Lane, len(waiting))}
	for _, st := range states {
		s.pauses[st.Connection] = st.PausedUntil
	}
	for i := range waiting {
		s.lanes[waiting[i].Lane.Key] = &waiting[i].Lane
	}
	for i := range waiting {
		if err := s.look(ctx, &waiting[i]); err != nil {
			return err
		}
	}
	return nil
}

// look finds out whether mail of a connection in a lane should take another route.
func (s *sweep) look(ctx context.Context, w *store.Waiting) error {
	c, err := s.conns.ByID(ctx, w.Connection)
	if err != nil {
		return unavailable(err)
	}
	all := s.paused(c.ID) || w.Lane.PausedUntil.After(s.now.Add(s.opt.FailoverAfter))
	limit := w.Lane.Limits.RecipientsPerDay
	tight := c.OnQuotaExceeded == "fallback" && limit > 0 && limit-w.Lane.UsedToday(s.now) < tightBudget
	if !all && !tight {
		return nil
	}
	open, err := s.hasOpenRoute(ctx, c)
	if err != nil || !open {
		return err
	}
	return s.moveFrom(ctx, c, &w.Lane, all)
}

func (s *sweep) paused(id string) bool { return s.pauses[id].After(s.now) }

// opens implements lookup by what was read at the beginning.
func (s *sweep) opens(ctx context.Context, c *gateway.Connection, key string, recipients int) (time.Time, error) {
	l, known := s.lanes[key]
	if !known {
		var err error
		if l, err = s.lane(ctx, key); err != nil {
			return time.Time{}, err
		}
		s.lanes[key] = l
	}
	return s.opensAt(s.now, s.pauses[c.ID], l, recipients), nil
}

// hasOpenRoute reports that something that waits for c may have another route:
// where all others are paused too, a long queue need not be read.
func (s *sweep) hasOpenRoute(ctx context.Context, c *gateway.Connection) (bool, error) {
	if s.chains == nil {
		conns, err := s.conns.All(ctx)
		if err != nil {
			return false, err
		}
		s.chains = make(map[string][]*gateway.Connection)
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
	isOpen := func(other *gateway.Connection) bool {
		return other.ID != c.ID && other.IsActive() && !s.paused(other.ID)
	}
	for _, first := range s.chains[c.ID] {
		if isOpen(first) { // what moved away from it may come back
			return true, nil
		}
		for _, name := range first.Fallback {
			if next, err := s.conns.Named(ctx, name); err == nil && isOpen(next) {
				return true, nil
			}
		}
	}
	return false, nil
}

// pagesTight is how many pages of a queue are read in one sweep when nothing on
// them has to move.
const pagesTight = 4

// moveFrom moves what of c waits in the lane: all of it, or what does not fit
// the daily budget.
func (s *sweep) moveFrom(ctx context.Context, c *gateway.Connection, l *store.Lane, all bool) error {
	after, idle := "", 0
	for ctx.Err() == nil {
		page, err := s.opt.Store.List(ctx,
			store.ListRequest{Filter: store.Filter{Connection: c.ID, Lane: l.Key, States: []store.State{store.Queued}}, After: after, Limit: 500,
				Oldest: true})
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
			due := !e.Delivery.NextAt.After(s.now.Add(s.opt.FailoverAfter)) || !e.Delivery.NoRoomSince.IsZero()
			if move && due {
				todo = append(todo, e)
			}
		}
		if err := s.moveAll(ctx, c, todo); err != nil {
			return err
		}
		if idle++; len(todo) > 0 {
			idle = 0
		}
		if page.Next == "" || !all && idle >= pagesTight {
			return nil
		}
		after = page.Next
	}
	return ctx.Err()
}

// anotherRoute is the next one of its chain, or the first one once that is open
// again: where the fallback is closed, mail comes back.
func (s *sweep) anotherRoute(ctx context.Context, e *store.Entry) (*move, error) {
	d, m := &e.Delivery, &e.Message
	next, _, err := s.nextRoute(ctx, d, m, nil, s)
	if err != nil || next != nil || d.Origin == "" || d.Origin == d.Route.Connection {
		return next, err
	}
	first, err := s.conns.ByID(ctx, d.Origin)
	if err != nil || !s.carries(first, d, m, nil) {
		return nil, unavailable(err)
	}
	if at, err := s.opens(ctx, first, first.Lane(m.From), d.CountPending()); err != nil || !at.IsZero() {
		return nil, err
	}
	return routeTo(first, "", 0, m), nil
}

// moveAll takes the steps side by side, so that they share commits.
func (s *sweep) moveAll(ctx context.Context, c *gateway.Connection, list []store.Entry) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, 32)
	for i := range list {
		e := &list[i]
		m, err := s.anotherRoute(ctx, e)
		if err != nil {
			return err
		}
		if m == nil {
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			w := e.Delivery.Progress
			w.Origin, w.Failures = m.origin, 0
			now := time.Now()
			next := now
			if e.Message.NotBefore.After(next) { // somebody asked for that
				next = e.Message.NotBefore
			}
			err := s.opt.Store.Transition(ctx, store.Transition{Delivery: e.Delivery.ID, Epoch: e.Delivery.Epoch, Now: now, State: store.Queued,
				NextAt: next, Route: &m.route, Progress: w})
			switch {
			case err == nil:
				s.opt.Log.Info("moved to another connection", "delivery", e.Delivery.ID.String(), "from", c.Name, "to", m.route.Connection)
			case errors.Is(err, store.ErrConflict), ctx.Err() != nil: // somebody was faster
			default:
				s.opt.Log.Warn("a delivery cannot be moved to another connection", "delivery", e.Delivery.ID.String(), "err", err)
			}
		})
	}
	return nil
}
