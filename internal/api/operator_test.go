package api

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/view"
)

// others is what an operator must not come near: a connection, mail, a client, a
// key, a webhook, a person and an entry of the trail of others.
func (w *world) others() (ids map[string]string, secret []string) {
	w.t.Helper()
	ctx := context.Background()
	var m Accepted
	w.want(w.do(w.key, "POST", "/v1/messages", note("segreto-subject")), http.StatusAccepted).into(w.t, &m)
	var h view.Webhook
	w.want(w.do(w.key, "POST", "/v1/webhooks", map[string]any{"url": "https://127.0.0.1/segreto-hook"}), http.StatusCreated).into(w.t, &h)
	p := w.person("anna@contoso.it", store.RoleAdmin)
	keys, err := w.store.APIKeys(ctx, w.client.ID)
	w.must(err)
	c := w.othersConnection()
	ids = map[string]string{"/v1/messages/": m.ID, "/v1/webhooks/": h.ID, "/v1/people/": p.ID, "/v1/clients/": w.client.ID,
		"/v1/keys/": keys[0].ID, "/v1/connections/": c}
	return ids, append([]string{"segreto", "Ufficio", "anna@contoso.it", m.ID, m.Deliveries[0], c, w.client.ID}, h.ID)
}

// bodies are requests that would be right, so that the owner of the record must be what
// refuses them.
func otherBodies(c string) map[string]string {
	return map[string]string{
		"PUT /v1/connections/{id}": `{"name":"Mia2","provider":"smtp","from":"x@own.example","revision":1,"smtp":{"host":"smtp.example.com",` +
			`"login":"l","password":"p"}}`,
		"PATCH /v1/connections/{id}":        `{"display_name":"x"}`,
		"POST /v1/connections/{id}/default": `{"mode":"no"}`,
		"POST /v1/connections/{id}/move":    `{"to":"Mia"}`,
		"POST /v1/connections/{id}/migrate": `{"to":"graph","connection":{"graph":{"tenant":"own.example"}}}`,
		"POST /v1/connections/plan":         `{"connections":[],"prune":true}`,
		"POST /v1/connections/import":       `{"content":"name,active\nMia,yes\n","dry_run":true}`,
		"POST /v1/webhooks":                 `{"url":"https://127.0.0.1/own"}`,
		"PUT /v1/webhooks/{id}":             `{"url":"https://127.0.0.1/own"}`,
		"POST /v1/webhooks/{id}/replay":     `{"after":0}`,
		"POST /v1/messages":                 `{"from":"a@contoso.it","to":["x@example.org"],"subject":"s","text":"t","connection":"` + c + `"}`,
		"POST /v1/messages/batch": `{"messages":[{"from":"a@contoso.it","to":["x@example.org"],"subject":"s","text":"t","connection":"` +
			c + `"}]}`,
		"POST /v1/clients": `{"name":"own"}`, "PUT /v1/clients/{id}": `{"name":"own","revision":1}`,
		"POST /v1/keys": `{"name":"own","scopes":["admin"]}`, "POST /v1/people": `{"email":"x@own.example","role":"admin"}`,
		"PATCH /v1/people/{id}": `{"role":"operator"}`,
	}
}

