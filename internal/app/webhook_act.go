package app

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/prompt"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/terminal"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/internal/vault"
	"github.com/postino-mail/postino/internal/view"
	"github.com/postino-mail/postino/internal/webhook"
)

// WebhookChanges are what the flags change of a webhook.
type WebhookChanges struct {
	URL             *string
	Types           []string // allTypes among them: all
	Activate, Pause bool
}

func (c *WebhookChanges) none() bool {
	return c.URL == nil && len(c.Types) == 0 && !c.Activate && !c.Pause
}

// edit changes a webhook, again where the server moved it on meanwhile.
func (k WebhookCommands) edit(ctx context.Context, st store.Store, id string, edit func(*store.Webhook) error) (*store.Webhook, error) {
	h, err := webhookNamed(ctx, st, id)
	if err != nil {
		return nil, err
	}
	return webhook.Edit(ctx, st, func() (*store.Webhook, error) { return st.Webhook(ctx, h.ID) }, edit)
}

// Edit changes a webhook by flags, or by questions where none is given.
func (k WebhookCommands) Edit(ctx context.Context, id string, c WebhookChanges) error {
	if c.none() {
		p, err := prompt.New(k.Stdin, k.Stdout)
		if err != nil {
			return wrong(ExitUsage, text("cli.webhook_edit_nothing", "nothing to change: name it by flags"))
		}
		if err := k.askChanges(ctx, p, id, &c); err != nil {
			return notSaved(ctx, err)
		}
	}
	if c.URL != nil {
		if _, err := k.checkURL(*c.URL); err != nil {
			return err
		}
	}
	types, err := typesOf(c.Types)
	if err != nil {
		return err
	}
	return withStore(ctx, k.Storage, func(st store.Store) error {
		h, err := k.edit(ctx, st, id, func(h *store.Webhook) error {
			if c.URL != nil {
				h.URL = *c.URL
			}
			if len(c.Types) > 0 {
				h.Types = types
			}
			h.Active = (h.Active || c.Activate) && !c.Pause
			return nil
		})
		if err != nil {
			return err
		}
		return k.one(h, text("cli.changed", "changed"), "")
	})
}

// askChanges asks for address and types; the present ones are proposed.
func (k WebhookCommands) askChanges(ctx context.Context, p *prompt.Prompt, id string, c *WebhookChanges) error {
	return withStore(ctx, k.Storage, func(st store.Store) error {
		h, err := webhookNamed(ctx, st, id)
		if err != nil {
			return err
		}
		q := questions{p: p, lang: k.Language}
		url, err := q.line(ctx, "", text("cli.ask_webhook_url", "Address that the events are sent to"), h.URL, k.checkURL)
		if err != nil {
			return err
		}
		c.URL = &url
		c.Types, err = k.askTypes(ctx, &q, h.Types)
		return err
	})
}

// Remove deletes a webhook.
func (k WebhookCommands) Remove(ctx context.Context, id string) error {
	return withStore(ctx, k.Storage, func(st store.Store) error {
		h, err := webhookNamed(ctx, st, id)
		if err != nil {
			return err
		}
		if err := st.DeleteWebhook(ctx, h.ID); err != nil {
			return err
		}
		return k.one(h, text("cli.removed", "removed"), "")
	})
}

// Rotate makes a new secret for a webhook.
func (k WebhookCommands) Rotate(ctx context.Context, id string) error {
	return withStore(ctx, k.Storage, func(st store.Store) error {
		sealer, err := vault.Open(k.Storage.Data, k.Getenv)
		if err != nil {
			return err
		}
		var secret adapters.Secret
		h, err := k.edit(ctx, st, id, func(h *store.Webhook) (err error) {
			secret, err = webhook.NewKey(sealer, h)
			return err
		})
		if err != nil {
			return err
		}
		return k.one(h, text("cli.new_secret", "has a new secret"), secret)
	})
}

