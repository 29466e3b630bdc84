package app

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/postino-mail/postino/internal/connections"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/view"
	"github.com/postino-mail/postino/mime"
)

// moving runs work with a service that knows what connections carry, and the
// connection to which mail moves; nil where to is empty.
func (k ConnectionCommands) moving(ctx context.Context, name, to string,
	work func(store.Store, *connections.Service, *gateway.Connection, *gateway.Connection) error) error {
	return withStore(ctx, k.Storage, func(st store.Store) (err error) {
		c, err := stored(ctx, st, name)
		if err != nil {
			return err
		}
		var target *gateway.Connection
		if to != "" {
			if target, err = stored(ctx, st, to); err != nil {
				return err
			}
			if target.ID == c.ID {
				return exit(ExitUsage, connections.ErrSameConnection)
			}
		}
		sender := newSender(nil, nil, nil, nil, nil)
		defer func() { err = errors.Join(err, sender.Close()) }()
		return work(st, &connections.Service{Store: st, Adapters: sender, Wait: k.Wait}, c, target)
	})
}

// Remove deletes a connection that no unfinished message needs. What waits goes to
// another one first, where that is named.
func (k ConnectionCommands) Remove(ctx context.Context, name, moveTo string) error {
	return k.moving(ctx, name, moveTo, func(st store.Store, s *connections.Service, c, to *gateway.Connection) error {
		return k.watching(ctx, st, func() error {
			moved, err := s.Remove(ctx, c, to)
			if err != nil {
				return exit(ExitFailure, err)
			}
			done := text("cli.connection_removed", "removed")
			if to != nil {
				done = mime.NewCount("cli.connection_removed_moved", moved.Moved, "removed; one message goes to {connection}",
					"removed; {count} messages go to {connection}", "connection", strconv.Quote(to.Name))
			}
			return k.one(ctx, st, c, done)
		})
	})
}

// Move gives what waits on a connection to another one.
func (k ConnectionCommands) Move(ctx context.Context, name, to string) error {
	return k.moving(ctx, name, to, func(_ store.Store, s *connections.Service, c, to *gateway.Connection) error {
		moved, err := s.Move(ctx, c.ID, to)
		if err != nil {
			return exit(ExitFailure, err)
		}
		if k.JSON {
			return writeJSON(k.Stdout, view.OfMoved(moved, k.Language))
		}
		line := text("cli.moved", "{name}: {moved} messages go to {connection}; {staying} are being sent, or may have been, and stay",
			"name", strconv.Quote(c.Name), "moved", moved.Moved, "connection", strconv.Quote(to.Name), "staying", moved.Staying)
		if _, err := fmt.Fprintln(k.Stdout, line.In(k.Language)); err != nil {
			return err
		}
		for _, r := range moved.Refused {
			if _, err := fmt.Fprintf(k.Stdout, "  %s: %s\n", r.Delivery, r.Reason.In(k.Language)); err != nil {
				return err
			}
		}
		if len(moved.Refused) > 0 {
			return &ExitError{Code: ExitFailure, Err: errNotAllMoved()}
		}
		return nil
	})
}

func errNotAllMoved() error {
	return wrong(ExitFailure, mime.NewText("cli.not_all_moved", "not all messages could be moved: cancel them, or move them elsewhere"))
}
