package transfer

import (
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/all"
	"github.com/postino-mail/postino/internal/connections"
	"github.com/postino-mail/postino/internal/table"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// readCSV reads a table with a row for each connection. A row says nothing of
// settings without a column: they stay. Secrets stay where their cell is empty.
func (o Options) readCSV(r io.Reader) (docs []connections.Document, err error) {
	text, err := table.Read(r)
	if err != nil {
		return nil, err
	}
	rows := table.NewReader(text)
	var head []column
	var wrong []error
	for {
		record, err := rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, texterr.Wrap(mime.NewText("transfer.csv_unreadable", "the table cannot be read"), err)
		}
		switch {
		case strings.TrimSpace(strings.Join(record, "")) == "":
			continue
		case head == nil:
			if head, err = header(record); err != nil {
				return nil, err
			}
			continue
		case len(docs) == table.MostRows:
			return nil, texterr.New(mime.NewText("transfer.csv_too_long", "the table has more than {rows} rows", "rows", table.MostRows))
		}
		doc, err := o.row(head, record)
		if doc.Source = ":" + strconv.Itoa(rows.Line()); err != nil {
			wrong = append(wrong, texterr.Wrap(mime.NewText("transfer.csv_row", "line {line}", "line", rows.Line()), err))
		}
		docs = append(docs, doc)
	}
	if len(wrong) > 0 {
		return nil, &connections.PlanError{Errs: wrong}
	}
	if head == nil {
		return nil, texterr.New(mime.NewText("transfer.csv_empty", "the table is empty: its first row has the names of the columns"))
	}
	return docs, nil
}

// header reads the names of the columns. A column without a name is skipped where
// its cells are empty.
func header(record []string) ([]column, error) {
	known := byName(columns())
	out := make([]column, len(record))
	seen := map[string]bool{}
	for i, name := range record {
		if strings.TrimSpace(name) == "" {
			continue
		}
		c, ok := known[folded(table.Plain(name))]
		if !ok {
			return nil, texterr.New(mime.NewText("transfer.csv_column",
				"{name} is no column of a table of connections: leave it out, or name a setting as in the JSON of a connection, such as smtp.host",
				"name", strconv.Quote(shortened(name))))
		}
		if seen[c.path] {
			return nil, texterr.New(mime.NewText("transfer.csv_twice", "two columns are {path}", "path", c.path))
		}
		seen[c.path] = true
		out[i] = c
	}
	if !seen["name"] {
		return nil, texterr.New(mime.NewText("transfer.csv_no_name", "no column is called name (nome): by it connections are found"))
	}
	return out, nil
}

// shortened is a text that stands in an error.
func shortened(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}

// row reads the connection of one row.
func (o Options) row(head []column, record []string) (connections.Document, error) {
	doc := connections.Document{Fields: map[string]any{}, Partial: true}
	provider := providerOf(head, record)
	if provider != "" {
		doc.Fields["provider"] = provider
	}
	for i, cell := range record {
		if cell = table.Plain(cell); strings.TrimSpace(cell) == "" {
			cell = ""
		}
		if i >= len(head) || head[i].path == "" {
			if cell != "" {
				return doc, texterr.New(mime.NewText("transfer.csv_cell_without_column", "{cell} stands below no column", "cell",
					strconv.Quote(shortened(cell))))
			}
			continue
		}
		c := head[i]
		if cell == "" {
			if !c.secret && !slices.Contains([]string{sealedColumn, "name", "provider"}, c.path) {
				doc.Cleared = append(doc.Cleared, c.path)
			}
			continue
		}
		if c.path == sealedColumn {
			var err error
			if doc.Sealed, err = o.open(cell); err != nil {
				return doc, err
			}
			continue
		}
		v, err := c.value(cell)
		if err != nil {
			return doc, err
		}
		connections.SetPath(doc.Fields, c.path, v)
	}
	return doc, nil
}

// providerOf is the provider of a row: as it says, or the one of which the settings alone
// it has.
func providerOf(head []column, record []string) string {
	var has []string
	for i, c := range head {
		if i >= len(record) || strings.TrimSpace(record[i]) == "" {
			continue
		}
		if c.path == "provider" {
			return strings.ToLower(strings.TrimSpace(record[i]))
		}
		section, _, deeper := strings.Cut(c.path, ".")
		if _, known := all.Providers()[adapters.Provider(section)]; deeper && known && !slices.Contains(has, section) {
			has = append(has, section)
		}
	}
	if len(has) == 1 {
		return has[0]
	}
	return ""
}

// encryption reads ours, and the words of other programs' tables that cannot mean
// another one: "TLS" alone is ours here, and STARTTLS in some of theirs.
func encryption(cell string) string {
	switch word := strings.ToLower(cell); word {
	case "ssl", "ssl/tls", "tls/ssl":
		return "tls"
	case "nessuna", "no":
		return "none"
	default:
		return word
	}
}

// value reads a cell.
func (c column) value(cell string) (any, error) {
	if c.secret {
		return cell, nil
	}
	cell = strings.TrimSpace(cell)
	switch c.kind {
	case kindText:
		switch c.path {
		case "provider", "default":
			return strings.ToLower(cell), nil
		case "smtp.encryption":
			return encryption(cell), nil
		}
		return cell, nil
	case kindNumber:
		if n, err := strconv.ParseInt(cell, 10, 64); err == nil {
			return n, nil
		}
		return nil, texterr.New(mime.NewText("transfer.not_a_number", "{path}: {cell} is no number", "path", c.path, "cell",
			strconv.Quote(shortened(cell))))
	case kindBool:
		switch strings.ToLower(cell) {
		case "true", "yes", "1", "sì", "si", "vero":
			return true, nil
		case "false", "no", "0", "falso":
			return false, nil
		}
		return nil, texterr.New(mime.NewText("transfer.not_a_bool", "{path}: {cell} is neither yes nor no", "path", c.path, "cell",
			strconv.Quote(shortened(cell))))
	case kindList:
		if !strings.HasPrefix(cell, "[") {
			list := strings.FieldsFunc(cell, func(r rune) bool { return strings.ContainsRune(listMarks, r) })
			for i := range list {
				list[i] = strings.TrimSpace(list[i])
			}
			return slices.DeleteFunc(list, func(s string) bool { return s == "" }), nil
		}
	}
	var v any
	if err := json.Unmarshal([]byte(cell), &v); err != nil {
		return nil, texterr.Wrap(mime.NewText("transfer.not_json", "{path} is written as JSON", "path", c.path), err)
	}
	return v, nil
}

// listMarks are between the elements of a list in a cell.
const listMarks = ",;\n"

// cell writes a value that the JSON of a connection has.
func (c column) cell(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		if c.kind != kindOther {
			return v, nil
		}
	case []any:
		list := make([]string, len(v))
		plain := c.kind == kindList
		for i := range v {
			list[i], _ = v[i].(string) // aliases and the like are texts
			plain = plain && list[i] != "" && list[i] == strings.TrimSpace(list[i]) && !strings.ContainsAny(list[i], listMarks) &&
				!strings.HasPrefix(list[i], "[")
		}
		if plain {
			return strings.Join(list, ", "), nil
		}
	}
	b, err := json.Marshal(v)
	return string(b), err
}

// writeCSV writes a table that readCSV reads: the usual columns, and those that a
// connection has a value in.
func writeCSV(w table.Writer, docs []map[string]any) error {
	var used []column
	for _, c := range columns() {
		if c.always || slices.ContainsFunc(docs, func(doc map[string]any) bool { return connections.AtPath(doc, c.path) != nil }) {
			used = append(used, c)
		}
	}
	record := make([]string, len(used))
	for i, c := range used {
		record[i] = c.path
	}
	if err := w.Write(record); err != nil {
		return err
	}
	for _, doc := range docs {
		for i, c := range used {
			var err error
			if record[i], err = c.cell(connections.AtPath(doc, c.path)); err != nil {
				return err
			}
		}
		if err := w.Write(record); err != nil {
			return err
		}
	}
	return nil
}
