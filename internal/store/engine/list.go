package engine

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// where collects the conditions of a query and their arguments.
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

// among adds the condition that a column is one of the values.
func (w *where) among(column string, values []string) {
	if len(values) == 0 {
		w.conds = append(w.conds, "1 = 0")
		return
	}
	first := len(w.args) + 1
	for _, v := range values {
		w.args = append(w.args, v)
	}
	w.conds = append(w.conds, column+" IN ("+params(first, len(values))+")")
}

// equal adds the condition for a text that is given.
func (w *where) equal(column, v string, as func(string) any) {
	if v != "" {
		w.and(column+" = %s", as(v))
	}
}

func (w *where) String() string {
	if len(w.conds) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.conds, " AND ")
}

// chosen puts a filter into SQL over deliveries d, messages m, flows f, lanes l.
func (s Schema) chosen(f store.Filter) *where {
	w := &where{}
	if len(f.States) > 0 {
		var in []string
		for _, st := range f.States {
			in = append(in, strconv.Itoa(int(st)))
		}
		w.and("d.state IN (" + strings.Join(in, ", ") + ")")
	}
	for _, c := range [...]struct {
		column, v string
		as        func(string) any
	}{
		{"f.connection", f.Connection, s.Text}, {"l.key", f.Lane, s.Text}, {"f.client", f.Client, s.Text},
		{"m.message_id", f.MessageID, s.Key}, {"m.tag", f.Tag, s.Key},
	} {
		w.equal(c.column, c.v, c.as)
	}
	if f.Among != nil {
		w.among("f.connection", f.Among)
	}
	if !f.Message.IsZero() {
		w.and(s.Of, s.ID(f.Message))
	}
	if f.From != "" {
		w.and("(m.from_addr = %[1]s OR m.env_from = %[1]s)", s.Key(Fold(f.From)))
	}
	if f.Recipient != "" {
		w.and(s.Recipient, s.Text(Fold(f.Recipient)))
	}
	if !f.Since.IsZero() {
		w.and("d.created_at >= %s", Micros(f.Since))
		if s.IDsInTime { // bounds the walk
			w.and("d.id >= %s", s.ID(store.FirstID(f.Since.Add(-idSlack))))
		}
	}
	if !f.Before.IsZero() {
		w.and("d.created_at < %s", Micros(f.Before))
	}
	return w
}

// idSlack is how much earlier than its delivery's time an id may have been made,
// by a clock that was set meanwhile.
const idSlack = time.Hour

// index is the table of deliveries by the index that fits the filter, and the
// condition under which a row is in it: what is open or sending is little beside
// what is sent.
func (s Schema) index(f store.Filter) (table, cond string) {
	open, sending := len(f.States) > 0, len(f.States) == 1
	for _, st := range f.States {
		open = open && st != store.Sending && st != store.Sent
		sending = sending && st == store.Sending
	}
	switch {
	case !f.Message.IsZero():
		return s.By("deliveries_msg"), ""
	case sending:
		return s.By("deliveries_leased"), "d.state = 2"
	case open && len(f.States) == 1: // in this index a state's rows lie in order
		return s.By("deliveries_open"), "d.state <> 2 AND d.state <> 4"
	case open:
		return "", "d.state <> 2 AND d.state <> 4"
	}
	return "", ""
}

// List implements store.Admin.
func (p Ports) List(ctx context.Context, r store.ListRequest) (store.Page, error) {
	if r.Limit <= 0 {
		r.Limit = 50
	}
	r.Limit = min(r.Limit, 1000)
	s := &p.Schema
	w := s.chosen(r.Filter)
	table, cond := s.index(r.Filter)
	if cond != "" {
		w.and(cond)
	}
	order, after := "DESC", " < %s"
	if r.Oldest {
		order, after = "ASC", " > %s"
	}
	if r.After != "" {
		mark, err := s.ParseMark(r.After)
		if err != nil {
			return store.Page{}, fmt.Errorf("%q is not the mark of a page: %w", r.After, store.ErrNotFound)
		}
		w.and(s.Cursor+after, mark)
	}
	q := `SELECT ` + s.Delivery + `, ` + MessageColumns + ` FROM deliveries d` + table + s.Tables + s.Messages + w.String() +
		` ORDER BY ` + s.Cursor + ` ` + order + ` LIMIT ` + strconv.Itoa(r.Limit+1)
	var page store.Page
	var last DeliveryRow
	err := p.DB.List(ctx, q, w.args, func() { page = store.Page{} }, func(sc Scan) error {
		var row DeliveryRow
		var message MessageRow
		if err := sc(message.Columns(s.Columns(&row), s.To)...); err != nil {
			return err
		}
		if len(page.Entries) == r.Limit {
			page.Next = s.Mark(&last)
			return nil
		}
		m, _ := message.Decode() // a corrupt one is shown as far as it goes
		page.Entries = append(page.Entries, store.Entry{Delivery: *row.Decode(), Message: *m})
		last = row
		return nil
	})
	if err != nil {
		return store.Page{}, err
	}
	return page, nil
}
