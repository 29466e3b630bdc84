package engine

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// Bounds of the ways in which entries are found.
const (
	few          = 2000 // rows that are rather looked at one by one than sought by their words
	maxSubqueues = 5000 // subqueues with deliveries that are merged; of more, most rows are wanted
	manyOf       = 8    // subqueues of which it is asked first which have the next entries

	// countedMost is up to how many open deliveries, and deliveries of many subqueues,
	// are counted to see which are fewer: an operator's failed ones are a handful among
	// all theirs.
	countedMost = 50_000
)

// sources are where the entries are found, one behind the other. Of the conditions
// the one that leaves fewest rows leads, and the rows are looked at for the others:
// open states, then subqueues with few deliveries, then words, then subqueues with
// many.
func (l *listing) sources(ctx context.Context) ([]source, error) {
	if err := l.bounds(ctx); err != nil {
		return nil, err
	}
	if err := l.resolve(ctx); err != nil {
		return nil, err
	}
	s := &l.p.Schema
	table, cond := s.index(l.f)
	if !l.f.ID.IsZero() || !l.f.Message.IsZero() {
		return []source{l.walk(table, cond)}, nil
	}
	subqueues, chosen, err := l.subqueues(ctx)
	if err != nil || chosen && len(subqueues) == 0 {
		return nil, err
	}
	if len(subqueues) <= maxSubqueues {
		l.among = subqueues
	}
	many := chosen && len(subqueues) > manyOf
	most, byOpen := few, table
	if chosen && !l.seeksWords() {
		if most = countedMost; cond != "" && table == "" {
			byOpen = s.By("deliveries_open")
		}
	}
	open, mine := most, most
	if cond != "" && (chosen || l.seeksWords()) {
		rows := ` FROM deliveries d` + byOpen + ` WHERE ` + s.openStates(l.f, cond)
		upTo := most
		if l.seeksWords() {
			upTo = 2 * countedMost
		}
		if open, err = l.countUpTo(ctx, upTo, `SELECT 1`+rows, nil); err != nil {
			return nil, err
		}
		if open < upTo && s.Words.HitAmong != "" {
			l.hitAmong = formatted(s.Words.HitAmong, `SELECT `+s.Cursor+rows)
		}
		if open < upTo && s.Words.HitOf != "" {
			l.openKeys = `SELECT ` + s.Cursor + rows
		}
	}
	if chosen && (l.seeksWords() && !many || !l.seeksWords() && cond != "" && (!many || open >= few)) {
		if mine, err = l.countUpTo(ctx, min(most, open), `SELECT 1 FROM `+s.Words.Table+` WHERE flow `+s.in("$1"),
			[]any{s.Words.Ints(subqueues)}); err != nil {
			return nil, err
		}
	}
	inOrder := l.walk(table, cond)
	if cond != "" && table == "" {
		inOrder = l.byStates(cond)
	}
	// Where both are too many to be counted, open ones are the smaller part of all.
	if cond != "" && open <= mine && (open < most || chosen && !l.seeksWords()) {
		return []source{inOrder}, nil
	}
	x, err := l.p.readIndexed(ctx)
	if err != nil {
		return nil, err
	}
	if chosen && len(subqueues) <= maxSubqueues && (!l.seeksWords() || mine < few) {
		return l.zones(x, l.inSubqueues(subqueues), false), nil
	}
	if l.seeksWords() {
		if l.sought, err = l.spelledOut(ctx); err != nil {
			return nil, err
		}
		return l.zones(x, l.byWords(), true), nil
	}
	return []source{inOrder}, nil
}

// seeksWords reports that there are words that must be there: an index finds them.
func (l *listing) seeksWords() bool {
	for _, c := range l.text {
		if !c.Not {
			return true
		}
	}
	return false
}

// zones puts a source where rows are in the index, and a walk where they are not.
func (l *listing) zones(x indexed, src func(lo, hi any) source, words bool) []source {
	if x.all && (!words || x.to == nil) {
		return []source{src(l.lo, l.hi)}
	}
	if !x.all && x.from == nil {
		return []source{l.walk("", "")}
	}
	part := func(lo, hi any) *listing {
		p := *l
		p.lo, p.hi = later(l.lo, lo), earlier(l.hi, hi)
		return &p
	}
	var out []source
	behind := any(nil)
	if words && x.to != nil {
		behind = after(x.to)
		out = append(out, part(behind, nil).walk("", ""))
	}
	middle := part(x.from, behind)
	out = append(out, src(middle.lo, middle.hi))
	if !x.all {
		out = append(out, part(nil, x.from).walk("", ""))
	}
	if l.oldest {
		slices.Reverse(out)
	}
	return out
}

