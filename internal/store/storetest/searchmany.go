package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/search/terms"
	"github.com/postino-mail/postino/internal/store"
)

// manyLetters is more than are rather looked at one by one than sought.
const manyLetters = 2500

// A listed is one of many deliveries, with what filters choose by.
type listed struct {
	id                 store.ID
	at                 time.Time
	connection, client string
	state              store.State
	words              []string
}

// wording is a word that a filter asks for.
type wording struct {
	word        string
	prefix, not bool
}

func (w wording) holds(l *listed) bool {
	return w.not != slices.ContainsFunc(l.words, func(s string) bool {
		return s == w.word || w.prefix && strings.HasPrefix(s, w.word)
	})
}

// testSearchMany compares lists of many deliveries, page after page, with a walk through
// all of them: which index leads depends on how many rows each condition leaves.
func testSearchMany(t *testing.T, h Harness) {
	s := h.Open(t)
	rnd := rand.New(rand.NewPCG(7, 11))
	all := submitVaried(t, s, rnd)
	compare := func(stage string, rounds int) {
		t.Helper()
		for range rounds {
			f, holds, what := someFilter(rnd, all)
			oldest, limit := rnd.IntN(2) == 0, 1+rnd.IntN(60)
			var ids []store.ID
			for i := range all {
				if holds(&all[i]) {
					ids = append(ids, all[i].id)
				}
			}
			if !oldest {
				slices.Reverse(ids)
			}
			r := store.ListRequest{Filter: f, Limit: limit, Oldest: oldest}
			for page := range 2 {
				from := min(page*limit, len(ids))
				p, err := s.List(t.Context(), r)
				must(t, err)
				var got []store.ID
				for _, e := range p.Entries {
					got = append(got, e.Delivery.ID)
				}
				want(t, fmt.Sprintf("%s, page %d of %s (oldest first: %v)", stage, page, what, oldest), fmt.Sprint(got),
					fmt.Sprint(ids[from:min(from+limit, len(ids))]))
				if r.After = p.Next; p.Next == "" {
					break
				}
			}
		}
	}
	for range 4 {
		_, err := s.IndexSearch(t.Context(), manyLetters/8)
		must(t, err)
	}
	compare("half an index", 20)
	for more := true; more; {
		var err error
		more, err = s.IndexSearch(t.Context(), manyLetters)
		must(t, err)
	}
	compare("an index", 40)
}

// submitVaried submits letters to 20 connections, half of them to the first, and has those
// that wait in some connections cancelled. It returns all in the order of lists.
func submitVaried(t *testing.T, s store.Store, rnd *rand.Rand) (all []listed) {
	t.Helper()
	for len(all) < manyLetters {
		sub := store.Submission{Now: after(float64(len(all)))}
		for range 500 {
			n := rnd.IntN(20)
			if rnd.IntN(2) == 0 {
				n = 0
			}
			l := listed{at: sub.Now, connection: fmt.Sprint("c", n), client: fmt.Sprint("k", rnd.IntN(3)), state: store.Queued,
				words: []string{fmt.Sprintf("w%03d", rnd.IntN(200)), []string{"often", "seldom"}[min(1, rnd.IntN(300)/299)]}}
			if rnd.IntN(10) == 0 {
				l.state = store.Held
			}
			m := letter{connection: l.connection, lane: "lane-" + l.connection, client: l.client, at: l.at, held: l.state == store.Held}.message()
			m.Subject, l.id = strings.Join(l.words, " "), m.Deliveries[0].ID
			sub.Messages, all = append(sub.Messages, m), append(all, l)
		}
		_, err := s.Submit(t.Context(), sub)
		must(t, err)
	}
	_, err := s.Act(t.Context(), store.Action{Verb: store.DoCancel, Filter: store.Filter{Among: []string{"c0", "c1", "c2"},
		States: []store.State{store.Queued}}, Now: after(manyLetters)})
	must(t, err)
	for i := range all {
		if l := &all[i]; l.state == store.Queued && slices.Contains([]string{"c0", "c1", "c2"}, l.connection) {
			l.state = store.Cancelled
		}
	}
	place := map[store.ID]int{}
	for r := (store.ListRequest{Oldest: true, Limit: 1000}); len(place) == 0 || r.After != ""; {
		p, err := s.List(t.Context(), r)
		must(t, err)
		for _, e := range p.Entries {
			place[e.Delivery.ID] = len(place)
		}
		r.After = p.Next
	}
	want(t, "all that there are", len(place), len(all))
	slices.SortFunc(all, func(a, b listed) int { return place[a.id] - place[b.id] })
	return all
}

// someFilter is a filter, whether it chooses a delivery, and its words.
func someFilter(rnd *rand.Rand, all []listed) (f store.Filter, holds func(*listed) bool, what string) {
	f.States = [][]store.State{nil, {store.Held}, {store.Queued}, {store.Cancelled}, {store.Held, store.Queued},
		{store.Queued, store.Sent}, {store.Held, store.Queued, store.Cancelled}}[rnd.IntN(7)]
	switch rnd.IntN(5) {
	case 0:
		f.Connection = fmt.Sprint("c", rnd.IntN(3))
	case 1:
		f.Client = fmt.Sprint("k", rnd.IntN(4))
	case 2, 3:
		f.Among = []string{}
		for range 1 + rnd.IntN(14) {
			f.Among = append(f.Among, fmt.Sprint("c", rnd.IntN(22)))
		}
	}
	var asked []wording
	for range rnd.IntN(3) {
		asked = append(asked, []wording{{word: fmt.Sprintf("w%03d", rnd.IntN(200))}, {word: fmt.Sprintf("w%d", rnd.IntN(3)), prefix: true},
			{word: fmt.Sprintf("w0%d", rnd.IntN(10)), prefix: true}, {word: "often"}, {word: "seldom"}, {word: "oft", prefix: true},
			{word: "often", not: true}, {word: "w1", prefix: true, not: true}, {word: "none", prefix: true}}[rnd.IntN(9)])
	}
	for _, w := range asked {
		f.Match = append(f.Match, terms.Match{Value: w.word, Prefix: w.prefix, Not: w.not})
	}
	if rnd.IntN(4) == 0 {
		f.Since = all[rnd.IntN(len(all))].at
	}
	if rnd.IntN(4) == 0 {
		f.Before = all[rnd.IntN(len(all))].at
	}
	return f, func(l *listed) bool {
		return (f.States == nil || slices.Contains(f.States, l.state)) && (f.Connection == "" || f.Connection == l.connection) &&
			(f.Client == "" || f.Client == l.client) && (f.Among == nil || slices.Contains(f.Among, l.connection)) &&
			(f.Since.IsZero() || !l.at.Before(f.Since)) && (f.Before.IsZero() || l.at.Before(f.Before)) &&
			!slices.ContainsFunc(asked, func(w wording) bool { return !w.holds(l) })
	}, fmt.Sprintf("%+v", f)
}
