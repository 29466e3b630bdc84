package engine

import (
	"context"
	"errors"

	"github.com/postino-mail/postino/internal/search/terms"
	"github.com/postino-mail/postino/internal/store"
)

// Settings that say which deliveries are in the index of words, as marks of pages:
// those from searchFrom to searchTo. Rows outside are looked at one by one.
const (
	searchFrom = "search_from"
	searchTo   = "search_to"
	// searchAll, in place of searchFrom: there is nothing older.
	searchAll = "-"
)

// A WordIndex is what the databases name differently of the index of words.
type WordIndex struct {
	// Written: records are written with their deliveries, so that only older ones
	// are to follow; else the new ones too, in batches, which are cheaper.
	Written bool
	// Put adds a delivery with the key $1 and the terms $2, unless it is gone or its
	// column of recipients is not $3 any more.
	Put   string
	Terms func([]string) any
	// Gaps finds the keys between $1 and $2 of deliveries without a record, or with
	// that of another subqueue; empty: no other version writes here. Put mends them.
	Gaps string
	// Table is the table of subqueues (column flow) and deliveries, Key its second column.
	Table, Key string
	// PutSubqueue adds a delivery of before there was an index, with the key $1, to it;
	// empty: Put does.
	PutSubqueue string
	// Query is a question to the index; days, where given, are those with the deliveries that
	// are asked for, as DayTerm names them.
	Query func(cs []terms.Clause, days []string) string
	// Beginnings is a query for the terms from $1 to $2, at most $3; empty: to ask for
	// all that begin so is as fast.
	Beginnings string
	// Days: the index has the term of the day of each delivery, and its answers come
	// in no order: they are asked for in spans of days.
	Days bool
	// Hits are the rows that a query (the argument %s) finds, with deliveries d, and
	// a condition, which may be empty; Cursor is the column by which they go.
	Hits, HitCond, Cursor string
	// HitAmong is the condition that a hit's key is among those of a query (the argument
	// %s); empty: what finds the hits does not read the rows of all of them.
	HitAmong string
	// HitKeys are the keys alone that a query (the argument %s) finds, where they come
	// in no order; empty: they come in that of Cursor.
	HitKeys string
	// HitOf are those of the keys of a query (%k) that a query of words (the argument %s)
	// finds, each key looked up: of a word of millions it gathers no more than these.
	HitOf string
	// In is the condition that a column is one of the values of one argument, which
	// Ints and Keys make.
	In   string
	Ints func([]int64) any
	Keys func([]any) any
	// Tops is a query for the keys that a query with a subqueue (x.flow) finds for
	// each of the subqueues of an argument.
	Tops func(ids, each string) string
	// Lock is the query for whether this process alone writes the index; empty: it does.
	Lock string
}

// indexed is which rows are in the index of words.
type indexed struct {
	from, to any // nil: none yet
	all      bool
}

func (p *Ports) indexed(read func(q string, args []any, dst ...any) error) (x indexed, err error) {
	mark := func(name string) (string, error) {
		var v string
		err := read(`SELECT value FROM settings WHERE name = $1`, []any{name}, &v)
		if errors.Is(err, store.ErrNotFound) {
			return "", nil
		}
		return v, err
	}
	from, err := mark(searchFrom)
	if err != nil || from == "" {
		return x, err
	}
	if x.all = from == searchAll; !x.all {
		if x.from, err = p.Schema.ParseMark(from); err != nil {
			return indexed{}, err
		}
	}
	if p.Schema.Words.Written {
		return x, nil
	}
	to, err := mark(searchTo)
	if err == nil && to != "" {
		x.to, err = p.Schema.ParseMark(to)
	}
	return x, err
}

func (p *Ports) readIndexed(ctx context.Context) (indexed, error) {
	return p.indexed(func(q string, args []any, dst ...any) error { return p.DB.Read(ctx, q, args, dst...) })
}