// TestOperatorWalk tries every operation of /openapi.json as an operator, in a
// session and by a key, on what is another's. What names a record is refused with
// 403 or 404, and no answer, list or stream has a word of it.
func TestOperatorWalk(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	ids, secret := w.others()
	op := w.person("op@own.example", store.RoleOperator)
	own := w.connection("Mia", "mia@own.example", op.ID)
	key := w.personsKey(op)
	bodies := otherBodies(ids["/v1/connections/"])
	before, h := w.trail(), ids["/v1/webhooks/"]
	for path, item := range w.server.router.api.OpenAPI().Paths {
		for method, o := range map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PUT": item.Put, "PATCH": item.Patch,
			"DELETE": item.Delete} {
			if o == nil || path == "/v1/events/stream" || strings.HasPrefix(path, "/v1/me") || strings.HasPrefix(path, "/v1/sign") {
				continue
			}
			at, named := path, false
			for prefix, id := range ids {
				if strings.HasPrefix(path, prefix) && strings.Contains(path, "{id}") {
					at, named = strings.ReplaceAll(path, "{id}", id), true
				}
			}
			if strings.HasSuffix(path, "/script") { // required: without it the owner is not looked at
				at += "?for=entra"
			}
			body := bodies[method+" "+path]
			if body == "" && method != "GET" && method != "DELETE" {
				body = "{}"
			}
			headers := []string{"Cookie", w.signIn(op.Email)}
			for who, a := range map[string]answer{"session": w.do("", method, at, body, headers...), "key": w.do(key, method, at, body),
				"again": w.do("", method, at, body, append(headers, "Idempotency-Key", "k:"+method+path)...)} {
				if who == "again" && (method != "POST" || strings.Contains(string(a.body), "does not take an Idempotency-Key")) {
					continue
				}
				if named && a.status != http.StatusNotFound && a.status != http.StatusForbidden {
					t.Errorf("%s %s by %s: %d %s", method, path, who, a.status, a.body)
				}
				if strings.HasPrefix(path, "/v1/messages") && method == "POST" && a.status < 400 {
					t.Errorf("%s %s by %s: sent by another's connection: %s", method, path, who, a.body)
				}
				for _, s := range secret {
					if strings.Contains(string(a.body), s) && !strings.Contains(body+at, s) {
						t.Errorf("%s %s by %s shows %q: %s", method, path, who, s, a.body)
					}
				}
			}
		}
	}
	for _, e := range w.trail()[len(before):] {
		own := e.Actor.ID == op.ID && (e.Kind == store.KindWebhook || e.Action == store.AuditExport) && e.Object != h
		if e.Kind != store.KindSession && !own {
			t.Errorf("something has changed: %+v", e)
		}
	}
	// Lists with filters that name what is another's.
	for _, q := range []string{"/v1/messages?connection=" + ids["/v1/connections/"], "/v1/messages?client=" + w.client.ID,
		"/v1/messages?recipient=example", "/v1/events?after=0", "/v1/lanes", "/v1/connections"} {
		a := w.as(w.signIn(op.Email), "GET", q, nil)
		for _, s := range secret {
			if strings.Contains(string(a.body), s) && !strings.Contains(q, s) {
				t.Errorf("%s shows %q: %s", q, s, a.body)
			}
		}
	}
	// Their own all works.
	cookie := w.signIn(op.Email)
	var m Accepted
	w.want(w.as(cookie, "POST", "/v1/messages", map[string]any{"from": "mia@own.example", "to": []string{"x@example.org"}, "subject": "s",
		"text": "t"}), http.StatusAccepted).into(t, &m)
	if m.Connection.ID != own.ID {
		t.Errorf("sent by %+v", m.Connection)
	}
	w.want(w.as(cookie, "GET", "/v1/messages/"+m.ID, nil), http.StatusOK)
	w.want(w.as(cookie, "GET", "/v1/messages/"+m.ID+"/raw", nil), http.StatusOK)
	w.want(w.as(cookie, "POST", "/v1/messages/"+m.ID+"/hold", nil), http.StatusOK)
	w.want(w.as(cookie, "PATCH", "/v1/connections/"+own.ID, map[string]any{"display_name": "x"}), http.StatusOK)
	var page MessagePage
	w.want(w.as(cookie, "GET", "/v1/messages", nil), http.StatusOK).into(t, &page)
	var lanes LaneList
	w.want(w.as(cookie, "GET", "/v1/lanes", nil), http.StatusOK).into(t, &lanes)
	var events EventPage
	w.want(w.as(cookie, "GET", "/v1/events", nil), http.StatusOK).into(t, &events)
	if len(page.Items) != 1 || len(lanes.Items) != 1 || len(events.Items) == 0 {
		t.Errorf("%d messages, %d lanes, %d events", len(page.Items), len(lanes.Items), len(events.Items))
	}
}

// trail is the whole audit trail, the oldest entry first.
func (w *world) trail() []store.AuditEntry {
	w.t.Helper()
	page, err := w.store.AuditEntries(context.Background(), store.AuditRequest{Limit: 1000})
	w.must(err)
	out := make([]store.AuditEntry, 0, len(page.Entries))
	for i := range page.Entries {
		out = append(out, page.Entries[len(page.Entries)-1-i])
	}
	return out
}

