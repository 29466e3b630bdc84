package sandbox

import (
	"net/http"
	"time"
)

// A graphError is a refusal by Graph.
type graphError struct {
	status int
	code   string
	text   string
}

// graphCodes are the codes that go with a status when a fault names none.
var graphCodes = map[int]string{
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
func (g *graphServer) writeError(w http.ResponseWriter, r *http.Request, status int, code, message string) {
	if code == "" {
		code = graphCodes[status]
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
	writeJSON(w, status, map[string]any{"error": map[string]any{
		"code": code, "message": message,
		"innerError": map[string]string{
			"date":       g.now().UTC().Format("2006-01-02T15:04:05"),
			"request-id": w.Header().Get("request-id"), "client-request-id": w.Header().Get("client-request-id"),
		},
	}})
}

func itemNotFound() *graphError {
	return &graphError{http.StatusNotFound, "ErrorItemNotFound", "The specified object was not found in the store."}
}

func badRequest(text string) *graphError {
	return &graphError{http.StatusBadRequest, "RequestBodyRead", text}
}

func graphTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }
