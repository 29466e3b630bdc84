package outbox

import (
	"slices"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// This file decides on deliveries for which no provider was called.

// without leaves a delivery in state for e.
func without(now time.Time, d *store.Delivery, state store.State, e *adapters.Error) decision {
	r := decision{outcome: store.Outcome{EndedAt: now, Class: e.Class, Error: e}}
	r.transition = store.Transition{Now: now, State: state, Progress: d.Progress}
	r.transition.Progress.Class, r.transition.Progress.Error = e.Class, e
	if d.Kind == store.Send {
		r.notSent = d.CountPending()
	}
	return r
}

// unreadable defers a delivery when its attempt could not begin, because its
// message or its connection cannot be read now.
func unreadable(now time.Time, d *store.Delivery, schedule Schedule, cause error) decision {
	e := &adapters.Error{Class: adapters.Transient, Scope: adapters.ScopeMessage, Code: "unreadable", Err: cause,
		Message: mime.NewText("outbox.unreadable", "the stored message or its connection cannot be read at the moment"),
		Hint: mime.NewText("outbox.unreadable_hint", "see this server's log for the cause: the owner of the files in the data folder, the "+
			"disk, the database")}
	state := store.Queued
	if d.Kind == store.Verify {
		state = store.Unverified
	}
	r := without(now, d, state, e)
	r.transition.Progress.Failures++
	r.transition.NextAt = now.Add(schedule.Delay(r.transition.Progress.Failures))
	return r
}

// orphaned holds a delivery when its connection was removed while it was on its
// way in: nothing was called, and only a person can say what becomes of it.
func orphaned(now time.Time, d *store.Delivery) decision {
	e := &adapters.Error{Class: adapters.Transient, Scope: adapters.ScopeMessage, Code: "no_connection",
		Message: mime.NewText("outbox.no_connection", "the connection of this message was removed"),
		Hint:    mime.NewText("outbox.no_connection_hint", "send it again from the program it came from, then cancel this delivery")}
	return without(now, d, store.Held, e)
}

// expired gives up a delivery that has passed its deadline.
func expired(now time.Time, d *store.Delivery) decision {
	e := &adapters.Error{Class: adapters.Permanent, Scope: adapters.ScopeMessage, Code: "expired", Enhanced: "5.4.7",
		Message: mime.NewText("outbox.expired", "the message could not be delivered in time"),
		Hint:    mime.NewText("outbox.expired_hint", "see the last error, remove its cause and send it again")}
	if d.Error != nil { // the last error is the reason
		e.Message = mime.NewText("outbox.expired_after", "{message}: {last}", "message", e.Message, "last", d.Error.Message)
		e.Hint = d.Error.Hint
	}
	in := input{now: now, delivery: d}
	r := decision{outcome: store.Outcome{EndedAt: now, Class: adapters.Permanent, Error: e}}
	r.transition = store.Transition{Now: now, Progress: d.Progress, Recipients: slices.Clone(d.Recipients)}
	in.giveUp(&r, e)
	if r.transition.State == store.Failed {
		r.transition.State = store.Expired
	}
	r.transition.Progress.Class, r.transition.Progress.Error = adapters.Permanent, e
	r.notSent = len(r.failed)
	return r
}
