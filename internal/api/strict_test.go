package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postino-mail/postino/internal/view"

	"github.com/postino-mail/postino/internal/store"
)

// No operation drops what it is given.
func TestNothingIsIgnored(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	session := w.signIn(w.person("anna@contoso.it", store.RoleAdmin).Email) // may everything
	ask := func(method, at string, body any, headers ...string) answer {
		return w.do("", method, at, body, append(headers, "Cookie", session)...)
	}
	n := 0
	for path, item := range w.server.router.api.OpenAPI().Paths {
		for _, o := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if o == nil {
				continue
			}
			n++
			at := strings.NewReplacer("{id}", "none", "{key}", "none").Replace(path)
			var body any
			if o.Method != http.MethodGet && o.Method != http.MethodDelete {
				body = `{}`
			}
			for field, a := range map[string]answer{
				"query.foo":       ask(o.Method, at+"?foo=1", body),
				"query.Limit":     ask(o.Method, at+"?Limit=1", body),
				"query":           ask(o.Method, at+"?a=%zz", body),
				"X-Postino-Foo":   ask(o.Method, at, body, "X-Postino-Foo", "1"),
				"X-Postino-Tag_":  ask(o.Method, at, body, "X-Postino-tag_", "1"),
				"Idempotency-Key": ask(o.Method, at, body, "Idempotency-Key", ""),
			} {
				if a.status != http.StatusUnprocessableEntity || !strings.Contains(string(a.body), `"field":"`+field+`"`) {
					t.Errorf("%s %s with %s: %d %s", o.Method, path, field, a.status, a.body)
				}
			}
			if a := ask(o.Method, at, body, "Content-Encoding", "gzip"); a.status != http.StatusUnsupportedMediaType {
				t.Errorf("%s %s gzip: %d", o.Method, path, a.status)
			}
			if o.RequestBody == nil && o.Method != http.MethodGet {
				if a := ask(o.Method, at, `{"foo":1}`); a.status != http.StatusUnprocessableEntity {
					t.Errorf("%s %s with a body: %d %s", o.Method, path, a.status, a.body)
				}
			}
		}
	}
	if n < 30 {
		t.Errorf("only %d operations", n)
	}
}

func TestWhatStandsBesideAMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	whole := func() *strings.Reader {
		return strings.NewReader("From: erp@contoso.it\r\nTo: a@example.com\r\nSubject: x\r\n\r\nx\r\n")
	}
	const form = "--b\r\nContent-Disposition: form-data; " +
		"name=\"message\"\r\n\r\n{\"from\":\"erp@contoso.it\",\"to\":[\"a@example.com\"],\"text\":\"x\"}\r\n--b--\r\n"
	for _, q := range []string{"send_at=2027-03-01T08:00:00Z", "connection=none", "rcpt=b@example.com", "mail_from=", "tag=x", "class=bulk"} {
		name, value, _ := strings.Cut(q, "=")
		field := `"field":"query.` + name + `"`
		for kind, a := range map[string]answer{
			"json":  w.do(w.key, "POST", "/v1/messages?"+q, note("x")),
			"form":  w.do(w.key, "POST", "/v1/messages?"+q, strings.NewReader(form), "Content-Type", "multipart/form-data; boundary=b"),
			"batch": w.do(w.key, "POST", "/v1/messages/batch?"+q, map[string]any{"messages": []any{note("x")}}),
		} {
			if a.status != 422 || !strings.Contains(string(a.body), field) {
				t.Errorf("%s with %s: %d %s", kind, q, a.status, a.body)
			}
		}
		if a := w.do(w.key, "POST", "/v1/messages", note("x"), headerName(name), value); a.status != 422 {
			t.Errorf("json with the header for %s: %d", q, a.status)
		}
	}
	for _, header := range []string{"X-Postino-send_at", "X-Postino-Send-At", "x-postino-send-at", "X-POSTINO-SEND_AT"} {
		var got Accepted
		w.want(w.do(w.key, "POST", "/v1/messages", whole(), "Content-Type", "message/rfc822", header, "2100-01-01T00:00:00Z"),
			422) // it counts: too far
		w.want(w.do(w.key, "POST", "/v1/messages", whole(), "Content-Type", "message/rfc822", "X-Postino-mail_from", "bounce@contoso.it",
			"X-Postino-Tag", "t"), 202).into(t, &got)
		var m MessageDetail
		w.want(w.do(w.key, "GET", "/v1/messages/"+got.ID, nil), 200).into(t, &m)
		if m.EnvelopeFrom != "bounce@contoso.it" || m.Tag != "t" {
			t.Errorf("%s: %+v", header, m.Message)
		}
	}
	for _, headers := range [][]string{{"X-Postino-Sendat", "x"}, {"X-Postino-Tag", "a", "X-Postino-tag", "b"},
		{"X-Postino-Mail-From", "a@contoso.it", "X-Postino-mail_from", "a@contoso.it"}} {
		w.want(w.do(w.key, "POST", "/v1/messages", whole(), append([]string{"Content-Type", "message/rfc822"}, headers...)...), 422)
	}
	w.want(w.do(w.key, "POST", "/v1/messages?tag=a&tag=b", whole(), "Content-Type", "message/rfc822"), 422)
	w.want(w.do(w.key, "POST", "/v1/messages?tag=a", whole(), "Content-Type", "message/rfc822", "X-Postino-Tag", "a"), 422)

	for _, after := range []string{"junk", "1", "-", "1-000000", "00000000000000000000000001"} {
		if a := w.do(w.key, "GET", "/v1/messages?after="+after, nil); a.status != 422 || !strings.Contains(string(a.body), "query.after") {
			t.Errorf("after=%s: %d %s", after, a.status, a.body)
		}
	}
	var page MessagePage
	w.want(w.do(w.key, "GET", "/v1/messages?limit=1", nil), 200).into(t, &page)
	first := page.Items[0].Delivery.ID
	w.want(w.do(w.key, "GET", "/v1/messages?limit=1&after="+page.Next, nil), 200).into(t, &page)
	if page.Items[0].Delivery.ID == first {
		t.Error("the second page is the first")
	}
}

