package api

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/view"
)

// An operator makes, lists and revokes keys of their own, which may no more than
// they, and no one else's.
func TestOperatorsKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	op, other := w.person("op@own.example", store.RoleOperator), w.person("bruno@own.example", store.RoleOperator)
	own := w.connection("Mia", "mia@own.example", op.ID)
	cookie := w.signIn(op.Email)
	othersKey := w.personsKey(other)
	for name, body := range map[string]map[string]any{
		"another's":        {"name": "x", "person": other.ID},
		"a client's":       {"name": "x", "client": w.client.ID, "scopes": []string{"messages:send"}},
		"an admin's":       {"name": "x", "scopes": []string{"admin"}},
		"more than theirs": {"name": "x", "scopes": []string{"messages:read", "clients:write"}},
	} {
		if a := w.as(cookie, "POST", "/v1/keys", body); a.status != http.StatusForbidden {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	var all, read view.Key
	w.want(w.as(cookie, "POST", "/v1/keys", map[string]any{"name": "all"}), http.StatusCreated).into(t, &all)
	w.want(w.as(cookie, "POST", "/v1/keys", map[string]any{"name": "read", "scopes": []string{"connections:read"}}),
		http.StatusCreated).into(t, &read)
	var list KeyList
	w.want(w.as(cookie, "GET", "/v1/keys", nil), http.StatusOK).into(t, &list)
	if len(list.Items) != 2 || strings.Contains(string(w.as(cookie, "GET", "/v1/keys", nil).body), other.ID) {
		t.Errorf("keys: %+v", list.Items)
	}
	w.want(w.do(all.Key, "GET", "/v1/keys", nil), http.StatusOK)
	w.want(w.do(all.Key, "POST", "/v1/keys", map[string]any{"name": "more"}), http.StatusForbidden) // a key makes no key
	w.want(w.do(all.Key, "DELETE", "/v1/keys/"+read.ID, nil), http.StatusForbidden)
	w.want(w.do(read.Key, "GET", "/v1/keys", nil), http.StatusForbidden)
	w.want(w.do(read.Key, "GET", "/v1/connections/"+own.ID, nil), http.StatusOK)
	w.want(w.do(read.Key, "PATCH", "/v1/connections/"+own.ID, map[string]any{"display_name": "x"}), http.StatusForbidden)
	w.want(w.do(all.Key, "GET", "/v1/connections/"+w.othersConnection(), nil), http.StatusNotFound)
	keys, err := w.store.APIKeys(context.Background(), "")
	w.must(err)
	for _, k := range keys {
		if k.Person == op.ID {
			continue
		}
		if a := w.as(cookie, "DELETE", "/v1/keys/"+k.ID, nil); a.status != http.StatusNotFound {
			t.Errorf("another's key: %d %s", a.status, a.body)
		}
	}
	w.want(w.as(cookie, "DELETE", "/v1/keys/"+all.ID, nil), http.StatusNoContent)
	w.want(w.do(all.Key, "GET", "/v1/connections", nil), http.StatusUnauthorized)
	w.want(w.do(othersKey, "GET", "/v1/connections", nil), http.StatusOK)
}

// An operator's webhook is theirs alone, and tests of it are signed calls.
func TestOperatorsWebhooks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	op, other := w.person("op@own.example", store.RoleOperator), w.person("bruno@own.example", store.RoleOperator)
	w.connection("Mia", "mia@own.example", op.ID)
	cookie := w.signIn(op.Email)
	var h view.Webhook
	w.want(w.as(cookie, "POST", "/v1/webhooks", map[string]any{"url": "https://127.0.0.1:1/own"}), http.StatusCreated).into(t, &h)
	if h.Person != op.ID || h.Client != "" || h.Secret == "" {
		t.Errorf("%+v", h)
	}
	if a := w.as(cookie, "POST", "/v1/webhooks", map[string]any{"url": "https://127.0.0.1:1/own", "client": w.client.ID}); a.status < 400 {
		t.Errorf("events of another's client: %d %s", a.status, a.body)
	}
	var call view.WebhookCall
	w.want(w.as(cookie, "POST", "/v1/webhooks/"+h.ID+"/test", nil, "Accept-Language", "it"), http.StatusOK).into(t, &call)
	if call.OK || call.Problem == "" || !strings.Contains(call.Problem, "destinatario") || call.Type != "webhook.test" {
		t.Errorf("%+v", call)
	}
	w.want(w.as(cookie, "GET", "/v1/webhooks/"+h.ID+"/deliveries", nil), http.StatusOK)
	others := w.signIn(other.Email)
	for _, line := range []string{"GET /v1/webhooks/", "DELETE /v1/webhooks/", "POST /v1/webhooks//test", "POST /v1/webhooks//rotate",
		"GET /v1/webhooks//deliveries"} {
		method, path, _ := strings.Cut(line, " ")
		at := strings.Replace(path+"", "/v1/webhooks/", "/v1/webhooks/"+h.ID, 1)
		if a := w.as(others, method, at, nil); a.status != http.StatusNotFound {
			t.Errorf("%s by another: %d %s", line, a.status, a.body)
		}
	}
	var list WebhookList
	w.want(w.as(others, "GET", "/v1/webhooks", nil), http.StatusOK).into(t, &list)
	if len(list.Items) != 0 {
		t.Errorf("another sees %+v", list.Items)
	}
	w.want(w.do(w.admin, "DELETE", "/v1/people/"+op.ID, nil), http.StatusNoContent)
	if all, err := w.store.Webhooks(context.Background()); err != nil || len(all) != 0 {
		t.Errorf("the person is gone, the webhook is not: %+v, %v", all, err)
	}
}

