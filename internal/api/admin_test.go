package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/view"
	"github.com/postino-mail/postino/internal/webhook"
)

func TestClientsAndKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	var c, again view.Client
	w.want(w.do(w.admin, "POST", "/v1/clients", map[string]any{"name": "scanner", "networks": []string{"192.0.2.7"},
		"senders": []string{"scan@contoso.it"}, "connection": "Ufficio"}), 201).into(t, &c)
	if !strings.HasPrefix(c.Secret, "pc_") || c.Networks[0] != "192.0.2.7/32" || c.Connection == "Ufficio" || !c.HasSecret {
		t.Errorf("%+v", c)
	}
	basic := func(name, secret string) answer {
		r, err := http.NewRequest("POST", w.http.URL+"/v1/messages",
			strings.NewReader(`{"from":"scan@contoso.it","to":["a@example.com"],"text":"x"}`))
		w.must(err)
		r.SetBasicAuth(name, secret)
		r.Header.Set("Content-Type", "application/json")
		res, err := w.http.Client().Do(r)
		w.must(err)
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		w.must(err)
		return answer{res.StatusCode, res.Header, b}
	}
	w.want(basic("Scanner", c.Secret), http.StatusAccepted)
	w.want(basic("scanner", "wrong"), http.StatusUnauthorized)
	w.want(w.do(w.admin, "POST", "/v1/clients/scanner/rotate", nil), 200).into(t, &again)
	w.want(basic("scanner", c.Secret), http.StatusUnauthorized)
	w.want(basic("scanner", again.Secret), http.StatusAccepted)
	if got := w.do(w.admin, "GET", "/v1/clients/"+c.ID, nil); strings.Contains(string(got.body), again.Secret) ||
		strings.Contains(string(got.body), "sha256") {
		t.Errorf("a secret is shown: %s", got.body)
	}
	w.want(w.do(w.admin, "POST", "/v1/clients", map[string]any{"name": "SCANNER"}), http.StatusConflict)
	w.want(w.do(w.admin, "PUT", "/v1/clients/scanner", map[string]any{"name": "scanner", "revision": 1}), http.StatusConflict)
	w.want(w.do(w.admin, "PUT", "/v1/clients/scanner", map[string]any{"name": "scanner", "revision": again.Revision, "disabled": true}), 200)
	w.want(basic("scanner", again.Secret), http.StatusUnauthorized)
	chosen := map[string]any{"name": "old-erp", "secret": "una-vecchia-password"}
	w.want(w.do(w.admin, "POST", "/v1/clients", chosen), 201)
	if got := basic("old-erp", "una-vecchia-password"); got.status != http.StatusAccepted {
		t.Errorf("%d %s", got.status, got.body)
	}

	var k view.Key
	w.want(w.do(w.admin, "POST", "/v1/keys", map[string]any{"name": "shop", "client": "old-erp", "scopes": []string{ScopeMessagesSend}}),
		201).into(t, &k)
	w.want(w.do(k.Key, "POST", "/v1/messages", note("x")), 202)
	w.want(w.do(k.Key, "GET", "/v1/messages", nil), http.StatusForbidden)
	var list KeyList
	w.want(w.do(w.admin, "GET", "/v1/keys?client=old-erp", nil), 200).into(t, &list)
	if len(list.Items) != 1 || list.Items[0].LastUsedAt.IsZero() || list.Items[0].Key != "" {
		t.Errorf("%+v", list)
	}
	w.want(w.do(w.admin, "DELETE", "/v1/keys/"+k.ID, nil), http.StatusNoContent)
	w.want(w.do(k.Key, "POST", "/v1/messages", note("x")), http.StatusUnauthorized)
	w.want(w.do(w.admin, "DELETE", "/v1/keys/nope", nil), http.StatusNotFound)
	for _, nets := range [][]string{{"0.0.0.0/0"}, {"0.0.0.0/1", "128.0.0.0/1", "::/1"}, {"::ffff:0:0/96"}} {
		w.want(w.do(w.admin, "POST", "/v1/clients", map[string]any{"name": "world", "no_secret": true, "networks": nets}),
			http.StatusUnprocessableEntity)
	}
	w.want(w.do(w.admin, "DELETE", "/v1/clients/scanner", nil), http.StatusNoContent)
	w.want(w.do(w.admin, "GET", "/v1/clients/scanner", nil), http.StatusNotFound)

	clerk := w.addKey("", ScopeClientsWrite)
	w.want(w.do(clerk, "POST", "/v1/keys", map[string]any{"name": "x", "client": "old-erp", "scopes": []string{ScopeMessagesRead}}), 201)
	w.want(w.do(clerk, "POST", "/v1/keys", map[string]any{"name": "x", "scopes": []string{ScopeAdmin}}), http.StatusForbidden)
	w.want(w.do(clerk, "POST", "/v1/keys", map[string]any{"name": "x", "scopes": []string{ScopeMessagesRead}}), http.StatusForbidden)
	w.want(w.do(w.admin, "POST", "/v1/keys", map[string]any{"name": "x", "client": "old-erp", "scopes": []string{ScopeAdmin}}),
		http.StatusUnprocessableEntity)
}

