package graph

import (
	"net/http"
	"time"

	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
)

// An apiError is a refusal by Graph.
type apiError struct {
	status int
	code   string
	text   string
}

// defaultCodes are the codes that go with a status when a fault names none.
var defaultCodes = map[int]string{
	http.StatusBadRequest:            "BadRequest",
	http.StatusUnauthorized:          "InvalidAuthenticationToken",
	http.StatusForbidden:             "ErrorAccessDenied",
	http.StatusNotFound:              "ErrorItemNotFound",
	http.StatusRequestTimeout:        "ErrorTimeoutExpired",
	http.StatusRequestEntityTooLarge: "RequestEntityTooLarge",
	http.StatusTooManyRequests:       "ApplicationThrottled",
	http.StatusServiceUnavailable:    "ServiceUnavailable",
	http.StatusGatewayTimeout:        "UnknownError",
}

// writeError answers in the shape of B9; the ids were stamped before.
func (g *Server) writeError(w http.ResponseWriter, r *http.Request, status int, code, message string) {
	if code == "" {
		code = defaultCodes[status]
	}
	if code == "" {
		code = "ErrorInternalServerError"
	}
	if message == "" {
		message = "A fault that was asked for."
	}
	if status == http.StatusUnauthorized && w.Header().Get("WWW-Authenticate") == "" {
		w.Header().Set("WWW-Authenticate", `Bearer realm=""`)
	}
	core.WriteJSON(w, status, map[string]any{"error": map[string]any{
		"code": code, "message": message,
		"innerError": map[string]string{
			"date":       g.now().UTC().Format("2006-01-02T15:04:05"),
			"request-id": w.Header().Get("request-id"), "client-request-id": w.Header().Get("client-request-id"),
		},
	}})
}

func itemNotFound() *apiError {
	return &apiError{http.StatusNotFound, "ErrorItemNotFound", "The specified object was not found in the store."}
}

func badRequest(text string) *apiError {
	return &apiError{http.StatusBadRequest, "RequestBodyRead", text}
}

func formatTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }
