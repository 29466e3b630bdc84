package view

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/postino-mail/postino/internal/table"
)

// AuditColumns are the headings of the audit trail as a table.
func AuditColumns() []string {
	return []string{"seq", "time", "actor_kind", "actor_id", "actor", "key", "via", "address", "program", "action", "kind", "object", "name",
		"count", "skipped", "changes"}
}

// Row is the entry as a row of a table. A cell that a spreadsheet would take for a
// formula has an apostrophe before it.
func (e *AuditEntry) Row() ([]string, error) {
	changes, err := json.Marshal(e.Changes)
	if err != nil {
		return nil, err
	}
	a := &e.Actor
	row := []string{strconv.FormatInt(e.Seq, 10), e.At.UTC().Format(time.RFC3339Nano), a.Kind, a.ID, a.Name, a.Key, a.Via, a.Address,
		a.Program, e.Action, e.Kind, e.Object, e.Name, strconv.Itoa(e.Count), strconv.Itoa(e.Skipped), string(changes)}
	return table.Cells(row), nil
}

// ValueText is a value of a change as people read it; empty for none.
func ValueText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}
