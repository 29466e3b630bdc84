package api

import (
	"context"
	"net/http"
	"testing"
)

// A connection to one of our own listeners is refused; a name is looked up only where
// mail may begin to go there: what else is edited does not wait for it.
func TestOwnListenerIsRefused(t *testing.T) {
	t.Parallel()
	asked := 0
	w := newWorld(t, func(o *Options) {
		o.OwnListener = func(_ context.Context, host string, _ int) bool {
			asked++
			return host == "gateway.example"
		}
	})
	c := w.connection("Mia", "mia@own.example", "")
	path := "/v1/connections/" + c.ID
	for _, step := range []struct {
		change map[string]any
		status int
		asked  int
	}{
		{map[string]any{"display_name": "x"}, http.StatusOK, 0},
		{map[string]any{"active": false}, http.StatusOK, 0},
		{map[string]any{"smtp": map[string]any{"host": "gateway.example", "password": "x"}}, http.StatusOK, 0}, // nothing goes there
		{map[string]any{"active": true}, http.StatusUnprocessableEntity, 1},
		{map[string]any{"smtp": map[string]any{"host": "mail.example", "password": "x"}, "active": true}, http.StatusOK, 1},
		{map[string]any{"smtp": map[string]any{"host": "gateway.example", "password": "x"}}, http.StatusUnprocessableEntity, 1},
		{map[string]any{"smtp": map[string]any{"port": 2526, "password": "x"}}, http.StatusOK, 1},
	} {
		asked = 0
		w.want(w.do(w.admin, "PATCH", path, step.change), step.status)
		if asked != step.asked {
			t.Errorf("%v: asked %d times, want %d", step.change, asked, step.asked)
		}
	}
}
