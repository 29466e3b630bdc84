package api

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// readiness is the answer of /readyz. A connection whose secret does not open
// sends nothing, and keeps nothing else from being taken and sent.
type readiness struct {
	Status        string `json:"status"`
	ClosedSecrets int    `json:"closed_secrets,omitempty"` // connections with a secret that this node's key does not open
}

// plainRoutes are those that are not about mail.
func (s *Server) plainRoutes() {
	answer := func(status, about string) map[string]*huma.Response {
		return map[string]*huma.Response{status: {Description: about}}
	}
	live := op("healthz", http.MethodGet, "/healthz", "server", "", "Is the process alive?", "")
	live.Responses = answer("200", "It is")
	s.router.raw(live, func(w http.ResponseWriter, _ *http.Request) error {
		writeJSON(w, http.StatusOK, "application/json", map[string]string{"status": "ok"})
		return nil
	})
	ready := op("readyz", http.MethodGet, "/readyz", "server", "", "Would a message be stored now?", "Writes and syncs something small. `closed_secrets` counts connections with a secret that this node's key does not open.")
	ready.Responses = answer("200", "Yes")
	ready.Responses["503"] = &huma.Response{Description: "No"}
	s.router.raw(ready, func(w http.ResponseWriter, r *http.Request) error {
		if err := s.opt.Store.Ping(r.Context()); err != nil {
			return err
		}
		closed, err := s.opt.Connections.Closed(r.Context())
		if err != nil {
			return err
		}
		writeJSON(w, http.StatusOK, "application/json", readiness{Status: "ok", ClosedSecrets: closed})
		return nil
	})
	metrics := op("metrics", http.MethodGet, "/metrics", "server", ScopeAdmin, "Measures for Prometheus", "From the machine itself no key is needed, unless a proxy passed the request on; then the figures of single mailboxes and connections are left out.")
	metrics.Responses = map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{"text/plain": {Schema: &huma.Schema{Type: "string"}}}}}
	s.router.raw(localToo(metrics), func(w http.ResponseWriter, r *http.Request) error {
		if caller(r.Context()).admin() {
			s.metrics.handler.ServeHTTP(w, r)
		} else {
			s.metrics.unnamed.ServeHTTP(w, r)
		}
		return nil
	})
	s.router.mux.HandleFunc("GET /problems/{code}", s.problemPage)
	s.router.mux.HandleFunc("GET /problems", s.problemIndex)
	s.router.mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/openapi+json")
		_, _ = w.Write(s.spec) // a reader that left is nobody to tell
	})
	s.router.mux.HandleFunc("GET /openapi.yaml", func(w http.ResponseWriter, r *http.Request) {
		doc, err := s.router.api.OpenAPI().YAML()
		if err != nil {
			writeFailure(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "application/openapi+yaml")
		_, _ = w.Write(doc)
	})
}
