package api

import (
	"slices"
	"strings"
	"testing"
)

// What is wrong with a connection is told field by field in the caller's
// language, at every way to save one.
func TestInvalidConnectionInItalian(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	good := map[string]any{"name": "Due", "provider": "smtp", "from": "x@due.example", "smtp": map[string]any{"host": "smtp.due.example"}}
	var made shownConnection
	w.want(w.do(w.admin, "POST", "/v1/connections", good), 201).into(t, &made)
	bad := map[string]any{"name": "Tre", "revision": made.Revision, "provider": "smtp", "from": "x@@due.example",
		"smtp": map[string]any{"host": "smtp://due.example", "port": 70000}}
	one := "/v1/connections/" + made.ID
	for _, c := range []struct {
		method, path string
		body         any
		fields       []string
		en, it       string
	}{
		{"POST", "/v1/connections", bad, []string{"from", "smtp.host", "smtp.port"}, "is not an address", "non è un indirizzo"},
		{"PUT", one, bad, []string{"from", "smtp.host", "smtp.port"}, "70000 is no port", "70000 non è una porta"},
		{"PATCH", one, map[string]any{"class": "spam"}, []string{"class"}, "none of any", "non è tra any"},
		{"PATCH", one, map[string]any{"smtp": map[string]any{"prot": 25}}, []string{"prot"}, "no such field", "non esiste"},
		{"PATCH", one, map[string]any{"active": "yes"}, []string{"active"}, "true or false", "serve true o false"},
		{"POST", "/v1/connections", "{", []string{""}, "cannot be read", "non è leggibile"},
		{"POST", "/v1/connections", map[string]any{"name": "x", "provider": "yahoo"}, []string{"provider"}, "none of gmail", "non è tra gmail"},
	} {
		for lang, want := range map[string]string{"en": c.en, "it": c.it} {
			var p Problem
			w.want(w.do(w.admin, c.method, c.path, c.body, "Accept-Language", lang), 422).into(t, &p)
			var fields []string
			said := p.Detail
			for _, e := range p.Errors {
				fields = append(fields, e.Field)
				said += "|" + e.Message
			}
			if p.Code != "invalid_connection" || p.Field != c.fields[0] || !slices.Equal(fields, c.fields) || strings.Count(said, want) != 2 ||
				p.Hint == "" {
				t.Errorf("%s %v in %s: %+v", c.method, c.body, lang, p)
			}
		}
	}
	var p Problem
	w.want(w.do(w.admin, "PATCH", one, "[1", "Accept-Language", "it"), 400).into(t, &p)
	if !strings.Contains(p.Detail, "serve") && !strings.Contains(p.Detail, "incompleto") && !strings.Contains(p.Detail, "si interrompe") {
		t.Errorf("%+v", p)
	}
}
