package api

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/view"
)

// An auditWriter writes entries in one of the forms of an export.
type auditWriter interface {
	entry(e *view.AuditEntry) error
	cut(notice string) error // the last row of a file that is not whole
	flush() error
}

type auditCSV struct{ *csv.Writer }

func (w auditCSV) entry(e *view.AuditEntry) error {
	row, err := e.Row()
	return errors.Join(err, w.Write(row))
}

func (w auditCSV) cut(notice string) error { return w.Write([]string{notice}) }

func (w auditCSV) flush() error {
	w.Flush()
	return w.Error()
}

type auditLines struct{ *json.Encoder }

func (w auditLines) entry(e *view.AuditEntry) error { return w.Encode(e) }
func (w auditLines) cut(notice string) error        { return w.Encode(map[string]string{"error": notice}) }
func (auditLines) flush() error                     { return nil }

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
	var out auditWriter
	format := r.URL.Query().Get("format")
	begin := func() error { return nil }
	switch format {
	case "", "csv":
		c := auditCSV{csv.NewWriter(w)}
		w.Header().Set("Content-Type", "text/csv; charset=utf-8")
		w.Header().Set("Content-Disposition", `attachment; filename="audit.csv"`)
		out, begin = c, func() error { return c.Write(view.AuditColumns()) }
	case "jsonl":
		w.Header().Set("Content-Type", "application/x-ndjson")
		w.Header().Set("Content-Disposition", `attachment; filename="audit.jsonl"`)
		out = auditLines{json.NewEncoder(w)}
	default:
		return invalid("query.format", text("api.audit_format", "the format is csv or jsonl"))
	}
	w.Header().Set("Cache-Control", "no-store")
	page, err := s.store.AuditEntries(ctx, req)
	if err != nil {
		w.Header().Del("Content-Disposition") // the answer is a problem
		return err
	}
	count, err := 0, begin()
	for err == nil {
		for i := range page.Entries {
			e := view.OfAuditEntry(&page.Entries[i])
			if err = out.entry(&e); err != nil {
				break
			}
			count++
		}
		if err = errors.Join(err, out.flush()); err != nil || page.Next == 0 {
			break
		}
		req.After = page.Next
		page, err = s.store.AuditEntries(ctx, req)
	}
	// What has left is entered, also where the reader went away in the middle.
	done, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	entered := s.store.AppendAudit(done, store.ExportEntry(store.KindAudit, count, store.AuditChosen(&req.AuditFilter, format)...))
	if err = errors.Join(err, entered); err != nil {
		if ctx.Err() == nil || entered != nil {
			s.log.Error("the audit trail ended in the middle of a file", "err", err)
		}
		notice := text("api.file_cut", "this file is not complete: load it again").In(language(r.Header.Get("Accept-Language")))
		_ = errors.Join(out.cut(notice), out.flush()) // a reader that left needs no notice
	}
	return nil
}

// auditFilter reads the filter of a query, as list-audit has it.
func auditFilter(q url.Values) (*auditInput, error) {
	in := &auditInput{Person: q.Get("person"), Actor: q.Get("actor"), Kind: q.Get("kind"), Object: q.Get("object"), Limit: 1000}
	for name, at := range map[string]*time.Time{"since": &in.Since, "before": &in.Before} {
		v := q.Get(name)
		if v == "" {
			continue
		}
		t, err := time.Parse(time.RFC3339, v)
		if err != nil {
			return nil, invalid("query."+name, text("api.audit_time", "write a time as 2026-11-30T09:00:00Z"))
		}
		*at = t
	}
	return in, nil
}
