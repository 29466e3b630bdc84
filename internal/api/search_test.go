package api

import (
	"strings"
	"testing"

	"github.com/postino-mail/postino/internal/store"
)

// found are the subjects of a list.
func (w *world) found(key, query string) string {
	w.t.Helper()
	var page MessagePage
	w.want(w.do(key, "GET", "/v1/messages?"+query, nil), 200).into(w.t, &page)
	var out []string
	for _, e := range page.Items {
		out = append(out, e.Message.Subject)
	}
	return strings.Join(out, " ")
}

func TestSearch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, s := range []string{"Uno", "Due", "Tre"} {
		w.want(w.do(w.key, "POST", "/v1/messages", map[string]any{"from": "ERP <erp@contoso.it>", "to": []string{"Anna <" + s + "@example.com>"},
			"subject": s, "text": "Ciao", "tag": "t" + s}), 202)
	}
	for q, want := range map[string]string{
		"q=due":                          "Due",
		"q=to:@example.com":              "Tre Due Uno",
		"q=to:@example.com+-subject:due": "Tre Uno",
		"q=anna+state:queued,held":       "Tre Due Uno",
		"q=tag:tUNO":                     "Uno",
		"q=from:erp@contoso.it+connection:Ufficio": "Tre Due Uno",
		"q=after:2d+tre&tz=Europe/Rome":            "Tre",
		"q=state:held&recipient=due":               "",
		"recipient=due":                            "Due",
	} {
		if got := w.found(w.admin, q); got != want {
			t.Errorf("%s: %q, want %q", q, got, want)
		}
	}
	// Back from the last page is the page before.
	var page MessagePage
	w.want(w.do(w.admin, "GET", "/v1/messages?q=anna&limit=2", nil), 200).into(t, &page)
	w.want(w.do(w.admin, "GET", "/v1/messages?q=anna&limit=2&after="+page.Next, nil), 200).into(t, &page)
	if got := w.found(w.admin, "q=anna&limit=2&back="+page.Prev); got != "Tre Due" {
		t.Errorf("back: %q", got)
	}
	for q, want := range map[string]string{
		"q=form:x":                `carattere 1: non esiste l'operatore \"form:\"`,
		"q=due+connection:Sud":    `carattere 5: non esiste la connessione \"Sud\"`,
		"q=due&tz=Europa/Roma":    "non esiste il fuso orario",
		"q=state:held&state=sent": "non hanno stati in comune",
		"q=due&back=x":            "back non è il prev",
	} {
		if a := w.want(w.do(w.admin, "GET", "/v1/messages?"+q, nil, "Accept-Language", "it"), 422); !strings.Contains(string(a.body), want) {
			t.Errorf("%s: %s", q, a.body)
		}
	}
}

// TestSearchIsConfined: an operator finds what is theirs alone, by whatever
// condition, and changes nothing else.
func TestSearchIsConfined(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for range 3 {
		w.want(w.do(w.key, "POST", "/v1/messages", map[string]any{"from": "ERP <erp@contoso.it>", "to": []string{"anna@example.com"},
			"subject": "Segreto", "text": "Ciao"}), 202)
	}
	_, key := w.operator("op@example.com")
	for _, q := range []string{"q=segreto", "q=to:anna@example.com", "q=state:queued", ""} {
		if got := w.found(key, q); got != "" {
			t.Errorf("%s: an operator sees %s", q, got)
		}
	}
	w.want(w.do(key, "GET", "/v1/messages?q=connection:Ufficio", nil), 422)
	var done BulkAnswer
	for _, dry := range []bool{true, false} {
		w.want(w.do(key, "POST", "/v1/messages/actions", map[string]any{"action": "cancel", "q": "segreto", "dry_run": dry}), 200).into(t, &done)
		if done != (BulkAnswer{}) {
			t.Errorf("an operator's action: %+v", done)
		}
	}
	if got := w.found(w.admin, "q=segreto+state:queued"); got != "Segreto Segreto Segreto" {
		t.Errorf("left: %q", got)
	}
}

func TestBulk(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for i := range 5 {
		w.want(w.do(w.key, "POST", "/v1/messages", map[string]any{"from": "ERP <erp@contoso.it>", "to": []string{"anna@example.com"},
			"subject": map[bool]string{true: "Tieni", false: "Altro"}[i < 4], "text": "Ciao"}), 202)
	}
	act := func(action, q string, more ...any) (done BulkAnswer) {
		t.Helper()
		body := map[string]any{"action": action, "q": q}
		for i := 0; i < len(more); i += 2 {
			body[more[i].(string)] = more[i+1]
		}
		w.want(w.do(w.admin, "POST", "/v1/messages/actions", body), 200).into(t, &done)
		return done
	}
	if got := act("hold", "tieni", "dry_run", true); got != (BulkAnswer{Count: 4}) {
		t.Errorf("counted: %+v", got)
	}
	first := act("hold", "tieni", "max", 3)
	if first.Changed != 3 || !first.More || first.Next == "" {
		t.Errorf("first batch: %+v", first)
	}
	if got := act("hold", "tieni", "max", 3, "after", first.Next); got.Changed != 1 || got.More || got.Next != "" {
		t.Errorf("second batch: %+v", got)
	}
	if got := act("hold", "tieni"); got.Changed != 0 {
		t.Errorf("again: %+v", got)
	}
	// A retry without a state leaves alone what a person holds.
	if got := act("retry", "tieni"); got != (BulkAnswer{}) {
		t.Errorf("retry of what is held: %+v", got)
	}
	if got := act("retry", "tieni state:held"); got.Changed != 4 {
		t.Errorf("retry of what is held, by name: %+v", got)
	}
	if got := act("cancel", "subject:altro"); got.Changed != 1 {
		t.Errorf("cancel: %+v", got)
	}
	trail := w.trail()
	entry := trail[len(trail)-1]
	if entry.Action != string(store.DoCancel) || entry.Count != 1 || len(entry.Changes) == 0 {
		t.Errorf("audit trail: %+v", entry)
	}
	w.want(w.do(w.admin, "POST", "/v1/messages/actions", map[string]any{"action": "cancel", "q": "form:x"}), 422)
	w.want(w.do(w.admin, "POST", "/v1/messages/actions", map[string]any{"action": "cancel", "q": ""}), 422)
	w.want(w.do(w.admin, "POST", "/v1/messages/actions", map[string]any{"action": "shred", "q": "tieni"}), 422)
	w.want(w.do(w.admin, "POST", "/v1/messages/actions", map[string]any{"action": "hold", "q": "tieni", "after": "x-y"}), 422)
}