// An operator's part of the trail: what they did, and what others did with what
// is theirs, without from where.
func TestOperatorsTrail(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	op := w.person("op@own.example", store.RoleOperator)
	own := w.connection("Mia", "mia@own.example", op.ID)
	cookie := w.signIn(op.Email)
	w.want(w.as(cookie, "PATCH", "/v1/connections/"+own.ID, map[string]any{"display_name": "by me"}), http.StatusOK)
	w.want(w.do(w.admin, "PATCH", "/v1/connections/"+own.ID, map[string]any{"display_name": "by the admin"}, "User-Agent", "Firefox-segreto"),
		http.StatusOK)
	w.want(w.do(w.admin, "PATCH", "/v1/connections/"+w.othersConnection(), map[string]any{"display_name": "segreto"}), http.StatusOK)
	a := w.want(w.as(cookie, "GET", "/v1/audit?kind=connection", nil), http.StatusOK)
	var page AuditPage
	a.into(t, &page)
	if strings.Contains(string(a.body), "segreto") || !strings.Contains(string(a.body), "by me") ||
		!strings.Contains(string(a.body), "by the admin") {
		t.Errorf("%s", a.body)
	}
	for _, e := range page.Items {
		if e.Object != own.ID && e.Actor.ID != op.ID {
			t.Errorf("an entry of others: %+v", e)
		}
	}
	file := w.want(w.as(cookie, "GET", "/v1/audit/export?kind=connection", nil), http.StatusOK)
	if n := strings.Count(string(file.body), "\n"); n != len(page.Items)+1 || strings.Contains(string(file.body), "segreto") {
		t.Errorf("%d lines of %d entries: %s", n, len(page.Items), file.body)
	}
	w.want(w.as(cookie, "GET", "/v1/audit/export?kind=connection&format=jsonl&since=2026-01-01T00:00:00Z", nil), http.StatusOK)
	w.want(w.as(cookie, "GET", "/v1/audit/export?since=yesterday", nil), http.StatusUnprocessableEntity)
	w.want(w.as(cookie, "GET", "/v1/audit/export?format=xml", nil), http.StatusUnprocessableEntity)
}

// Exports are in the trail: who, what, chosen by what, how many.
func TestExportsAreEntered(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.want(w.do(w.key, "POST", "/v1/messages", note("hello")), 202)
	for _, c := range []struct{ path, kind, field string }{
		{"/v1/connections/export?format=csv", store.KindConnection, "secrets"},
		{"/v1/audit/export?kind=connection", store.KindAudit, "filter.kind"},
		{"/v1/messages/export?q=hello&state=queued", store.KindQueue, "filter.state"},
	} {
		w.want(w.do(w.admin, "GET", c.path, nil), http.StatusOK)
		trail := w.trail()
		e := trail[len(trail)-1]
		found := false
		for _, change := range e.Changes {
			found = found || change.Field == c.field
		}
		if e.Action != store.AuditExport || e.Kind != c.kind || e.Count == 0 || !found || e.Actor.Kind != store.ActorKey || e.At.IsZero() {
			t.Errorf("%s: %+v", c.path, e)
		}
	}
}