// within adds the bounds of the listing on a key.
func (l *listing) within(w *where, column string) {
	if l.lo != nil {
		w.and(column+" >= %s", l.lo)
	}
	if l.hi != nil {
		w.and(column+" < %s", l.hi)
	}
}

// Keys of rows are numbers or ids.
func compareKeys(a, b any) int {
	switch x := a.(type) {
	case int64:
		if y, ok := b.(int64); ok {
			return int(min(max(x-y, -1), 1))
		}
	case [16]byte:
		if y, ok := b.([16]byte); ok {
			return bytes.Compare(x[:], y[:])
		}
	}
	return 0
}

func later(a, b any) any {
	if a == nil || b != nil && compareKeys(a, b) < 0 {
		return b
	}
	return a
}

func earlier(a, b any) any {
	if a == nil || b != nil && compareKeys(a, b) > 0 {
		return b
	}
	return a
}

// after is the key that follows one; of an id, itself: ids are never behind a bound.
func after(k any) any {
	if n, ok := k.(int64); ok {
		return n + 1
	}
	return k
}

// resolve finds out whether the id that is looked for is a delivery's or its message's.
func (l *listing) resolve(ctx context.Context) error {
	if l.f.ID.IsZero() {
		return nil
	}
	var one int
	err := l.p.DB.Read(ctx, `SELECT 1 FROM deliveries WHERE id = $1`, []any{l.p.Schema.ID(l.f.ID)}, &one)
	if errors.Is(err, store.ErrNotFound) {
		if !l.f.Message.IsZero() && l.f.Message != l.f.ID {
			return nil // nothing has both
		}
		l.f.Message, l.f.ID = l.f.ID, store.ID{}
		return nil
	}
	return err
}

// timeSlack is how far the order of keys and of times may differ, by clocks that
// were set or that differ between nodes.
const timeSlack = time.Hour

// bounds finds the keys between which the times of the filter lie, by messages that
// were received surely before or after.
func (l *listing) bounds(ctx context.Context) (err error) {
	if !l.f.Since.IsZero() {
		l.lo, err = l.keyNear(ctx, "<", "DESC", Micros(l.f.Since.Add(-timeSlack)))
	}
	if err == nil && !l.f.Before.IsZero() {
		l.hi, err = l.keyNear(ctx, ">", "ASC", Micros(l.f.Before.Add(timeSlack)))
	}
	return err
}

func (l *listing) keyNear(ctx context.Context, than, order string, at int64) (key any, err error) {
	s := &l.p.Schema
	for _, kept := range []bool{false, true} {
		var row DeliveryRow
		err := l.p.DB.Read(ctx, `SELECT `+s.SeqAndID+` FROM (SELECT * FROM messages WHERE kept = $1 AND received_at `+than+` $2
			ORDER BY received_at `+order+` LIMIT 1) m JOIN deliveries d ON `+s.OfMessage+` ORDER BY 1 LIMIT 1`,
			[]any{kept, at}, &row.Seq, s.To(&row.D.ID))
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		k, err := s.ParseMark(s.Mark(&row))
		if err != nil {
			return nil, err
		}
		if than == "<" {
			key = later(key, k)
		} else {
			key = earlier(key, k)
		}
	}
	return key, nil
}

// countUpTo counts the rows of a query, up to most.
func (l *listing) countUpTo(ctx context.Context, most int, q string, args []any) (n int, err error) {
	err = l.p.DB.Read(ctx, `SELECT count(*) FROM (`+q+` LIMIT `+strconv.Itoa(most)+`) x`, args, &n)
	return n, err
}

