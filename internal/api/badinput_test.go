package api

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func many(n int, s string) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf(s, i)
	}
	return out
}

// Nothing of what is refused is stored, and each problem names its field.
func TestBadInput(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *Options) { o.MaxJSON = 1 << 20 })
	with := func(change func(map[string]any)) map[string]any {
		m := note("x")
		change(m)
		return m
	}
	headers := map[string]string{}
	for i := range 300 {
		headers[fmt.Sprintf("X-Field-%d", i)] = "x"
	}
	for name, c := range map[string]struct {
		body    any
		headers []string
		status  int
		field   string
		code    string
	}{
		"no JSON":           {`{"from": `, nil, 400, "", "bad_json"},
		"not UTF-8":         {"{\"from\": \"caff\xe8@x.it\"}", nil, 400, "", "bad_json"},
		"an array":          {`[]`, nil, 422, "", "invalid_request"},
		"nothing":           {``, nil, 400, "", "bad_json"},
		"unknown field":     {with(func(m map[string]any) { m["form"] = "x" }), nil, 422, "form", "invalid_request"},
		"wrong type":        {with(func(m map[string]any) { m["to"] = "anna@example.com" }), nil, 422, "to", "invalid_request"},
		"wrong type inside": {with(func(m map[string]any) { m["to"] = []any{"a@example.com", 5} }), nil, 422, "to[1]", "invalid_request"},
		"no from":           {with(func(m map[string]any) { delete(m, "from") }), nil, 422, "from", "no_from"},
		"bad from":          {with(func(m map[string]any) { m["from"] = "erp" }), nil, 422, "from", "bad_address"},
		"bad to": {with(func(m map[string]any) { m["to"] = []string{"a@example.com", "b@@example.com"} }), nil, 422, "to[1]",
			"bad_address"},
		"words run together": {with(func(m map[string]any) { m["to"] = []string{"Anna Rossi anna@example.com"} }), nil, 422, "to[0]",
			"bad_address"},
		"invisible inside": {with(func(m map[string]any) { m["to"] = []string{"an\u200bna@example.com"} }), nil, 422, "to[0]", "bad_address"},
		"unreadable From": {strings.NewReader("From: Contoso <erp@contoso.it\r\nTo: a@example.com\r\n\r\nx"),
			[]string{"Content-Type", "message/rfc822"}, 422, "from", "bad_address"},
		"no recipients":       {with(func(m map[string]any) { delete(m, "to") }), nil, 422, "to", "no_recipients"},
		"too many recipients": {with(func(m map[string]any) { m["to"] = many(10_001, "a%d@example.com") }), nil, 422, "to", "invalid_request"},
		"together too many": {with(func(m map[string]any) {
			m["to"], m["bcc"] = many(6000, "a%d@example.com"), many(6000, "b%d@example.com")
		}), nil, 422, "to", "too_many_recipients"},
		"too many headers": {with(func(m map[string]any) { m["headers"] = headers }), nil, 422, "headers", "invalid_request"},
		"injection by subject": {with(func(m map[string]any) { m["subject"] = "x\r\nBcc: evil@example.com" }), nil, 422, "subject",
			"header_injection"},
		"injection by header": {with(func(m map[string]any) { m["headers"] = map[string]string{"X-A": "x\nBcc: e@example.com"} }), nil, 422,
			"headers.X-A", "header_injection"},
		"injection by name": {with(func(m map[string]any) { m["headers"] = map[string]string{"X-A: b\r\nX-C": "x"} }), nil, 422, "headers",
			"bad_header_name"},
		"reserved header": {with(func(m map[string]any) { m["headers"] = map[string]string{"Bcc": "e@example.com"} }), nil, 422,
			"headers.Bcc", "reserved_header"},
		"injection by address": {with(func(m map[string]any) { m["to"] = []string{"a@example.com\r\nRCPT TO:<e@example.com>"} }), nil, 422,
			"to[0]", "bad_address"},
		"injection by envelope": {with(func(m map[string]any) { m["recipients"] = []string{"a@example.com>\r\nDATA"} }), nil, 422,
			"recipients[0]", "bad_address"},
		"NUL in text": {with(func(m map[string]any) { m["text"] = "a\x00b" }), nil, 422, "text", "nul"},
		"wrong base64": {with(func(m map[string]any) {
			m["attachments"] = []any{map[string]any{"filename": "a", "content": "Zm9v"}, map[string]any{"filename": "b", "content": "Zm9v!"}}
		}), nil, 422, "attachments[1].content", "bad_base64"},
		"cut base64": {with(func(m map[string]any) { m["attachments"] = []any{map[string]any{"filename": "a", "content": "Zm9vY"}} }), nil, 422,
			"attachments[0].content", "bad_base64"},
		"no content": {with(func(m map[string]any) { m["attachments"] = []any{map[string]any{"filename": "a"}} }), nil, 422, "attachments[0]",
			"invalid_request"},
		"attachment's type": {with(func(m map[string]any) {
			m["attachments"] = []any{map[string]any{"filename": "a", "content": "", "content_type": "x\r\ny"}}
		}), nil, 422, "attachments", "header_injection"},
		"wrong raw":          {map[string]any{"raw": "%%%"}, nil, 422, "raw", "bad_base64"},
		"raw and fields":     {map[string]any{"raw": "Zm9v", "subject": "x"}, nil, 422, "raw", "invalid_request"},
		"raw without header": {map[string]any{"raw": "Zm9v"}, nil, 422, "", ""},
		"class":              {with(func(m map[string]any) { m["class"] = "spam" }), nil, 422, "class", "invalid_request"},
		"send_at":            {with(func(m map[string]any) { m["send_at"] = "tomorrow" }), nil, 422, "send_at", "invalid_request"},
		"send_at far": {with(func(m map[string]any) { m["send_at"] = time.Now().AddDate(3, 0, 0).Format(time.RFC3339) }), nil, 422,
			"send_at", "invalid_request"},
		"unknown connection": {with(func(m map[string]any) { m["connection"] = "Due" }), nil, 422, "connection", "unknown_connection"},
		"no route":           {with(func(m map[string]any) { m["from"] = "a@fabrikam.example" }), nil, 422, "from", "no_route"},
		"tag":                {with(func(m map[string]any) { m["tag"] = "a\nb" }), nil, 422, "tag", "invalid_request"},
		"tag, C1":            {with(func(m map[string]any) { m["tag"] = "a\u009bb" }), nil, 422, "tag", "invalid_request"},
		"too large":          {with(func(m map[string]any) { m["text"] = strings.Repeat("x", 1<<20) }), nil, 413, "", "json_too_large"},
		"idempotency key":    {note("x"), []string{"Idempotency-Key", "a b"}, 422, "Idempotency-Key", "invalid_request"},
		"media type":         {strings.NewReader("x"), []string{"Content-Type", "text/plain"}, 415, "Content-Type", "unsupported_media_type"},
		"no media type":      {strings.NewReader("{}"), nil, 415, "Content-Type", "unsupported_media_type"},
		"form without boundary": {strings.NewReader("x"), []string{"Content-Type", "multipart/form-data"}, 400, "Content-Type",
			"invalid_request"},
		"form that is none": {strings.NewReader("x"), []string{"Content-Type", "multipart/form-data; boundary=b"}, 400, "",
			"invalid_request"},
		"form cut short": {strings.NewReader("--b\r\nContent-Disposition: form-data; " +
			"name=from\r\n\r\nerp@contoso.it\r\n--b\r\nContent-Disposition: form-data; name=to\r\n\r\na@example.com\r\n--b\r\n"),
			[]string{"Content-Type", "multipart/form-data; boundary=b"}, 400, "", "invalid_request"},
		"form in base64": {strings.NewReader("--b\r\nContent-Disposition: form-data; name=attachments; filename=a.txt\r\n" +
			"Content-Transfer-Encoding: Base64\r\n\r\neA==\r\n--b--\r\n"),
			[]string{"Content-Type", "multipart/form-data; boundary=b"}, 422, "attachments", "invalid_request"},
		"recipients twice": {`{"from":"erp@contoso.it","to":["a@example.com"],"to":["b@example.com"],"text":"x"}`, nil, 422, "to",
			"invalid_request"},
		"recipients twice in other letters": {`{"from":"erp@contoso.it","TO":["a@example.com"],"text":"x","\u0074o":["b@example.com"]}`, nil,
			422, "to", "invalid_request"},
		"unknown form field": {strings.NewReader("--b\r\nContent-Disposition: form-data; name=form\r\n\r\nx\r\n--b--\r\n"),
			[]string{"Content-Type", "multipart/form-data; boundary=b"}, 422, "form", "invalid_request"},
		"whole without From": {strings.NewReader("To: a@example.com\r\n\r\nx"), []string{"Content-Type", "message/rfc822"}, 422, "from",
			"no_from"},
		"whole, bad rcpt": {strings.NewReader("From: erp@contoso.it\r\n\r\nx"), []string{"Content-Type", "message/rfc822",
			"X-Postino-Rcpt", "a@example.com, b"}, 422, "recipients[1]", "bad_address"},
	} {
		for _, path := range []string{"/v1/messages", "/v1/messages/batch"} {
			body, field := c.body, c.field
			if path != "/v1/messages" {
				m, ok := c.body.(map[string]any)
				if !ok {
					continue
				}
				body = map[string]any{"messages": []any{note("good"), m}}
				if field != "Idempotency-Key" && (field != "" || c.status == 422) {
					field = strings.TrimSuffix("messages[1]."+field, ".")
				}
			}
			a := w.do(w.key, "POST", path, body, c.headers...)
			var p Problem
			a.into(t, &p)
			if a.status != c.status || p.Field != field || c.code != "" && p.Code != c.code || p.Detail == "" || !strings.HasPrefix(p.Type,
				"/problems/") ||
				a.header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s on %s: %d %s, want %d %q %q", name, path, a.status, a.body, c.status, c.code, field)
			}
			if got := w.do("", "GET", p.Type, nil); got.status != 200 {
				t.Errorf("%s: the type %s explains nothing: %d", name, p.Type, got.status)
			}
		}
	}
	if n := w.messages(); n != 0 {
		t.Errorf("%d messages were stored", n)
	}
	w.noSpool()
}

