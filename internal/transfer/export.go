package transfer

import (
	"cmp"
	"encoding/json"
	"io"
	"strconv"

	"filippo.io/age"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/connections"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/table"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// An Export says how connections are written.
type Export struct {
	Format    string            // JSON or CSV
	Separator string            // of the cells of CSV; empty: a comma
	Plain     bool              // CSV for a terminal or a pipe: without byte order mark, lines end with LF
	To        []age.Recipient   // for whom secrets are sealed; none: they are left out
	Clear     bool              // secrets are written in the clear
	People    map[string]string // addresses by id, which are written for owners
}

// Entry is the export of count connections in the audit trail: its form, and what
// became of the secrets.
func (e *Export) Entry(count int) store.AuditEntry {
	secrets := "omitted"
	switch {
	case e.Clear:
		secrets = "clear"
	case len(e.To) > 0:
		secrets = "sealed"
	}
	return store.ExportEntry(store.KindConnection, count, cmp.Or(e.Format, JSON), store.Change{Field: "secrets", After: secrets})
}

// Write writes connections so that Read reads them.
func (e Export) Write(w io.Writer, all []*gateway.Connection) error {
	docs := make([]json.RawMessage, len(all))
	for i, c := range all {
		doc, err := e.document(c)
		if err != nil {
			return err
		}
		docs[i] = doc
	}
	if e.Format != CSV {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(docs)
	}
	trees := make([]map[string]any, len(docs))
	for i, doc := range docs {
		if err := json.Unmarshal(doc, &trees[i]); err != nil {
			return err
		}
	}
	out := table.Writer{W: w, Separator: e.Separator, LineEnd: "\n"}
	if out.Separator == "" {
		out.Separator = ","
	}
	if !e.Plain {
		out.LineEnd = "\r\n"
		if _, err := io.WriteString(w, table.ByteOrderMark); err != nil {
			return err
		}
	}
	return writeCSV(out, trees)
}

// document is the JSON of a connection as it is written.
func (e Export) document(c *gateway.Connection) (json.RawMessage, error) {
	out := c.Clone()
	out.ID, out.Revision = "", 0
	if address := e.People[c.Owner]; address != "" {
		out.Owner = address
	}
	has := false
	for _, s := range out.Secrets() {
		if *s.Value == "" {
			continue
		}
		if *s.Value == adapters.Redacted && (e.Clear || len(e.To) > 0) {
			return nil, texterr.New(mime.NewText("transfer.secret_closed", "{field} of connection {name} does not open with this key: enter it "+
				"again, or export without secrets", "field", s.Path, "name", strconv.Quote(c.Name)))
		}
		has, *s.Value = true, ""
	}
	var sealed struct {
		Text string `json:"sealed,omitempty"`
	}
	if has && len(e.To) > 0 {
		var err error
		if sealed.Text, err = seal(c, e.To); err != nil {
			return nil, err
		}
	}
	doc, err := out.MarshalWith(sealed)
	if err != nil || !has || !e.Clear {
		return doc, err
	}
	tree, err := revealed(doc, c)
	if err != nil {
		return nil, err
	}
	return json.Marshal(tree)
}

// revealed is the JSON of a connection with its secrets put in.
func revealed(doc []byte, c *gateway.Connection) (tree map[string]any, err error) {
	if err := json.Unmarshal(doc, &tree); err != nil {
		return nil, err
	}
	for _, s := range c.Secrets() {
		if *s.Value != "" {
			connections.SetPath(tree, s.Path, s.Value.Reveal())
		}
	}
	return tree, nil
}
