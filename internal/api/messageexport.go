package api

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/view"
)

func (s *messageService) exportRoute(rt *router) {
	export := op("export-messages", http.MethodGet, "/v1/messages/export", messagesTag, ScopeMessagesRead, "Export a list of messages",
		"All that the filter of list-messages chooses, one row a delivery, the newest first. The export is entered in the audit trail. A file "+
			"that ends early says so in its last row.")
	for _, name := range []string{"q", "tz", "state", "connection", "client", "from", "recipient", "message_id", "tag", "since", "before"} {
		p := &huma.Param{Name: name, In: "query", Description: "As in list-messages", Schema: &huma.Schema{Type: huma.TypeString}}
		if name == "state" {
			p.Schema, p.Explode = &huma.Schema{Type: huma.TypeArray, Items: p.Schema}, ptr(false)
		}
		export.Parameters = append(export.Parameters, p)
	}
	export.Parameters, export.Responses = append(export.Parameters, exportParams()...), exportResponses()
	rt.raw(export, s.export)
}

// exportPage is how many messages are read at once.
const exportPage = 500

// export answers with all messages that the filter chooses.
func (s *messageService) export(w http.ResponseWriter, r *http.Request) error {
	ctx, q := r.Context(), r.URL.Query()
	format, err := exportFormat(q)
	if err != nil {
		return err
	}
	in, err := messageFilter(q)
	if err != nil {
		return err
	}
	f, err := s.filter(ctx, in)
	if err != nil {
		return err
	}
	lang := language(r.Header.Get("Accept-Language"))
	req := store.ListRequest{Filter: f, Limit: exportPage, Look: lookedAt}
	file := exportFile{name: "messages", columns: view.MessageColumns(), audit: s.store, log: s.log,
		page: func(ctx context.Context) (rows []exportRow, more bool, err error) {
			page, err := s.store.List(ctx, req)
			for i := range page.Entries {
				e := s.entry(ctx, &page.Entries[i], lang)
				rows = append(rows, &e)
			}
			req.After = page.Next
			return rows, page.Next != "", err
		},
		entry: func(count int) store.AuditEntry {
			return store.ExportEntry(store.KindQueue, count, format, store.Chosen(&f)...)
		}}
	return file.write(w, r, format)
}

// messageFilter reads the filter of a query, as list-messages has it.
func messageFilter(q url.Values) (*MessageFilter, error) {
	for name := range q {
		if len(q.Get(name)) > 2000 {
			return nil, invalid("query."+name, text("api.filter_long", "the filter is longer than {most} characters", "most", 2000))
		}
	}
	in := &MessageFilter{Q: q.Get("q"), Zone: q.Get("tz"), Connection: q.Get("connection"), Client: q.Get("client"), From: q.Get("from"),
		Recipient: q.Get("recipient"), MessageID: q.Get("message_id"), Tag: q.Get("tag")}
	if states := q.Get("state"); states != "" {
		in.State = strings.Split(states, ",")
	}
	return in, queryTimes(q, map[string]*time.Time{"since": &in.Since, "before": &in.Before})
}

// queryTimes reads the times of a query.
func queryTimes(q url.Values, times map[string]*time.Time) error {
	for name, at := range times {
		v := q.Get(name)
		if v == "" {
			continue
		}
		t, err := time.Parse(time.RFC3339, v)
		if err != nil {
			return invalid("query."+name, text("api.audit_time", "write a time as 2026-11-30T09:00:00Z"))
		}
		*at = t
	}
	return nil
}
