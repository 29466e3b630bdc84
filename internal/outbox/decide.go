package outbox

import (
	"context"
	"encoding/json"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
)

// decide turns the result of an attempt into what is written down.
func (o *Outbox) decide(ctx context.Context, c store.Claimed, conn *adapters.Connection, r result) store.Finish {
	now := time.Now()
	s := situation{now: now, delivery: &c.Delivery, conn: conn, result: r,
		schedule: ScheduleOf(conn, o.opt.Retry), account: o.brk.of(conn),
		timing: timing{o.opt.VerifyAfter, o.opt.Settle, o.opt.FailoverAfter}}
	if r.err != nil {
		s.stopped = r.err.Class == adapters.Transient && (ctx.Err() != nil || r.err.Code == "lease_over")
		s.next = o.nextRoute(ctx, &c.Delivery, &c.Message, o.paused)
	}
	rl := rule(s)
	o.logOutcome(c, conn, rl)
	return o.complete(ctx, c.Lease, &c.Delivery, &c.Message, conn, rl)
}

// decideExpired ends a delivery that was claimed after its time.
func (o *Outbox) decideExpired(ctx context.Context, c store.Claimed) store.Finish {
	return o.complete(ctx, c.Lease, &c.Delivery, &c.Message, nil, expired(time.Now(), &c.Delivery))
}

// complete adds the messages to the sender and the events.
func (o *Outbox) complete(ctx context.Context, l store.Lease, d *store.Delivery, m *store.Message, conn *adapters.Connection, r ruling) store.Finish {
	if r.outcome.Error != nil {
		r.outcome.Error = shown(r.outcome.Error)
	}
	if r.step.Word.Error != nil {
		r.step.Word.Error = shown(r.step.Word.Error)
	}
	r.step.Messages = append(o.report(ctx, d, m, conn, reportFailed, r.failed), o.report(ctx, d, m, conn, reportRelayed, r.relayed)...)
	if o.opt.Events {
		r.step.Events = o.events(d, m, r)
	}
	return store.Finish{Lease: l, Outcome: r.outcome, Step: r.step, NotMailed: r.notMailed}
}

// eventData is what an event of a delivery carries.
type eventData struct {
	MessageID  string            `json:"message_id"`
	State      store.State       `json:"state"`
	Class      adapters.Class    `json:"class"`
	Connection string            `json:"connection"`
	Recipients []store.Recipient `json:"recipients"`
	Error      *adapters.Error   `json:"error,omitempty"`
}

func (o *Outbox) events(d *store.Delivery, m *store.Message, r ruling) []store.NewEvent {
	state := r.step.State
	if !state.Final() && state != store.Held && r.outcome.Class == adapters.Accepted {
		state = store.Queued // partly accepted
	}
	data, err := json.Marshal(eventData{m.MessageID, state, r.outcome.Class, d.Route.Connection, r.step.Recipients, r.outcome.Error})
	if err != nil {
		o.opt.Log.Error("an event cannot be written", "delivery", d.ID.String(), "err", err)
		return nil
	}
	name := "delivery." + state.String()
	if state == store.Queued || state == store.Unverified {
		name = "delivery.deferred"
	}
	return []store.NewEvent{{Type: name, At: r.step.Now, Client: d.Client, Message: m.ID, Delivery: d.ID, Data: data}}
}

func (o *Outbox) logOutcome(c store.Claimed, conn *adapters.Connection, r ruling) {
	attrs := []any{"delivery", c.Delivery.ID.String(), "message_id", c.Message.MessageID, "connection", conn.Name,
		"attempt", c.Lease.No, "class", string(r.outcome.Class), "state", r.step.State.String()}
	if e := r.outcome.Error; e != nil {
		attrs = append(attrs, "code", e.Code, "sentence", e.Sentence.EN, "request_id", e.RequestID)
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
