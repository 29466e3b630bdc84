package outbox

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/pause"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/telemetry"
	"github.com/postino-mail/postino/mime"
)

// result is what one attempt brought.
type result struct {
	receipt adapters.Receipt
	err     *adapters.Error  // of a Send
	verdict adapters.Verdict // of a Verify
	message *mime.Message    // nil when it could not be read
	said    string           // with the provider
}

// work does one claimed delivery from beginning to end.
func (o *Outbox) work(c store.Claimed) {
	ctx, ok := o.node.right()
	if !ok {
		o.release(c.Lease)
		return
	}
	span := o.startAttempt(&c)
	defer span.End()
	conn, err := o.conns.ByID(ctx, c.Delivery.Route.Connection)
	if errors.Is(err, store.ErrNotFound) { // perhaps it was added just now, by another node
		o.conns.Invalidate()
		conn, err = o.conns.ByID(ctx, c.Delivery.Route.Connection)
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		o.finish(c, nil, span, orphaned(time.Now(), &c.Delivery))
		return
	case ctx.Err() != nil: // this node's right is over, or a stop is
		o.release(c.Lease)
		return
	case err != nil:
		o.deferDelivery(c, nil, span, err)
		return
	case c.Delivery.Kind == store.Send && !c.Delivery.ExpiresAt.After(time.Now()):
		o.finish(c, conn, span, expired(time.Now(), &c.Delivery))
		return
	}
	content, err := o.opt.Store.Content(ctx, c.Message.ID)
	if err != nil {
		if errors.Is(err, store.ErrCorrupt) || errors.Is(err, store.ErrGone) || errors.Is(err, store.ErrNotFound) {
			o.conclude(ctx, c, conn, span, result{err: corruptMessage(err)})
		} else if ctx.Err() != nil {
			o.release(c.Lease)
		} else {
			o.deferDelivery(c, conn, span, err)
		}
		return
	}
	defer func() {
		if err := content.Close(); err != nil {
			o.opt.Log.Warn("a stored message was not closed", "err", err)
		}
	}()
	o.conclude(ctx, c, conn, span, o.attempt(ctx, c, conn, content, span))
}

// conclude decides what becomes of the delivery after an attempt and records it.
func (o *Outbox) conclude(ctx context.Context, c store.Claimed, conn *gateway.Connection, span *telemetry.Span, r result) {
	if d, ok := o.decide(ctx, c, conn, r); ok {
		o.finish(c, conn, span, d)
	}
}

// deferDelivery is for a delivery with an attempt that could not begin because part of
// it cannot be read now: released as it is, it would be the first in the queue
// again at once, for as long as that lasts.
func (o *Outbox) deferDelivery(c store.Claimed, conn *gateway.Connection, span *telemetry.Span, err error) {
	o.opt.Log.Warn("a delivery cannot be read now and is deferred", "delivery", c.Delivery.ID.String(), "err", err)
	o.finish(c, conn, span, unreadable(time.Now(), &c.Delivery, ScheduleOf(conn, o.opt.Retry), err))
}

// anyNumber of addresses: the entry point has checked how many there may be.
const anyNumber = math.MaxInt32

// attempt makes the one call.
func (o *Outbox) attempt(ctx context.Context, c store.Claimed, conn *gateway.Connection, content store.Content,
	span *telemetry.Span) result {
	m, err := mime.Read(content, mime.Limits{Recipients: anyNumber})
	if err != nil {
		return result{err: corruptMessage(err)}
	}
	adapter, err := o.opt.Adapters.Adapter(&conn.Connection)
	if err != nil {
		e := adapters.AsError(err)
		if e.Class == adapters.Unknown { // nothing was called yet
			e = &adapters.Error{Class: adapters.Auth, Scope: adapters.ScopeConnection, Provider: conn.Provider, Code: "bad_connection", Err: err,
				Message: mime.NewText("outbox.bad_connection", "the connection's settings cannot be used"),
				Hint:    mime.NewText("outbox.bad_connection_hint", "open the connection, correct it and save it")}
		}
		return result{err: e, message: m}
	}
	said := &adapters.Conversation{}
	ctx = adapters.WithConversation(ctx, said)
	out := adapters.Outgoing{Message: m, ID: c.Delivery.ID.String(), Envelope: c.Message.Envelope}
	out.Envelope.Recipients = c.Delivery.Pending()
	if c.Delivery.Kind == store.Verify {
		call := span.Child("verify", telemetry.Client)
		r := o.verify(ctx, c, adapter, out)
		called(call, conn, &r)
		r.said = said.String()
		return r
	}
	// The last look before the call: a process that was stopped for longer than
	// its lease must not send (issue 3).
	began, _ := o.node.right() // a node that has registered again has a new right, and lost this delivery
	out.Permit = func() error {
		if _, ok := o.node.right(); !ok || began.Err() != nil {
			return leaseOver()
		}
		return nil
	}
	if err := out.Permit(); err != nil {
		return result{err: adapters.AsError(err), message: m}
	}
	call := span.Child("send", telemetry.Client)
	start := time.Now()
	receipt, err := adapter.Send(ctx, out)
	r, class := result{receipt: receipt, message: m, said: said.String()}, adapters.Accepted
	if err != nil {
		r.err = adapters.AsError(err)
		class = r.err.Class
	}
	called(call, conn, &r)
	if o.opt.Called != nil {
		o.opt.Called(conn, class, time.Since(start))
	}
	return r
}