// IndexSearch implements store.Admin. What it adds is read before the transaction,
// which only writes.
func (p Ports) IndexSearch(ctx context.Context, most int) (more bool, err error) {
	if more, err = p.gaps(ctx, most); err != nil || more {
		return more, err
	}
	x, err := p.readIndexed(ctx)
	if err != nil {
		return false, err
	}
	if !p.Schema.Words.Written {
		rows, err := p.unindexed(ctx, x.to, true, most)
		if err == nil && len(rows) > 0 {
			err = p.addWords(ctx, rows, x, false)
		}
		if err != nil || len(rows) == most || x.all {
			return len(rows) == most, err
		}
		if x, err = p.readIndexed(ctx); err != nil {
			return false, err
		}
	}
	if x.all {
		return false, nil
	}
	rows, err := p.unindexed(ctx, x.from, false, most)
	if err != nil {
		return false, err
	}
	return len(rows) > 0, p.addWords(ctx, rows, x, true)
}

// unindexed reads rows beyond a mark: newer ones or older ones. The first batch
// goes backward from the newest.
func (p *Ports) unindexed(ctx context.Context, mark any, newer bool, most int) (out []found, err error) {
	if newer && mark == nil {
		return nil, nil
	}
	l := &listing{p: p, oldest: newer}
	out, _, err = l.read(ctx, `deliveries d`, &where{}, mark, most)
	return out, err
}

// A wordEntry is what Put takes.
type wordEntry struct{ key, terms, recipients any }

func (p *Ports) entry(f *found) (wordEntry, error) {
	x := &p.Schema.Words
	key, err := p.Schema.ParseMark(p.Schema.Mark(&f.row))
	list := TermsOf(&f.Message, &f.Delivery)
	if x.Days {
		list = append(list, DayTerm(f.Delivery.ID))
	}
	return wordEntry{key, x.Terms(list), string(f.row.recipients)}, err
}

// addWords writes rows into the index and moves its bounds, unless another process
// has moved them.
func (p *Ports) addWords(ctx context.Context, rows []found, before indexed, older bool) error {
	x := &p.Schema.Words
	entries := make([]wordEntry, 0, len(rows))
	for i := range rows {
		e, err := p.entry(&rows[i])
		if err != nil {
			return err
		}
		entries = append(entries, e)
	}
	return p.DB.Do(ctx, func(t Tx) error {
		if x.Lock != "" {
			var ours bool
			if err := t.Row(x.Lock, nil, &ours); err != nil || !ours {
				return err
			}
		}
		now, err := p.indexed(t.Row)
		if err != nil || now != before {
			return err
		}
		written := len(entries)
		for i, e := range entries {
			n, err := t.Exec(x.Put, e.key, e.terms, e.recipients)
			if err == nil && older && x.PutSubqueue != "" {
				_, err = t.Exec(x.PutSubqueue, e.key)
			}
			var changed bool
			if err == nil && n == 0 && !x.Written {
				err = t.Row(`SELECT EXISTS (SELECT 1 FROM deliveries d WHERE `+p.Schema.Cursor+` = $1)`, []any{e.key}, &changed)
			}
			if err != nil {
				return err
			}
			if changed { // since it was read: the next batch begins with it
				written = i
				break
			}
		}
		if written == 0 && len(entries) > 0 {
			return nil
		}
		rows := rows[:written]
		set := func(name, v string) error {
			_, err := t.Exec(setSetting, name, v)
			return err
		}
		switch {
		case len(rows) == 0:
			if before.to == nil && !x.Written {
				if err := set(searchTo, p.Schema.NoMark); err != nil {
					return err
				}
			}
			return set(searchFrom, searchAll)
		case !older:
			return set(searchTo, p.Schema.Mark(&rows[len(rows)-1].row))
		case before.to == nil && !x.Written:
			if err := set(searchTo, p.Schema.Mark(&rows[0].row)); err != nil {
				return err
			}
		}
		return set(searchFrom, p.Schema.Mark(&rows[len(rows)-1].row))
	})
}
