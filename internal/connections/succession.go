package connections

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"strings"

	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// Successor is the connection to which old moves, at the provider to. What doc, in
// the JSON form of a connection, leaves out is old's. It is not stored yet.
func Successor(old *gateway.Connection, doc map[string]any, to string) (*gateway.Connection, error) {
	doc = maps.Clone(doc)
	for _, own := range []string{"id", "revision", "fallback", "default", "active"} {
		delete(doc, own)
	}
	from := old.From
	if from == "" {
		from = old.OwnAddress().String()
	}
	for field, value := range map[string]any{"name": old.Name + " (" + to + ")", "provider": to, "from": from,
		"display_name": old.DisplayName, "reply_to": old.ReplyTo, "aliases": old.Aliases, "class": old.Class, "owner": old.Owner,
		"retry": old.Retry, "on_quota_exceeded": old.OnQuotaExceeded} {
		if _, given := doc[field]; !given && value != "" {
			doc[field] = value
		}
	}
	provider, _ := doc["provider"].(string) // another kind is none of the providers
	if !strings.EqualFold(provider, to) {
		return nil, texterr.New(mime.NewText("cli.migrate_provider", "the file is of the provider {provider}, not {to}", "provider", provider,
			"to", to))
	}
	content, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	return gateway.Parse(content)
}

// A Migrated says what came of a migration.
type Migrated struct {
	Connection *gateway.Connection // to which mail goes now
	Moved      Moved               // what waited on the other one
	UnderWay   int                 // calls that began before and still run
	Removed    bool                // the successor is gone; false: it is inactive, because a record of the queue names it
}

// Migrate has next take the place of old, with old as its fallback, and returns
// when nothing goes out through old as first choice any more: every node routes
// by it, the calls that began before have ended or Wait is over, and what waited
// has moved. next was tested before.
func (s *Service) Migrate(ctx context.Context, old, next *gateway.Connection) (out Migrated, err error) {
	if out.Connection, err = s.Store.Succeed(ctx, s.now(), old, next); err != nil {
		return out, err
	}
	return out, s.follow(ctx, old.ID, &out)
}

// follow waits until mail goes by the new route, and moves what waits on from.
func (s *Service) follow(ctx context.Context, from string, out *Migrated) (err error) {
	s.edited()
	if out.UnderWay, err = s.settle(ctx, from); err != nil {
		return err
	}
	out.Moved, err = s.Move(ctx, from, out.Connection)
	return err
}

// MigrateBack gives old its place again. The successor is removed where nothing
// in the queue names it.
func (s *Service) MigrateBack(ctx context.Context, old string) (out Migrated, err error) {
	was, err := s.Store.TakeBack(ctx, s.now(), old)
	if err != nil {
		return out, err
	}
	if out.Connection, err = s.Store.Connection(ctx, old); err != nil {
		return out, err
	}
	if err := s.follow(ctx, was.Successor, &out); err != nil {
		return out, err
	}
	switch err := s.Store.DeleteConnection(ctx, s.now(), was.Successor); {
	case err == nil, errors.Is(err, store.ErrNotFound):
		out.Removed = true
	case !errors.Is(err, store.ErrInUse):
		return out, err
	}
	s.edited()
	return out, nil
}
