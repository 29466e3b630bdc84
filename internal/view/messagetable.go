package view

import (
	"cmp"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/postino-mail/postino/internal/table"
)

// MessageColumns are the headings of a list of messages as a table.
func MessageColumns() []string {
	return []string{"message", "delivery", "received", "state", "from", "recipients", "subject", "connection", "client", "tag", "message_id",
		"size", "attempts", "finished", "error_class", "error_code", "error", "hint", "possible_duplicate", "metadata"}
}

// Row is the entry as a row of a table. A cell that a spreadsheet would take for a
// formula has an apostrophe before it.
func (e *MessageEntry) Row() ([]string, error) {
	m, d := &e.Message, &e.Delivery
	var to []string
	for i := range d.Recipients {
		to = append(to, d.Recipients[i].Address)
	}
	failed := Error{}
	if d.Error != nil {
		failed = *d.Error
	}
	row := []string{m.ID, d.ID, rowTime(m.ReceivedAt), d.State.String(), m.From, strings.Join(to, ", "), m.Subject,
		cmp.Or(d.Connection.Name, d.Connection.ID), m.Client, m.Tag, m.MessageID, strconv.FormatInt(m.Size, 10), strconv.Itoa(d.Attempts),
		rowTime(d.FinishedAt), failed.Class, cmp.Or(failed.Code, failed.ProviderCode), failed.Message, failed.Hint,
		strconv.FormatBool(d.Duplicate), ""}
	if len(m.Metadata) > 0 { // as in the API: an object of JSON
		pairs, err := json.Marshal(m.Metadata)
		if err != nil {
			return nil, err
		}
		row[len(row)-1] = string(pairs)
	}
	return table.Cells(row), nil
}

func rowTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
