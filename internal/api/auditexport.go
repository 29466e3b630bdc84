package api

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/view"
)

// export answers with all that the filter chooses.
func (s *auditService) export(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	in, err := auditFilter(r.URL.Query())
	if err != nil {
		return err
	}
	req, err := s.request(ctx, in)
	if err != nil {
		return err
	}
	format, err := exportFormat(r.URL.Query())
	if err != nil {
		return err
	}
	file := exportFile{name: "audit", columns: view.AuditColumns(), audit: s.store, log: s.log,
		page: func(ctx context.Context) (rows []exportRow, more bool, err error) {
			page, err := s.store.AuditEntries(ctx, req)
			for i := range page.Entries {
				e := view.OfAuditEntry(&page.Entries[i])
				rows = append(rows, &e)
			}
			req.After = page.Next
			return rows, page.Next != 0, err
		},
		entry: func(count int) store.AuditEntry {
			return store.ExportEntry(store.KindAudit, count, r.URL.Query().Get("format"), store.AuditChosen(&req.AuditFilter)...)
		}}
	return file.write(w, r, format)
}

// auditFilter reads the filter of a query, as list-audit has it.
func auditFilter(q url.Values) (*auditInput, error) {
	in := &auditInput{Person: q.Get("person"), Actor: q.Get("actor"), Kind: q.Get("kind"), Object: q.Get("object"), Limit: 1000}
	return in, queryTimes(q, map[string]*time.Time{"since": &in.Since, "before": &in.Before})
}
