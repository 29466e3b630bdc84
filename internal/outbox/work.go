package outbox

import (
	"context"
	"errors"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// result is what one attempt brought.
type result struct {
	receipt adapters.Receipt
	err     *adapters.Error  // of a Send
	verdict adapters.Verdict // of a Verify
	message *mime.Message    // nil when it could not be read
}

// work does one claimed delivery from beginning to end.
func (o *Outbox) work(c store.Claimed) {
	ctx, ok := o.node.right()
	if !ok {
		o.release(c.Lease)
		return
	}
	if c.Delivery.Kind == store.Send && !c.Delivery.ExpiresAt.After(time.Now()) {
		o.finish(ctx, c, o.decideExpired(ctx, c))
		return
	}
	conn, err := o.conns.ByID(ctx, c.Delivery.Route.Connection)
	if errors.Is(err, store.ErrNotFound) { // perhaps it was added just now, by another node
		o.conns.Stale()
		conn, err = o.conns.ByID(ctx, c.Delivery.Route.Connection)
	}
	if errors.Is(err, store.ErrNotFound) {
		o.finish(ctx, c, o.complete(ctx, c.Lease, &c.Delivery, &c.Message, nil, orphaned(time.Now(), &c.Delivery)))
		return
	}
	if err != nil {
		o.opt.Log.Warn("the connection of a delivery cannot be read", "delivery", c.Delivery.ID.String(), "err", err)
		o.release(c.Lease)
		return
	}
	content, err := o.opt.Store.Content(ctx, c.Message.ID)
	if err != nil {
		if errors.Is(err, store.ErrCorrupt) || errors.Is(err, store.ErrGone) || errors.Is(err, store.ErrNotFound) {
			o.finish(ctx, c, o.decide(ctx, c, conn, result{err: damaged(err)}))
			return
		}
		o.opt.Log.Warn("the stored message cannot be read now", "delivery", c.Delivery.ID.String(), "err", err)
		o.release(c.Lease)
		return
	}
	defer func() {
		if err := content.Close(); err != nil {
			o.opt.Log.Warn("a stored message was not closed", "err", err)
		}
	}()
	r := o.attempt(ctx, c, conn, content)
	o.finish(ctx, c, o.decide(ctx, c, conn, r))
}

// attempt makes the one call.
func (o *Outbox) attempt(ctx context.Context, c store.Claimed, conn *adapters.Connection, content store.Content) result {
	m, err := mime.Read(content, mime.Limits{})
	if err != nil {
		return result{err: damaged(err)}
	}
	adapter, err := o.opt.Adapters.Adapter(conn)
	if err != nil {
		e := adapters.AsError(err)
		if e.Class == adapters.Unknown { // nothing was called yet
			e = &adapters.Error{Class: adapters.Auth, Scope: adapters.ScopeConnection, Provider: conn.Provider, Code: "bad_connection", Err: err,
				Sentence: adapters.Text{EN: "the connection's settings cannot be used", IT: "le impostazioni della connessione non sono utilizzabili"},
				Remedy:   adapters.Text{EN: "open the connection, correct it and save it", IT: "aprire la connessione, correggerla e salvarla"}}
		}
		return result{err: e, message: m}
	}
	out := adapters.Outgoing{Message: m, ID: c.Delivery.ID.String(), Envelope: c.Message.Envelope}
	out.Envelope.Recipients = c.Delivery.Pending()
	if c.Delivery.Kind == store.Verify {
		out.Since = c.Delivery.UnknownSince
		return o.verify(ctx, c, adapter, out)
	}
	// The last look before the call: a process that was stopped for longer than
	// its lease must not send (issue 3).
	if _, ok := o.node.right(); !ok {
		return result{err: &adapters.Error{Class: adapters.Transient, Scope: adapters.ScopeMessage, Code: "lease_over",
			Sentence: adapters.Text{EN: "this node was silent for too long and did not send", IT: "questo nodo è rimasto fermo troppo a lungo e non ha inviato"}}, message: m}
	}
	receipt, err := adapter.Send(ctx, out)
	if err != nil {
		return result{err: adapters.AsError(err), message: m}
	}
	return result{receipt: receipt, message: m}
}

func (o *Outbox) verify(ctx context.Context, c store.Claimed, a adapters.Adapter, out adapters.Outgoing) result {
	v, ok := a.(adapters.Verifier)
	if !ok {
		return result{verdict: adapters.CannotTell, message: out.Message}
	}
	verdict, receipt, err := v.Verify(ctx, out, c.Delivery.ProviderID)
	if err != nil {
		return result{err: adapters.AsError(err), message: out.Message}
	}
	return result{verdict: verdict, receipt: receipt, message: out.Message}
}

func damaged(err error) *adapters.Error {
	return &adapters.Error{Class: adapters.Permanent, Scope: adapters.ScopeMessage, Code: "damaged", Enhanced: "5.3.0", Err: err,
		Sentence: adapters.Text{EN: "the stored message is damaged and was not sent", IT: "il messaggio conservato è danneggiato e non è stato inviato"},
		Remedy: adapters.Text{EN: "send it again from the program it came from, and check this server's disk",
			IT: "inviarlo di nuovo dal programma di origine e controllare il disco di questo server"}}
}

// finish writes the outcome down. It must not get lost: while the store is
// away it is tried again, until somebody else has the delivery. Until it is
// written this node claims nothing: should its lease run out meanwhile, it
// would claim the delivery anew, ask what became of it, and forget what it knows.
func (o *Outbox) finish(ctx context.Context, c store.Claimed, f store.Finish) {
	ctx = context.WithoutCancel(ctx)
	waiting := false
	defer func() {
		if waiting {
			o.unwritten.Add(-1)
			o.nudge()
		}
	}()
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := o.opt.Store.Finish(ctx, f)
		switch {
		case err == nil:
			return
		case errors.Is(err, store.ErrLeaseLost):
			o.opt.Log.Warn("an outcome came too late: another node has the delivery", "delivery", c.Delivery.ID.String(), "class", string(f.Outcome.Class))
			return
		case errors.Is(err, store.ErrUnavailable):
			if o.node.parent.Err() != nil && wait > time.Second {
				o.opt.Log.Error("an outcome could not be written before the stop; it is verified at the next start", "delivery", c.Delivery.ID.String(), "class", string(f.Outcome.Class))
				return
			}
			if !waiting {
				waiting = true
				o.unwritten.Add(1)
			}
			pause(ctx, wait)
		default:
			o.opt.Log.Error("an outcome cannot be written; it is verified later", "delivery", c.Delivery.ID.String(), "err", err)
			return
		}
	}
}

func (o *Outbox) release(l store.Lease) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(o.node.parent), 5*time.Second)
	defer cancel()
	pause(ctx, 200*time.Millisecond) // what made us give it back lasts: not again at once
	if err := o.opt.Store.Release(ctx, time.Now(), []store.Lease{l}); err != nil {
		o.opt.Log.Warn("a delivery could not be given back; its lease runs out by itself", "delivery", l.Delivery.String(), "err", err)
	}
}