// subqueues are the subqueues of the deliveries that the filter chooses, by connection,
// client or lane; chosen is false where it chooses by none of them.
func (l *listing) subqueues(ctx context.Context) (ids []int64, chosen bool, err error) {
	s, f := &l.p.Schema, &l.f
	if f.Connection == "" && f.Client == "" && f.Lane == "" && f.Among == nil {
		return nil, false, nil
	}
	w := &where{}
	w.equal("f.connection", f.Connection, s.Text)
	w.equal("f.client", f.Client, s.Text)
	w.equal("l.key", f.Lane, s.Text)
	if f.Among != nil {
		w.among("f.connection", f.Among)
	}
	err = l.p.DB.List(ctx, `SELECT f.id FROM flows f JOIN lanes l ON l.id = f.lane`+w.String(), w.args, func() { ids = nil },
		func(sc Scan) error {
			var id int64
			err := sc(&id)
			ids = append(ids, id)
			return err
		})
	return ids, true, err
}

func (l *listing) order() (order, beyond string) {
	if l.oldest {
		return "ASC", " > %s"
	}
	return "DESC", " < %s"
}

// inSubqueues merges the deliveries of subqueues.
func (l *listing) inSubqueues(subqueues []int64) func(lo, hi any) source {
	return func(lo, hi any) source {
		part := *l
		part.lo, part.hi = lo, hi
		return func(ctx context.Context, from any, n int) ([]found, any, error) {
			keys, err := part.nextKeys(ctx, subqueues, from, n)
			if err != nil || len(keys) == 0 {
				return nil, nil, err
			}
			s := &l.p.Schema
			w := s.chosen(l.f)
			w.and(s.Cursor+" "+s.Words.In, s.Words.Keys(keys))
			out, _, err := part.read(ctx, `deliveries d`, w, nil, len(keys))
			if len(keys) < n {
				return out, nil, err
			}
			return out, keys[n-1], err
		}
	}
}

// nextKeys returns the next n keys of the subqueues. Of many it asks first which
// have the next entries: no other has one of the next n, and none has one behind the
// n-th of these.
func (l *listing) nextKeys(ctx context.Context, subqueues []int64, from any, n int) (keys []any, err error) {
	s := &l.p.Schema
	order, beyond := l.order()
	upTo := " >= %s"
	if l.oldest {
		upTo = " <= %s"
	}
	var last any
	conds := func(subqueue string) (w *where, ids string) {
		w = &where{}
		ids = w.arg(s.Words.Ints(subqueues))
		l.within(w, "t."+s.Words.Key)
		if from != nil {
			w.and("t."+s.Words.Key+beyond, from)
		}
		if last != nil {
			w.and("t."+s.Words.Key+upTo, last)
		}
		w.conds = append(w.conds, "t.flow = "+subqueue)
		return w, ids
	}
	limit := ` ` + order + ` LIMIT ` + strconv.Itoa(n)
	if len(subqueues) > manyOf {
		w, ids := conds("f.id")
		q := `SELECT head, id FROM (SELECT f.id AS id, (SELECT t.` + s.Words.Key + ` FROM ` + s.Words.Table + ` t` + w.String() +
			` ORDER BY t.` + s.Words.Key + ` ` + order + ` LIMIT 1) AS head FROM flows f WHERE f.id ` + s.in(ids) +
			`) x WHERE head IS NOT NULL ORDER BY head` + limit
		if err := l.p.DB.List(ctx, q, w.args, func() { subqueues, last = nil, nil }, func(sc Scan) error {
			var id int64
			head, err := s.scanKey(sc, &DeliveryRow{}, &id)
			subqueues, last = append(subqueues, id), head
			return err
		}); err != nil {
			return nil, err
		}
		if len(subqueues) < n {
			last = nil
		}
	}
	w, ids := conds("x.flow")
	tops := s.Words.Tops(ids, `SELECT t.`+s.Words.Key+` FROM `+s.Words.Table+` t`+w.String()+` ORDER BY t.`+s.Words.Key+limit)
	err = l.p.DB.List(ctx, tops+` ORDER BY 1`+limit, w.args, func() { keys = nil }, func(sc Scan) error {
		k, err := s.scanKey(sc, &DeliveryRow{})
		keys = append(keys, k)
		return err
	})
	return keys, err
}

// scanKey reads the column with a key, the first one.
func (s *Schema) scanKey(sc Scan, r *DeliveryRow, more ...any) (any, error) {
	to := any(&r.Seq)
	if s.Words.Key == "id" {
		to = s.To(&r.D.ID)
	}
	if err := sc(append([]any{to}, more...)...); err != nil {
		return nil, err
	}
	return s.ParseMark(s.Mark(r))
}

// in is the condition that a column is one of the values of an argument.
func (s *Schema) in(arg string) string { return formatted(s.Words.In, arg) }
