package engine

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/postino-mail/postino/internal/search/terms"
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

// arg adds an argument and returns its name.
func (w *where) arg(v any) string {
	w.args = append(w.args, v)
	return "$" + strconv.Itoa(len(w.args))
}

// formatted puts the name of an argument into SQL.
func formatted(q, arg string) string { return strings.ReplaceAll(q, "%s", arg) }

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

// either joins the conditions that add adds into one: any of them will do.
func (w *where) either(add func()) {
	n := len(w.conds)
	add()
	w.conds = append(w.conds[:n], "("+strings.Join(w.conds[n:], " OR ")+")")
}

func (w *where) String() string {
	if len(w.conds) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.conds, " AND ")
}

// chosen puts the conditions of a filter that rows have as columns into SQL, over
// deliveries d, messages m, flows f, lanes l. What remains are words: see clauses.
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
	if !f.ID.IsZero() {
		w.and("d.id = %s", s.ID(f.ID))
	}
	if f.From != "" {
		w.and("(m.from_addr = %[1]s OR m.env_from = %[1]s)", s.Key(Fold(f.From)))
	}
	if !f.Since.IsZero() {
		w.and("d.created_at >= %s", Micros(f.Since))
	}
	if !f.Before.IsZero() {
		w.and("d.created_at < %s", Micros(f.Before))
	}
	return w
}

// clauses are the conditions of a filter on words and addresses. What rows have as
// columns too is among them, for the index of words to find.
func clauses(f *store.Filter) []terms.Clause {
	ms := slices.Clone(f.Match)
	for _, m := range [...]terms.Match{
		{Part: terms.Recipients, Value: f.Recipient, Prefix: true}, {Part: terms.Sender, Value: f.From},
		{Part: terms.Tag, Value: f.Tag}, {Part: terms.MessageID, Value: f.MessageID},
	} {
		if m.Value != "" {
			ms = append(ms, m)
		}
	}
	return terms.Compile(ms)
}

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

// openStates is the condition of the states of a filter in the index of open ones.
func (s Schema) openStates(f store.Filter, cond string) string {
	return cond + strings.Replace((s.chosen(store.Filter{States: f.States})).String(), " WHERE ", " AND ", 1)
}

// A listing is one walk through what a filter chooses.
type listing struct {
	p      *Ports
	f      store.Filter
	text   []terms.Clause
	sought []terms.Clause // text as the index is asked for it
	// hitAmong is the condition that a hit of the index is one of few open deliveries:
	// their keys are in an index, the hits' rows would be read for their states.
	hitAmong string
	openKeys string       // the query for the keys of the open deliveries that the states choose, where they are few
	among    []int64      // the subqueues that the filter chooses; nil: all, or too many to be named
	oldest   bool         // in the order of making; else the other way
	look     int          // at most so many deliveries are looked at; 0: no bound
	ended    *DeliveryRow // the last one looked at, where the walk ended by that
	lo, hi   any          // keys between which the filter's times lie: from lo on, before hi; nil: no bound
}

// A source finds entries of a listing in its order. It returns at most n of those
// behind a position, whether they may be others than the filter chooses by its
// words, and the position to go on from; nil: there are no more.
type source func(ctx context.Context, from any, n int) (found []found, next any, err error)

// A found entry has the key of its row.
type found struct {
	store.Entry
	row  DeliveryRow
	sure bool // its words were looked at
}

// List implements store.Admin.
func (p Ports) List(ctx context.Context, r store.ListRequest) (store.Page, error) {
	if r.Limit <= 0 {
		r.Limit = 50
	}
	r.Limit = min(r.Limit, 1000)
	l := &listing{p: &p, f: r.Filter, text: clauses(&r.Filter), oldest: r.Oldest != (r.Back != ""), look: r.Look}
	var from any
	if mark := r.After + r.Back; mark != "" {
		var err error
		if from, err = p.Schema.ParseMark(mark); err != nil || r.After != "" && r.Back != "" {
			return store.Page{}, fmt.Errorf("%q is not the mark of a page: %w", mark, store.ErrNotFound)
		}
	}
	all, err := l.collect(ctx, from, r.Limit+1)
	if err != nil {
		return store.Page{}, err
	}
	more := len(all) > r.Limit
	if more {
		all = all[:r.Limit]
	}
	if r.Back != "" {
		slices.Reverse(all)
	}
	var page store.Page
	for i := range all {
		page.Entries = append(page.Entries, all[i].Entry)
	}
	if l.ended != nil {
		page.Partial = true
		if end := p.Schema.Mark(l.ended); r.Back == "" {
			page.Next = end
		} else {
			page.Prev = end
		}
	}
	if len(all) == 0 {
		return page, nil
	}
	if more || r.Back != "" {
		page.Next = p.Schema.Mark(&all[len(all)-1].row)
	}
	if r.After != "" || r.Back != "" && more {
		page.Prev = p.Schema.Mark(&all[0].row)
	}
	return page, nil
}

// Count implements store.Admin.
func (p Ports) Count(ctx context.Context, f store.Filter, most int) (store.Count, error) {
	l := &listing{p: &p, f: f, text: clauses(&f)}
	all, err := l.collect(ctx, nil, most+1)
	if err != nil {
		return store.Count{}, err
	}
	return store.Count{N: min(len(all), most), More: len(all) > most}, nil
}

