package watch

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/registry"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/terminal"
	"github.com/postino-mail/postino/mime"
)

// slack is how many per cent of a daily budget must become free before its
// alert is resolved: one that is near the limit goes up and down all day.
const slack = 10

// most is how many of the oldest deliveries that wait are looked at.
const most = 10_000

// refused finds connections with a refused credential.
func (r *round) refused() {
	r.whole[KindAuth] = true
	for _, c := range r.connections {
		st := r.states[c.ID]
		if !c.IsActive() || st.Error == nil || st.Error.Class != adapters.Auth {
			continue
		}
		for name := range credentialNames(c) {
			r.refusedNames[name] = true
		}
		r.found = append(r.found, finding{key: KindAuth + ":" + c.ID, kind: KindAuth, connection: c.ID, name: c.Name,
			message: mime.NewText("watch.auth", "{name} sends nothing: {reason}", "name", c.Name, "reason", st.Error.Message),
			hint:    st.Error.Hint})
	}
}

// budgets finds mailboxes that have used most of their day.
func (r *round) budgets() {
	r.whole[KindBudget] = true
	for i := range r.lanes {
		l := &r.lanes[i]
		limit, used := l.Limits.RecipientsPerDay, l.UsedToday(r.now)
		key := KindBudget + ":" + l.Key
		needed := r.opt.Settings.Budget
		if a := r.open[key]; a != nil && a.Open() {
			needed = max(1, needed-slack)
		}
		if limit <= 0 || used*100 < limit*needed {
			continue
		}
		r.figures.lanesAtBudget++
		name, id := l.Key, ""
		for _, c := range r.connections {
			if registry.LaneOf(c) == l.Key {
				name, id = c.Name, c.ID
				break
			}
		}
		r.found = append(r.found, finding{key: key, kind: KindBudget, connection: id, lane: l.Key, name: name,
			message: mime.NewText("watch.budget", "{name} has used {used} of {limit} recipients of the last 24 hours", "name", name, "used",
				strconv.Itoa(used), "limit", strconv.Itoa(limit)),
			hint: mime.NewText("watch.budget_hint", "beyond the limit its mail waits: move bulk mail to another connection, or give {name} a "+
				"fallback and on_quota_exceeded = \"fallback\"", "name", name)})
	}
}

// waiting finds mail that has waited for too long. Our own notices do not count:
// they must not cause others.
func (r *round) waiting(ctx context.Context) error {
	limit := r.opt.Settings.Waiting
	oldest := map[string]time.Time{}
	r.whole[KindWaiting] = true
	for _, state := range []store.State{store.Queued, store.Unverified, store.Held} {
		if err := r.waitingIn(ctx, state, oldest); err != nil {
			return err
		}
	}
	for id, since := range oldest {
		if since.Before(r.figures.oldest) || r.figures.oldest.IsZero() {
			r.figures.oldest = since
		}
		if limit < 0 || r.now.Sub(since) < limit {
			continue
		}
		name := id
		if c := r.byID[id]; c != nil {
			name = c.Name
		}
		r.found = append(r.found, finding{key: KindWaiting + ":" + id, kind: KindWaiting, connection: id, name: name,
			message: mime.NewText("watch.waiting", "mail for {name} has waited since {time}", "name", name, "time",
				terminal.UTC(since)),
			hint: mime.NewText("watch.waiting_hint", "see why with 'postino queue list --connection {name}'", "name", strconv.Quote(name))})
	}
	return nil
}

// waitingIn notes the oldest delivery of each connection in one state.
func (r *round) waitingIn(ctx context.Context, state store.State, oldest map[string]time.Time) error {
	req := store.ListRequest{Filter: store.Filter{States: []store.State{state}}, Limit: 1000, Oldest: true}
	for seen := 0; ; seen += req.Limit {
		if seen >= most {
			r.whole[KindWaiting] = false
			return nil
		}
		page, err := r.opt.Store.List(ctx, req)
		if err != nil {
			return err
		}
		for i := range page.Entries {
			d, m := &page.Entries[i].Delivery, &page.Entries[i].Message
			since := d.CreatedAt
			if m.NotBefore.After(since) {
				since = m.NotBefore
			}
			if m.Notification || since.After(r.now) {
				continue
			}
			if first, ok := oldest[d.Route.Connection]; !ok || since.Before(first) {
				oldest[d.Route.Connection] = since
			}
		}
		n := len(page.Entries)
		if page.Next == "" || n > 0 && r.now.Sub(page.Entries[n-1].Delivery.CreatedAt) < max(0, r.opt.Settings.Waiting) {
			return nil // the rest is younger
		}
		req.After = page.Next
	}
}

// Sort orders alerts as they are shown: open ones first, the worst first.
func Sort(list []store.Alert) {
	slices.SortStableFunc(list, func(a, b store.Alert) int {
		if a.Open() != b.Open() {
			if a.Open() {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.Level, b.Level), a.Since.Compare(b.Since))
	})
}