// Every action obeys Idempotency-Key, those that show a secret too.
func TestActionsAreDoneOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	var m Accepted
	w.want(w.do(w.key, "POST", "/v1/messages", note("x")), 202).into(t, &m)
	resend := func(key string, headers ...string) answer {
		return w.do(key, "POST", "/v1/messages/"+m.ID+"/resend", `{}`, append(headers, "Idempotency-Key", "once")...)
	}
	first := w.want(resend(w.key), 202)
	for range 3 {
		if again := w.want(resend(w.key), 202); string(again.body) != string(first.body) ||
			again.header.Get("Content-Type") != first.header.Get("Content-Type") {
			t.Errorf("%s\n%s", again.body, first.body)
		}
	}
	var page MessagePage
	w.want(w.do(w.key, "GET", "/v1/messages", nil), 200).into(t, &page)
	if len(page.Items) != 2 {
		t.Errorf("%d deliveries", len(page.Items))
	}
	w.want(resend(w.admin), 202) // somebody else's key is another one
	w.want(w.do(w.key, "POST", "/v1/messages/"+m.ID+"/resend", `{"recipients":[]}`, "Idempotency-Key", "once"), 422)
	w.want(w.do(w.key, "POST", "/v1/messages", note("x"), "Idempotency-Key", "once"), 422)
	w.want(w.do(w.key, "POST", "/v1/messages", note("x"), "Idempotency-Key", "sent"), 202)
	w.want(w.do(w.key, "POST", "/v1/messages/"+m.ID+"/cancel", nil, "Idempotency-Key", "sent"), 422)

	w.want(w.do(w.key, "POST", "/v1/messages/"+m.ID+"/hold", nil, "Idempotency-Key", "h"), 200)
	w.want(w.do(w.key, "POST", "/v1/messages/"+m.ID+"/hold", nil, "Idempotency-Key", "h"), 200)
	w.want(w.do(w.key, "POST", "/v1/messages/"+m.ID+"/hold", nil), 409)
	// What was refused did nothing, so its key is free.
	w.want(w.do(w.key, "POST", "/v1/messages/"+m.ID+"/hold", nil, "Idempotency-Key", "no"), 409)
	w.want(w.do(w.key, "POST", "/v1/messages/"+m.ID+"/release", nil, "Idempotency-Key", "no"), 200)

	var one, two view.Client
	w.want(w.do(w.admin, "POST", "/v1/clients", map[string]any{"name": "neu"}, "Idempotency-Key", "c"), 201).into(t, &one)
	w.want(w.do(w.admin, "POST", "/v1/clients", map[string]any{"name": "neu"}, "Idempotency-Key", "c"), 201).into(t, &two)
	if one.ID != two.ID || one.Secret == "" || one.Secret != two.Secret {
		t.Errorf("%+v %+v", one, two)
	}
}

// A parameter that is there more than once is taken whole where it is a list, and refused
// by its name where it is none: no value is dropped.
func TestRepeatedParameters(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	session := w.signIn(w.person("anna@contoso.it", store.RoleAdmin).Email)
	n := 0
	for path, item := range w.server.router.api.OpenAPI().Paths {
		for _, o := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if o == nil {
				continue
			}
			for _, p := range o.Parameters {
				if p.In != "query" || p.Schema == nil || p.Schema.Type == huma.TypeArray {
					continue
				}
				n++
				at := strings.NewReplacer("{id}", "none", "{key}", "none").Replace(path) + "?" + p.Name + "=1&" + p.Name + "=1"
				if a := w.do("", o.Method, at, nil, "Cookie", session); a.status != http.StatusUnprocessableEntity ||
					!strings.Contains(string(a.body), `"field":"query.`+p.Name+`"`) || !strings.Contains(string(a.body), "more than once") {
					t.Errorf("%s %s: %d %s", o.Method, at, a.status, a.body)
				}
			}
		}
	}
	if n < 40 {
		t.Errorf("only %d parameters", n)
	}
	for at, status := range map[string]int{
		"/v1/messages?state=sent&state=failed": 200, "/v1/messages?state=sent&state=none": 422, "/v1/messages?state=sent&state=sent,failed": 200,
		"/v1/messages/export?state=sent&state=failed": 200, "/v1/messages/export?state=sent&state=none": 422,
		"/v1/events?types=delivery.sent&types=delivery.failed": 200, "/v1/lanes?key=a&key=b": 200,
	} {
		if a := w.do("", "GET", at, nil, "Cookie", session); a.status != status {
			t.Errorf("%s: %d %s", at, a.status, a.body)
		}
	}
}
