package api

import (
	"bytes"
	"io"
	"mime/multipart"
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
	w.want(w.do(w.addKey(w.other(), clientScopes()...), "POST", "/v1/messages", note("altro"), "Idempotency-Key", "k-1"), 202) // another client's keys are its own
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
		return w.do(w.key, "POST", "/v1/messages?rcpt="+rcpt, strings.NewReader("From: erp@contoso.it\r\n\r\nx\r\n"), "Content-Type", "message/rfc822", "Idempotency-Key", "k-3")
	}
	w.want(raw("a@example.com"), 202)
	w.want(raw("a@example.com"), 202)
	w.want(raw("b@example.com"), 422)
	w.noSpool()
}
