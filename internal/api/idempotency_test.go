package api

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

func TestIdempotency(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	type reply struct {
		status int
		body   string
	}
	got := make([]reply, 16)
	var all sync.WaitGroup
	for i := range got {
		all.Go(func() {
			a := w.do(w.key, "POST", "/v1/messages", note("una volta"), "Idempotency-Key", "k-1")
			got[i] = reply{a.status, string(a.body)}
		})
	}
	all.Wait()
	for _, g := range got {
		if g.status != 202 || g != got[0] {
			t.Errorf("%+v differs from %+v", g, got[0])
		}
	}
	if n := w.messages(); n != 1 {
		t.Errorf("%d messages", n)
	}
	var p Problem
	w.want(w.do(w.key, "POST", "/v1/messages", note("altro"), "Idempotency-Key", "k-1"), 422).into(t, &p)
	if p.Code != "idempotency_key" {
		t.Errorf("%+v", p)
	}
	// another client's keys are its own
	w.want(w.do(w.addKey(w.other(), clientScopes()...), "POST", "/v1/messages", note("altro"), "Idempotency-Key", "k-1"), 202)
	// and so are those of keys that belong to no client
	for range 2 {
		w.want(w.do(w.addKey("", ScopeMessagesSend), "POST", "/v1/messages", note("di nessun cliente"), "Idempotency-Key", "k-none"), 202)
	}
	if n := w.messages(); n != 4 {
		t.Errorf("%d messages, not 4", n)
	}
	// A form has another boundary at each try and is the same request.
	form := func(content string) answer {
		var b bytes.Buffer
		mw := multipart.NewWriter(&b)
		w.must(mw.WriteField("message", `{"from":"erp@contoso.it","to":["a@example.com"],"text":"x"}`))
		f, err := mw.CreateFormFile("attachments", "a.txt")
		w.must(err)
		_, err = io.WriteString(f, content)
		w.must(err)
		w.must(mw.Close())
		return w.do(w.key, "POST", "/v1/messages", &b, "Content-Type", mw.FormDataContentType(), "Idempotency-Key", "k-2")
	}
	first := w.want(form("uno"), 202)
	if again := w.want(form("uno"), 202); !bytes.Equal(again.body, first.body) {
		t.Errorf("%s\n%s", first.body, again.body)
	}
	w.want(form("due"), 422)
	raw := func(rcpt string) answer {
		return w.do(w.key, "POST", "/v1/messages?rcpt="+rcpt, strings.NewReader("From: erp@contoso.it\r\n\r\nx\r\n"), "Content-Type",
			"message/rfc822", "Idempotency-Key", "k-3")
	}
	w.want(raw("a@example.com"), 202)
	w.want(raw("a@example.com"), 202)
	w.want(raw("b@example.com"), 422)
	w.noSpool()
}

// A repeat gets the first answer though nothing would let it pass today: its
// connection is gone, and its client's rate is spent.
func TestRepeatIsAnsweredWithoutChecks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	client := *w.client
	client.PerMinute = 4 // the first requests take them all
	_, err := w.store.PutClient(t.Context(), client)
	w.must(err)
	send := func(path string, body any, headers ...string) answer {
		return w.do(w.key, "POST", path, body, append(headers, "Idempotency-Key", "k"+path)...)
	}
	one, batch := "/v1/messages", "/v1/messages/batch"
	raw := func(text string) answer {
		return w.do(w.key, "POST", one, strings.NewReader("From: erp@contoso.it\r\nTo: a@example.com\r\n\r\n"+text), "Content-Type",
			"message/rfc822", "Idempotency-Key", "raw")
	}
	several := map[string]any{"messages": []any{note("a"), note("b")}}
	first := []answer{w.want(send(one, note("x")), 202), w.want(send(batch, several), 202), w.want(raw("x"), 202)}

	var list struct{ Items []shownConnection }
	w.want(w.do(w.admin, "GET", "/v1/connections", nil), 200).into(t, &list)
	for _, c := range list.Items {
		w.want(w.do(w.admin, "PATCH", "/v1/connections/"+c.ID, map[string]any{"active": false}), 200)
	}
	for range 3 {
		for i, again := range []answer{send(one, note("x")), send(batch, several), raw("x")} {
			if again.status != 202 || !bytes.Equal(again.body, first[i].body) {
				t.Errorf("the repeat of %d: %d %s, first was %s", i, again.status, again.body, first[i].body)
			}
		}
	}
	if n := w.messages(); n != 4 {
		t.Errorf("%d messages", n)
	}
	for _, other := range []answer{send(one, note("y")), send(batch, map[string]any{"messages": []any{note("a")}}), raw("y")} {
		var p Problem
		w.want(other, 422).into(t, &p)
		if p.Code != "idempotency_key" {
			t.Errorf("another request under a known key: %+v", p)
		}
	}
	var p Problem // and without a known key it does not pass
	w.want(w.do(w.key, "POST", one, note("x"), "Idempotency-Key", "new"), 429).into(t, &p)
	if p.Code != "rate" {
		t.Errorf("%+v", p)
	}
	w.noSpool()
}

// Names of API keys may be the same: what each of them repeats, and what is
// counted for it, is its own.
func TestKeysOfOneName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	doc := map[string]any{"name": "due", "provider": "smtp", "from": "x@due.example", "smtp": map[string]any{"host": "mail.example.com"}}
	create := func(key string) answer { return w.do(key, "POST", "/v1/connections", doc, "Idempotency-Key", "k") }
	first, second := w.addKey("", ScopeConnectionsWrite), w.addKey("", ScopeConnectionsWrite)
	w.want(create(first), 201)
	w.want(create(first), 201)
	w.want(create(second), 409)

	var spaces []string
	for _, key := range []string{first, second} {
		r := httptest.NewRequest("GET", "/v1/events", nil)
		r.Header.Set("Authorization", "Bearer "+key)
		p, err := w.server.auth.who(r)
		w.must(err)
		spaces = append(spaces, p.quotaKey())
	}
	if spaces[0] == spaces[1] {
		t.Errorf("both count as %q", spaces[0])
	}
}
