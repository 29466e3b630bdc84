package api

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/table"
)

// An exportRow is a record that an export writes: as JSON, or as the row of a table,
// with cells that no spreadsheet takes for formulas.
type exportRow interface{ Row() ([]string, error) }

// An exportFile is an answer that is written as it is read from the store.
type exportFile struct {
	name    string // without its ending
	columns []string
	audit   store.Audit
	log     *slog.Logger
	// page returns the next rows, and whether there are more behind them.
	page func(context.Context) (rows []exportRow, more bool, err error)
	// entry is what the trail says of so many records that have left.
	entry func(count int) store.AuditEntry
}

// exportParams are the parameters of an export besides its filter.
func exportParams() []*huma.Param {
	return []*huma.Param{
		{Name: "format", In: "query", Schema: &huma.Schema{Type: huma.TypeString, Enum: []any{"csv", "jsonl"}, Default: "csv"}},
		{Name: "separator", In: "query", Description: "Of the cells; a spreadsheet in Italian expects ;",
			Schema: &huma.Schema{Type: huma.TypeString, Enum: []any{",", ";"}, Default: ","}}}
}

// exportResponses are those of an export.
func exportResponses() map[string]*huma.Response {
	return map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{
		"text/csv":             {Schema: &huma.Schema{Type: huma.TypeString}},
		"application/x-ndjson": {Schema: &huma.Schema{Type: huma.TypeString}}}}}
}

// exportFormat is the format that a query names.
func exportFormat(q url.Values) (string, error) {
	if s := q.Get("separator"); s != "" && s != "," && s != ";" {
		return "", invalid("query.separator", text("api.file_separator", "the separator is , or ;"))
	}
	switch f := q.Get("format"); f {
	case "":
		return "csv", nil
	case "csv", "jsonl":
		return f, nil
	}
	return "", invalid("query.format", text("api.audit_format", "the format is csv or jsonl"))
}

// write answers with all pages. A file that is not whole says so in its last row.
func (x *exportFile) write(w http.ResponseWriter, r *http.Request, format string) error {
	ctx := r.Context()
	list, more, err := x.page(ctx)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Disposition", `attachment; filename="`+x.name+`.`+format+`"`)
	h.Set("Cache-Control", "no-store")
	rows, lines := csv.NewWriter(w), json.NewEncoder(w)
	put := func(row exportRow) error { return lines.Encode(row) }
	notice := func(s string) error { return lines.Encode(map[string]string{"error": s}) }
	h.Set("Content-Type", "application/x-ndjson")
	if format == "csv" {
		h.Set("Content-Type", "text/csv; charset=utf-8")
		if r.URL.Query().Get("separator") == ";" {
			rows.Comma = ';'
		}
		_, err = io.WriteString(w, table.ByteOrderMark)
		err = errors.Join(err, rows.Write(x.columns))
		put = func(row exportRow) error {
			cells, err := row.Row()
			return errors.Join(err, rows.Write(cells))
		}
		notice = func(s string) error {
			err := rows.Write([]string{s})
			rows.Flush()
			return errors.Join(err, rows.Error())
		}
	}
	count := 0
	for err == nil {
		for _, row := range list {
			if err = put(row); err != nil {
				break
			}
			count++
		}
		rows.Flush()
		if err = errors.Join(err, rows.Error()); err != nil || !more {
			break
		}
		list, more, err = x.page(ctx)
	}
	// What has left is entered, also where the reader went away in the middle.
	done, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	entered := x.audit.AppendAudit(done, x.entry(count))
	if err = errors.Join(err, entered); err != nil {
		if ctx.Err() == nil || entered != nil {
			logFor(r.Context(), x.log).Error("an export ended in the middle of a file", "file", x.name, "err", err)
		}
		// A reader that left needs no notice.
		_ = notice(text("api.file_cut", "this file is not complete: load it again").In(language(r.Header.Get("Accept-Language"))))
	}
	return nil
}
