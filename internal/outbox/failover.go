package outbox

import (
	"context"
	"errors"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// A lookup returns when a route is open: at once where opens is zero. Never means
// that only a person opens it.
type lookup interface {
	opens(ctx context.Context, c *gateway.Connection, lane string, recipients int) (time.Time, error)
}

// A recipientLimiter is an adapter that knows how many recipients one message may have.
type recipientLimiter interface{ MaxRecipients() int }

// nextRoute is where the delivery may fail over to: the next connection of its
// chain that is active, may send as this sender, carries the message (its size
// and recipients where msg is nil) and is open. When there is none, later is
// when the first that is only closed for now opens; zero: there is none.
func (o *Outbox) nextRoute(ctx context.Context, d *store.Delivery, m *store.Message, msg *mime.Message, look lookup) (next *move,
	later time.Time, err error) {
	origin := d.Origin
	if origin == "" {
		origin = d.Route.Connection
	}
	first, err := o.conns.ByID(ctx, origin)
	if err != nil {
		return nil, later, unavailable(err)
	}
	for i := d.Route.Position; i < len(first.Fallback); i++ {
		c, err := o.conns.Named(ctx, first.Fallback[i])
		if unavailable(err) != nil {
			return nil, later, err
		}
		if err != nil || c.ID == d.Route.Connection || !o.carries(c, d, m, msg) {
			continue
		}
		at, err := look.opens(ctx, c, c.Lane(m.From), d.CountPending())
		switch {
		case err != nil:
			return nil, later, err
		case at.IsZero():
			return routeTo(c, origin, i+1, m), later, nil
		case at.Before(store.Never()) && (later.IsZero() || at.Before(later)):
			later = at
		}
	}
	return nil, later, nil
}

// unavailable is err when the store could not be asked, and nil otherwise.
func unavailable(err error) error {
	if errors.Is(err, store.ErrUnavailable) {
		return err
	}
	return nil
}

func routeTo(c *gateway.Connection, origin string, position int, m *store.Message) *move {
	return &move{origin: origin, route: store.RouteTo(c, m.From, position)}
}

// carries reports whether the connection would take the delivery.
func (o *Outbox) carries(c *gateway.Connection, d *store.Delivery, m *store.Message, msg *mime.Message) bool {
	if !c.IsActive() || !c.AllowsFrom(m.From) {
		return false
	}
	a, err := o.opt.Adapters.Adapter(&c.Connection)
	if err != nil || a.MaxSize() > 0 && m.Size > a.MaxSize() {
		return false
	}
	if l, ok := a.(recipientLimiter); ok && l.MaxRecipients() > 0 && d.CountPending() > l.MaxRecipients() {
		return false
	}
	if msg == nil {
		return true
	}
	out := adapters.Outgoing{Message: msg, ID: d.ID.String(), Envelope: m.Envelope}
	out.Envelope.Recipients = d.Pending()
	return a.Check(out) == nil
}

// opens implements lookup by asking the store.
func (o *Outbox) opens(ctx context.Context, c *gateway.Connection, lane string, recipients int) (time.Time, error) {
	st, err := o.opt.Store.ConnectionState(ctx, c.ID)
	if err != nil {
		return time.Time{}, err
	}
	l, err := o.lane(ctx, lane)
	return o.opensAt(time.Now(), st.PausedUntil, l, recipients), err
}

// lane is nil where nothing was ever queued in it.
func (o *Outbox) lane(ctx context.Context, key string) (*store.Lane, error) {
	l, err := o.opt.Store.Lane(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return l, err
}

// opensAt is when a route is open, by what is known of it.
func (o *Outbox) opensAt(now, pausedUntil time.Time, l *store.Lane, recipients int) (at time.Time) {
	if pausedUntil.After(now) {
		at = pausedUntil
	}
	if l == nil {
		return at
	}
	if l.PausedUntil.After(now.Add(o.opt.FailoverAfter)) && l.PausedUntil.After(at) {
		at = l.PausedUntil
	}
	if fits, when := l.Fits(now, recipients); !fits && when.After(at) {
		at = when
	}
	return at
}
