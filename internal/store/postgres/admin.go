package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// A where collects the conditions of a query and their arguments.
type where struct {
	conds []string
	args  []any
}

// and adds a condition; %s stands for its arguments, in order.
func (w *where) and(cond string, args ...any) {
	names := make([]any, len(args))
	for i, a := range args {
		w.args = append(w.args, a)
		names[i] = "$" + strconv.Itoa(len(w.args))
	}
	w.conds = append(w.conds, fmt.Sprintf(cond, names...))
}

func (w *where) String() string {
	if len(w.conds) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.conds, " AND ")
}

// idSlack is how much earlier than its delivery's time an id may have been made,
// by a clock that was set meanwhile.
const idSlack = time.Hour

// chosen puts a filter into SQL over deliveries d, messages m, flows f, lanes l.
func chosen(f store.Filter) *where {
	w := &where{}
	if len(f.States) > 0 {
		var in []string
		open := true
		for _, s := range f.States {
			in = append(in, strconv.Itoa(int(s)))
			open = open && s != store.Sending && s != store.Sent
		}
		w.and("d.state IN (" + strings.Join(in, ", ") + ")")
		if open { // what is open is little beside what is done, and has an index
			w.and("d.state <> 2 AND d.state <> 4")
		}
	}
	for _, c := range []struct{ column, v string }{{"f.connection", f.Connection}, {"l.key", f.Lane}, {"f.client", f.Client}} {
		if c.v != "" {
			w.and(c.column+" = %s", strings.ToValidUTF8(c.v, "\uFFFD"))
		}
	}
	if f.MessageID != "" {
		w.and("m.message_id = %s", []byte(f.MessageID))
	}
	if f.Tag != "" {
		w.and("m.tag = %s", []byte(f.Tag))
	}
	if !f.Message.IsZero() {
		w.and("d.msg = %s", [16]byte(f.Message))
	}
	if f.From != "" {
		w.and("(m.from_addr = %[1]s OR m.env_from = %[1]s)", []byte(engine.Fold(f.From)))
	}
	if f.Recipient != "" {
		w.and("EXISTS (SELECT FROM json_array_elements(d.recipients::json) r WHERE strpos(lower(r ->> 'address'), %s) > 0)", strings.ToValidUTF8(engine.Fold(f.Recipient), "\uFFFD"))
	}
	if !f.Since.IsZero() {
		w.and("d.created_at >= %s", engine.Micros(f.Since))
		w.and("d.id >= %s", [16]byte(store.FirstID(f.Since.Add(-idSlack)))) // bounds the walk; ids are made in time
	}
	if !f.Before.IsZero() {
		w.and("d.created_at < %s", engine.Micros(f.Before))
	}
	return w
}

// List implements store.Admin. The order is that of the deliveries' ids, which
// are made in time.
func (s *Store) List(ctx context.Context, r store.ListRequest) (store.Page, error) {
	if r.Limit <= 0 {
		r.Limit = 50
	}
	r.Limit = min(r.Limit, 1000)
	w := chosen(r.Filter)
	order, cond := "DESC", "d.id < %s"
	if r.Oldest {
		order, cond = "ASC", "d.id > %s"
	}
	if r.After != "" {
		mark, err := store.ParseID(r.After)
		if err != nil {
			return store.Page{}, fmt.Errorf("%q is not the mark of a page: %w", r.After, store.ErrNotFound)
		}
		w.and(cond, [16]byte(mark))
	}
	q := `SELECT ` + deliveryColumns + `, ` + engine.MessageColumns + ` FROM deliveries d` + deliveryTables + ` JOIN messages m ON m.id = d.msg` +
		w.String() + ` ORDER BY d.id ` + order + ` LIMIT ` + strconv.Itoa(r.Limit+1)
	return s.Page(ctx, r.Limit, q, w.args, func(r *engine.DeliveryRow) string { return r.D.ID.String() })
}

// Kept implements engine.Work: it locks the messages of final deliveries against a purge and says
// of each that is still there whether its bytes are.
func (t unit) Kept(rows []*deliveryRow) (map[store.ID]bool, error) {
	var ids [][16]byte
	for _, r := range rows {
		if r.D.State.Final() {
			ids = append(ids, r.D.Message)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	found, err := t.conn.Query(t.ctx, `SELECT id, kept FROM messages WHERE id = ANY($1) ORDER BY id FOR KEY SHARE`, ids)
	if err != nil {
		return nil, dbErr(err)
	}
	kept := map[store.ID]bool{}
	err = each(func(sc scan) error {
		var id [16]byte
		var has bool
		err := sc(&id, &has)
		kept[id] = has
		return err
	})(found)
	for _, r := range rows {
		if has, ok := kept[r.D.Message]; ok {
			kept[r.D.ID] = has
		}
	}
	return kept, dbErr(err)
}
