package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
)

// decide turns the result of an attempt into what becomes of the delivery. It
// returns false when the store was not available until a stop.
func (o *Outbox) decide(ctx context.Context, c store.Claimed, conn *gateway.Connection, r result) (decision, bool) {
	in := input{delivery: &c.Delivery, conn: conn, result: r,
		schedule: ScheduleOf(conn, o.opt.Retry), breaker: o.brk.of(conn),
		timing: timing{o.opt.VerifyAfter, o.opt.Settle, o.opt.FailoverAfter}}
	if r.err != nil && c.Delivery.Kind == store.Send {
		in.stopped = r.err.Class == adapters.Transient && (ctx.Err() != nil || r.err.Code == "lease_over")
		// A look-up that fails must not end a message that a fallback can carry.
		if err := o.retryUntilStored(func(ctx context.Context) (err error) {
			in.next, in.later, err = o.nextRoute(ctx, &c.Delivery, &c.Message, r.message, o)
			return err
		}); err != nil {
			o.opt.Log.Error("the fallbacks cannot be read", "delivery", c.Delivery.ID.String(), "err", err)
			if errors.Is(err, store.ErrUnavailable) {
				return decision{}, false
			}
		}
	}
	in.now = time.Now()
	d := decide(in)
	o.logOutcome(c, conn, d)
	return d, true
}

// complete adds the messages to the sender and the events. An error is
// ErrUnavailable: what has to be read for them is away.
func (o *Outbox) complete(ctx context.Context, l store.Lease, d *store.Delivery, m *store.Message, conn *gateway.Connection,
	r decision) (store.Finish, error) {
	if r.outcome.Error != nil {
		r.outcome.Error = shown(r.outcome.Error)
	}
	if r.transition.Progress.Error != nil {
		r.transition.Progress.Error = shown(r.transition.Progress.Error)
	}
	for _, told := range []struct {
		kind  reportKind
		about []store.Recipient
	}{{reportFailed, r.failed}, {reportRelayed, r.relayed}} {
		if told.kind == reportRelayed && r.outcome.Receipt != nil && r.outcome.Receipt.DSN {
			continue // the next server tells (RFC 3461 section 5.2.2)
		}
		if err := o.tell(ctx, &r.transition, d, m, conn, told.kind, told.about); err != nil {
			return store.Finish{}, err
		}
	}
	if o.opt.Events {
		r.transition.Events = append(r.transition.Events, o.events(d, m, r)...)
		if m.Notification && len(r.failed) > 0 { // there is no other way to tell its reader
			failed, err := notificationFailed(d, m, r.transition.Now, notificationData{})
			if err != nil {
				return store.Finish{}, err
			}
			r.transition.Events = append(r.transition.Events, failed)
		}
	}
	if m.Notification && len(r.failed) > 0 {
		o.opt.Log.Error("a notification could not be delivered: its sender was not told", "delivery", d.ID.String(), "message_id", m.MessageID,
			"to", r.failed[0].Address)
	}
	return store.Finish{Lease: l, Outcome: r.outcome, Transition: r.transition, NotSent: r.notSent}, nil
}

// eventData is what an event of a delivery carries.
type eventData struct {
	MessageID  string            `json:"message_id"`
	State      store.State       `json:"state"`
	Class      adapters.Class    `json:"class"`
	Connection string            `json:"connection"`
	Recipients []store.Recipient `json:"recipients"`
	Error      *adapters.Error   `json:"error,omitempty"`
	store.Label
}

func (o *Outbox) events(d *store.Delivery, m *store.Message, r decision) []store.NewEvent {
	state := r.transition.State
	if !state.Final() && state != store.Held && r.outcome.Class == adapters.Accepted {
		state = store.Queued // partly accepted
	}
	data, err := json.Marshal(eventData{m.MessageID, state, r.outcome.Class, d.Route.Connection, r.transition.Recipients, r.outcome.Error,
		m.Label()})
	if err != nil {
		o.opt.Log.Error("an event cannot be written", "delivery", d.ID.String(), "err", err)
		return nil
	}
	name := "delivery." + state.String()
	if state == store.Queued || state == store.Unverified {
		name = "delivery.deferred"
	}
	return []store.NewEvent{{Type: name, At: r.transition.Now, Client: d.Client, Message: m.ID, Delivery: d.ID, Data: data}}
}

func (o *Outbox) logOutcome(c store.Claimed, conn *gateway.Connection, r decision) {
	attrs := []any{"delivery", c.Delivery.ID.String(), "message_id", c.Message.MessageID, "connection", conn.Name,
		"attempt", c.Lease.No, "class", string(r.outcome.Class), "state", r.transition.State.String()}
	if e := r.outcome.Error; e != nil {
		attrs = append(attrs, "code", string(e.Code), "provider_code", e.ProviderCode, "message", e.Message.String(), "request_id", e.RequestID)
	}
	switch r.outcome.Class {
	case adapters.Accepted:
		o.opt.Log.Info("delivery", attrs...)
	case adapters.Auth:
		o.opt.Log.Error("delivery", attrs...)
	default:
		o.opt.Log.Warn("delivery", attrs...)
	}
}
