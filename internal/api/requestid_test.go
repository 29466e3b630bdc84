package api

import (
	"strings"
	"testing"
)

// Every answer has the id of its request: the caller's where it is one, and never what
// could break a header or a line of the log.
func TestRequestID(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, path := range []string{"/healthz", "/v1/messages", "/none", "/openapi.json", "/v1/messages/none"} {
		if id := w.do("", "GET", path, nil).header.Get("X-Request-Id"); len(id) != 26 {
			t.Errorf("%s: %q", path, id)
		}
	}
	for given, kept := range map[string]bool{"4f0c-1:2": true, "": false, "a b": false, "a\tb": false, "\"x\"": false, "è": false,
		strings.Repeat("a", 129): false} {
		if id := w.do(w.key, "GET", "/v1/messages", nil, "X-Request-Id", given).header.Get("X-Request-Id"); (id == given) != kept || id == "" {
			t.Errorf("%q: %q", given, id)
		}
	}
}
