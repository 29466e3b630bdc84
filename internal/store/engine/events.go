package engine

import (
	"context"
	"encoding/json"
	"fmt"
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
		e, err := r.scanEvent(sc)
		out = append(out, e)
		return err
	})
	return out, err
}

func (r Ports) scanEvent(sc Scan) (e store.Event, err error) {
	var when int64
	var data string
	if err := sc(&e.Seq, &e.Type, &when, &e.Client, r.Schema.To(&e.Message), r.Schema.To(&e.Delivery), &data); err != nil {
		return e, err
	}
	if e.At = At(when); data != "" {
		e.Data = json.RawMessage(data)
	}
	return e, nil
}

// eventsAtOnce is how many events EventsAmong looks through: what it answers takes
// as long whether many or none are of the connections.
const eventsAtOnce = 5000

// EventsAmong implements store.Events.
func (r Ports) EventsAmong(ctx context.Context, connections []string, after int64, limit int, types []string) (out []store.Event,
	through int64, err error) {
	last := `SELECT coalesce(max(seq), 0) FROM (SELECT seq FROM events WHERE seq > $1 ORDER BY seq LIMIT ` + strconv.Itoa(eventsAtOnce) + `) x`
	var end int64
	if err := r.DB.Read(ctx, last, []any{after}, &end); err != nil || end == 0 {
		return nil, after, err
	}
	w := &where{}
	w.and("e.seq > %s", after)
	w.and("e.seq <= %s", end)
	if len(types) > 0 {
		w.among("e.type", types)
	}
	w.args = append(w.args, r.Schema.ID(store.ID{}))
	none := "$" + strconv.Itoa(len(w.args))
	w.among("f.connection", connections)
	of := w.conds[len(w.conds)-1]
	w.conds[len(w.conds)-1] = `(EXISTS (SELECT 1 FROM deliveries d JOIN flows f ON f.id = d.flow WHERE d.id = e.delivery AND ` + of + `)
		OR e.delivery = ` + none + ` AND EXISTS (SELECT 1 FROM deliveries d JOIN flows f ON f.id = d.flow
			WHERE ` + fmt.Sprintf(r.Schema.Of, "e.message") + ` AND ` + of + `))`
	q := `SELECT e.seq, e.type, e.at, e.client, e.message, e.delivery, e.data FROM events e` + w.String() + ` ORDER BY e.seq LIMIT ` +
		strconv.Itoa(limit)
	err = r.DB.List(ctx, q, w.args, func() { out = nil }, func(sc Scan) error {
		e, err := r.scanEvent(sc)
		out = append(out, e)
		return err
	})
	if err != nil {
		return nil, after, err
	}
	if through = end; len(out) == limit {
		through = out[limit-1].Seq
	}
	return out, through, nil
}

// LastEvent implements store.Events.
func (r Ports) LastEvent(ctx context.Context) (seq int64, err error) {
	err = r.DB.Read(ctx, r.Schema.LastEvent, nil, &seq)
	return seq, err
}
