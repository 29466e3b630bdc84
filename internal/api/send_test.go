package api

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestWholeMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	const raw = "From: erp@contoso.it\nTo: anna@example.com\nSubject: intero\n\nriga\n"
	send := func(path string, headers ...string) Accepted {
		var got Accepted
		w.want(w.do(w.key, "POST", path, strings.NewReader(raw), append(headers, "Content-Type", "message/rfc822")...), 202).into(t, &got)
		return got
	}
	if got := send("/v1/messages"); fmt.Sprint(got.Recipients) != "[anna@example.com]" {
		t.Errorf("%+v", got)
	}
	got := send("/v1/messages?rcpt=b@example.com&rcpt=c@example.com&mail_from=bounce@contoso.it&tag=t", "X-Postino-Rcpt", "d@example.com")
	var m MessageDetail
	w.want(w.do(w.key, "GET", "/v1/messages/"+got.ID, nil), 200).into(t, &m)
	if len(m.Recipients) != 3 || m.EnvelopeFrom != "bounce@contoso.it" || m.Tag != "t" {
		t.Errorf("%+v", m)
	}
	if a := w.do(w.key, "GET", "/v1/messages/"+got.ID+"/raw", nil); !strings.HasSuffix(string(a.body), "\r\n\r\nriga\r\n") ||
		a.header.Get("Content-Type") != "message/rfc822" {
		t.Errorf("%q", a.body)
	}
	at := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	if got := send("/v1/messages?send_at=" + at.Format(time.RFC3339)); got.SendAt == nil || !got.SendAt.Equal(at) {
		t.Errorf("%+v", got)
	}
}

func TestBatchIsOneTransaction(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	list := make([]any, 100)
	for i := range list {
		list[i] = note(fmt.Sprint("n", i))
	}
	var got BatchAccepted
	a := w.want(w.do(w.key, "POST", "/v1/messages/batch", map[string]any{"messages": list}, "Idempotency-Key", "b1"), 202)
	a.into(t, &got)
	if len(got.Messages) != 100 || w.messages() != 100 {
		t.Fatalf("%d", len(got.Messages))
	}
	if again := w.do(w.key, "POST", "/v1/messages/batch", map[string]any{"messages": list}, "Idempotency-Key", "b1"); !bytes.Equal(again.body,
		a.body) || w.messages() != 100 {
		t.Errorf("the repeat of a batch got another answer")
	}
	w.want(w.do(w.key, "POST", "/v1/messages/batch", map[string]any{"messages": make([]any, 1001)}), 422)
	w.want(w.do(w.key, "POST", "/v1/messages/batch", map[string]any{"messages": []any{}}), 422)
	seen, after := map[string]bool{}, ""
	for {
		var page MessagePage
		w.want(w.do(w.key, "GET", "/v1/messages?limit=7&order=oldest&after="+after, nil), 200).into(t, &page)
		for _, x := range page.Items {
			seen[x.Message.ID] = true
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if len(seen) != 100 {
		t.Errorf("paging gave %d of 100", len(seen))
	}
}

// noSpool checks that nothing was left in the incoming spool.
func (w *world) noSpool() {
	w.t.Helper()
	left, err := filepath.Glob(filepath.Join(w.store.SpoolDir(), "incoming-*"))
	w.must(err)
	if len(left) > 0 {
		w.t.Errorf("left in the spool: %v", left)
	}
}
