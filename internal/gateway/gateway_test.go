package gateway

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/fallback"
)

const smtp = `"name":"x","provider":"smtp","from":"a@example.com","smtp":{"host":"smtp.example.com"}`

// What the gateway adds is part of the same flat object, and comes back from it.
func TestJSONIsFlat(t *testing.T) {
	t.Parallel()
	const doc = `{"name":"x","provider":"smtp","from":"a@example.com","limits":{"per_minute":3},"smtp":{"host":"smtp.example.com"},` +
		`"revision":7,"active":false,"default":"unrouted","class":"bulk","fallback":["y"],"owner":"o","retry":{"first_seconds":5},` +
		`"on_quota_exceeded":"fallback"}`
	c, err := Parse([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	if c.IsActive() || c.Revision != 7 || !c.IsDefault() || fallback.SettingsOf(&c.Connection).Host != "smtp.example.com" ||
		*c.Limits.PerMinute != 3 {
		t.Errorf("%+v", c)
	}
	out, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var got, want map[string]any
	if err := errors.Join(json.Unmarshal(out, &got), json.Unmarshal([]byte(doc), &want)); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %s\nwant %s (%v)", out, doc, err)
	}
	d := c.Clone()
	*d.Active, d.Fallback[0], d.Retry.FirstSeconds, fallback.SettingsOf(&d.Connection).Host = true, "z", 1, "other"
	if c.IsActive() || c.Fallback[0] != "y" || c.Retry.FirstSeconds != 5 || fallback.SettingsOf(&c.Connection).Host != "smtp.example.com" {
		t.Error("a clone shares something")
	}
}

func TestOldName(t *testing.T) {
	t.Parallel()
	doc := []byte(`{` + smtp + `,"when_spent":"fallback"}`)
	for name, read := range map[string]func([]byte) (*Connection, error){"stored": Restore, "given": Parse} {
		c, err := read(doc)
		if err != nil || c.OnQuotaExceeded != "fallback" {
			t.Fatalf("%s: %+v, %v", name, c, err)
		}
		if out, err := json.Marshal(c); err != nil || strings.Contains(string(out), "when_spent") ||
			!strings.Contains(string(out), `"on_quota_exceeded":"fallback"`) {
			t.Errorf("%s: %s, %v", name, out, err)
		}
	}
	if _, err := Parse([]byte(`{` + smtp + `,"when_spent":"fallback","on_quota_exceeded":"wait"}`)); err == nil {
		t.Error("both names were taken")
	}
	patch := RenameFields(map[string]any{"when_spent": nil, "name": "y"})
	if _, ok := patch["on_quota_exceeded"]; !ok || len(patch) != 2 {
		t.Errorf("%v", patch)
	}
}

// Every fault is named, the gateway's beside the sender's.
func TestValidate(t *testing.T) {
	t.Parallel()
	_, err := Parse([]byte(`{"name":"01K8Q2Z6M3V5X7Y9A0B1C2D3E4","provider":"smtp","from":"a@example.com","smtp":{},"default":"perhaps",` +
		`"class":"loud","on_quota_exceeded":"cry","retry":{"max_seconds":-1},"fallback":["01k8q2z6m3v5x7y9a0b1c2d3e4"]}`))
	var e *adapters.InvalidError
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	var fields []string
	for _, f := range e.Fields {
		fields = append(fields, f.Field)
		if f.Text.In("en") == "" || f.Text.In("it") == f.Text.In("en") {
			t.Errorf("%s: %+v", f.Field, f.Text)
		}
	}
	slices.Sort(fields)
	if got := strings.Join(fields, " "); got != "class default fallback name on_quota_exceeded retry smtp.host" {
		t.Error(got)
	}
}

// A kind that does not fit is told by its path in the document.
func TestWrongKind(t *testing.T) {
	t.Parallel()
	for path, doc := range map[string]string{
		"default":           `{"default":3}`,
		"name":              `{"name":3}`,
		"active":            `{"active":1}`,
		"smtp.port":         `{"smtp":{"port":"x"}}`,
		"smtp.oauth.tenant": `{"smtp":{"oauth":{"tenant":3}}}`,
		"limits.per_minute": `{"limits":{"per_minute":"x"}}`,
	} {
		_, err := Decode([]byte(doc))
		var e *adapters.InvalidError
		if !errors.As(err, &e) || len(e.Fields) != 1 || e.Fields[0].Field != path {
			t.Errorf("%s: %v", path, err)
		}
	}
}