// collect returns the first n entries behind a position.
func (l *listing) collect(ctx context.Context, from any, n int) (out []found, err error) {
	sources, err := l.sources(ctx)
	if err != nil {
		return nil, err
	}
	looked := 0
	for _, src := range sources {
		for step := n; ; {
			got, next, err := src(ctx, from, step)
			if err != nil {
				return nil, err
			}
			before := len(out)
			for i := range got {
				if got[i].sure || len(l.text) == 0 || terms.Holds(l.text, TermsOf(&got[i].Message, &got[i].Delivery)) {
					if out = append(out, got[i]); len(out) == n {
						return out, nil
					}
				}
			}
			if next == nil {
				break
			}
			if len(out)-before == len(got) {
				step = n - len(out)
			} else { // of those that are left, more are refused
				step = min(max(step, n)*2, 1000)
			}
			if looked += len(got); l.look > 0 && looked >= l.look && len(got) > 0 {
				l.ended = &got[len(got)-1].row
				return out, nil
			}
			from = next
		}
	}
	return out, nil
}

// TermsOf are the terms under which a delivery is found.
func TermsOf(m *store.Message, d *store.Delivery) []string {
	r := terms.Record{Senders: []string{m.From.String(), m.Envelope.From.String(), m.OriginalFrom.String()}, Names: m.Names,
		Subject: m.Subject, MessageID: m.MessageID,
		Tag: m.Tag}
	for i := range d.Recipients {
		r.Recipients = append(r.Recipients, d.Recipients[i].Address.String())
	}
	return terms.Of(&r)
}

// walk goes along the rows by an index, and looks at each.
func (l *listing) walk(table, cond string) source {
	return func(ctx context.Context, from any, n int) (out []found, next any, err error) {
		w := l.p.Schema.chosen(l.f)
		if cond != "" {
			w.and(cond)
		}
		l.within(w, l.p.Schema.Cursor)
		return l.read(ctx, `deliveries d`+table, w, from, n)
	}
}

// byStates merges the deliveries of open states. In their index those of one state lie
// in the order of the list; those of several would all have to be sorted for a page.
func (l *listing) byStates(cond string) source {
	s := &l.p.Schema
	states := slices.Compact(slices.Sorted(slices.Values(l.f.States)))
	return func(ctx context.Context, from any, n int) (out []found, next any, err error) {
		for _, st := range states {
			one := *l
			one.f.States = []store.State{st}
			got, _, err := one.walk(s.By("deliveries_open"), cond)(ctx, from, n)
			if err != nil {
				return nil, nil, err
			}
			out = append(out, got...)
		}
		keys := make(map[store.ID]any, len(out))
		for i := range out {
			if keys[out[i].row.D.ID], err = s.ParseMark(s.Mark(&out[i].row)); err != nil {
				return nil, nil, err
			}
		}
		slices.SortFunc(out, func(a, b found) int {
			c := compareKeys(keys[a.row.D.ID], keys[b.row.D.ID])
			if !l.oldest {
				c = -c
			}
			return c
		})
		full := len(out) >= n
		// One that changed its state between two queries may be there twice.
		out = slices.CompactFunc(out, func(a, b found) bool { return a.row.D.ID == b.row.D.ID })
		if !full {
			return out, nil, nil
		}
		n = min(n, len(out))
		return out[:n], keys[out[n-1].row.D.ID], nil
	}
}

// read reads n entries behind a position, of a table expression with deliveries d.
func (l *listing) read(ctx context.Context, table string, w *where, from any, n int) (out []found, next any, err error) {
	return l.readBy(ctx, l.p.Schema.Cursor, table, w, from, n)
}

func (l *listing) readBy(ctx context.Context, cursor, table string, w *where, from any, n int) (out []found, next any, err error) {
	s := &l.p.Schema
	order, after := "DESC", " < %s"
	if l.oldest {
		order, after = "ASC", " > %s"
	}
	if l.among != nil && s.Words.HitKeys == "" { // looked at before the tables with the connection and the client are read
		w.and("d.flow "+s.Words.In, s.Words.Ints(l.among))
	}
	if from != nil {
		w.and(cursor+after, from)
	}
	q := `SELECT ` + s.Delivery + `, ` + MessageColumns + ` FROM ` + table + s.Tables + s.Messages + w.String() +
		` ORDER BY ` + cursor + ` ` + order + ` LIMIT ` + strconv.Itoa(n)
	err = l.p.DB.List(ctx, q, w.args, func() { out = nil }, func(sc Scan) error {
		var f found
		var message MessageRow
		if err := sc(message.Columns(s.Columns(&f.row), s.To)...); err != nil {
			return err
		}
		m, _ := message.Decode() // a corrupt one is shown as far as it goes
		f.Delivery, f.Message = *f.row.Decode(), *m
		out = append(out, f)
		return nil
	})
	if err == nil && len(out) == n {
		next, err = s.ParseMark(s.Mark(&out[n-1].row))
	}
	return out, next, err
}
