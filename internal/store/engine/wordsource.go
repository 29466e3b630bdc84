package engine

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/postino-mail/postino/internal/search/terms"
	"github.com/postino-mail/postino/internal/store"
)

// Spans of days in which an index that answers in no order is asked: a word of many
// messages has a page of them in the first one, a word of few in the last, which
// has no bound. The first one begins two days ahead, for clocks of other nodes.
const (
	firstSpan = 4
	lastSpan  = 128
)

const day = 24 * time.Hour

// dayOf is the number of the day on which an id was made.
func dayOf(id store.ID) int64 { return id.Time().Unix() / int64(day/time.Second) }

func firstOfDay(n int64) store.ID { return store.FirstID(time.Unix(n*int64(day/time.Second), 0)) }

// DayTerm is the term of the day on which an id was made.
func DayTerm(id store.ID) string { return dayTerm(dayOf(id)) }

func dayTerm(n int64) string { return "d=" + strconv.FormatInt(n, 36) }

// byWords finds the entries by the index of words.
func (l *listing) byWords() func(lo, hi any) source {
	return func(lo, hi any) source {
		part := *l
		part.lo, part.hi = lo, hi
		if l.p.Schema.Words.Days && !l.oldest {
			return part.inSpans()
		}
		return func(ctx context.Context, from any, n int) ([]found, any, error) { return part.hits(ctx, nil, from, n) }
	}
}

// spelledMost is up to how many words of the index the beginning of a word is asked
// for as these words: each is read in the order of the list and no further than the
// page, all that begin so are gathered first.
const spelledMost = 64

// spelledOut is the text with the words of the index in place of the beginnings of
// words, where they are few. What is indexed meanwhile is behind the bounds of the
// index, which were read before.
func (l *listing) spelledOut(ctx context.Context) (out []terms.Clause, err error) {
	q := l.p.Schema.Words.Beginnings
	if q == "" {
		return l.text, nil
	}
	for _, c := range l.text {
		spelled := terms.Clause{Not: c.Not}
		for _, some := range c.All {
			var either []terms.Term
			for _, t := range some {
				words := []terms.Term{t}
				if t.Prefix {
					if words, err = l.beginnings(ctx, q, t); err != nil {
						return nil, err
					}
				}
				either = append(either, words...)
			}
			if len(either) == 0 {
				either = some // which finds nothing either
			}
			spelled.All = append(spelled.All, either)
		}
		out = append(out, spelled)
	}
	return out, nil
}

// beginnings are the words of the index that begin so, or what was asked for where
// they are many.
func (l *listing) beginnings(ctx context.Context, q string, t terms.Term) (words []terms.Term, err error) {
	err = l.p.DB.List(ctx, q, []any{t.Text, t.Text + string(unicode.MaxRune), spelledMost + 1}, func() { words = nil }, func(sc Scan) error {
		var w terms.Term
		err := sc(&w.Text)
		words = append(words, w)
		return err
	})
	if len(words) > spelledMost {
		return []terms.Term{t}, err
	}
	return words, err
}

// onlyWords reports that the index of words knows all that rows are chosen by, but
// for their exact time.
func (l *listing) onlyWords() bool {
	f := &l.f
	return len(f.States) == 0 && (l.among != nil || f.Connection == "" && f.Among == nil && f.Client == "" && f.Lane == "")
}

// hitKeys asks the index for keys alone. Where it answers in no order, all that it
// finds is sorted: with their rows, 50,000 hits of two days took ten times as long.
func (l *listing) hitKeys(ctx context.Context, days []string, from any, n int) (keys []any, err error) {
	s := &l.p.Schema
	w := &where{}
	hits := formatted(s.Words.HitKeys, w.arg(s.Words.Query(l.sought, days)))
	if days == nil && l.openKeys != "" {
		hits = formatted(strings.Replace(s.Words.HitOf, "%k", l.openKeys, 1), "$1")
	}
	order, beyond := l.order()
	l.within(w, "t."+s.Words.Key)
	if l.among != nil {
		w.and("t.flow "+s.Words.In, s.Words.Ints(l.among))
	}
	if from != nil {
		w.and("t."+s.Words.Key+beyond, from)
	}
	err = l.p.DB.List(ctx, `SELECT t.`+s.Words.Key+` FROM `+hits+` t`+w.String()+` ORDER BY t.`+s.Words.Key+` `+order+` LIMIT `+
		strconv.Itoa(n), w.args, func() { keys = nil }, func(sc Scan) error {
		k, err := s.scanKey(sc, &DeliveryRow{})
		keys = append(keys, k)
		return err
	})
	return keys, err
}

// hits asks the index.
func (l *listing) hits(ctx context.Context, days []string, from any, n int) (out []found, next any, err error) {
	s := &l.p.Schema
	if s.Words.HitKeys != "" && (l.onlyWords() || days == nil && l.openKeys != "") {
		keys, err := l.hitKeys(ctx, days, from, n)
		if err != nil || len(keys) == 0 {
			return nil, nil, err
		}
		w := s.chosen(l.f)
		w.and(s.Cursor+" "+s.Words.In, s.Words.Keys(keys))
		out, _, err = l.read(ctx, `deliveries d`, w, nil, len(keys))
		for i := range out {
			out[i].sure = true
		}
		if len(keys) == n {
			next = keys[n-1]
		}
		return out, next, err
	}
	w := s.chosen(l.f)
	query := w.arg(s.Words.Query(l.sought, days))
	if l.hitAmong != "" {
		w.conds = append(w.conds, l.hitAmong)
	}
	if s.Words.HitCond != "" {
		w.conds = append(w.conds, formatted(s.Words.HitCond, query))
	}
	l.within(w, s.Words.Cursor)
	out, next, err = l.readBy(ctx, s.Words.Cursor, formatted(s.Words.Hits, query), w, from, n)
	for i := range out {
		out[i].sure = true
	}
	return out, next, err
}

// inSpans asks the index for the newest days first, and for more and more of them.
// What few deliveries have is asked for without a bound after the first ones: to ask for
// each in many days takes longer than to gather all. So is what is sought among open
// deliveries: each of them is looked up then.
func (l *listing) inSpans() source {
	span, most := int64(firstSpan), int64(lastSpan)
	if l.openKeys != "" || slices.ContainsFunc(l.sought, terms.Clause.Rare) {
		most = firstSpan
	}
	return func(ctx context.Context, from any, n int) ([]found, any, error) {
		top := store.FirstID(time.Now().Add(2 * day))
		if k, ok := earlier(l.hi, from).([16]byte); ok {
			top = store.ID(k)
		}
		last := dayOf(top)
		if top == firstOfDay(last) { // all ids before it are of earlier days
			last--
		}
		if last-span < 0 || span > most {
			return l.hits(ctx, nil, from, n)
		}
		var days []string
		for d := last; d > last-span; d-- {
			days = append(days, dayTerm(d))
		}
		floor := firstOfDay(last - span + 1)
		span *= 4
		out, next, err := l.hits(ctx, days, from, n)
		if next == nil && err == nil {
			if k, ok := l.lo.([16]byte); !ok || compareKeys(k, [16]byte(floor)) < 0 {
				next = [16]byte(floor)
			}
		}
		return out, next, err
	}
}
