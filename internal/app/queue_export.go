package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/postino-mail/postino/internal/private"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/terminal"
	"github.com/postino-mail/postino/internal/view"
	"github.com/postino-mail/postino/mime"
)

// exported is what Export did, for --json.
type exported struct {
	Dir            string `json:"dir"`
	Deliveries     int    `json:"deliveries"`
	WithoutMessage int    `json:"without_message"` // no longer kept, or corrupt
}

// Export writes each chosen delivery as ID.eml (the stored bytes, without
// hidden recipients) and ID.json (the record with its ledger) into dir; or, with a
// format, prints a list of them.
func (k QueueCommands) Export(ctx context.Context, f QueueFilter, dir, format string) error {
	if (dir == "") == (format == "") {
		return wrong(ExitUsage, text("cli.export_where",
			"an export needs --dir, a folder for the messages, or --format, csv or jsonl for a list"))
	}
	if format != "" {
		return k.exportList(ctx, f, format)
	}
	return withStore(ctx, k.Storage, func(st store.Store) error {
		if err := private.MkdirAll(dir); err != nil {
			return exit(ExitNoInput, err)
		}
		filter, err := f.filter(ctx, st)
		if err != nil {
			return err
		}
		done := exported{Dir: dir}
		err = eachOf(ctx, st, filter, f.Refused, 0, func(e *listed) error {
			attempts, err := st.Attempts(ctx, e.Delivery.ID)
			if err != nil {
				return err
			}
			name := filepath.Join(dir, e.Delivery.ID.String())
			shown := shownDelivery{listed: *e, attempts: attempts}
			doc, err := json.MarshalIndent(shown.view(k.Language), "", "  ")
			if err != nil {
				return err
			}
			if err := os.WriteFile(name+".json", doc, 0o600); err != nil {
				return err
			}
			done.Deliveries++
			terminal.Show(ctx, mime.NewCount("cli.progress", done.Deliveries, "one delivery so far", "{count} deliveries so far"))
			err = exportContent(ctx, st, e.Message.ID, name+".eml")
			if errors.Is(err, store.ErrGone) || errors.Is(err, store.ErrCorrupt) {
				done.WithoutMessage++
				return nil
			}
			return err
		})
		// What was written is entered, also where an error ended it.
		if err := errors.Join(err, enterExport(ctx, st, &filter, done.Deliveries, exportEML)); err != nil {
			return err
		}
		if k.Format != Text {
			return writeJSON(k.Stdout, done)
		}
		_, err = fmt.Fprintln(k.Stdout, text("cli.exported", "{deliveries} deliveries written to {folder}; of {without} the message is no "+
			"longer kept or corrupt", "deliveries", done.Deliveries, "folder", dir, "without", done.WithoutMessage).In(k.Language))
		return err
	})
}

// Forms of an export.
const (
	exportEML   = "eml"   // a folder of messages and records
	exportCSV   = "csv"   // a table
	exportJSONL = "jsonl" // a record a line
)

// exportList writes the chosen deliveries to the output, as csv or jsonl.
func (k QueueCommands) exportList(ctx context.Context, f QueueFilter, format string) error {
	if err := oneOf(format, exportCSV, exportJSONL); err != nil {
		return err
	}
	return withStore(ctx, k.Storage, func(st store.Store) error {
		filter, err := f.filter(ctx, st)
		if err != nil {
			return err
		}
		count := 0
		rows := func(add func(tableRow) error) error {
			return eachOf(ctx, st, filter, f.Refused, 0, func(e *listed) error {
				count++
				entry := e.view(k.Language).MessageEntry
				return add(&entry)
			})
		}
		if format == exportCSV {
			err = writeCSV(k.Stdout, view.MessageColumns(), rows)
		} else {
			lines := json.NewEncoder(k.Stdout)
			err = rows(func(e tableRow) error { return lines.Encode(e) })
		}
		// What was written is entered, also where an error ended it.
		return errors.Join(err, enterExport(ctx, st, &filter, count, format))
	})
}

// enterExport puts an export into the audit trail, also one that ctx ended.
func enterExport(ctx context.Context, st store.Store, f *store.Filter, count int, format string) error {
	return st.AppendAudit(context.WithoutCancel(ctx), store.ExportEntry(store.KindQueue, count, format, store.Chosen(f)...))
}

func exportContent(ctx context.Context, st store.Store, id store.ID, name string) (err error) {
	content, err := st.Content(ctx, id)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	m, err := mime.Read(content, mime.Limits{})
	if err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, mime.NewReader(m.ForSMTP()))
	return errors.Join(err, f.Close())
}
