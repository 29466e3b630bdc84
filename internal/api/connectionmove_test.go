package api

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/view"
)

// Lists by page and filter, copies, moves, and the question of the route.
func TestConnectionJobs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	writer := w.addKey("", ScopeConnectionsWrite)
	for i := range 5 {
		w.want(w.do(w.admin, "POST", "/v1/connections", map[string]any{"name": fmt.Sprint("c", i), "provider": "smtp",
			"from": fmt.Sprintf("c%d@due.example", i), "active": i != 3, "owner": fmt.Sprint("o", i%2), "fallback": []string{"c9"},
			"smtp": map[string]any{"host": "smtp.example.com", "login": fmt.Sprint("l", i), "password": "hunter2"}}), http.StatusCreated)
	}
	names := func(query string) (out string, next string) {
		t.Helper()
		var list struct {
			Items []struct {
				Name string `json:"name"`
			} `json:"items"`
			Next string `json:"next"`
		}
		w.want(w.do(writer, "GET", "/v1/connections?"+query, nil), 200).into(t, &list)
		for _, c := range list.Items {
			out += c.Name + " "
		}
		return out, list.Next
	}
	for query, want := range map[string]string{"search=C1%40": "c1 ", "owner=o1": "c1 c3 ", "state=off": "c3 ",
		"active=true&search=due.ex": "c0 c1 c2 c4 ", "state=paused": "", "provider=gmail": "", "search=L2": "c2 "} {
		if got, _ := names(query); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	all := ""
	for after := ""; ; {
		page, next := names("search=c&owner=o0&limit=1&after=" + after)
		all += page
		if after = next; next == "" {
			break
		}
	}
	if all != "c0 c2 c4 " {
		t.Errorf("pages: %q", all)
	}
	w.want(w.do(writer, "GET", "/v1/connections?state=strange", nil), http.StatusUnprocessableEntity)

	// A copy has secrets for the administrator alone, and only for the same destination.
	w.want(w.do(writer, "POST", "/v1/connections/c0/duplicate", map[string]any{}), http.StatusUnprocessableEntity)
	w.want(w.do(writer, "POST", "/v1/connections/c0/duplicate", map[string]any{"name": "c1"}), http.StatusConflict)
	type copied struct {
		Active   bool  `json:"active"`
		Revision int64 `json:"revision"`
		SMTP     struct {
			Password string `json:"password"`
		} `json:"smtp"`
	}
	var c, bare copied
	w.want(w.do(w.admin, "POST", "/v1/connections/c0/duplicate", map[string]any{"name": "copy"}), http.StatusCreated).into(t, &c)
	if c.Active || c.SMTP.Password == "" || c.Revision != 1 {
		t.Errorf("the copy is %+v", c)
	}
	w.want(w.do(w.admin, "POST", "/v1/connections/c0/duplicate", map[string]any{"name": "x", "smtp": map[string]any{"host": "b.example.com"}}),
		http.StatusUnprocessableEntity)
	w.want(w.do(writer, "POST", "/v1/connections/c0/duplicate", map[string]any{"name": "bare"}), http.StatusCreated).into(t, &bare)
	if bare.SMTP.Password != "" {
		t.Error("a copy of somebody who is no administrator has the secret")
	}

	// A removal moves what waits; a rename is followed by the chains.
	sent := w.want(w.do(w.key, "POST", "/v1/messages", map[string]any{"from": "c1@due.example", "to": []string{"a@example.com"},
		"subject": "s", "text": "t", "connection": "c1"}), http.StatusAccepted)
	var m struct {
		ID string `json:"id"`
	}
	sent.into(t, &m)
	w.want(w.do(writer, "DELETE", "/v1/connections/c1", nil), http.StatusConflict)
	w.want(w.do(writer, "DELETE", "/v1/connections/c1?move_to=c1", nil), http.StatusUnprocessableEntity)
	w.want(w.do(writer, "DELETE", "/v1/connections/c1?move_to=nobody", nil), http.StatusNotFound)
	w.want(w.do(writer, "POST", "/v1/connections/c1/move", map[string]any{"to": "c2"}), 200)
	var attempts struct {
		Items []view.Attempt `json:"items"`
	}
	w.want(w.do(w.admin, "GET", "/v1/messages/"+m.ID+"/attempts", nil), 200).into(t, &attempts)
	if len(attempts.Items) != 1 || attempts.Items[0].Kind != "move" {
		t.Errorf("attempts %+v", attempts)
	}
	w.want(w.do(writer, "DELETE", "/v1/connections/c2?move_to=c4", nil), http.StatusNoContent)
	w.want(w.do(writer, "PATCH", "/v1/connections/c4", map[string]any{"name": "c8", "fallback": nil}), 200)
	w.want(w.do(writer, "POST", "/v1/connections/copy/duplicate", map[string]any{"name": "c9", "fallback": nil, "active": true}),
		http.StatusUnprocessableEntity) // a copy has no secret of another's
	w.want(w.do(writer, "POST", "/v1/connections/copy/duplicate", map[string]any{"name": "c9", "fallback": nil, "active": true,
		"smtp": map[string]any{"password": "hunter2"}}), http.StatusCreated)

	for _, ask := range []answer{
		w.do(writer, "GET", "/v1/connections/route?from=c0@due.example&to=a@example.com&to=b@example.com&size=5", nil),
		w.do(writer, "POST", "/v1/connections/route", map[string]any{"from": "c0@due.example"}),
	} {
		var r view.Route
		w.want(ask, 200).into(t, &r)
		if r.Chosen == nil || r.Chosen.Name != "c0" || r.Rule != "address" || len(r.Fallbacks) != 1 || !r.Fallbacks[0].Usable {
			t.Errorf("route %+v", r)
		}
	}
	w.want(w.do(writer, "GET", "/v1/connections/route", nil), http.StatusUnprocessableEntity)
	w.want(w.do(writer, "GET", "/v1/connections/route?from=x%40y.example&client=nobody", nil), http.StatusNotFound)
}

// Clients and chains of others may name a connection, so that its successor is an
// administrator's to choose: an operator who is refused that has moved nothing.
func TestOperatorNamesNoSuccessor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	op := w.person("op@own.example", store.RoleOperator)
	from := w.connection("Uno", "uno@own.example", op.ID)
	w.connection("Due", "due@own.example", op.ID)
	key := w.personsKey(op)
	w.want(w.do(key, "POST", "/v1/messages", map[string]any{"from": "uno@own.example", "to": []string{"a@example.com"}, "subject": "s",
		"text": "t", "connection": "Uno"}), http.StatusAccepted)
	w.want(w.do(key, "DELETE", "/v1/connections/Uno?move_to=Due", nil), http.StatusForbidden)
	if n, err := w.store.Count(t.Context(), store.Filter{Connection: from.ID}, 10); err != nil || n.N != 1 {
		t.Errorf("%+v left, %v", n, err)
	}
}