func TestLanguages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for accept, want := range map[string]string{"": "no connection sends", "it": "nessuna connessione",
		"de, it;q=0.5, en;q=0.1": "nessuna connessione", "it;q=0.1, en-GB": "no connection sends", "fr": "no connection sends"} {
		m := note("x")
		m["from"] = "a@fabrikam.example"
		if a := w.do(w.key, "POST", "/v1/messages", m, "Accept-Language", accept); !strings.Contains(string(a.body), want) {
			t.Errorf("%q: %s", accept, a.body)
		}
	}
	a := w.do(w.key, "GET", "/v1/messages?limit=0&state=x", nil, "Accept-Language", "it")
	if a.status != 422 || !strings.Contains(string(a.body), "almeno 1") || !strings.Contains(string(a.body), "deve essere uno di") {
		t.Errorf("%s", a.body)
	}
	for code, k := range kinds() {
		if k.title.String() == "" || k.about.String() == "" || k.title.In("it") == k.title.String() || k.about.In("it") == k.about.String() {
			t.Errorf("%s lacks a language", code)
		}
		page := w.do("", "GET", "/problems/"+code, nil, "Accept", "text/html", "Accept-Language", "it")
		if page.status != 200 || page.header.Get("Content-Language") != "it" || !strings.Contains(string(page.body), `lang="it"`) {
			t.Errorf("%s: %d %s", code, page.status, page.body)
		}
	}
	w.want(w.do("", "GET", "/problems/nope", nil), 404)
	w.want(w.do("", "GET", "/problems", nil), 200)
}
