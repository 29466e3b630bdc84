package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// chosen puts a filter into SQL over deliveries d, messages m, flows f, lanes l.
func chosen(f store.Filter) (where []string, args []any) {
	and := func(cond string, v ...any) {
		where = append(where, cond)
		args = append(args, v...)
	}
	if len(f.States) > 0 {
		var in []string
		for _, s := range f.States {
			in = append(in, strconv.Itoa(int(s)))
		}
		and("d.state IN (" + strings.Join(in, ", ") + ")")
	}
	for _, c := range []struct{ column, v string }{
		{"f.connection", f.Connection}, {"l.key", f.Lane}, {"f.client", f.Client}, {"m.message_id", f.MessageID}, {"m.tag", f.Tag},
	} {
		if c.v != "" {
			and(c.column+" = ?", c.v)
		}
	}
	if !f.Message.IsZero() {
		and("d.msg = (SELECT seq FROM messages WHERE id = ?)", f.Message)
	}
	if f.From != "" {
		and("(m.from_addr = ? OR m.env_from = ?)", engine.Fold(f.From), engine.Fold(f.From))
	}
	if f.Recipient != "" {
		and("EXISTS (SELECT 1 FROM json_each(d.recipients) WHERE instr(lower(value ->> '$.address'), ?))", engine.Fold(f.Recipient))
	}
	if !f.Since.IsZero() {
		and("d.created_at >= ?", engine.Micros(f.Since))
	}
	if !f.Before.IsZero() {
		and("d.created_at < ?", engine.Micros(f.Before))
	}
	return where, args
}

// from is the table of deliveries by the index that fits the filter: what is
// open or under way is little beside what is done.
func from(f store.Filter) (table string, where []string) {
	open, leased := len(f.States) > 0, len(f.States) == 1
	for _, s := range f.States {
		open = open && s != store.Sending && s != store.Sent
		leased = leased && s == store.Sending
	}
	switch {
	case !f.Message.IsZero():
		return "deliveries d INDEXED BY deliveries_msg", nil
	case leased:
		return "deliveries d INDEXED BY deliveries_leased", []string{"d.state = 2"}
	case open && len(f.States) == 1: // in this index a state's rows lie in order
		return "deliveries d INDEXED BY deliveries_open", []string{"d.state <> 2 AND d.state <> 4"}
	}
	return "deliveries d", nil
}

// List implements store.Admin.
func (s *Store) List(ctx context.Context, r store.ListRequest) (store.Page, error) {
	if r.Limit <= 0 {
		r.Limit = 50
	}
	r.Limit = min(r.Limit, 1000)
	table, where := from(r.Filter)
	more, args := chosen(r.Filter)
	where = append(where, more...)
	order := "DESC"
	if r.Oldest {
		order = "ASC"
	}
	if r.After != "" {
		seq, err := strconv.ParseInt(r.After, 36, 64)
		if err != nil {
			return store.Page{}, fmt.Errorf("%q is not the mark of a page: %w", r.After, store.ErrNotFound)
		}
		where = append(where, map[bool]string{true: "d.seq > ?", false: "d.seq < ?"}[r.Oldest])
		args = append(args, seq)
	}
	cond := ""
	if len(where) > 0 {
		cond = " WHERE " + strings.Join(where, " AND ")
	}
	q := `SELECT ` + deliveryColumns + `, ` + engine.MessageColumns + ` FROM ` + table + deliveryTables + cond + ` ORDER BY d.seq ` + order + ` LIMIT ?`
	return s.Page(ctx, r.Limit, q, append(args, r.Limit+1), func(r *engine.DeliveryRow) string { return strconv.FormatInt(r.Seq, 36) })
}

// Kept implements engine.Work.
func (t *tx) Kept(rows []*deliveryRow) (map[store.ID]bool, error) {
	kept := map[store.ID]bool{}
	for _, r := range rows {
		if !r.D.State.Final() { // what waits keeps its bytes
			continue
		}
		has := true
		if err := t.row(`SELECT kept FROM messages WHERE seq = ?`, []any{r.Msg}, &has); err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, err
		}
		kept[r.D.ID] = has
	}
	return kept, nil
}