// What would reach beyond an operator's own connections is an administrator's.
func TestOperatorKeepsToTheirOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	op := w.person("op@own.example", store.RoleOperator)
	w.connection("Mia", "mia@own.example", op.ID)
	cookie := w.signIn(op.Email)
	smtp := func(change map[string]any) map[string]any {
		doc := map[string]any{"name": "Nuova", "provider": "smtp", "from": "nuova@own.example",
			"smtp": map[string]any{"host": "smtp.example.com", "login": "l", "password": "p"}}
		for k, v := range change {
			doc[k] = v
		}
		return doc
	}
	for what, change := range map[string]map[string]any{
		"another's owner": {"owner": "somebody"}, "default": {"default": "unrouted"}, "always": {"default": "always"},
		"another's fallback": {"fallback": []string{"Ufficio"}}, "another's sender": {"from": "erp@contoso.it"},
		"another's domain": {"aliases": []string{"*@contoso.it"}}, "bulk of all": {"class": "bulk"},
		"the local network": {"smtp": map[string]any{"host": "192.168.1.1", "login": "l", "password": "p"}},
	} {
		a := w.as(cookie, "POST", "/v1/connections", smtp(change))
		if a.status != http.StatusForbidden {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
		if strings.Contains(what, "network") {
			continue
		}
		if a := w.as(cookie, "PATCH", "/v1/connections/Mia", change); a.status != http.StatusForbidden {
			t.Errorf("%s by an edit: %d %s", what, a.status, a.body)
		}
	}
	w.want(w.as(cookie, "POST", "/v1/connections", smtp(map[string]any{"fallback": []string{"Mia"}})), http.StatusCreated)
	stored, err := w.store.ConnectionNamed(context.Background(), "Nuova")
	w.must(err)
	if stored.Owner != op.ID {
		t.Errorf("owner %q", stored.Owner)
	}
	// What an administrator has set stays, and is not the operator's to take away.
	w.want(w.do(w.admin, "POST", "/v1/connections/Mia/default", map[string]any{"mode": "always"}), http.StatusOK)
	w.want(w.as(cookie, "PATCH", "/v1/connections/Mia", map[string]any{"display_name": "Mia"}), http.StatusOK)
	w.want(w.as(cookie, "POST", "/v1/connections/Mia/default", map[string]any{"mode": "no"}), http.StatusForbidden)
}

// The trail names who, from where and what, for each way in.
func TestAuditTrailByAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.person("anna@contoso.it", store.RoleAdmin)
	cookie := w.signIn("anna@contoso.it")
	w.want(w.as(cookie, "PATCH", "/v1/connections/Ufficio", map[string]any{"display_name": "ERP"}, "User-Agent", "Firefox"), http.StatusOK)
	w.want(w.do(w.admin, "PATCH", "/v1/connections/Ufficio", map[string]any{"smtp": map[string]any{"password": "segreto-2"}}), http.StatusOK)
	a := w.want(w.do(w.admin, "GET", "/v1/audit?kind=connection&person=anna@contoso.it", nil), http.StatusOK)
	var page AuditPage
	a.into(t, &page)
	if len(page.Items) != 1 {
		t.Fatalf("%s", a.body)
	}
	e := page.Items[0]
	if e.Actor.Kind != store.ActorPerson || e.Actor.Name != "anna@contoso.it" || e.Actor.Address != "127.0.0.1" ||
		e.Actor.Program != "Firefox" || e.Actor.Via != store.ViaAPI ||
		len(e.Changes) != 1 || e.Changes[0].Field != "display_name" || time.Since(e.At) > time.Minute {
		t.Errorf("%+v", e)
	}
	a = w.want(w.do(w.admin, "GET", "/v1/audit?limit=1", nil), http.StatusOK)
	a.into(t, &page)
	if e := page.Items[0]; e.Actor.Kind != store.ActorKey || e.Changes[0].Field != "smtp.password" ||
		e.Changes[0].After != "***" || page.Next == 0 {
		t.Errorf("%s", a.body)
	}
	if all := w.do(w.admin, "GET", "/v1/audit?limit=1000", nil); strings.Contains(string(all.body), "segreto") {
		t.Errorf("a secret in the trail: %s", all.body)
	}
}
