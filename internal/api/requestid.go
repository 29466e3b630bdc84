package api

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"github.com/postino-mail/postino/internal/store"
)

const requestIDHeader = "X-Request-Id"

type requestIDKey struct{}

// withRequestID gives the request an id: that of the caller or of the proxy in front,
// where it is one, or one of its own. The answer has it, and every line of the log.
func withRequestID(w http.ResponseWriter, r *http.Request) *http.Request {
	id := r.Header.Get(requestIDHeader)
	if id == "" || len(id) > 128 || strings.Trim(id, idCharacters) != "" {
		id = store.NewID().String()
	}
	w.Header().Set(requestIDHeader, id)
	return r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id))
}

const idCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/+="

// requestID is that of the context; empty outside a request.
func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// logFor is log for what concerns one request: its lines have the request's id.
func logFor(ctx context.Context, log *slog.Logger) *slog.Logger {
	return log.With("request_id", requestID(ctx))
}
