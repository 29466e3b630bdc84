package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// readiness is the answer of /readyz. A connection with a secret that does not open
// sends nothing, and keeps nothing else from being taken and sent.
type readiness struct {
	Status        string `json:"status"`
	ClosedSecrets int    `json:"closed_secrets,omitempty"` // connections with a secret that this node's key does not open
}

// A healthService reports whether the server works.
type healthService struct {
	ping   func(context.Context) error        // whether a message would be stored now
	closed func(context.Context) (int, error) // counts connections with a secret that does not open
}

func (s *healthService) routes(rt *router) {
	answer := func(status, about string) map[string]*huma.Response {
		return map[string]*huma.Response{status: {Description: about}}
	}
	live := op("healthz", http.MethodGet, "/healthz", "server", "", "Is the process alive?", "")
	live.Responses = answer("200", "It is")
	rt.raw(live, func(w http.ResponseWriter, _ *http.Request) error {
		writeJSON(w, http.StatusOK, "application/json", map[string]string{"status": "ok"})
		return nil
	})
	ready := op("readyz", http.MethodGet, "/readyz", "server", "", "Would a message be stored now?",
		"Writes and syncs something small. `closed_secrets` counts connections with a secret that this node's key does not open.")
	ready.Responses = answer("200", "Yes")
	ready.Responses["503"] = &huma.Response{Description: "No"}
	rt.raw(ready, func(w http.ResponseWriter, r *http.Request) error {
		if err := s.ping(r.Context()); err != nil {
			return err
		}
		closed, err := s.closed(r.Context())
		if err != nil {
			return err
		}
		writeJSON(w, http.StatusOK, "application/json", readiness{Status: "ok", ClosedSecrets: closed})
		return nil
	})
}
