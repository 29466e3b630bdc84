package graph

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
)

// maxBatch is how many requests a batch may have (L7).
const maxBatch = 20

type batchRequest struct {
	ID        string            `json:"id"`
	Method    string            `json:"method"`
	URL       string            `json:"url"`
	Headers   map[string]string `json:"headers"`
	Body      json.RawMessage   `json:"body"`
	DependsOn []string          `json:"dependsOn"`
}

type batchResponse struct {
	ID      string            `json:"id"`
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    any               `json:"body,omitempty"`
}

// batch answers POST /v1.0/$batch (L7): each request as if it had come alone, in their order,
// with the token of the batch.
func (g *Server) batch(single http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		g.core.Count("graph.batch")
		stampIDs(w, r)
		var doc struct {
			Requests []batchRequest `json:"requests"`
		}
		fail := func(text string) { g.writeError(w, r, http.StatusBadRequest, "BadRequest", text) }
		data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, g.core.Switches().GraphBodyLimit))
		if err != nil {
			g.writeError(w, r, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "The request is too large.")
			return
		}
		if err := json.Unmarshal(data, &doc); err != nil {
			fail("Invalid batch payload format.")
			return
		}
		if len(doc.Requests) == 0 || len(doc.Requests) > maxBatch {
			fail("The batch request must have 1 to " + strconv.Itoa(maxBatch) + " requests.")
			return
		}
		done := make(map[string]int)
		answers := make([]batchResponse, 0, len(doc.Requests))
		for _, one := range doc.Requests {
			if _, twice := done[one.ID]; one.ID == "" || twice || one.Method == "" || !strings.HasPrefix(one.URL, "/") {
				fail("Each request has an id of its own, a method and a url that begins with a slash.")
				return
			}
			answer := g.batched(single, r, one, done)
			done[one.ID] = answer.Status
			answers = append(answers, answer)
		}
		core.WriteJSON(w, http.StatusOK, map[string]any{"responses": answers})
	}
}

// batched makes one request of a batch; done has the statuses of those before it.
func (g *Server) batched(single http.Handler, outer *http.Request, one batchRequest, done map[string]int) batchResponse {
	if slices.ContainsFunc(one.DependsOn, func(id string) bool { return done[id] == 0 || done[id] >= 400 }) {
		return batchResponse{ID: one.ID, Status: http.StatusFailedDependency,
			Body: batchError("FailedDependency", "A request that this one depends on failed.")}
	}
	body := []byte(one.Body)
	var text string
	if json.Unmarshal(one.Body, &text) == nil { // what is no JSON stands as a string
		body = []byte(text)
	}
	if string(body) == "null" {
		body = nil
	}
	address := "https://" + outer.Host + "/v1.0" + strings.TrimPrefix(one.URL, "/v1.0") // B11.7
	req, err := http.NewRequestWithContext(outer.Context(), strings.ToUpper(one.Method), address, bytes.NewReader(body))
	if err != nil {
		return batchResponse{ID: one.ID, Status: http.StatusBadRequest, Body: batchError("BadRequest", "Invalid request URL or method.")}
	}
	req.Header.Set("Authorization", outer.Header.Get("Authorization"))
	req.Header.Set("Content-Length", strconv.Itoa(len(body)))
	for name, v := range one.Headers {
		req.Header.Set(name, v)
	}
	rec := &recorder{header: make(http.Header), status: http.StatusOK}
	single.ServeHTTP(rec, req)
	out := batchResponse{ID: one.ID, Status: rec.status, Headers: make(map[string]string)}
	for name := range rec.header {
		out.Headers[name] = rec.header.Get(name)
	}
	switch {
	case rec.body.Len() == 0:
	case strings.HasPrefix(rec.header.Get("Content-Type"), "application/json"):
		out.Body = json.RawMessage(rec.body.Bytes())
	default:
		out.Body = rec.body.Bytes() // base64
	}
	return out
}

func batchError(code, message string) any {
	return map[string]any{"error": map[string]string{"code": code, "message": message}}
}

// A recorder keeps an answer.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
	wrote  bool
}

// Header is that of the answer.
func (r *recorder) Header() http.Header { return r.header }

// WriteHeader keeps the first status.
func (r *recorder) WriteHeader(status int) {
	if !r.wrote {
		r.status, r.wrote = status, true
	}
}

// Write keeps the body.
func (r *recorder) Write(p []byte) (int, error) {
	r.wrote = true
	return r.body.Write(p)
}
