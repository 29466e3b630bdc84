package api

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/postino-mail/postino/internal/store"
)

// bound gives a client that may send as two addresses, and a key of it.
func (w *world) bound(change func(*store.Client)) string {
	w.t.Helper()
	c := store.Client{Name: "shop", Senders: []string{"shop@contoso.it", "*@bounces.contoso.it"}}
	change(&c)
	stored, err := w.store.PutClient(context.Background(), c)
	w.must(err)
	return w.addKey(stored.ID, clientScopes()...)
}

// The envelope sender is held to the client's senders wherever it is given.
func TestEnvelopeSenderIsTheClients(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	key := w.bound(func(*store.Client) {})
	mail := "From: shop@contoso.it\r\nTo: a@example.com\r\nSubject: x\r\n\r\nx\r\n"
	note := func(from, envelope string) map[string]any {
		m := map[string]any{"from": from, "to": []string{"a@example.com"}, "text": "x"}
		if envelope != "-" {
			m["envelope_from"] = envelope
		}
		return m
	}
	whole := func(query string, headers ...string) answer {
		return w.do(key, "POST", "/v1/messages"+query, strings.NewReader(mail), append(headers, "Content-Type", "message/rfc822")...)
	}
	form := func(from string) answer {
		var b strings.Builder
		for name, value := range map[string]string{"from": "shop@contoso.it", "to": "a@example.com", "text": "x", "envelope_from": from} {
			b.WriteString("--b\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n")
		}
		return w.do(key, "POST", "/v1/messages", strings.NewReader(b.String()+"--b--\r\n"), "Content-Type", "multipart/form-data; boundary=b")
	}
	entries := map[string]func(from string) answer{
		"json":     func(from string) answer { return w.do(key, "POST", "/v1/messages", note("shop@contoso.it", from)) },
		"form":     form,
		"query":    func(from string) answer { return whole("?mail_from=" + url.QueryEscape(from)) },
		"header":   func(from string) answer { return whole("", "X-Postino-Mail-From", from) },
		"header _": func(from string) answer { return whole("", "X-Postino-mail_from", "<"+from+">") },
		"batch": func(from string) answer {
			return w.do(key, "POST", "/v1/messages/batch", map[string]any{"messages": []any{note("shop@contoso.it", "-"), note("shop@contoso.it",
				from)}})
		},
	}
	for name, send := range entries {
		for from, want := range map[string]int{"victim@elsewhere.example": 403, "ceo@contoso.it": 403, "shop@contoso.it": 202,
			"r-1@bounces.contoso.it": 202} {
			a := send(from)
			if a.status != want || want == 403 && !strings.Contains(string(a.body), `"sender_not_allowed"`) {
				t.Errorf("%s as %s: %d %s", name, from, a.status, a.body)
			}
		}
	}
}

// What is sent again counts as what was sent, against the rate and the senders.
func TestRateAndSendersOfResend(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	key := w.bound(func(c *store.Client) { c.PerMinute = 3 })
	var m Accepted
	w.want(w.do(key, "POST", "/v1/messages", map[string]any{"from": "shop@contoso.it", "to": []string{"a@example.com"}, "text": "x"}),
		202).into(t, &m)
	again := func(verb string) int { return w.do(key, "POST", "/v1/messages/"+m.ID+"/"+verb, nil).status }
	if got := again("resend"); got != 202 {
		t.Errorf("first resend: %d", got)
	}
	if got := again("retry"); got == 429 { // two deliveries, of which one may be paid later
		t.Errorf("retry: %d", got)
	}
	for range 3 {
		if resent, retried := again("resend"), again("retry"); resent != http.StatusTooManyRequests || retried != http.StatusTooManyRequests {
			t.Errorf("over the rate: resend %d, retry %d", resent, retried)
		}
	}
	w.want(w.do(key, "POST", "/v1/messages/batch", map[string]any{"messages": []any{map[string]any{"from": "shop@contoso.it",
		"to": []string{"a@example.com"}, "text": "x"}}}), 429)
	w.want(w.do(w.admin, "POST", "/v1/messages/"+m.ID+"/resend", nil), 202)

	c, err := w.store.ClientNamed(context.Background(), "shop")
	w.must(err)
	c.PerMinute, c.Senders = 0, []string{"other@contoso.it"}
	_, err = w.store.PutClient(context.Background(), *c)
	w.must(err)
	w.server.auth.edited()
	w.want(w.do(key, "POST", "/v1/messages/"+m.ID+"/resend", nil), http.StatusForbidden)
}

// One client does not take what is there for all.
func TestQuotas(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *Options) { o.MaxWebhooks, o.MaxKeys, o.MaxStreams = 3, 4, 2 })
	other := w.addKey(w.other(), clientScopes()...)
	over := func(a answer, setting string) {
		t.Helper()
		if a.status != http.StatusTooManyRequests || !strings.Contains(string(a.body), setting) {
			t.Errorf("%s: %d %s", setting, a.status, a.body)
		}
	}
	hook := map[string]any{"url": "https://example.com/x", "active": false}
	for range 3 {
		w.want(w.do(w.key, "POST", "/v1/webhooks", hook), 201)
	}
	over(w.do(w.key, "POST", "/v1/webhooks", hook), "[limits] webhooks")
	w.want(w.do(other, "POST", "/v1/webhooks", hook), 201)
	w.want(w.do(w.admin, "POST", "/v1/webhooks", hook), 201)

	key := map[string]any{"name": "k", "client": "erp", "scopes": []string{ScopeMessagesSend}}
	for range 3 { // it has one already
		w.want(w.do(w.admin, "POST", "/v1/keys", key), 201)
	}
	over(w.do(w.admin, "POST", "/v1/keys", key), "[limits] keys")

	var open []func()
	stream := func(key string) int {
		ctx, cancel := context.WithCancel(context.Background())
		open = append(open, cancel)
		r, err := http.NewRequestWithContext(ctx, "GET", w.http.URL+"/v1/events/stream", nil)
		w.must(err)
		r.Header.Set("Authorization", "Bearer "+key)
		res, err := w.http.Client().Do(r)
		w.must(err)
		t.Cleanup(func() { _ = res.Body.Close() })
		return res.StatusCode
	}
	for i, want := range []int{200, 200, http.StatusTooManyRequests} {
		if got := stream(w.key); got != want {
			t.Errorf("stream %d: %d", i, got)
		}
	}
	if got := stream(other); got != 200 {
		t.Errorf("another client's stream: %d", got)
	}
	for _, stop := range open {
		stop()
	}
}
