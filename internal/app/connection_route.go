package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/postino-mail/postino/internal/registry"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/submit"
	"github.com/postino-mail/postino/internal/terminal"
	"github.com/postino-mail/postino/internal/view"
	"github.com/postino-mail/postino/mime"
)

// A RouteQuestion asks which connection a message would take.
type RouteQuestion struct {
	From       string
	Client     string // by name
	Connection string // that the client names
	Class      string
	Size       int64
	Recipients []string
}

// othersShown is how many of the connections that are not chosen are printed.
const othersShown = 20

// Route prints which connection a message would take, and why.
func (k ConnectionCommands) Route(ctx context.Context, q RouteQuestion) error {
	if err := oneOf(q.Class, submit.ClassTransactional, submit.ClassBulk); err != nil {
		return err
	}
	from, err := mime.ParseMailbox(q.From)
	if err != nil {
		return exit(ExitUsage, fmt.Errorf("--from: %w", err))
	}
	return withStore(ctx, k.Storage, func(st store.Store) (err error) {
		ask := submit.Question{From: from, Connection: q.Connection, Class: q.Class, Size: q.Size, Recipients: len(q.Recipients)}
		if q.Client != "" {
			if ask.Client, err = clientNamed(ctx, st, q.Client); err != nil {
				return err
			}
		}
		sender := newSender(nil, nil, nil, nil, nil)
		defer func() { err = errors.Join(err, sender.Close()) }()
		s, err := submit.New(submit.Options{Store: st, Connections: registry.NewConnections(st), Adapters: sender})
		if err != nil {
			return err
		}
		e, err := s.Explain(ctx, ask, othersShown)
		if err != nil {
			return err
		}
		if k.JSON {
			return writeJSON(k.Stdout, view.OfExplanation(e, k.Language))
		}
		return k.writeRoute(view.OfExplanation(e, k.Language))
	})
}

func (k ConnectionCommands) writeRoute(r view.Route) error {
	w := terminal.NewTable(k.Stdout)
	label := func(t mime.Text) string { return t.In(k.Language) }
	if r.Chosen != nil {
		w.Row(label(text("cli.route_connection", "connection")), r.Chosen.Name)
		w.Row(label(text("cli.route_why", "why")), fmt.Sprintf("%d. %s", ruleNumber(r.Rule), r.Reason))
		w.Row(label(text("cli.route_from", "from")), r.From)
		if r.Carrier != nil && r.Carrier.ID != r.Chosen.ID {
			w.Row(label(text("cli.route_carrier", "sent by")), r.Carrier.Name)
		}
		if r.Deliveries > 1 {
			w.Row(label(text("cli.route_deliveries", "deliveries")), r.Deliveries)
		}
	}
	if f := r.Refusal; f != nil {
		w.Row(label(text("cli.route_refused", "refused")), fmt.Sprintf("%d %s %s", f.SMTP, f.Enhanced, f.Message))
		if f.Hint != "" {
			w.Row("", f.Hint)
		}
	}
	usable := text("cli.route_usable", "takes over where the one before cannot send")
	for _, f := range r.Fallbacks {
		reason := f.Reason
		if f.Usable {
			reason = label(usable)
		}
		w.Row(label(text("cli.route_fallback", "fallback")), f.Name+": "+reason)
	}
	for _, o := range r.Others {
		w.Row(label(text("cli.route_not", "not")), o.Connection.Name+": "+o.Reason)
	}
	if r.More > 0 {
		w.Row(label(text("cli.route_not", "not")), label(mime.NewCount("cli.route_more", r.More, "one more", "{count} more")))
	}
	return w.Flush()
}

// ruleNumber is the number of a rule in the documentation.
func ruleNumber(name string) int {
	for r := submit.RuleAlways; r <= submit.RuleDefault; r++ {
		if r.Name() == name {
			return int(r)
		}
	}
	return 8
}
