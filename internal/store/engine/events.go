package engine

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/postino-mail/postino/internal/store"
)

// Events implements store.Events.
func (r Ports) Events(ctx context.Context, after int64, limit int, client string, types []string) (out []store.Event, err error) {
	q, args := `SELECT seq, type, at, client, message, delivery, data FROM events WHERE seq > $1`, []any{after}
	if client != "" {
		args = append(args, client)
		q += ` AND client = ` + params(len(args), 1)
	}
	if len(types) > 0 {
		q += ` AND type IN (` + params(len(args)+1, len(types)) + `)`
		for _, ty := range types {
			args = append(args, ty)
		}
	}
	args = append(args, limit)
	err = r.DB.List(ctx, q+` ORDER BY seq LIMIT $`+strconv.Itoa(len(args)), args, func() { out = nil }, func(sc Scan) error {
		var e store.Event
		var when int64
		var data string
		if err := sc(&e.Seq, &e.Type, &when, &e.Client, r.Schema.To(&e.Message), r.Schema.To(&e.Delivery), &data); err != nil {
			return err
		}
		if e.At = At(when); data != "" {
			e.Data = json.RawMessage(data)
		}
		out = append(out, e)
		return nil
	})
	return out, err
}

// LastEvent implements store.Events.
func (r Ports) LastEvent(ctx context.Context) (seq int64, err error) {
	err = r.DB.Read(ctx, r.Schema.LastEvent, nil, &seq)
	return seq, err
}
