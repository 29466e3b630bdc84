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

// unreadable defers a delivery whose attempt could not begin, because its
// message or its connection cannot be read now.
func unreadable(now time.Time, d *store.Delivery, schedule Schedule, cause error) decision {
	e := &adapters.Error{Class: adapters.Transient, Scope: adapters.ScopeMessage, Code: "unreadable", Err: cause,
		Message: adapters.Text{EN: "the stored message or its connection cannot be read at the moment", IT: "al momento non è possibile leggere il messaggio conservato o la sua connessione"},
		Hint: adapters.Text{EN: "see this server's log for the cause: the owner of the files in the data folder, the disk, the database",
			IT: "vedere la causa nel registro di questo server: il proprietario dei file nella cartella dei dati, il disco, la base di dati"}}
	state := store.Queued
	if d.Kind == store.Verify {
		state = store.Unverified
	}
	r := without(now, d, state, e)
	r.transition.Progress.Failures++
	r.transition.NextAt = now.Add(schedule.Delay(r.transition.Progress.Failures))
	return r
}

// orphaned holds a delivery whose connection was removed while it was on its
// way in: nothing was called, and only a person can say what becomes of it.
func orphaned(now time.Time, d *store.Delivery) decision {
	e := &adapters.Error{Class: adapters.Transient, Scope: adapters.ScopeMessage, Code: "no_connection",
		Message: adapters.Text{EN: "the connection of this message was removed", IT: "la connessione di questo messaggio è stata eliminata"},
		Hint: adapters.Text{EN: "send it again from the program it came from, then cancel this delivery",
			IT: "inviarlo di nuovo dal programma di origine, poi annullare questa consegna"}}
	return without(now, d, store.Held, e)
}

// expired gives up a delivery that has passed its deadline.
func expired(now time.Time, d *store.Delivery) decision {
	e := &adapters.Error{Class: adapters.Permanent, Scope: adapters.ScopeMessage, Code: "expired", Enhanced: "5.4.7",
		Message: adapters.Text{EN: "the message could not be delivered in time", IT: "non è stato possibile consegnare il messaggio in tempo"},
		Hint:    adapters.Text{EN: "see the last error, remove its cause and send it again", IT: "vedere l'ultimo errore, rimuoverne la causa e inviarlo di nuovo"}}
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