// Test sends a test event and prints what came of it. The error has the exit code
// 1 where the receiver did not confirm.
func (k WebhookCommands) Test(ctx context.Context, id string) error {
	networks, err := k.networks()
	if err != nil {
		return err
	}
	return withStore(ctx, k.Storage, func(st store.Store) error {
		h, err := webhookNamed(ctx, st, id)
		if err != nil {
			return err
		}
		sealer, err := vault.Open(k.Storage.Data, k.Getenv)
		if err != nil {
			return err
		}
		s := webhook.NewSender(sealer, networks)
		defer s.Close()
		c := s.Test(ctx, h)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if k.JSON {
			err = writeJSON(k.Stdout, view.OfWebhookCall(&c, k.Language))
		} else {
			_, err = fmt.Fprintf(k.Stdout, "%s: %s\n", h.ID, k.result(&c))
		}
		if err == nil && !c.OK() {
			err = exit(ExitFailure, errReported)
		}
		return err
	})
}

// result is what came of a call.
func (k WebhookCommands) result(c *store.WebhookCall) string {
	if c.OK() {
		return text("cli.webhook_confirmed", "confirmed with {status} after {time}", "status", c.Status, "time",
			c.Took.Round(time.Millisecond)).In(k.Language)
	}
	return c.Problem.In(k.Language)
}

// mostWaiting bounds how many events that wait are counted.
const mostWaiting = 10000

// Deliveries prints the last calls of a webhook, the newest first, and how many
// events wait.
func (k WebhookCommands) Deliveries(ctx context.Context, id string) error {
	return withStore(ctx, k.Storage, func(st store.Store) error {
		h, err := webhookNamed(ctx, st, id)
		if err != nil {
			return err
		}
		if k.JSON {
			return writeJSON(k.Stdout, view.OfWebhookCalls(h, k.Language))
		}
		w := terminal.NewTable(k.Stdout, headings(k.Language, text("cli.heading_time", "TIME"), text("cli.heading_seq", "SEQ"),
			text("cli.heading_type", "TYPE"), text("cli.heading_result", "RESULT"))...).Whole(0).Wrap()
		for _, c := range slices.Backward(h.Recent) {
			w.Row(terminal.Time(c.At), c.Seq, c.Type, k.result(&c))
		}
		if err := w.Flush(); err != nil || h.Person != "" {
			return err
		}
		waiting, err := st.Events(ctx, h.Cursor, mostWaiting, h.Client, h.Types)
		if err != nil {
			return err
		}
		n := strconv.Itoa(len(waiting))
		if len(waiting) == mostWaiting {
			n += "+"
		}
		_, err = fmt.Fprintln(k.Stdout, text("cli.webhook_waiting", "events that wait: {count}", "count", n).In(k.Language))
		return err
	})
}

// Replay sends events again: those after one, or those of the last time. The
// webhook is active from then on.
func (k WebhookCommands) Replay(ctx context.Context, id string, after *int64, since time.Duration) error {
	if after == nil && since <= 0 {
		return wrong(ExitUsage, text("cli.webhook_replay_from", "from where? --since 2h for those of the last two hours, --after SEQ for those "+
			"after an event, --after 0 for all that are kept"))
	}
	if after != nil && *after < 0 {
		return exit(ExitUsage, texterr.New(text("cli.webhook_replay_negative", "--after is the seq of an event, or 0")))
	}
	return withStore(ctx, k.Storage, func(st store.Store) error {
		var from int64
		if after != nil {
			from = *after
		} else {
			var err error
			if from, err = before(ctx, st, time.Now().Add(-since)); err != nil {
				return err
			}
		}
		h, err := k.edit(ctx, st, id, func(h *store.Webhook) error {
			h.Cursor, h.Active = from, true
			return nil
		})
		if err != nil {
			return err
		}
		return k.one(h, text("cli.webhook_replayed", "every event after {seq} is sent again", "seq", from), "")
	})
}

// before is the seq of the last event before a time; 0: there is none.
func before(ctx context.Context, st store.Store, at time.Time) (seq int64, err error) {
	for {
		page, err := st.Events(ctx, seq, 1000, "", nil)
		if err != nil || len(page) == 0 {
			return seq, err
		}
		for i := range page {
			if !page[i].At.Before(at) {
				return seq, nil
			}
			seq = page[i].Seq
		}
	}
}
