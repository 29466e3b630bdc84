package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
)

// connection finds one by id or name.
func (s *Server) connection(ctx context.Context, name string) (*adapters.Connection, error) {
	c, err := s.opt.Connections.ByID(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		c, err = s.opt.Connections.Named(ctx, name)
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil, fail(http.StatusNotFound, "unknown_connection", "connection", fmt.Sprintf("there is no connection %q", clip(name)), fmt.Sprintf("la connessione %q non esiste", clip(name)), "GET /v1/connections lists them", "GET /v1/connections le elenca")
	}
	return c, err
}