func TestConnections(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	writer := w.addKey("", ScopeConnectionsWrite)
	smtp := map[string]any{"host": "mail.example.com", "login": "x", "password": "hunter2-geheim"}
	var c shownConnection
	a := w.want(w.do(writer, "POST", "/v1/connections", map[string]any{"name": "Due", "provider": "smtp", "from": "x@due.example",
		"smtp": smtp}), 201)
	a.into(t, &c)
	if strings.Contains(string(a.body), "geheim") || !strings.Contains(string(a.body), `"***"`) {
		t.Errorf("%s", a.body)
	}
	w.want(w.do(writer, "POST", "/v1/connections", map[string]any{"name": "due", "provider": "smtp", "from": "x@due.example", "smtp": smtp}),
		http.StatusConflict)
	a = w.want(w.do(writer, "PATCH", "/v1/connections/due",
		map[string]any{"display_name": "Due srl", "limits": map[string]any{"per_minute": 30}}), 200)
	stored, err := w.store.Connection(context.Background(), c.ID)
	w.must(err)
	if stored.DisplayName != "Due srl" || fallback.SettingsOf(&stored.Connection).Password.Reveal() != "hunter2-geheim" {
		t.Errorf("%+v", stored)
	}
	w.want(w.do(writer, "PATCH", "/v1/connections/due", map[string]any{"revision": 1, "display_name": "x"}), http.StatusConflict)
	w.want(w.do(writer, "PUT", "/v1/connections/due", map[string]any{"name": "Due", "provider": "smtp", "from": "x@due.example",
		"revision": stored.Revision, "smtp": map[string]any{"host": "mail.example.com", "login": "x", "password": "***"}}), 200)
	// What GET shows, PUT takes back; a change of what is only shown is refused.
	var shown map[string]any
	w.want(w.do(writer, "GET", "/v1/connections/due", nil), 200).into(t, &shown)
	if shown["state"] == nil {
		t.Errorf("%v", shown)
	}
	w.want(w.do(writer, "PUT", "/v1/connections/due", shown), 200)
	w.want(w.do(writer, "PATCH", "/v1/connections/due", map[string]any{"state": shown["state"]}), http.StatusUnprocessableEntity)
	stored, err = w.store.Connection(context.Background(), c.ID)
	w.must(err)
	if fallback.SettingsOf(&stored.Connection).Password.Reveal() != "hunter2-geheim" {
		t.Errorf("%+v", stored)
	}
	for field, patch := range map[string]map[string]any{
		"smtp.ca_file":        {"smtp": map[string]any{"ca_file": "/etc/shadow"}},
		"smtp.allow_insecure": {"smtp": map[string]any{"allow_insecure": true}},
		"smtp.password":       {"smtp": map[string]any{"host": "attacker.example"}},
		"smtp.host":           {"smtp": map[string]any{"host": "169.254.169.254", "password": "new"}},
		"graph.graph_url": {"provider": "graph", "smtp": nil, "graph": map[string]any{"tenant": "t", "client_id": "c", "client_secret": "s",
			"graph_url": "https://attacker.example"}},
	} {
		var p Problem
		got := w.do(writer, "PATCH", "/v1/connections/due", patch)
		got.into(t, &p)
		if got.status != http.StatusForbidden && got.status != http.StatusUnprocessableEntity || p.Field != field {
			t.Errorf("%s: %d %s", field, got.status, got.body)
		}
	}
	// An administrator is held to the credential too, and may name any server.
	w.want(w.do(w.admin, "PATCH", "/v1/connections/due", map[string]any{"smtp": map[string]any{"host": "10.0.0.1"}}),
		http.StatusUnprocessableEntity)
	w.want(w.do(w.admin, "PUT", "/v1/connections/due", map[string]any{"name": "Due", "provider": "smtp", "from": "x@due.example",
		"revision": stored.Revision, "smtp": map[string]any{"host": "10.0.0.1", "login": "x", "password": "***"}}),
		http.StatusUnprocessableEntity)
	w.want(w.do(w.admin, "PATCH", "/v1/connections/due", map[string]any{"smtp": map[string]any{"host": "10.0.0.1", "password": "new"}}), 200)
	public := func(want bool) {
		t.Helper()
		stored, err = w.store.Connection(context.Background(), c.ID)
		w.must(err)
		if fallback.SettingsOf(&stored.Connection).PublicOnly != want {
			t.Errorf("public_only %v: %v", fallback.SettingsOf(&stored.Connection).PublicOnly, err)
		}
	}
	public(true) // the operator's mark stays until it is taken away by name
	w.want(w.do(w.admin, "PATCH", "/v1/connections/due", map[string]any{"smtp": map[string]any{"public_only": false}}), 200)
	public(false)
	w.want(w.do(writer, "PATCH", "/v1/connections/due", map[string]any{"display_name": "Due"}), 200)
	public(false)
	w.want(w.do(writer, "PATCH", "/v1/connections/due",
		map[string]any{"smtp": map[string]any{"host": "mail.example.org", "password": "new"}}), 200)
	public(true)
	w.want(w.do(writer, "PATCH", "/v1/connections/due", map[string]any{"smtp": map[string]any{"public_only": false}}), 403)
	for _, host := range []string{"localhost", "127.0.0.1", "10.1.2.3", "192.168.0.1", "::1", "::ffff:10.0.0.1", "fd00::1"} {
		w.want(w.do(writer, "POST", "/v1/connections", map[string]any{"name": "Drei", "provider": "smtp", "from": "x@drei.example",
			"smtp": map[string]any{"host": host}}), http.StatusForbidden)
	}
	var p Problem
	w.want(w.do(w.admin, "PATCH", "/v1/connections/due", map[string]any{"limits": map[string]any{"per_minute": -1}, "class": "x"}),
		http.StatusUnprocessableEntity).into(t, &p)
	if len(p.Errors) != 2 {
		t.Errorf("%+v", p)
	}
	w.want(w.do(w.admin, "PATCH", "/v1/connections/due", `{"limts":{}}`), http.StatusUnprocessableEntity)
	w.want(w.do(w.admin, "PATCH", "/v1/connections/due", `{`), http.StatusBadRequest)
	w.want(w.do(writer, "POST", "/v1/connections/due/default", map[string]any{"mode": "unrouted"}), 200)
	w.want(w.do(w.key, "GET", "/v1/connections", nil), http.StatusForbidden)
	future := time.Now().Add(time.Hour)
	w.must(w.store.ChangeConnection(context.Background(), time.Now(), c.ID, store.ConnectionChange{PauseUntil: &future}))
	var list struct{ Items []shownConnection }
	w.want(w.do(writer, "GET", "/v1/connections", nil), 200).into(t, &list)
	if len(list.Items) != 2 || !list.Items[0].State.Paused {
		t.Errorf("%+v", list)
	}
	w.want(w.do(writer, "POST", "/v1/connections/due/resume", nil), 200).into(t, &c)
	if c.State.Paused || c.State.Breaker != "closed" {
		t.Errorf("%+v", c.State)
	}
	w.want(w.do(w.key, "POST", "/v1/messages", note("x")), 202)
	w.want(w.do(writer, "DELETE", "/v1/connections/ufficio", nil), http.StatusConflict)
	w.want(w.do(writer, "DELETE", "/v1/connections/due", nil), http.StatusNoContent)
	w.want(w.do(writer, "GET", "/v1/connections/due", nil), http.StatusNotFound)
}

