package sqlite

import (
	"slices"
	"strings"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// Append implements engine.Work.
func (t *tx) Append(ev []store.NewEvent) {
	if len(ev) > 0 {
		t.writes++
		t.news = append(t.news, ev...)
	}
}

// eventRows is how many events one statement writes.
const eventRows = 16

// writeEvents writes the events of all ops, several with one statement.
func (t *tx) writeEvents() error {
	for ev := range slices.Chunk(t.news, eventRows) {
		args := make([]any, 0, 6*eventRows)
		for _, e := range ev {
			args = append(args, e.Type, engine.Micros(e.At), e.Client, e.Message, e.Delivery, string(e.Data))
		}
		if err := t.exec(`INSERT INTO events (type, at, client, message, delivery, data) VALUES (?, ?, ?, ?, ?, ?)`+
			strings.Repeat(`, (?, ?, ?, ?, ?, ?)`, len(ev)-1), args...); err != nil {
			return err
		}
	}
	t.news = nil
	return nil
}
