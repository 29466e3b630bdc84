package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/search"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/texterr"
)

// searchNames finds what a search names, as the caller may see it.
type searchNames struct {
	connections connectionFinder
	clients     clientFinder
}

// ConnectionID implements search.Names.
func (n searchNames) ConnectionID(ctx context.Context, name string) (string, error) {
	c, err := n.connections.find(ctx, name)
	var f *failure
	if errors.As(err, &f) && f.status == http.StatusNotFound {
		return "", store.ErrNotFound
	}
	if err != nil {
		return "", err
	}
	return c.ID, nil
}

// ClientID implements search.Names.
func (n searchNames) ClientID(ctx context.Context, name string) (string, error) {
	c, err := n.clients.find(ctx, name)
	if err != nil {
		return "", err
	}
	return c.ID, nil
}

// filter is what a request chooses: its search, and its other parameters.
func (s *messageService) filter(ctx context.Context, in *MessageFilter) (f store.Filter, err error) {
	zone, err := time.LoadLocation(in.Zone)
	if err != nil {
		return f, fail(http.StatusUnprocessableEntity, "invalid", "query.tz",
			text("api.unknown_zone", "there is no time zone \"{name}\"", "name", clip(in.Zone)),
			text("api.unknown_zone_hint", "use a name such as Europe/Rome"))
	}
	q, err := search.Parse(in.Q, search.Options{Now: s.now(), Zone: zone})
	if err == nil {
		f, err = q.Bind(ctx, searchNames{s.connections, clientFinder{s.store}})
	}
	if err != nil {
		return f, badSearch(err)
	}
	if f.Client, err = s.client(ctx, f.Client, in.Client); err != nil {
		return f, err
	}
	f.From, f.Recipient, f.Tag = in.From, in.Recipient, in.Tag
	f.NarrowTime(in.Since, in.Before)
	if in.MessageID != "" {
		f.MessageID = "<" + trimBrackets(in.MessageID) + ">"
	}
	if in.Connection != "" {
		c, err := s.connections.find(ctx, in.Connection)
		if err != nil {
			return f, err
		}
		f.NarrowTo(c.ID)
	}
	return f, s.states(in.State, &f)
}

// client is the client with the messages that are chosen: of a client, its own.
func (s *messageService) client(ctx context.Context, searched, named string) (string, error) {
	for _, id := range []string{searched, named} {
		if own := caller(ctx).clientID(); own != "" && id != "" && id != own {
			return "", fail(http.StatusForbidden, "forbidden", "query.client",
				text("api.other_client", "this key sees its own client alone"), adapters.Text{})
		}
	}
	if own := caller(ctx).clientID(); own != "" {
		return own, nil
	}
	if searched != "" && named != "" && searched != named {
		return "", invalid("query.client", text("api.two_clients", "q and client name two clients"))
	}
	return cmp.Or(searched, named), nil
}

// states adds those of the parameter to those of the search.
func (s *messageService) states(names []string, f *store.Filter) error {
	var chosen []store.State
	for _, name := range names {
		state, err := store.ParseState(name)
		if unknown := new(texterr.Error); errors.As(err, &unknown) {
			return invalid("query.state", unknown.Text)
		}
		if err != nil {
			return err
		}
		chosen = append(chosen, state)
	}
	if len(names) > 0 && !f.NarrowStates(chosen) {
		return invalid("query.state", text("api.no_common_state", "q and state have no state in common"))
	}
	return nil
}

// badSearch is the failure of a search that cannot be understood.
func badSearch(err error) error {
	var e *search.Error
	if !errors.As(err, &e) {
		return err
	}
	f := fail(http.StatusUnprocessableEntity, "bad_search", "query.q", e.Located(), e.Hint)
	f.err = err
	return f
}