func TestEventsAndStream(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.serve()
	w.want(w.do(w.key, "POST", "/v1/messages", note("uno")), 202)
	other := w.other()
	w.must(w.store.AppendEvents(context.Background(), store.NewEvent{Type: "delivery.sent", At: time.Now(), Client: other}))
	var page EventPage
	w.want(w.do(w.key, "GET", "/v1/events", nil), 200).into(t, &page)
	if len(page.Items) != 1 || page.Items[0].Type != "message.accepted" || page.Next != page.Items[0].Seq {
		t.Fatalf("%+v", page)
	}
	w.want(w.do(w.admin, "GET", "/v1/events?types=delivery.sent", nil), 200).into(t, &page)
	if len(page.Items) != 1 || page.Items[0].Client != other {
		t.Errorf("%+v", page)
	}
	w.want(w.do(w.key, "GET", "/v1/events/stream?after=x", nil), http.StatusUnprocessableEntity)

	open := func(last string) (*bufio.Scanner, func()) {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		r, err := http.NewRequestWithContext(ctx, "GET", w.http.URL+"/v1/events/stream", nil)
		w.must(err)
		r.Header.Set("Authorization", "Bearer "+w.key)
		if last != "" {
			r.Header.Set("Last-Event-ID", last)
		}
		res, err := w.http.Client().Do(r)
		w.must(err)
		if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" {
			t.Fatal(res.Status)
		}
		return bufio.NewScanner(res.Body), func() { cancel(); res.Body.Close() }
	}
	next := func(sc *bufio.Scanner) (id string, e view.Event) {
		for sc.Scan() {
			switch line := sc.Text(); {
			case strings.HasPrefix(line, "id: "):
				id = line[4:]
			case strings.HasPrefix(line, "data: "):
				w.must(json.Unmarshal([]byte(line[6:]), &e))
				return id, e
			}
		}
		t.Fatal("the stream ended")
		return
	}
	live, stop := open("")
	defer stop()
	for live.Scan() && live.Text() != "retry: 3000" {
	}
	w.want(w.do(w.key, "POST", "/v1/messages", note("due")), 202)
	id, e := next(live)
	if fmt.Sprint(e.Seq) != id || !strings.Contains(string(e.Data), "due") || e.Client != w.client.ID {
		t.Errorf("%+v", e)
	}
	again, stop2 := open("1")
	defer stop2()
	if got, _ := next(again); got != id {
		t.Errorf("after event 1 came %s, want %s", got, id)
	}
}

