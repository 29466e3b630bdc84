package doctor

import (
	"context"
	"time"

	"github.com/postino-mail/postino/internal/registry"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/terminal"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// What is worth a warning, and how many of one kind are named.
const (
	waitsLong    = time.Hour
	attemptLong  = time.Hour
	namedMost    = 20
	clockMost    = 2 * time.Second
	sendingMost  = 1000
	laneReadMost = 100_000
)

// records looks at the store and at what waits in it.
func (c *checkup) records(ctx context.Context) {
	if c.Records == nil {
		c.bad("store", text("doctor.store_closed", "the store {where} cannot be opened: {reason}", "where", c.Where, "reason",
			texterr.Reason{Err: c.StoreErr}),
			text("doctor.store_hint", "check folder or database, its user and the key of this installation"))
		return
	}
	if err := c.Records.Ping(ctx); err != nil {
		c.bad("store", text("doctor.store_not_written", "the store {where} does not take anything: {reason}", "where", c.Where, "reason",
			texterr.Reason{Err: err}), text("doctor.store_hint", "check folder or database, its user and the key of this installation"))
		return
	}
	c.good("store", text("doctor.store_ok", "the store {where} takes messages; its schema and this installation's key fit", "where",
		c.Where))
	c.storeClock(ctx)
	for _, look := range []func(context.Context) error{c.connections, c.lanes, c.leases, c.queue} {
		if err := look(ctx); err != nil {
			c.bad("store", text("doctor.store_unread", "the store {where} cannot be read: {reason}", "where", c.Where, "reason",
				texterr.Reason{Err: err}),
				text("doctor.store_hint", "check folder or database, its user and the key of this installation"))
		}
	}
}

func (c *checkup) storeClock(ctx context.Context) {
	if c.Skew == nil {
		return
	}
	skew, err := c.Skew(ctx)
	switch {
	case err != nil:
		c.add(Finding{Check: "clock", Status: NotDone, Message: text("doctor.clock_unread", "the database does not tell its time")})
	case skew.Abs() > clockMost:
		c.warn("clock", text("doctor.clock_database", "this machine's clock and the database's differ by {time}", "time",
			skew.Abs().Round(time.Second).String()), text("doctor.clock_database_hint", "set both clocks and keep them right with NTP"))
	default:
		c.good("clock", text("doctor.clock_database_ok", "this machine's clock and the database's agree"))
	}
}

// connections looks at secrets, pauses and chains of fallbacks.
func (c *checkup) connections(ctx context.Context) error {
	all, err := c.Records.Connections(ctx)
	if err != nil {
		return err
	}
	c.conns = all
	states, err := c.Records.ConnectionStates(ctx)
	if err != nil {
		return err
	}
	names := map[string]string{}
	closed := 0
	for _, conn := range all {
		names[conn.ID] = conn.Name
		if path := conn.RedactedSecret(); path != "" {
			if closed++; closed <= namedMost {
				c.bad("secrets", text("doctor.secret_closed",
					"the secret {field} of the connection {name} does not open with this installation's key",
					"field", path, "name", conn.Name),
					text("doctor.secret_closed_hint",
						"start with the key that sealed it, or enter the secret again with 'postino connection edit'"))
			}
		}
	}
	if closed == 0 {
		c.good("secrets", mime.NewCount("doctor.secrets_ok", len(all), "the secrets of one connection open",
			"the secrets of {count} connections open"))
	}
	paused := 0
	for _, st := range states {
		if !st.PausedUntil.After(c.now()) || names[st.Connection] == "" {
			continue
		}
		if paused++; paused > namedMost {
			continue
		}
		why, hint := text("doctor.no_reason", "by hand"), text("doctor.paused_hint",
			"end the pause with 'postino connection resume' once the cause is gone")
		if st.Error != nil {
			why, hint = st.Error.Message, st.Error.Hint
		}
		c.warn("connection", text("doctor.connection_paused", "the connection {name} is paused: {why}", "name", names[st.Connection],
			"why", why), hint)
	}
	c.more("connection", paused)
	for _, l := range registry.LooseFallbacks(all) {
		c.warn("connection", text("doctor.loose_fallback",
			"the connection {name} names the fallback {fallback}, and no connection is called so",
			"name", l.Connection, "fallback", l.Fallback), text("doctor.loose_fallback_hint",
			"correct the name with 'postino connection edit'"))
	}
	return nil
}

// more says how many were not named.
func (c *checkup) more(check string, n int) {
	if n > namedMost {
		c.warn(check, mime.NewCount("doctor.more", n-namedMost, "and one more", "and {count} more"), mime.Text{})
	}
}

// lanes looks for mailboxes that are paused or have used up their day.
func (c *checkup) lanes(ctx context.Context) error {
	now, n, warned := c.now(), 0, 0
	for after := ""; n < laneReadMost; {
		page, err := c.Records.Lanes(ctx, after, 1000)
		if err != nil {
			return err
		}
		for i := range page {
			l := &page[i]
			n++
			limit := l.Limits.RecipientsPerDay
			var message mime.Text
			hint := text("doctor.lane_hint", "nothing, if the pause is short; 'postino queue lanes' shows all")
			switch {
			case l.PausedUntil.After(now):
				message = text("doctor.lane_paused", "the mailbox {lane} is paused: {reason}", "lane", l.Key, "reason", l.Reason)
			case limit > 0 && l.UsedToday(now) >= limit:
				message = text("doctor.lane_used_up", "the mailbox {lane} has used up its {limit} recipients of this day", "lane",
					l.Key, "limit", limit)
				hint = text("doctor.lane_used_up_hint",
					"its mail waits; name a fallback connection, or raise the limit if the provider allows more")
			case l.NoRoomUntil.After(now) && l.Queued > 0:
				message = text("doctor.lane_no_room", "the mail of {lane} waits until {time} for a large message that is first in line: the "+
					"day's recipients leave no room for it before", "lane", l.Key, "time", terminal.UTC(l.NoRoomUntil))
				hint = text("doctor.lane_no_room_hint", "nothing, if that is early enough; else hold or cancel the large message, "+
					"'postino queue list --state queued' shows it, or raise the limit if the provider allows more")
			case limit > 0 && l.UsedToday(now) >= limit*4/5:
				message = text("doctor.lane_nearly", "the mailbox {lane} has used {used} of its {limit} recipients of this day",
					"lane", l.Key,
					"used", l.UsedToday(now), "limit", limit)
				hint = text("doctor.lane_used_up_hint",
					"its mail waits; name a fallback connection, or raise the limit if the provider allows more")
			default:
				continue
			}
			if warned++; warned <= namedMost {
				c.warn("lane", message, hint)
			}
		}
		if len(page) < 1000 {
			break
		}
		after = page[len(page)-1].Key
	}
	c.more("lane", warned)
	if warned == 0 {
		c.good("lane", mime.NewCount("doctor.lanes_ok", n, "one mailbox sends, none is paused", "{count} mailboxes send, none is paused"))
	}
	return nil
}

// leases looks for attempts that go on for too long.
func (c *checkup) leases(ctx context.Context) error {
	page, err := c.Records.List(ctx, store.ListRequest{Filter: store.Filter{States: []store.State{store.Sending}}, Limit: sendingMost,
		Oldest: true})
	if err != nil {
		return err
	}
	now, stuck := c.now(), 0
	for _, e := range page.Entries {
		if !e.Delivery.Since.IsZero() && now.Sub(e.Delivery.Since) > attemptLong {
			if stuck++; stuck <= namedMost {
				c.warn("leases", text("doctor.lease_stuck", "the delivery {id} has been in work on node {node} since {time}", "id",
					e.Delivery.ID.String(),
					"node", e.Delivery.Node, "time", terminal.UTC(e.Delivery.Since)),
					text("doctor.lease_hint", "if that node is gone, another one takes it over by itself; otherwise look into its log"))
			}
		}
	}
	c.more("leases", stuck)
	if stuck == 0 {
		c.good("leases", mime.NewCount("doctor.leases_ok", len(page.Entries), "one delivery is in work, none for long",
			"{count} deliveries are in work, none for long"))
	}
	return nil
}

// queue looks at what waits longest, and at what waits for a person.
func (c *checkup) queue(ctx context.Context) error {
	st, err := c.Records.Stats(ctx, c.now())
	if err != nil {
		return err
	}
	switch waits := c.now().Sub(st.OldestDue); {
	case st.OldestDue.IsZero() || waits <= waitsLong:
		c.good("queue", mime.NewCount("doctor.queue_ok", int(st.States[store.Queued]), "one delivery waits, not for long",
			"{count} deliveries wait, none for long"))
	default:
		c.warn("queue", text("doctor.queue_old", "mail that is due has waited since {time}", "time",
			terminal.UTC(st.OldestDue)),
			text("doctor.queue_hint", "see 'postino queue list', and whether a connection or a mailbox is paused"))
	}
	if n := int(st.States[store.Held]); n > 0 {
		c.warn("queue", mime.NewCount("doctor.queue_held", n, "one delivery waits for a person", "{count} deliveries wait for a person"),
			text("doctor.queue_held_hint", "decide with 'postino queue list --state held', then 'queue release' or 'queue cancel'"))
	}
	return nil
}
