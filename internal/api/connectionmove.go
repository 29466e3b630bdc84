package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postino-mail/postino/internal/connections"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/registry"
	"github.com/postino-mail/postino/internal/view"
)

// moveRoutes are the operations that copy a connection and move its mail.
func (s *connectionService) moveRoutes(rt *router, body func(huma.Operation, string) huma.Operation) {
	copied := op("duplicate-connection", http.MethodPost, "/v1/connections/{id}/duplicate", connectionsTag, ScopeConnectionsWrite,
		"Copy a connection", "")
	copied.DefaultStatus = http.StatusCreated
	copied = body(copied, "JSON merge patch (RFC 7396) on the copy; name is required. The copy is not active, unless the patch says so. It "+
		"has the secrets for the scope admin alone, and only where it goes to the same destination; else the patch has them.")
	copied.Metadata["body"] = &huma.Schema{Type: "object", AdditionalProperties: true,
		Description: "JSON merge patch with the name of the copy"}
	register(rt, copied, s.duplicateConnection)
	register(rt, op("move-connection", http.MethodPost, "/v1/connections/{id}/move", connectionsTag, ScopeConnectionsWrite,
		"Give what waits to another connection", "What is being sent, or may have been sent, stays and is verified. Each move is in the "+
			"attempts of the delivery, and an event delivery.moved."), s.moveConnection)
}

func (s *connectionService) duplicateConnection(ctx context.Context, in *connectionEdit) (*bodyOf[view.Connection], error) {
	c, err := s.stored(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	var patch map[string]any
	if err := unmarshal(in.RawBody, &patch); err != nil {
		return nil, badJSON(err)
	}
	if name, ok := patch["name"].(string); !ok || name == "" {
		return nil, fail(http.StatusUnprocessableEntity, "invalid_connection", "name",
			text("api.copy_without_name", "the copy has no name"), text("api.copy_without_name_hint", "give name in the patch"))
	}
	p := caller(ctx)
	next, err := connections.Duplicate(c, patch, p.admin())
	if err != nil {
		return nil, untrusted(err)
	}
	if err := (registry.Edit{Next: next, Admin: p.admin()}).Check(); err != nil {
		return nil, untrusted(err)
	}
	if err := s.confine(p, next, nil); err != nil {
		return nil, err
	}
	return s.putConnection(ctx, next, nil)
}

type moveInput struct {
	ConnectionPath
	Body struct {
		To string `json:"to" maxLength:"200" doc:"Id or name of the connection that takes what waits"`
	}
}

func (s *connectionService) moveConnection(ctx context.Context, in *moveInput) (*bodyOf[view.Moved], error) {
	c, err := s.stored(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	to, err := s.target(ctx, c, in.Body.To)
	if err != nil {
		return nil, err
	}
	moved, err := s.service().Move(ctx, c.ID, to)
	if err != nil {
		return nil, moveFailure(err)
	}
	return &bodyOf[view.Moved]{view.OfMoved(moved, language(in.Language))}, nil
}

// target is the connection to which mail moves.
func (s *connectionService) target(ctx context.Context, from *gateway.Connection, name string) (*gateway.Connection, error) {
	to, err := s.stored(ctx, name)
	if err != nil {
		return nil, err
	}
	if to.ID == from.ID {
		return nil, moveFailure(connections.ErrSameConnection)
	}
	return to, nil
}

// moveFailure reports what keeps mail, or a connection, where it is.
func moveFailure(err error) error {
	var inUse *connections.InUseError
	switch {
	case errors.As(err, &inUse):
		return fail(http.StatusConflict, "in_use", "", passOn(inUse),
			text("api.in_use_hint", "cancel them or let them end, then delete it"))
	case errors.Is(err, connections.ErrSameConnection):
		return fail(http.StatusUnprocessableEntity, "invalid_request", "to",
			text("api.move_to_itself", "mail cannot be moved to the connection on which it waits"),
			text("api.name_another_connection", "name another"))
	}
	return err
}
