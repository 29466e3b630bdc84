package api

import (
	"bytes"
	"fmt"
	"maps"
	"mime/multipart"
	"net/url"
	"strings"
	"testing"
)

// Metadata comes in by every form of the submission and comes back in message and list.
func TestMetadata(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	const object = `{"order":"2026/0042, \"x\"","Città":"Forlì"}`
	want := map[string]string{"order": `2026/0042, "x"`, "Città": "Forlì"}
	const raw = "From: erp@contoso.it\nTo: anna@example.com\nSubject: intero\n\nriga\n"
	var b bytes.Buffer
	mw := multipart.NewWriter(&b)
	for _, f := range [][2]string{{"from", "erp@contoso.it"}, {"to", "anna@example.com"}, {"text", "x"}, {"metadata", object}} {
		w.must(mw.WriteField(f[0], f[1]))
	}
	w.must(mw.Close())
	m := note("JSON")
	m["metadata"] = want
	for name, a := range map[string]answer{
		"JSON":   w.do(w.key, "POST", "/v1/messages", m),
		"batch":  w.do(w.key, "POST", "/v1/messages/batch", map[string]any{"messages": []any{m}}),
		"form":   w.do(w.key, "POST", "/v1/messages", &b, "Content-Type", mw.FormDataContentType()),
		"query":  w.do(w.key, "POST", "/v1/messages?metadata="+url.QueryEscape(object), strings.NewReader(raw), "Content-Type", "message/rfc822"),
		"header": w.do(w.key, "POST", "/v1/messages", strings.NewReader(raw), "Content-Type", "message/rfc822", "X-Postino-Metadata", object),
	} {
		w.want(a, 202)
		var got struct {
			Accepted
			Messages []Accepted `json:"messages"`
		}
		a.into(t, &got)
		id := got.ID
		if len(got.Messages) > 0 {
			id = got.Messages[0].ID
		}
		var detail MessageDetail
		w.want(w.do(w.key, "GET", "/v1/messages/"+id, nil), 200).into(t, &detail)
		if !maps.Equal(map[string]string(detail.Metadata), want) {
			t.Errorf("%s: %v", name, detail.Metadata)
		}
	}
	var page MessagePage
	w.want(w.do(w.key, "GET", "/v1/messages", nil), 200).into(t, &page)
	if len(page.Items) != 5 || !maps.Equal(map[string]string(page.Items[0].Message.Metadata), want) {
		t.Errorf("%+v", page)
	}
	var events EventPage
	w.want(w.do(w.key, "GET", "/v1/events?types=message.accepted", nil), 200).into(t, &events)
	if len(events.Items) != 5 || !strings.Contains(string(events.Items[0].Data), `"metadata":{"Città":"Forlì","order":"2026/0042, \"x\""}`) {
		t.Errorf("%+v", events)
	}
}

// What is over the bounds is refused, never cut, and nothing is stored.
func TestMetadataBounds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	pairs := func(n int) map[string]any {
		out := map[string]any{}
		for i := range n {
			out[fmt.Sprint("k", i)] = "v"
		}
		return out
	}
	for name, c := range map[string]struct {
		metadata any
		status   int
	}{
		"ten pairs":        {pairs(10), 202},
		"eleven pairs":     {pairs(11), 422},
		"longest":          {map[string]any{strings.Repeat("è", 40): strings.Repeat("è", 200)}, 202},
		"key too long":     {map[string]any{strings.Repeat("k", 41): "v"}, 422},
		"value too long":   {map[string]any{"k": strings.Repeat("v", 201)}, 422},
		"huge value":       {map[string]any{"k": strings.Repeat("v", 1<<20)}, 422},
		"no key":           {map[string]any{"": "v"}, 422},
		"no value":         {map[string]any{"k": ""}, 202},
		"a line end":       {map[string]any{"k": "a\nb"}, 422},
		"an escape":        {map[string]any{"k\x1b[2J": "b"}, 422},
		"a number":         {map[string]any{"k": 1}, 422},
		"an object":        {map[string]any{"k": map[string]any{}}, 422},
		"null for a value": {map[string]any{"k": nil}, 422},
		"a list":           {[]string{"a"}, 422},
		"none":             {map[string]any{}, 202},
	} {
		m := note(name)
		m["metadata"] = c.metadata
		if a := w.do(w.key, "POST", "/v1/messages", m); a.status != c.status || c.status == 422 &&
			!strings.Contains(string(a.body), `"field":"metadata`) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	const raw = "From: erp@contoso.it\nTo: anna@example.com\n\nriga\n"
	for _, object := range []string{"k=v", `{"k":`, `[]`, `{"k":1}`, `"k"`, `{}{}`, `{"k":"` + strings.Repeat("v", 201) + `"}`} {
		a := w.do(w.key, "POST", "/v1/messages?metadata="+url.QueryEscape(object), strings.NewReader(raw), "Content-Type", "message/rfc822")
		if a.status != 422 || !strings.Contains(string(a.body), `"field":"metadata`) {
			t.Errorf("%s: %d %s", object, a.status, a.body)
		}
	}
	if n := w.messages(); n != 4 {
		t.Errorf("%d messages", n)
	}
}
