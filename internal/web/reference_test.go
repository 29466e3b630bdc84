package web

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The reference of the API is a page: every operation is listed, and each has a page
// with an example that is JSON.
func TestReference(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.get("/help/reference").to("/login?next=%2Fhelp%2Freference")
	w.signIn(w.admin)
	w.get("/help").want(200, "API reference")
	list := w.get("/help/reference", "Accept-Language", "it").
		want(200, "Riferimento dell'API", "POST /v1/messages")
	w.get("/help/reference/send-message").want(200, "POST /v1/messages", "A key with the scope messages:send", "ERP <erp@contoso.it>",
		"attachments[].filename",
		"Idempotency-Key (header)", "multipart/form-data", "202", "Authorization: Bearer")
	w.get("/help/reference/list-messages").want(200, "array of string")
	w.get("/help/reference/x").want(404)
	v := &visit{s: w.pages, r: httptest.NewRequest(http.MethodGet, "/help/reference", nil), lang: "en"}
	d, err := v.reference()
	w.must(err)
	n := 0
	for _, methods := range d.Paths {
		for _, o := range methods {
			n++
			if !strings.Contains(list.body, `"/help/reference/`+o.ID+`"`) {
				t.Errorf("%s is not listed", o.ID)
			}
			if o.ID == "" || !strings.Contains(d.curl("http://a/", o), filledPath(o.Path)) || strings.Contains(filledPath(o.Path), "{") {
				t.Errorf("%s %s has no example", o.Method, o.Path)
			}
			if c := o.RequestBody.Content["application/json"]; c != nil {
				if _, err := json.Marshal(d.example(c.Schema, 0)); err != nil {
					t.Errorf("%s: %v", o.ID, err)
				}
			}
			d.screen(v, o)
		}
	}
	if n < 50 {
		t.Errorf("%d operations", n)
	}
}

func TestFilledPath(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"/v1/messages/{id}/parts/{part}": "/v1/messages/MESSAGE_ID/parts/PART", "/v1/me": "/v1/me",
		"/v1/people/{id}": "/v1/people/PERSON_ID", "/v1/deliveries/{id}": "/v1/deliveries/DELIVERY_ID"} {
		if got := filledPath(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}
