package api

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/view"
)

// An export has all pages of what the filter chooses, of an operator's mail their own
// alone, and no cell that a spreadsheet computes.
func TestExportMessages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	evil := `=HYPERLINK("http://x.example";"a")`
	const n = exportPage + 3
	var batch []map[string]any
	for i := range n {
		batch = append(batch, map[string]any{"from": "erp@contoso.it", "to": []string{fmt.Sprintf("a%d@example.com", i)},
			"subject": evil, "text": "t", "metadata": map[string]string{"invoice": "7", "a": "b"}})
	}
	w.want(w.do(w.key, "POST", "/v1/messages/batch", map[string]any{"messages": batch}), http.StatusAccepted)
	w.want(w.do(w.key, "POST", "/v1/messages", note("other")), http.StatusAccepted)
	a := w.want(w.do(w.admin, "GET", "/v1/messages/export?separator=%3B&q=hyperlink", nil), http.StatusOK)
	r := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(a.body), "\ufeff")))
	r.Comma = ';'
	rows, err := r.ReadAll()
	w.must(err)
	if len(rows) != n+1 || rows[1][6] != "'"+evil || rows[1][3] != "queued" || rows[1][5] != fmt.Sprintf("a%d@example.com", n-1) ||
		rows[1][19] != `{"a":"b","invoice":"7"}` {
		t.Errorf("%d rows, %v", len(rows), rows[1])
	}
	a = w.want(w.do(w.key, "GET", "/v1/messages/export?format=jsonl&state=queued&recipient=a1@example.com", nil), http.StatusOK)
	var e view.MessageEntry
	w.must(json.Unmarshal(a.body, &e))
	if e.Message.Subject != evil || len(e.Delivery.Recipients) != 1 {
		t.Errorf("%+v", e)
	}
	for _, bad := range []string{"format=xml", "separator=x", "since=yesterday", "state=lost", "q=form:x", "q=" + strings.Repeat("x", 2001),
		"connection=none", "tz=Nowhere"} {
		if got := w.do(w.admin, "GET", "/v1/messages/export?"+bad, nil); got.status < 400 || got.status >= 500 ||
			got.header.Get("Content-Disposition") != "" {
			t.Errorf("%.40s: %d", bad, got.status)
		}
	}
	op := w.person("op@own.example", store.RoleOperator)
	cookie := w.signIn(op.Email)
	a = w.want(w.as(cookie, "GET", "/v1/messages/export?"+url.Values{"q": {"hyperlink"}}.Encode(), nil), http.StatusOK)
	if strings.Count(string(a.body), "\n") != 1 {
		t.Errorf("of others: %.200s", a.body)
	}
}
