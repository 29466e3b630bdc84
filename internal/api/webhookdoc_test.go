package api

import (
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/postino-mail/postino/internal/store"
)

// A list that an answer always has is never null, however deep it stands and whether or not
// anything is in it; one that may be missing stays so.
func TestListsAreNeverNull(t *testing.T) {
	t.Parallel()
	type inner struct {
		Always []string `json:"always"`
		Maybe  []string `json:"maybe,omitempty"`
		Raw    []byte   `json:"raw"`
	}
	type outer struct {
		Items  []inner `json:"items"`
		Inner  inner   `json:"inner"`
		Behind *inner  `json:"behind"`
		None   *inner  `json:"none"`
	}
	in := outer{Items: []inner{{}}, Behind: &inner{}}
	for name, v := range map[string]any{"value": in, "pointer": &outer{Items: []inner{{}}, Behind: &inner{}}} {
		got, err := nonNull(nil, "", v)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(got)
		const one = `{"always":[],"raw":null}`
		if want := `{"items":[` + one + `],"inner":` + one + `,"behind":` + one + `,"none":null}`; err != nil || string(text) != want {
			t.Errorf("%s: %s %v", name, text, err)
		}
	}
}

// The document says so, too: only a request may have null for a list.
func TestDocumentIsWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	d := w.server.router.api.OpenAPI()
	known := map[string]bool{}
	for _, tag := range d.Tags {
		known[tag.Name] = true
	}
	if len(d.Servers) == 0 || d.Info.License == nil {
		t.Error("no server or no license")
	}
	for path, item := range d.Paths {
		for method, o := range map[string]any{"get": item.Get, "post": item.Post, "put": item.Put, "patch": item.Patch, "delete": item.Delete} {
			if reflect.ValueOf(o).IsNil() {
				continue
			}
			op := reflect.ValueOf(o).Elem()
			if op.FieldByName("Security").IsNil() || op.FieldByName("Description").Len() == 0 {
				t.Errorf("%s %s: security or description is missing", method, path)
			}
			for _, tag := range op.FieldByName("Tags").Interface().([]string) {
				if !known[tag] {
					t.Errorf("%s %s: the tag %s is not described", method, path, tag)
				}
			}
		}
	}
	var doc struct {
		Webhooks map[string]any `json:"webhooks"`
	}
	if err := json.Unmarshal(w.server.spec, &doc); err != nil || len(doc.Webhooks) != len(eventKinds()) {
		t.Errorf("%d webhooks: %v", len(doc.Webhooks), err)
	}
}

// Every state that a delivery can end or wait in has its webhook, and the data of a real
// event is what the document says.
func TestWebhooksAreReal(t *testing.T) {
	t.Parallel()
	names := []string{}
	for _, kind := range eventKinds() {
		names = append(names, kind.name)
	}
	for _, state := range store.States() {
		if name := "delivery." + state.String(); (state.Final() || state == store.Held) && !slices.Contains(names, name) {
			t.Errorf("%s is not described", name)
		}
	}
	w := newWorld(t, nil)
	w.want(w.do(w.key, "POST", "/v1/messages", note("evento")), http.StatusAccepted)
	var page EventPage
	w.want(w.do(w.admin, "GET", "/v1/events", nil), http.StatusOK).into(t, &page)
	if len(page.Items) == 0 {
		t.Fatal("no event")
	}
	for _, e := range page.Items {
		i := slices.Index(names, e.Type)
		if i < 0 {
			t.Fatalf("%s is not described", e.Type)
		}
		data := reflect.New(eventKinds()[i].data)
		dec := json.NewDecoder(strings.NewReader(string(e.Data)))
		dec.DisallowUnknownFields()
		if err := dec.Decode(data.Interface()); err != nil {
			t.Errorf("%s: %v in %s", e.Type, err, e.Data)
		}
	}
}

// The types that are described are those that can be asked for, and no other can.
func TestTypesOfEvents(t *testing.T) {
	t.Parallel()
	var described []string
	for _, k := range eventKinds() {
		described = append(described, k.name)
	}
	if !slices.Equal(described, store.EventTypes()) {
		t.Errorf("described: %v; there are: %v", described, store.EventTypes())
	}
	w := newWorld(t, nil)
	var p Problem
	w.want(w.do(w.admin, "POST", "/v1/webhooks", map[string]any{"url": "https://example.com/", "types": []string{"delivery.fialed"}}),
		http.StatusUnprocessableEntity).into(t, &p)
	if p.Field != "types" {
		t.Errorf("a type that does not exist: %+v", p)
	}
}

// An unknown field is answered with the nearest one that is known, in each language.
func TestDidYouMean(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	long := strings.Repeat("a", 1000)
	for _, c := range []struct{ path, body, field, near string }{
		{"/v1/messages", `{"from":"erp@contoso.example","to":["a@example.com"],"subejct":"x"}`, "subejct", "subject"}, // swapped letters
		{"/v1/messages", `{"from":"erp@contoso.example","to":["a@example.com"],"` + long + `":"x"}`, long, ""},
		{"/v1/messages", `{"from":"erp@contoso.example","to":["a@example.com"],"subjekt":"x"}`, "subjekt", "subject"},
		{"/v1/messages", `{"from":"erp@contoso.example","to":["a@example.com"],"replyto":["b@example.com"]}`, "replyto", "reply_to"},
		{"/v1/messages", `{"from":"erp@contoso.example","to":["a@example.com"],"attachments":[{"file_name":"a","content":""}]}`,
			"attachments[0].file_name", "filename"},
		{"/v1/webhooks", `{"url":"https://example.com/","type":["x"]}`, "type", "types"},
		{"/v1/messages", `{"from":"erp@contoso.example","to":["a@example.com"],"zzzzzz":"x"}`, "zzzzzz", ""},
	} {
		for lang, words := range map[string]string{"en": "did you mean " + c.near + "?", "it": "si intendeva " + c.near + "?"} {
			var p Problem
			w.want(w.do(w.admin, "POST", c.path, strings.NewReader(c.body), "Content-Type", "application/json", "Accept-Language", lang),
				http.StatusUnprocessableEntity).into(t, &p)
			if p.Field != c.field || strings.Contains(p.Detail, words) != (c.near != "") {
				t.Errorf("%s, %s: %q %q", c.body, lang, p.Field, p.Detail)
			}
		}
	}
}

// A repeated request says that it was one: of a submission and of an action.
func TestIdempotencyReplayed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for name, do := range map[string]func() answer{
		"submission": func() answer { return w.do(w.key, "POST", "/v1/messages", note("una"), "Idempotency-Key", "s-1") },
		"action": func() answer {
			return w.do(w.admin, "POST", "/v1/clients", map[string]any{"name": "neu"}, "Idempotency-Key", "a-1")
		},
	} {
		first, again := do(), do()
		if first.header.Get(replayedHeader) != "" || again.header.Get(replayedHeader) != "true" {
			t.Errorf("%s: %q, then %q", name, first.header.Get(replayedHeader), again.header.Get(replayedHeader))
		}
	}
}
