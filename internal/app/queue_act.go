package app

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/postino-mail/postino/internal/outbox"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/internal/view"
	"github.com/postino-mail/postino/mime"
)

// acted is what a verb did, for --json.
type acted struct {
	Changed   int         `json:"changed"`
	Skipped   int         `json:"skipped"`
	Unchanged []unchanged `json:"unchanged,omitempty"` // those that were named
}

// unchanged is a delivery in a state that the verb does not apply to.
type unchanged struct {
	ID      store.ID    `json:"id"`
	State   store.State `json:"state"`
	Message string      `json:"message"`
}

// Act applies a verb (retry, cancel, hold, release) to the deliveries named, or
// to those of the filter.
func (k QueueCommands) Act(ctx context.Context, word string, ids []string, f QueueFilter, all bool) error {
	verb := store.Verb(word)
	switch {
	case len(ids) > 0 && (all || !f.empty()):
		return exit(ExitUsage, texterr.New(mime.NewText("cli.ids_or_filters",
			"ids and filters do not go together: name deliveries, or give --all with a filter")))
	case len(ids) == 0 && !all:
		return exit(ExitUsage, texterr.New(mime.NewText("cli.name_deliveries", "name deliveries, or give --all with a filter")))
	case all && f.empty():
		return wrong(ExitUsage, text("cli.all_needs_filter", "--all needs a filter: --state, --connection, --client, --from, --to, "+
			"--message-id, --tag, --since or --query"))
	}
	careful := verb == store.DoRetry && all && len(f.States) == 0
	if careful { // a person cancelled or held the others; what is unverified may have been sent
		f.States = []string{store.Queued.String(), store.Failed.String(), store.Expired.String()}
	}
	return withStore(ctx, k.Storage, func(st store.Store) error {
		a := actor{st: st, conns: newConnectionCache(st), verb: verb, now: time.Now(), careful: careful, lang: k.Language}
		var err error
		if all {
			err = a.chosen(ctx, f)
		} else {
			err = a.named(ctx, ids)
		}
		if err != nil {
			return err
		}
		return k.tell(verb, a.did)
	})
}

// tell prints what was done. It is a failure when something that was named
// could not be done.
func (k QueueCommands) tell(verb store.Verb, did acted) error {
	var err error
	for _, u := range did.Unchanged {
		err = errors.Join(err, fmt.Errorf("%s: %s", u.ID, u.Message))
	}
	if k.Format != Text {
		if err != nil {
			err = errReported
		}
		return errors.Join(writeJSON(k.Stdout, did), exit(ExitFailure, err))
	}
	_, werr := fmt.Fprintln(k.Stdout, text("cli.acted", "{verb}: {changed} changed, {skipped} skipped", "verb", verb, "changed", did.Changed,
		"skipped", did.Skipped).In(k.Language))
	return errors.Join(werr, exit(ExitFailure, err))
}

// An actor applies one verb.
type actor struct {
	st    store.Store
	conns *connectionCache
	verb  store.Verb
	now   time.Time
	did   acted

	states []store.State // in which a delivery must still be; none: any

	careful bool // leave alone what may have been sent
	lang    string
}

// named acts on each id by itself, so that it can say which were not in the
// state for it. One that does not exist stops it before anything is changed.
func (a *actor) named(ctx context.Context, ids []string) error {
	var list []store.Delivery
	seen := map[store.ID]bool{}
	for _, s := range ids {
		d, err := deliveryOf(ctx, a.st, s)
		if err != nil {
			return err
		}
		if !seen[d.ID] {
			seen[d.ID] = true
			list = append(list, *d)
		}
	}
	for i := range list {
		skipped := a.did.Skipped
		if err := a.do(ctx, list[i:i+1]); err != nil {
			return err
		}
		if a.did.Skipped == skipped {
			continue
		}
		d, err := a.st.Delivery(ctx, list[i].ID) // its state may have changed just before
		if err != nil {
			return err
		}
		a.did.Unchanged = append(a.did.Unchanged, unchanged{d.ID, d.State, notInState(a.verb, d.State).In(a.lang)})
	}
	return nil
}

// notInState is why a verb does nothing with a delivery.
func notInState(verb store.Verb, state store.State) mime.Text {
	switch verb {
	case store.DoRetry:
		return text("cli.not_retried", "its state is {state}: it cannot be retried", "state", view.StateLabel(state))
	case store.DoCancel:
		return text("cli.not_cancelled", "its state is {state}: it cannot be cancelled", "state", view.StateLabel(state))
	case store.DoHold:
		return text("cli.not_held", "its state is {state}: it cannot be held", "state", view.StateLabel(state))
	}
	return text("cli.not_released", "its state is {state}: it cannot be released", "state", view.StateLabel(state))
}

// chosen acts on what the filter chooses, page by page: what is listed must not
// have time to change.
func (a *actor) chosen(ctx context.Context, f QueueFilter) error {
	filter, err := f.filter(ctx, a.st)
	if err != nil {
		return err
	}
	a.states = filter.States
	return pages(ctx, a.st, filter, func(entries []store.Entry) error {
		var list []store.Delivery
		for i := range entries {
			if d := &entries[i].Delivery; a.careful && !d.UnknownSince.IsZero() { // its time ended while it was not known whether it was sent
				a.did.Skipped++
			} else {
				list = append(list, *d)
			}
		}
		return a.do(ctx, list)
	})
}

// do acts on the deliveries, those that expire at one time together.
func (a *actor) do(ctx context.Context, list []store.Delivery) error {
	groups := map[time.Duration][]store.ID{}
	for i := range list {
		var keep time.Duration
		if a.verb == store.DoRetry || a.verb == store.DoRelease {
			conn := a.conns.of(ctx, list[i].Route.Connection)
			// The command line does not know the server's configuration.
			keep = outbox.ScheduleOf(conn, outbox.Schedule{GiveUp: store.GiveUp}).GiveUp
		}
		groups[keep] = append(groups[keep], list[i].ID)
	}
	for keep, ids := range groups {
		action := store.Action{Verb: a.verb, Deliveries: ids, Now: a.now, Filter: store.Filter{States: a.states}}
		if keep > 0 {
			action.ExpiresAt = a.now.Add(keep)
		}
		r, err := a.st.Act(ctx, action)
		if err != nil {
			return err
		}
		a.did.Changed, a.did.Skipped = a.did.Changed+r.Changed, a.did.Skipped+r.Skipped
	}
	return nil
}

// deliveryOf reads the delivery with this id.
func deliveryOf(ctx context.Context, st store.Store, s string) (*store.Delivery, error) {
	id, err := store.ParseID(s)
	if err != nil {
		return nil, wrong(ExitUsage, mime.NewText("cli.not_a_delivery_id", "{id} is not the id of a delivery: see 'postino queue list'", "id",
			strconv.Quote(s)))
	}
	d, err := st.Delivery(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, wrong(ExitFailure, mime.NewText("cli.no_delivery", "there is no delivery {id}: see 'postino queue list'", "id", s))
	}
	return d, err
}