// leaseOver is the outcome of a call that this node had no right to make any
// more: another one may have the delivery.
func leaseOver() *adapters.Error {
	return &adapters.Error{Class: adapters.Transient, Scope: adapters.ScopeMessage, Code: "lease_over",
		Message: mime.NewText("outbox.lease_over", "this node was silent for too long and did not send")}
}

func (o *Outbox) verify(ctx context.Context, c store.Claimed, a adapters.Adapter, out adapters.Outgoing) result {
	v, ok := a.(adapters.Verifier)
	if !ok {
		return result{verdict: adapters.CannotTell, message: out.Message}
	}
	d := &c.Delivery
	verdict, receipt, err := v.Verify(ctx, adapters.VerifyRequest{Outgoing: out, ProviderID: d.ProviderID, Since: d.UnknownSince})
	if err != nil {
		return result{err: adapters.AsError(err), message: out.Message}
	}
	return result{verdict: verdict, receipt: receipt, message: out.Message}
}

func corruptMessage(err error) *adapters.Error {
	return &adapters.Error{Class: adapters.Permanent, Scope: adapters.ScopeMessage, Code: "corrupt", Enhanced: "5.3.0", Err: err,
		Message: mime.NewText("outbox.corrupt", "the stored message is corrupt and was not sent"),
		Hint:    mime.NewText("outbox.corrupt_hint", "send it again from the program it came from, and check this server's disk")}
}

// finish records the outcome. It must not get lost: while the store is not
// available it is tried again, until another node has the delivery. What the
// store refuses for good is handed back: the provider is asked what became of it.
func (o *Outbox) finish(c store.Claimed, conn *gateway.Connection, span *telemetry.Span, r decision) {
	attempted(span, &r)
	err := o.retryUntilStored(func(ctx context.Context) error {
		f, err := o.complete(ctx, c.Lease, &c.Delivery, &c.Message, conn, r)
		if err != nil {
			return err
		}
		return o.opt.Store.Finish(ctx, f)
	})
	id, class := c.Delivery.ID.String(), string(r.outcome.Class)
	switch {
	case err == nil:
	case errors.Is(err, store.ErrLeaseLost):
		o.opt.Log.Warn("an outcome came too late: another node has the delivery", "delivery", id, "class", class)
	case errors.Is(err, store.ErrUnavailable):
		o.opt.Log.Error("an outcome could not be written before the stop; it is verified at the next start", "delivery", id, "class", class)
	default:
		o.opt.Log.Error("an outcome cannot be written: the delivery is verified", "delivery", id, "class", class, "err", err)
		if _, err := o.opt.Store.Abandon(context.WithoutCancel(o.node.parent), time.Now(), []store.Lease{c.Lease}); err != nil {
			o.opt.Log.Warn("the delivery cannot be handed back now; the check for abandoned leases does it", "delivery", id, "err", err)
		}
		o.nudge()
	}
}

// refusals is how often something is tried that the store refuses.
const refusals = 6

// retryUntilStored repeats f while the store is not available, until a stop is
// over, and a few times when the store refuses it. Meanwhile this node claims
// nothing: should its lease run out, it would claim its deliveries again, ask
// what became of them, and forget what it knows.
func (o *Outbox) retryUntilStored(f func(context.Context) error) error {
	ctx := context.WithoutCancel(o.node.parent)
	waiting := false
	defer func() {
		if waiting {
			o.unwritten.Add(-1)
			o.nudge()
		}
	}()
	refused := 0
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := f(ctx)
		away := errors.Is(err, store.ErrUnavailable)
		if err != nil && !away {
			refused++
		}
		if err == nil || errors.Is(err, store.ErrLeaseLost) || refused >= refusals || o.node.parent.Err() != nil && wait > time.Second {
			return err
		}
		if away && !waiting {
			waiting = true
			o.unwritten.Add(1)
		}
		pause.For(ctx, wait)
	}
}

// release returns a lease to the store before its call has begun.
func (o *Outbox) release(l store.Lease) {
	err := o.retryUntilStored(func(ctx context.Context) error { return o.opt.Store.Release(ctx, time.Now(), []store.Lease{l}) })
	if err != nil {
		o.opt.Log.Warn("a delivery could not be released; it is verified when this node has ended", "delivery", l.Delivery.String(), "err", err)
	}
}