// serve runs what works beside the requests.
func (w *world) serve() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{}, 2)
	go func() { w.server.events.run(ctx); done <- struct{}{} }()
	go func() { w.server.hooks.Run(ctx); done <- struct{}{} }()
	w.t.Cleanup(func() {
		cancel()
		<-done
		<-done
	})
}

func TestWebhooks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.serve()
	hits, fail := make(chan hit, 20), make(chan int, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		select {
		case code := <-fail:
			rw.WriteHeader(code)
		default:
			hits <- hit{r.Header, b}
		}
	}))
	defer receiver.Close()
	var h view.Webhook
	w.want(w.do(w.key, "POST", "/v1/webhooks", map[string]any{"url": receiver.URL, "types": []string{"message.accepted"}}), 201).into(t, &h)
	if !strings.HasPrefix(h.Secret, "whsec_") || h.Client != w.client.ID {
		t.Fatalf("%+v", h)
	}
	w.want(w.do(w.addKey(w.other(), clientScopes()...), "GET", "/v1/webhooks/"+h.ID, nil), http.StatusNotFound)
	w.want(w.do(w.key, "POST", "/v1/messages", note("uno")), 202)
	verify := func(secret string) (string, webhook.Payload) {
		t.Helper()
		got := receive(t, hits)
		wh, err := standardwebhooks.NewWebhook(secret)
		w.must(err)
		if err := wh.Verify(got.body, got.header); err != nil {
			t.Error(err)
		}
		var p webhook.Payload
		w.must(json.Unmarshal(got.body, &p))
		return got.header.Get("webhook-id"), p
	}
	first, p := verify(h.Secret)
	if p.Type != "message.accepted" || p.Client != w.client.ID || !strings.Contains(string(p.Data), "uno") {
		t.Errorf("%+v", p)
	}
	var rotated, now view.Webhook
	w.want(w.do(w.key, "POST", "/v1/webhooks/"+h.ID+"/rotate", nil), 200).into(t, &rotated)
	w.want(w.do(w.key, "POST", "/v1/webhooks/"+h.ID+"/replay", map[string]any{"after": 0}), 200)
	if again, _ := verify(rotated.Secret); again != first {
		t.Errorf("a repeat has the webhook-id %s, the first had %s", again, first)
	}
	fail <- http.StatusGone
	w.want(w.do(w.key, "POST", "/v1/messages", note("due")), 202)
	for {
		w.want(w.do(w.key, "GET", "/v1/webhooks/"+h.ID, nil), 200).into(t, &now)
		if !now.Active {
			break
		}
	}
	if now.Failures != 1 || !strings.Contains(now.LastError, "410") {
		t.Errorf("%+v", now)
	}
	w.want(w.do(w.key, "PUT", "/v1/webhooks/"+h.ID, map[string]any{"url": receiver.URL, "types": []string{"message.accepted"}}), 200)
	// At least once: an edit just after a delivery may bring that one again.
	for {
		id, p := verify(rotated.Secret)
		if strings.Contains(string(p.Data), "due") {
			break
		}
		if id != first {
			t.Fatalf("%s: %+v", id, p)
		}
	}
	w.want(w.do(w.key, "DELETE", "/v1/webhooks/"+h.ID, nil), http.StatusNoContent)
	w.want(w.do(w.key, "POST", "/v1/webhooks", map[string]any{"url": "ftp://x"}), http.StatusUnprocessableEntity)
}

// A hit is one request that a webhook's receiver got.
type hit struct {
	header http.Header
	body   []byte
}

func receive(t *testing.T, hits <-chan hit) hit {
	t.Helper()
	select {
	case got := <-hits:
		return got
	case <-time.After(10 * time.Second):
		t.Fatal("no webhook came")
		return hit{}
	}
}
