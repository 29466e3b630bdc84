package search_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/search"
	"github.com/postino-mail/postino/internal/search/terms"
	"github.com/postino-mail/postino/internal/store"
)

func options() search.Options {
	rome := time.FixedZone("CET", 3600)
	return search.Options{Now: time.Date(2026, 11, 30, 8, 30, 0, 0, rome), Zone: rome}
}

// shown is a query in one line.
func shown(q *search.Query) string {
	var out []string
	for _, c := range q.Conditions {
		s := string(c.Field) + "=" + c.Value
		if c.Prefix {
			s += "*"
		}
		if c.Not {
			s = "not " + s
		}
		if !c.Time.IsZero() {
			s = string(c.Field) + "=" + c.Time.Format("2006-01-02T15:04Z07")
		}
		out = append(out, s)
	}
	return strings.Join(out, "; ")
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"  \t ", ""},
		{"fattura", "=fattura"},
		{"Fattura 2026", "=Fattura; =2026"},
		{`"due parole"`, "=due parole"},
		{"fatt*", "=fatt*"},
		{"-bozza", "not =bozza"},
		{"- --", ""},
		{"to:anna@example.com", "to=anna@example.com"},
		{"TO:Anna", "to=Anna"},
		{`subject:"due parole"`, "subject=due parole"},
		{`subject:"due par"*`, "subject=due par*"},
		{"-from:@example.com state:failed,held", "not from=@example.com; state=failed,held"},
		{`connection:"Ufficio Nord"`, "connection=Ufficio Nord"},
		{"after:2d", "after=2026-11-28T08:30+01"},
		{"before:90m", "before=2026-11-30T07:00+01"},
		{"after:2026-11-01", "after=2026-11-01T00:00+01"},
		{"after:2026-11-01T10:15", "after=2026-11-01T10:15+01"},
		{`after:"2026-11-01 10:15"`, "after=2026-11-01T10:15+01"},
		{"after:2026-11-01T10:15:00Z", "after=2026-11-01T10:15Z"},
		{"before:today", "before=2026-11-30T00:00+01"},
		{"after:yesterday", "after=2026-11-29T00:00+01"},
		{"after:2026-11", "after=2026-11-01T00:00+01"},
		{"id:01ka8zv4v1e6x8c8c1f0xq0z7r", "id=01ka8zv4v1e6x8c8c1f0xq0z7r"},
		{"01ka8zv4v1e6x8c8c1f0xq0z7r", "id=01ka8zv4v1e6x8c8c1f0xq0z7r"},
		{"<a.b@example.com>", "id=<a.b@example.com>"},
		{"anna@example.com", "=anna@example.com"},
		// The subject of an answer, a time and an address of the web are no operators.
		{"Re: offerta", "=Re:; =offerta"},
		{"12:30", "=12:30"},
		{"https://example.com/x", "=https://example.com/x"},
	} {
		q, err := search.Parse(c.in, options())
		if err != nil {
			t.Errorf("%q: %v", c.in, err)
		} else if got := shown(q); got != c.want {
			t.Errorf("%q: got %s, want %s", c.in, got, c.want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in       string
		pos, len int
		en, it   string
	}{
		{"form:anna", 0, 5, "character 1: there is no operator \"form:\": did you mean from:?",
			"carattere 1: non esiste l'operatore \"form:\": intendeva from:?"},
		{"è subjct:x", 2, 7, "did you mean subject:?", "intendeva subject:?"},
		{"size:10", 0, 5, "use one of to:, from:", "usare uno di to:, from:"},
		{`a "b c`, 2, 4, "a quotation mark is not closed", "una virgoletta non è chiusa"},
		{"to: anna", 0, 3, "to: needs a value", "to: vuole un valore"},
		{`subject:""`, 0, 10, "subject: needs a value", "subject: vuole un valore"},
		{"after:tomorow", 0, 13, "is neither a date nor a time span", "non è né una data né un periodo"},
		{"-after:2d", 0, 9, "after: cannot be excluded", "after: non si può escludere"},
		{strings.Repeat("a", 2001), 2000, 1, "longer than 2000 characters", "più lunga di 2000 caratteri"},
		{strings.Repeat("a ", 41), 80, 2, "more than 40 conditions", "più di 40 condizioni"},
	} {
		_, err := search.Parse(c.in, options())
		var e *search.Error
		if !errors.As(err, &e) {
			t.Errorf("%.20q: %v", c.in, err)
			continue
		}
		if e.Pos != c.pos || e.Len != c.len {
			t.Errorf("%.20q: at %d, %d characters", c.in, e.Pos, e.Len)
		}
		if !strings.Contains(e.Error(), c.en) || !strings.Contains(e.In("it"), c.it) {
			t.Errorf("%.20q: %s / %s", c.in, e.Error(), e.In("it"))
		}
	}
}

// names knows "Ufficio" and "erp".
type names struct{}

func (names) ConnectionID(_ context.Context, name string) (string, error) {
	return known(name, "Ufficio", "Nord")
}
func (names) ClientID(_ context.Context, name string) (string, error) {
	return known(name, "erp", "crm")
}

func known(name string, all ...string) (string, error) {
	for _, n := range all {
		if n == name {
			return "id of " + n, nil
		}
	}
	return "", store.ErrNotFound
}

func TestBind(t *testing.T) {
	t.Parallel()
	o := options()
	id, err := store.ParseID("01ka8zv4v1e6x8c8c1f0xq0z7r")
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]store.Filter{
		"":                  {},
		"state:failed,held": {States: []store.State{store.Failed, store.Held}},
		"-state:sent,failed": {States: []store.State{store.Queued, store.Unverified, store.Sending, store.Held, store.Expired,
			store.Cancelled}},
		"state:failed,held -state:held":  {States: []store.State{store.Failed}},
		"connection:Ufficio":             {Connection: "id of Ufficio"},
		"connection:Ufficio,Nord":        {Among: []string{"id of Ufficio", "id of Nord"}},
		"client:erp":                     {Client: "id of erp"},
		"after:2026-11-01 after:today":   {Since: time.Date(2026, 11, 30, 0, 0, 0, 0, o.Zone)},
		"before:2026-11-01 before:today": {Before: time.Date(2026, 11, 1, 0, 0, 0, 0, o.Zone)},
		"id:01KA8ZV4V1E6X8C8C1F0XQ0Z7R":  {ID: id},
		"id:a@x.it":                      {Match: []terms.Match{{Part: terms.MessageID, Value: "<a@x.it>"}}},
		"to:@x.it -subject:bozza tag:N a": {Match: []terms.Match{{Part: terms.Recipients, Value: "@x.it"},
			{Part: terms.Subject, Value: "bozza", Not: true}, {Part: terms.Tag, Value: "N"}, {Value: "a"}}},
	} {
		q, err := search.Parse(in, o)
		if err != nil {
			t.Errorf("%q: %v", in, err)
			continue
		}
		got, err := q.Bind(t.Context(), names{})
		if err != nil {
			t.Errorf("%q: %v", in, err)
		} else if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Errorf("%q: got %+v, want %+v", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"a state:faild":         "character 3: there is no state \"faild\": did you mean failed?",
		"state:x":               "use one of queued, unverified",
		"state:held state:sent": "several states stand in one condition",
		"connection:Sud":        "there is no connection \"Sud\"",
		"-connection:Ufficio":   "connection: cannot be excluded",
		"client:x":              "there is no client \"x\"",
		"client:erp client:crm": "a message has one client",
		"id:x":                  "\"x\" is no id of a message",
		"subject:!":             "\"!\" has no letter or digit",
	} {
		q, err := search.Parse(in, o)
		if err == nil {
			_, err = q.Bind(t.Context(), names{})
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

// FuzzParse: whatever someone types is a query or an error that points into it.
func FuzzParse(f *testing.F) {
	for _, s := range []string{`to:anna -from:@x.it "a b"* state:failed,held after:2d`, `form:x`, `"`, `id:<a@b>`, "after:-1d",
		"\xff:\xff", "-\"\"", "to:*"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q, err := search.Parse(s, options())
		var e *search.Error
		if err == nil {
			_, err = q.Bind(t.Context(), names{})
		}
		if err == nil {
			return
		}
		if !errors.As(err, &e) {
			t.Fatal(err)
		}
		if n := len([]rune(s)); e.Pos < 0 || e.Len < 1 || e.Pos+e.Len > n {
			t.Errorf("%q: the error is at %d, %d characters: %v", s, e.Pos, e.Len, e)
		}
		if e.Hint.IsZero() || e.Message.In("it") == e.Message.In("en") {
			t.Errorf("%q: no hint or no Italian: %v", s, e)
		}
	})
}
